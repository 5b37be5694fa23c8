"""What the system promises of its database: one writer, in sync, encrypted, backed up, protected, private, TLS only.

Owns the judgement of what RDS describes, and which questions it takes. Does no I/O but through the port. Invariant: what
RDS does not say is unknown, never passed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from operations.aws.read_ports import Answer, ReadApiFactory
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.stack.resources import RegionResources, StackResources
from operations.support.times import age_text, utc_text

RESTORABLE_WITHIN = timedelta(minutes=15)
"""RDS uploads a cluster's log to S3 every five minutes; three of them may be late before it is no backup any more.

Source: Backing up and restoring an Aurora DB cluster, "latest restorable time" is typically within the last five minutes.
"""
SHORTEST_RETENTION_DAYS = 7
STACK_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy")
CLUSTER_PROMISES = ("available", "encryption", "backups", "deletion protection", "private", "tls", "engine", "tags")
SHOW_GLOBAL = "Look at the global cluster in the RDS console of both regions; `status` shows an operation under way."
DRIFT = "Somebody changed it: `pulumi up` puts it back; `pulumi preview --refresh` shows what it would do."


def database_checks(resources: StackResources, read_api_for: ReadApiFactory, now: datetime) -> list[Check]:
    """Return the looks at the global cluster, from either region, and at each region's cluster."""
    return [
        *(
            Check(names=("global cluster",), where=here.region, run=_global_look(resources, here, read_api_for))
            for here in resources.regions
        ),
        *(
            Check(names=CLUSTER_PROMISES, where=here.region, run=_cluster_look(resources, here, read_api_for, now))
            for here in resources.regions
        ),
    ]


def _global_look(resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory) -> Any:
    def look() -> list[CheckResult]:
        found = read_api_for(here.region).read_all(
            "rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=resources.global_cluster_id
        )
        return [check_global_cluster(resources, here.region, found[0] if found else {})]

    return look


def _cluster_look(resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory, now: datetime) -> Any:
    def look() -> list[CheckResult]:
        ask = read_api_for(here.region)
        clusters = ask.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=here.cluster_id)
        cluster: Answer = clusters[0] if clusters else {}
        instances = ask.read_all(
            "rds",
            "describe_db_instances",
            "DBInstances",
            Filters=[{"Name": "db-cluster-id", "Values": [here.cluster_id]}],
        )
        parameters = ask.read_all(
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

    return look


def check_global_cluster(resources: StackResources, where: str, answer: Answer) -> CheckResult:
    """Return whether both members are there and in sync, exactly one writes, and nothing is under way."""
    members = {str(each.get("DBClusterArn")): each for each in answer.get("GlobalClusterMembers", [])}
    ours = {here.cluster_arn: here.region for here in resources.regions}
    writers = [ours.get(arn, arn) for arn, each in members.items() if each.get("IsWriter")]
    problems = [f"{region}'s cluster is no member" for arn, region in ours.items() if arn not in members]
    problems += [f"a member that is not ours: {arn}" for arn in members if arn not in ours]
    if len(writers) != 1:
        problems.append(f"{len(writers)} writers")
    # A primary is described as connected too, or without the word: only the standby's must be said.
    problems += [
        f"{ours.get(arn, arn)} is {each.get('SynchronizationStatus') or 'not said to be in sync'}"
        for arn, each in members.items()
        if not each.get("IsWriter") and each.get("SynchronizationStatus") != "connected"
    ]
    if operation := (answer.get("FailoverState") or {}).get("Status"):
        problems.append(f"an operation is under way: {operation}")
    if not answer.get("StorageEncrypted"):
        problems.append("its storage is not encrypted")
    evidence = f"writer {' '.join(writers)}, {len(members)} members, in sync, encrypted, no operation under way"
    return check_result("global cluster", where, problems=problems, evidence=evidence, hint=SHOW_GLOBAL)


def check_available(here: RegionResources, cluster: Answer, instances: Sequence[Answer]) -> CheckResult:
    """Return whether the cluster has an instance, and it and all of them are available."""
    statuses = {str(each.get("DBInstanceIdentifier")): each.get("DBInstanceStatus") for each in instances}
    problems = [] if cluster.get("Status") == "available" else [f"the cluster is {cluster.get('Status')}"]
    problems += [f"{name} is {status}" for name, status in statuses.items() if status != "available"]
    if not statuses:
        problems.append("no instance: nothing could be promoted here")
    hint = "Wait while RDS works on it; look at its events in the RDS console."
    return check_result("available", here.region, problems=problems, evidence=f"{len(statuses)} instances", hint=hint)


def check_encryption(here: RegionResources, cluster: Answer) -> CheckResult:
    """Return whether the storage is under this region's own key."""
    key = cluster.get("KmsKeyId")
    problems = [] if cluster.get("StorageEncrypted") else ["the storage is not encrypted"]
    if key != here.key_arn:
        problems.append(f"the storage is under {key}, not under this stack's key")
    hint = "Encryption is chosen when a cluster is made: restore a snapshot under the right key, then `pulumi import`."
    return check_result(
        "encryption", here.region, problems=problems, evidence=f"storage under {here.key_arn}", hint=hint
    )


def check_backups(here: RegionResources, cluster: Answer, now: datetime) -> CheckResult:
    """Return whether backups are kept long enough and reach up to now."""
    days, latest = cluster.get("BackupRetentionPeriod"), cluster.get("LatestRestorableTime")
    problems = []
    if not isinstance(days, int) or days < SHORTEST_RETENTION_DAYS:
        problems.append(f"kept for {days} days, less than {SHORTEST_RETENTION_DAYS}")
    if isinstance(latest, datetime) and now - latest > RESTORABLE_WITHIN:
        ago = age_text((now - latest).total_seconds())
        problems.append(f"restorable only up to {utc_text(latest)}, {ago} ago")
    if not problems and not isinstance(latest, datetime):
        why = f"kept for {days} days; RDS does not say up to when it is restorable"
        return unknown("backups", here.region, why=why, hint="Look again in some minutes: a new cluster has none yet.")
    evidence = f"kept for {days} days, restorable up to {utc_text(latest)}" if isinstance(latest, datetime) else ""
    return check_result("backups", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def check_protection(here: RegionResources, cluster: Answer, *, is_production: bool) -> CheckResult:
    """Return whether the cluster is protected from deletion in production, and removable elsewhere."""
    protected = bool(cluster.get("DeletionProtection"))
    problems = [] if protected or not is_production else ["a production cluster without deletion protection"]
    if protected and not is_production:
        problems.append("protected, and this is no production: `pulumi destroy` would fail")
    evidence = "on" if protected else "off, as in every stack that is no production"
    return check_result("deletion protection", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def check_private(here: RegionResources, instances: Sequence[Answer]) -> CheckResult:
    """Return whether no instance can be reached from outside."""
    public = [
        str(each.get("DBInstanceIdentifier")) for each in instances if each.get("PubliclyAccessible") is not False
    ]
    problems = [f"publicly accessible, or not said not to be: {', '.join(public)}"] if public else []
    if not instances:
        return unknown("private", here.region, why="there is no instance", hint="See the finding on availability.")
    return check_result("private", here.region, problems=problems, evidence="no instance is public", hint=DRIFT)


def check_tls(here: RegionResources, cluster: Answer, parameters: Sequence[Answer]) -> CheckResult:
    """Return whether the cluster refuses connections without TLS, and its members run with that parameter."""
    values = {str(each.get("ParameterName")): each.get("ParameterValue") for each in parameters}
    value = values.get("require_secure_transport")
    problems = [] if str(value).upper() in ("ON", "1") else [f"require_secure_transport is {value}"]
    statuses = {
        str(each.get("DBInstanceIdentifier")): each.get("DBClusterParameterGroupStatus")
        for each in cluster.get("DBClusterMembers", [])
    }
    problems += [f"{name}'s parameters are {status}" for name, status in statuses.items() if status != "in-sync"]
    hint = f"{DRIFT} Parameters that wait for a restart: restart the standby's instances first."
    return check_result("tls", here.region, problems=problems, evidence="require_secure_transport is ON", hint=hint)


def check_engine(here: RegionResources, cluster: Answer, instances: Sequence[Answer]) -> CheckResult:
    """Return whether the cluster and its instances have one version, and none upgrades by itself.

    Source: Using switchover or failover in an Aurora global database: both need the same version.
    """
    version = cluster.get("EngineVersion")
    problems = [
        f"{each.get('DBInstanceIdentifier')} has {each.get('EngineVersion')}, its cluster {version}"
        for each in instances
        if each.get("EngineVersion") != version
    ]
    problems += [
        f"{each.get('DBInstanceIdentifier')} upgrades by itself"
        for each in instances
        if each.get("AutoMinorVersionUpgrade")
    ]
    hint = "Upgrade the whole global database together (runbook); members of two versions can't fail over."
    return check_result("engine", here.region, problems=problems, evidence=f"all have {version}", hint=hint)


def check_tags(here: RegionResources, cluster: Answer, environment: str) -> CheckResult:
    """Return whether the cluster carries the stack's tags."""
    tags: Mapping[str, str] = {each["Key"]: each["Value"] for each in cluster.get("TagList", [])}
    problems = [f"no tag {name}" for name in STACK_TAGS if name not in tags]
    if tags.get("Environment", environment) != environment:
        problems.append(f"tagged {tags['Environment']}, not {environment}")
    evidence = ", ".join(f"{name} {tags[name]}" for name in STACK_TAGS if name in tags)
    return check_result("tags", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def check_versions(versions: Mapping[str, str]) -> CheckResult:
    """Return whether all members have the global cluster's version; `versions` by where they are."""
    problems = [] if len(set(versions.values())) <= 1 else ["the versions differ"]
    evidence = ", ".join(f"{where} {version}" for where, version in versions.items())
    if problems:
        problems = [f"{problems[0]}: {evidence}"]
    hint = "Upgrade the whole global database together (runbook); members of two versions can't fail over."
    return check_result("one version", "both", problems=problems, evidence=evidence, hint=hint)


def version_check(resources: StackResources, read_api_for: ReadApiFactory) -> Check:
    """Return the look at the versions of the global cluster and both members."""

    def look() -> list[CheckResult]:
        versions: dict[str, str] = {}
        for here in resources.regions:
            ask = read_api_for(here.region)
            if not versions:
                (world,) = ask.read_all(
                    "rds",
                    "describe_global_clusters",
                    "GlobalClusters",
                    GlobalClusterIdentifier=resources.global_cluster_id,
                )
                versions["global cluster"] = str(world.get("EngineVersion"))
            (cluster,) = ask.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=here.cluster_id)
            versions[here.region] = str(cluster.get("EngineVersion"))
        return [check_versions(versions)]

    return Check(names=("one version",), where="both", run=look)
