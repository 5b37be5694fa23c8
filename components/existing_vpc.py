"""A VPC that somebody else made and keeps, in which the database is to stand.

Owns: what AWS is asked about it in the preview, and whether it will do. Does not own: the VPC, its subnets or its tables:
nothing of it is changed but for one route to the other region in each table that is named.
Invariant: whoever uses a value from here waits for the check, so that nothing is built into a network that can't work.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from settings import RegionSettings


@dataclass(frozen=True, kw_only=True)
class ExistingVpc:
    """A VPC that was looked at and will do."""

    vpc_id: pulumi.Output[str]
    cidr: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]
    zones: list[pulumi.Output[str]]
    """The subnets' zones, in their order."""
    route_tables: Mapping[str, pulumi.Output[str]]
    """The end of a route's logical name -> a route table of the subnets."""


@dataclass(frozen=True, kw_only=True)
class WantedVpc:
    """What the settings say about it."""

    setting: str
    """Where they say it, for the words of a mistake."""
    vpc_id: str
    cidr: str
    subnet_ids: Sequence[str]
    route_table_ids: Sequence[str] | None
    """None: the main one."""


@dataclass(frozen=True, kw_only=True)
class FoundVpc:
    """What AWS says about it."""

    cidr: str
    dns_support: bool
    dns_hostnames: bool
    main_route_table_id: str
    subnet_vpcs: Sequence[str]
    zones: Sequence[str]
    """The subnets' zones, in their order."""
    own_route_tables: Sequence[Sequence[str]]
    """The route tables that each subnet is associated with; empty: it uses the main one."""


def existing_vpc(name: str, place: RegionSettings, provider: aws.Provider) -> ExistingVpc | None:
    """Return the VPC that a region's settings name, as AWS describes it; None if they name none.

    `name` is what the settings call the region, for the words of a mistake.
    Raises: pulumi.RunError, when the answers come, with a line for whatever can't work.
    """
    if place.existing_vpc is None:
        return None
    wanted = WantedVpc(setting=name, cidr=place.vpc_cidr, **place.existing_vpc.model_dump())
    found = _asked(wanted, pulumi.InvokeOutputOptions(provider=provider)).apply(lambda found: _checked(wanted, found))
    named = wanted.route_table_ids
    return ExistingVpc(
        vpc_id=found.apply(lambda _: wanted.vpc_id),
        cidr=found.apply(lambda found: found.cidr),
        subnet_ids=[found.apply(lambda _, subnet=subnet: subnet) for subnet in wanted.subnet_ids],
        zones=[found.apply(lambda found, index=index: found.zones[index]) for index in range(len(wanted.subnet_ids))],
        route_tables={f"-{table}": found.apply(lambda _, table=table: table) for table in named}
        if named
        else {"": found.apply(lambda found: found.main_route_table_id)},
    )


def _asked(wanted: WantedVpc, asked: pulumi.InvokeOutputOptions) -> pulumi.Output[FoundVpc]:
    vpc = aws.ec2.get_vpc_output(id=wanted.vpc_id, opts=asked)
    subnets = [aws.ec2.get_subnet_output(id=subnet, opts=asked) for subnet in wanted.subnet_ids]
    # Of each subnet: the answer for all would not say which of them uses the main table.
    tables = [
        aws.ec2.get_route_tables_output(
            filters=[aws.ec2.GetRouteTablesFilterArgs(name="association.subnet-id", values=[subnet])], opts=asked
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


def _checked(wanted: WantedVpc, found: FoundVpc) -> FoundVpc:
    mistakes = [f"{wanted.setting}.{setting}: {text}" for setting, text in vpc_mistakes(wanted, found)]
    if mistakes:
        raise pulumi.RunError("\n".join(mistakes))
    return found


def vpc_mistakes(wanted: WantedVpc, found: FoundVpc) -> Iterator[tuple[str, str]]:
    """Yield what about a VPC can't work: (setting below the region's, what is wrong and what would do)."""
    if found.cidr != wanted.cidr:
        yield "vpc_cidr", f"{wanted.vpc_id} has {found.cidr}, not {wanted.cidr}; give {found.cidr}"
    # Source: Considerations when working with a private hosted zone; Enable DNS resolution for a VPC peering connection.
    off = [name for name, on in (("DNS support", found.dns_support), ("DNS host names", found.dns_hostnames)) if not on]
    if off:
        yield (
            "existing_vpc.vpc_id",
            f"{' and '.join(off)} off in {wanted.vpc_id}; turn both on, names don't resolve without",
        )
    foreign = [subnet for subnet, vpc in zip(wanted.subnet_ids, found.subnet_vpcs, strict=True) if vpc != wanted.vpc_id]
    if foreign:
        yield "existing_vpc.subnet_ids", f"{', '.join(foreign)} not in {wanted.vpc_id}; give three subnets of it"
    elif len(set(found.zones)) < len(found.zones):
        wrong = f"they are in {', '.join(sorted(set(found.zones)))}"
        yield "existing_vpc.subnet_ids", f"{wrong}; give three, one in each of three zones"
    used = {table for tables in found.own_route_tables for table in (tables or [found.main_route_table_id])}
    unnamed = used - set(wanted.route_table_ids or [found.main_route_table_id])
    if unnamed:
        wrong = f"the subnets use {', '.join(sorted(unnamed))}, which would get no route to the other region"
        yield "existing_vpc.route_table_ids", f"{wrong}; give {', '.join(sorted(used))}"
