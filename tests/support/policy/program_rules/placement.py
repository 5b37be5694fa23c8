"""Rules on providers, regions, names and tags that only a change of the program can break."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack, Violation
from tests.support.policy.graph import strings_in

GLOBAL = ("aws:iam/", "aws:route53/", "aws:rds/globalCluster:")


@dataclass(frozen=True, kw_only=True)
class NameConstraint:
    """The input that holds a type's name, and its limits."""

    property: str
    max_length: int
    pattern: str
    source: str


RDS_NAME = r"[a-z](-?[a-z0-9])*"
NAMES: Mapping[str, NameConstraint] = {
    kind: NameConstraint(property=name, max_length=max_length, pattern=pattern, source=source)
    for kind, name, max_length, pattern, source in (
        ("cloudwatch/dashboard:Dashboard", "dashboardName", 255, r"[\w-]+", "PutDashboard, CloudWatch API"),
        ("cloudwatch/eventRule:EventRule", "name", 64, r"[.\-\w]+", "PutRule, EventBridge API"),
        ("cloudwatch/eventTarget:EventTarget", "targetId", 64, r"[.\-\w]+", "Target, EventBridge API"),
        ("cloudwatch/logGroup:LogGroup", "name", 512, r"[.\-_/#A-Za-z0-9]+", "CreateLogGroup, Logs API"),
        ("cloudwatch/metricAlarm:MetricAlarm", "name", 255, r"[^\x00-\x1f]+", "PutMetricAlarm, CloudWatch API"),
        ("dynamodb/table:Table", "name", 255, r"[\w.-]{3,}", "Naming rules, DynamoDB developer guide"),
        (
            "ec2/securityGroup:SecurityGroup",
            "name",
            255,
            r"(?!sg-)[\w .\-:/()#,@\[\]+=&;{}!$*]+",
            "CreateSecurityGroup",
        ),
        ("iam/role:Role", "name", 64, r"[\w+=,.@-]+", "CreateRole, IAM API"),
        ("iam/rolePolicy:RolePolicy", "name", 128, r"[\w+=,.@-]+", "PutRolePolicy, IAM API"),
        ("kms/alias:Alias", "name", 256, r"alias/(?!aws/)[\w/-]+", "CreateAlias, KMS API"),
        ("lambda/function:Function", "name", 64, r"[\w-]+", "CreateFunction, Lambda API"),
        ("lambda/permission:Permission", "statementId", 100, r"[\w-]+", "AddPermission, Lambda API"),
        ("rds/cluster:Cluster", "clusterIdentifier", 63, RDS_NAME, "Quotas and naming constraints, Aurora"),
        ("rds/clusterInstance:ClusterInstance", "identifier", 63, RDS_NAME, "Quotas and naming constraints, Aurora"),
        ("rds/clusterParameterGroup:ClusterParameterGroup", "name", 255, RDS_NAME, "CreateDBClusterParameterGroup"),
        ("rds/globalCluster:GlobalCluster", "globalClusterIdentifier", 63, RDS_NAME, "Quotas and naming, Aurora"),
        ("rds/parameterGroup:ParameterGroup", "name", 255, RDS_NAME, "CreateDBParameterGroup, RDS API"),
        ("rds/subnetGroup:SubnetGroup", "name", 255, r"(?!default$)[a-z0-9._ -]+", "CreateDBSubnetGroup, RDS API"),
        ("scheduler/schedule:Schedule", "name", 64, r"[.\-\w]+", "CreateSchedule, EventBridge Scheduler API"),
        ("secretsmanager/secret:Secret", "name", 512, r"[\w/+=.@-]+", "CreateSecret, Secrets Manager API"),
        ("sns/topic:Topic", "name", 256, r"[\w-]+", "CreateTopic, SNS API"),
    )
}

MAY_CROSS_REGIONS: Mapping[str, str] = {
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions vpcPeeringConnectionId": "the peering has two sides",
    "aws:ec2/route:Route vpcPeeringConnectionId": "the peering has two sides",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection peerVpcId": "the other side of the peering",
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter vpcPeeringConnectionId": "the other side",
    "aws:lambda/function:Function environment": "the controller knows both members",
    "aws:secretsmanager/secret:Secret replicas": "a replica is encrypted by its own region's key",
}
"""Inputs that may reference another region, and why."""
NAMED_BY_AWS = ("cloudwatch/logGroup:LogGroup",)
"""Types whose names AWS defines from another resource's name."""


@rule("Multi-region support: the `region` argument, Pulumi AWS provider 7")
def resource_regions_match_providers(stack: Stack) -> Iterator[Violation]:
    """No resource sets a region other than its provider's region."""
    for r in stack.aws_resources:
        if r.get("region") not in (None, UNKNOWN, r.region) and not r.type.startswith(GLOBAL):
            yield violation(r, "region", f"{r.get('region')} differs from the provider's region {r.region}")


@rule("Regions and Zones, AWS General Reference: a regional resource can use only what is in its region")
def inputs_come_from_same_region(stack: Stack) -> Iterator[Violation]:
    """A resource references only resources in its own region, except through the inputs in MAY_CROSS_REGIONS."""
    by_urn = {r.urn: r for r in stack.aws_resources}
    for r in stack.aws_resources:
        if r.type.startswith(GLOBAL):
            continue
        for name, urns in r.property_dependencies.items():
            if f"{r.type} {name}" in MAY_CROSS_REGIONS:
                continue
            for source in (by_urn[urn] for urn in urns if urn in by_urn):
                if source.region != r.region and not source.type.startswith(GLOBAL):
                    yield violation(r, name, f"comes from {source} in {source.region}")


@rule("Outputs and strings, Pulumi documentation: an output in an f-string becomes an error text")
def outputs_are_not_stringified(stack: Stack) -> Iterator[Violation]:
    """No input holds the error text that Pulumi returns for an output in an f-string."""
    for r in stack.resources:
        for name, value in r.inputs.items():
            if any("Calling __str__ on an Output" in text for text in strings_in(value)):
                yield violation(r, name, "an Output was formatted as a string; use Output.concat or Output.json_dumps")


@rule("The decision that two stacks share an account, components/region.py")
def names_end_with_environment(stack: Stack) -> Iterator[Violation]:
    """Every name ends with the environment, so two stacks can share an account."""
    for r, name in named_resources(stack):
        kind = r.type.removeprefix("aws:")
        if kind not in NAMED_BY_AWS and not name.endswith(f"-{stack.environment}"):
            yield violation(r, NAMES[kind].property, f"{name!r} does not end with -{stack.environment}")


@rule("Tagging best practices, AWS whitepaper: the Name tag is what the console shows", level="advisory")
def tagged_resources_have_names(stack: Stack) -> Iterator[Violation]:
    """Every resource with its own tags has a Name tag."""
    for r in stack.aws_resources:
        tags = r.get("tags")
        if isinstance(tags, Mapping) and "Name" not in tags:
            yield violation(r, "tags", "no Name tag")


@rule("Component resources, Pulumi documentation", level="advisory")
def resources_have_component_parents(stack: Stack) -> Iterator[Violation]:
    """Every AWS resource is a child of a component."""
    components = {r.urn for r in stack.resources if r.type.startswith("aurora:")}
    for r in stack.aws_resources:
        if r.parent not in components:
            yield violation(r, "parent", "the parent is not a component")


@rule("The decision of two explicit providers, docs/decisions.md")
def resources_have_explicit_providers(stack: Stack) -> Iterator[Violation]:
    """Every AWS resource uses a provider of this stack, not the default provider of the machine."""
    for r in stack.aws_resources:
        if not r.provider or not r.region:
            yield violation(r, "provider", "The resource uses the default provider. Pass the provider of its region.")


@rule("The decision of two explicit providers, docs/decisions.md")
def provider_regions_are_distinct(stack: Stack) -> Iterator[Violation]:
    """Each provider has a region, and no two providers have the same region."""
    regions = Counter(str(p.get("region") or "") for p in stack.providers)
    for provider in stack.providers:
        region = str(provider.get("region") or "")
        if not region or regions[region] > 1:
            yield violation(
                provider, "region", f"Region {region!r} is missing or used twice. Choose two different regions."
            )


@rule("Naming constraints of each service (policy/rules/placement.py names the page of each)")
def names_match_service_constraints(stack: Stack) -> Iterator[Violation]:
    """Every name meets the length and character limits of its AWS service."""
    for r, name in named_resources(stack):
        limits = NAMES[r.type.removeprefix("aws:")]
        if len(name) > limits.max_length or not re.fullmatch(limits.pattern, name):
            problem = f"{name!r} is longer than {limits.max_length} characters or has an invalid character"
            yield violation(r, limits.property, f"{problem}. Shorten or change it ({limits.source}).")


@rule("Naming constraints of each service: names are unique")
def names_are_unique(stack: Stack) -> Iterator[Violation]:
    """No two resources of one type share a name in a region, or in the account for global services."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for r, name in named_resources(stack):
        if r.type in ("aws:iam/rolePolicy:RolePolicy", "aws:cloudwatch/eventTarget:EventTarget"):
            continue  # names within a role or rule
        key = (r.type, "" if r.type.startswith(GLOBAL) else r.region, name)
        seen[key] += 1
        if seen[key] > 1:
            yield violation(
                r, NAMES[r.type.removeprefix("aws:")].property, f"{name!r} is used twice. Choose another name."
            )


def named_resources(stack: Stack) -> Iterator[tuple[RegisteredResource, str]]:
    """Yield every resource with a known physical name, and this name."""
    for kind, constraint in NAMES.items():
        for r in stack.of_type(kind):
            name = r.get(constraint.property)
            if isinstance(name, str):
                yield r, name
