"""The stack's configuration as a typed, frozen model.

Owns: every setting, its default and what it is for; how a stack's configuration is read.
Does not own: what one value may be (`settings.types`), the rules over several (`settings.rules`), the words for mistakes
(`settings.errors`), what is built from it all (`components/`), nor AWS's answers.
Invariant: a `Settings` that exists is one that the program can deploy; whatever is wrong is said before anything is
registered.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from settings import types

PROJECT_NAMESPACE = "aurora-global-database"
PRODUCTION = "prod"
"""The environment that is protected, and the name of a stack that must be in it."""
_VPC_CIDR = "the private network, /16 to /22; must not overlap the other region's; with `existing_vpc` the CIDR that this one has"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExistingVpcSettings(_Section):
    """A VPC that is there already, used instead of one of ours: no VPC, subnet or route table is made then."""

    vpc_id: types.VpcId = Field(description="the VPC; DNS support and DNS host names must be on")
    subnet_ids: types.Subnets = Field(description="three private subnets, one in each of three zones")
    route_table_ids: types.RouteTables | None = Field(
        default=None,
        description="the subnets' route tables, which get the route to the other region; the main one if left out",
    )


class ServerlessSettings(_Section):
    """Serverless v2: between which capacities an instance scales, in units of about 2 GiB (ACU), in halves."""

    min_acu: types.Acu = Field(ge=8, le=256, description="the least capacity; a global database needs 8 or more")
    max_acu: types.Acu = Field(ge=8, le=256, description="the greatest capacity, up to 256")


class RegionSettings(_Section):
    """One region of the database: its network and its instances."""

    region: types.Region = Field(description="the region's code")
    vpc_cidr: types.PrivateNetwork = Field(description=_VPC_CIDR)
    availability_zones: types.Zones | None = Field(default=None, description="three zones")
    existing_vpc: ExistingVpcSettings | None = None
    instance_class: types.InstanceClass = Field(
        default="db.r6g.large", description="memory-optimised, db.r5 or newer; no t-class"
    )
    instance_count: int = Field(default=2, ge=1, le=15, description="instances, 1 to 15; `prod` needs 2 or more")
    serverless: ServerlessSettings | None = None
    client_cidrs: types.ClientNetworks = Field(
        default=(), description="further networks that reach the database; the two VPCs always do"
    )
    client_security_groups: types.SecurityGroups = Field(
        default=(), description="security groups of this region whose members reach the database"
    )
    maintenance_window: types.MaintenanceWindow | None = Field(
        default=None, description="when AWS may maintain it, in UTC, such as `sun:04:00-sun:04:30`"
    )
    backup_window: types.BackupWindow | None = Field(
        default=None, description="when the daily backup is made, in UTC, such as `02:00-02:30`"
    )

    @property
    def database_class(self) -> str:
        """The class of every instance, as RDS calls it."""
        return "db.serverless" if self.serverless else self.instance_class

    @property
    def memory_gib(self) -> float:
        """The memory of an instance; with Serverless v2 at its greatest capacity."""
        return self.serverless.max_acu * 2 if self.serverless else types.class_memory_gib(self.instance_class)


class PrimarySettings(RegionSettings):
    """The region where the writer lives on day one."""

    region: types.Region = Field(default="us-east-1", description="where the writer lives on day one")
    vpc_cidr: types.PrivateNetwork = Field(default="10.10.0.0/16", description=_VPC_CIDR)


class SecondarySettings(RegionSettings):
    """The region that stands by on day one; as large as the primary, or it can't carry the load after a failover."""

    region: types.Region = Field(default="eu-west-1", description="where the standby lives on day one")
    vpc_cidr: types.PrivateNetwork = Field(default="10.20.0.0/16", description=_VPC_CIDR)


class DatabaseSettings(_Section):
    """The database itself, the same in both regions. TLS and IAM log-ins are always on: the health checks use both."""

    engine_version: types.EngineVersion = Field(
        default="8.0.mysql_aurora.3.10.4", description="one exact 3.10 version (LTS), the same in both regions"
    )
    name: types.DatabaseName = Field(default="payments", description="the database that is created")
    master_username: types.MasterUsername = Field(
        default="dbadmin", description="the master user; the password is generated"
    )
    port: int = Field(default=3306, ge=1150, le=65535, description="the port of both clusters")
    iam_users: dict[types.DatabaseUser, Literal["read_only", "read_write"]] = Field(
        default={},
        max_length=50,
        description="people who log in with IAM tokens: user -> `read_only` or `read_write`; each gets an IAM policy",
    )
    backup_retention_days: int = Field(default=7, ge=7, le=35, description="how long backups are kept, 7 to 35")
    storage_type: Literal["aurora", "aurora-iopt1"] = Field(
        default="aurora", description="`aurora-iopt1` has no charge for I/O"
    )
    write_forwarding: bool = Field(
        default=False,
        description="whether the standby forwards writes to the writer (both members, whatever their role)",
    )
    cluster_parameters: dict[types.ParameterName, types.ParameterValue] = Field(
        default={}, description="further parameters of both clusters, by MySQL's name"
    )
    instance_parameters: dict[types.ParameterName, types.ParameterValue] = Field(
        default={}, description="further parameters of every instance, by MySQL's name"
    )
    ca_certificate: types.CertificateAuthority = Field(
        default="rds-ca-rsa2048-g1", description="who signs the instances' TLS certificates"
    )
    performance_insights: bool = Field(default=True, description="Performance Insights on both clusters")
    performance_insights_retention_days: types.InsightsRetentionDays = Field(
        default=7, description="7, 731, or months of 31 days"
    )
    database_insights: Literal["standard", "advanced"] = Field(
        default="standard", description="`advanced` needs Performance Insights kept for 465 days"
    )
    monitoring_interval_seconds: Literal[1, 5, 10, 15, 30, 60] = Field(
        default=60, description="enhanced monitoring: 1, 5, 10, 15, 30 or 60"
    )

    @property
    def insights_days(self) -> int | None:
        """How long Performance Insights keeps what it saw; None when it is off."""
        return self.performance_insights_retention_days if self.performance_insights else None


class RewindSettings(_Section):
    """How far back the writer's data can be rewound, and by which means (docs/decisions.md says why two)."""

    window_hours: int = Field(
        default=24, ge=1, le=72, description="how far back, up to 72, and not longer than the backups"
    )
    method: Literal["point-in-time", "backtrack"] = Field(
        default="point-in-time",
        description="`backtrack` is refused by AWS in a global database, and the preview says so",
    )


class FailoverSettings(_Section):
    """When the standby region may take over."""

    mode: Literal["automatic", "approve", "observe"] = Field(
        default="automatic", description="or `approve` (asks first), or `observe` (only says what it would do)"
    )
    interval_seconds: float = Field(
        default=10,
        ge=0.2,
        le=30,
        description="seconds between two cycles; a look waits for 0.35 of one, at most 3 s, which below 5 leaves the far region "
        "little: for rehearsals on one machine",
    )
    failure_threshold: int = Field(default=3, ge=2, le=30, description="failing cycles in a row before it acts")
    in_region_grace_seconds: int = Field(
        default=120, ge=0, le=3600, description="how long Aurora may heal a dead writer inside a living region"
    )
    cooldown_seconds: int = Field(
        default=900, ge=0, le=86400, description="how long after a change of roles nothing is done automatically"
    )
    max_data_loss_seconds: int = Field(
        default=60, ge=0, le=86400, description="with a greater lag before the outage, a person is asked"
    )
    reserved_concurrency: int | None = Field(
        default=2,
        ge=2,
        le=10,
        description="places that Lambda keeps for each controller, 2 to 10, and three times as many for each health_check, which "
        "both regions ask; `null` in the file keeps none, for a new account whose limit of 10 allows no reservation: then the "
        "account's other functions can crowd them out",
    )

    @property
    def health_check_concurrency(self) -> int | None:
        """The places of each health_check: as many as each region's controllers may ask at once, and as many for people."""
        return None if self.reserved_concurrency is None else 3 * self.reserved_concurrency

    @property
    def concurrency_reserved_in_a_region(self) -> int:
        """All places that Lambda is asked to keep in each region."""
        return (self.reserved_concurrency or 0) + (self.health_check_concurrency or 0)

    @property
    def policy(self) -> dict[str, Any]:
        """What a controller is told: all but how it is run."""
        return self.model_dump(exclude={"reserved_concurrency"})


class DnsSettings(_Section):
    """The private zone that both networks see."""

    zone_name: types.ZoneName | None = Field(default=None, description="the zone of `writer.` and `reader.`")
    record_ttl_seconds: int = Field(
        default=5, ge=1, le=60, description="how long a client may remember an answer, 1 to 60"
    )


class LogSettings(_Section):
    """What is logged, and how long logs are kept."""

    retention_days: types.LogRetentionDays = Field(default=30, description="of all log groups")
    exports: types.LogExports = Field(
        default=("audit", "error", "slowquery"),
        description="what the database writes to CloudWatch: also `general`, `iam-db-auth-error`, `instance`",
    )


class NotificationSettings(_Section):
    """Who hears of alarms and of every change of roles."""

    emails: tuple[types.Email, ...] = Field(default=(), description="who hears of alarms and of every change of roles")


class AlarmSettings(_Section):
    """When people are called; the lag that loses too much data follows `failover.max_data_loss_seconds`."""

    replication_lag_ms: int = Field(default=1000, ge=1, le=3_600_000, description="the standby is behind by more")
    cpu_percent: float = Field(default=80, ge=1, le=100, description="an instance's CPU is busier")
    free_memory_percent: float = Field(
        default=6.25, ge=0.1, le=90, description="an instance has less of its class's memory left"
    )
    connections_percent: float = Field(
        default=80, ge=1, le=100, description="an instance has more of the connections that it takes"
    )
    deadlocks_per_second: float = Field(default=0.1, ge=0, le=1000, description="more transactions deadlock")
    failed_logins_per_second: float = Field(default=0.5, ge=0, le=1000, description="more log-ins fail")
    volume_left_tib: float = Field(default=10, ge=0.1, le=127, description="less is left of the volume's 128 TiB")


class Settings(_Section):
    """Everything that a stack can be told."""

    environment: types.EnvironmentName = Field(
        default="dev", description="the end of every physical name; `prod` protects what holds data and needs an owner"
    )
    project: types.ProjectName = Field(
        default="payments", description="the beginning of every physical name, and the tag Project"
    )
    team: types.TagText = Field(default="platform", description="the tag Team")
    cost_center: types.TagText = Field(default="unassigned", description="the tag CostCenter")
    owner: types.TagText | None = Field(default=None, description="the tag Owner; required in `prod`")
    primary: PrimarySettings = PrimarySettings()
    secondary: SecondarySettings = SecondarySettings()
    database: DatabaseSettings = DatabaseSettings()
    rewind: RewindSettings = RewindSettings()
    failover: FailoverSettings = FailoverSettings()
    dns: DnsSettings = DnsSettings()
    logs: LogSettings = LogSettings()
    notifications: NotificationSettings = NotificationSettings()
    alarms: AlarmSettings = AlarmSettings()
    tags: dict[types.TagText, types.TagValue] = Field(default={}, description="further tags on everything")

    @property
    def is_production(self) -> bool:
        """Whether what holds data is protected from deletion; any other stack can always be destroyed."""
        return self.environment == PRODUCTION

    @property
    def stack_names(self) -> dict[str, Any]:
        """What names are made of, and whether what they name is protected."""
        return {"project": self.project, "environment": self.environment, "is_production": self.is_production}

    @property
    def backtrack_seconds(self) -> int | None:
        """The primary cluster's backtrack window; none with the method that AWS accepts in a global database."""
        return self.rewind.window_hours * 3600 if self.rewind.method == "backtrack" else None

    @property
    def zone_name(self) -> str:
        """The private zone's name; under `.internal`, which no public registry will ever hand out."""
        return self.dns.zone_name or f"{self.project}-{self.environment}.internal"

    @property
    def default_tags(self) -> dict[str, str]:
        """The tags that every resource carries, in both regions."""
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
