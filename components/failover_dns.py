"""The names that clients use: `writer.<zone>` and `reader.<zone>`.

Owns: the private zone, its records and health checks, and the alarms on those. Does not own: the alarms that the
checks follow (`monitoring`).
Invariant: nobody edits a record during an outage. Route 53's control plane may be gone with its region; its data
plane is global. The records follow health checks, and the checks follow the role, as each region sees its own. So the
name moves when a promotion is done, stays when the old region comes back as a reader, and returns on a switchover, or
when home is promoted because the other region was lost.

The writer's name leads home while two of three votes are for home:
| vote | against home | without data |
|---|---|---|
| writer-elsewhere-remembered | the other region says that it is the writer | as last known |
| writer-elsewhere-heard      | the same data                               | for home      |
| home-is-writer              | home says that it isn't the writer          | against home  |
While the other region is heard, its two votes agree, and its word alone decides, whatever home claims. While it is
silent, its votes agree if it wasn't the writer when last heard (home), and else home's own word decides. Three votes
and no tree, for a calculated check can't watch calculated checks.
"""

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.alarms import PEER_REGION_LOST, READER_ROLE, WRITER_ROLE, Alarm, described
from components.monitoring import Monitoring
from components.region import Member
from components.site import Region

VOTES_FOR_HOME = 2
# Route 53 publishes the status of its checks as metrics in this region only. Source: Monitoring health checks using
# CloudWatch.
HEALTH_METRICS_REGION = "us-east-1"

WithoutData = Literal["Healthy", "Unhealthy", "LastKnownStatus"]


@dataclass(frozen=True, kw_only=True)
class DnsMember:
    """A region as DNS sees it."""

    site: Region
    vpc_id: pulumi.Input[str]
    writer_endpoint: pulumi.Input[str]
    reader_endpoint: pulumi.Input[str]
    writer_role_alarm: pulumi.Input[str]
    """This region's alarm that is on while its cluster is the writer."""
    reader_role_alarm: pulumi.Input[str]
    """This region's alarm that is on while its cluster isn't the writer."""
    peer_region_lost_alarm: pulumi.Input[str]
    """This region's alarm that is on while the other region is gone."""
    topic_arn: pulumi.Input[str]
    provider: aws.Provider

    @classmethod
    def of(cls, member: Member, monitoring: Monitoring, provider: aws.Provider) -> "DnsMember":
        """Return a region as DNS sees it, from its parts."""
        return cls(
            site=member.site,
            vpc_id=member.foundation.network.vpc_id,
            writer_endpoint=member.cluster.writer_endpoint,
            reader_endpoint=member.cluster.reader_endpoint,
            writer_role_alarm=monitoring.writer_role_alarm,
            reader_role_alarm=monitoring.reader_role_alarm,
            peer_region_lost_alarm=monitoring.peer_region_lost_alarm,
            topic_arn=member.foundation.topic_arn,
            provider=provider,
        )


@dataclass(frozen=True, kw_only=True)
class FailoverDnsArgs:
    """The zone and its two members: where the name leads at rest, and where it leads when that one isn't the writer."""

    zone_name: str
    primary: DnsMember
    secondary: DnsMember
    record_ttl_seconds: int = 5
    """How long a client may go on with an answer."""


class FailoverDns(pulumi.ComponentResource):
    """A private zone whose names follow the writer and leave out a lost region."""

    zone_id: pulumi.Output[str]
    """The hosted zone's id."""
    writer_name: pulumi.Output[str]
    """The name of the current writer."""
    reader_name: pulumi.Output[str]
    """The name of the nearest reader."""
    health_check_ids: dict[str, pulumi.Output[str]]
    """What is checked -> the health check's id: those that a name follows, then the votes on the writer's."""
    alarm_arns: list[pulumi.Output[str]]
    """The alarms on the checks; none where neither region is us-east-1."""

    def __init__(self, name: str, args: FailoverDnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:failover_dns:FailoverDns", name, None, opts)
        self._name, self._args = name, args
        first, second = args.primary, args.secondary
        self.zone_id = self._zone()
        votes = self._votes()
        home = self._majority(list(votes.values()))
        # Each region's readers are judged by the other: nobody reports that he himself is gone.
        first_lost, second_lost = (
            self._check(f"reader-{lost.site.region}", PEER_REGION_LOST, judge.peer_region_lost_alarm, judge.site)
            for lost, judge in ((first, second), (second, first))
        )
        followed = {
            "writer": home.id,
            f"reader-{first.site.region}": first_lost.id,
            f"reader-{second.site.region}": second_lost.id,
        }
        self.health_check_ids = {**followed, **{what: vote.id for what, vote in votes.items()}}
        self.writer_name = self._writer_record("PRIMARY", first, home).fqdn
        # Without a check of its own: with one, and both bad, Route 53 would answer with the primary, whatever its
        # state.
        self._writer_record("SECONDARY", second, None)
        self.reader_name = self._reader_record(first, first_lost).fqdn
        self._reader_record(second, second_lost)
        self.alarm_arns = self._alarms(followed)
        self.register_outputs(
            {
                "zone_id": self.zone_id,
                "writer_name": self.writer_name,
                "reader_name": self.reader_name,
                "health_check_ids": self.health_check_ids,
            }
        )

    def _zone(self) -> pulumi.Output[str]:
        first, second = self._args.primary, self._args.secondary
        zone = aws.route53.Zone(
            f"{self._name}-zone",
            name=self._args.zone_name,
            comment=f"{first.site.name('global')}: names that follow the writer",
            vpcs=[aws.route53.ZoneVpcArgs(vpc_id=first.vpc_id, vpc_region=first.site.region)],
            force_destroy=not first.site.is_production,
            tags={"Name": self._args.zone_name},
            # The second network is attached by the association below; the zone must not detach it again. Whoever knows
            # the names loses them with it: a changed name is refused in production.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["vpcs"], protect=first.site.is_production),
        )
        aws.route53.ZoneAssociation(
            f"{self._name}-{second.site.region}",
            zone_id=zone.zone_id,
            vpc_id=second.vpc_id,
            vpc_region=second.site.region,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return zone.zone_id

    def _votes(self) -> dict[str, aws.route53.HealthCheck]:
        """Make the checks that are healthy while they speak for home."""
        home, other = self._args.primary, self._args.secondary
        votes: list[tuple[str, Alarm, pulumi.Input[str], Region, WithoutData]] = [
            ("writer-elsewhere-remembered", WRITER_ROLE, other.writer_role_alarm, other.site, "LastKnownStatus"),
            ("writer-elsewhere-heard", WRITER_ROLE, other.writer_role_alarm, other.site, "Healthy"),
            ("home-is-writer", READER_ROLE, home.reader_role_alarm, home.site, "Unhealthy"),
        ]
        return {
            what: self._check(what, alarm, alarm_name, site, without_data=without_data)
            for what, alarm, alarm_name, site, without_data in votes
        }

    def _majority(self, votes: list[aws.route53.HealthCheck]) -> aws.route53.HealthCheck:
        """Make the check that is healthy while the writer's name should lead home.

        Source: Monitoring other health checks (calculated health checks), Route 53 developer guide.
        """
        return aws.route53.HealthCheck(
            f"{self._name}-writer",
            type="CALCULATED",
            child_healthchecks=[vote.id for vote in votes],
            child_health_threshold=VOTES_FOR_HOME,
            tags=self._args.primary.site.tags("dns-writer"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _check(
        self,
        what: str,
        alarm: Alarm,
        alarm_name: pulumi.Input[str],
        site: Region,
        *,
        without_data: WithoutData = "LastKnownStatus",
    ) -> aws.route53.HealthCheck:
        """Make a check that is unhealthy while an alarm's metric is beyond its threshold.

        By default a region that falls silent moves nothing: the name stays where it was last known to be right.
        """
        return aws.route53.HealthCheck(
            f"{self._name}-{what}",
            type="CLOUDWATCH_METRIC",
            cloudwatch_alarm_name=alarm_name,
            cloudwatch_alarm_region=site.region,
            insufficient_data_health_status=without_data,
            # Route 53 copies the alarm's settings when the check is written: what they are must be written with it.
            triggers={
                "metric": f"{alarm.statistic} of {alarm.metric}",
                "condition": f"{alarm.comparison} {alarm.threshold:g} in {alarm.minutes} min",
            },
            tags=site.tags(f"dns-{what}"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _writer_record(self, role: str, member: DnsMember, check: aws.route53.HealthCheck | None) -> aws.route53.Record:
        return aws.route53.Record(
            f"{self._name}-writer-{role.lower()}",
            zone_id=self.zone_id,
            name=f"writer.{self._args.zone_name}",
            type="CNAME",
            ttl=self._args.record_ttl_seconds,
            records=[member.writer_endpoint],
            set_identifier=member.site.region,
            failover_routing_policies=[aws.route53.RecordFailoverRoutingPolicyArgs(type=role)],
            health_check_id=check.id if check else None,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _reader_record(self, member: DnsMember, check: aws.route53.HealthCheck) -> aws.route53.Record:
        return aws.route53.Record(
            f"{self._name}-reader-{member.site.region}",
            zone_id=self.zone_id,
            name=f"reader.{self._args.zone_name}",
            type="CNAME",
            ttl=self._args.record_ttl_seconds,
            records=[member.reader_endpoint],
            set_identifier=member.site.region,
            latency_routing_policies=[aws.route53.RecordLatencyRoutingPolicyArgs(region=member.site.region)],
            health_check_id=check.id,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _alarms(self, followed: dict[str, pulumi.Output[str]]) -> list[pulumi.Output[str]]:
        """Tell people when a name moves, from the one region where that can be seen and told."""
        members = (self._args.primary, self._args.secondary)
        here = next((member for member in members if member.site.region == HEALTH_METRICS_REGION), None)
        if here is None:
            return []
        return [
            aws.cloudwatch.MetricAlarm(
                f"{self._name}-{what}",
                name=here.site.name(f"dns-{what}"),
                alarm_description=described(
                    f"DNS: the health check {what} is unhealthy, and the name leads elsewhere.",
                    f"dns-{what.partition('-')[0]}",
                ),
                namespace="AWS/Route53",
                metric_name="HealthCheckStatus",
                dimensions={"HealthCheckId": check_id},
                statistic="Minimum",
                period=60,
                evaluation_periods=1,
                threshold=1,
                comparison_operator="LessThanThreshold",
                treat_missing_data="missing",
                alarm_actions=[here.topic_arn],
                ok_actions=[here.topic_arn],
                tags=here.site.tags(f"dns-{what}"),
                opts=pulumi.ResourceOptions(parent=self, provider=here.provider),
            ).arn
            for what, check_id in followed.items()
        ]
