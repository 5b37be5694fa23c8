"""An existing VPC that the database uses: looked up and checked in the preview, unless the settings have all of it.

The program changes nothing in it except one route to the other region in each of its route tables.
Every value that is looked up depends on the check, so no resource is created in an unsuitable VPC.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from settings import ExistingVpcSettings, RegionSettings


@dataclass(frozen=True, kw_only=True)
class ExistingVpc:
    """A VPC that has passed the checks, or that the settings describe."""

    vpc_id: pulumi.Output[str]
    cidr: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]
    zones: Sequence[pulumi.Output[str]]
    """The zones, in the order of the subnets."""
    route_tables: Mapping[str, pulumi.Output[str]]
    """The subnets' route tables, by the suffix of the route's logical name."""


@dataclass(frozen=True, kw_only=True)
class FoundVpc:
    """Attributes of a VPC from AWS's description."""

    cidrs: Sequence[str]
    """The VPC's primary and secondary address ranges."""
    dns_support: bool
    dns_hostnames: bool
    main_route_table_id: str
    subnet_vpcs: Sequence[str]
    subnet_cidrs: Sequence[str]
    zones: Sequence[str]
    """The zones, in the order of the subnets."""
    own_route_tables: Sequence[Sequence[str]]
    """The route tables that each subnet is associated with; empty if the subnet uses the main route table."""


def existing_vpc(label: str, region: RegionSettings, opts: pulumi.InvokeOutputOptions) -> ExistingVpc | None:
    """Return the VPC that a region's settings name, or None.

    With `availability_zones` the settings describe it, and AWS is asked nothing. `label` is the section of the settings that
    errors name.
    Raises: pulumi.RunError, once AWS has answered, with one line for each mistake.
    """
    wanted = region.existing_vpc
    if wanted is None:
        return None
    tables = wanted.route_table_ids
    if region.availability_zones and tables:
        return ExistingVpc(
            vpc_id=pulumi.Output.from_input(wanted.vpc_id),
            cidr=pulumi.Output.from_input(region.vpc_cidr),
            subnet_ids=[pulumi.Output.from_input(subnet) for subnet in wanted.subnet_ids],
            zones=[pulumi.Output.from_input(zone) for zone in region.availability_zones],
            route_tables={f"-{table}": pulumi.Output.from_input(table) for table in tables},
        )

    def checked(found: FoundVpc) -> FoundVpc:
        mistakes = [f"{label}.{setting}: {text}" for setting, text in vpc_mistakes(wanted, region.vpc_cidr, found)]
        if mistakes:
            raise pulumi.RunError("\n".join(mistakes))
        return found

    found = _look_up(wanted, opts).apply(checked)
    return ExistingVpc(
        vpc_id=found.apply(lambda _: wanted.vpc_id),
        cidr=found.apply(lambda _: region.vpc_cidr),
        subnet_ids=[found.apply(lambda _, subnet=subnet: subnet) for subnet in wanted.subnet_ids],
        zones=[found.apply(lambda found, index=index: found.zones[index]) for index in range(len(wanted.subnet_ids))],
        route_tables={f"-{table}": found.apply(lambda _, table=table: table) for table in tables}
        if tables
        else {"": found.apply(lambda found: found.main_route_table_id)},
    )


def _look_up(wanted: ExistingVpcSettings, opts: pulumi.InvokeOutputOptions) -> pulumi.Output[FoundVpc]:
    vpc = aws.ec2.get_vpc_output(id=wanted.vpc_id, opts=opts)
    subnets = [aws.ec2.get_subnet_output(id=subnet, opts=opts) for subnet in wanted.subnet_ids]
    # One call for each subnet: a call for all does not tell which of them use the main table.
    tables = [
        aws.ec2.get_route_tables_output(
            filters=[aws.ec2.GetRouteTablesFilterArgs(name="association.subnet-id", values=[subnet])], opts=opts
        )
        for subnet in wanted.subnet_ids
    ]
    return pulumi.Output.all(vpc, pulumi.Output.all(*subnets), pulumi.Output.all(*tables)).apply(
        lambda answers: FoundVpc(
            cidrs=[block.cidr_block for block in answers[0].cidr_block_associations if block.state == "associated"],
            dns_support=answers[0].enable_dns_support,
            dns_hostnames=answers[0].enable_dns_hostnames,
            main_route_table_id=answers[0].main_route_table_id,
            subnet_vpcs=[subnet.vpc_id for subnet in answers[1]],
            subnet_cidrs=[subnet.cidr_block for subnet in answers[1]],
            zones=[subnet.availability_zone for subnet in answers[1]],
            own_route_tables=[table.ids for table in answers[2]],
        )
    )


def vpc_mistakes(wanted: ExistingVpcSettings, cidr: str, found: FoundVpc) -> Iterator[tuple[str, str]]:
    """Yield each mistake: the setting in the region's section, and the error's text."""
    vpc_id = wanted.vpc_id
    if cidr not in found.cidrs:
        ranges = [block for block in found.cidrs if not _outside(block, wanted.subnet_ids, found.subnet_cidrs)]
        fix = ranges[0] if ranges else "the range that holds the subnets"
        yield "vpc_cidr", f"{vpc_id} has {' and '.join(found.cidrs)}, not {cidr}. Use {fix}."
    # Source: Considerations when working with a private hosted zone; Enable DNS resolution for a VPC peering connection.
    off = [name for name, on in (("DNS support", found.dns_support), ("DNS host names", found.dns_hostnames)) if not on]
    if off:
        yield "existing_vpc.vpc_id", f"{vpc_id} has {' and '.join(off)} disabled. Enable both; private DNS needs them."
    foreign = [subnet for subnet, vpc in zip(wanted.subnet_ids, found.subnet_vpcs, strict=True) if vpc != vpc_id]
    if foreign:
        yield "existing_vpc.subnet_ids", f"{', '.join(foreign)} not in {vpc_id}. Use three subnets of {vpc_id}."
    elif cidr in found.cidrs and (outside := _outside(cidr, wanted.subnet_ids, found.subnet_cidrs)):
        # Security groups, routes and the peer's rules name this one range.
        wrong = f"{', '.join(outside)} outside vpc_cidr {cidr}, so the other region would not reach the database"
        yield "existing_vpc.subnet_ids", f"{wrong}. Use three subnets of it, or set vpc_cidr to their range."
    elif len(set(found.zones)) < len(found.zones):
        zones = ", ".join(sorted(set(found.zones)))
        yield "existing_vpc.subnet_ids", f"all are in {zones}. Use three subnets, one in each of three zones."
    used = {table for tables in found.own_route_tables for table in (tables or [found.main_route_table_id])}
    missing = used - set(wanted.route_table_ids or [found.main_route_table_id])
    if missing:
        wrong = f"the subnets use {', '.join(sorted(missing))}, which would get no route to the other region"
        yield "existing_vpc.route_table_ids", f"{wrong}. Use {', '.join(sorted(used))}."


def _outside(cidr: str, subnets: Sequence[str], cidrs: Sequence[str]) -> list[str]:
    network = ipaddress.IPv4Network(cidr)
    return [
        f"{subnet} ({block})"
        for subnet, block in zip(subnets, cidrs, strict=True)
        if not ipaddress.IPv4Network(block).subnet_of(network)
    ]
