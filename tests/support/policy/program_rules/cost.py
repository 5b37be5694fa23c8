"""Rules on hourly costs, and the billing of every type that the program registers."""

from collections.abc import Iterator, Mapping
from typing import Literal

from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation

Bill = Literal["free", "use", "month", "hour"]

BILLS: Mapping[str, tuple[Bill, str]] = {
    **{
        f"aws:{kind}": ("free", "no charge: AWS Identity and Access Management; Amazon VPC pricing")
        for kind in (
            *("ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/routeTable:RouteTable", "ec2/route:Route"),
            *("ec2/routeTableAssociation:RouteTableAssociation", "ec2/securityGroup:SecurityGroup"),
            *("ec2/defaultNetworkAcl:DefaultNetworkAcl", "ec2/flowLog:FlowLog"),
            *("ec2/defaultSecurityGroup:DefaultSecurityGroup", "vpc/securityGroupEgressRule:SecurityGroupEgressRule"),
            "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            "ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
            "ec2/peeringConnectionOptions:PeeringConnectionOptions",
            *(
                "iam/policy:Policy",
                "iam/role:Role",
                "iam/rolePolicy:RolePolicy",
                "iam/rolePolicyAttachment:RolePolicyAttachment",
            ),
            *("kms/alias:Alias", "sns/topicPolicy:TopicPolicy", "lambda/permission:Permission"),
            *("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", "cloudwatch/eventRule:EventRule"),
            *("cloudwatch/eventTarget:EventTarget", "rds/subnetGroup:SubnetGroup", "rds/globalCluster:GlobalCluster"),
            *("rds/parameterGroup:ParameterGroup", "rds/clusterParameterGroup:ClusterParameterGroup"),
            "route53/zoneAssociation:ZoneAssociation",
        )
    },
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": ("use", "data between regions: Amazon EC2 on-demand pricing"),
    "aws:lambda/function:Function": ("use", "requests and duration: AWS Lambda pricing"),
    "aws:lambda/invocation:Invocation": ("use", "one request a deployment: AWS Lambda pricing"),
    "aws:scheduler/schedule:Schedule": ("use", "invocations: Amazon EventBridge pricing"),
    "aws:dynamodb/table:Table": ("use", "requests and storage, on demand: Amazon DynamoDB pricing"),
    "aws:sqs/queue:Queue": ("use", "requests: Amazon SQS pricing"),
    "aws:sns/topic:Topic": ("use", "publishes and deliveries: Amazon SNS pricing"),
    "aws:sns/topicSubscription:TopicSubscription": ("use", "deliveries: Amazon SNS pricing"),
    "aws:cloudwatch/logGroup:LogGroup": ("use", "ingestion and storage: Amazon CloudWatch pricing"),
    "aws:route53/record:Record": ("use", "queries: Amazon Route 53 pricing"),
    "aws:rds/cluster:Cluster": ("use", "storage, I/O and replicated writes: Amazon Aurora pricing"),
    "aws:secretsmanager/secretVersion:SecretVersion": ("free", "in its secret: AWS Secrets Manager pricing"),
    "aws:kms/key:Key": ("month", "AWS KMS pricing"),
    "aws:secretsmanager/secret:Secret": ("month", "a secret and each replica: AWS Secrets Manager pricing"),
    "aws:route53/zone:Zone": ("month", "Amazon Route 53 pricing"),
    "aws:route53/healthCheck:HealthCheck": ("month", "Amazon Route 53 pricing"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("month", "Amazon CloudWatch pricing"),
    "aws:cloudwatch/dashboard:Dashboard": ("month", "Amazon CloudWatch pricing"),
    "aws:rds/clusterInstance:ClusterInstance": ("hour", "Amazon Aurora pricing"),
}
"""Billing by type: the unit of an idle resource ("use": no idle cost), and the pricing page."""

HOURLY_TYPES = frozenset({"aws:rds/clusterInstance:ClusterInstance"})


@rule("The decision of networks without hourly costs, components/network.py; the pricing pages in BILLS")
def only_instances_are_billed_hourly(stack: Stack) -> Iterator[Violation]:
    """No resource except database instances is billed by the hour, and the billing of every type is known."""
    for r in stack.aws_resources:
        bill = BILLS.get(r.type)
        if bill is None:
            yield violation(r, "", "the billing of this type is unknown")
        elif bill[0] == "hour" and r.type not in HOURLY_TYPES:
            yield violation(r, "", f"billed by the hour: {bill[1]}")


@rule("On-demand capacity mode, Amazon DynamoDB pricing")
def capacity_is_on_demand(stack: Stack) -> Iterator[Violation]:
    """Tables are billed per request, and functions have no provisioned concurrency."""
    for r in stack.of_type("dynamodb/table:Table"):
        if r.get("billingMode") != "PAY_PER_REQUEST":
            yield violation(r, "billingMode", f"{r.get('billingMode')!r}")
    for r in stack.aws_resources:
        if "provisionedConcurrencyConfig" in r.type:
            yield violation(r, "", "provisioned concurrency is billed by the hour")
