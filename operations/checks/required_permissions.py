"""The IAM actions that `pulumi up` and `pulumi destroy` need, by resource type.

Source: Service Authorization Reference, and the calls of the AWS provider. A test compares the types with the registered
resources and the actions with AWS's CloudFormation schemas.
"""

from collections.abc import Iterator, Mapping


def _expanded(actions: str) -> Iterator[str]:
    """Yield each action with its service: `ec2:CreateVpc DeleteVpc` are two actions of EC2."""
    service = ""
    for action in actions.split():
        prefix, _, name = action.rpartition(":")
        service = prefix or service
        yield f"{service}:{name}"


_ACTIONS = {
    "aws:cloudwatch/dashboard:Dashboard": "cloudwatch:DeleteDashboards GetDashboard PutDashboard",
    "aws:cloudwatch/eventRule:EventRule": ("events:DeleteRule DescribeRule ListTagsForResource PutRule TagResource"),
    "aws:cloudwatch/eventTarget:EventTarget": "events:ListTargetsByRule PutTargets RemoveTargets",
    "aws:cloudwatch/logGroup:LogGroup": (
        "logs:AssociateKmsKey CreateLogGroup DeleteLogGroup DescribeLogGroups ListTagsForResource "
        "PutRetentionPolicy TagResource"
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "cloudwatch:DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource"
    ),
    "aws:dynamodb/table:Table": (
        "dynamodb:CreateTable DeleteTable DescribeContinuousBackups DescribeTable DescribeTimeToLive "
        "ListTagsOfResource TagResource UpdateContinuousBackups UpdateTable UpdateTimeToLive"
    ),
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": (
        "ec2:CreateNetworkAclEntry CreateTags DeleteNetworkAclEntry DescribeNetworkAcls"
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": (
        "ec2:DescribeSecurityGroups RevokeSecurityGroupEgress RevokeSecurityGroupIngress"
    ),
    "aws:ec2/flowLog:FlowLog": "ec2:CreateFlowLogs CreateTags DeleteFlowLogs DescribeFlowLogs iam:PassRole",
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": (
        "ec2:DescribeVpcPeeringConnections ModifyVpcPeeringConnectionOptions"
    ),
    "aws:ec2/route:Route": "ec2:CreateRoute DeleteRoute DescribeRouteTables",
    "aws:ec2/routeTable:RouteTable": "ec2:CreateRouteTable CreateTags DeleteRouteTable DescribeRouteTables",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": (
        "ec2:AssociateRouteTable DescribeRouteTables DisassociateRouteTable"
    ),
    "aws:ec2/securityGroup:SecurityGroup": (
        "ec2:CreateSecurityGroup CreateTags DeleteSecurityGroup DescribeNetworkInterfaces "
        "DescribeSecurityGroups RevokeSecurityGroupEgress"
    ),
    "aws:ec2/subnet:Subnet": "ec2:CreateSubnet CreateTags DeleteSubnet DescribeAvailabilityZones DescribeSubnets",
    "aws:ec2/vpc:Vpc": "ec2:CreateTags CreateVpc DeleteVpc DescribeVpcAttribute DescribeVpcs ModifyVpcAttribute",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": (
        "ec2:CreateTags CreateVpcPeeringConnection DeleteVpcPeeringConnection DescribeVpcPeeringConnections"
    ),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": (
        "ec2:AcceptVpcPeeringConnection CreateTags DescribeVpcPeeringConnections"
    ),
    "aws:iam/policy:Policy": (
        "iam:CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion "
        "ListPolicyVersions TagPolicy"
    ),
    "aws:iam/role:Role": (
        "iam:CreateRole DeleteRole GetRole ListAttachedRolePolicies ListInstanceProfilesForRole "
        "ListRolePolicies PassRole TagRole"
    ),
    "aws:iam/rolePolicy:RolePolicy": "iam:DeleteRolePolicy GetRolePolicy PutRolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": (
        "iam:AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies"
    ),
    "aws:kms/alias:Alias": "kms:CreateAlias DeleteAlias ListAliases",
    "aws:kms/key:Key": (
        "kms:CreateGrant CreateKey DescribeKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus "
        "ListResourceTags PutKeyPolicy ScheduleKeyDeletion TagResource"
    ),
    "aws:lambda/function:Function": (
        "lambda:CreateFunction DeleteFunction GetFunction GetFunctionCodeSigningConfig ListVersionsByFunction "
        "PutFunctionConcurrency TagResource UpdateFunctionCode UpdateFunctionConfiguration "
        "kms:CreateGrant Decrypt Encrypt"
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        "lambda:DeleteFunctionEventInvokeConfig GetFunctionEventInvokeConfig PutFunctionEventInvokeConfig"
    ),
    "aws:lambda/invocation:Invocation": "lambda:InvokeFunction",
    "aws:lambda/permission:Permission": "lambda:AddPermission GetPolicy RemovePermission",
    "aws:rds/cluster:Cluster": (
        "rds:AddTagsToResource CreateDBCluster DeleteDBCluster DescribeDBClusters DescribeGlobalClusters "
        "ListTagsForResource ModifyDBCluster RemoveFromGlobalCluster"
    ),
    "aws:rds/clusterInstance:ClusterInstance": (
        "rds:AddTagsToResource CreateDBInstance DeleteDBInstance DescribeDBInstances ModifyDBInstance"
    ),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": (
        "rds:AddTagsToResource CreateDBClusterParameterGroup DeleteDBClusterParameterGroup "
        "DescribeDBClusterParameterGroups DescribeDBClusterParameters ModifyDBClusterParameterGroup"
    ),
    "aws:rds/globalCluster:GlobalCluster": (
        "rds:CreateGlobalCluster DeleteGlobalCluster DescribeGlobalClusters ModifyGlobalCluster"
    ),
    "aws:rds/parameterGroup:ParameterGroup": (
        "rds:AddTagsToResource CreateDBParameterGroup DeleteDBParameterGroup DescribeDBParameterGroups "
        "DescribeDBParameters ModifyDBParameterGroup"
    ),
    "aws:rds/subnetGroup:SubnetGroup": (
        "rds:AddTagsToResource CreateDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups"
    ),
    "aws:route53/healthCheck:HealthCheck": (
        "route53:ChangeTagsForResource CreateHealthCheck DeleteHealthCheck GetHealthCheck ListTagsForResource"
    ),
    "aws:route53/record:Record": "route53:ChangeResourceRecordSets GetChange ListResourceRecordSets",
    "aws:route53/zone:Zone": (
        "route53:ChangeTagsForResource CreateHostedZone DeleteHostedZone GetHostedZone ListTagsForResource "
        "ec2:DescribeVpcs"
    ),
    "aws:route53/zoneAssociation:ZoneAssociation": (
        "route53:AssociateVPCWithHostedZone DisassociateVPCFromHostedZone ListHostedZonesByVPC"
    ),
    "aws:scheduler/schedule:Schedule": "scheduler:CreateSchedule DeleteSchedule GetSchedule UpdateSchedule",
    "aws:secretsmanager/secret:Secret": (
        "secretsmanager:CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetResourcePolicy "
        "PutResourcePolicy RemoveRegionsFromReplication ReplicateSecretToRegions TagResource"
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": (
        "secretsmanager:GetSecretValue PutSecretValue UpdateSecretVersionStage kms:Decrypt GenerateDataKey"
    ),
    "aws:sns/topic:Topic": (
        "sns:CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource SetTopicAttributes TagResource"
    ),
    "aws:sns/topicPolicy:TopicPolicy": "sns:GetTopicAttributes SetTopicAttributes",
    "aws:sns/topicSubscription:TopicSubscription": "sns:GetSubscriptionAttributes Subscribe Unsubscribe",
    "aws:sqs/queue:Queue": "sqs:CreateQueue DeleteQueue GetQueueAttributes ListQueueTags SetQueueAttributes TagQueue",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "ec2:AuthorizeSecurityGroupEgress CreateTags DescribeSecurityGroupRules ModifySecurityGroupRules "
        "RevokeSecurityGroupEgress"
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "ec2:AuthorizeSecurityGroupIngress CreateTags DescribeSecurityGroupRules ModifySecurityGroupRules "
        "RevokeSecurityGroupIngress"
    ),
}
ACTIONS: Mapping[str, tuple[str, ...]] = {kind: tuple(_expanded(actions)) for kind, actions in _ACTIONS.items()}
"""Actions to create, read, update and delete a resource, by resource type."""

STACK_ARNS: Mapping[str, tuple[str, ...]] = {
    "cloudwatch": ("cloudwatch:{region}:{account}:alarm:{project}-cpu-{environment}",),
    "dynamodb": ("dynamodb:{region}:{account}:table/{project}-failover-{environment}",),
    "ec2": ("ec2:{region}:{account}:vpc/*", "ec2:{region}:{account}:security-group/*"),
    "events": ("events:{region}:{account}:rule/{project}-failover-events-{environment}",),
    "iam": (
        "iam::{account}:role/{project}-failover-controller-{region}-{environment}",
        "iam::{account}:policy/{project}-*",
    ),
    "kms": ("kms:{region}:{account}:key/*", "kms:{region}:{account}:alias/{project}-database-{environment}"),
    "lambda": ("lambda:{region}:{account}:function:{project}-failover-controller-{environment}",),
    "logs": ("logs:{region}:{account}:log-group:/aws/lambda/{project}-failover-controller-{environment}:*",),
    "rds": (
        "rds:{region}:{account}:cluster:{project}-{region}-{environment}",
        "rds:{region}:{account}:db:{project}-{region}-1-{environment}",
        "rds::{account}:global-cluster:{project}-global-{environment}",
        "rds:{region}:{account}:cluster-pg:{project}-cluster-{environment}",
        "rds:{region}:{account}:pg:{project}-instance-{environment}",
        "rds:{region}:{account}:subgrp:{project}-database-{environment}",
    ),
    "route53": ("route53:::hostedzone/*", "route53:::healthcheck/*"),
    "scheduler": ("scheduler:{region}:{account}:schedule/default/{project}-failover-controller-{environment}",),
    "secretsmanager": ("secretsmanager:{region}:{account}:secret:{project}-master-{environment}-AbCdEf",),
    "sns": ("sns:{region}:{account}:{project}-failover-{environment}",),
    "sqs": ("sqs:{region}:{account}:{project}-failed-events-{environment}",),
}
"""ARNs of this stack by service: an action is allowed if a policy allows it on `*` or on one of them."""


def actions_by_service() -> dict[str, list[str]]:
    """Return all actions, sorted, by service."""
    found: dict[str, set[str]] = {}
    for actions in ACTIONS.values():
        for action in actions:
            found.setdefault(action.split(":")[0], set()).add(action)
    return {service: sorted(actions) for service, actions in sorted(found.items())}


def types_needing(action: str) -> list[str]:
    """Return the resource types whose deployment calls an action."""
    return [each for each, actions in ACTIONS.items() if action in actions]
