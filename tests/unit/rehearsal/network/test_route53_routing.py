"""Route 53's choice of records, health checks and answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.network.alarms import AlarmRule, AlarmState, MissingData, UnsupportedAlarm
from rehearsal.network.route53 import PrivateDns
from rehearsal.network.route53_routing import (
    MAX_CHILDREN,
    DnsRecord,
    HealthStatus,
    RefusedHealthCheck,
    Route53HealthCheck,
    UnsupportedRecord,
    choose,
    final_status,
    health_of_alarm,
    health_of_children,
    require_supported_alarm,
    require_supported_children,
)

HEALTHY, UNHEALTHY = HealthStatus.HEALTHY, HealthStatus.UNHEALTHY
EAST, WEST = "us-east-1", "eu-west-1"
EAST_WRITER = "payments-us-east-1-dev.cluster-c1.us-east-1.rds.amazonaws.com"
WEST_WRITER = "payments-eu-west-1-dev.cluster-c2.eu-west-1.rds.amazonaws.com"


def record(record_id: str, **more: Any) -> DnsRecord:
    """Return a CNAME of writer.payments.internal."""
    return DnsRecord(
        name="writer.payments.internal", type="CNAME", values=(record_id,), ttl_seconds=5, id=record_id, **more
    )


PRIMARY = record("primary", failover="PRIMARY", health_check_id="p")
SECONDARY = record("secondary", failover="SECONDARY", health_check_id="s")


@pytest.mark.parametrize(
    ("primary", "secondary", "expected"),
    [
        (HEALTHY, HEALTHY, "primary"),
        (HEALTHY, UNHEALTHY, "primary"),
        (UNHEALTHY, HEALTHY, "secondary"),
        (UNHEALTHY, UNHEALTHY, "primary"),
    ],
)
def test_failover_records_with_two_checks(primary: HealthStatus, secondary: HealthStatus, expected: str) -> None:
    """The secondary answers only if it is healthy and the primary is not."""
    choice = choose([SECONDARY, PRIMARY], {"p": primary, "s": secondary}, from_region=EAST)

    assert expected == choice.record.id


@pytest.mark.parametrize(("primary", "expected"), [(HEALTHY, "primary"), (UNHEALTHY, "secondary")])
def test_secondary_without_a_check_answers_for_an_unhealthy_primary(primary: HealthStatus, expected: str) -> None:
    """A record without a check counts as healthy."""
    unchecked = record("secondary", failover="SECONDARY")

    assert expected == choose([PRIMARY, unchecked], {"p": primary}, from_region=EAST).record.id


def test_primary_without_a_check_always_answers() -> None:
    """A record without a check counts as healthy."""
    unchecked = record("primary", failover="PRIMARY")

    assert choose([unchecked, SECONDARY], {"s": HEALTHY}, from_region=EAST).record is unchecked


@pytest.mark.parametrize(
    ("from_region", "east", "west", "expected"),
    [
        (EAST, HEALTHY, HEALTHY, "east"),
        (WEST, HEALTHY, HEALTHY, "west"),
        (EAST, UNHEALTHY, HEALTHY, "west"),
        (EAST, UNHEALTHY, UNHEALTHY, "east"),
    ],
)
def test_latency_records_prefer_the_region_of_the_client(
    from_region: str, east: HealthStatus, west: HealthStatus, expected: str
) -> None:
    """Another region answers only if the client's region is unhealthy; if all are, all count as healthy."""
    records = [
        record("west", latency_region=WEST, health_check_id="w"),
        record("east", latency_region=EAST, health_check_id="e"),
    ]

    assert expected == choose(records, {"e": east, "w": west}, from_region=from_region).record.id


def test_simple_record_answers_in_any_health() -> None:
    """Route 53 returns an unhealthy simple record."""
    only = record("only", health_check_id="p")

    assert choose([only], {"p": UNHEALTHY}, from_region=EAST).record is only


@pytest.mark.parametrize("records", [[PRIMARY], [PRIMARY, PRIMARY], [PRIMARY, record("simple")]])
def test_inconsistent_records_are_an_error(records: list[DnsRecord]) -> None:
    """Route 53 refuses a single primary, two primaries and mixed policies."""
    with pytest.raises(UnsupportedRecord, match=r"writer\.payments\.internal"):
        choose(records, {"p": HEALTHY}, from_region=EAST)


@pytest.mark.parametrize("key", ["Weight", "AliasTarget", "GeoLocation", "MultiValueAnswer"])
def test_unsupported_routing_policy_is_an_error(key: str) -> None:
    """A record with an unsupported policy is not treated as a simple record."""
    with pytest.raises(UnsupportedRecord, match=key):
        DnsRecord.from_description({"Name": "a.", "Type": "CNAME", "TTL": 5, "ResourceRecords": [], key: {}})


@pytest.mark.parametrize(
    ("state", "insufficient_data", "last_known", "expected"),
    [
        (AlarmState.OK, "Unhealthy", UNHEALTHY, HEALTHY),
        (AlarmState.ALARM, "Healthy", HEALTHY, UNHEALTHY),
        (AlarmState.INSUFFICIENT_DATA, "Healthy", UNHEALTHY, HEALTHY),
        (AlarmState.INSUFFICIENT_DATA, "Unhealthy", HEALTHY, UNHEALTHY),
        (AlarmState.INSUFFICIENT_DATA, "LastKnownStatus", UNHEALTHY, UNHEALTHY),
        (AlarmState.INSUFFICIENT_DATA, "LastKnownStatus", HEALTHY, HEALTHY),
        (AlarmState.INSUFFICIENT_DATA, "LastKnownStatus", None, HEALTHY),
    ],
)
def test_health_follows_data_or_the_insufficient_data_setting(
    state: AlarmState, insufficient_data: str, last_known: HealthStatus | None, expected: HealthStatus
) -> None:
    """InsufficientDataHealthStatus applies only without sufficient data; a new check counts as healthy."""
    check = Route53HealthCheck(id="h", alarm_name="a", alarm_region=WEST, insufficient_data=insufficient_data)

    assert expected == health_of_alarm(check, state, last_known)


@pytest.mark.parametrize(
    ("disabled", "inverted", "status", "expected"),
    [
        (False, False, UNHEALTHY, UNHEALTHY),
        (False, True, UNHEALTHY, HEALTHY),
        (False, True, HEALTHY, UNHEALTHY),
        (True, False, UNHEALTHY, HEALTHY),
        (True, True, UNHEALTHY, UNHEALTHY),
    ],
)
def test_disabled_and_inverted(disabled: bool, inverted: bool, status: HealthStatus, expected: HealthStatus) -> None:
    """A disabled check counts as healthy before it is inverted."""
    assert expected == final_status(Route53HealthCheck(id="h", disabled=disabled, inverted=inverted), status)


@pytest.mark.parametrize(
    ("statuses", "threshold", "expected"),
    [
        ([HEALTHY, HEALTHY, UNHEALTHY], 2, HEALTHY),
        ([HEALTHY, UNHEALTHY, UNHEALTHY], 2, UNHEALTHY),
        ([UNHEALTHY, UNHEALTHY], 0, HEALTHY),
        ([HEALTHY, HEALTHY], 3, UNHEALTHY),
        ([], 0, HEALTHY),
        ([], 1, UNHEALTHY),
    ],
)
def test_calculated_check_counts_healthy_children(
    statuses: list[HealthStatus], threshold: int, expected: HealthStatus
) -> None:
    """A threshold of 0 is always reached; one above the number of children is never reached."""
    assert expected == health_of_children(Route53HealthCheck(id="h", threshold=threshold), statuses)


def test_calculated_check_with_calculated_child_is_refused() -> None:
    """Route 53 does not nest calculated checks."""
    alarm, calculated = Route53HealthCheck(id="a", alarm_name="a"), Route53HealthCheck(id="c")

    with pytest.raises(RefusedHealthCheck, match="can't watch calculated health checks: c"):
        require_supported_children(Route53HealthCheck(id="h", children=("a", "c")), [alarm, calculated])


def test_calculated_check_with_too_many_children_is_refused() -> None:
    """The limit is 255 children."""
    children = tuple(str(number) for number in range(MAX_CHILDREN + 1))

    with pytest.raises(RefusedHealthCheck, match="256 children, at most 255 allowed"):
        require_supported_children(Route53HealthCheck(id="h", children=children), [])


@pytest.mark.parametrize(
    ("period", "to_alarm", "missing", "message"),
    [
        (10.0, 1, MissingData.MISSING, "60 s or more"),
        (60.0, 2, MissingData.MISSING, "no M out of N"),
        (60.0, 1, MissingData.BREACHING, "treats missing data as breaching"),
    ],
)
def test_unsupported_alarm_is_refused(period: float, to_alarm: int, missing: MissingData, message: str) -> None:
    """High resolution, M out of N, and treatments of missing data that AWS does not document for health checks are refused."""
    alarm = AlarmRule(
        name="a",
        namespace="n",
        metric_name="m",
        dimensions={},
        statistic="Maximum",
        period_seconds=period,
        evaluation_periods=1 if to_alarm == 1 else 3,
        datapoints_to_alarm=to_alarm,
        threshold=0,
        comparison="GreaterThanThreshold",
        missing_data=missing,
    )

    with pytest.raises(UnsupportedAlarm, match=message):
        require_supported_alarm(alarm)


def test_endpoint_health_check_is_an_error() -> None:
    """The rehearsal has no internet endpoints."""
    with pytest.raises(UnsupportedRecord, match="HTTPS"):
        Route53HealthCheck.from_description({"Id": "h", "HealthCheckConfig": {"Type": "HTTPS"}})


class FakePages:
    """A paginator of one page."""

    def __init__(self, page: Mapping[str, Any]) -> None:
        self.page = page

    def paginate(self, **_request: Any) -> list[Mapping[str, Any]]:
        """Return the page."""
        return [self.page]


class FakeAws:
    """Route 53 and CloudWatch clients with the deployed zone and settable metric data."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[float, float]]] = {EAST: [], WEST: []}
        # Unhealthy while the secondary region's cluster is the writer.
        self.check: dict[str, Any] = {
            "Type": "CLOUDWATCH_METRIC",
            "AlarmIdentifier": {"Name": "writer-role", "Region": WEST},
            "InsufficientDataHealthStatus": "LastKnownStatus",
        }
        self.checks = {"h": self.check}
        self.zone_reads = 0

    def __call__(self, service: str, region: str) -> Any:
        """Return the client of a service in a region."""
        return self if service == "route53" else FakeCloudWatch(self.points[region])

    def get_paginator(self, name: str) -> FakePages:
        """Return a paginator of the zones or records."""
        if name == "list_hosted_zones":
            self.zone_reads += 1
            return FakePages(
                {"HostedZones": [{"Id": "Z1", "Config": {"PrivateZone": True}}, {"Id": "Z2", "Config": {}}]}
            )
        common = {"Name": "writer.payments.internal.", "Type": "CNAME", "TTL": 5}
        return FakePages(
            {
                "ResourceRecordSets": [
                    {"Name": "payments.internal.", "Type": "SOA", "TTL": 900, "ResourceRecords": [{"Value": "soa"}]},
                    {
                        **common,
                        "SetIdentifier": "primary",
                        "Failover": "PRIMARY",
                        "HealthCheckId": "h",
                        "ResourceRecords": [{"Value": EAST_WRITER}],
                    },
                    {
                        **common,
                        "SetIdentifier": "secondary",
                        "Failover": "SECONDARY",
                        "ResourceRecords": [{"Value": WEST_WRITER}],
                    },
                ]
            }
        )

    def get_hosted_zone(self, **_request: Any) -> dict[str, Any]:
        """Return the zone, associated with a VPC in each region."""
        vpcs = [{"VPCRegion": EAST, "VPCId": "vpc-e"}, {"VPCRegion": WEST, "VPCId": "vpc-w"}]
        return {"HostedZone": {"Name": "payments.internal."}, "VPCs": vpcs}

    def get_health_check(self, **request: Any) -> dict[str, Any]:
        """Return a health check."""
        check_id = request["HealthCheckId"]
        return {"HealthCheck": {"Id": check_id, "HealthCheckConfig": self.checks[check_id]}}

    def use_calculated_check(self) -> None:
        """Use a calculated check with two checks on the secondary region's role and one on the primary's."""
        primary = {
            **self.check,
            "AlarmIdentifier": {"Name": "reader-role", "Region": EAST},
            "InsufficientDataHealthStatus": "Unhealthy",
        }
        self.checks = {
            "h": {
                "Type": "CALCULATED",
                "ChildHealthChecks": ["last-known", "current", "primary"],
                "HealthThreshold": 2,
            },
            "last-known": self.check,
            "current": {**self.check, "InsufficientDataHealthStatus": "Healthy"},
            "primary": primary,
        }


class FakeCloudWatch:
    """One region's metric data."""

    def __init__(self, points: list[tuple[float, float]]) -> None:
        self.points = points

    def describe_alarms(self, **request: Any) -> dict[str, Any]:
        """Return an alarm on the writer role or its absence."""
        (name,) = request["AlarmNames"]
        alarm = {
            "AlarmName": name,
            "Namespace": "AuroraFailover",
            "MetricName": "WriterRole",
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": {
                "writer-role": "GreaterThanOrEqualToThreshold",
                "reader-role": "LessThanThreshold",
            }[name],
        }
        return {"MetricAlarms": [alarm]}

    def get_metric_statistics(self, **request: Any) -> dict[str, Any]:
        """Return the datapoints of the range."""
        start, end = request["StartTime"].timestamp(), request["EndTime"].timestamp()
        return {
            "Datapoints": [
                {
                    "Timestamp": datetime.fromtimestamp(at, tz=UTC),
                    "SampleCount": 1.0,
                    "Sum": value,
                    "Minimum": value,
                    "Maximum": value,
                }
                for at, value in self.points
                if start <= at < end
            ]
        }


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 600.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def aws() -> FakeAws:
    """The deployed zone."""
    return FakeAws()


@pytest.fixture
def clock() -> Clock:
    """Ten minutes past the epoch."""
    return Clock()


def test_name_follows_the_writer_role(aws: FakeAws, clock: Clock) -> None:
    """The DNS name moves within one scaled period after each role change."""
    dns = PrivateDns(aws, time_scale=10.0, clock=clock)
    role = aws.points[WEST]
    answers = []
    for at, value in ((600.0, 0.0), (606.0, 1.0), (612.0, 1.0), (618.0, 0.0)):
        role.append((at, value))
        clock.now = at + 6
        answers.append(dns.resolve("writer.payments.internal", from_region=WEST))

    expected = [EAST, WEST, WEST, EAST]
    assert expected == [answer.region for answer in answers]
    assert [answer.values[0] for answer in answers[:2]] == [EAST_WRITER, WEST_WRITER]
    assert (answers[1].ttl_seconds, answers[1].record_id, answers[1].health) == (5, "secondary", {"h": UNHEALTHY})


def test_metric_data_are_read_again_only_after_a_write(aws: FakeAws, clock: Clock) -> None:
    """Without a write in the region, the earlier data are evaluated again."""
    writes = {EAST: 0, WEST: 0}
    dns = PrivateDns(aws, time_scale=10.0, clock=clock, metric_writes=lambda region: writes[region])
    answers = []
    for at, value, is_counted in ((600.0, 0.0, True), (606.0, 1.0, False), (612.0, 1.0, True)):
        aws.points[WEST].append((at, value))
        writes[WEST] += is_counted
        clock.now = at + 6
        answers.append(dns.resolve("writer.payments.internal", from_region=WEST).region)
    assert [EAST, EAST, WEST] == answers


def test_changed_time_scale_applies_at_once(aws: FakeAws, clock: Clock) -> None:
    """The period of an alarm is divided by the new factor: 6 s are over, 12 s are not."""
    dns = PrivateDns(aws, time_scale=5.0, clock=clock)
    aws.points[WEST].append((600.0, 1.0))
    clock.now = 607.0
    before = dns.resolve("writer.payments.internal", from_region=WEST).region
    dns.change_time_scale(10.0)
    assert (before, dns.resolve("writer.payments.internal", from_region=WEST).region) == (EAST, WEST)


def test_missing_data_keeps_the_last_known_status(aws: FakeAws, clock: Clock) -> None:
    """The DNS name does not move while the metric is missing."""
    dns = PrivateDns(aws, time_scale=10.0, clock=clock)
    aws.points[WEST].append((600.0, 1.0))
    clock.now = 606.0
    moved = dns.resolve("writer.payments.internal", from_region=WEST)
    clock.now = 6000.0

    assert [moved.region, dns.resolve("writer.payments.internal", from_region=WEST).region] == [WEST, WEST]


def test_data_of_a_failed_region_is_missing(aws: FakeAws, clock: Clock) -> None:
    """Metric data that a failed region still writes reaches no health checker."""
    failed: set[str] = set()
    dns = PrivateDns(aws, time_scale=10.0, clock=clock, failed_regions=lambda: failed)
    aws.points[WEST].append((594.0, 0.0))
    dns.resolve("writer.payments.internal", from_region=EAST)
    failed.add(WEST)
    dns.resolve("writer.payments.internal", from_region=EAST)
    aws.points[WEST].append((606.0, 1.0))
    clock.now = 640.0

    assert dns.resolve("writer.payments.internal", from_region=EAST).region == EAST


def test_name_fails_back_once_the_primary_region_is_promoted(aws: FakeAws, clock: Clock) -> None:
    """The DNS name does not move while the failed region is only unreachable, nor when it returns as a reader."""
    aws.use_calculated_check()
    failed: set[str] = set()
    dns = PrivateDns(aws, time_scale=10.0, clock=clock, failed_regions=lambda: failed)
    steps: list[tuple[float, float | None, str]] = [
        # Metric of the primary region, metric of the secondary region, expected region. A step is one period of 6 s.
        (1, 0, EAST),
        (0, 1, WEST),
        (0, None, WEST),
        (0, None, WEST),
        (0, None, WEST),
        (0, None, WEST),
        (1, None, EAST),
        (1, 0, EAST),
    ]
    answers = []
    for primary, secondary, _expected in steps:
        aws.points[EAST].append((clock.now, primary))
        if secondary is None:
            failed.add(WEST)
            dns.resolve("writer.payments.internal", from_region=EAST)
        else:
            failed.clear()
        aws.points[WEST].append((clock.now, 1.0 if secondary is None else secondary))
        clock.now += 6
        answers.append(dns.resolve("writer.payments.internal", from_region=EAST).region)

    assert [expected for _primary, _secondary, expected in steps] == answers


def test_refused_health_check_is_an_error(aws: FakeAws, clock: Clock) -> None:
    """A zone with a nested calculated check gives no answer."""
    aws.checks = {
        "h": {"Type": "CALCULATED", "ChildHealthChecks": ["c"], "HealthThreshold": 1},
        "c": {"Type": "CALCULATED", "ChildHealthChecks": ["a"], "HealthThreshold": 1},
        "a": aws.check,
    }

    with pytest.raises(RefusedHealthCheck, match="h can't watch calculated health checks: c"):
        PrivateDns(aws, clock=clock).resolve("writer.payments.internal", from_region=EAST)


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        ("writer.payments.internal", {"from_region": "ap-south-1"}, "not associated"),
        ("writer.payments.internal", {"from_region": EAST, "from_vpc": "vpc-w"}, "not associated"),
        ("writer.elsewhere.internal", {"from_region": EAST}, "no private zone"),
        ("other.payments.internal", {"from_region": EAST}, "no CNAME record"),
        ("notpayments.internal", {"from_region": EAST}, "no private zone"),
    ],
)
def test_empty_answer_has_a_reason(aws: FakeAws, clock: Clock, name: str, query: dict[str, str], reason: str) -> None:
    """The VPC is not associated, no zone matches, or the zone has no such record."""
    answer = PrivateDns(aws, clock=clock).resolve(name, **query)

    assert answer.values == ()
    assert reason in answer.reason


def test_name_ignores_case_and_final_dot(aws: FakeAws, clock: Clock) -> None:
    """DNS names are case-insensitive."""
    answer = PrivateDns(aws, clock=clock).resolve("Writer.Payments.Internal.", from_region=EAST, from_vpc="vpc-e")

    assert answer.values == (EAST_WRITER,)


def test_records_are_cached_until_expiry_or_forget(aws: FakeAws, clock: Clock) -> None:
    """A failover changes no record."""
    dns = PrivateDns(aws, clock=clock, cache_seconds=30)
    for seconds in (0, 10, 31):
        clock.now = 600.0 + seconds
        dns.resolve("writer.payments.internal", from_region=EAST)
    dns.forget()
    dns.resolve("writer.payments.internal", from_region=EAST)

    assert aws.zone_reads == 3


def test_health_of_all_checks(aws: FakeAws, clock: Clock) -> None:
    """`health` returns the status of each check."""
    aws.check["Inverted"] = True
    dns = PrivateDns(aws, clock=clock)

    assert dns.health() == {"h": UNHEALTHY}
