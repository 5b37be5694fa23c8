"""Route 53's answers, case by case."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.network.alarms import AlarmRule, AlarmState, MissingData, UnsupportedAlarm
from rehearsal.network.route53 import PrivateDns
from rehearsal.network.routing import (
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
    """A CNAME of writer.payments.internal."""
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
    """The secondary answers only when it alone is healthy."""
    choice = choose([SECONDARY, PRIMARY], {"p": primary, "s": secondary}, from_region=EAST)

    assert expected == choice.record.id


@pytest.mark.parametrize(("primary", "expected"), [(HEALTHY, "primary"), (UNHEALTHY, "secondary")])
def test_a_secondary_without_a_check_answers_whenever_the_primary_is_bad(primary: HealthStatus, expected: str) -> None:
    """That is why the design gives it none."""
    unchecked = record("secondary", failover="SECONDARY")

    assert expected == choose([PRIMARY, unchecked], {"p": primary}, from_region=EAST).record.id


def test_a_primary_without_a_check_always_answers() -> None:
    """Without a check it counts as healthy."""
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
def test_latency_records_prefer_the_own_region(
    from_region: str, east: HealthStatus, west: HealthStatus, expected: str
) -> None:
    """The own region unless it alone is unhealthy; when all are, all count as healthy."""
    records = [
        record("west", latency_region=WEST, health_check_id="w"),
        record("east", latency_region=EAST, health_check_id="e"),
    ]

    assert expected == choose(records, {"e": east, "w": west}, from_region=from_region).record.id


def test_a_simple_record_answers_whatever_its_health() -> None:
    """With nothing else to answer there is no choice."""
    only = record("only", health_check_id="p")

    assert choose([only], {"p": UNHEALTHY}, from_region=EAST).record is only


@pytest.mark.parametrize("records", [[PRIMARY], [PRIMARY, PRIMARY], [PRIMARY, record("simple")]])
def test_records_that_fit_no_policy_are_an_error(records: list[DnsRecord]) -> None:
    """A lone primary, two primaries, a mixture: Route 53 would have refused them."""
    with pytest.raises(UnsupportedRecord, match=r"writer\.payments\.internal"):
        choose(records, {"p": HEALTHY}, from_region=EAST)


@pytest.mark.parametrize("key", ["Weight", "AliasTarget", "GeoLocation", "MultiValueAnswer"])
def test_a_routing_policy_that_is_not_covered_is_an_error(key: str) -> None:
    """It never passes for a simple record."""
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
def test_health_follows_the_data_and_then_the_rule_for_too_little(
    state: AlarmState, insufficient_data: str, last_known: HealthStatus | None, expected: HealthStatus
) -> None:
    """Sufficient data decides alone; without it the check's own rule does; a new check counts as healthy."""
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
    """A disabled check counts as healthy, and inverting applies to that too."""
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
def test_a_calculated_check_counts_its_healthy_children(
    statuses: list[HealthStatus], threshold: int, expected: HealthStatus
) -> None:
    """A threshold of 0 is always reached, one above the number of children never."""
    assert expected == health_of_children(Route53HealthCheck(id="h", threshold=threshold), statuses)


def test_a_calculated_check_can_t_watch_calculated_checks() -> None:
    """Route 53 knows no tree of checks."""
    alarm, calculated = Route53HealthCheck(id="a", alarm_name="a"), Route53HealthCheck(id="c")

    with pytest.raises(RefusedHealthCheck, match="can't watch calculated health checks: c"):
        require_supported_children(Route53HealthCheck(id="h", children=("a", "c")), [alarm, calculated])


def test_a_calculated_check_has_so_many_children_at_most() -> None:
    """One more is refused."""
    children = tuple(str(number) for number in range(MAX_CHILDREN + 1))

    with pytest.raises(RefusedHealthCheck, match="256 children, at most 255 allowed"):
        require_supported_children(Route53HealthCheck(id="h", children=children), [])


@pytest.mark.parametrize(
    ("period", "to_alarm", "missing", "words"),
    [
        (10.0, 1, MissingData.MISSING, "60 s or more"),
        (60.0, 2, MissingData.MISSING, "no M out of N"),
        (60.0, 1, MissingData.BREACHING, "treats missing data as breaching"),
    ],
)
def test_alarms_that_route_53_refuses_are_refused(
    period: float, to_alarm: int, missing: MissingData, words: str
) -> None:
    """High resolution, and M out of N; and what its documentation leaves open is used by nobody."""
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

    with pytest.raises(UnsupportedAlarm, match=words):
        require_supported_alarm(alarm)


def test_a_check_on_an_endpoint_is_an_error() -> None:
    """There is nothing on the internet to check in a rehearsal."""
    with pytest.raises(UnsupportedRecord, match="HTTPS"):
        Route53HealthCheck.from_description({"Id": "h", "HealthCheckConfig": {"Type": "HTTPS"}})


class FakePages:
    """A paginator of one page."""

    def __init__(self, page: Mapping[str, Any]) -> None:
        self.page = page

    def paginate(self, **_request: Any) -> list[Mapping[str, Any]]:
        """Give the page."""
        return [self.page]


class FakeAws:
    """Route 53 and CloudWatch as boto3 shows them: the design's zone, and metric data that a test sets."""

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
        """Give the client of a service in a region."""
        return self if service == "route53" else FakeCloudWatch(self.points[region])

    def get_paginator(self, name: str) -> FakePages:
        """List the zone, or its records."""
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
        """Give the zone, associated with a VPC in each region."""
        vpcs = [{"VPCRegion": EAST, "VPCId": "vpc-e"}, {"VPCRegion": WEST, "VPCId": "vpc-w"}]
        return {"HostedZone": {"Name": "payments.internal."}, "VPCs": vpcs}

    def get_health_check(self, **request: Any) -> dict[str, Any]:
        """Give a check."""
        check_id = request["HealthCheckId"]
        return {"HealthCheck": {"Id": check_id, "HealthCheckConfig": self.checks[check_id]}}

    def vote(self) -> None:
        """Let the primary record follow three votes: the secondary region's word twice, and the primary's own."""
        home = {
            **self.check,
            "AlarmIdentifier": {"Name": "reader-role", "Region": EAST},
            "InsufficientDataHealthStatus": "Unhealthy",
        }
        self.checks = {
            "h": {"Type": "CALCULATED", "ChildHealthChecks": ["remembered", "heard", "home"], "HealthThreshold": 2},
            "remembered": self.check,
            "heard": {**self.check, "InsufficientDataHealthStatus": "Healthy"},
            "home": home,
        }


class FakeCloudWatch:
    """One region's metric data."""

    def __init__(self, points: list[tuple[float, float]]) -> None:
        self.points = points

    def describe_alarms(self, **request: Any) -> dict[str, Any]:
        """Give an alarm on the writer's role, or on its absence."""
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
        """Give the points of the range."""
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
        """Tell the time."""
        return self.now


@pytest.fixture
def aws() -> FakeAws:
    """The deployed zone."""
    return FakeAws()


@pytest.fixture
def clock() -> Clock:
    """Ten minutes past the epoch."""
    return Clock()


def test_the_name_follows_the_role_and_comes_back(aws: FakeAws, clock: Clock) -> None:
    """The standby's writer role moves the name within a (shortened) period, and its end moves it home."""
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


def test_silence_keeps_the_last_known_status(aws: FakeAws, clock: Clock) -> None:
    """When the metric stops, the name stays where it was, for as long as it takes."""
    dns = PrivateDns(aws, time_scale=10.0, clock=clock)
    aws.points[WEST].append((600.0, 1.0))
    clock.now = 606.0
    moved = dns.resolve("writer.payments.internal", from_region=WEST)
    clock.now = 6000.0

    assert [moved.region, dns.resolve("writer.payments.internal", from_region=WEST).region] == [WEST, WEST]


def test_data_of_a_dark_region_is_missing_from_then_on(aws: FakeAws, clock: Clock) -> None:
    """What a dark region still writes to itself reaches no health checker."""
    dark: set[str] = set()
    dns = PrivateDns(aws, time_scale=10.0, clock=clock, failed_regions=lambda: dark)
    aws.points[WEST].append((594.0, 0.0))
    dns.resolve("writer.payments.internal", from_region=EAST)
    dark.add(WEST)
    dns.resolve("writer.payments.internal", from_region=EAST)
    aws.points[WEST].append((606.0, 1.0))
    clock.now = 640.0

    assert dns.resolve("writer.payments.internal", from_region=EAST).region == EAST


def test_a_lost_writer_elsewhere_brings_the_name_home_once_home_is_promoted(aws: FakeAws, clock: Clock) -> None:
    """Its region's silence alone moves nothing; nor does what it writes to itself, unheard; nor its return as a reader."""
    aws.vote()
    dark: set[str] = set()
    dns = PrivateDns(aws, time_scale=10.0, clock=clock, failed_regions=lambda: dark)
    steps: list[tuple[float, float | None, str]] = [
        # Home says, the other region says, the name leads to. Each step is one period of 6 s.
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
    for home, elsewhere, _expected in steps:
        aws.points[EAST].append((clock.now, home))
        if elsewhere is None:
            dark.add(WEST)
            dns.resolve("writer.payments.internal", from_region=EAST)
        else:
            dark.clear()
        aws.points[WEST].append((clock.now, 1.0 if elsewhere is None else elsewhere))
        clock.now += 6
        answers.append(dns.resolve("writer.payments.internal", from_region=EAST).region)

    assert [expected for _home, _elsewhere, expected in steps] == answers


def test_a_check_that_route_53_would_have_refused_is_an_error(aws: FakeAws, clock: Clock) -> None:
    """A calculated check that watches a calculated one never gets as far as an answer."""
    aws.checks = {
        "h": {"Type": "CALCULATED", "ChildHealthChecks": ["c"], "HealthThreshold": 1},
        "c": {"Type": "CALCULATED", "ChildHealthChecks": ["a"], "HealthThreshold": 1},
        "a": aws.check,
    }

    with pytest.raises(RefusedHealthCheck, match="h can't watch calculated health checks: c"):
        PrivateDns(aws, clock=clock).resolve("writer.payments.internal", from_region=EAST)


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("writer.payments.internal", {"from_region": "ap-south-1"}, "not associated"),
        ("writer.payments.internal", {"from_region": EAST, "from_vpc": "vpc-w"}, "not associated"),
        ("writer.elsewhere.internal", {"from_region": EAST}, "no private zone"),
        ("other.payments.internal", {"from_region": EAST}, "no CNAME record"),
        ("notpayments.internal", {"from_region": EAST}, "no private zone"),
    ],
)
def test_no_answer_says_why(aws: FakeAws, clock: Clock, name: str, query: dict[str, str], words: str) -> None:
    """A VPC outside the zone, a name outside it, a name that isn't in it."""
    answer = PrivateDns(aws, clock=clock).resolve(name, **query)

    assert answer.values == ()
    assert words in answer.reason


def test_an_answer_is_the_same_for_capitals_and_a_final_dot(aws: FakeAws, clock: Clock) -> None:
    """DNS names know neither."""
    answer = PrivateDns(aws, clock=clock).resolve("Writer.Payments.Internal.", from_region=EAST, from_vpc="vpc-e")

    assert answer.values == (EAST_WRITER,)


def test_records_are_read_once_in_a_while_and_when_told(aws: FakeAws, clock: Clock) -> None:
    """A failover changes no record: reading them for each answer would only cost time."""
    dns = PrivateDns(aws, clock=clock, cache_seconds=30)
    for seconds in (0, 10, 31):
        clock.now = 600.0 + seconds
        dns.resolve("writer.payments.internal", from_region=EAST)
    dns.forget()
    dns.resolve("writer.payments.internal", from_region=EAST)

    assert aws.zone_reads == 3


def test_all_checks_can_be_asked_for_at_once(aws: FakeAws, clock: Clock) -> None:
    """For the report and the alarms on DNS health."""
    aws.check["Inverted"] = True
    dns = PrivateDns(aws, clock=clock)

    assert dns.health() == {"h": UNHEALTHY}
