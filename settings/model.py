"""Every setting of a stack with its default and description, as a typed, frozen model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from settings import types

PROJECT_NAMESPACE = "aurora-global-database"
PRODUCTION = "prod"
"""The protected environment; a stack of this name must use it."""
AUDIT_EXPORTS = ("audit", "iam-db-auth-error")
"""The database logs that show who logged in, and who failed to."""
AUDIT_RETENTION_DAYS = 365
"""The least retention of the audit trail in production. Source: CloudWatch.16, AWS Security Hub controls."""
_VPC_CIDR = (
    "the VPC's CIDR, /16 to /22; must not overlap the other region's CIDR. With `existing_vpc`, the CIDR of the VPC that "
    "holds the subnets"
)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExistingVpcSettings(_Section):
    """Use an existing VPC. The program then creates no VPC, subnets or route tables."""

    vpc_id: types.VpcId = Field(description="the VPC's id; DNS support and DNS host names must be on")
    subnet_ids: types.Subnets = Field(description="three private subnets, one in each of three zones")
    route_table_ids: types.RouteTables | None = Field(
        default=None,
        description="the subnets' route tables, to which the program adds a route to the other region",
    )


class ServerlessSettings(_Section):
    """Serverless v2 capacity in ACUs (about 2 GiB each), in steps of 0.5. Replaces `instance_class`.

    Without effect on provisioned instances: if removed, AWS keeps the last capacity.
    """

    min_acu: types.Acu = Field(ge=8, le=256, description="the minimum capacity; a global database needs 8 or more")
    max_acu: types.Acu = Field(ge=8, le=256, description="the maximum capacity, up to 256")


class RegionSettings(_Section):
    """One region of the database: its network and its instances."""

    region: types.RegionCode = Field(description="the region code")
    vpc_cidr: types.PrivateNetwork = Field(description=_VPC_CIDR)
    availability_zones: types.Zones | None = Field(
        default=None,
        description="three zones, in the order of the subnets. Without them each deployment asks AWS, and none succeeds while the "
        "region is lost; `preflight` prints them. With `existing_vpc`, the zones of its subnets: the program then does not "
        "look up the VPC, and needs `route_table_ids`",
    )
    existing_vpc: ExistingVpcSettings | None = None
    instance_class: types.InstanceClass = Field(
        default="db.r6g.large", description="memory-optimised, db.r5 or newer; no t-class"
    )
    instance_count: int = Field(default=2, ge=1, le=15, description="instances, 1 to 15; `prod` needs 2 or more")
    serverless: ServerlessSettings | None = None
    client_cidrs: types.ClientNetworks = Field(
        default=(), description="additional networks that may connect to the database; the two VPCs always may"
    )
    client_security_groups: types.SecurityGroups = Field(
        default=(), description="security groups of this region whose members may connect to the database"
    )
    maintenance_window: types.MaintenanceWindow | None = Field(
        default=None,
        description="the weekly maintenance window in UTC, such as `sun:04:00-sun:04:30`. Each further instance has its window after "
        "the one before, the writer of the first deployment last; if removed, AWS keeps the last one",
    )
    backup_window: types.BackupWindow | None = Field(
        default=None,
        description="the daily backup window in UTC, such as `02:00-02:30`; if removed, AWS keeps the last one",
    )

    @property
    def instance_windows(self) -> tuple[str | None, ...]:
        """The instances' maintenance windows, one after the other; that of the first instance, the usual writer, is the last.

        In one window for all, a change that restarts instances would restart the whole region at once.
        """
        window, count = self.maintenance_window, self.instance_count
        if window is None:
            return (None,) * count
        length = types.window_minutes_long(window)
        slots = (count - 1, *range(count - 1))
        return tuple(types.weekly_window(window, after=slot * length, lasting=length) for slot in slots)

    @property
    def maintenance_span(self) -> str | None:
        """The time from the first instance's window to the end of the last one's."""
        window = self.maintenance_window
        if window is None:
            return None
        return types.weekly_window(window, after=0, lasting=self.instance_count * types.window_minutes_long(window))

    @property
    def database_class(self) -> str:
        """The instance class in RDS's terms."""
        return "db.serverless" if self.serverless else self.instance_class

    @property
    def memory_gib(self) -> float:
        """The memory of an instance in GiB; with Serverless v2, at the maximum capacity."""
        return self.serverless.max_acu * 2 if self.serverless else types.class_memory_gib(self.instance_class)


class PrimarySettings(RegionSettings):
    """The region of the writer at the first deployment."""

    region: types.RegionCode = Field(default="us-east-1", description="the writer's region at the first deployment")
    vpc_cidr: types.PrivateNetwork = Field(default="10.10.0.0/16", description=_VPC_CIDR)


class SecondarySettings(RegionSettings):
    """The standby region at the first deployment. Give it the capacity of the primary: after a failover, it carries the primary's load."""

    region: types.RegionCode = Field(default="eu-west-1", description="the standby's region at the first deployment")
    vpc_cidr: types.PrivateNetwork = Field(default="10.20.0.0/16", description=_VPC_CIDR)


class DatabaseSettings(_Section):
    """The database, the same in both regions. TLS and IAM authentication are always on."""

    engine_version: types.EngineVersion = Field(
        default="8.0.mysql_aurora.3.10.4", description="one exact 3.10 version (LTS), the same in both regions"
    )
    name: types.DatabaseName = Field(default="payments", description="the name of the database")
    master_username: types.MasterUsername = Field(
        default="dbadmin", description="the master user; the password is generated"
    )
    master_password_readers: types.RoleArns = Field(
        default=(),
        description="the roles that may read the master password from its secret, among them those that deploy, preview and verify; "
        "empty: every principal of the account whose own policies allow it",
    )
    port: int = Field(default=3306, ge=1150, le=65535, description="the port of both clusters")
    iam_users: dict[types.DatabaseUser, Literal["read_only", "read_write"]] = Field(
        default={},
        max_length=50,
        description="users who log in with IAM tokens, each with `read_only` or `read_write`; the program creates an IAM policy for each",
    )
    backup_retention_days: int = Field(default=7, ge=7, le=35, description="the backup retention, 7 to 35")
    storage_type: Literal["aurora", "aurora-iopt1"] = Field(
        default="aurora", description="`aurora-iopt1` has no charge per I/O"
    )
    write_forwarding: bool = Field(
        default=False,
        description="forward writes from the standby to the writer",
    )
    cluster_parameters: dict[types.ParameterName, types.ParameterValue] = Field(
        default={}, description="additional cluster parameters, by MySQL's name"
    )
    instance_parameters: dict[types.ParameterName, types.ParameterValue] = Field(
        default={}, description="additional instance parameters, by MySQL's name"
    )
    ca_certificate: types.CertificateAuthority = Field(
        default="rds-ca-rsa2048-g1", description="the certificate authority of the instances' TLS certificates"
    )
    performance_insights: bool = Field(default=True, description="Performance Insights on both clusters")
    performance_insights_retention_days: types.InsightsRetentionDays = Field(
        default=7, description="7, 731, or a multiple of 31"
    )
    database_insights: Literal["standard", "advanced"] = Field(
        default="standard", description="`advanced` needs a Performance Insights retention of 465 days"
    )
    monitoring_interval_seconds: Literal[1, 5, 10, 15, 30, 60] = Field(
        default=60, description="the interval of enhanced monitoring: 1, 5, 10, 15, 30 or 60"
    )

    @property
    def insights_days(self) -> int | None:
        """The retention of Performance Insights in days; None if Performance Insights is off."""
        return self.performance_insights_retention_days if self.performance_insights else None


class RewindSettings(_Section):
    """The method and the window of a rewind of the writer's data (docs/decisions.md explains the two methods)."""

    window_hours: int = Field(
        default=24,
        ge=1,
        le=72,
        description="the hours that must stay restorable, 1 to 72; must not exceed the backup retention",
    )
    method: Literal["point-in-time", "backtrack"] = Field(
        default="point-in-time",
        description="`backtrack` is not supported by AWS for global databases; the preview warns about it",
    )


class FailoverSettings(_Section):
    """When the standby region may take over."""

    mode: Literal["automatic", "approve", "observe"] = Field(
        default="automatic",
        description="`automatic`, `approve` (an operator approves each failover) or `observe` (only notices)",
    )
    interval_seconds: float = Field(
        default=10,
        ge=0.2,
        le=30,
        description="seconds between cycles. Calls time out after 35 % of this, at most 3 s; use values below 5 only in rehearsals",
    )
    failure_threshold: int = Field(
        default=5,
        ge=2,
        le=30,
        description="consecutive failing cycles before the controller acts; two more for 90 cycles after a silence that healed. "
        "docs/benchmark.md compares the values",
    )
    in_region_grace_seconds: int = Field(
        default=120,
        ge=0,
        le=3600,
        description="seconds in which Aurora may recover an unreachable writer inside the writer's region",
    )
    cooldown_seconds: int = Field(
        default=900,
        ge=0,
        le=86400,
        description="seconds after a role change or a failed failover in which the controller does not fail over",
    )
    max_data_loss_seconds: int = Field(
        default=60,
        ge=0,
        le=86400,
        description="a failover with a higher possible data loss, in seconds, needs approval",
    )
    reserved_concurrency: int | None = Field(
        default=2,
        ge=2,
        le=10,
        description="reserved concurrency of each controller, 2 to 10; each health_check gets three times as much. Use `null` in an "
        "account with a concurrency limit of 10; other functions can then exhaust the concurrency",
    )

    @property
    def health_check_concurrency(self) -> int | None:
        """The reserved concurrency of each health_check: for the controllers of both regions and for operators."""
        return None if self.reserved_concurrency is None else 3 * self.reserved_concurrency

    @property
    def concurrency_reserved_in_a_region(self) -> int:
        """The reserved concurrency of all functions in a region."""
        return (self.reserved_concurrency or 0) + (self.health_check_concurrency or 0)


class AwsSettings(_Section):
    """The account and the credentials of the deployment. Pulumi's own `aws:*` keys do not reach the providers, so each is an error."""

    account_id: types.AccountId | None = Field(
        default=None,
        description="the account's id; credentials of another account stop the deployment before it changes anything. Required in `prod`",
    )
    profile: types.ProfileName | None = Field(
        default=None, description="the profile in the AWS configuration files whose credentials deploy"
    )
    assume_role_arn: types.RoleArn | None = Field(
        default=None, description="a role that the deployment assumes; the credentials need `sts:AssumeRole` on it"
    )
    ignored_tags: tuple[types.IgnoredTag, ...] = Field(
        default=(),
        description="tags that the organisation adds; the deployment leaves them alone. `map-*` stands for all that begin with `map-`",
    )

    @property
    def ignored_tag_keys(self) -> list[str]:
        """The ignored tags that are given by their whole key."""
        return [tag for tag in self.ignored_tags if not tag.endswith("*")]

    @property
    def ignored_tag_prefixes(self) -> list[str]:
        """The beginnings of the ignored tags that are given by a pattern."""
        return [tag.removesuffix("*") for tag in self.ignored_tags if tag.endswith("*")]

    def ignores_tag(self, key: str) -> bool:
        """Return whether the deployment ignores the tag with this key."""
        return key in self.ignored_tag_keys or key.startswith(tuple(self.ignored_tag_prefixes))


class DnsSettings(_Section):
    """The private hosted zone of both VPCs."""

    zone_name: types.ZoneName | None = Field(
        default=None,
        description="the private hosted zone, which contains the DNS names `writer` and `reader`. In both VPCs it hides every "
        "public name of that domain, so use one under `.internal`",
    )
    record_ttl_seconds: int = Field(
        default=5, ge=1, le=60, description="seconds for which a client may cache an answer, 1 to 60"
    )


class LogSettings(_Section):
    """Logs in CloudWatch."""

    retention_days: types.LogRetentionDays = Field(
        default=30, description="the retention of the log groups, apart from those of `audit_retention_days`"
    )
    audit_retention_days: types.LogRetentionDays | None = Field(
        default=None,
        description="the retention of the exports `audit` and `iam-db-auth-error` and of the flow logs; `prod` needs 365 or more",
    )
    flow_logs: bool | None = Field(
        default=None,
        description="record the connections in the VPCs that the program creates, accepted and rejected",
    )
    exports: types.LogExports = Field(
        default=("audit", "error", "slowquery"),
        description="the database logs to export; also `general`, `iam-db-auth-error` and `instance`",
    )


class NotificationSettings(_Section):
    """Subscribers to alarms and notices."""

    emails: tuple[types.Email, ...] = Field(default=(), description="e-mail addresses that receive alarms and notices")


class AlarmSettings(_Section):
    """Alarm thresholds. The RPO lag alarm uses `failover.max_data_loss_seconds`."""

    replication_lag_ms: int = Field(
        default=1000, ge=1, le=3_600_000, description="the standby's replication lag in milliseconds"
    )
    cpu_percent: float = Field(default=80, ge=1, le=100, description="an instance's CPU utilization")
    free_memory_percent: float = Field(
        default=6.25,
        ge=0.1,
        le=90,
        description="an instance's free memory, as a percentage of the instance class's memory",
    )
    connections_percent: float = Field(
        default=80,
        ge=1,
        le=100,
        description="an instance's connections, as a percentage of the instance class's connection limit",
    )
    deadlocks_per_second: float = Field(default=0.1, ge=0, le=1000, description="deadlocks per second")
    failed_logins_per_second: float = Field(default=0.5, ge=0, le=1000, description="failed logins per second")
    volume_left_tib: float = Field(
        default=10, ge=0.1, le=127, description="the free space of the cluster volume in TiB, of at most 128"
    )


class Settings(_Section):
    """The settings of a stack."""

    environment: types.EnvironmentName = Field(
        default="dev",
        description="the suffix of every physical resource name; `prod` protects resources that hold data, and requires "
        "`owner` and `aws.account_id`",
    )
    project: types.ProjectName = Field(
        default="payments", description="the prefix of every physical resource name, and the tag Project"
    )
    team: types.TagText = Field(default="platform", description="the tag Team")
    cost_center: types.TagText = Field(default="unassigned", description="the tag CostCenter")
    owner: types.TagText | None = Field(default=None, description="the tag Owner; required in `prod`")
    aws: AwsSettings = AwsSettings()
    primary: PrimarySettings = PrimarySettings()
    secondary: SecondarySettings = SecondarySettings()
    existing_peering: types.PeeringId | None = Field(
        default=None,
        description="the peering of two existing VPCs, which AWS allows only once; the program then creates neither a peering nor routes",
    )
    database: DatabaseSettings = DatabaseSettings()
    rewind: RewindSettings = RewindSettings()
    failover: FailoverSettings = FailoverSettings()
    dns: DnsSettings = DnsSettings()
    logs: LogSettings = LogSettings()
    notifications: NotificationSettings = NotificationSettings()
    alarms: AlarmSettings = AlarmSettings()
    tags: dict[types.TagText, types.TagValue] = Field(
        default={},
        description="additional tags of every resource, three or four: Route 53 takes ten, and the program sets the others",
    )

    @property
    def is_production(self) -> bool:
        """Whether the environment is `prod`: resources that hold data are protected. Any other stack can be destroyed."""
        return self.environment == PRODUCTION

    @property
    def audit_retention_days(self) -> int:
        """The retention of the log groups that show who connected to the database, in days."""
        by_default = AUDIT_RETENTION_DAYS if self.is_production else self.logs.retention_days
        return self.logs.audit_retention_days or by_default

    def retention_days_of(self, export: str) -> int:
        """Return the retention of the log group of a database log, in days."""
        return self.audit_retention_days if export in AUDIT_EXPORTS else self.logs.retention_days

    def has_flow_logs(self, region: RegionSettings) -> bool:
        """Return whether the program records the flows of a region's VPC. The owner of an existing VPC decides about its flow logs."""
        wanted = self.is_production if self.logs.flow_logs is None else self.logs.flow_logs
        return wanted and region.existing_vpc is None

    @property
    def backtrack_seconds(self) -> int | None:
        """The primary cluster's backtrack window; None with the method `point-in-time`."""
        return self.rewind.window_hours * 3600 if self.rewind.method == "backtrack" else None

    @property
    def zone_name(self) -> str:
        """The private zone's name. The default is under `.internal`, a domain reserved for private use."""
        return self.dns.zone_name or f"{self.project}-{self.environment}.internal"

    @property
    def default_tags(self) -> dict[str, str]:
        """The tags of every resource in both regions."""
        owner = {"Owner": self.owner} if self.owner else {}
        return {
            **self.tags,
            "Environment": self.environment,
            "Project": self.project,
            "Team": self.team,
            "CostCenter": self.cost_center,
            "ManagedBy": "Pulumi",
            **owner,
        }
