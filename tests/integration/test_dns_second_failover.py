"""The names' records and health checks as the program makes them, on the emulator, with metrics put in by hand.

No database, no function, no waiting: the clock is the test's, and a period of 60 s lasts 6.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal.cloud.ministack import Emulator
from rehearsal.engine.deploy import Deployment, DeploymentError, deploy
from rehearsal.network.route53 import PrivateDns
from rehearsal.support.clients import Clients

HOME, ELSEWHERE = "us-east-1", "eu-west-1"
NAME = "writer.payments-dev.internal"
TIME_SCALE, PERIOD_SECONDS = 10.0, 6
# How many periods without data it takes until an alarm's data is insufficient.
PERIODS_UNTIL_SILENT = 3

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
                    account_id="123456789012", partition="aws", zones=[])
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


def run(directory: Path, emulator: Emulator, program: str) -> Deployment:
    """Deploy a small program."""
    (directory / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (directory / "__main__.py").write_text(program)
    return deploy(directory, {}, emulator.url)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Give an emulator."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def clients(emulator: Emulator) -> Iterator[Clients]:
    """Give clients of the emulator."""
    made = Clients(emulator.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def deployment(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Deploy the program's own DNS and what it follows, once."""
    return run(tmp_path_factory.mktemp("dns"), emulator, PROGRAM)


class Story:
    """Both regions' telemetry, one period after the other, and where the name leads at the end of each."""

    def __init__(self, clients: Clients, start: float) -> None:
        self._clients = clients
        self._now = start - start % PERIOD_SECONDS
        self._dns = PrivateDns(clients, time_scale=TIME_SCALE, clock=lambda: self._now, cache_seconds=1e9)

    def after(self, *, home: int | None, elsewhere: int | None, periods: int = 1) -> str | None:
        """Let the regions say this about their own role for some periods, and return the region that the name leads to."""
        answer = None
        for _ in range(periods):
            for region, role in ((HOME, home), (ELSEWHERE, elsewhere)):
                if role is not None:
                    self._publish(region, role)
            self._now += PERIOD_SECONDS
            answer = self._dns.resolve(NAME, from_region=HOME).region
        return answer

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
def stretches() -> Iterator[float]:
    """Give moments in the past, ten minutes apart."""
    return itertools.count(time.time() - 7200, 600)


@pytest.fixture
def story(deployment: Deployment, clients: Clients, stretches: Iterator[float]) -> Story:
    """Give a story in a stretch of time of its own, so that no test sees the data of another."""
    assert deployment.resources
    return Story(clients, next(stretches))


def test_the_checks_are_held_as_the_program_means_them(deployment: Deployment, clients: Clients) -> None:
    """The writer's check counts three checks on alarms: the children exist, in the emulator too."""
    ids = deployment.exports["health_check_ids"]
    client = clients("route53", HOME)
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


def test_the_second_failover_comes_home(story: Story) -> None:
    """First failover, the old region's return, the loss of the region that took over, and home's promotion."""
    assert story.after(home=1, elsewhere=0) == HOME
    assert story.after(home=None, elsewhere=0, periods=PERIODS_UNTIL_SILENT) == HOME
    assert story.after(home=None, elsewhere=1) == ELSEWHERE
    assert story.after(home=0, elsewhere=1, periods=3) == ELSEWHERE
    # The other region is lost; home isn't the writer yet.
    assert story.after(home=0, elsewhere=None, periods=PERIODS_UNTIL_SILENT + 1) == ELSEWHERE
    assert story.after(home=1, elsewhere=None) == HOME
    assert story.after(home=1, elsewhere=0) == HOME


def test_a_promotion_at_home_is_followed_when_the_other_region_has_been_silent_for_long_enough(story: Story) -> None:
    """Until its data is insufficient, its last word counts: home's claim alone moves nothing."""
    story.after(home=1, elsewhere=1)
    answers = [story.after(home=1, elsewhere=None) for _ in range(PERIODS_UNTIL_SILENT)]

    assert answers == [ELSEWHERE] * (PERIODS_UNTIL_SILENT - 1) + [HOME]


def test_a_calculated_check_that_watches_a_calculated_one_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    """As Route 53 refuses it: the deployment fails, and names the resource and the property."""
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
