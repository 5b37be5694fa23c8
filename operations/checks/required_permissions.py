"""What `pulumi up` and `pulumi destroy` call, by the type of resource: the permissions that the deploying person needs.

Owns the table, and on which ARNs of this stack a service's actions are tried. Does no I/O. Invariant: every type that the
program registers has a row, and no row is of another type (a test compares them with the registered resources).

Source: Service Authorization Reference, and what the AWS provider calls for each type.
"""

from collections.abc import Mapping

Actions = Mapping[str, tuple[str, ...]]

_SECURITY_GROUP_RULE = ("ec2:DescribeSecurityGroupRules", "ec2:ModifySecurityGroupRules", "ec2:CreateTags")

ACTIONS: Actions = {
    "aws:cloudwatch/dashboard:Dashboard": (
        "cloudwatch:DeleteDashboards",
        "cloudwatch:GetDashboard",
        "cloudwatch:PutDashboard",
    ),
    "aws:cloudwatch/eventRule:EventRule": (
        "events:DeleteRule",
        "events:DescribeRule",
        "events:ListTagsForResource",
        "events:PutRule",
        "events:TagResource",
    ),
    "aws:cloudwatch/eventTarget:EventTarget": (
        "events:ListTargetsByRule",
        "events:PutTargets",
        "events:RemoveTargets",
    ),
    "aws:cloudwatch/logGroup:LogGroup": (
        "logs:AssociateKmsKey",
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DescribeLogGroups",
        "logs:ListTagsForResource",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListTagsForResource",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:TagResource",
    ),
    "aws:dynamodb/table:Table": (
        "dynamodb:CreateTable",
        "dynamodb:DeleteTable",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:ListTagsOfResource",
        "dynamodb:TagResource",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": (
        "ec2:DescribeSecurityGroups",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
    ),
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": (
        "ec2:DescribeVpcPeeringConnections",
        "ec2:ModifyVpcPeeringConnectionOptions",
    ),
    "aws:ec2/route:Route": ("ec2:CreateRoute", "ec2:DeleteRoute", "ec2:DescribeRouteTables"),
    "aws:ec2/routeTable:RouteTable": (
        "ec2:CreateRouteTable",
        "ec2:CreateTags",
        "ec2:DeleteRouteTable",
        "ec2:DescribeRouteTables",
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": (
        "ec2:AssociateRouteTable",
        "ec2:DescribeRouteTables",
        "ec2:DisassociateRouteTable",
    ),
    "aws:ec2/securityGroup:SecurityGroup": (
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:DeleteSecurityGroup",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:RevokeSecurityGroupEgress",
    ),
    "aws:ec2/subnet:Subnet": (
        "ec2:CreateSubnet",
        "ec2:CreateTags",
        "ec2:DeleteSubnet",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeSubnets",
    ),
    "aws:ec2/vpc:Vpc": (
        "ec2:CreateTags",
        "ec2:CreateVpc",
        "ec2:DeleteVpc",
        "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcs",
        "ec2:ModifyVpcAttribute",
    ),
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": (
        "ec2:CreateTags",
        "ec2:CreateVpcPeeringConnection",
        "ec2:DeleteVpcPeeringConnection",
        "ec2:DescribeVpcPeeringConnections",
    ),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": (
        "ec2:AcceptVpcPeeringConnection",
        "ec2:CreateTags",
        "ec2:DescribeVpcPeeringConnections",
    ),
    "aws:iam/policy:Policy": (
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:TagPolicy",
    ),
    "aws:iam/role:Role": (
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:GetRole",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
        "iam:ListRolePolicies",
        "iam:PassRole",
        "iam:TagRole",
    ),
    "aws:iam/rolePolicy:RolePolicy": ("iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": (
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:ListAttachedRolePolicies",
    ),
    "aws:kms/alias:Alias": ("kms:CreateAlias", "kms:DeleteAlias", "kms:ListAliases"),
    "aws:kms/key:Key": (
        "kms:CreateGrant",
        "kms:CreateKey",
        "kms:DescribeKey",
        "kms:EnableKeyRotation",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListResourceTags",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
    ),
    "aws:lambda/function:Function": (
        "lambda:CreateFunction",
        "lambda:DeleteFunction",
        "lambda:GetFunction",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:ListVersionsByFunction",
        "lambda:PutFunctionConcurrency",
        "lambda:TagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        "lambda:DeleteFunctionEventInvokeConfig",
        "lambda:GetFunctionEventInvokeConfig",
        "lambda:PutFunctionEventInvokeConfig",
    ),
    "aws:lambda/invocation:Invocation": ("lambda:InvokeFunction",),
    "aws:lambda/permission:Permission": ("lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"),
    "aws:rds/cluster:Cluster": (
        "rds:AddTagsToResource",
        "rds:CreateDBCluster",
        "rds:DeleteDBCluster",
        "rds:DescribeDBClusters",
        "rds:DescribeGlobalClusters",
        "rds:ListTagsForResource",
        "rds:ModifyDBCluster",
        "rds:RemoveFromGlobalCluster",
    ),
    "aws:rds/clusterInstance:ClusterInstance": (
        "rds:AddTagsToResource",
        "rds:CreateDBInstance",
        "rds:DeleteDBInstance",
        "rds:DescribeDBInstances",
        "rds:ModifyDBInstance",
    ),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": (
        "rds:AddTagsToResource",
        "rds:CreateDBClusterParameterGroup",
        "rds:DeleteDBClusterParameterGroup",
        "rds:DescribeDBClusterParameterGroups",
        "rds:DescribeDBClusterParameters",
        "rds:ModifyDBClusterParameterGroup",
    ),
    "aws:rds/globalCluster:GlobalCluster": (
        "rds:CreateGlobalCluster",
        "rds:DeleteGlobalCluster",
        "rds:DescribeGlobalClusters",
        "rds:ModifyGlobalCluster",
    ),
    "aws:rds/parameterGroup:ParameterGroup": (
        "rds:AddTagsToResource",
        "rds:CreateDBParameterGroup",
        "rds:DeleteDBParameterGroup",
        "rds:DescribeDBParameterGroups",
        "rds:DescribeDBParameters",
        "rds:ModifyDBParameterGroup",
    ),
    "aws:rds/subnetGroup:SubnetGroup": (
        "rds:AddTagsToResource",
        "rds:CreateDBSubnetGroup",
        "rds:DeleteDBSubnetGroup",
        "rds:DescribeDBSubnetGroups",
    ),
    "aws:route53/healthCheck:HealthCheck": (
        "route53:ChangeTagsForResource",
        "route53:CreateHealthCheck",
        "route53:DeleteHealthCheck",
        "route53:GetHealthCheck",
        "route53:ListTagsForResource",
    ),
    "aws:route53/record:Record": (
        "route53:ChangeResourceRecordSets",
        "route53:GetChange",
        "route53:ListResourceRecordSets",
    ),
    "aws:route53/zone:Zone": (
        "ec2:DescribeVpcs",
        "route53:ChangeTagsForResource",
        "route53:CreateHostedZone",
        "route53:DeleteHostedZone",
        "route53:GetHostedZone",
        "route53:ListTagsForResource",
    ),
    "aws:route53/zoneAssociation:ZoneAssociation": (
        "route53:AssociateVPCWithHostedZone",
        "route53:DisassociateVPCFromHostedZone",
        "route53:ListHostedZonesByVPC",
    ),
    "aws:scheduler/schedule:Schedule": (
        "scheduler:CreateSchedule",
        "scheduler:DeleteSchedule",
        "scheduler:GetSchedule",
        "scheduler:UpdateSchedule",
    ),
    "aws:secretsmanager/secret:Secret": (
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetResourcePolicy",
        "secretsmanager:RemoveRegionsFromReplication",
        "secretsmanager:ReplicateSecretToRegions",
        "secretsmanager:TagResource",
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": (
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    ),
    "aws:sns/topic:Topic": (
        "sns:CreateTopic",
        "sns:DeleteTopic",
        "sns:GetTopicAttributes",
        "sns:ListTagsForResource",
        "sns:SetTopicAttributes",
        "sns:TagResource",
    ),
    "aws:sns/topicPolicy:TopicPolicy": ("sns:GetTopicAttributes", "sns:SetTopicAttributes"),
    "aws:sns/topicSubscription:TopicSubscription": (
        "sns:GetSubscriptionAttributes",
        "sns:Subscribe",
        "sns:Unsubscribe",
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupEgress",
        *_SECURITY_GROUP_RULE,
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupIngress",
        *_SECURITY_GROUP_RULE,
    ),
}
"""Resource type -> what deploying, updating and removing it calls."""

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
}
"""Service -> this stack's names in it: an action that a policy allows on one of them, or on all, is allowed."""


def actions_by_service() -> dict[str, list[str]]:
    """Return every action, sorted, by the service that it begins with."""
    found: dict[str, set[str]] = {}
    for actions in ACTIONS.values():
        for action in actions:
            found.setdefault(action.split(":")[0], set()).add(action)
    return {service: sorted(actions) for service, actions in sorted(found.items())}


def types_needing(action: str) -> list[str]:
    """Return the types of resource that call an action."""
    return [each for each, actions in ACTIONS.items() if action in actions]
