"""What every region has, whichever role it plays: what its database stands on, and what watches over it.

Owns: how the parts of one region are put together, and what they look like from outside. Does not own: the database
between the two layers (`regional_cluster`), nor which region is which: everything here is given its own region and
its peer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.alarms import AlarmThresholds, region_alarms
from components.encryption import EncryptionKey, EncryptionKeyArgs
from components.existing_vpc import ExistingVpc
from components.failover_controller import (
    METRIC_NAMESPACE,
    FailoverController,
    FailoverControllerArgs,
    FailoverPolicy,
    WatchedCluster,
)
from components.global_cluster import GlobalCluster
from components.health_check import HealthCheck
from components.lambda_function import VpcAccess
from components.monitoring import Monitoring, MonitoringArgs
from components.network import DatabaseClients, Network, NetworkArgs
from components.network_peering import PeeredNetwork
from components.notifications import Notifications, NotificationsArgs
from components.regional_cluster import RegionalCluster
from components.site import Region


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """What a region's database stands on."""

    site: Region
    vpc_cidr: str
    peer_cidr: str
    availability_zones: Sequence[pulumi.Input[str]]
    database_port: int
    emails: Sequence[str]
    existing_vpc: ExistingVpc | None = None
    """Used instead of a VPC of ours."""
    clients: DatabaseClients = field(default_factory=DatabaseClients)
    """Who else reaches the database."""


class Foundation(pulumi.ComponentResource):
    """A region's network, key and topic."""

    network: Network
    """The private network."""
    key_arn: pulumi.Output[str]
    """The key of everything that is encrypted in this region."""
    topic_arn: pulumi.Output[str]
    """Where this region's notices go."""
    vpc_access: VpcAccess
    """How a function of this region reaches the databases of both."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:region:Foundation", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        self.network = Network(
            f"{name}-network",
            NetworkArgs(
                site=args.site,
                vpc_cidr=args.vpc_cidr,
                peer_cidr=args.peer_cidr,
                availability_zones=args.availability_zones,
                database_port=args.database_port,
                existing_vpc=args.existing_vpc,
                clients=args.clients,
            ),
            opts=inside,
        )
        self.key_arn = EncryptionKey(f"{name}-encryption", EncryptionKeyArgs(site=args.site), opts=inside).key_arn
        self.topic_arn = Notifications(
            f"{name}-notifications",
            NotificationsArgs(site=args.site, key_arn=self.key_arn, emails=args.emails),
            opts=inside,
        ).topic_arn
        self.vpc_access = VpcAccess(
            vpc_id=self.network.vpc_id,
            subnet_ids=self.network.subnet_ids,
            database_cidrs={"own": args.vpc_cidr, "peer": args.peer_cidr},
            database_port=args.database_port,
        )
        self._args = args
        self.register_outputs({"key_arn": self.key_arn, "topic_arn": self.topic_arn})

    def as_peer(self, provider: aws.Provider) -> PeeredNetwork:
        """Return the region's network as one end of the peering, which needs each region's provider."""
        args = self._args
        return PeeredNetwork(site=args.site, network=self.network, vpc_cidr=args.vpc_cidr, provider=provider)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One region of the global database, with what looks at it from inside."""

    site: Region
    foundation: Foundation
    cluster: RegionalCluster
    health_check: HealthCheck

    def watched(self) -> WatchedCluster:
        """Return the member as a controller sees it."""
        return WatchedCluster(
            cluster_id=self.cluster.cluster_id,
            cluster_arn=self.cluster.cluster_arn,
            writer_host=self.cluster.writer_endpoint,
            reader_host=self.cluster.reader_endpoint,
            health_check_arn=self.health_check.function_arn,
        )


@dataclass(frozen=True, kw_only=True)
class WatchArgs:
    """Who watches whom, and when it may act."""

    own: Member
    peer: Member
    global_cluster: GlobalCluster
    policy: FailoverPolicy
    reserved_concurrency: int | None
    thresholds: AlarmThresholds
    database_port: int
    log_retention_days: int
    started_after: Sequence[pulumi.Resource]


class Watch(pulumi.ComponentResource):
    """A region's failover controller, alarms and dashboard."""

    controller: FailoverController
    """The function that decides."""
    monitoring: Monitoring
    """What people see."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:region:Watch", name, None, opts)
        own, base = args.own, args.own.foundation
        self.controller = FailoverController(
            f"{name}-controller",
            FailoverControllerArgs(
                site=own.site,
                peer_region=args.peer.site.region,
                global_cluster_id=args.global_cluster.global_cluster_id,
                global_cluster_arn=args.global_cluster.global_cluster_arn,
                own=own.watched(),
                peer=args.peer.watched(),
                database_port=args.database_port,
                health_check_name=own.health_check.function_name,
                policy=args.policy,
                reserved_concurrency=args.reserved_concurrency,
                topic_arn=base.topic_arn,
                key_arn=base.key_arn,
                log_retention_days=args.log_retention_days,
                started_after=args.started_after,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.monitoring = Monitoring(
            f"{name}-monitoring",
            MonitoringArgs(
                site=own.site,
                cluster_id=own.cluster.cluster_id,
                global_cluster_id=args.global_cluster.global_cluster_id,
                controller_name=self.controller.function_name,
                controller_arn=self.controller.function_arn,
                metric_namespace=METRIC_NAMESPACE,
                topic_arn=base.topic_arn,
                alarms=region_alarms(args.thresholds),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class RegionOutputs:
    """What another stack needs of one region."""

    region: str
    """The region's name."""
    vpc_id: pulumi.Output[str]
    """The VPC."""
    vpc_cidr: pulumi.Output[str]
    """The VPC's address range."""
    subnet_ids: list[pulumi.Output[str]]
    """The private subnets, one a zone."""
    database_security_group_id: pulumi.Output[str]
    """The security group of the cluster: it admits the database port from both VPCs."""
    function_security_group_id: pulumi.Output[str]
    """The security group of `health_check`."""
    key_arn: pulumi.Output[str]
    """The key of everything that is encrypted in this region."""
    secret_arn: pulumi.Output[str]
    """The master password's secret; in the secondary region its replica."""
    cluster_id: pulumi.Output[str]
    """The cluster's identifier."""
    cluster_arn: pulumi.Output[str]
    """The cluster's ARN: the target of a switchover or failover to this region."""
    port: pulumi.Output[int]
    """The port of both endpoints."""
    writer_endpoint: pulumi.Output[str]
    """The cluster endpoint: the writer's while this region has it, read-only while it stands by."""
    reader_endpoint: pulumi.Output[str]
    """The reader endpoint."""
    health_check_function_name: pulumi.Output[str]
    """The function that probes the databases."""
    health_check_function_arn: pulumi.Output[str]
    """Its ARN."""
    failover_controller_function_name: pulumi.Output[str]
    """The function that decides."""
    failover_controller_function_arn: pulumi.Output[str]
    """Its ARN."""
    table_name: pulumi.Output[str]
    """The table of the controller's state, lock and audit trail."""
    topic_arn: pulumi.Output[str]
    """The topic of alarms and notices: subscribe people and machines here."""
    alarm_arns: pulumi.Output[list[str]]
    """Every alarm of this region, those on DNS excepted."""
    dashboard_url: pulumi.Output[str]
    """Where the dashboard is shown."""

    @classmethod
    def of(cls, member: Member, watch: Watch, secret_arn: pulumi.Output[str]) -> "RegionOutputs":
        """Return the outputs of a region from its parts."""
        network, cluster, check = member.foundation.network, member.cluster, member.health_check
        return cls(
            region=member.site.region,
            vpc_id=network.vpc_id,
            vpc_cidr=network.vpc_cidr,
            subnet_ids=network.subnet_ids,
            database_security_group_id=network.database_security_group_id,
            function_security_group_id=check.security_group_id,
            key_arn=member.foundation.key_arn,
            secret_arn=secret_arn,
            cluster_id=cluster.cluster_id,
            cluster_arn=cluster.cluster_arn,
            port=cluster.port,
            writer_endpoint=cluster.writer_endpoint,
            reader_endpoint=cluster.reader_endpoint,
            health_check_function_name=check.function_name,
            health_check_function_arn=check.function_arn,
            failover_controller_function_name=watch.controller.function_name,
            failover_controller_function_arn=watch.controller.function_arn,
            table_name=watch.controller.table_name,
            topic_arn=member.foundation.topic_arn,
            alarm_arns=watch.monitoring.alarm_arns,
            dashboard_url=watch.monitoring.dashboard_url,
        )

    def values(self) -> dict[str, object]:
        """Return the outputs by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}
