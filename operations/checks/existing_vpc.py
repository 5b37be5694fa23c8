"""Checks of existing VPCs: a peering or route that is there already would make `pulumi up` fail in its middle.

With `existing_peering` the checks are the opposite: the peering and the routes must be there.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from operations.aws.read_ports import Answer, ReadApiFactory, ReadOnlyApi
from operations.checks.finding import Check, CheckResult, check_result
from operations.stack.settings import names_of
from settings import RegionSettings, Settings

STATES = ("active", "pending-acceptance", "provisioning")
"""The states of a peering that exists. Source: VPC peering connection lifecycle."""


def existing_vpc_checks(settings: Settings, read_api_for: ReadApiFactory) -> list[Check]:
    """Return the checks of each region with an existing VPC."""
    pairs = ((settings.primary, settings.secondary), (settings.secondary, settings.primary))
    described = [
        Check(names=("subnets",), where=region.region, run=partial(_read_subnets, read_api_for(region.region), region))
        for region, _ in pairs
        if region.existing_vpc and region.availability_zones
    ]
    return described + [
        Check(
            names=("peering", "routes"),
            where=region.region,
            run=partial(_read, read_api_for(region.region), settings, region, peer),
        )
        for region, peer in pairs
        if region.existing_vpc
    ]


def _read_subnets(api: ReadOnlyApi, region: RegionSettings) -> list[CheckResult]:
    assert region.existing_vpc is not None
    found = api.read_all("ec2", "describe_subnets", "Subnets", SubnetIds=list(region.existing_vpc.subnet_ids))
    return [check_subnets(region, found)]


def check_subnets(region: RegionSettings, found: Sequence[Answer]) -> CheckResult:
    """Check that the subnets are in the VPC and in the zones of the settings: the program does not look them up."""
    assert region.existing_vpc is not None
    vpc_id, ids = region.existing_vpc.vpc_id, region.existing_vpc.subnet_ids
    subnets = {str(each["SubnetId"]): each for each in found}
    problems = []
    for subnet, zone in zip(ids, region.availability_zones or (), strict=False):
        where = subnets.get(subnet, {})
        if where.get("VpcId") != vpc_id:
            problems.append(f"{subnet} is not in {vpc_id}")
        elif where.get("AvailabilityZone") != zone:
            problems.append(f"{subnet} is in {where.get('AvailabilityZone')}, not in {zone}")
    hint = "Set `availability_zones` to the zones of `existing_vpc.subnet_ids`, in their order."
    evidence = f"{', '.join(ids)} in {', '.join(region.availability_zones or ())}"
    return check_result("subnets", region.region, problems=problems, evidence=evidence, hint=hint)


def _read(api: ReadOnlyApi, settings: Settings, region: RegionSettings, peer: RegionSettings) -> list[CheckResult]:
    assert region.existing_vpc is not None
    found = api.read_all(
        "ec2",
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        Filters=[{"Name": "status-code", "Values": list(STATES)}],
    )
    tables = region.existing_vpc.route_table_ids
    which = (
        {"RouteTableIds": list(tables)}
        if tables
        else {
            "Filters": [
                {"Name": "vpc-id", "Values": [region.existing_vpc.vpc_id]},
                {"Name": "association.main", "Values": ["true"]},
            ]
        }
    )
    routes = api.read_all("ec2", "describe_route_tables", "RouteTables", **which)
    own = {each["VpcPeeringConnectionId"] for each in found if _is_own(each, names_of(settings).tags())}
    return [check_peering(settings, region, peer, found, own), check_routes(settings, region, peer, routes, own)]


def _is_own(peering: Answer, wanted: Mapping[str, str]) -> bool:
    tags = {each["Key"]: each["Value"] for each in peering.get("Tags", [])}
    return all(tags.get(name) == value for name, value in wanted.items())


def check_peering(
    settings: Settings, region: RegionSettings, peer: RegionSettings, found: Sequence[Answer], own: Iterable[str]
) -> CheckResult:
    """Check that the existing peering works, or that no other peering connects the two VPCs."""
    vpcs = {each.existing_vpc.vpc_id for each in (region, peer) if each.existing_vpc}
    wanted = settings.existing_peering
    between = [each for each in found if len(vpcs) == 2 and vpcs == set(_sides(each))]
    if wanted is None:
        foreign = [each["VpcPeeringConnectionId"] for each in between if each["VpcPeeringConnectionId"] not in own]
        problems = [
            f"{one} connects {' and '.join(sorted(vpcs))} already, and AWS allows no second one" for one in foreign
        ]
        hint = f"Set `existing_peering` to {foreign[0] if foreign else 'it'}, or delete it."
        return check_result("peering", region.region, problems=problems, evidence="none but this stack's", hint=hint)
    peering = next((each for each in between if each["VpcPeeringConnectionId"] == wanted), None)
    problems = []
    if peering is None:
        problems.append(f"{wanted} does not connect {' and '.join(sorted(vpcs))}")
    elif (state := peering.get("Status", {}).get("Code")) != "active":
        problems.append(f"{wanted} is {state}")
    elif region.existing_vpc and not _resolves_names(_sides(peering)[region.existing_vpc.vpc_id]):
        problems.append(f"{wanted} does not resolve names of this VPC for the other one")
    hint = (
        "Correct `existing_peering`; accept the peering and allow DNS resolution from the remote VPC in both regions."
    )
    return check_result("peering", region.region, problems=problems, evidence=f"{wanted} is active", hint=hint)


def _sides(peering: Answer) -> dict[str, Answer]:
    """Return the two ends of a peering by VPC."""
    ends = (peering.get("RequesterVpcInfo", {}), peering.get("AccepterVpcInfo", {}))
    return {str(each.get("VpcId")): each for each in ends}


def _resolves_names(end: Answer) -> bool:
    return bool(end.get("PeeringOptions", {}).get("AllowDnsResolutionFromRemoteVpc"))


def check_routes(
    settings: Settings, region: RegionSettings, peer: RegionSettings, tables: Sequence[Answer], own: Iterable[str]
) -> CheckResult:
    """Check that each route table has the route to the other region, or that no foreign route takes its place."""
    wanted = settings.existing_peering
    problems = []
    for table in tables:
        name = table["RouteTableId"]
        there = [each for each in table.get("Routes", []) if each.get("DestinationCidrBlock") == peer.vpc_cidr]
        through = {str(each.get("VpcPeeringConnectionId") or "another target") for each in there}
        if wanted is None and through - set(own):
            problems.append(f"{name} has a route to {peer.vpc_cidr} already, through {', '.join(sorted(through))}")
        if wanted is not None and through != {wanted}:
            problems.append(f"{name} has no route to {peer.vpc_cidr} through {wanted}")
    hint = (
        f"Delete the routes to {peer.vpc_cidr}, or set `existing_peering` if they belong to a peering."
        if wanted is None
        else f"Add a route to {peer.vpc_cidr} through {wanted} to each route table."
    )
    return check_result("routes", region.region, problems=problems, evidence=f"{len(tables)} route tables", hint=hint)
