"""What Route 53 asks of zones, records and health checks, so that the writer's name follows the role in an outage."""

import re
from collections import defaultdict
from collections.abc import Iterator

from policy.rules.rule import broken, rule
from policy.rules.stack_model import UNKNOWN, Finding, Resource, Stack, as_list

CHECK, RECORD, ZONE = "route53/healthCheck:HealthCheck", "route53/record:Record", "route53/zone:Zone"
ALARM = "cloudwatch/metricAlarm:MetricAlarm"
VALUES = "Values that you specify when you create or update health checks, Route 53 Developer Guide"
FOLLOWABLE = ("Average", "Minimum", "Maximum", "Sum", "SampleCount")
LONGEST_TTL_SECONDS = 60
POLICIES = (
    "failoverRoutingPolicies",
    "latencyRoutingPolicies",
    "weightedRoutingPolicies",
    "geolocationRoutingPolicies",
)


@rule(VALUES)
def followed_alarms_are_such_as_route_53_can_follow(stack: Stack) -> Iterator[Finding]:
    """An alarm under a health check has a standard-resolution metric, a plain statistic, no metric math and no M out of N."""
    for check in stack.of(CHECK):
        for alarm in _followed(stack, check):
            if alarm.get("metricQueries"):
                yield broken(alarm, "metricQueries", "metric math")
            if alarm.get("statistic") not in FOLLOWABLE:
                yield broken(alarm, "statistic", f"{alarm.get('statistic') or alarm.get('extendedStatistic')!r}")
            period = alarm.get("period")
            if not isinstance(period, int) or period < 60 or period % 60:
                yield broken(alarm, "period", f"{period} s isn't standard resolution")
            if alarm.get("datapointsToAlarm") not in (None, alarm.get("evaluationPeriods")):
                yield broken(alarm, "datapointsToAlarm", "M out of N")


@rule(VALUES)
def checks_follow_an_alarm_of_the_region_that_they_name(stack: Stack) -> Iterator[Finding]:
    """A check on a metric names an alarm of this stack, and the region where it stands."""
    for check in stack.of(CHECK):
        if check.get("type") != "CLOUDWATCH_METRIC":
            continue
        alarms = _followed(stack, check)
        if not alarms or {alarm.region for alarm in alarms} != {check.get("cloudwatchAlarmRegion")}:
            yield broken(check, "cloudwatchAlarmRegion", f"no such alarm in {check.get('cloudwatchAlarmRegion')}")


@rule(VALUES)
def checks_say_what_missing_data_means(stack: Stack) -> Iterator[Finding]:
    """Every check on a metric says what it makes of missing data; no check is disabled or inverted."""
    for check in stack.of(CHECK):
        if check.get("type") == "CLOUDWATCH_METRIC" and check.get("insufficientDataHealthStatus") not in (
            *("Healthy", "Unhealthy", "LastKnownStatus"),
        ):
            yield broken(check, "insufficientDataHealthStatus", f"{check.get('insufficientDataHealthStatus')!r}")
        for name in ("disabled", "invertHealthcheck"):
            if check.get(name):
                yield broken(check, name, "disabled counts as healthy, and an inverted check begins unhealthy")


@rule("How Route 53 determines the status of health checks: private endpoints, Route 53 Developer Guide")
def no_check_needs_a_way_to_the_database(stack: Stack) -> Iterator[Finding]:
    """Checks are on metrics or on other checks: Route 53's checkers don't reach a private address."""
    for check in stack.of(CHECK):
        if check.get("type") not in ("CLOUDWATCH_METRIC", "CALCULATED"):
            yield broken(check, "type", f"{check.get('type')}")


@rule("You can't configure a calculated health check to monitor calculated health checks, Route 53 Developer Guide")
def calculated_checks_are_flat(stack: Stack) -> Iterator[Finding]:
    """A calculated check counts other checks, at most 256, none of them calculated, and not more than there are."""
    for check in stack.of(CHECK):
        if check.get("type") != "CALCULATED":
            continue
        children = stack.behind(check, "childHealthchecks", CHECK)
        for child in children:
            if child.get("type") == "CALCULATED":
                yield broken(check, "childHealthchecks", f"{child.name} is calculated too")
        count, needed = len(as_list(check.get("childHealthchecks"))), check.get("childHealthThreshold")
        if not 1 <= count <= 256 or not isinstance(needed, int) or not 1 <= needed <= count:
            yield broken(check, "childHealthThreshold", f"{needed} of {count}")


@rule(
    "Route 53 copies an alarm's settings when the check is written, CloudWatchAlarmConfiguration, Route 53 API",
    level="advisory",
)
def checks_are_written_anew_with_their_alarm(stack: Stack) -> Iterator[Finding]:
    """A check on a metric carries what it was told of its alarm, so that a change of the alarm rewrites the check."""
    for check in stack.of(CHECK):
        if check.get("type") == "CLOUDWATCH_METRIC" and not check.says("triggers"):
            yield broken(check, "triggers", "a change of the alarm wouldn't reach it")


@rule("Active-passive failover: values specific for failover records, Route 53 Developer Guide")
def failover_records_come_in_pairs(stack: Stack) -> Iterator[Finding]:
    """A failover name has a primary record with a check and a secondary without: two bad checks would lead to the primary."""
    pairs: dict[tuple[object, object], list[Resource]] = defaultdict(list)
    for r in stack.of(RECORD):
        if r.says("failoverRoutingPolicies"):
            pairs[r.get("name"), r.get("type")].append(r)
    for records in pairs.values():
        roles = {r.get("failoverRoutingPolicies")[0]["type"]: r for r in records}
        if len(records) != 2 or set(roles) != {"PRIMARY", "SECONDARY"}:
            yield broken(records[0], "failoverRoutingPolicies", f"{', '.join(sorted(roles))}")
            continue
        if not roles["PRIMARY"].says("healthCheckId"):
            yield broken(roles["PRIMARY"], "healthCheckId", "none: it would always be answered with")
        if roles["SECONDARY"].says("healthCheckId"):
            yield broken(roles["SECONDARY"], "healthCheckId", "a check of its own")


@rule("Best practices for Route 53 health checks and DNS failover: TTL of 60 seconds or less, Route 53 Developer Guide")
def names_that_move_are_not_remembered_for_long(stack: Stack) -> Iterator[Finding]:
    """Records with a health check, and their alternatives, live 60 seconds or less."""
    for r in stack.of(RECORD):
        ttl = r.get("ttl")
        if any(r.says(policy) for policy in POLICIES) and (not isinstance(ttl, int) or ttl > LONGEST_TTL_SECONDS):
            yield broken(r, "ttl", f"{ttl} s")


@rule("Values that are common for all routing policies: record ID, Route 53 Developer Guide")
def alternatives_have_an_id_each(stack: Stack) -> Iterator[Finding]:
    """Records that share a name have one routing policy each, all the same kind, and an id of their own."""
    names: dict[tuple[object, object], list[Resource]] = defaultdict(list)
    for r in stack.of(RECORD):
        names[r.get("name"), r.get("type")].append(r)
    for records in names.values():
        kinds = {tuple(policy for policy in POLICIES if r.says(policy)) for r in records}
        ids = [r.get("setIdentifier") for r in records]
        if len(kinds) > 1 or any(len(kind) > 1 for kind in kinds):
            yield broken(records[0], "name", "mixed routing policies")
        needs_ids = kinds != {()} or len(records) > 1
        if needs_ids and (None in ids or len(set(ids)) < len(ids)):
            yield broken(records[0], "setIdentifier", f"{ids}")


@rule("Supported DNS record types; DNS domain name format, Route 53 Developer Guide")
def records_are_in_their_zone(stack: Stack) -> Iterator[Finding]:
    """A record's name ends in its zone's; a CNAME isn't the zone's own name and leads to one place."""
    for r in stack.of(RECORD):
        for zone in stack.behind(r, "zoneId", ZONE):
            apex, name = zone.get("name"), r.get("name")
            if isinstance(name, str) and isinstance(apex, str) and not name.endswith(f".{apex}"):
                yield broken(r, "name", f"{name} isn't below {apex}")
        if r.get("type") == "CNAME" and r.get("records") is not UNKNOWN and len(as_list(r.get("records"))) != 1:
            yield broken(r, "records", "a CNAME has one")


@rule("CreateHostedZone: reserved domains; Working with private hosted zones, Route 53 Developer Guide")
def zones_are_private_and_free_to_use(stack: Stack) -> Iterator[Finding]:
    """A zone is attached to a network when it is made, which makes it private, and its name is nobody's."""
    for zone in stack.of(ZONE):
        if not zone.says("vpcs"):
            yield broken(zone, "vpcs", "a public zone")
        name = str(zone.get("name"))
        if re.fullmatch(r"(.+\.)?example\.(com|net|org)\.?", name) or not re.fullmatch(r"[a-z0-9.-]{1,255}", name):
            yield broken(zone, "name", f"{name} is reserved, or no name")


def _followed(stack: Stack, check: Resource) -> list[Resource]:
    """Return the alarms that a check follows: by what its input comes from, or by name."""
    if not check.says("cloudwatchAlarmName"):
        return []
    behind = stack.behind(check, "cloudwatchAlarmName", ALARM)
    return behind or [
        a
        for a in stack.of(ALARM, check.get("cloudwatchAlarmRegion"))
        if a.get("name") == check.get("cloudwatchAlarmName")
    ]
