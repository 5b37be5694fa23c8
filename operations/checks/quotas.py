"""Checks that the stack fits into the quotas of both regions.

A quota that cannot be read is unknown. The resources of a deployed stack are not counted twice.

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
"""The region of the quotas of IAM and Route 53."""
UNRESERVED_AT_LEAST = 100
"""Concurrency that must stay unreserved. Source: Configuring reserved concurrency for a function."""
RAISE = "Request an increase in the Service Quotas console of that region, or remove unused resources."


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A quota of a region, and the call that lists the resources that it counts."""

    name: str
    service: str
    code: str
    listed_by: tuple[str, str, str]
    """(service, operation, items)."""
    needed: Callable[[RegionSettings], int]


QUOTAS = (
    Quota(
        name="VPCs",
        service="vpc",
        code="L-F678F1CE",
        listed_by=("ec2", "describe_vpcs", "Vpcs"),
        needed=lambda region: 0 if region.existing_vpc else 1,
    ),
    Quota(
        name="DB clusters",
        service="rds",
        code="L-952B80B8",
        listed_by=("rds", "describe_db_clusters", "DBClusters"),
        needed=lambda _: 1,
    ),
    Quota(
        name="DB instances",
        service="rds",
        code="L-7B6409FD",
        listed_by=("rds", "describe_db_instances", "DBInstances"),
        needed=lambda region: region.instance_count,
    ),
    Quota(
        name="DB cluster parameter groups",
        service="rds",
        code="L-E4C808A8",
        listed_by=("rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups"),
        needed=lambda _: 1,
    ),
    Quota(
        name="DB parameter groups",
        service="rds",
        code="L-DE55804A",
        listed_by=("rds", "describe_db_parameter_groups", "DBParameterGroups"),
        needed=lambda _: 1,
    ),
    Quota(
        name="DB subnet groups",
        service="rds",
        code="L-48C6BF61",
        listed_by=("rds", "describe_db_subnet_groups", "DBSubnetGroups"),
        needed=lambda _: 1,
    ),
)


def quota_checks(settings: Settings, read_api_for: ReadApiFactory, *, is_up: bool) -> list[Check]:
    """Return the quota checks of both regions and the account. A deployed stack needs no additional quota."""
    checks = []
    for region in (settings.primary, settings.secondary):
        api = read_api_for(region.region)
        for quota in QUOTAS:
            needed = 0 if is_up else quota.needed(region)
            run = partial(_read_quota, quota, api, region.region, needed)
            checks.append(Check(names=(f"quota: {quota.name}",), where=region.region, run=run))
        reserved = 0 if is_up else settings.failover.concurrency_reserved_in_a_region
        run = partial(_read_concurrency, api, region.region, reserved)
        checks.append(Check(names=("quota: Lambda concurrency",), where=region.region, run=run))
    api = read_api_for(GLOBAL_REGION)
    names = names_of(settings)
    roles = sum(
        len(names.roles(is_primary=region is settings.primary, has_flow_logs=settings.has_flow_logs(region)))
        for region in (settings.primary, settings.secondary)
        if not is_up
    )
    checks.append(Check(names=("quota: IAM roles",), where="global", run=partial(_read_roles, api, roles)))
    for name, kind, needed in ROUTE_53_LIMITS:
        run = partial(_read_route53, api, name, kind, 0 if is_up else needed)
        checks.append(Check(names=(f"quota: {name}",), where="global", run=run))
    return checks


ROUTE_53_LIMITS = (
    ("hosted zones", "MAX_HOSTED_ZONES_BY_OWNER", 1),
    ("health checks", "MAX_HEALTH_CHECKS_BY_OWNER", 6),
)
"""Name, limit type, and number that the program creates. Source: GetAccountLimit, Route 53 API reference."""


def check_quota(name: str, where: str, *, limit: float, used: float, needed: int) -> CheckResult:
    """Check that the needed number fits."""
    text = f"{used:g} of {limit:g} used, {needed} needed"
    problems = [text] if used + needed > limit else []
    return check_result(f"quota: {name}", where, problems=problems, evidence=text, hint=RAISE)


def _read_quota(quota: Quota, api: ReadOnlyApi, where: str, needed: int) -> list[CheckResult]:
    used = len(api.read_all(*quota.listed_by))
    return [check_quota(quota.name, where, limit=_limit(quota, api), used=used, needed=needed)]


def _limit(quota: Quota, api: ReadOnlyApi) -> float:
    """Return the account's quota, or AWS's default if the account has none."""
    query = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = api.read("service-quotas", "get_service_quota", **query)
    except NotThereError:
        answer = api.read("service-quotas", "get_aws_default_service_quota", **query)
    return float(answer["Quota"]["Value"])


def _read_concurrency(api: ReadOnlyApi, where: str, needed: int) -> list[CheckResult]:
    limit = api.read("lambda", "get_account_settings")["AccountLimit"]
    return [check_concurrency(where, limit, needed=needed)]


def check_concurrency(where: str, limit: Answer, *, needed: int) -> CheckResult:
    """Check that the reservations leave the unreserved concurrency that Lambda requires."""
    total, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    wanted = f"{needed} to be reserved, {UNRESERVED_AT_LEAST} must stay unreserved" if needed else "none to be reserved"
    text = f"{unreserved} of {total} unreserved, {wanted}"
    problems = [text] if needed and unreserved - needed < UNRESERVED_AT_LEAST else []
    hint = (
        f"New accounts have a limit of 10: request Lambda's `Concurrent executions` of {UNRESERVED_AT_LEAST + needed} or more "
        "(L-B99A9384), which takes hours. Until then, set `failover.reserved_concurrency` to null in "
        "Pulumi.<stack>.yaml: the controllers and health_checks then share the account's concurrency with all other functions."
    )
    return check_result("quota: Lambda concurrency", where, problems=problems, evidence=text, hint=hint)


def _read_roles(api: ReadOnlyApi, needed: int) -> list[CheckResult]:
    summary: Mapping[str, int] = api.read("iam", "get_account_summary")["SummaryMap"]
    return [check_quota("IAM roles", "global", limit=summary["RolesQuota"], used=summary["Roles"], needed=needed)]


def _read_route53(api: ReadOnlyApi, name: str, kind: str, needed: int) -> list[CheckResult]:
    answer = api.read("route53", "get_account_limit", Type=kind)
    return [check_quota(name, "global", limit=answer["Limit"]["Value"], used=answer["Count"], needed=needed)]
