"""One region's member of the global database.

Owns: the cluster, its instances, parameter groups, subnet group, log groups, and the role for enhanced monitoring.
Does not own: the global cluster, network, key, password; nor the roles of writer and standby: after day one those are
AWS's and the controller's, and this program neither undoes nor follows them.
Invariant: a change of roles by AWS never makes this program replace, detach or promote a cluster (`OWNED_BY_AWS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.cluster_options import ClusterOptions
from components.database_parameters import DatabaseParameter, cluster_parameters, instance_parameters
from components.policy import trust
from components.site import Region
from settings import DatabaseSettings, RegionSettings

# What a failover, a switchover or an upgrade of the global cluster changes under us. A provider that "repairs" one of
# them promotes the standby to a database of its own (replicationSourceIdentifier), takes the cluster out of the global
# database (globalClusterIdentifier), upgrades it out of step (engineVersion), resets a rotated password, or replaces
# the cluster: user name and database name can't be changed in place, and a former writer comes back as a secondary,
# which AWS describes differently. Source: aws_rds_cluster in the Terraform provider.
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
    """Who owns the database that is made with the cluster; AWS refuses these for a secondary."""

    username: str
    password: pulumi.Input[str]
    database_name: str


@dataclass(frozen=True, kw_only=True)
class InstanceArgs:
    """The instances of a cluster."""

    instance_class: str
    count: int
    availability_zones: Sequence[pulumi.Input[str]]
    monitoring_interval_seconds: int

    @classmethod
    def of(
        cls, database: DatabaseSettings, place: RegionSettings, zones: Sequence[pulumi.Input[str]]
    ) -> "InstanceArgs":
        """Return what the settings say."""
        return cls(
            instance_class=place.database_class,
            count=place.instance_count,
            availability_zones=zones,
            monitoring_interval_seconds=database.monitoring_interval_seconds,
        )


@dataclass(frozen=True, kw_only=True)
class RegionalClusterArgs:
    """What a member cluster is made of."""

    site: Region
    global_cluster_id: pulumi.Input[str]
    engine_version: str
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    port: int
    instances: InstanceArgs
    backup_retention_days: int
    log_retention_days: int
    performance_insights_retention_days: int | None
    """None: off."""
    master: MasterUser | None = None
    """Given for the member that is made first, never for the one that joins it."""
    source_region: str | None = None
    """Where the first member is, for the one that joins it."""
    backtrack_window_seconds: int | None = None
    options: ClusterOptions = field(default_factory=ClusterOptions)
    created_after: Sequence[pulumi.Resource] = ()
    """What must exist before the cluster: for a secondary, the primary's instances."""


class RegionalCluster(pulumi.ComponentResource):
    """An Aurora MySQL cluster with its instances, member of a global database."""

    cluster_id: pulumi.Output[str]
    """The cluster's identifier."""
    cluster_arn: pulumi.Output[str]
    """The cluster's ARN."""
    resource_id: pulumi.Output[str]
    """The id by which IAM names the cluster's database users."""
    database_name: pulumi.Output[str | None]
    """The database that was created with the first member, whatever the settings say by now."""
    port: pulumi.Output[int]
    """The port of both endpoints."""
    writer_endpoint: pulumi.Output[str]
    """The cluster endpoint: the writer's while this member is the writer, read-only while it stands by."""
    reader_endpoint: pulumi.Output[str]
    """The reader endpoint."""
    instances: list[pulumi.Resource]
    """The instances; the first one is the writer on day one."""

    def __init__(self, name: str, args: RegionalClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:regional_cluster:RegionalCluster", name, None, opts)
        self._name, self._args = name, args
        self._subnet_group = self._make_subnet_group()
        cluster = self._cluster()
        self.cluster_id, self.cluster_arn, self.resource_id = cluster.id, cluster.arn, cluster.cluster_resource_id
        self.port, self.reader_endpoint = cluster.port, cluster.reader_endpoint
        said = args.master.database_name if args.master else None
        # A member that has become a secondary may be described without it.
        self.database_name = cluster.database_name.apply(lambda name: name or said)
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
        site = self._args.site
        return aws.rds.SubnetGroup(
            f"{self._name}-subnets",
            name=site.name("database"),
            description=f"Three zones of {site.region}",
            subnet_ids=list(self._args.subnet_ids),
            tags=site.tags("database"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _cluster_parameters(self) -> aws.rds.ClusterParameterGroup:
        site = self._args.site
        return aws.rds.ClusterParameterGroup(
            f"{self._name}-cluster-parameters",
            name=site.name("cluster"),
            family="aurora-mysql8.0",
            description="TLS required, binary log off, events on, log-ins and changes of rights and tables audited",
            parameters=[
                aws.rds.ClusterParameterGroupParameterArgs(**_parameter(each))
                for each in cluster_parameters(self._args.options.cluster_parameters)
            ],
            tags=site.tags("cluster"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _instance_parameters(self) -> aws.rds.ParameterGroup:
        site, options = self._args.site, self._args.options
        return aws.rds.ParameterGroup(
            f"{self._name}-instance-parameters",
            name=site.name("instance"),
            family="aurora-mysql8.0",
            description="Queries of a second and more are logged",
            parameters=[
                aws.rds.ParameterGroupParameterArgs(**_parameter(each))
                for each in instance_parameters(options.instance_parameters, options.log_exports)
            ],
            tags=site.tags("instance"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _log_groups(self) -> list[pulumi.Resource]:
        """Make the groups that the cluster exports to; otherwise RDS makes them, unencrypted and kept for ever."""
        args = self._args
        return [
            aws.cloudwatch.LogGroup(
                f"{self._name}-log-{log}",
                name=f"/aws/rds/cluster/{args.site.cluster_id}/{log}",
                retention_in_days=args.log_retention_days,
                kms_key_id=args.key_arn,
                tags=args.site.tags(f"database-{log}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for log in args.options.log_exports
        ]

    def _cluster(self) -> aws.rds.Cluster:
        args, site, master = self._args, self._args.site, self._args.master
        options = args.options
        insights_days = args.performance_insights_retention_days
        return aws.rds.Cluster(
            f"{self._name}-cluster",
            cluster_identifier=site.cluster_id,
            # Stays in the state although its changes are ignored: only then does the provider take the cluster out of
            # the global database on destroy.
            global_cluster_identifier=args.global_cluster_id,
            engine=aws.rds.EngineType.AURORA_MYSQL,
            engine_version=args.engine_version,
            database_name=master.database_name if master else None,
            master_username=master.username if master else None,
            # Managed by us: RDS-managed passwords are not for global databases. Source: Limitations of Aurora global
            # databases.
            master_password=master.password if master else None,
            source_region=args.source_region,
            port=args.port,
            db_subnet_group_name=self._subnet_group.name,
            vpc_security_group_ids=[args.security_group_id],
            db_cluster_parameter_group_name=self._cluster_parameters().name,
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            iam_database_authentication_enabled=True,
            backup_retention_period=args.backup_retention_days,
            preferred_backup_window=options.backup_window,
            preferred_maintenance_window=options.maintenance_window,
            backtrack_window=args.backtrack_window_seconds,
            # The provider knows Aurora's own by no name.
            storage_type=options.storage_type if options.storage_type != "aurora" else None,
            serverlessv2_scaling_configuration=options.scaling,
            # On both members: a writer makes no use of it until it is demoted. Source: CreateDBCluster,
            # EnableGlobalWriteForwarding.
            enable_global_write_forwarding=options.write_forwarding or None,
            copy_tags_to_snapshot=True,
            enabled_cloudwatch_logs_exports=list(options.log_exports),
            # Aurora's instances take these from their cluster. Source: Considerations for Database Insights, Aurora.
            database_insights_mode=options.database_insights,
            performance_insights_enabled=insights_days is not None,
            performance_insights_kms_key_id=args.key_arn if insights_days else None,
            performance_insights_retention_period=insights_days,
            deletion_protection=site.is_production,
            skip_final_snapshot=not site.is_production,
            final_snapshot_identifier=f"{site.project}-{site.region}-final-{site.environment}"
            if site.is_production
            else None,
            delete_automated_backups=not site.is_production,
            # In production a change that restarts waits for the maintenance window.
            apply_immediately=not site.is_production,
            tags={"Name": site.cluster_id},
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=site.is_production,
                depends_on=[*self._log_groups(), *args.created_after],
                ignore_changes=OWNED_BY_AWS,
            ),
        )

    def _instances(self, cluster: aws.rds.Cluster) -> list[pulumi.Resource]:
        role, permission = self._monitoring_role()
        parameters = self._instance_parameters()
        first: list[pulumi.Resource] = []
        instances: list[pulumi.Resource] = []
        for number in range(1, self._args.instances.count + 1):
            # Aurora makes the first instance that comes up the writer: the others wait for it, and are the first to go
            # on destroy.
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
        site, instances, options = self._args.site, self._args.instances, self._args.options
        zones = instances.availability_zones
        return aws.rds.ClusterInstance(
            f"{self._name}-instance-{number}",
            identifier=site.instance_id(number),
            cluster_identifier=cluster.id,
            engine=aws.rds.EngineType.AURORA_MYSQL,
            instance_class=instances.instance_class,
            availability_zone=zones[(number - 1) % len(zones)],
            db_subnet_group_name=self._subnet_group.name,
            db_parameter_group_name=parameters.name,
            promotion_tier=min(number - 1, 15),
            publicly_accessible=False,
            auto_minor_version_upgrade=False,  # All members must have one version, or no failover is possible.
            monitoring_interval=instances.monitoring_interval_seconds,
            monitoring_role_arn=monitoring_role.arn,
            ca_cert_identifier=options.ca_certificate,
            preferred_maintenance_window=options.maintenance_window,
            copy_tags_to_snapshot=True,
            apply_immediately=not site.is_production,
            tags={"Name": site.instance_id(number)},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                # The zone: see the subnets. The version: an instance always has its cluster's.
                ignore_changes=["availabilityZone", "engineVersion"],
            ),
        )

    def _monitoring_role(self) -> tuple[aws.iam.Role, pulumi.Resource]:
        site = self._args.site
        role = aws.iam.Role(
            f"{self._name}-monitoring",
            name=site.global_name("monitoring"),
            description="Lets RDS write the operating system's metrics of the database instances to CloudWatch Logs",
            assume_role_policy=trust(site, "monitoring.rds.amazonaws.com"),
            tags=site.tags("monitoring"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.iam.RolePolicyAttachment(
            f"{self._name}-monitoring",
            role=role.name,
            # AWS's own policy for this role. Source: Setting up Enhanced Monitoring, Aurora user guide.
            policy_arn=pulumi.Output.concat(
                "arn:", site.partition, ":iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role, permission


def _parameter(each: DatabaseParameter) -> dict[str, str]:
    return {"name": each.name, "value": each.value, "apply_method": each.apply_method}


def _writer_endpoint(endpoints: Sequence[str]) -> str:
    """Return a cluster's endpoint, also while AWS doesn't say it: of a standby it describes the reader endpoint alone.

    The two differ by `ro-`. So this value is the same before and after a change of roles, and with it everything that
    hangs on it: records, functions, outputs.
    Source: Aurora connection management; hashicorp/terraform-provider-aws issue 14219.
    """
    endpoint, reader_endpoint = endpoints
    return endpoint or reader_endpoint.replace(".cluster-ro-", ".cluster-", 1)
