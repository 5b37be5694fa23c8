"""Where things are and what they are called: providers, regions, names, tags.

Owns: what holds for a resource of any type. Does not own: what a service asks of its own.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.rules.rule import broken, rule
from policy.rules.stack_model import UNKNOWN, Finding, Resource, Stack, is_known, tags_of, texts

COST_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy")
GLOBAL = ("aws:iam/", "aws:route53/", "aws:rds/globalCluster:")
MAY_CROSS_REGIONS: Mapping[str, str] = {
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions vpcPeeringConnectionId": "the peering has two sides",
    "aws:ec2/route:Route vpcPeeringConnectionId": "the peering has two sides",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection peerVpcId": "the other side of the peering",
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter vpcPeeringConnectionId": "the other side",
    "aws:lambda/function:Function environment": "the controller knows both members",
    "aws:secretsmanager/secret:Secret replicas": "a replica is encrypted by its own region's key",
}
"""Inputs that may name something in another region, and why."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """How a type names its things."""

    property: str
    longest: int
    pattern: str
    source: str


RDS_NAME = r"[a-z](-?[a-z0-9])*"
NAMES: Mapping[str, Named] = {
    kind: Named(property=name, longest=longest, pattern=pattern, source=source)
    for kind, name, longest, pattern, source in (
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
NAMED_BY_AWS = ("cloudwatch/logGroup:LogGroup",)
"""Whose names AWS gives; they hold another thing's name."""


@rule("The decision of two explicit providers, docs/decisions.md")
def every_resource_has_a_provider_of_its_region(stack: Stack) -> Iterator[Finding]:
    """Every resource has one of the stack's own providers; a default one would use whatever region the machine is set to."""
    for r in stack.cloud:
        if not r.provider or not r.region:
            yield broken(r, "provider", "no explicit provider")


@rule("The decision of two explicit providers, docs/decisions.md")
def each_provider_has_a_region_of_its_own(stack: Stack) -> Iterator[Finding]:
    """Each provider names a region, and no two the same."""
    regions = Counter(str(p.get("region") or "") for p in stack.providers)
    for provider in stack.providers:
        region = str(provider.get("region") or "")
        if not region or regions[region] > 1:
            yield broken(provider, "region", f"{region!r} isn't its own")


@rule("Multi-region support: the `region` argument, Pulumi AWS provider 7")
def no_resource_leaves_its_providers_region(stack: Stack) -> Iterator[Finding]:
    """No resource names a region other than its provider's."""
    for r in stack.cloud:
        if r.get("region") not in (None, UNKNOWN, r.region) and not r.type.startswith(GLOBAL):
            yield broken(r, "region", f"{r.get('region')}, with a provider of {r.region}")


@rule("Regions and Zones, AWS General Reference: a regional resource can use only what is in its region")
def inputs_come_from_the_same_region(stack: Stack) -> Iterator[Finding]:
    """What a resource uses is in its own region, but for the few inputs that may cross."""
    by_urn = {r.urn: r for r in stack.cloud}
    for r in stack.cloud:
        if r.type.startswith(GLOBAL):
            continue
        for name, urns in r.property_dependencies.items():
            if f"{r.type} {name}" in MAY_CROSS_REGIONS:
                continue
            for source in (by_urn[urn] for urn in urns if urn in by_urn):
                if source.region != r.region and not source.type.startswith(GLOBAL):
                    yield broken(r, name, f"comes from {source} in {source.region}")


@rule("Outputs and strings, Pulumi documentation: an output in an f-string becomes an error text")
def no_output_became_a_text(stack: Stack) -> Iterator[Finding]:
    """No input is the text that an output becomes in an f-string."""
    for r in stack.resources:
        for name, value in r.inputs.items():
            if any("Calling __str__ on an Output" in text for text in texts(value)):
                yield broken(r, name, "an output was made a text; use Output.concat or Output.json_dumps")


@rule("The names of two stacks in one account, components/region.py")
def names_end_in_the_environment(stack: Stack) -> Iterator[Finding]:
    """Every name that an account has once ends in the environment, so that two stacks live side by side."""
    for r, name in _named(stack):
        kind = r.type.removeprefix("aws:")
        if kind not in NAMED_BY_AWS and not name.endswith(f"-{stack.environment}"):
            yield broken(r, NAMES[kind].property, f"{name!r} doesn't end in -{stack.environment}")


@rule("Naming constraints of each service (policy/rules/placement.py names the page of each)")
def names_are_such_as_the_service_takes(stack: Stack) -> Iterator[Finding]:
    """Every name has a length and characters that its service takes."""
    for r, name in _named(stack):
        limits = NAMES[r.type.removeprefix("aws:")]
        if len(name) > limits.longest or not re.fullmatch(limits.pattern, name):
            wrong = f"{name!r} has {len(name)} characters of at most {limits.longest}, or one that won't do"
            yield broken(r, limits.property, f"{wrong} ({limits.source})")


@rule("Naming constraints of each service: a name is taken once")
def names_are_given_once(stack: Stack) -> Iterator[Finding]:
    """No two things of one type have one name in a region (in the account, where names are global)."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for r, name in _named(stack):
        if r.type in ("aws:iam/rolePolicy:RolePolicy", "aws:cloudwatch/eventTarget:EventTarget"):
            continue  # named within their role or rule
        key = (r.type, "" if r.type.startswith(GLOBAL) else r.region, name)
        seen[key] += 1
        if seen[key] > 1:
            yield broken(r, NAMES[r.type.removeprefix("aws:")].property, f"{name!r} is taken already")


@rule("Point 10 of the mission: cost tags on everything")
def providers_add_the_cost_tags(stack: Stack) -> Iterator[Finding]:
    """Every provider adds the tags by which costs are told apart, and all add the same."""
    for provider in stack.providers:
        tags = tags_of(provider)
        if missing := [tag for tag in COST_TAGS if not tags.get(tag)]:
            yield broken(provider, "defaultTags", f"no {', '.join(missing)}")
        elif dict(tags) != dict(stack.default_tags):
            yield broken(provider, "defaultTags", "not those of the other provider")


@rule("Tag naming limits and requirements, Tagging AWS resources user guide")
def tags_are_such_as_aws_takes(stack: Stack) -> Iterator[Finding]:
    """At most 50 tags, keys of 128 and values of 256 of the characters that all services take, none that begins with `aws:`."""
    for r in (*stack.providers, *stack.cloud):
        own = tags_of(r) if r in stack.providers else r.get("tags") or {}
        if not isinstance(own, Mapping):
            continue
        if len({*own, *stack.default_tags}) > 50:
            yield broken(r, "tags", f"{len({*own, *stack.default_tags})} tags")
        for key, value in own.items():
            taken = is_known(value) and re.fullmatch(r"[\w\s+\-=.:/@]{0,256}", str(value)) is None
            if taken or not re.fullmatch(r"(?!aws:)[\w\s+\-=.:/@]{1,128}", key, re.IGNORECASE):
                yield broken(r, f"tags.{key}", "a tag that AWS refuses")


@rule("Tagging best practices, AWS whitepaper: the Name tag is what the console shows", level="advisory")
def what_is_tagged_has_its_name(stack: Stack) -> Iterator[Finding]:
    """Every resource that has tags of its own has a Name among them."""
    for r in stack.cloud:
        tags = r.get("tags")
        if isinstance(tags, Mapping) and "Name" not in tags:
            yield broken(r, "tags", "no Name")


@rule("Components, STYLE: every resource is a component's child", level="advisory")
def every_resource_belongs_to_a_component(stack: Stack) -> Iterator[Finding]:
    """Nothing but providers and components hangs on the stack itself."""
    components = {r.urn for r in stack.resources if r.type.startswith("aurora:")}
    for r in stack.cloud:
        if r.parent not in components:
            yield broken(r, "parent", "no component's child")


def _named(stack: Stack) -> Iterator[tuple[Resource, str]]:
    for kind, named in NAMES.items():
        for r in stack.of(kind):
            name = r.get(named.property)
            if isinstance(name, str):
                yield r, name
