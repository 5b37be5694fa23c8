"""The global database: the frame that the regional clusters join.

Owns: the global cluster and its engine version (members follow it). Does not own: the members.
Invariant: it is created empty, before its members, without a source cluster; so it never depends on which of them is
the writer.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.site import Region


@dataclass(frozen=True, kw_only=True)
class GlobalClusterArgs:
    """The global database's name and version."""

    site: Region
    engine_version: str


class GlobalCluster(pulumi.ComponentResource):
    """An empty Aurora global database."""

    global_cluster_id: pulumi.Output[str]
    """The global cluster's identifier."""
    global_cluster_arn: pulumi.Output[str]
    """The global cluster's ARN, whose region is empty."""
    writer_endpoint: pulumi.Output[str]
    """The global writer endpoint, which follows managed switchovers and failovers by itself."""

    def __init__(self, name: str, args: GlobalClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:global_cluster:GlobalCluster", name, None, opts)
        site = args.site
        cluster = aws.rds.GlobalCluster(
            f"{name}-cluster",
            global_cluster_identifier=site.name("global"),
            engine="aurora-mysql",
            engine_version=args.engine_version,
            storage_encrypted=True,
            deletion_protection=site.is_production,
            # The members leave one by one as they are destroyed; forcing would make them standalone databases.
            force_destroy=False,
            tags=site.tags("global"),
            opts=pulumi.ResourceOptions(parent=self, protect=site.is_production),
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
