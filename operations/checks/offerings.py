"""Checks that AWS offers what the settings need: the regions, three zones, the engine version, the instance class.

What AWS does not list counts as not offered.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from functools import partial

from operations.aws.read_ports import Answer, ReadApiFactory, ReadOnlyApi
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.stack.settings import names_of
from settings import RegionSettings, Settings
from settings.zones import ZONES, chosen_zones

ENGINE = "aurora-mysql"


def offer_checks(settings: Settings, read_api_for: ReadApiFactory) -> list[Check]:
    """Return the checks of what AWS offers in both regions."""
    checks, own_tags = [], names_of(settings).tags()
    for region in (settings.primary, settings.secondary):
        api, version = read_api_for(region.region), settings.database.engine_version
        checks += [
            Check(names=("region",), where=region.region, run=partial(_read_region, api, region)),
            Check(names=("zones",), where=region.region, run=partial(_read_zones, api, region)),
            Check(names=("engine version",), where=region.region, run=partial(_read_version, api, region, version)),
            Check(names=("instance class",), where=region.region, run=partial(_read_class, api, region, version)),
            Check(names=("network",), where=region.region, run=partial(_read_network, api, region, own_tags)),
        ]
    return checks


def _read_region(api: ReadOnlyApi, region: RegionSettings) -> list[CheckResult]:
    return [check_region(region.region, api.read("account", "get_region_opt_status", RegionName=region.region))]


def check_region(where: str, answer: Answer) -> CheckResult:
    """Check that the region is enabled for this account."""
    status = answer.get("RegionOptStatus")
    problems = [] if status in ("ENABLED", "ENABLED_BY_DEFAULT") else [f"it is {status}"]
    hint = "Enable it in the account's settings (AWS Regions). That can take hours."
    return check_result("region", where, problems=problems, evidence=str(status), hint=hint)


def _read_zones(api: ReadOnlyApi, region: RegionSettings) -> list[CheckResult]:
    return [check_zones(region, available_zones(api))]


def available_zones(api: ReadOnlyApi) -> dict[str, str]:
    """Return the ids of the availability zones by zone name."""
    return {
        str(each["ZoneName"]): str(each.get("ZoneId", ""))
        for each in api.read_all("ec2", "describe_availability_zones", "AvailabilityZones")
        if each.get("State") == "available" and each.get("ZoneType", "availability-zone") == "availability-zone"
    }


def check_zones(region: RegionSettings, found: Mapping[str, str]) -> CheckResult:
    """Check that three zones, or the configured ones, are available."""
    there = sorted(found)
    wanted = region.availability_zones or ()
    problems = [f"{zone} does not exist" for zone in wanted if zone not in there]
    if len(there) < ZONES:
        problems.append(f"only {', '.join(there) or 'none'}")
    hint = "Use another region, or other zones in `availability_zones`."
    return check_result("zones", region.region, problems=problems, evidence=", ".join(wanted or there), hint=hint)


def _read_version(api: ReadOnlyApi, region: RegionSettings, version: str) -> list[CheckResult]:
    found = api.read_all("rds", "describe_db_engine_versions", "DBEngineVersions", Engine=ENGINE, EngineVersion=version)
    return [check_version(region.region, version, found)]


def check_version(where: str, version: str, found: Sequence[Answer]) -> CheckResult:
    """Check that the version is offered and supports global databases."""
    hint = "Use another `database.engine_version`: `aws rds describe-db-engine-versions --engine aurora-mysql`."
    if found and found[0].get("SupportsGlobalDatabases") is None:
        return unknown(
            "engine version", where, why="AWS does not return whether it supports global databases", hint=hint
        )
    problems = [] if found else [f"{version} is not offered"]
    if found and not found[0]["SupportsGlobalDatabases"]:
        problems.append(f"{version} does not support global databases")
    if found and found[0].get("Status", "available") != "available":
        problems.append(f"{version} is {found[0]['Status']}: new clusters cannot use it")
    return check_result(
        "engine version", where, problems=problems, evidence=f"{version}, for global databases", hint=hint
    )


def _read_class(api: ReadOnlyApi, region: RegionSettings, version: str) -> list[CheckResult]:
    query = {"Engine": ENGINE, "EngineVersion": version}
    operation, items = "describe_orderable_db_instance_options", "OrderableDBInstanceOptions"
    found = api.read_all("rds", operation, items, **query, DBInstanceClass=region.database_class)
    any_class = bool(found) or bool(api.read("rds", operation, **query, MaxRecords=20).get(items))
    # The zones of an existing VPC's subnets are not chosen by this stack.
    taken = () if region.existing_vpc else tuple(region.availability_zones or chosen_zones(available_zones(api)))
    return [check_class(region, found, taken, lists_any=any_class)]


def check_class(
    region: RegionSettings, found: Sequence[Answer], taken: Sequence[str], *, lists_any: bool
) -> CheckResult:
    """Check that the class is offered in three zones, and in the zones of the subnets."""
    name, where = region.database_class, region.region
    hint = "Set `availability_zones` to three zones that offer it, or use another `instance_class` or region."
    if not lists_any:
        return unknown("instance class", where, why="AWS lists no instance class for this engine version", hint=hint)
    zones = {str(zone["Name"]) for each in found for zone in each.get("AvailabilityZones", [])}
    problems = [f"{name} is not offered in {zone}" for zone in taken if zone not in zones]
    if len(zones) < ZONES:
        problems.append(f"{name} is offered in {len(zones)} zones: {', '.join(sorted(zones)) or 'none'}")
    if found and not any(each.get("SupportsGlobalDatabases", True) for each in found):
        problems.append(f"{name} does not support global databases")
    return check_result(
        "instance class", where, problems=problems, evidence=f"{name} in {', '.join(sorted(zones))}", hint=hint
    )


def _read_network(api: ReadOnlyApi, region: RegionSettings, wanted: Mapping[str, str]) -> list[CheckResult]:
    return [check_network(region, api.read_all("ec2", "describe_vpcs", "Vpcs"), wanted)]


def check_network(region: RegionSettings, vpcs: Sequence[Answer], wanted: Mapping[str, str]) -> CheckResult:
    """Check whether a VPC of the region overlaps with the stack's: AWS allows it, but they can never be peered."""
    own = ipaddress.IPv4Network(region.vpc_cidr)
    overlapping = [
        f"{vpc['VpcId']} ({block})"
        for vpc in vpcs
        for block in _blocks(vpc)
        if own.overlaps(ipaddress.IPv4Network(block))
        and not (region.existing_vpc and vpc["VpcId"] == region.existing_vpc.vpc_id)
        and _is_foreign(vpc, wanted)
    ]
    if overlapping:
        why = f"{region.vpc_cidr} overlaps with {', '.join(overlapping)}: they can never be peered"
        return unknown("network", region.region, why=why, hint="If they must be peered, use another `vpc_cidr`.")
    evidence = f"{region.vpc_cidr} overlaps with none of {len(vpcs)} VPCs"
    return check_result("network", region.region, problems=[], evidence=evidence, hint="")


def _blocks(vpc: Answer) -> list[str]:
    """Return the primary and secondary ranges of a VPC: none may overlap with a peer's. Source: VPC peering limitations."""
    further = [str(each["CidrBlock"]) for each in vpc.get("CidrBlockAssociationSet", [])]
    return list(dict.fromkeys([str(vpc["CidrBlock"]), *further]))


def _is_foreign(vpc: Answer, wanted: Mapping[str, str]) -> bool:
    tags = {each["Key"]: each["Value"] for each in vpc.get("Tags", [])}
    return any(tags.get(name) != value for name, value in wanted.items())
