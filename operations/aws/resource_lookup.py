"""Finds a resource of the program in AWS by the name, the tags or the parents that the program gives it.

The table has each resource type that the program creates: how to find it, and the id that the AWS provider gives it in the
state; or why nothing has to be found. Ids follow the provider's own functions, which differ from the ids of `pulumi import`
for associations, routes and permissions. Source: terraform-provider-aws, internal/service; the sections "Import" of the
resources in the Pulumi registry.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from operations.aws.read_ports import Answer, ReadOnlyApi
from operations.support.errors import NotThereError

Inputs = Mapping[str, Any]
SCHEDULED_FOR_DELETION = "scheduled for deletion"
"""The status of a secret in its recovery window. The provider drops it from the state. Source: findSecretByID."""


@dataclass(frozen=True, kw_only=True)
class FoundResource:
    """A resource in AWS that has the name, the tags or the parents of one in the program."""

    id: str
    """The id in Pulumi's state."""
    tags: Mapping[str, str] | None = None
    """None if tags cannot identify the owner: the type has none, or the creation was interrupted before tagging."""
    status: str = ""
    """AWS's word for it while the resource is created, changed or deleted; else empty."""

    @property
    def is_being_deleted(self) -> bool:
        """Whether AWS is deleting the resource."""
        return "delet" in self.status.lower()


Find = Callable[[ReadOnlyApi, Inputs], list[FoundResource]]
"""Returns what has the name or the parents. Raises NotThereError if the parent is missing, AwsError."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """How a type is found."""

    find: Find
    by_tags: bool = False
    """Whether only tags identify the resource. Resources with other tags are then ignored."""


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """A type that needs no lookup: `pulumi up` creates it again, and the result is the same."""

    reason: str


def find(lookup: Lookup, api: ReadOnlyApi, inputs: Inputs, tags: Mapping[str, str]) -> list[FoundResource]:
    """Return what the lookup finds in AWS; `tags` are those that the program gives. Raises AwsError."""
    try:
        found = lookup.find(api, inputs)
    except NotThereError:
        return []
    if not lookup.by_tags:
        return found
    return [each for each in found if each.tags is None or has_tags(each, tags)]


def has_tags(found: FoundResource, tags: Mapping[str, str]) -> bool:
    """Return whether a resource has all these tags."""
    return found.tags is not None and all(found.tags.get(name) == value for name, value in tags.items())


def _plain(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags or []}


# CloudWatch, EventBridge, DynamoDB, Scheduler


def _dashboard(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    name = inputs["dashboardName"]
    entries = api.read_all("cloudwatch", "list_dashboards", "DashboardEntries", DashboardNamePrefix=name)
    return [FoundResource(id=name) for each in entries if each["DashboardName"] == name]


def _event_rule(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """On the default bus the id is the rule's name. Source: RuleCreateResourceID."""
    described = api.read("events", "describe_rule", Name=inputs["name"])
    tags = api.read("events", "list_tags_for_resource", ResourceARN=described["Arn"])["Tags"]
    return [FoundResource(id=inputs["name"], tags=_plain(tags))]


def _event_target(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """On the default bus the id is the rule's name and the target's id. Source: TargetCreateResourceID."""
    rule, target = inputs["rule"], inputs["targetId"]
    targets = api.read_all("events", "list_targets_by_rule", "Targets", Rule=rule)
    return [FoundResource(id=f"{rule}-{target}") for each in targets if each["Id"] == target]


def _log_group(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    name = inputs["name"]
    groups = api.read_all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    arns = [each["arn"].removesuffix(":*") for each in groups if each["logGroupName"] == name]
    return [
        FoundResource(id=name, tags=api.read("logs", "list_tags_for_resource", resourceArn=arn).get("tags", {}))
        for arn in arns
    ]


def _alarm(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    alarms = api.read_all("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=[inputs["name"]])
    return [
        FoundResource(
            id=each["AlarmName"],
            tags=_plain(api.read("cloudwatch", "list_tags_for_resource", ResourceARN=each["AlarmArn"]).get("Tags", [])),
        )
        for each in alarms
    ]


def _table(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    table = api.read("dynamodb", "describe_table", TableName=inputs["name"])["Table"]
    tags = api.read("dynamodb", "list_tags_of_resource", ResourceArn=table["TableArn"]).get("Tags", [])
    status = "" if table["TableStatus"] == "ACTIVE" else str(table["TableStatus"])
    return [FoundResource(id=inputs["name"], tags=_plain(tags), status=status)]


def _schedule(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """Only schedule groups have tags. Source: Tagging, EventBridge Scheduler user guide."""
    schedule = api.read("scheduler", "get_schedule", Name=inputs["name"])
    return [FoundResource(id=f"{schedule['GroupName']}/{inputs['name']}")]


# EC2


def _vpc(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    vpcs = api.read_all("ec2", "describe_vpcs", "Vpcs")
    return [
        FoundResource(id=each["VpcId"], tags=_plain(each.get("Tags")))
        for each in vpcs
        if each["CidrBlock"] == inputs["cidrBlock"]
    ]


def _subnet(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """The addresses of a VPC's subnets do not overlap, so they identify one."""
    subnets = api.read_all("ec2", "describe_subnets", "Subnets", Filters=_in_vpc(inputs))
    return [
        FoundResource(id=each["SubnetId"], tags=_plain(each.get("Tags")))
        for each in subnets
        if each["CidrBlock"] == inputs["cidrBlock"]
    ]


def _route_table(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    tables = api.read_all("ec2", "describe_route_tables", "RouteTables", Filters=_in_vpc(inputs))
    return [FoundResource(id=each["RouteTableId"], tags=_plain(each.get("Tags"))) for each in tables]


def _in_vpc(inputs: Inputs) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [inputs["vpcId"]]}]


def _route_tables_of(api: ReadOnlyApi, inputs: Inputs) -> list[Answer]:
    return api.read_all("ec2", "describe_route_tables", "RouteTables", RouteTableIds=[inputs["routeTableId"]])


def _route_table_association(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    return [
        FoundResource(id=association["RouteTableAssociationId"])
        for table in _route_tables_of(api, inputs)
        for association in table.get("Associations", [])
        if association.get("SubnetId") == inputs["subnetId"]
    ]


def _route(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """The id has a checksum of the destination. Source: routeCreateID, create.StringHashcode."""
    table_id, destination = inputs["routeTableId"], inputs["destinationCidrBlock"]
    return [
        FoundResource(id=f"r-{table_id}{zlib.crc32(destination.encode())}")
        for table in _route_tables_of(api, inputs)
        for route in table.get("Routes", [])
        if route.get("DestinationCidrBlock") == destination
    ]


def _security_group(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """A VPC has no two groups of one name. Source: CreateSecurityGroup, EC2 API reference."""
    groups = api.read_all("ec2", "describe_security_groups", "SecurityGroups", Filters=_in_vpc(inputs))
    return [
        FoundResource(id=each["GroupId"], tags=_plain(each.get("Tags")))
        for each in groups
        if each["GroupName"] == inputs["name"]
    ]


def _security_group_rule(*, egress: bool) -> Find:
    """A group has no two rules of one direction, protocol, port range and source.

    Source: AuthorizeSecurityGroupIngress (InvalidPermission.Duplicate), EC2 API reference.
    """

    def look_up(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
        rules = api.read_all(
            "ec2",
            "describe_security_group_rules",
            "SecurityGroupRules",
            Filters=[{"Name": "group-id", "Values": [inputs["securityGroupId"]]}],
        )
        wanted = (
            egress,
            inputs["ipProtocol"],
            inputs.get("fromPort"),
            inputs.get("toPort"),
            inputs.get("cidrIpv4"),
            inputs.get("referencedSecurityGroupId"),
        )
        return [FoundResource(id=each["SecurityGroupRuleId"]) for each in rules if _rule_key(each) == wanted]

    return look_up


def _rule_key(rule: Answer) -> tuple[Any, ...]:
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return (
        rule["IsEgress"],
        rule["IpProtocol"],
        rule.get("FromPort"),
        rule.get("ToPort"),
        rule.get("CidrIpv4"),
        group,
    )


def _flow_log(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """EC2 describes the log group by its name or its ARN. Source: FlowLog, EC2 API reference."""
    destination = inputs["logDestination"]
    of_vpc = [{"Name": "resource-id", "Values": [inputs["vpcId"]]}]
    logs = api.read_all("ec2", "describe_flow_logs", "FlowLogs", Filter=of_vpc)
    return [
        FoundResource(id=each["FlowLogId"])
        for each in logs
        if each.get("LogDestination") == destination or each.get("LogGroupName") == destination.rpartition(":")[2]
    ]


def _peering(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """Peerings that ended stay visible for a while. Source: VPC peering connection lifecycle."""
    connections = api.read_all("ec2", "describe_vpc_peering_connections", "VpcPeeringConnections")
    return [
        FoundResource(id=each["VpcPeeringConnectionId"], tags=_plain(each.get("Tags")))
        for each in connections
        if each["RequesterVpcInfo"].get("VpcId") == inputs["vpcId"]
        and each["AccepterVpcInfo"].get("VpcId") == inputs["peerVpcId"]
        and each["Status"]["Code"] in ("initiating-request", "pending-acceptance", "provisioning", "active")
    ]


# IAM, KMS, Secrets Manager, SNS, SQS


def _role(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    role = api.read("iam", "get_role", RoleName=inputs["name"])["Role"]
    return [FoundResource(id=inputs["name"], tags=_plain(role.get("Tags")))]


def _role_policy(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    api.read("iam", "get_role_policy", RoleName=inputs["role"], PolicyName=inputs["name"])
    return [FoundResource(id=f"{inputs['role']}:{inputs['name']}")]


def _role_policy_attachment(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    role, arn = inputs["role"], inputs["policyArn"]
    attached = api.read_all("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role)
    return [FoundResource(id=f"{role}/{arn}") for each in attached if each["PolicyArn"] == arn]


def _policy(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    policies = api.read_all("iam", "list_policies", "Policies", Scope="Local")
    return [
        FoundResource(
            id=each["Arn"], tags=_plain(api.read("iam", "list_policy_tags", PolicyArn=each["Arn"]).get("Tags", []))
        )
        for each in policies
        if each["PolicyName"] == inputs["name"]
    ]


def _key(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """A key whose deletion is scheduled counts as gone, as for the provider. Source: findKeyByID."""
    keys = api.read_all("kms", "list_keys", "Keys")
    described = [api.read("kms", "describe_key", KeyId=each["KeyId"])["KeyMetadata"] for each in keys]
    return [
        FoundResource(id=each["KeyId"], tags=_key_tags(api, each["KeyId"]))
        for each in described
        if each.get("Description") == inputs["description"]
        and each.get("KeyManager") != "AWS"
        and each["KeyState"] not in ("PendingDeletion", "PendingReplicaDeletion")
    ]


def _key_tags(api: ReadOnlyApi, key_id: str) -> dict[str, str]:
    tags = api.read("kms", "list_resource_tags", KeyId=key_id).get("Tags", [])
    return {each["TagKey"]: each["TagValue"] for each in tags}


def _alias(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """Aliases have no tags; the tags of their key count."""
    aliases = api.read_all("kms", "list_aliases", "Aliases")
    return [
        FoundResource(id=each["AliasName"], tags=_key_tags(api, each["TargetKeyId"]) if "TargetKeyId" in each else {})
        for each in aliases
        if each["AliasName"] == inputs["name"]
    ]


def _secret(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """A secret that is scheduled for deletion keeps its name. Source: DeleteSecret, Secrets Manager API reference."""
    described = api.read("secretsmanager", "describe_secret", SecretId=inputs["name"])
    status = SCHEDULED_FOR_DELETION if described.get("DeletedDate") else ""
    return [FoundResource(id=described["ARN"], tags=_plain(described.get("Tags")), status=status)]


def _topic(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    topics = api.read_all("sns", "list_topics", "Topics")
    arns = [each["TopicArn"] for each in topics if each["TopicArn"].endswith(f":{inputs['name']}")]
    return [
        FoundResource(id=arn, tags=_plain(api.read("sns", "list_tags_for_resource", ResourceArn=arn).get("Tags", [])))
        for arn in arns
    ]


def _queue(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    url = api.read("sqs", "get_queue_url", QueueName=inputs["name"])["QueueUrl"]
    return [FoundResource(id=url, tags=api.read("sqs", "list_queue_tags", QueueUrl=url).get("Tags", {}))]


# Lambda


def _function(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    answer = api.read("lambda", "get_function", FunctionName=inputs["name"])
    state = str(answer["Configuration"].get("State", "Active"))
    status = "" if state in ("Active", "Inactive") else state
    return [FoundResource(id=inputs["name"], tags=dict(answer.get("Tags", {})), status=status)]


def _permission(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """The id is the statement's id. Source: resourcePermissionCreate."""
    policy = json.loads(api.read("lambda", "get_policy", FunctionName=inputs["function"])["Policy"])
    return [
        FoundResource(id=each["Sid"])
        for each in policy.get("Statement", [])
        if each.get("Sid") == inputs["statementId"]
    ]


# RDS


def _rds(operation: str, items: str, parameter: str, property_: str, arn: str) -> Find:
    """Return the lookup of a type whose id is its name."""

    def look_up(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
        name = inputs[property_]
        return [
            FoundResource(id=name, tags=_rds_tags(api, each, arn), status=_rds_status(each))
            for each in api.read_all("rds", operation, items, **{parameter: name})
        ]

    return look_up


def _rds_tags(api: ReadOnlyApi, described: Answer, arn: str) -> dict[str, str]:
    if described.get("TagList"):
        return _plain(described["TagList"])
    return _plain(api.read("rds", "list_tags_for_resource", ResourceName=described[arn]).get("TagList", []))


def _rds_status(described: Answer) -> str:
    status = str(described.get("DBInstanceStatus", described.get("Status", "available")))
    return "" if status in ("available", "active") else status


# Route 53


NEW_ZONE_RECORD_COUNT = 2
"""The NS and SOA records that Route 53 writes into each new zone."""


def _zone(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """Several zones of an account may have one name.

    The provider tags a zone only after its creation, which takes half a minute. Without tags, an unused zone with the program's
    comment, in the program's VPC, is one whose creation was interrupted. Source: resourceZoneCreate.
    """
    zones = api.read_all("route53", "list_hosted_zones", "HostedZones")
    return [
        _of_tags_or_else(api, "hostedzone", each["Id"].removeprefix("/hostedzone/"), _is_new_zone(api, each, inputs))
        for each in zones
        if each["Name"].rstrip(".") == inputs["name"].rstrip(".") and each["Config"].get("PrivateZone")
    ]


def _is_new_zone(api: ReadOnlyApi, zone: Answer, inputs: Inputs) -> bool:
    if (
        zone["Config"].get("Comment") != inputs["comment"]
        or zone.get("ResourceRecordSetCount") != NEW_ZONE_RECORD_COUNT
    ):
        return False
    vpcs = api.read("route53", "get_hosted_zone", Id=zone["Id"]).get("VPCs", [])
    return {each["VPCId"] for each in vpcs} == {each["vpcId"] for each in inputs["vpcs"]}


def _of_tags_or_else(api: ReadOnlyApi, kind: str, resource_id: str, is_ours: bool) -> FoundResource:
    """Return a resource of Route 53; without tags, `is_ours` says whether it is one whose creation was interrupted."""
    tags = _route53_tags(api, kind, resource_id)
    return FoundResource(id=resource_id, tags=None if is_ours and not tags else tags)


def _route53_tags(api: ReadOnlyApi, kind: str, resource_id: str) -> dict[str, str]:
    answer = api.read("route53", "list_tags_for_resource", ResourceType=kind, ResourceId=resource_id)
    return _plain(answer["ResourceTagSet"].get("Tags", []))


def _zone_association(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """The id of an association in another region has the region. Source: ZoneAssociationCreateResourceID."""
    zone_id, vpc_id, region = inputs["zoneId"], inputs["vpcId"], inputs["vpcRegion"]
    vpcs = api.read("route53", "get_hosted_zone", Id=zone_id).get("VPCs", [])
    return [FoundResource(id=f"{zone_id}:{vpc_id}:{region}") for each in vpcs if each["VPCId"] == vpc_id]


def _health_check(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """Health checks have no names.

    The provider tags a check only after its creation. Without tags, a check of the program's alarm or children is one whose
    creation was interrupted: their names and ids are the program's own. Source: resourceHealthCheckCreate.
    """
    checks = api.read_all("route53", "list_health_checks", "HealthChecks")
    return [
        _of_tags_or_else(api, "healthcheck", each["Id"], _observed(each["HealthCheckConfig"]) == _wanted(inputs))
        for each in checks
        if each["HealthCheckConfig"]["Type"] == inputs["type"]
    ]


def _observed(config: Answer) -> tuple[Any, ...]:
    alarm = config.get("AlarmIdentifier") or {}
    children = sorted(config.get("ChildHealthChecks") or [])
    return alarm.get("Region"), alarm.get("Name"), config.get("InsufficientDataHealthStatus"), children


def _wanted(inputs: Inputs) -> tuple[Any, ...]:
    alarm = inputs.get("cloudwatchAlarmRegion"), inputs.get("cloudwatchAlarmName")
    return *alarm, inputs.get("insufficientDataHealthStatus"), sorted(inputs.get("childHealthchecks") or [])


def _record(api: ReadOnlyApi, inputs: Inputs) -> list[FoundResource]:
    """The id is zone, name, type and set identifier. Source: recordCreateResourceID."""
    wanted = (inputs["name"].rstrip("."), inputs["type"], inputs.get("setIdentifier"))
    records = api.read_all("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=inputs["zoneId"])
    return [
        FoundResource(id="_".join(filter(None, (inputs["zoneId"], *wanted))))
        for each in records
        if (each["Name"].rstrip("."), each["Type"], each.get("SetIdentifier")) == wanted
    ]


LOOKUPS: Mapping[str, Lookup | Repeated] = {
    "aws:cloudwatch/dashboard:Dashboard": Lookup(find=_dashboard),
    "aws:cloudwatch/eventRule:EventRule": Lookup(find=_event_rule),
    "aws:cloudwatch/eventTarget:EventTarget": Lookup(find=_event_target),
    "aws:cloudwatch/logGroup:LogGroup": Lookup(find=_log_group),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Lookup(find=_alarm),
    "aws:dynamodb/table:Table": Lookup(find=_table),
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": Repeated(reason="it takes over the list that AWS made"),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Repeated(reason="it takes over the group that AWS made"),
    "aws:ec2/flowLog:FlowLog": Lookup(find=_flow_log),
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": Repeated(reason="it sets options of the peering"),
    "aws:ec2/route:Route": Lookup(find=_route),
    "aws:ec2/routeTable:RouteTable": Lookup(find=_route_table, by_tags=True),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Lookup(find=_route_table_association),
    "aws:ec2/securityGroup:SecurityGroup": Lookup(find=_security_group),
    "aws:ec2/subnet:Subnet": Lookup(find=_subnet),
    "aws:ec2/vpc:Vpc": Lookup(find=_vpc, by_tags=True),
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": Lookup(find=_peering, by_tags=True),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": Repeated(reason="it accepts the peering"),
    "aws:iam/policy:Policy": Lookup(find=_policy),
    "aws:iam/role:Role": Lookup(find=_role),
    "aws:iam/rolePolicy:RolePolicy": Lookup(find=_role_policy),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Lookup(find=_role_policy_attachment),
    "aws:kms/alias:Alias": Lookup(find=_alias),
    "aws:kms/key:Key": Lookup(find=_key, by_tags=True),
    "aws:lambda/function:Function": Lookup(find=_function),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": Repeated(
        reason="it overwrites a setting of the function"
    ),
    "aws:lambda/invocation:Invocation": Repeated(reason="the function may run again"),
    "aws:lambda/permission:Permission": Lookup(find=_permission),
    "aws:rds/cluster:Cluster": Lookup(
        find=_rds("describe_db_clusters", "DBClusters", "DBClusterIdentifier", "clusterIdentifier", "DBClusterArn")
    ),
    "aws:rds/clusterInstance:ClusterInstance": Lookup(
        find=_rds("describe_db_instances", "DBInstances", "DBInstanceIdentifier", "identifier", "DBInstanceArn")
    ),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": Lookup(
        find=_rds(
            "describe_db_cluster_parameter_groups",
            "DBClusterParameterGroups",
            "DBClusterParameterGroupName",
            "name",
            "DBClusterParameterGroupArn",
        )
    ),
    "aws:rds/globalCluster:GlobalCluster": Lookup(
        find=_rds(
            "describe_global_clusters",
            "GlobalClusters",
            "GlobalClusterIdentifier",
            "globalClusterIdentifier",
            "GlobalClusterArn",
        )
    ),
    "aws:rds/parameterGroup:ParameterGroup": Lookup(
        find=_rds(
            "describe_db_parameter_groups",
            "DBParameterGroups",
            "DBParameterGroupName",
            "name",
            "DBParameterGroupArn",
        )
    ),
    "aws:rds/subnetGroup:SubnetGroup": Lookup(
        find=_rds("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", "name", "DBSubnetGroupArn")
    ),
    "aws:route53/healthCheck:HealthCheck": Lookup(find=_health_check, by_tags=True),
    "aws:route53/record:Record": Lookup(find=_record),
    "aws:route53/zone:Zone": Lookup(find=_zone, by_tags=True),
    "aws:route53/zoneAssociation:ZoneAssociation": Lookup(find=_zone_association),
    "aws:scheduler/schedule:Schedule": Lookup(find=_schedule),
    "aws:secretsmanager/secret:Secret": Lookup(find=_secret),
    "aws:secretsmanager/secretVersion:SecretVersion": Repeated(reason="it stores the same value once more"),
    "aws:sns/topic:Topic": Lookup(find=_topic),
    "aws:sns/topicPolicy:TopicPolicy": Repeated(reason="it overwrites the topic's policy"),
    "aws:sns/topicSubscription:TopicSubscription": Repeated(reason="SNS returns the subscription that it has"),
    "aws:sqs/queue:Queue": Lookup(find=_queue),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Lookup(find=_security_group_rule(egress=True)),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Lookup(find=_security_group_rule(egress=False)),
    "random:index/randomPassword:RandomPassword": Repeated(reason="it exists only in the state"),
}
"""By type token."""
