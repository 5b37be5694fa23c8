"""Rules on instance classes, engine versions, zones and AWS schemas, from cfn-lint's data.

They need no AWS account; `operations preflight` asks AWS itself.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cfnlint.helpers import AVAILABILITY_ZONES

from policy.rules.cloudformation import extension, schema
from policy.rules.replacement import CLOUDFORMATION_TYPES, camel_case, input_of
from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation, is_known

ENGINE = "aurora-mysql"


def instance_classes(region: str) -> frozenset[str]:
    """Return the instance classes of Aurora MySQL in a region; none for an unknown region."""
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
def instance_classes_are_available(stack: Stack) -> Iterator[Violation]:
    """Aurora MySQL offers every instance's class in its region."""
    for r in stack.of_type("rds/clusterInstance:ClusterInstance"):
        offered, wanted = instance_classes(r.region), r.get("instanceClass")
        if isinstance(wanted, str) and wanted not in offered:
            yield violation(r, "instanceClass", f"{r.region} does not offer {wanted}. Choose another class or region.")


@rule("DescribeDBEngineVersions, as cfn-lint reads it from AWS's API")
def engine_versions_exist(stack: Stack) -> Iterator[Violation]:
    """AWS offers every cluster's engine version."""
    for r in (*stack.of_type("rds/globalCluster:GlobalCluster"), *stack.of_type("rds/cluster:Cluster")):
        version = r.get("engineVersion")
        if isinstance(version, str) and version not in engine_versions():
            yield violation(r, "engineVersion", f"AWS does not offer {version}. Choose another version.")


@rule("Regions and Zones, as cfn-lint lists them")
def availability_zones_match_region(stack: Stack) -> Iterator[Violation]:
    """Every Availability Zone belongs to its resource's region."""
    for r in stack.aws_resources:
        zone = r.get("availabilityZone")
        looks_real = isinstance(zone, str) and re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", zone)
        if looks_real and zone not in zones(r.region):
            yield violation(r, "availabilityZone", f"{r.region} has no zone {zone}. Choose a zone of the region.")


@rule("AWS's resource schemas: enum, pattern, minimum, maximum, minLength, maxLength")
def inputs_match_aws_schemas(stack: Stack) -> Iterator[Violation]:
    """Every scalar input matches the CloudFormation schema of its type."""
    for r in stack.aws_resources:
        limits = _limits(r.type)
        for name, value in r.inputs.items():
            if name in limits and isinstance(value, str | int | float) and is_known(value):
                problem = _schema_problem(limits[name], value)
                if problem:
                    yield violation(r, name, f"{value!r} {problem}. Change the value.")


_LIMITS: dict[str, Mapping[str, Mapping[str, Any]]] = {}


def _limits(pulumi_type: str) -> Mapping[str, Mapping[str, Any]]:
    """Map each scalar input of a type to its limits in the CloudFormation schema."""
    if pulumi_type not in _LIMITS:
        cloudformation_type = CLOUDFORMATION_TYPES.get(pulumi_type)
        properties = schema(cloudformation_type)["properties"] if cloudformation_type else {}
        all_limits = {input_of(pulumi_type, name) or camel_case(name): limits for name, limits in properties.items()}
        _LIMITS[pulumi_type] = {name: limits for name, limits in all_limits.items() if limits.get("type") in _PLAIN}
    return _LIMITS[pulumi_type]


_PLAIN = ("string", "integer", "number")


def _schema_problem(limits: Mapping[str, Any], value: str | int | float) -> str | None:
    if isinstance(value, bool):
        return None
    if "enum" in limits and value not in limits["enum"]:
        return f"is not one of {', '.join(map(str, limits['enum']))}"
    if isinstance(value, str) and limits["type"] == "string":
        if not limits.get("minLength", 0) <= len(value) <= limits.get("maxLength", len(value)):
            return f"has {len(value)} characters"
        if "pattern" in limits and not re.search(limits["pattern"], value):
            return f"does not match {limits['pattern']}"
    if not isinstance(value, str) and not limits.get("minimum", value) <= value <= limits.get("maximum", value):
        return f"is not from {limits.get('minimum')} to {limits.get('maximum')}"
    return None


def _allowed(described: Mapping[str, Any], name: str) -> set[str]:
    """Return the values that cfn-lint's conditions allow for Aurora MySQL."""
    found: set[str] = set()
    for each in described.get("allOf", ()):
        if each["if"]["properties"].get("Engine", {}).get("const") == ENGINE and isinstance(each["then"], Mapping):
            found |= set(each["then"]["properties"].get(name, {}).get("enum", ()))
    return found
