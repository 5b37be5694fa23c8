"""What the program asks AWS before its resources, if the settings do not say it: the account and the zones.

While a region is lost, it answers nothing, so a stack that can be deployed then has the answers in its settings.
"""

from functools import partial

from operations.aws.read_ports import ReadApiFactory, ReadOnlyApi
from operations.checks.offerings import available_zones
from operations.stack.settings import RegionLookup, names_of
from operations.support.deadlines import call_concurrently
from operations.support.errors import NotThereError
from settings import ExistingVpcSettings, RegionSettings, Settings
from settings.zones import ZONES, chosen_zones


def read_lookups(settings: Settings, read_api_for: ReadApiFactory) -> dict[str, RegionLookup]:
    """Return what the program would look up in each region whose settings lack it, by `primary` and `secondary`.

    A region that does not answer is left out: the checks report it.
    """
    lacking = {
        label: region
        for label, region in (("primary", settings.primary), ("secondary", settings.secondary))
        if not region.availability_zones
    }
    answers = call_concurrently(
        [partial(_read, read_api_for(region.region), settings, region) for region in lacking.values()]
    )
    found = zip(lacking, answers, strict=True)
    return {label: answer for label, answer in found if isinstance(answer, RegionLookup) and len(answer.zones) == ZONES}


def _read(api: ReadOnlyApi, settings: Settings, region: RegionSettings) -> RegionLookup:
    if region.existing_vpc:
        return _read_vpc(api, region.existing_vpc)
    return RegionLookup(zones=_deployed_zones(api, settings) or chosen_zones(available_zones(api)))


def _deployed_zones(api: ReadOnlyApi, settings: Settings) -> list[str]:
    """Return the zones of the stack's subnets, which stay the same when AWS offers others; empty before a deployment."""
    name = names_of(settings).of("database")
    try:
        (group,) = api.read_all("rds", "describe_db_subnet_groups", "DBSubnetGroups", DBSubnetGroupName=name)
    except NotThereError:
        return []
    return sorted(str(subnet["SubnetAvailabilityZone"]["Name"]) for subnet in group.get("Subnets", []))


def _read_vpc(api: ReadOnlyApi, vpc: ExistingVpcSettings) -> RegionLookup:
    subnets = api.read_all("ec2", "describe_subnets", "Subnets", SubnetIds=list(vpc.subnet_ids))
    zones = {str(each["SubnetId"]): str(each["AvailabilityZone"]) for each in subnets}
    tables = api.read_all(
        "ec2", "describe_route_tables", "RouteTables", Filters=[{"Name": "vpc-id", "Values": [vpc.vpc_id]}]
    )
    by_subnet = {
        str(link["SubnetId"]): str(table["RouteTableId"])
        for table in tables
        for link in table.get("Associations", [])
        if "SubnetId" in link
    }
    main = {
        str(table["RouteTableId"]) for table in tables for link in table.get("Associations", []) if link.get("Main")
    }
    used = {by_subnet.get(subnet, *main) for subnet in vpc.subnet_ids}
    return RegionLookup(zones=[zones[subnet] for subnet in vpc.subnet_ids], route_tables=sorted(used))
