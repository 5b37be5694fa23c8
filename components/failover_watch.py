"""The failover controller of one region, with its alarms and dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.alarms import region_alarms
from components.failover_controller import FailoverController, FailoverControllerArgs, WatchedCluster
from components.foundation import Foundation
from components.global_cluster import GlobalCluster
from components.health_check import HealthCheck
from components.monitoring import Monitoring, MonitoringArgs
from components.region import Region
from components.regional_cluster import RegionalCluster


@dataclass(frozen=True, kw_only=True)
class GlobalMember:
    """One region of the global database: its foundation, cluster and health check."""

    foundation: Foundation
    cluster: RegionalCluster
    health_check: HealthCheck

    @property
    def region(self) -> Region:
        """The member's region."""
        return self.foundation.region

    @property
    def watched_cluster(self) -> WatchedCluster:
        """The cluster and its health check, as inputs of a controller."""
        return WatchedCluster(
            cluster_id=self.cluster.cluster_id,
            cluster_arn=self.cluster.cluster_arn,
            writer_host=self.cluster.writer_endpoint,
            reader_host=self.cluster.reader_endpoint,
            health_check_arn=self.health_check.function_arn,
        )


@dataclass(frozen=True, kw_only=True)
class FailoverWatchArgs:
    """The region's member and its peer; the controller watches both."""

    own: GlobalMember
    peer: GlobalMember
    global_cluster: GlobalCluster
    started_after: Sequence[pulumi.Resource]
    """The resources that the first cycle needs."""


class FailoverWatch(pulumi.ComponentResource):
    """A region's failover controller, alarms and dashboard."""

    member: GlobalMember
    """The member in this region."""
    controller: FailoverController
    """The function that decides."""
    monitoring: Monitoring
    """The alarms and the dashboard."""

    def __init__(self, name: str, args: FailoverWatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:failover:FailoverWatch", name, None, opts)
        self.member = own = args.own
        self.controller = FailoverController(
            f"{name}-controller",
            FailoverControllerArgs(
                region=own.region,
                peer_region=args.peer.region.code,
                global_cluster_id=args.global_cluster.global_cluster_id,
                global_cluster_arn=args.global_cluster.global_cluster_arn,
                own=own.watched_cluster,
                peer=args.peer.watched_cluster,
                health_check_name=own.health_check.function_name,
                topic_arn=own.foundation.topic_arn,
                key_arn=own.foundation.key_arn,
                started_after=args.started_after,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.monitoring = Monitoring(
            f"{name}-monitoring",
            MonitoringArgs(
                region=own.region,
                cluster_id=own.cluster.cluster_id,
                global_cluster_id=args.global_cluster.global_cluster_id,
                controller_name=self.controller.function_name,
                controller_arn=self.controller.function_arn,
                topic_arn=own.foundation.topic_arn,
                alarms=region_alarms(own.region.stack, own.region.settings),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
