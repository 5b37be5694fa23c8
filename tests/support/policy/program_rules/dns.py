"""Rules on health checks and failover records that only a change of the program can break."""

import re
from collections import defaultdict
from collections.abc import Iterator

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack, Violation, as_list

RECORD, ZONE = "route53/record:Record", "route53/zone:Zone"
MAX_TTL_SECONDS = 60
POLICIES = (
    "failoverRoutingPolicies",
    "latencyRoutingPolicies",
    "weightedRoutingPolicies",
    "geolocationRoutingPolicies",
)

CHECK, ALARM = "route53/healthCheck:HealthCheck", "cloudwatch/metricAlarm:MetricAlarm"
VALUES = "Values that you specify when you create or update health checks, Route 53 Developer Guide"
SUPPORTED_STATISTICS = ("Average", "Minimum", "Maximum", "Sum", "SampleCount")


@rule(VALUES)
def health_check_alarms_are_supported(stack: Stack) -> Iterator[Violation]:
    """An alarm of a health check has a standard-resolution metric, a plain statistic, no metric math and no M out of N."""
    for check in stack.of_type(CHECK):
        for alarm in _followed_alarms(stack, check):
            if alarm.get("metricQueries"):
                yield violation(alarm, "metricQueries", "metric math")
            if alarm.get("statistic") not in SUPPORTED_STATISTICS:
                yield violation(alarm, "statistic", f"{alarm.get('statistic') or alarm.get('extendedStatistic')!r}")
            period = alarm.get("period")
            if not isinstance(period, int) or period < 60 or period % 60:
                yield violation(alarm, "period", f"{period} s is not standard resolution")
            if alarm.get("datapointsToAlarm") not in (None, alarm.get("evaluationPeriods")):
                yield violation(alarm, "datapointsToAlarm", "M out of N")


@rule(VALUES)
def health_check_alarms_exist(stack: Stack) -> Iterator[Violation]:
    """A metric health check names an alarm of this stack and the alarm's region."""
    for check in stack.of_type(CHECK):
        if check.get("type") != "CLOUDWATCH_METRIC":
            continue
        alarms = _followed_alarms(stack, check)
        if not alarms or {alarm.region for alarm in alarms} != {check.get("cloudwatchAlarmRegion")}:
            yield violation(check, "cloudwatchAlarmRegion", f"no such alarm in {check.get('cloudwatchAlarmRegion')}")


@rule(VALUES)
def health_checks_define_missing_data(stack: Stack) -> Iterator[Violation]:
    """Every metric health check defines its status for missing data, and none is disabled or inverted."""
    for check in stack.of_type(CHECK):
        if check.get("type") == "CLOUDWATCH_METRIC" and check.get("insufficientDataHealthStatus") not in (
            *("Healthy", "Unhealthy", "LastKnownStatus"),
        ):
            yield violation(check, "insufficientDataHealthStatus", f"{check.get('insufficientDataHealthStatus')!r}")
        for name in ("disabled", "invertHealthcheck"):
            if check.get(name):
                yield violation(
                    check, name, "a disabled check is always healthy, and an inverted check starts unhealthy"
                )


@rule("How Route 53 determines the status of health checks: private endpoints, Route 53 Developer Guide")
def health_checks_use_metrics(stack: Stack) -> Iterator[Violation]:
    """Health checks use metrics or other checks, because Route 53 cannot reach a private address."""
    for check in stack.of_type(CHECK):
        if check.get("type") not in ("CLOUDWATCH_METRIC", "CALCULATED"):
            yield violation(check, "type", f"{check.get('type')}")


@rule("You can't configure a calculated health check to monitor calculated health checks, Route 53 Developer Guide")
def calculated_health_checks_are_flat(stack: Stack) -> Iterator[Violation]:
    """A calculated health check has 1 to 256 children, none of them calculated, and a threshold within their number."""
    for check in stack.of_type(CHECK):
        if check.get("type") != "CALCULATED":
            continue
        children = stack.references(check, "childHealthchecks", CHECK)
        for child in children:
            if child.get("type") == "CALCULATED":
                yield violation(check, "childHealthchecks", f"{child.name} is calculated too")
        count, needed = len(as_list(check.get("childHealthchecks"))), check.get("childHealthThreshold")
        if not 1 <= count <= 256 or not isinstance(needed, int) or not 1 <= needed <= count:
            yield violation(check, "childHealthThreshold", f"{needed} of {count}")


@rule(
    "Route 53 copies the alarm's settings when the check is updated, CloudWatchAlarmConfiguration, Route 53 API",
    level="advisory",
)
def health_checks_track_alarm_changes(stack: Stack) -> Iterator[Violation]:
    """A metric health check has triggers that update it when its alarm changes."""
    for check in stack.of_type(CHECK):
        if check.get("type") == "CLOUDWATCH_METRIC" and not check.is_set("triggers"):
            yield violation(check, "triggers", "a change of the alarm does not update the check")


@rule("Active-passive failover: values specific for failover records, Route 53 Developer Guide")
def failover_records_are_paired(stack: Stack) -> Iterator[Violation]:
    """A failover name has a primary record with a health check and a secondary record without one."""
    pairs: dict[tuple[object, object], list[RegisteredResource]] = defaultdict(list)
    for r in stack.of_type(RECORD):
        if r.is_set("failoverRoutingPolicies"):
            pairs[r.get("name"), r.get("type")].append(r)
    for records in pairs.values():
        roles = {r.get("failoverRoutingPolicies")[0]["type"]: r for r in records}
        if len(records) != 2 or set(roles) != {"PRIMARY", "SECONDARY"}:
            yield violation(records[0], "failoverRoutingPolicies", f"{', '.join(sorted(roles))}")
            continue
        if not roles["PRIMARY"].is_set("healthCheckId"):
            yield violation(roles["PRIMARY"], "healthCheckId", "missing: Route 53 always answers with this record")
        if roles["SECONDARY"].is_set("healthCheckId"):
            yield violation(roles["SECONDARY"], "healthCheckId", "the secondary record has a health check")


@rule("Values that are common for all routing policies: record ID, Route 53 Developer Guide")
def record_identifiers_are_unique(stack: Stack) -> Iterator[Violation]:
    """Records that share a name have the same routing policy and unique identifiers."""
    names: dict[tuple[object, object], list[RegisteredResource]] = defaultdict(list)
    for r in stack.of_type(RECORD):
        names[r.get("name"), r.get("type")].append(r)
    for records in names.values():
        kinds = {tuple(policy for policy in POLICIES if r.is_set(policy)) for r in records}
        ids = [r.get("setIdentifier") for r in records]
        if len(kinds) > 1 or any(len(kind) > 1 for kind in kinds):
            yield violation(records[0], "name", "mixed routing policies")
        needs_ids = kinds != {()} or len(records) > 1
        if needs_ids and (None in ids or len(set(ids)) < len(ids)):
            yield violation(records[0], "setIdentifier", f"{ids}")


def _followed_alarms(stack: Stack, check: RegisteredResource) -> list[RegisteredResource]:
    """Return the alarms of a health check, by reference or by name."""
    if not check.is_set("cloudwatchAlarmName"):
        return []
    referenced = stack.references(check, "cloudwatchAlarmName", ALARM)
    return referenced or [
        a
        for a in stack.of_type(ALARM, check.get("cloudwatchAlarmRegion"))
        if a.get("name") == check.get("cloudwatchAlarmName")
    ]


@rule("Best practices for Route 53 health checks and DNS failover: TTL of 60 seconds or less, Route 53 Developer Guide")
def failover_record_ttls_are_short(stack: Stack) -> Iterator[Violation]:
    """Records with a routing policy have a TTL of at most 60 seconds."""
    for r in stack.of_type(RECORD):
        ttl = r.get("ttl")
        if any(r.is_set(policy) for policy in POLICIES) and (not isinstance(ttl, int) or ttl > MAX_TTL_SECONDS):
            yield violation(r, "ttl", f"{ttl} s is too long. Use at most 60 s.")


@rule("Supported DNS record types; DNS domain name format, Route 53 Developer Guide")
def record_names_match_zone(stack: Stack) -> Iterator[Violation]:
    """A record's name is in its zone, and a CNAME has exactly one value."""
    for r in stack.of_type(RECORD):
        for zone in stack.references(r, "zoneId", ZONE):
            apex, name = zone.get("name"), r.get("name")
            if isinstance(name, str) and isinstance(apex, str) and not name.endswith(f".{apex}"):
                yield violation(r, "name", f"{name} is not in {apex}. Choose a name in the zone.")
        if r.get("type") == "CNAME" and r.get("records") is not UNKNOWN and len(as_list(r.get("records"))) != 1:
            yield violation(r, "records", "The CNAME does not have exactly one value. Set one.")


@rule("CreateHostedZone: reserved domains; Working with private hosted zones, Route 53 Developer Guide")
def hosted_zones_are_private(stack: Stack) -> Iterator[Violation]:
    """Every hosted zone belongs to a VPC and has a valid name that is not reserved."""
    for zone in stack.of_type(ZONE):
        if not zone.is_set("vpcs"):
            yield violation(zone, "vpcs", "The zone is public. Attach it to a VPC.")
        name = str(zone.get("name"))
        if re.fullmatch(r"(.+\.)?example\.(com|net|org)\.?", name) or not re.fullmatch(r"[a-z0-9.-]{1,255}", name):
            yield violation(zone, "name", f"{name} is reserved or invalid. Choose another name.")
