"""Checks that the names of the stack's resources are free or belong to this stack already.

The check of a name fails if a resource without this stack's tags has it, and is unknown if it cannot be looked up.
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

TAKEN = "Use another `project` or `environment`, or remove the resource with this name, or adopt it by `pulumi import`."
RE_CREATED = (
    "Lambda and RDS re-create a log group when they log after a destroy. If this stack is not deployed, delete it: "
    "`aws logs delete-log-group --log-group-name NAME --region REGION`."
)
ZONE_ATTACHED = "Use another `dns.zone_name`, or detach the other zone from the VPC."
Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ExistingResource:
    """A resource that already uses a name.

    `tags` is None for a kind without tags. A non-empty `blocker` is the reason why the name is taken whatever the tags are.
    """

    tags: Tags | None
    blocker: str = ""


Find = Callable[[ReadOnlyApi, str], ExistingResource | None]
"""Reads the resource of that name in a region; None or NotThereError if the name is free. Raises AwsError."""


@dataclass(frozen=True, kw_only=True)
class NameKind:
    """The names of one kind of resource in a region."""

    kind: str
    names: Sequence[str]
    find: Find
    hint: str = TAKEN
    """What to do about a name that is taken."""


def name_checks(settings: Settings, read_api_for: ReadApiFactory, account: str | None) -> list[Check]:
    """Return the checks of all names, one for each kind and region."""
    checks = []
    for region in (settings.primary, settings.secondary):
        for kind in name_kinds(settings, region, account):
            run = partial(_look_up, kind, read_api_for(region.region), region.region, names_of(settings).tags())
            checks.append(Check(names=(f"name: {kind.kind}",), where=region.region, run=run))
    return checks


def name_kinds(settings: Settings, region: RegionSettings, account: str | None) -> list[NameKind]:
    """Return the names that the program gives in a region, and how to look them up."""
    names, region_name = names_of(settings), region.region
    is_primary = region_name == settings.primary.region
    functions = [names.of(function) for function in names.functions(is_primary=is_primary)]
    groups = [f"/aws/lambda/{name}" for name in functions]
    groups += [f"/aws/rds/cluster/{names.cluster(region_name)}/{log}" for log in settings.logs.exports]
    has_flow_logs = settings.has_flow_logs(region)
    groups += [f"/aws/vpc/{names.of('flow-logs')}"] if has_flow_logs else []
    roles = names.roles(is_primary=is_primary, has_flow_logs=has_flow_logs)
    instances = [names.instance(region_name, number) for number in range(1, region.instance_count + 1)]
    kinds = [
        NameKind(kind="global cluster", names=[names.of("global")], find=_global_cluster),
        NameKind(kind="cluster", names=[names.cluster(region_name)], find=_cluster),
        NameKind(kind="instances", names=instances, find=_instance),
        NameKind(kind="cluster parameters", names=[names.of("cluster")], find=_cluster_parameters),
        NameKind(kind="instance parameters", names=[names.of("instance")], find=_instance_parameters),
        NameKind(kind="subnet group", names=[names.of("database")], find=_subnet_group),
        NameKind(kind="key alias", names=[f"alias/{names.of('database')}"], find=_alias),
        # The replica has the same name in the other region.
        NameKind(kind="secret", names=[names.of("master")], find=_secret),
        NameKind(kind="functions", names=functions, find=_function),
        NameKind(kind="log groups", names=groups, find=_log_group, hint=RE_CREATED),
        NameKind(kind="table", names=[names.of("failover")], find=_table),
        NameKind(kind="queue", names=[names.of("failed-events")], find=_queue),
        NameKind(kind="schedule", names=[names.of("failover-controller")], find=_schedule),
        NameKind(
            kind="roles",
            names=[names.global_name(role, region_name) for role in roles],
            find=_role,
        ),
    ]
    if region.existing_vpc:
        # Writer and reader are names of the zone; a more specific zone in the VPC would answer for them instead.
        zones = [settings.zone_name, *(f"{name}.{settings.zone_name}" for name in ("writer", "reader"))]
        find = partial(_zone_in_vpc, region.existing_vpc.vpc_id, region_name, account)
        kinds.append(NameKind(kind="zone in the VPC", names=zones, find=find, hint=ZONE_ATTACHED))
    if account is not None:
        topic = f"arn:aws:sns:{region_name}:{account}:{names.of('failover')}"
        kinds.append(NameKind(kind="topic", names=[topic], find=_topic))
    return kinds


def _look_up(kind: NameKind, api: ReadOnlyApi, where: str, wanted: Tags) -> list[CheckResult]:
    found: dict[str, ExistingResource | None] = {}
    for name in kind.names:
        try:
            found[name] = kind.find(api, name)
        except NotThereError:
            found[name] = None
    return [check_names(kind, where, found, wanted)]


def check_names(names: NameKind, where: str, found: Mapping[str, ExistingResource | None], wanted: Tags) -> CheckResult:
    """Check that each name is free or has this stack's tags; `found` by name."""
    kind = names.kind
    taken = {name: resource for name, resource in found.items() if resource is not None}
    problems = [f"{name}: {resource.blocker}" for name, resource in taken.items() if resource.blocker]
    foreign = [
        (name, resource.tags)
        for name, resource in taken.items()
        if resource.tags is not None and any(resource.tags.get(tag) != value for tag, value in wanted.items())
    ]
    problems += [f"{name} is taken, with {_tag_text(tags, wanted)}" for name, tags in foreign]
    untagged = [name for name, resource in taken.items() if resource.tags is None and not resource.blocker]
    if untagged and not problems:
        why = f"{', '.join(untagged)} exists; resources of this kind have no tags, so its owner is unknown"
        return unknown(
            f"name: {kind}", where, why=why, hint="If this stack is not deployed, another stack has the name."
        )
    free = len(found) - len(taken)
    evidence = ", ".join(
        text for text, count in ((f"{free} free", free), (f"{len(taken)} of this stack", len(taken))) if count
    )
    return check_result(f"name: {kind}", where, problems=problems, evidence=evidence, hint=names.hint)


def _tag_text(tags: Tags, wanted: Tags) -> str:
    return ", ".join(f"{tag} {tags.get(tag, 'missing')}" for tag in wanted)


def _global_cluster(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    found = api.read_all("rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=name)
    return ExistingResource(tags=_plain(found[0].get("TagList", []))) if found else None


def _cluster(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    found = api.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=name)
    return ExistingResource(tags=_plain(found[0].get("TagList", []))) if found else None


def _instance(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    found = api.read_all("rds", "describe_db_instances", "DBInstances", DBInstanceIdentifier=name)
    return ExistingResource(tags=_plain(found[0].get("TagList", []))) if found else None


def _cluster_parameters(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    found = api.read_all(
        "rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups", DBClusterParameterGroupName=name
    )
    return _rds_tagged(api, found, "DBClusterParameterGroupArn")


def _instance_parameters(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    found = api.read_all("rds", "describe_db_parameter_groups", "DBParameterGroups", DBParameterGroupName=name)
    return _rds_tagged(api, found, "DBParameterGroupArn")


def _subnet_group(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    found = api.read_all("rds", "describe_db_subnet_groups", "DBSubnetGroups", DBSubnetGroupName=name)
    return _rds_tagged(api, found, "DBSubnetGroupArn")


def _rds_tagged(api: ReadOnlyApi, found: Sequence[Answer], arn: str) -> ExistingResource | None:
    if not found:
        return None
    tags = api.read("rds", "list_tags_for_resource", ResourceName=found[0][arn])["TagList"]
    return ExistingResource(tags=_plain(tags))


def _alias(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    aliases = {each["AliasName"]: each for each in api.read_all("kms", "list_aliases", "Aliases")}
    if name not in aliases:
        return None
    key = aliases[name].get("TargetKeyId")
    if key is None:
        return ExistingResource(tags={})
    tags = api.read("kms", "list_resource_tags", KeyId=key)["Tags"]
    return ExistingResource(tags={each["TagKey"]: each["TagValue"] for each in tags})


def _secret(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    """Find a secret; one that is scheduled for deletion keeps its name. Source: DeleteSecret, Secrets Manager API reference."""
    found = api.read("secretsmanager", "describe_secret", SecretId=name)
    deleted = "scheduled for deletion and keeps its name until then: restore it, or delete it without recovery"
    return ExistingResource(tags=_plain(found.get("Tags", [])), blocker=deleted if found.get("DeletedDate") else "")


def _function(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    return ExistingResource(tags=dict(api.read("lambda", "get_function", FunctionName=name).get("Tags", {})))


def _log_group(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    groups = api.read_all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    arns = [each["arn"].removesuffix(":*") for each in groups if each["logGroupName"] == name]
    return (
        ExistingResource(tags=api.read("logs", "list_tags_for_resource", resourceArn=arns[0])["tags"]) if arns else None
    )


def _zone_in_vpc(vpc_id: str, region: str, account: str | None, api: ReadOnlyApi, name: str) -> ExistingResource | None:
    """AWS attaches no two zones of one name to a VPC. Source: AssociateVPCWithHostedZone, ConflictingDomainExists."""
    attached = api.read_all(
        "route53", "list_hosted_zones_by_vpc", "HostedZoneSummaries", VPCId=vpc_id, VPCRegion=region
    )
    zone = next((each for each in attached if each["Name"].rstrip(".") == name), None)
    if zone is None:
        return None
    owner = zone.get("Owner", {}).get("OwningAccount")
    if account is not None and owner not in (None, account):
        return ExistingResource(tags=None, blocker=f"a zone of {owner} has this name and is attached to {vpc_id}")
    tags = api.read("route53", "list_tags_for_resource", ResourceType="hostedzone", ResourceId=zone["HostedZoneId"])
    return ExistingResource(tags=_plain(tags["ResourceTagSet"].get("Tags", [])))


def _table(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    arn = api.read("dynamodb", "describe_table", TableName=name)["Table"]["TableArn"]
    return ExistingResource(tags=_plain(api.read("dynamodb", "list_tags_of_resource", ResourceArn=arn)["Tags"]))


def _topic(api: ReadOnlyApi, arn: str) -> ExistingResource | None:
    """Find a topic, which CreateTopic would adopt without an error. Source: CreateTopic, SNS API reference."""
    api.read("sns", "get_topic_attributes", TopicArn=arn)
    return ExistingResource(tags=_plain(api.read("sns", "list_tags_for_resource", ResourceArn=arn)["Tags"]))


def _queue(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    url = api.read("sqs", "get_queue_url", QueueName=name)["QueueUrl"]
    return ExistingResource(tags=api.read("sqs", "list_queue_tags", QueueUrl=url).get("Tags", {}))


def _schedule(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    """Find a schedule; only schedule groups have tags. Source: Tagging, EventBridge Scheduler user guide."""
    api.read("scheduler", "get_schedule", Name=name)
    return ExistingResource(tags=None)


def _role(api: ReadOnlyApi, name: str) -> ExistingResource | None:
    return ExistingResource(tags=_plain(api.read("iam", "get_role", RoleName=name)["Role"].get("Tags", [])))


def _plain(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}
