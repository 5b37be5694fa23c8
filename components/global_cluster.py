"""The global cluster, which the regional clusters join.

It is created empty and without a source cluster, so it never depends on which member is the writer.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.region import Region


@dataclass(frozen=True, kw_only=True)
class GlobalClusterArgs:
    """The region whose provider creates the global cluster."""

    region: Region


class GlobalCluster(pulumi.ComponentResource):
    """An empty Aurora global database."""

    global_cluster_id: pulumi.Output[str]
    """The global cluster's identifier."""
    global_cluster_arn: pulumi.Output[str]
    """The global cluster's ARN, whose region is empty."""
    writer_endpoint: pulumi.Output[str]
    """The global writer endpoint, which AWS moves in each managed switchover or failover."""

    def __init__(self, name: str, args: GlobalClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:global_cluster:GlobalCluster", name, None, opts)
        region = args.region
        cluster = aws.rds.GlobalCluster(
            f"{name}-cluster",
            global_cluster_identifier=region.name("global"),
            engine="aurora-mysql",
            engine_version=region.stack.database.engine_version,
            storage_encrypted=True,
            deletion_protection=region.is_production,
            # Each member leaves when it is destroyed; force_destroy would make it a standalone database.
            force_destroy=False,
            tags=region.tags("global"),
            opts=pulumi.ResourceOptions(parent=self, protect=region.is_production),
        )
        self.global_cluster_id, self.global_cluster_arn = cluster.id, cluster.arn
        self.writer_endpoint = cluster.endpoint
        self.register_outputs(
            {
                "global_cluster_id": self.global_cluster_id,
                "global_cluster_arn": self.global_cluster_arn,
                "writer_endpoint": self.writer_endpoint,
            }
        )
