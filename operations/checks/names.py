"""Are the names that the program gives still free, or this stack's own already?

Owns which names there are, how each is looked up, and whose a thing is by its tags. Invariant: a name that is taken by
something without this stack's tags has failed; one that can't be looked up is unknown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from operations.aws.read_ports import Answer, ReadApiFactory, ReadOnlyApi
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.stack.settings import names_of
from operations.support.errors import NotThereError
from settings import RegionSettings, Settings

TAKEN = "Give the stack another `project` or `environment`, or remove what has the name; `pulumi import` adopts it."
Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What has a name already: its tags, None where such things have none, and what stands in the way all the same."""

    tags: Tags | None
    obstacle: str = ""


Find = Callable[[ReadOnlyApi, str], Taken | None]
"""Looks a name up in a region; None: it is free. Raises NotThereError for that too, and AwsError."""


@dataclass(frozen=True, kw_only=True)
class NameKind:
    """The names of one kind in one region."""

    kind: str
    names: Sequence[str]
    find: Find


def name_checks(settings: Settings, read_api_for: ReadApiFactory, account: str | None) -> list[Check]:
    """Return the looks at all names, by kind and region."""
    checks = []
    for region in (settings.primary, settings.secondary):
        for kind in name_kinds(settings, region, account):
            look = partial(_look, kind, read_api_for(region.region), region.region, names_of(settings).tags())
            checks.append(Check(names=(f"name: {kind.kind}",), where=region.region, run=look))
    return checks


def name_kinds(settings: Settings, region: RegionSettings, account: str | None) -> list[NameKind]:
    """Return what the program calls its things in a region, and how each is looked up."""
    names, region_name = names_of(settings), region.region
    is_primary = region_name == settings.primary.region
    functions = [names.of(thing) for thing in names.functions(is_primary=is_primary)]
    groups = [f"/aws/lambda/{name}" for name in functions]
    groups += [f"/aws/rds/cluster/{names.cluster(region_name)}/{log}" for log in settings.logs.exports]
    instances = [names.instance(region_name, number) for number in range(1, region.instance_count + 1)]
    kinds = [
        NameKind(kind="global cluster", names=[names.of("global")], find=_global_cluster),
        NameKind(kind="cluster", names=[names.cluster(region_name)], find=_cluster),
        NameKind(kind="instances", names=instances, find=_instance),
        NameKind(kind="cluster parameters", names=[names.of("cluster")], find=_cluster_parameters),
        NameKind(kind="instance parameters", names=[names.of("instance")], find=_instance_parameters),
        NameKind(kind="subnet group", names=[names.of("database")], find=_subnet_group),
        NameKind(kind="key alias", names=[f"alias/{names.of('database')}"], find=_alias),
        # The replica has the secret's name in the other region.
        NameKind(kind="secret", names=[names.of("master")], find=_secret),
        NameKind(kind="functions", names=functions, find=_function),
        NameKind(kind="log groups", names=groups, find=_log_group),
        NameKind(kind="table", names=[names.of("failover")], find=_table),
        NameKind(kind="schedule", names=[names.of("failover-controller")], find=_schedule),
        NameKind(
            kind="roles",
            names=[names.everywhere(thing, region_name) for thing in names.roles(is_primary=is_primary)],
            find=_role,
        ),
    ]
    if account is not None:
        topic = f"arn:{_partition(region_name)}:sns:{region_name}:{account}:{names.of('failover')}"
        kinds.append(NameKind(kind="topic", names=[topic], find=_topic))
    return kinds


def _look(kind: NameKind, ask: ReadOnlyApi, where: str, wanted: Tags) -> list[CheckResult]:
    found: dict[str, Taken | None] = {}
    for name in kind.names:
        try:
            found[name] = kind.find(ask, name)
        except NotThereError:
            found[name] = None
    return [check_names(kind.kind, where, found, wanted)]


def check_names(kind: str, where: str, found: Mapping[str, Taken | None], wanted: Tags) -> CheckResult:
    """Return whether each name is free, or has this stack's tags; `found` by name."""
    taken = {name: thing for name, thing in found.items() if thing is not None}
    problems = [f"{name}: {thing.obstacle}" for name, thing in taken.items() if thing.obstacle]
    strange = [
        (name, thing.tags)
        for name, thing in taken.items()
        if thing.tags is not None and any(thing.tags.get(tag) != value for tag, value in wanted.items())
    ]
    problems += [f"{name} is taken, with {_said(tags, wanted)}" for name, tags in strange]
    untagged = [name for name, thing in taken.items() if thing.tags is None and not thing.obstacle]
    if untagged and not problems:
        why = f"{', '.join(untagged)} is there; such things carry no tags, so whose it is can't be told"
        return unknown(f"name: {kind}", where, why=why, hint="If this stack is not up, somebody else's has the name.")
    free = len(found) - len(taken)
    evidence = ", ".join(
        text for text, count in ((f"{free} free", free), (f"{len(taken)} this stack's own", len(taken))) if count
    )
    return check_result(f"name: {kind}", where, problems=problems, evidence=evidence, hint=TAKEN)


def _said(tags: Tags, wanted: Tags) -> str:
    return ", ".join(f"{tag} {tags.get(tag, 'missing')}" for tag in wanted)


def _global_cluster(ask: ReadOnlyApi, name: str) -> Taken | None:
    found = ask.read_all("rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=name)
    return Taken(tags=_plain(found[0].get("TagList", []))) if found else None


def _cluster(ask: ReadOnlyApi, name: str) -> Taken | None:
    found = ask.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=name)
    return Taken(tags=_plain(found[0].get("TagList", []))) if found else None


def _instance(ask: ReadOnlyApi, name: str) -> Taken | None:
    found = ask.read_all("rds", "describe_db_instances", "DBInstances", DBInstanceIdentifier=name)
    return Taken(tags=_plain(found[0].get("TagList", []))) if found else None


def _cluster_parameters(ask: ReadOnlyApi, name: str) -> Taken | None:
    found = ask.read_all(
        "rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups", DBClusterParameterGroupName=name
    )
    return _rds_tagged(ask, found, "DBClusterParameterGroupArn")


def _instance_parameters(ask: ReadOnlyApi, name: str) -> Taken | None:
    found = ask.read_all("rds", "describe_db_parameter_groups", "DBParameterGroups", DBParameterGroupName=name)
    return _rds_tagged(ask, found, "DBParameterGroupArn")


def _subnet_group(ask: ReadOnlyApi, name: str) -> Taken | None:
    found = ask.read_all("rds", "describe_db_subnet_groups", "DBSubnetGroups", DBSubnetGroupName=name)
    return _rds_tagged(ask, found, "DBSubnetGroupArn")


def _rds_tagged(ask: ReadOnlyApi, found: Sequence[Answer], arn: str) -> Taken | None:
    if not found:
        return None
    tags = ask.read("rds", "list_tags_for_resource", ResourceName=found[0][arn])["TagList"]
    return Taken(tags=_plain(tags))


def _alias(ask: ReadOnlyApi, name: str) -> Taken | None:
    aliases = {each["AliasName"]: each for each in ask.read_all("kms", "list_aliases", "Aliases")}
    if name not in aliases:
        return None
    key = aliases[name].get("TargetKeyId")
    if key is None:
        return Taken(tags={})
    tags = ask.read("kms", "list_resource_tags", KeyId=key)["Tags"]
    return Taken(tags={each["TagKey"]: each["TagValue"] for each in tags})


def _secret(ask: ReadOnlyApi, name: str) -> Taken | None:
    """A secret that is scheduled for deletion keeps its name. Source: DeleteSecret, Secrets Manager API reference."""
    found = ask.read("secretsmanager", "describe_secret", SecretId=name)
    deleted = "scheduled for deletion, and keeps its name until then: restore it, or delete it without recovery"
    return Taken(tags=_plain(found.get("Tags", [])), obstacle=deleted if found.get("DeletedDate") else "")


def _function(ask: ReadOnlyApi, name: str) -> Taken | None:
    return Taken(tags=dict(ask.read("lambda", "get_function", FunctionName=name).get("Tags", {})))


def _log_group(ask: ReadOnlyApi, name: str) -> Taken | None:
    groups = ask.read_all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    arns = [each["arn"].removesuffix(":*") for each in groups if each["logGroupName"] == name]
    return Taken(tags=ask.read("logs", "list_tags_for_resource", resourceArn=arns[0])["tags"]) if arns else None


def _table(ask: ReadOnlyApi, name: str) -> Taken | None:
    arn = ask.read("dynamodb", "describe_table", TableName=name)["Table"]["TableArn"]
    return Taken(tags=_plain(ask.read("dynamodb", "list_tags_of_resource", ResourceArn=arn)["Tags"]))


def _topic(ask: ReadOnlyApi, arn: str) -> Taken | None:
    """A topic of that name would be taken over, silently. Source: CreateTopic, SNS API reference."""
    ask.read("sns", "get_topic_attributes", TopicArn=arn)
    return Taken(tags=_plain(ask.read("sns", "list_tags_for_resource", ResourceArn=arn)["Tags"]))


def _schedule(ask: ReadOnlyApi, name: str) -> Taken | None:
    """A schedule carries no tags: only groups do. Source: Tagging, EventBridge Scheduler user guide."""
    ask.read("scheduler", "get_schedule", Name=name)
    return Taken(tags=None)


def _role(ask: ReadOnlyApi, name: str) -> Taken | None:
    return Taken(tags=_plain(ask.read("iam", "get_role", RoleName=name)["Role"].get("Tags", [])))


def _plain(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}


def _partition(region: str) -> str:
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((partition for prefix, partition in prefixes.items() if region.startswith(prefix)), "aws")
