"""One region's member of the global database: cluster, instances, parameter groups, log groups and monitoring role.

After the first deployment AWS and the controller decide which member is the writer; the program never reverts that (`OWNED_BY_AWS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.database_parameters import DatabaseParameter, cluster_parameters, instance_parameters
from components.foundation import Foundation
from components.global_cluster import GlobalCluster
from components.iam_policy import trust
from components.region import Region
from settings import DatabaseSettings

# A failover, a switchover or an upgrade of the global cluster changes these. If the provider reverted them, it would promote
# the standby to a standalone cluster (replicationSourceIdentifier), remove the cluster from the global database
# (globalClusterIdentifier), upgrade it out of order (engineVersion) or restore an old password. It would replace the cluster
# for another user or database name, which AWS describes differently for a former writer. Source: aws_rds_cluster in the
# Terraform provider.
OWNED_BY_AWS = [
    "replicationSourceIdentifier",
    "globalClusterIdentifier",
    "engineVersion",
    "masterPassword",
    "masterUsername",
    "databaseName",
]


@dataclass(frozen=True, kw_only=True)
class MasterUser:
    """The master user, and the database that is created with the primary cluster."""

    username: str
    password: pulumi.Input[str]
    database_name: str

    @classmethod
    def of(cls, database: DatabaseSettings, password: pulumi.Input[str]) -> "MasterUser":
        """Return the master user that the settings name."""
        return cls(username=database.master_username, password=password, database_name=database.name)


@dataclass(frozen=True, kw_only=True)
class RegionalClusterArgs:
    """The cluster's region and the resources that it uses."""

    region: Region
    global_cluster_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    master: MasterUser | None = None
    """The master user of the primary cluster; None for the secondary, where AWS refuses one."""
    source: "RegionalCluster | None" = None
    """For the secondary cluster: the primary one, whose instances are created first. For the primary cluster: None."""

    @classmethod
    def of(
        cls,
        foundation: Foundation,
        global_cluster: GlobalCluster,
        *,
        master: MasterUser | None = None,
        source: "RegionalCluster | None" = None,
    ) -> "RegionalClusterArgs":
        """Return the arguments for the primary cluster (with `master`) or the secondary cluster (with `source`)."""
        return cls(
            region=foundation.region,
            global_cluster_id=global_cluster.global_cluster_id,
            subnet_ids=foundation.network.subnet_ids,
            security_group_id=foundation.network.database_security_group_id,
            key_arn=foundation.key_arn,
            master=master,
            source=source,
        )


class RegionalCluster(pulumi.ComponentResource):
    """An Aurora MySQL cluster with its instances, member of a global database."""

    region: Region
    """The cluster's region."""
    cluster_id: pulumi.Output[str]
    """The cluster's identifier."""
    cluster_arn: pulumi.Output[str]
    """The cluster's ARN."""
    resource_id: pulumi.Output[str]
    """The resource id, which IAM uses in the ARNs of database users."""
    database_name: pulumi.Output[str | None]
    """The database that was created with the primary cluster, even if the setting has changed since."""
    port: pulumi.Output[int]
    """The port of both endpoints."""
    writer_endpoint: pulumi.Output[str]
    """The cluster endpoint: the writer while this member is the writer, read-only while it is the standby."""
    reader_endpoint: pulumi.Output[str]
    """The reader endpoint."""
    instances: list[pulumi.Resource]
    """The instances; the first one is the cluster's first writer."""

    def __init__(self, name: str, args: RegionalClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:regional_cluster:RegionalCluster", name, None, opts)
        self._name, self._args, self.region = name, args, args.region
        self._settings, self._database = args.region.settings, args.region.stack.database
        self._subnet_group = self._make_subnet_group()
        cluster = self._cluster()
        self.cluster_id, self.cluster_arn, self.resource_id = cluster.id, cluster.arn, cluster.cluster_resource_id
        self.port, self.reader_endpoint = cluster.port, cluster.reader_endpoint
        configured = args.master.database_name if args.master else None
        # AWS may describe a cluster that became the standby without a database name.
        self.database_name = cluster.database_name.apply(lambda name: name or configured)
        self.writer_endpoint = pulumi.Output.all(cluster.endpoint, cluster.reader_endpoint).apply(_writer_endpoint)
        self.instances = self._instances(cluster)
        self.register_outputs(
            {
                "cluster_id": self.cluster_id,
                "cluster_arn": self.cluster_arn,
                "resource_id": self.resource_id,
                "port": self.port,
                "writer_endpoint": self.writer_endpoint,
                "reader_endpoint": self.reader_endpoint,
            }
        )

    def _make_subnet_group(self) -> aws.rds.SubnetGroup:
        region = self.region
        return aws.rds.SubnetGroup(
            f"{self._name}-subnets",
            name=region.name("database"),
            description=f"Three zones of {region.code}",
            subnet_ids=list(self._args.subnet_ids),
            tags=region.tags("database"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _cluster_parameters(self) -> aws.rds.ClusterParameterGroup:
        region = self.region
        return aws.rds.ClusterParameterGroup(
            f"{self._name}-cluster-parameters",
            name=region.name("cluster"),
            family="aurora-mysql8.0",
            description="TLS required, binary log off, event scheduler on; connections, DCL and DDL audited",
            parameters=[
                aws.rds.ClusterParameterGroupParameterArgs(**_parameter(each))
                for each in cluster_parameters(self._database.cluster_parameters)
            ],
            tags=region.tags("cluster"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _instance_parameters(self) -> aws.rds.ParameterGroup:
        region, database = self.region, self._database
        return aws.rds.ParameterGroup(
            f"{self._name}-instance-parameters",
            name=region.name("instance"),
            family="aurora-mysql8.0",
            description="Slow query log",
            parameters=[
                aws.rds.ParameterGroupParameterArgs(**_parameter(each))
                for each in instance_parameters(database.instance_parameters, region.stack.logs.exports)
            ],
            tags=region.tags("instance"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _log_groups(self) -> list[pulumi.Resource]:
        """Create the log groups of the exports; otherwise RDS creates them, unencrypted and never expiring."""
        region, logs = self.region, self.region.stack.logs
        return [
            aws.cloudwatch.LogGroup(
                f"{self._name}-log-{log}",
                name=f"/aws/rds/cluster/{region.cluster_id}/{log}",
                retention_in_days=region.stack.retention_days_of(log),
                kms_key_id=self._args.key_arn,
                tags=region.tags(f"database-{log}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for log in logs.exports
        ]

    def _cluster(self) -> aws.rds.Cluster:
        args, region, settings, database = self._args, self.region, self._settings, self._database
        master, source, production = args.master, args.source, region.is_production
        scaling = settings.serverless and aws.rds.ClusterServerlessv2ScalingConfigurationArgs(
            min_capacity=settings.serverless.min_acu, max_capacity=settings.serverless.max_acu
        )
        return aws.rds.Cluster(
            f"{self._name}-cluster",
            cluster_identifier=region.cluster_id,
            # Set although its changes are ignored: the provider removes the cluster from the global database on destroy
            # only if it is in the state.
            global_cluster_identifier=args.global_cluster_id,
            engine=aws.rds.EngineType.AURORA_MYSQL,
            engine_version=database.engine_version,
            database_name=master.database_name if master else None,
            master_username=master.username if master else None,
            # RDS does not manage passwords of global databases. Source: Limitations of Aurora global databases.
            master_password=master.password if master else None,
            source_region=source.region.code if source else None,
            port=database.port,
            db_subnet_group_name=self._subnet_group.name,
            vpc_security_group_ids=[args.security_group_id],
            db_cluster_parameter_group_name=self._cluster_parameters().name,
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            iam_database_authentication_enabled=True,
            backup_retention_period=database.backup_retention_days,
            preferred_backup_window=settings.backup_window,
            preferred_maintenance_window=settings.maintenance_window,
            backtrack_window=region.stack.backtrack_seconds if master else None,
            # Also the default: the provider ignores a storage type that is left out, and the price of aurora-iopt1 would stay.
            # Source: hashicorp/terraform-provider-aws issue 39267.
            storage_type=database.storage_type,
            serverlessv2_scaling_configuration=scaling,
            # On both members: a writer uses it once it is demoted. Source: CreateDBCluster, EnableGlobalWriteForwarding.
            enable_global_write_forwarding=database.write_forwarding or None,
            copy_tags_to_snapshot=True,
            enabled_cloudwatch_logs_exports=list(region.stack.logs.exports),
            # Aurora instances inherit these from their cluster. Source: Considerations for Database Insights, Aurora.
            database_insights_mode=database.database_insights,
            performance_insights_enabled=database.performance_insights,
            performance_insights_kms_key_id=args.key_arn if database.performance_insights else None,
            performance_insights_retention_period=database.insights_days,
            deletion_protection=production,
            skip_final_snapshot=not production,
            final_snapshot_identifier=region.final_snapshot_id if production else None,
            delete_automated_backups=not production,
            # In production a change that needs a restart waits for the maintenance window.
            apply_immediately=not production,
            tags={"Name": region.cluster_id},
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=production,
                depends_on=[*self._log_groups(), *(source.instances if source else [])],
                ignore_changes=OWNED_BY_AWS,
            ),
        )

    def _instances(self, cluster: aws.rds.Cluster) -> list[pulumi.Resource]:
        role, permission = self._monitoring_role()
        parameters = self._instance_parameters()
        first: list[pulumi.Resource] = []
        instances: list[pulumi.Resource] = []
        for number in range(1, self._settings.instance_count + 1):
            # Aurora makes the first available instance the writer, so the others are created after it and destroyed
            # before it.
            instances.append(self._instance(number, cluster, role, parameters, [permission, *first]))
            first = instances[:1]
        return instances

    def _instance(
        self,
        number: int,
        cluster: aws.rds.Cluster,
        monitoring_role: aws.iam.Role,
        parameters: aws.rds.ParameterGroup,
        after: list[pulumi.Resource],
    ) -> aws.rds.ClusterInstance:
        region, settings, zones = self.region, self._settings, self.region.zones
        return aws.rds.ClusterInstance(
            f"{self._name}-instance-{number}",
            identifier=region.instance_id(number),
            cluster_identifier=cluster.id,
            engine=aws.rds.EngineType.AURORA_MYSQL,
            instance_class=settings.database_class,
            availability_zone=zones[(number - 1) % len(zones)],
            db_subnet_group_name=self._subnet_group.name,
            db_parameter_group_name=parameters.name,
            promotion_tier=min(number - 1, 15),
            publicly_accessible=False,
            auto_minor_version_upgrade=False,  # A failover needs the same version in both regions.
            monitoring_interval=self._database.monitoring_interval_seconds,
            monitoring_role_arn=monitoring_role.arn,
            ca_cert_identifier=self._database.ca_certificate,
            preferred_maintenance_window=settings.instance_windows[number - 1],
            copy_tags_to_snapshot=True,
            apply_immediately=not region.is_production,
            tags={"Name": region.instance_id(number)},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                # AWS may return its zones in another order; the version follows the cluster.
                ignore_changes=["availabilityZone", "engineVersion"],
            ),
        )

    def _monitoring_role(self) -> tuple[aws.iam.Role, pulumi.Resource]:
        region = self.region
        role = aws.iam.Role(
            f"{self._name}-monitoring",
            name=region.global_name("monitoring"),
            description="Lets RDS write enhanced monitoring metrics to CloudWatch Logs",
            assume_role_policy=trust(region, "monitoring.rds.amazonaws.com"),
            tags=region.tags("monitoring"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.iam.RolePolicyAttachment(
            f"{self._name}-monitoring",
            role=role.name,
            # AWS's managed policy for this role. Source: Setting up Enhanced Monitoring, Aurora user guide.
            policy_arn=pulumi.Output.concat(
                "arn:", region.partition, ":iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role, permission


def _parameter(each: DatabaseParameter) -> dict[str, str]:
    return {"name": each.name, "value": each.value, "apply_method": each.apply_method}


def _writer_endpoint(endpoints: Sequence[str]) -> str:
    """Return a cluster's endpoint, made from the reader endpoint if AWS returns no other, as for a standby.

    The value, and the records, functions and outputs that use it, therefore stay the same when the roles change.
    Source: Aurora connection management; hashicorp/terraform-provider-aws issue 14219.
    """
    endpoint, reader_endpoint = endpoints
    return endpoint or reader_endpoint.replace(".cluster-ro-", ".cluster-", 1)
