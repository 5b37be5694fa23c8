"""The private zone with the names that clients use: `writer.<zone>` and `reader.<zone>`.

No record is edited in an outage: Route 53's control plane may be unavailable, its data plane is global. The records follow
health checks, and the health checks follow each region's role metric. So the writer's name moves while AWS promotes,
stays when the old region returns as a reader, and moves back with a switchover to the primary region or a promotion of it.

The writer's name resolves to the primary region ("home") while two of three votes are for it:
| vote | votes against the primary region while | without data |
|---|---|---|
| writer-elsewhere-remembered | the secondary region reports that it is the writer | last known vote |
| writer-elsewhere-heard      | the secondary region reports that it is the writer | for the primary |
| home-is-writer              | the primary region reports that it is not the writer | against the primary |
While the secondary region reports, its two votes agree and decide. While it is silent, its votes agree if it was not the
writer in its last report, and the DNS name resolves to the primary region; otherwise the primary region's own report decides.
There are three votes at one level because a calculated check cannot have calculated children.
"""

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.alarms import PEER_REGION_LOST, READER_ROLE, WRITER_ROLE, Alarm, alarm_description
from components.failover_watch import FailoverWatch
from components.region import Region

VOTES_NEEDED = 2
# Route 53 publishes its health check metrics in this region only. Source: Monitoring health checks using CloudWatch.
HEALTH_METRICS_REGION = "us-east-1"

WithoutData = Literal["Healthy", "Unhealthy", "LastKnownStatus"]


@dataclass(frozen=True, kw_only=True)
class DnsMember:
    """The endpoints and alarms of a region that the DNS records use."""

    region: Region
    vpc_id: pulumi.Input[str]
    writer_endpoint: pulumi.Input[str]
    reader_endpoint: pulumi.Input[str]
    writer_role_alarm: pulumi.Input[str]
    """The alarm that fires while this region's cluster is the writer."""
    reader_role_alarm: pulumi.Input[str]
    """The alarm that fires while this region's cluster is not the writer."""
    peer_region_lost_alarm: pulumi.Input[str]
    """The alarm that fires while the other region is unreachable from this region."""
    topic_arn: pulumi.Input[str]

    @classmethod
    def of(cls, watch: FailoverWatch) -> "DnsMember":
        """Return the endpoints and alarms of a failover watch's region."""
        member, monitoring = watch.member, watch.monitoring
        return cls(
            region=member.region,
            vpc_id=member.foundation.network.vpc_id,
            writer_endpoint=member.cluster.writer_endpoint,
            reader_endpoint=member.cluster.reader_endpoint,
            writer_role_alarm=monitoring.writer_role_alarm,
            reader_role_alarm=monitoring.reader_role_alarm,
            peer_region_lost_alarm=monitoring.peer_region_lost_alarm,
            topic_arn=member.foundation.topic_arn,
        )


@dataclass(frozen=True, kw_only=True)
class FailoverDnsArgs:
    """The zone, and its primary and secondary regions."""

    zone_name: str
    primary: DnsMember
    secondary: DnsMember
    record_ttl_seconds: int
    """How long a client may cache an answer."""

    @classmethod
    def of(cls, primary: FailoverWatch, secondary: FailoverWatch) -> "FailoverDnsArgs":
        """Return the arguments for names that follow the two regions' roles."""
        stack = primary.member.region.stack
        return cls(
            zone_name=stack.zone_name,
            primary=DnsMember.of(primary),
            secondary=DnsMember.of(secondary),
            record_ttl_seconds=stack.dns.record_ttl_seconds,
        )


class FailoverDns(pulumi.ComponentResource):
    """A private zone with the writer's name, and a readers' name that leaves out an unreachable region."""

    zone_id: pulumi.Output[str]
    """The hosted zone's id."""
    writer_name: pulumi.Output[str]
    """The name of the current writer."""
    reader_name: pulumi.Output[str]
    """The name of the nearest reader."""
    health_check_ids: dict[str, pulumi.Output[str]]
    """Health check ids by name: the checks of the records, then the votes about the writer."""
    alarm_arns: list[pulumi.Output[str]]
    """The alarms on the records' checks; empty if neither region is us-east-1."""

    def __init__(self, name: str, args: FailoverDnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:failover_dns:FailoverDns", name, None, opts)
        self._name, self._args = name, args
        primary, secondary = args.primary, args.secondary
        self.zone_id = self._zone()
        votes = self._votes()
        writer_check = self._majority(list(votes.values()))
        primary_reader_check = self._reader_check(primary, observer=secondary)
        secondary_reader_check = self._reader_check(secondary, observer=primary)
        record_checks = {
            "writer": writer_check.id,
            f"reader-{primary.region.code}": primary_reader_check.id,
            f"reader-{secondary.region.code}": secondary_reader_check.id,
        }
        self.health_check_ids = {**record_checks, **{name: vote.id for name, vote in votes.items()}}
        self.writer_name = self._writer_record("PRIMARY", primary, writer_check).fqdn
        # No health check: if both records had one and both were unhealthy, Route 53 would answer with the primary.
        self._writer_record("SECONDARY", secondary, None)
        self.reader_name = self._reader_record(primary, primary_reader_check).fqdn
        self._reader_record(secondary, secondary_reader_check)
        self.alarm_arns = self._alarms(record_checks)
        self.register_outputs(
            {
                "zone_id": self.zone_id,
                "writer_name": self.writer_name,
                "reader_name": self.reader_name,
                "health_check_ids": self.health_check_ids,
            }
        )

    def _zone(self) -> pulumi.Output[str]:
        primary, secondary = self._args.primary, self._args.secondary
        zone = aws.route53.Zone(
            f"{self._name}-zone",
            name=self._args.zone_name,
            comment=f"{primary.region.name('global')}: names that follow the writer",
            vpcs=[aws.route53.ZoneVpcArgs(vpc_id=primary.vpc_id, vpc_region=primary.region.code)],
            force_destroy=not primary.region.is_production,
            tags={"Name": self._args.zone_name},
            # The association below attaches the second VPC, and the zone must not detach it. Clients depend on the names,
            # so a changed zone name is refused in production.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["vpcs"], protect=primary.region.is_production),
        )
        aws.route53.ZoneAssociation(
            f"{self._name}-{secondary.region.code}",
            zone_id=zone.zone_id,
            vpc_id=secondary.vpc_id,
            vpc_region=secondary.region.code,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return zone.zone_id

    def _votes(self) -> dict[str, aws.route53.HealthCheck]:
        """Create the checks that are healthy while they vote for the primary region."""
        primary, secondary = self._args.primary, self._args.secondary
        votes: list[tuple[str, Alarm, pulumi.Input[str], Region, WithoutData]] = [
            (
                "writer-elsewhere-remembered",
                WRITER_ROLE,
                secondary.writer_role_alarm,
                secondary.region,
                "LastKnownStatus",
            ),
            ("writer-elsewhere-heard", WRITER_ROLE, secondary.writer_role_alarm, secondary.region, "Healthy"),
            ("home-is-writer", READER_ROLE, primary.reader_role_alarm, primary.region, "Unhealthy"),
        ]
        return {
            name: self._check(name, alarm, alarm_name, region, without_data=without_data)
            for name, alarm, alarm_name, region, without_data in votes
        }

    def _majority(self, votes: list[aws.route53.HealthCheck]) -> aws.route53.HealthCheck:
        """Create the calculated check that is healthy while enough votes are healthy; `writer.<zone>` then resolves to the primary region.

        Source: Monitoring other health checks (calculated health checks), Route 53 developer guide.
        """
        return aws.route53.HealthCheck(
            f"{self._name}-writer",
            type="CALCULATED",
            child_healthchecks=[vote.id for vote in votes],
            child_health_threshold=VOTES_NEEDED,
            tags=self._args.primary.region.tags("dns-writer"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _reader_check(self, member: DnsMember, *, observer: DnsMember) -> aws.route53.HealthCheck:
        """Create the check of a region's readers, which follows the other region's alarm."""
        name = f"reader-{member.region.code}"
        return self._check(name, PEER_REGION_LOST, observer.peer_region_lost_alarm, observer.region)

    def _check(
        self,
        name: str,
        alarm: Alarm,
        alarm_name: pulumi.Input[str],
        region: Region,
        *,
        without_data: WithoutData = "LastKnownStatus",
    ) -> aws.route53.HealthCheck:
        """Create a check that is unhealthy while an alarm's metric breaches its threshold.

        By default the check keeps its last status while a region publishes no data.
        """
        return aws.route53.HealthCheck(
            f"{self._name}-{name}",
            type="CLOUDWATCH_METRIC",
            cloudwatch_alarm_name=alarm_name,
            cloudwatch_alarm_region=region.code,
            insufficient_data_health_status=without_data,
            # Route 53 copies the alarm's settings when the check is written, so a changed alarm must update the check.
            triggers={
                "metric": f"{alarm.statistic} of {alarm.metric}",
                "condition": f"{alarm.comparison} {alarm.threshold:g} in {alarm.minutes} min",
            },
            tags=region.tags(f"dns-{name}"),
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
            set_identifier=member.region.code,
            failover_routing_policies=[aws.route53.RecordFailoverRoutingPolicyArgs(type=role)],
            health_check_id=check.id if check else None,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _reader_record(self, member: DnsMember, check: aws.route53.HealthCheck) -> aws.route53.Record:
        return aws.route53.Record(
            f"{self._name}-reader-{member.region.code}",
            zone_id=self.zone_id,
            name=f"reader.{self._args.zone_name}",
            type="CNAME",
            ttl=self._args.record_ttl_seconds,
            records=[member.reader_endpoint],
            set_identifier=member.region.code,
            latency_routing_policies=[aws.route53.RecordLatencyRoutingPolicyArgs(region=member.region.code)],
            health_check_id=check.id,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _alarms(self, record_checks: dict[str, pulumi.Output[str]]) -> list[pulumi.Output[str]]:
        """Create the alarms that notify subscribers when a name moves, in the one region that has the metrics."""
        members = (self._args.primary, self._args.secondary)
        member = next((each for each in members if each.region.code == HEALTH_METRICS_REGION), None)
        if member is None:
            return []
        return [
            aws.cloudwatch.MetricAlarm(
                f"{self._name}-{name}",
                name=member.region.name(f"dns-{name}"),
                alarm_description=alarm_description(
                    f"DNS: the health check {name} is unhealthy, so the DNS name resolves to the other region.",
                    f"dns-{name.partition('-')[0]}",
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
                alarm_actions=[member.topic_arn],
                ok_actions=[member.topic_arn],
                tags=member.region.tags(f"dns-{name}"),
                opts=pulumi.ResourceOptions(parent=self, provider=member.region.provider),
            ).arn
            for name, check_id in record_checks.items()
        ]
