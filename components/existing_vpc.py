"""An existing VPC that the database uses: looked up and checked in the preview.

The program changes nothing in it except one route to the other region in each of its route tables.
Every value from here depends on the check, so no resource is created in an unsuitable VPC.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from settings import ExistingVpcSettings, RegionSettings


@dataclass(frozen=True, kw_only=True)
class ExistingVpc:
    """A VPC that has passed the checks."""

    vpc_id: pulumi.Output[str]
    cidr: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]
    zones: list[pulumi.Output[str]]
    """The subnets' zones, in their order."""
    route_tables: Mapping[str, pulumi.Output[str]]
    """The subnets' route tables, by the suffix of the route's logical name."""


@dataclass(frozen=True, kw_only=True)
class FoundVpc:
    """Attributes of a VPC from AWS's description."""

    cidr: str
    dns_support: bool
    dns_hostnames: bool
    main_route_table_id: str
    subnet_vpcs: Sequence[str]
    zones: Sequence[str]
    """The subnets' zones, in their order."""
    own_route_tables: Sequence[Sequence[str]]
    """The route tables that each subnet is associated with; empty if the subnet uses the main route table."""


def existing_vpc(label: str, region: RegionSettings, opts: pulumi.InvokeOutputOptions) -> ExistingVpc | None:
    """Return the VPC that a region's settings name, or None.

    `label` is the section of the settings that errors name.
    Raises: pulumi.RunError, once AWS has answered, with one line for each mistake.
    """
    wanted = region.existing_vpc
    if wanted is None:
        return None

    def checked(found: FoundVpc) -> FoundVpc:
        mistakes = [f"{label}.{setting}: {text}" for setting, text in vpc_mistakes(wanted, region.vpc_cidr, found)]
        if mistakes:
            raise pulumi.RunError("\n".join(mistakes))
        return found

    found = _look_up(wanted, opts).apply(checked)
    tables = wanted.route_table_ids
    return ExistingVpc(
        vpc_id=found.apply(lambda _: wanted.vpc_id),
        cidr=found.apply(lambda found: found.cidr),
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
            cidr=answers[0].cidr_block,
            dns_support=answers[0].enable_dns_support,
            dns_hostnames=answers[0].enable_dns_hostnames,
            main_route_table_id=answers[0].main_route_table_id,
            subnet_vpcs=[subnet.vpc_id for subnet in answers[1]],
            zones=[subnet.availability_zone for subnet in answers[1]],
            own_route_tables=[table.ids for table in answers[2]],
        )
    )


def vpc_mistakes(wanted: ExistingVpcSettings, cidr: str, found: FoundVpc) -> Iterator[tuple[str, str]]:
    """Yield each mistake: the setting below the region's, and the text of the error."""
    vpc_id = wanted.vpc_id
    if found.cidr != cidr:
        yield "vpc_cidr", f"{vpc_id} has {found.cidr}, not {cidr}. Use {found.cidr}."
    # Source: Considerations when working with a private hosted zone; Enable DNS resolution for a VPC peering connection.
    off = [name for name, on in (("DNS support", found.dns_support), ("DNS host names", found.dns_hostnames)) if not on]
    if off:
        yield "existing_vpc.vpc_id", f"{vpc_id} has {' and '.join(off)} disabled. Enable both; private DNS needs them."
    foreign = [subnet for subnet, vpc in zip(wanted.subnet_ids, found.subnet_vpcs, strict=True) if vpc != vpc_id]
    if foreign:
        yield "existing_vpc.subnet_ids", f"{', '.join(foreign)} not in {vpc_id}. Use three subnets of {vpc_id}."
    elif len(set(found.zones)) < len(found.zones):
        zones = ", ".join(sorted(set(found.zones)))
        yield "existing_vpc.subnet_ids", f"all are in {zones}. Use three subnets, one in each of three zones."
    used = {table for tables in found.own_route_tables for table in (tables or [found.main_route_table_id])}
    missing = used - set(wanted.route_table_ids or [found.main_route_table_id])
    if missing:
        wrong = f"the subnets use {', '.join(sorted(missing))}, which would get no route to the other region"
        yield "existing_vpc.route_table_ids", f"{wrong}. Use {', '.join(sorted(used))}."
