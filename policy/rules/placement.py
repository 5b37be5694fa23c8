"""Rules on providers, regions, names and tags."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.rules.rule import rule, violation
from policy.rules.stack_model import RegisteredResource, Stack, Violation, is_known, tags_of

COST_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy")
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


@rule("The decision of cost allocation tags on every resource, settings/model.py")
def cost_tags_are_set(stack: Stack) -> Iterator[Violation]:
    """Every provider adds the same cost allocation tags."""
    for provider in stack.providers:
        tags = tags_of(provider)
        if missing := [tag for tag in COST_TAGS if not tags.get(tag)]:
            yield violation(
                provider, "defaultTags", f"Missing tags: {', '.join(missing)}. Add them to the default tags."
            )
        elif dict(tags) != dict(stack.default_tags):
            yield violation(
                provider, "defaultTags", "The default tags differ between the providers. Use the same tags for both."
            )


@rule("Tag naming limits and requirements, Tagging AWS resources user guide")
def tags_match_aws_limits(stack: Stack) -> Iterator[Violation]:
    """A resource has at most 50 tags; keys and values have valid lengths and characters, and no key starts with `aws:`."""
    for r in (*stack.providers, *stack.aws_resources):
        own = tags_of(r) if r in stack.providers else r.get("tags") or {}
        if not isinstance(own, Mapping):
            continue
        if len({*own, *stack.default_tags}) > 50:
            yield violation(r, "tags", f"There are {len({*own, *stack.default_tags})} tags. Use at most 50.")
        for key, value in own.items():
            is_invalid = is_known(value) and re.fullmatch(r"[\w\s+\-=.:/@]{0,256}", str(value)) is None
            if is_invalid or not re.fullmatch(r"(?!aws:)[\w\s+\-=.:/@]{1,128}", key, re.IGNORECASE):
                yield violation(
                    r, f"tags.{key}", "AWS refuses this key or value. Use letters, digits, spaces and + - = . _ : / @."
                )


def named_resources(stack: Stack) -> Iterator[tuple[RegisteredResource, str]]:
    """Yield every resource with a known physical name, and this name."""
    for kind, constraint in NAMES.items():
        for r in stack.of_type(kind):
            name = r.get(constraint.property)
            if isinstance(name, str):
                yield r, name
