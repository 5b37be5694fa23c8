"""Does the stack still fit: quotas of both regions against what is there and what the program adds?

Owns which quotas count, what the program needs of each, and Lambda's rule on reserved concurrency. Invariant: a quota that
can't be read is unknown; what this stack has already is not counted twice.

Source: Amazon Aurora endpoints and quotas; Amazon VPC quotas; Understanding Lambda function scaling.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from operations.aws.read_ports import Answer, ReadApiFactory, ReadOnlyApi
from operations.checks.finding import Check, CheckResult, check_result
from operations.stack.settings import names_of
from operations.support.errors import NotThereError
from settings import RegionSettings, Settings

GLOBAL_REGION = "us-east-1"
"""Where IAM and Route 53 have their quotas."""
UNRESERVED_AT_LEAST = 100
"""Source: Configuring reserved concurrency for a function: 100 always stay for functions without a reservation."""
RAISE = "Ask for more in the Service Quotas console of that region, or remove what is not needed any more."


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One quota of a region; what is there is counted by a question."""

    name: str
    service: str
    code: str
    question: tuple[str, str, str]
    """(service, operation, items) that lists what counts."""
    needed: Callable[[RegionSettings], int]


QUOTAS = (
    Quota(
        name="VPCs",
        service="vpc",
        code="L-F678F1CE",
        question=("ec2", "describe_vpcs", "Vpcs"),
        needed=lambda region: 0 if region.existing_vpc else 1,
    ),
    Quota(
        name="DB clusters",
        service="rds",
        code="L-952B80B8",
        question=("rds", "describe_db_clusters", "DBClusters"),
        needed=lambda _: 1,
    ),
    Quota(
        name="DB instances",
        service="rds",
        code="L-7B6409FD",
        question=("rds", "describe_db_instances", "DBInstances"),
        needed=lambda region: region.instance_count,
    ),
    Quota(
        name="DB cluster parameter groups",
        service="rds",
        code="L-E4C808A8",
        question=("rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups"),
        needed=lambda _: 1,
    ),
    Quota(
        name="DB parameter groups",
        service="rds",
        code="L-DE55804A",
        question=("rds", "describe_db_parameter_groups", "DBParameterGroups"),
        needed=lambda _: 1,
    ),
    Quota(
        name="DB subnet groups",
        service="rds",
        code="L-48C6BF61",
        question=("rds", "describe_db_subnet_groups", "DBSubnetGroups"),
        needed=lambda _: 1,
    ),
)


def quota_checks(settings: Settings, read_api_for: ReadApiFactory, *, is_up: bool) -> list[Check]:
    """Return the looks at the quotas of both regions, and of the account; a stack that is up needs nothing more."""
    checks = []
    for region in (settings.primary, settings.secondary):
        ask = read_api_for(region.region)
        for quota in QUOTAS:
            needed = 0 if is_up else quota.needed(region)
            look = partial(_look_at_quota, quota, ask, region.region, needed)
            checks.append(Check(names=(f"quota: {quota.name}",), where=region.region, run=look))
        reserved = 0 if is_up else settings.failover.concurrency_reserved_in_a_region
        look = partial(_look_at_concurrency, ask, region.region, reserved)
        checks.append(Check(names=("quota: Lambda concurrency",), where=region.region, run=look))
    ask = read_api_for(GLOBAL_REGION)
    names = names_of(settings)
    roles = 0 if is_up else len(names.roles(is_primary=True)) + len(names.roles(is_primary=False))
    checks.append(Check(names=("quota: IAM roles",), where="global", run=partial(_look_at_roles, ask, roles)))
    for name, kind, needed in ROUTE_53_LIMITS:
        look = partial(_look_at_route53, ask, name, kind, 0 if is_up else needed)
        checks.append(Check(names=(f"quota: {name}",), where="global", run=look))
    return checks


ROUTE_53_LIMITS = (
    ("hosted zones", "MAX_HOSTED_ZONES_BY_OWNER", 1),
    ("health checks", "MAX_HEALTH_CHECKS_BY_OWNER", 6),
)
"""Name, type of Route 53's limit, and how many the program makes. Source: GetAccountLimit, Route 53 API reference."""


def check_quota(name: str, where: str, *, limit: float, used: float, needed: int) -> CheckResult:
    """Return whether what is needed still fits."""
    text = f"{used:g} of {limit:g} used, {needed} needed"
    problems = [text] if used + needed > limit else []
    return check_result(f"quota: {name}", where, problems=problems, evidence=text, hint=RAISE)


def _look_at_quota(quota: Quota, ask: ReadOnlyApi, where: str, needed: int) -> list[CheckResult]:
    used = len(ask.read_all(*quota.question))
    return [check_quota(quota.name, where, limit=_limit(quota, ask), used=used, needed=needed)]


def _limit(quota: Quota, ask: ReadOnlyApi) -> float:
    """Return the quota in force: the account's, or AWS's default where the account has none of its own."""
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = ask.read("service-quotas", "get_service_quota", **asked)
    except NotThereError:
        answer = ask.read("service-quotas", "get_aws_default_service_quota", **asked)
    return float(answer["Quota"]["Value"])


def _look_at_concurrency(ask: ReadOnlyApi, where: str, needed: int) -> list[CheckResult]:
    limit = ask.read("lambda", "get_account_settings")["AccountLimit"]
    return [check_concurrency(where, limit, needed=needed)]


def check_concurrency(where: str, limit: Answer, *, needed: int) -> CheckResult:
    """Return whether the functions' reservations leave what Lambda insists on."""
    total, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    wanted = f"{needed} to be reserved, {UNRESERVED_AT_LEAST} must stay" if needed else "nothing to be reserved"
    text = f"{unreserved} of {total} unreserved, {wanted}"
    problems = [text] if needed and unreserved - needed < UNRESERVED_AT_LEAST else []
    hint = (
        f"New accounts have a limit of 10: ask for Lambda's `Concurrent executions` of {UNRESERVED_AT_LEAST + needed} or more "
        "(L-B99A9384); it takes hours, not minutes. Until then set `failover.reserved_concurrency` to null in "
        "Pulumi.<stack>.yaml: the controllers and health_checks then share the account's places with all other functions."
    )
    return check_result("quota: Lambda concurrency", where, problems=problems, evidence=text, hint=hint)


def _look_at_roles(ask: ReadOnlyApi, needed: int) -> list[CheckResult]:
    summary: Mapping[str, int] = ask.read("iam", "get_account_summary")["SummaryMap"]
    return [check_quota("IAM roles", "global", limit=summary["RolesQuota"], used=summary["Roles"], needed=needed)]


def _look_at_route53(ask: ReadOnlyApi, name: str, kind: str, needed: int) -> list[CheckResult]:
    answer = ask.read("route53", "get_account_limit", Type=kind)
    return [check_quota(name, "global", limit=answer["Limit"]["Value"], used=answer["Count"], needed=needed)]
