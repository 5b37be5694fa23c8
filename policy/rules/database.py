"""What Aurora asks of a global database and its members.

Owns: the clusters, their instances and parameter groups. Does not own: which classes and versions exist
(`rules.offered`), nor what survives a failover or a destroy (`rules.lifecycle`).
"""

import re
from collections.abc import Iterator

from policy.rules.rule import broken, rule
from policy.rules.stack_model import UNKNOWN, Finding, Stack, as_list, is_known

REQUIREMENTS = "Configuration requirements of an Amazon Aurora global database, Aurora User Guide"
LIMITATIONS = "Limitations of Amazon Aurora global databases, Aurora User Guide"
CREATE_CLUSTER = "CreateDBCluster, Amazon RDS API Reference"
CLUSTER, INSTANCE, WORLD = (
    "rds/cluster:Cluster",
    "rds/clusterInstance:ClusterInstance",
    "rds/globalCluster:GlobalCluster",
)
LEAST_ACU = 8
MOST_INSTANCES = 16
STATIC_PARAMETERS = (
    "binlog_format",
    "lower_case_table_names",
    "performance_schema",
    "gtid-mode",
    "enforce_gtid_consistency",
)
WEEK_MINUTES = 7 * 24 * 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@rule("Creating an Amazon Aurora global database: adding a secondary cluster, Aurora User Guide")
def a_secondary_has_no_user_of_its_own(stack: Stack) -> Iterator[Finding]:
    """A secondary cluster is given no user name, no password and no database: it has its primary's."""
    for r in stack.secondaries:
        for name in ("masterUsername", "masterPassword", "databaseName", "manageMasterUserPassword"):
            if r.get(name):
                yield broken(r, name, "AWS refuses it for a secondary cluster")


@rule("Creating an Amazon Aurora global database: adding a secondary cluster, Aurora User Guide")
def a_secondary_is_elsewhere_than_its_source(stack: Stack) -> Iterator[Finding]:
    """A secondary cluster names the primary's region as its source, and is in another one."""
    primary_regions = {r.region for r in stack.primaries}
    for r in stack.secondaries:
        if r.get("sourceRegion") == r.region or r.get("sourceRegion") not in primary_regions:
            yield broken(r, "sourceRegion", f"{r.get('sourceRegion')}, from {r.region}")


@rule("Encrypting Amazon Aurora resources: global databases need a key in each region, Aurora User Guide")
def members_are_encrypted_by_a_key_of_their_region(stack: Stack) -> Iterator[Finding]:
    """Every cluster is encrypted, by a customer-managed key of its own region."""
    for r in stack.of(CLUSTER):
        if r.get("storageEncrypted") is not True:
            yield broken(r, "storageEncrypted", "not encrypted")
        keys = stack.behind(r, "kmsKeyId", "kms/key:Key")
        if not r.says("kmsKeyId") or (keys and {key.region for key in keys} != {r.region}):
            yield broken(r, "kmsKeyId", "no key of its own region")


@rule(LIMITATIONS)
def rds_manages_no_password(stack: Stack) -> Iterator[Finding]:
    """No cluster lets RDS manage the master password: global databases can't."""
    for r in stack.primaries:
        if r.get("manageMasterUserPassword") or r.says("masterUserSecretKmsKeyId"):
            yield broken(r, "manageMasterUserPassword", "not for global databases")


@rule("Managed failovers need the same major and minor version on all members, Aurora User Guide")
def all_members_have_one_exact_version(stack: Stack) -> Iterator[Finding]:
    """The global cluster and all its members name one exact version, patch and all."""
    members = [*stack.of(WORLD), *stack.of(CLUSTER)]
    versions = {r.get("engineVersion") for r in members} - {UNKNOWN}
    for r in members:
        version = r.get("engineVersion")
        if version is UNKNOWN:
            continue
        if not isinstance(version, str) or not re.fullmatch(r"8\.\d\.mysql_aurora\.\d+\.\d{2}\.\d+", version):
            yield broken(r, "engineVersion", f"{version!r} is no exact version")
        elif len(versions) > 1:
            yield broken(
                r, "engineVersion", f"{version}, and others have {', '.join(sorted(map(str, versions - {version})))}"
            )


@rule(REQUIREMENTS)
def the_engine_is_aurora_mysql(stack: Stack) -> Iterator[Finding]:
    """Global cluster, clusters and instances have one engine."""
    for r in (*stack.of(WORLD), *stack.of(CLUSTER), *stack.of(INSTANCE)):
        if r.get("engine") != "aurora-mysql":
            yield broken(r, "engine", f"{r.get('engine')!r}")


@rule("Managed failovers need the same major and minor version on all members, Aurora User Guide")
def no_instance_upgrades_by_itself(stack: Stack) -> Iterator[Finding]:
    """Minor upgrades by AWS are off on every instance: its default is on, and a member ahead of the others blocks a failover."""
    for r in stack.of(INSTANCE):
        if r.get("autoMinorVersionUpgrade") is not False:
            yield broken(r, "autoMinorVersionUpgrade", "not off")


@rule(REQUIREMENTS)
def instances_are_memory_optimised(stack: Stack) -> Iterator[Finding]:
    """Every instance is of a memory-optimised class, db.r5 or newer, or Serverless v2; none is burstable."""
    for r in stack.of(INSTANCE):
        name = r.get("instanceClass")
        if isinstance(name, str) and not re.fullmatch(r"db\.((r([5-9]|\d\d+)|x\d)[a-z]*\.\d*x?large|serverless)", name):
            yield broken(r, "instanceClass", f"{name} isn't a class for global databases")


@rule("Requirements and limitations for Aurora Serverless v2: 8 ACU for global databases, Aurora User Guide")
def serverless_members_have_enough_capacity(stack: Stack) -> Iterator[Finding]:
    """A cluster with a serverless instance says its capacity, 8 ACU or more, in halves, and at most 256."""
    for instance in stack.of(INSTANCE):
        if instance.get("instanceClass") != "db.serverless":
            continue
        for cluster in stack.behind(instance, "clusterIdentifier", CLUSTER):
            scaling = cluster.get("serverlessv2ScalingConfiguration") or {}
            least, most = scaling.get("minCapacity"), scaling.get("maxCapacity")
            if not isinstance(least, int | float) or not isinstance(most, int | float):
                yield broken(cluster, "serverlessv2ScalingConfiguration", "no capacity said")
            elif not LEAST_ACU <= least <= most <= 256 or least * 2 % 1 or most * 2 % 1:
                yield broken(cluster, "serverlessv2ScalingConfiguration", f"{least} to {most} ACU")


@rule(LIMITATIONS, level="advisory")
def a_global_database_is_not_backtracked(stack: Stack) -> Iterator[Finding]:
    """No member of a global database has a backtrack window: AWS answers that it isn't supported."""
    for r in stack.of(CLUSTER):
        if r.get("backtrackWindow") and r.says("globalClusterIdentifier"):
            yield broken(r, "backtrackWindow", "backtracking isn't supported for global databases")


@rule(CREATE_CLUSTER)
def a_backtrack_window_is_at_most_72_hours(stack: Stack) -> Iterator[Finding]:
    """A backtrack window is 0 to 259200 seconds."""
    for r in stack.of(CLUSTER):
        window = r.get("backtrackWindow")
        if isinstance(window, int) and not 0 <= window <= 259200:
            yield broken(r, "backtrackWindow", f"{window} s")


@rule("aws_rds_global_cluster, Terraform provider: a source cluster can't be had together with members by identifier")
def the_global_cluster_begins_empty(stack: Stack) -> Iterator[Finding]:
    """The global cluster is made without a source cluster, encrypted, and isn't destroyed by force."""
    for r in stack.of(WORLD):
        for name in ("sourceDbClusterIdentifier", "forceDestroy"):
            if r.get(name):
                yield broken(r, name, "would make or leave a database of its own")
        if r.get("storageEncrypted") is not True:
            yield broken(r, "storageEncrypted", "its encrypted members couldn't join")


@rule(
    "aws_rds_cluster, Terraform provider: the provider detaches a member on destroy only if its state names the global cluster"
)
def every_cluster_is_a_member(stack: Stack) -> Iterator[Finding]:
    """Every cluster names the global cluster, and none a replication source."""
    for r in stack.of(CLUSTER):
        if not r.says("globalClusterIdentifier"):
            yield broken(r, "globalClusterIdentifier", "no member of the global database")
        if r.says("replicationSourceIdentifier"):
            yield broken(r, "replicationSourceIdentifier", "AWS sets it, and swaps it at a failover")


@rule(CREATE_CLUSTER)
def backups_are_kept_for_a_week_or_more(stack: Stack) -> Iterator[Finding]:
    """Automated backups are kept for 7 to 35 days."""
    for r in stack.of(CLUSTER):
        days = r.get("backupRetentionPeriod")
        if not isinstance(days, int) or not 7 <= days <= 35:
            yield broken(r, "backupRetentionPeriod", f"{days} days")


@rule(CREATE_CLUSTER)
def performance_insights_are_kept_for_a_period_that_aws_sells(stack: Stack) -> Iterator[Finding]:
    """Performance Insights are encrypted, and kept for 7 days, some months of 31 days, or 731 days."""
    for r in stack.of(CLUSTER):
        if not r.get("performanceInsightsEnabled"):
            continue
        days = r.get("performanceInsightsRetentionPeriod")
        if days not in (7, 731) and days not in range(31, 714, 31):
            yield broken(r, "performanceInsightsRetentionPeriod", f"{days} days")
        if not r.says("performanceInsightsKmsKeyId"):
            yield broken(r, "performanceInsightsKmsKeyId", "no key")


@rule("CreateDBInstance: MonitoringInterval, Amazon RDS API Reference")
def enhanced_monitoring_has_its_role(stack: Stack) -> Iterator[Finding]:
    """An instance is monitored at an interval that AWS has, by a role that may write it down."""
    for r in (*stack.of(INSTANCE), *stack.of(CLUSTER)):
        interval = r.get("monitoringInterval")
        if interval is None:
            continue
        if interval not in (0, 1, 5, 10, 15, 30, 60):
            yield broken(r, "monitoringInterval", f"{interval} s")
        if interval and not r.says("monitoringRoleArn"):
            yield broken(r, "monitoringRoleArn", "no role")


@rule(CREATE_CLUSTER)
def the_port_is_one_that_aurora_takes(stack: Stack) -> Iterator[Finding]:
    """Every cluster listens on the same port, from 1150 to 65535."""
    ports = {r.get("port") for r in stack.of(CLUSTER)}
    for r in stack.of(CLUSTER):
        port = r.get("port")
        if not isinstance(port, int) or not 1150 <= port <= 65535 or len(ports) > 1:
            yield broken(r, "port", f"{port}")


@rule("Quotas and naming constraints: master user name and password, Aurora User Guide")
def the_master_user_is_one_that_aurora_takes(stack: Stack) -> Iterator[Finding]:
    """The master user has 1 to 16 letters, digits or underscores; its password is a secret, and is generated of what RDS takes."""
    for r in stack.primaries:
        name = r.get("masterUsername")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w{0,15}", name) or name.lower() == "rdsadmin":
            yield broken(r, "masterUsername", f"{name!r}")
        if not r.says("masterPassword") or (r.secret_inputs and "masterPassword" not in r.secret_inputs):
            yield broken(r, "masterPassword", "missing, or no secret")
    for r in (each for each in stack.resources if each.type == "random:index/randomPassword:RandomPassword"):
        length, special = r.get("length"), r.get("overrideSpecial")
        if not isinstance(length, int) or not 8 <= length <= 41:
            yield broken(r, "length", f"{length} characters; RDS takes 8 to 41")
        if special is None or set("/@\" '\\`") & set(str(special)):
            yield broken(r, "overrideSpecial", "characters that RDS or a connection string won't take")


@rule("Quotas and constraints: DB instances per cluster, Aurora User Guide")
def a_cluster_has_one_to_sixteen_instances(stack: Stack) -> Iterator[Finding]:
    """A cluster has a writer and at most 15 readers, with promotion tiers from 0 to 15, one of them 0."""
    for cluster in stack.of(CLUSTER):
        instances = [r for r in stack.of(INSTANCE) if cluster in stack.behind(r, "clusterIdentifier", CLUSTER)]
        tiers = [r.get("promotionTier") for r in instances]
        if not 1 <= len(instances) <= MOST_INSTANCES:
            yield broken(cluster, "", f"{len(instances)} instances")
        elif 0 not in tiers or not set(tiers) <= set(range(16)):
            yield broken(cluster, "", f"promotion tiers {tiers}")


@rule("Point 1 of the mission: private networks only")
def no_instance_is_public(stack: Stack) -> Iterator[Finding]:
    """No instance has a public address."""
    for r in stack.of(INSTANCE):
        if r.get("publiclyAccessible") is not False:
            yield broken(r, "publiclyAccessible", "not off")


@rule("Publishing Amazon Aurora MySQL logs to Amazon CloudWatch Logs, Aurora User Guide")
def only_logs_that_aurora_mysql_has_are_exported(stack: Stack) -> Iterator[Finding]:
    """Exported logs are such as Aurora MySQL writes, each has a group of ours, and the cluster waits for it."""
    known = {"audit", "error", "general", "slowquery", "instance", "iam-db-auth-error"}
    for r in stack.of(CLUSTER):
        groups = {g.get("name"): g for g in stack.of("cloudwatch/logGroup:LogGroup", r.region)}
        for log in as_list(r.get("enabledCloudwatchLogsExports")):
            group = groups.get(f"/aws/rds/cluster/{r.get('clusterIdentifier')}/{log}")
            if log not in known:
                yield broken(r, "enabledCloudwatchLogsExports", f"Aurora MySQL has no {log} log")
            elif group is None or not stack.waits_for(r, group):
                yield broken(r, "enabledCloudwatchLogsExports", f"{log}: RDS would make the group itself, unencrypted")


@rule("Working with parameter groups; Aurora MySQL configuration parameters, Aurora User Guide")
def parameters_belong_to_the_engine(stack: Stack) -> Iterator[Finding]:
    """Parameter groups are of the engine's family, name each parameter once, and leave static ones to the next restart."""
    kinds = ("rds/clusterParameterGroup:ClusterParameterGroup", "rds/parameterGroup:ParameterGroup")
    for r in (group for kind in kinds for group in stack.of(kind)):
        if r.get("family") != "aurora-mysql8.0":
            yield broken(r, "family", f"{r.get('family')!r}")
        names = [p["name"] for p in as_list(r.get("parameters"))]
        if len(names) != len(set(names)):
            yield broken(r, "parameters", "a parameter twice")
        for parameter in as_list(r.get("parameters")):
            if parameter["name"] in STATIC_PARAMETERS and parameter.get("applyMethod") != "pending-reboot":
                yield broken(r, f"parameters.{parameter['name']}", "static: RDS refuses to apply it at once")


@rule("Security with Amazon Aurora MySQL: require_secure_transport, Aurora User Guide; docs/decisions.md")
def the_database_takes_tls_only_and_writes_its_heartbeat(stack: Stack) -> Iterator[Finding]:
    """Every cluster's parameters demand TLS, run events, audit log-ins and write no binary log."""
    needed = {
        "require_secure_transport": "ON",
        "event_scheduler": "ON",
        "server_audit_logging": "1",
        "binlog_format": "OFF",
    }
    for r in stack.of("rds/clusterParameterGroup:ClusterParameterGroup"):
        given = {p["name"]: p.get("value") for p in as_list(r.get("parameters"))}
        for name, value in needed.items():
            if given.get(name) != value:
                yield broken(r, f"parameters.{name}", f"{given.get(name)!r}, not {value}")
    for r in stack.of(CLUSTER):
        if not r.says("dbClusterParameterGroupName"):
            yield broken(r, "dbClusterParameterGroupName", "AWS's default parameters don't demand TLS")
        if r.get("iamDatabaseAuthenticationEnabled") is not True:
            yield broken(r, "iamDatabaseAuthenticationEnabled", "the health check logs in by IAM")


@rule(REQUIREMENTS)
def a_subnet_group_spans_three_zones(stack: Stack) -> Iterator[Finding]:
    """The subnets of every database subnet group are in three zones."""
    for r in stack.of("rds/subnetGroup:SubnetGroup"):
        subnets = stack.behind(r, "subnetIds", "ec2/subnet:Subnet")
        zones = [s.get("availabilityZone") for s in subnets]
        if subnets and is_known(zones) and len(set(zones)) < 3:
            yield broken(r, "subnetIds", f"{len(set(zones))} zones")


@rule("CreateDBCluster: PreferredBackupWindow and PreferredMaintenanceWindow, Amazon RDS API Reference")
def windows_are_long_enough_and_apart(stack: Stack) -> Iterator[Finding]:
    """Backup and maintenance windows last 30 minutes or more, and don't overlap."""
    for r in (*stack.of(CLUSTER), *stack.of(INSTANCE)):
        backup, upkeep = r.get("preferredBackupWindow"), r.get("preferredMaintenanceWindow")
        taken: dict[str, set[int]] = {}
        for name, window in (("preferredBackupWindow", backup), ("preferredMaintenanceWindow", upkeep)):
            if not isinstance(window, str):
                continue
            minutes = _minutes(window)
            if minutes is None or len(minutes) < 30:
                yield broken(r, name, f"{window!r}")
            else:
                taken[name] = minutes
        if len(taken) == 2 and set.intersection(*taken.values()):
            yield broken(r, "preferredMaintenanceWindow", f"{upkeep} overlaps the backups at {backup}")


@rule("Using write forwarding in an Aurora global database, Aurora User Guide", level="advisory")
def only_members_forward_writes(stack: Stack) -> Iterator[Finding]:
    """Writes are forwarded only by clusters that are members of a global database."""
    for r in stack.of(CLUSTER):
        if r.get("enableGlobalWriteForwarding") and not r.says("globalClusterIdentifier"):
            yield broken(r, "enableGlobalWriteForwarding", "nothing to forward to")


def _minutes(window: str) -> set[int] | None:
    """Return the minutes of a week that a window takes, a daily one on each day; None if it isn't a window."""
    match = re.fullmatch(r"(?:([a-z]{3}):)?(\d\d):(\d\d)-(?:([a-z]{3}):)?(\d\d):(\d\d)", window.lower())
    if (
        match is None
        or any(day not in (None, *DAYS) for day in (match[1], match[4]))
        or bool(match[1]) != bool(match[4])
    ):
        return None
    start, end = int(match[2]) * 60 + int(match[3]), int(match[5]) * 60 + int(match[6])
    if match[1]:
        first, last = DAYS.index(match[1]) * 1440 + start, DAYS.index(match[4]) * 1440 + end
        return {minute % WEEK_MINUTES for minute in range(first, first + (last - first) % WEEK_MINUTES)}
    length = (end - start) % 1440
    return {(day * 1440 + start + minute) % WEEK_MINUTES for day in range(7) for minute in range(length)}
