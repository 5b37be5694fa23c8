"""What there is to be had: instance classes and zones of each region, engine versions, and what AWS's schemas allow.

Owns: the rules that rest on cfn-lint's data. The same questions are put to AWS itself before a deployment, by
`operations preflight`; this needs no account.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cfnlint.helpers import AVAILABILITY_ZONES

from policy.rules.cloudformation import extension, schema
from policy.rules.replacement import CLOUDFORMATION_TYPES, camel_case, input_of
from policy.rules.rule import broken, rule
from policy.rules.stack_model import Finding, Stack, is_known

ENGINE = "aurora-mysql"


def instance_classes(region: str) -> frozenset[str]:
    """Return the classes that Aurora MySQL has in a region; none for a region that the data doesn't know."""
    return frozenset(
        _allowed(extension("aws_rds_dbinstance", "dbinstanceclass_enum").get(region, {}), "DBInstanceClass")
    )


def engine_versions() -> frozenset[str]:
    """Return the versions of Aurora MySQL."""
    return frozenset(_allowed(extension("aws_rds_dbcluster", "engine_version"), "EngineVersion"))


def zones(region: str) -> frozenset[str]:
    """Return the zones of a region."""
    return frozenset(AVAILABILITY_ZONES.get(region, ()))


@rule("Supported DB engines for DB instance classes in AWS Regions, as cfn-lint reads it from AWS's API")
def classes_are_offered_in_their_region(stack: Stack) -> Iterator[Finding]:
    """Every instance's class is one that Aurora MySQL has in its region."""
    for r in stack.of("rds/clusterInstance:ClusterInstance"):
        offered, wanted = instance_classes(r.region), r.get("instanceClass")
        if isinstance(wanted, str) and wanted not in offered:
            yield broken(
                r, "instanceClass", f"{r.region} has no {wanted}" if offered else f"nothing is known of {r.region}"
            )


@rule("DescribeDBEngineVersions, as cfn-lint reads it from AWS's API")
def versions_exist(stack: Stack) -> Iterator[Finding]:
    """Every cluster's version is one that there is, and that AWS still offers."""
    for r in (*stack.of("rds/globalCluster:GlobalCluster"), *stack.of("rds/cluster:Cluster")):
        version = r.get("engineVersion")
        if isinstance(version, str) and version not in engine_versions():
            yield broken(r, "engineVersion", f"there is no {version}")


@rule("Regions and Zones, as cfn-lint lists them")
def zones_belong_to_their_region(stack: Stack) -> Iterator[Finding]:
    """Every zone that is named is one of its region."""
    for r in stack.cloud:
        zone = r.get("availabilityZone")
        looks_real = isinstance(zone, str) and re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", zone)
        if looks_real and zone not in zones(r.region):
            yield broken(r, "availabilityZone", f"{r.region} has no {zone}")


@rule("AWS's resource schemas: enum, pattern, minimum, maximum, minLength, maxLength")
def inputs_are_within_awss_schemas(stack: Stack) -> Iterator[Finding]:
    """Every plain input that AWS's schema of the type describes is within what the schema allows."""
    for r in stack.cloud:
        limits = _limits(r.type)
        for name, value in r.inputs.items():
            if name in limits and isinstance(value, str | int | float) and is_known(value):
                problem = _beyond(limits[name], value)
                if problem:
                    yield broken(r, name, f"{value!r}: {problem}")


_LIMITS: dict[str, Mapping[str, Mapping[str, Any]]] = {}


def _limits(pulumi_type: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the plain inputs of a type that AWS's schema describes -> what it says of each."""
    if pulumi_type not in _LIMITS:
        cloudformation_type = CLOUDFORMATION_TYPES.get(pulumi_type)
        described = schema(cloudformation_type)["properties"] if cloudformation_type else {}
        named = {input_of(pulumi_type, name) or camel_case(name): limits for name, limits in described.items()}
        _LIMITS[pulumi_type] = {name: limits for name, limits in named.items() if limits.get("type") in _PLAIN}
    return _LIMITS[pulumi_type]


_PLAIN = ("string", "integer", "number")


def _beyond(limits: Mapping[str, Any], value: str | int | float) -> str | None:
    if isinstance(value, bool):
        return None
    if "enum" in limits and value not in limits["enum"]:
        return f"not one of {', '.join(map(str, limits['enum']))}"
    if isinstance(value, str) and limits["type"] == "string":
        if not limits.get("minLength", 0) <= len(value) <= limits.get("maxLength", len(value)):
            return f"{len(value)} characters"
        if "pattern" in limits and not re.search(limits["pattern"], value):
            return f"doesn't match {limits['pattern']}"
    if not isinstance(value, str) and not limits.get("minimum", value) <= value <= limits.get("maximum", value):
        return f"not from {limits.get('minimum')} to {limits.get('maximum')}"
    return None


def _allowed(described: Mapping[str, Any], name: str) -> set[str]:
    """Return what cfn-lint's conditions allow for our engine."""
    found: set[str] = set()
    for each in described.get("allOf", ()):
        if each["if"]["properties"].get("Engine", {}).get("const") == ENGINE and isinstance(each["then"], Mapping):
            found |= set(each["then"]["properties"].get(name, {}).get("enum", ()))
    return found
