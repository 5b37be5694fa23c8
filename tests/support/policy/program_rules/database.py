"""Rules on clusters and instances that only a change of the program can break."""

import re
from collections.abc import Iterator

from policy.rules.database import CLUSTER, CREATE_CLUSTER, GLOBAL_CLUSTER, INSTANCE, LIMITATIONS
from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, Stack, Violation, as_list, is_known
from tests.support.policy.graph import depends_on, primary_clusters, secondary_clusters

REQUIREMENTS = "Configuration requirements of an Amazon Aurora global database, Aurora User Guide"
MIN_ACU = 8
MAX_INSTANCES = 16
STATIC_PARAMETERS = (
    "binlog_format",
    "lower_case_table_names",
    "performance_schema",
    "gtid-mode",
    "enforce_gtid_consistency",
)
WEEK_MINUTES = 7 * 24 * 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@rule(LIMITATIONS)
def passwords_are_not_managed_by_rds(stack: Stack) -> Iterator[Violation]:
    """RDS does not manage the master password, because global databases do not support it."""
    for r in primary_clusters(stack):
        if r.get("manageMasterUserPassword") or r.is_set("masterUserSecretKmsKeyId"):
            yield violation(r, "manageMasterUserPassword", "not supported for global databases")


@rule(REQUIREMENTS)
def engines_are_aurora_mysql(stack: Stack) -> Iterator[Violation]:
    """The global cluster, clusters and instances use the engine aurora-mysql."""
    for r in (*stack.of_type(GLOBAL_CLUSTER), *stack.of_type(CLUSTER), *stack.of_type(INSTANCE)):
        if r.get("engine") != "aurora-mysql":
            yield violation(r, "engine", f"{r.get('engine')!r}")


@rule("Managed failovers need the same major and minor version on all members, Aurora User Guide")
def minor_upgrades_are_manual(stack: Stack) -> Iterator[Violation]:
    """Automatic minor version upgrades are off on every instance, because members with different versions block a failover."""
    for r in stack.of_type(INSTANCE):
        if r.get("autoMinorVersionUpgrade") is not False:
            yield violation(r, "autoMinorVersionUpgrade", "not false")


@rule("Creating an Amazon Aurora global database: adding a secondary cluster, Aurora User Guide")
def secondary_clusters_inherit_credentials(stack: Stack) -> Iterator[Violation]:
    """A secondary cluster sets no user name, password or database name; it inherits them from the primary cluster."""
    for r in secondary_clusters(stack):
        for name in ("masterUsername", "masterPassword", "databaseName", "manageMasterUserPassword"):
            if r.get(name):
                yield violation(r, name, "AWS refuses this input for a secondary cluster. Remove the input.")


@rule("Creating an Amazon Aurora global database: adding a secondary cluster, Aurora User Guide")
def secondary_clusters_are_in_another_region(stack: Stack) -> Iterator[Violation]:
    """A secondary cluster names the primary cluster's region as its source and is in a different region."""
    primary_regions = {r.region for r in primary_clusters(stack)}
    for r in secondary_clusters(stack):
        if r.get("sourceRegion") == r.region or r.get("sourceRegion") not in primary_regions:
            yield violation(
                r,
                "sourceRegion",
                f"{r.get('sourceRegion')} is not the primary region. Use another region than {r.region}.",
            )


@rule("Managed failovers need the same major and minor version on all members, Aurora User Guide")
def engine_versions_match(stack: Stack) -> Iterator[Violation]:
    """The global cluster and its members have the same exact engine version, including the patch."""
    members = [*stack.of_type(GLOBAL_CLUSTER), *stack.of_type(CLUSTER)]
    versions = {r.get("engineVersion") for r in members} - {UNKNOWN}
    for r in members:
        version = r.get("engineVersion")
        if version is UNKNOWN:
            continue
        if not isinstance(version, str) or not re.fullmatch(r"8\.\d\.mysql_aurora\.\d+\.\d{2}\.\d+", version):
            yield violation(
                r,
                "engineVersion",
                f"{version!r} is not an exact version. Use a version such as 8.0.mysql_aurora.3.10.3.",
            )
        elif len(versions) > 1:
            yield violation(
                r,
                "engineVersion",
                f"{version} differs from {', '.join(sorted(map(str, versions - {version})))}. Use one version.",
            )


@rule(REQUIREMENTS)
def instance_classes_are_memory_optimized(stack: Stack) -> Iterator[Violation]:
    """Every instance has a memory-optimized class, db.r5 or newer, or uses Serverless v2."""
    for r in stack.of_type(INSTANCE):
        name = r.get("instanceClass")
        if isinstance(name, str) and not re.fullmatch(r"db\.((r([5-9]|\d\d+)|x\d)[a-z]*\.\d*x?large|serverless)", name):
            yield violation(
                r,
                "instanceClass",
                f"{name} does not support global databases. Use a class such as db.r6g.large.",
            )


@rule("Requirements and limitations for Aurora Serverless v2: 8 ACU for global databases, Aurora User Guide")
def serverless_capacity_is_sufficient(stack: Stack) -> Iterator[Violation]:
    """A cluster with serverless instances has a capacity range from 8 to 256 ACU in steps of 0.5."""
    for instance in stack.of_type(INSTANCE):
        if instance.get("instanceClass") != "db.serverless":
            continue
        for cluster in stack.references(instance, "clusterIdentifier", CLUSTER):
            scaling = cluster.get("serverlessv2ScalingConfiguration") or {}
            least, most = scaling.get("minCapacity"), scaling.get("maxCapacity")
            if not isinstance(least, int | float) or not isinstance(most, int | float):
                yield violation(
                    cluster,
                    "serverlessv2ScalingConfiguration",
                    "The capacity is missing. Set minCapacity and maxCapacity.",
                )
            elif not MIN_ACU <= least <= most <= 256 or least * 2 % 1 or most * 2 % 1:
                yield violation(
                    cluster,
                    "serverlessv2ScalingConfiguration",
                    f"{least} to {most} ACU is invalid. Use 8 to 256 in steps of 0.5.",
                )


@rule(CREATE_CLUSTER)
def backtrack_windows_are_bounded(stack: Stack) -> Iterator[Violation]:
    """A backtrack window is 0 to 259200 seconds."""
    for r in stack.of_type(CLUSTER):
        window = r.get("backtrackWindow")
        if isinstance(window, int) and not 0 <= window <= 259200:
            yield violation(r, "backtrackWindow", f"{window} s is out of range. Use 0 to 259200 s.")


@rule("aws_rds_global_cluster, Terraform provider: a source cluster can't be had together with members by identifier")
def global_clusters_start_empty(stack: Stack) -> Iterator[Violation]:
    """The global cluster is encrypted, has no source cluster and is not force-destroyed."""
    for r in stack.of_type(GLOBAL_CLUSTER):
        for name in ("sourceDbClusterIdentifier", "forceDestroy"):
            if r.get(name):
                yield violation(r, name, "The input creates or orphans a cluster. Remove the input.")
        if r.get("storageEncrypted") is not True:
            yield violation(r, "storageEncrypted", "Encrypted clusters cannot join. Set it to true.")


@rule(
    "aws_rds_cluster, Terraform provider: the provider detaches a member on destroy only if its state names the global cluster"
)
def clusters_join_global_database(stack: Stack) -> Iterator[Violation]:
    """Every cluster names the global cluster, and none sets a replication source."""
    for r in stack.of_type(CLUSTER):
        if not r.is_set("globalClusterIdentifier"):
            yield violation(
                r, "globalClusterIdentifier", "The cluster is not a member of the global database. Set the identifier."
            )
        if r.is_set("replicationSourceIdentifier"):
            yield violation(
                r, "replicationSourceIdentifier", "AWS sets this value and changes it in a failover. Remove the input."
            )


@rule(CREATE_CLUSTER)
def performance_insights_retention_is_valid(stack: Stack) -> Iterator[Violation]:
    """Performance Insights data is encrypted and retained for 7 days, a multiple of 31 days, or 731 days."""
    for r in stack.of_type(CLUSTER):
        if not r.get("performanceInsightsEnabled"):
            continue
        days = r.get("performanceInsightsRetentionPeriod")
        if days not in (7, 731) and days not in range(31, 714, 31):
            yield violation(
                r,
                "performanceInsightsRetentionPeriod",
                f"{days} days is not supported. Use 7, 31 or 731 days.",
            )
        if not r.is_set("performanceInsightsKmsKeyId"):
            yield violation(
                r, "performanceInsightsKmsKeyId", "The key is missing. Use the regional customer-managed key."
            )


@rule("CreateDBInstance: MonitoringInterval, Amazon RDS API Reference")
def monitoring_intervals_are_valid(stack: Stack) -> Iterator[Violation]:
    """Enhanced Monitoring uses a supported interval and has a role."""
    for r in (*stack.of_type(INSTANCE), *stack.of_type(CLUSTER)):
        interval = r.get("monitoringInterval")
        if interval is None:
            continue
        if interval not in (0, 1, 5, 10, 15, 30, 60):
            yield violation(r, "monitoringInterval", f"{interval} s is not supported. Use 0, 1, 5, 10, 15, 30 or 60 s.")
        if interval and not r.is_set("monitoringRoleArn"):
            yield violation(r, "monitoringRoleArn", "The role is missing. Set the monitoring role.")


@rule(CREATE_CLUSTER)
def cluster_ports_are_valid(stack: Stack) -> Iterator[Violation]:
    """All clusters listen on the same port, from 1150 to 65535."""
    ports = {r.get("port") for r in stack.of_type(CLUSTER)}
    for r in stack.of_type(CLUSTER):
        port = r.get("port")
        if not isinstance(port, int) or not 1150 <= port <= 65535 or len(ports) > 1:
            yield violation(
                r, "port", f"{port} is out of range or differs between clusters. Use one port from 1150 to 65535."
            )


@rule("Quotas and naming constraints: master user name and password, Aurora User Guide")
def master_credentials_are_valid(stack: Stack) -> Iterator[Violation]:
    """The master user name is valid, and its password is a secret of valid length and characters."""
    for r in primary_clusters(stack):
        name = r.get("masterUsername")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w{0,15}", name) or name.lower() == "rdsadmin":
            yield violation(
                r, "masterUsername", f"{name!r} is not a valid user name. Use 1 to 16 letters, digits or underscores."
            )
        if not r.is_set("masterPassword") or (r.secret_inputs and "masterPassword" not in r.secret_inputs):
            yield violation(r, "masterPassword", "The password is missing or not a secret. Use a Pulumi secret.")
    for r in (each for each in stack.resources if each.type == "random:index/randomPassword:RandomPassword"):
        length, special = r.get("length"), r.get("overrideSpecial")
        if not isinstance(length, int) or not 8 <= length <= 41:
            yield violation(r, "length", f"{length} characters is out of range. Use 8 to 41.")
        if special is None or set("/@\" '\\`") & set(str(special)):
            yield violation(
                r,
                "overrideSpecial",
                "RDS refuses these characters. Exclude / @ quotes, backslash and space.",
            )


@rule("Quotas and constraints: DB instances per cluster, Aurora User Guide")
def instance_counts_are_valid(stack: Stack) -> Iterator[Violation]:
    """A cluster has 1 to 16 instances with promotion tiers 0 to 15, one of them 0."""
    for cluster in stack.of_type(CLUSTER):
        instances = [r for r in stack.of_type(INSTANCE) if cluster in stack.references(r, "clusterIdentifier", CLUSTER)]
        tiers = [r.get("promotionTier") for r in instances]
        if not 1 <= len(instances) <= MAX_INSTANCES:
            yield violation(cluster, "", f"There are {len(instances)} instances. Use 1 to 16.")
        elif 0 not in tiers or not set(tiers) <= set(range(16)):
            yield violation(cluster, "", f"Promotion tiers {tiers} are invalid. Use 0 to 15, with one 0.")


@rule("Publishing Amazon Aurora MySQL logs to Amazon CloudWatch Logs, Aurora User Guide")
def exported_logs_have_log_groups(stack: Stack) -> Iterator[Violation]:
    """Exported logs exist in Aurora MySQL, and the cluster depends on their log groups."""
    known = {"audit", "error", "general", "slowquery", "instance", "iam-db-auth-error"}
    for r in stack.of_type(CLUSTER):
        groups = {g.get("name"): g for g in stack.of_type("cloudwatch/logGroup:LogGroup", r.region)}
        for log in as_list(r.get("enabledCloudwatchLogsExports")):
            group = groups.get(f"/aws/rds/cluster/{r.get('clusterIdentifier')}/{log}")
            if log not in known:
                yield violation(r, "enabledCloudwatchLogsExports", f"Aurora MySQL has no {log} log. Remove the entry.")
            elif group is None or not depends_on(stack, r, group):
                yield violation(
                    r,
                    "enabledCloudwatchLogsExports",
                    f"RDS creates an unmanaged {log} log group. Create the log group before the cluster.",
                )


@rule("Working with parameter groups; Aurora MySQL configuration parameters, Aurora User Guide")
def parameters_match_engine_family(stack: Stack) -> Iterator[Violation]:
    """Parameter groups have the engine's family, set each parameter once, and apply static parameters at the next restart."""
    kinds = ("rds/clusterParameterGroup:ClusterParameterGroup", "rds/parameterGroup:ParameterGroup")
    for r in (group for kind in kinds for group in stack.of_type(kind)):
        if r.get("family") != "aurora-mysql8.0":
            yield violation(r, "family", f"{r.get('family')!r} is the wrong family. Use aurora-mysql8.0.")
        names = [p["name"] for p in as_list(r.get("parameters"))]
        if len(names) != len(set(names)):
            yield violation(r, "parameters", "A parameter is set twice. Set each parameter once.")
        for parameter in as_list(r.get("parameters")):
            if parameter["name"] in STATIC_PARAMETERS and parameter.get("applyMethod") != "pending-reboot":
                yield violation(
                    r,
                    f"parameters.{parameter['name']}",
                    "The parameter is static. Use pending-reboot.",
                )


@rule(REQUIREMENTS)
def subnet_groups_span_three_zones(stack: Stack) -> Iterator[Violation]:
    """The subnets of every database subnet group are in three Availability Zones."""
    for r in stack.of_type("rds/subnetGroup:SubnetGroup"):
        subnets = stack.references(r, "subnetIds", "ec2/subnet:Subnet")
        zones = [s.get("availabilityZone") for s in subnets]
        if subnets and is_known(zones) and len(set(zones)) < 3:
            yield violation(r, "subnetIds", f"The subnets are in {len(set(zones))} zones. Use three.")


@rule("CreateDBCluster: PreferredBackupWindow and PreferredMaintenanceWindow, Amazon RDS API Reference")
def maintenance_windows_are_valid(stack: Stack) -> Iterator[Violation]:
    """Backup and maintenance windows last at least 30 minutes and do not overlap."""
    for r in (*stack.of_type(CLUSTER), *stack.of_type(INSTANCE)):
        backup, maintenance = r.get("preferredBackupWindow"), r.get("preferredMaintenanceWindow")
        minutes_by_window: dict[str, set[int]] = {}
        for name, window in (("preferredBackupWindow", backup), ("preferredMaintenanceWindow", maintenance)):
            if not isinstance(window, str):
                continue
            minutes = _minutes(window)
            if minutes is None or len(minutes) < 30:
                yield violation(
                    r,
                    name,
                    f"{window!r} is not a window of at least 30 minutes. Use a window such as sun:04:00-sun:04:30.",
                )
            else:
                minutes_by_window[name] = minutes
        if len(minutes_by_window) == 2 and set.intersection(*minutes_by_window.values()):
            yield violation(
                r,
                "preferredMaintenanceWindow",
                f"{maintenance} overlaps the backup window {backup}. Choose another window.",
            )


@rule("Using write forwarding in an Aurora global database, Aurora User Guide", level="advisory")
def write_forwarding_requires_membership(stack: Stack) -> Iterator[Violation]:
    """A cluster that forwards writes is a member of a global database."""
    for r in stack.of_type(CLUSTER):
        if r.get("enableGlobalWriteForwarding") and not r.is_set("globalClusterIdentifier"):
            yield violation(
                r, "enableGlobalWriteForwarding", "The cluster is not a member of a global database. Set it to false."
            )


def _minutes(window: str) -> set[int] | None:
    """Return the minutes of the week in a daily or weekly window, or None if the window is invalid."""
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
