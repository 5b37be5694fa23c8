"""Inputs whose change replaces a resource, for every type that the program registers.

The names come from `createOnlyProperties` and `conditionalCreateOnlyProperties` of AWS's schemas, mapped to the inputs
of the Pulumi types. `BY_THE_PROVIDER` lists the inputs that only the Pulumi provider replaces. The SDK's docstrings are
no source: the bridge strips "Forces new resource".
"""

import re
from collections.abc import Mapping

from policy.rules.cloudformation import schema

CLOUDFORMATION_TYPES: Mapping[str, str | None] = {
    "aws:cloudwatch/dashboard:Dashboard": "AWS::CloudWatch::Dashboard",
    "aws:cloudwatch/eventRule:EventRule": "AWS::Events::Rule",
    "aws:cloudwatch/eventTarget:EventTarget": None,  # a property of the rule in CloudFormation
    "aws:cloudwatch/logGroup:LogGroup": "AWS::Logs::LogGroup",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "AWS::CloudWatch::Alarm",
    "aws:dynamodb/table:Table": "AWS::DynamoDB::Table",
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": None,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": None,
    "aws:ec2/flowLog:FlowLog": "AWS::EC2::FlowLog",
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": None,
    "aws:ec2/route:Route": "AWS::EC2::Route",
    "aws:ec2/routeTable:RouteTable": "AWS::EC2::RouteTable",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "AWS::EC2::SubnetRouteTableAssociation",
    "aws:ec2/securityGroup:SecurityGroup": "AWS::EC2::SecurityGroup",
    "aws:ec2/subnet:Subnet": "AWS::EC2::Subnet",
    "aws:ec2/vpc:Vpc": "AWS::EC2::VPC",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": "AWS::EC2::VPCPeeringConnection",
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": None,
    "aws:iam/policy:Policy": "AWS::IAM::ManagedPolicy",
    "aws:iam/role:Role": "AWS::IAM::Role",
    "aws:iam/rolePolicy:RolePolicy": "AWS::IAM::RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": None,
    "aws:kms/alias:Alias": "AWS::KMS::Alias",
    "aws:kms/key:Key": "AWS::KMS::Key",
    "aws:lambda/function:Function": "AWS::Lambda::Function",
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": "AWS::Lambda::EventInvokeConfig",
    "aws:lambda/invocation:Invocation": None,
    "aws:lambda/permission:Permission": "AWS::Lambda::Permission",
    "aws:rds/cluster:Cluster": "AWS::RDS::DBCluster",
    "aws:rds/clusterInstance:ClusterInstance": "AWS::RDS::DBInstance",
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": "AWS::RDS::DBClusterParameterGroup",
    "aws:rds/globalCluster:GlobalCluster": "AWS::RDS::GlobalCluster",
    "aws:rds/parameterGroup:ParameterGroup": "AWS::RDS::DBParameterGroup",
    "aws:rds/subnetGroup:SubnetGroup": "AWS::RDS::DBSubnetGroup",
    "aws:route53/healthCheck:HealthCheck": "AWS::Route53::HealthCheck",
    "aws:route53/record:Record": "AWS::Route53::RecordSet",
    "aws:route53/zone:Zone": "AWS::Route53::HostedZone",
    "aws:route53/zoneAssociation:ZoneAssociation": None,
    "aws:scheduler/schedule:Schedule": "AWS::Scheduler::Schedule",
    "aws:secretsmanager/secret:Secret": "AWS::SecretsManager::Secret",
    "aws:secretsmanager/secretVersion:SecretVersion": None,
    "aws:sns/topic:Topic": "AWS::SNS::Topic",
    "aws:sns/topicPolicy:TopicPolicy": "AWS::SNS::TopicPolicy",
    "aws:sns/topicSubscription:TopicSubscription": "AWS::SNS::Subscription",
    "aws:sqs/queue:Queue": "AWS::SQS::Queue",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "AWS::EC2::SecurityGroupEgress",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "AWS::EC2::SecurityGroupIngress",
    "random:index/randomPassword:RandomPassword": None,
}
"""CloudFormation types by Pulumi type; None where CloudFormation has no such resource."""

_NO_INPUT = None
_RENAMED: Mapping[tuple[str, str], str | None] = {
    ("cloudwatch/logGroup", "LogGroupName"): "name",
    ("cloudwatch/metricAlarm", "AlarmName"): "name",
    ("dynamodb/table", "ImportSourceSpecification"): "importTable",
    ("dynamodb/table", "TableName"): "name",
    ("ec2/flowLog", "DeliverLogsPermissionArn"): "iamRoleArn",
    ("ec2/flowLog", "LogGroupName"): _NO_INPUT,
    ("ec2/flowLog", "ResourceId"): "vpcId",
    ("ec2/flowLog", "ResourceType"): _NO_INPUT,
    ("ec2/securityGroup", "GroupDescription"): "description",
    ("ec2/securityGroup", "GroupName"): "name",
    ("ec2/vpc", "VpcEncryptionControl"): _NO_INPUT,
    ("iam/policy", "ManagedPolicyName"): "name",
    ("iam/role", "RoleName"): "name",
    ("iam/rolePolicy", "PolicyName"): "name",
    ("iam/rolePolicy", "RoleName"): "role",
    ("kms/alias", "AliasName"): "name",
    ("lambda/function", "FunctionName"): "name",
    ("lambda/permission", "FunctionName"): "function",
    ("lambda/permission", "PrincipalOrgID"): "principalOrgId",
    ("rds/cluster", "DBClusterIdentifier"): "clusterIdentifier",
    ("rds/cluster", "RestoreToTime"): "restoreToPointInTime",
    ("rds/cluster", "RestoreType"): "restoreToPointInTime",
    ("rds/cluster", "SourceDBClusterIdentifier"): "restoreToPointInTime",
    ("rds/cluster", "SourceDbClusterResourceId"): "restoreToPointInTime",
    ("rds/cluster", "UseLatestRestorableTime"): "restoreToPointInTime",
    ("rds/clusterInstance", "CustomIAMInstanceProfile"): "customIamInstanceProfile",
    ("rds/clusterInstance", "DBClusterIdentifier"): "clusterIdentifier",
    ("rds/clusterInstance", "DBInstanceIdentifier"): "identifier",
    ("rds/clusterInstance", "PerformanceInsightsKMSKeyId"): "performanceInsightsKmsKeyId",
    # For instances outside a cluster; an Aurora instance inherits these from its cluster.
    **{
        ("rds/clusterInstance", name): _NO_INPUT
        for name in (
            *("BackupRetentionPeriod", "BackupTarget", "CharacterSetName", "DBClusterSnapshotIdentifier", "DBName"),
            *("DBSnapshotIdentifier", "DBSystemId", "KmsKeyId", "MasterUsername", "MultiAZ", "NcharCharacterSetName"),
            *("RestoreTime", "SourceDBClusterIdentifier", "SourceDBInstanceAutomatedBackupsArn"),
            *("SourceDBInstanceIdentifier", "SourceDbiResourceId", "SourceRegion", "StorageEncrypted", "Timezone"),
            "UseLatestRestorableTime",
        )
    },
    ("rds/clusterParameterGroup", "DBClusterParameterGroupName"): "name",
    ("rds/globalCluster", "SourceDBClusterIdentifier"): "sourceDbClusterIdentifier",
    ("rds/parameterGroup", "DBParameterGroupName"): "name",
    ("rds/subnetGroup", "DBSubnetGroupName"): "name",
    ("route53/record", "HostedZoneId"): "zoneId",
    ("route53/record", "HostedZoneName"): _NO_INPUT,
    ("sns/topic", "TopicName"): "name",
    ("sns/topicSubscription", "TopicArn"): "topic",
    ("sqs/queue", "QueueName"): "name",
    **{
        (f"vpc/securityGroup{direction}Rule", name): value
        for direction, peer in (("Egress", "Destination"), ("Ingress", "Source"))
        for name, value in (
            ("CidrIp", "cidrIpv4"),
            ("GroupId", "securityGroupId"),
            ("GroupName", _NO_INPUT),
            (f"{peer}PrefixListId", "prefixListId"),
            (f"{peer}SecurityGroupId", "referencedSecurityGroupId"),
            (f"{peer}SecurityGroupName", _NO_INPUT),
            (f"{peer}SecurityGroupOwnerId", _NO_INPUT),
        )
    },
}
"""(type without provider and class, CloudFormation property) -> the input, where camelCase does not give it."""

_NESTED: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("route53/healthCheck", "HealthCheckConfig"): {
        "MeasureLatency": "measureLatency",
        "RequestInterval": "requestInterval",
        "Type": "type",
    },
    ("dynamodb/table", "KeySchema"): {"": "hashKey rangeKey"},
}

BY_THE_PROVIDER: Mapping[str, frozenset[str]] = {
    # `ForceNew: true` in internal/service/rds/cluster.go, terraform-provider-aws. A changed
    # globalClusterIdentifier promotes the cluster; CloudFormation's schema has it as a conditional property.
    "aws:rds/cluster:Cluster": frozenset({"clusterIdentifierPrefix", "engineMode", "restoreToPointInTime", "s3Import"}),
    # `ForceNew: true` in internal/service/kms/key.go, terraform-provider-aws.
    "aws:kms/key:Key": frozenset({"customKeyStoreId", "customerMasterKeySpec", "keyUsage", "multiRegion", "xksKeyId"}),
    # "This resource cannot be updated in place": random_password, Terraform's random provider.
    "random:index/randomPassword:RandomPassword": frozenset(
        {
            *("keepers", "length", "lower", "minLower", "minNumeric", "minSpecial", "minUpper", "number", "numeric"),
            *("overrideSpecial", "special", "upper"),
        }
    ),
    # The provider creates another secret under another name.
    "aws:secretsmanager/secret:Secret": frozenset({"namePrefix"}),
    "aws:secretsmanager/secretVersion:SecretVersion": frozenset({"secretId"}),
}
"""Inputs that the provider replaces in addition to AWS's schemas, for the types that hold data."""


# `RequiresReplace` is missing in internal/service/ec2/vpc_security_group_ingress_rule.go, terraform-provider-aws:
# ModifySecurityGroupRules takes them. The program never changes the kind of a rule's source, which does replace it.
_IN_PLACE_IN_A_RULE = frozenset({"cidrIpv4", "fromPort", "ipProtocol", "referencedSecurityGroupId", "toPort"})

IN_PLACE_BY_THE_PROVIDER: Mapping[str, frozenset[str]] = {
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _IN_PLACE_IN_A_RULE,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _IN_PLACE_IN_A_RULE,
    # CloudFormation's conditional properties without `ForceNew: true` in internal/service/rds/cluster_instance.go,
    # terraform-provider-aws: ModifyDBInstance takes them.
    "aws:rds/clusterInstance:ClusterInstance": frozenset(
        {
            "autoMinorVersionUpgrade",
            "dbParameterGroupName",
            "performanceInsightsKmsKeyId",
            "preferredMaintenanceWindow",
        }
    ),
}
"""Inputs that the provider changes in place although AWS's schemas list them."""


def create_only_properties(pulumi_type: str) -> frozenset[str]:
    """Return the inputs, in camelCase, whose change replaces a resource of the type, such as `aws:rds/cluster:Cluster`.

    Conditional create-only properties count, except those that the provider changes in place.

    Raises:
        KeyError: the program does not register the type.
    """
    cloudformation_type = CLOUDFORMATION_TYPES[pulumi_type]
    by_aws = _by_aws(pulumi_type, cloudformation_type) if cloudformation_type else set()
    by_provider, in_place = BY_THE_PROVIDER.get(pulumi_type), IN_PLACE_BY_THE_PROVIDER.get(pulumi_type)
    return frozenset((by_aws | (by_provider or frozenset())) - (in_place or frozenset()))


def _by_aws(pulumi_type: str, cloudformation_type: str) -> set[str]:
    definition = schema(cloudformation_type)
    paths = [*definition.get("createOnlyProperties", ()), *definition.get("conditionalCreateOnlyProperties", ())]
    short = pulumi_type.partition(":")[2].partition(":")[0]
    names: set[str] = set()
    for path in paths:
        name, _, inner = path.removeprefix("/properties/").partition("/")
        if (short, name) in _NESTED:
            names.update(_NESTED[short, name][inner].split())
        else:
            names.add(_RENAMED.get((short, name), camel_case(name)) or "")
    return names - {""}


def input_of(pulumi_type: str, cloudformation_property: str) -> str | None:
    """Return the renamed input of a CloudFormation property; None if camelCase gives the name."""
    return _RENAMED.get((pulumi_type.partition(":")[2].partition(":")[0], cloudformation_property))


def camel_case(name: str) -> str:
    """Return a CloudFormation property name in camelCase: `DBSubnetGroupName` -> `dbSubnetGroupName`."""
    return re.sub(r"^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]", lambda start: start.group().lower(), name)
