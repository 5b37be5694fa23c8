"""Tests of the program's DNS records and health checks on ministack, with test metrics and a simulated clock.

A period of 60 s lasts 6 s."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal.cloud.ministack import Emulator
from rehearsal.engine.deploy import DeploymentError, DeployResult, deploy
from rehearsal.network.route53 import PrivateDns
from rehearsal.support.clients import BotoClients

PRIMARY, SECONDARY = "us-east-1", "eu-west-1"
NAME = "writer.payments-dev.internal"
TIME_SCALE, PERIOD_SECONDS = 10.0, 6
# The number of periods without data after which an alarm has insufficient data.
PERIODS_UNTIL_INSUFFICIENT = 3

PROVIDERS = """
import pulumi, pulumi_aws as aws

providers = {region: aws.Provider(region, region=region) for region in ("us-east-1", "eu-west-1")}


def of(region):
    return pulumi.ResourceOptions(provider=providers[region])
"""

PROGRAM = (
    PROVIDERS
    + """
from components.alarms import PEER_REGION_LOST, READER_ROLE, WRITER_ROLE
from components.failover_dns import DnsMember, FailoverDns, FailoverDnsArgs
from components.region import Region
from settings import load_settings


stack = load_settings({})


def member(settings):
    region = Region(stack=stack, settings=settings, provider=providers[settings.region],
                    account_id="123456789012", zones=[])
    code = region.code
    topic = aws.sns.Topic(f"{code}-topic", name=region.name("failover"), opts=region.opts)
    role, reader, lost = (aws.cloudwatch.MetricAlarm(
        f"{code}-{row.name}", name=region.name(row.name), namespace="AuroraFailover", metric_name=row.metric,
        dimensions={"GlobalCluster": "payments-global-dev"}, statistic=row.statistic, period=60,
        evaluation_periods=row.minutes, threshold=row.threshold, comparison_operator=row.comparison,
        treat_missing_data=row.missing, opts=region.opts,
    ) for row in (WRITER_ROLE, READER_ROLE, PEER_REGION_LOST))
    network = aws.ec2.Vpc(f"{code}-vpc", cidr_block=settings.vpc_cidr, opts=region.opts)
    return DnsMember(
        region=region, vpc_id=network.id, topic_arn=topic.arn,
        writer_endpoint=f"payments.cluster-abc.{code}.rds.amazonaws.com",
        reader_endpoint=f"payments.cluster-ro-abc.{code}.rds.amazonaws.com",
        writer_role_alarm=role.name, reader_role_alarm=reader.name, peer_region_lost_alarm=lost.name,
    )


dns = FailoverDns("dns", FailoverDnsArgs(
    zone_name="payments-dev.internal", record_ttl_seconds=5,
    primary=member(stack.primary), secondary=member(stack.secondary),
), pulumi.ResourceOptions(providers=[providers["us-east-1"]]))
pulumi.export("health_check_ids", dns.health_check_ids)
"""
)


def run(directory: Path, emulator: Emulator, program: str) -> DeployResult:
    """Deploy a small program."""
    (directory / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (directory / "__main__.py").write_text(program)
    return deploy(directory, {}, emulator.url)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Start ministack."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def clients(emulator: Emulator) -> Iterator[BotoClients]:
    """Create clients."""
    made = BotoClients(emulator.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def deployment(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> DeployResult:
    """Deploy the program's DNS once."""
    return run(tmp_path_factory.mktemp("dns"), emulator, PROGRAM)


class Telemetry:
    """Metrics of two regions, period by period, and the region that DNS returns."""

    def __init__(self, clients: BotoClients, start: float) -> None:
        self._clients = clients
        self._now = start - start % PERIOD_SECONDS
        self._dns = PrivateDns(clients, time_scale=TIME_SCALE, clock=lambda: self._now, cache_seconds=1e9)

    def resolve_after(self, *, primary: int | None, secondary: int | None, periods: int = 1) -> str | None:
        """Publish each region's own role for some periods; return the region that DNS returns then."""
        resolved = None
        for _ in range(periods):
            for region, role in ((PRIMARY, primary), (SECONDARY, secondary)):
                if role is not None:
                    self._publish(region, role)
            self._now += PERIOD_SECONDS
            resolved = self._dns.resolve(NAME, from_region=PRIMARY).region
        return resolved

    def _publish(self, region: str, role: int) -> None:
        self._clients("cloudwatch", region).put_metric_data(
            Namespace="AuroraFailover",
            MetricData=[
                {
                    "MetricName": "WriterRole",
                    "Dimensions": [{"Name": "GlobalCluster", "Value": "payments-global-dev"}],
                    "Timestamp": datetime.fromtimestamp(self._now + 1, tz=UTC),
                    "Value": role,
                }
            ],
        )


@pytest.fixture(scope="module")
def start_times() -> Iterator[float]:
    """Return start times in the past, ten minutes apart."""
    return itertools.count(time.time() - 7200, 600)


@pytest.fixture
def telemetry(deployment: DeployResult, clients: BotoClients, start_times: Iterator[float]) -> Telemetry:
    """Create telemetry in its own time span, because tests must not share metrics."""
    assert deployment.resources
    return Telemetry(clients, next(start_times))


def test_writer_check_counts_three_alarm_checks(deployment: DeployResult, clients: BotoClients) -> None:
    """The child checks exist in ministack."""
    ids = deployment.exports["health_check_ids"]
    client = clients("route53", PRIMARY)
    held = {what: client.get_health_check(HealthCheckId=each)["HealthCheck"] for what, each in ids.items()}
    writer = held["writer"]["HealthCheckConfig"]
    votes = {"writer-elsewhere-remembered", "writer-elsewhere-heard", "home-is-writer"}

    assert (writer["Type"], writer["HealthThreshold"]) == ("CALCULATED", 2)
    assert set(writer["ChildHealthChecks"]) == {ids[vote] for vote in votes}
    assert {held[vote]["HealthCheckConfig"]["InsufficientDataHealthStatus"] for vote in votes} == {
        "LastKnownStatus",
        "Healthy",
        "Unhealthy",
    }


def test_dns_follows_a_second_failover_back(telemetry: Telemetry) -> None:
    """The sequence is failover, return of the old region, loss of the new writer's region, and promotion."""
    assert telemetry.resolve_after(primary=1, secondary=0) == PRIMARY
    assert telemetry.resolve_after(primary=None, secondary=0, periods=PERIODS_UNTIL_INSUFFICIENT) == PRIMARY
    assert telemetry.resolve_after(primary=None, secondary=1) == SECONDARY
    assert telemetry.resolve_after(primary=0, secondary=1, periods=3) == SECONDARY
    # The other region is lost, and the primary region is not yet the writer.
    assert telemetry.resolve_after(primary=0, secondary=None, periods=PERIODS_UNTIL_INSUFFICIENT + 1) == SECONDARY
    assert telemetry.resolve_after(primary=1, secondary=None) == PRIMARY
    assert telemetry.resolve_after(primary=1, secondary=0) == PRIMARY


def test_dns_follows_a_promotion_once_the_other_region_has_no_data(telemetry: Telemetry) -> None:
    """Until then, the last role that the other region published counts."""
    telemetry.resolve_after(primary=1, secondary=1)
    regions = [telemetry.resolve_after(primary=1, secondary=None) for _ in range(PERIODS_UNTIL_INSUFFICIENT)]

    assert regions == [SECONDARY] * (PERIODS_UNTIL_INSUFFICIENT - 1) + [PRIMARY]


def test_calculated_check_of_a_calculated_check_is_rejected(emulator: Emulator, tmp_path: Path) -> None:
    """The error names the resource and the property."""
    program = (
        PROVIDERS
        + """
alarm = aws.route53.HealthCheck("alarm", type="CLOUDWATCH_METRIC", cloudwatch_alarm_name="a",
    cloudwatch_alarm_region="us-east-1", insufficient_data_health_status="Healthy", opts=of("us-east-1"))
one = aws.route53.HealthCheck("one", type="CALCULATED", child_healthchecks=[alarm.id], child_health_threshold=1,
    opts=of("us-east-1"))
aws.route53.HealthCheck("two", type="CALCULATED", child_healthchecks=[one.id], child_health_threshold=1,
    opts=of("us-east-1"))
"""
    )
    with pytest.raises(DeploymentError, match="can't watch calculated health checks") as raised:
        run(tmp_path, emulator, program)

    (error,) = raised.value.errors
    assert (error.type, error.property) == ("aws:route53/healthCheck:HealthCheck", "childHealthchecks")
