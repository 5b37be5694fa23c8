"""Checks of the database: one writer, in sync, encrypted, backed up, protected, private, TLS only.

A property that RDS does not return is unknown, never passed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from operations.aws.read_ports import Answer, ReadApiFactory
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.stack.resources import RegionResources, StackResources
from operations.support.times import age_text, utc_text

RESTORABLE_WITHIN = timedelta(minutes=15)
"""Three times the usual age of the latest restorable time.

Source: Backing up and restoring an Aurora DB cluster, "latest restorable time" is typically within the last five minutes.
"""
SHORTEST_RETENTION_DAYS = 7
STACK_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy")
CLUSTER_CHECKS = ("available", "encryption", "backups", "deletion protection", "private", "tls", "engine", "tags")
GLOBAL_HINT = "Check the global cluster in the RDS console of both regions. `status` shows an operation in progress."
DRIFT = "It was changed outside Pulumi: `pulumi preview --refresh` shows the difference, `pulumi up` restores it."


def database_checks(resources: StackResources, read_api_for: ReadApiFactory, now: datetime) -> list[Check]:
    """Return the checks of each region's cluster, and of the global cluster as each region's RDS describes it."""
    return [
        *(
            Check(names=("global cluster",), where=here.region, run=_global_check(resources, here, read_api_for))
            for here in resources.regions
        ),
        *(
            Check(names=CLUSTER_CHECKS, where=here.region, run=_cluster_checks(resources, here, read_api_for, now))
            for here in resources.regions
        ),
    ]


def _global_check(resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory) -> Any:
    def run() -> list[CheckResult]:
        found = read_api_for(here.region).read_all(
            "rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=resources.global_cluster_id
        )
        return [check_global_cluster(resources, here.region, found[0] if found else {})]

    return run


def _cluster_checks(
    resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory, now: datetime
) -> Any:
    def run() -> list[CheckResult]:
        api = read_api_for(here.region)
        clusters = api.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=here.cluster_id)
        cluster: Answer = clusters[0] if clusters else {}
        instances = api.read_all(
            "rds",
            "describe_db_instances",
            "DBInstances",
            Filters=[{"Name": "db-cluster-id", "Values": [here.cluster_id]}],
        )
        parameters = api.read_all(
            "rds",
            "describe_db_cluster_parameters",
            "Parameters",
            DBClusterParameterGroupName=cluster.get("DBClusterParameterGroup", ""),
            Source="user",
        )
        return [
            check_available(here, cluster, instances),
            check_encryption(here, cluster),
            check_backups(here, cluster, now),
            check_protection(here, cluster, is_production=resources.is_production),
            check_private(here, instances),
            check_tls(here, cluster, parameters),
            check_engine(here, cluster, instances),
            check_tags(here, cluster, resources.environment),
        ]

    return run


def check_global_cluster(resources: StackResources, where: str, answer: Answer) -> CheckResult:
    """Check that both clusters are members and in sync, that one is the writer, and that no operation is in progress."""
    members = {str(each.get("DBClusterArn")): each for each in answer.get("GlobalClusterMembers", [])}
    own = {here.cluster_arn: here.region for here in resources.regions}
    writers = [own.get(arn, arn) for arn, each in members.items() if each.get("IsWriter")]
    problems = [f"{region}'s cluster is not a member" for arn, region in own.items() if arn not in members]
    problems += [f"unknown member: {arn}" for arn in members if arn not in own]
    if len(writers) != 1:
        problems.append(f"{len(writers)} writers")
    # RDS may omit the status of the primary.
    problems += [
        f"{own.get(arn, arn)} is {each.get('SynchronizationStatus') or 'without a synchronization status'}"
        for arn, each in members.items()
        if not each.get("IsWriter") and each.get("SynchronizationStatus") != "connected"
    ]
    if operation := (answer.get("FailoverState") or {}).get("Status"):
        problems.append(f"operation in progress: {operation}")
    if not answer.get("StorageEncrypted"):
        problems.append("its storage is not encrypted")
    evidence = f"writer {' '.join(writers)}, {len(members)} members, in sync, encrypted, no operation in progress"
    return check_result("global cluster", where, problems=problems, evidence=evidence, hint=GLOBAL_HINT)


def check_available(here: RegionResources, cluster: Answer, instances: Sequence[Answer]) -> CheckResult:
    """Check that the cluster has an instance, and that the cluster and all instances are available."""
    statuses = {str(each.get("DBInstanceIdentifier")): each.get("DBInstanceStatus") for each in instances}
    problems = [] if cluster.get("Status") == "available" else [f"the cluster is {cluster.get('Status')}"]
    problems += [f"{name} is {status}" for name, status in statuses.items() if status != "available"]
    if not statuses:
        problems.append("no instance: the cluster cannot be promoted")
    hint = "Wait until RDS has finished, and check its events in the RDS console."
    return check_result("available", here.region, problems=problems, evidence=f"{len(statuses)} instances", hint=hint)


def check_encryption(here: RegionResources, cluster: Answer) -> CheckResult:
    """Check that the storage is encrypted with this region's key."""
    key = cluster.get("KmsKeyId")
    problems = [] if cluster.get("StorageEncrypted") else ["the storage is not encrypted"]
    if key != here.key_arn:
        problems.append(f"the storage is encrypted with {key}, not with this stack's key")
    hint = "A cluster's encryption cannot be changed: restore a snapshot with the right key, then `pulumi import`."
    return check_result(
        "encryption", here.region, problems=problems, evidence=f"storage encrypted with {here.key_arn}", hint=hint
    )


def check_backups(here: RegionResources, cluster: Answer, now: datetime) -> CheckResult:
    """Check that backups are kept long enough and are current."""
    days, latest = cluster.get("BackupRetentionPeriod"), cluster.get("LatestRestorableTime")
    problems = []
    if not isinstance(days, int) or days < SHORTEST_RETENTION_DAYS:
        problems.append(f"kept for {days} days, less than {SHORTEST_RETENTION_DAYS}")
    if isinstance(latest, datetime) and now - latest > RESTORABLE_WITHIN:
        ago = age_text((now - latest).total_seconds())
        problems.append(f"restorable only to {utc_text(latest)}, {ago} ago")
    if not problems and not isinstance(latest, datetime):
        why = f"kept for {days} days; RDS returns no latest restorable time"
        return unknown(
            "backups", here.region, why=why, hint="A new cluster has no backup yet: repeat the check in some minutes."
        )
    evidence = f"kept for {days} days, restorable to {utc_text(latest)}" if isinstance(latest, datetime) else ""
    return check_result("backups", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def check_protection(here: RegionResources, cluster: Answer, *, is_production: bool) -> CheckResult:
    """Check that the cluster has deletion protection in production, and only there."""
    protected = bool(cluster.get("DeletionProtection"))
    problems = [] if protected or not is_production else ["a production cluster without deletion protection"]
    if protected and not is_production:
        problems.append("protected outside production: `pulumi destroy` would fail")
    evidence = "on" if protected else "off, as in every stack outside production"
    return check_result("deletion protection", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def check_private(here: RegionResources, instances: Sequence[Answer]) -> CheckResult:
    """Check that no instance is publicly accessible."""
    public = [
        str(each.get("DBInstanceIdentifier")) for each in instances if each.get("PubliclyAccessible") is not False
    ]
    problems = [f"publicly accessible or unknown: {', '.join(public)}"] if public else []
    if not instances:
        return unknown("private", here.region, why="there is no instance", hint="See the result of `available`.")
    return check_result("private", here.region, problems=problems, evidence="no instance is public", hint=DRIFT)


def check_tls(here: RegionResources, cluster: Answer, parameters: Sequence[Answer]) -> CheckResult:
    """Check that the cluster rejects connections without TLS, and that its instances use the parameter."""
    values = {str(each.get("ParameterName")): each.get("ParameterValue") for each in parameters}
    value = values.get("require_secure_transport")
    problems = [] if str(value).upper() in ("ON", "1") else [f"require_secure_transport is {value}"]
    statuses = {
        str(each.get("DBInstanceIdentifier")): each.get("DBClusterParameterGroupStatus")
        for each in cluster.get("DBClusterMembers", [])
    }
    problems += [f"{name}'s parameters are {status}" for name, status in statuses.items() if status != "in-sync"]
    hint = f"{DRIFT} If parameters wait for a restart, restart the standby's instances first."
    return check_result("tls", here.region, problems=problems, evidence="require_secure_transport is ON", hint=hint)


def check_engine(here: RegionResources, cluster: Answer, instances: Sequence[Answer]) -> CheckResult:
    """Check that the cluster and its instances have the same version and no automatic upgrades.

    Source: Using switchover or failover in an Aurora global database: both need the same version.
    """
    version = cluster.get("EngineVersion")
    problems = [
        f"{each.get('DBInstanceIdentifier')} has {each.get('EngineVersion')}, its cluster {version}"
        for each in instances
        if each.get("EngineVersion") != version
    ]
    problems += [
        f"{each.get('DBInstanceIdentifier')} has automatic upgrades"
        for each in instances
        if each.get("AutoMinorVersionUpgrade")
    ]
    hint = "Upgrade the whole global database (runbook): members with different versions cannot fail over."
    return check_result("engine", here.region, problems=problems, evidence=f"all have {version}", hint=hint)


def check_tags(here: RegionResources, cluster: Answer, environment: str) -> CheckResult:
    """Check that the cluster has the stack's tags."""
    tags: Mapping[str, str] = {each["Key"]: each["Value"] for each in cluster.get("TagList", [])}
    problems = [f"no tag {name}" for name in STACK_TAGS if name not in tags]
    if tags.get("Environment", environment) != environment:
        problems.append(f"tagged {tags['Environment']}, not {environment}")
    evidence = ", ".join(f"{name} {tags[name]}" for name in STACK_TAGS if name in tags)
    return check_result("tags", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def check_versions(versions: Mapping[str, str]) -> CheckResult:
    """Check that all members have the global cluster's version."""
    problems = [] if len(set(versions.values())) <= 1 else ["the versions differ"]
    evidence = ", ".join(f"{where} {version}" for where, version in versions.items())
    if problems:
        problems = [f"{problems[0]}: {evidence}"]
    hint = "Upgrade the whole global database (runbook): members with different versions cannot fail over."
    return check_result("one version", "both", problems=problems, evidence=evidence, hint=hint)


def version_check(resources: StackResources, read_api_for: ReadApiFactory) -> Check:
    """Return the check of the versions of the global cluster and both members."""

    def run() -> list[CheckResult]:
        versions: dict[str, str] = {}
        for here in resources.regions:
            api = read_api_for(here.region)
            if not versions:
                (global_cluster,) = api.read_all(
                    "rds",
                    "describe_global_clusters",
                    "GlobalClusters",
                    GlobalClusterIdentifier=resources.global_cluster_id,
                )
                versions["global cluster"] = str(global_cluster.get("EngineVersion"))
            (cluster,) = api.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=here.cluster_id)
            versions[here.region] = str(cluster.get("EngineVersion"))
        return [check_versions(versions)]

    return Check(names=("one version",), where="both", run=run)
