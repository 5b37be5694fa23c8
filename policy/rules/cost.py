"""How each type is billed, and that a stack's only bill by the hour is its database's.

Owns: the kind of bill of every type that the program registers. Does not own: amounts.
A type that isn't in the table is a finding: nobody has looked yet what it costs.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from policy.rules.rule import broken, rule
from policy.rules.stack_model import Finding, Stack

Bill = Literal["free", "use", "month", "hour"]

BILLS: Mapping[str, tuple[Bill, str]] = {
    **{
        f"aws:{kind}": ("free", "no charge: AWS Identity and Access Management; Amazon VPC pricing")
        for kind in (
            *("ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/routeTable:RouteTable", "ec2/route:Route"),
            *("ec2/routeTableAssociation:RouteTableAssociation", "ec2/securityGroup:SecurityGroup"),
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
"""Type -> the finest step of what it costs while nothing happens ("use": nothing then), and the page that says it."""

UNAVOIDABLE_BY_THE_HOUR = frozenset({"aws:rds/clusterInstance:ClusterInstance"})


@rule(
    "The decision of networks that cost nothing an hour, components/network.py; the pricing pages in policy/rules/cost.py"
)
def only_database_instances_are_billed_by_the_hour(stack: Stack) -> Iterator[Finding]:
    """Nothing but a database's instances is billed by the hour, and it is known of every type how it is billed."""
    for r in stack.cloud:
        bill = BILLS.get(r.type)
        if bill is None:
            yield broken(r, "", "nobody has looked how this type is billed (policy/rules/cost.py)")
        elif bill[0] == "hour" and r.type not in UNAVOIDABLE_BY_THE_HOUR:
            yield broken(r, "", f"billed by the hour: {bill[1]}")


@rule("On-demand capacity mode, Amazon DynamoDB pricing")
def tables_and_functions_reserve_nothing(stack: Stack) -> Iterator[Finding]:
    """Tables are paid by request, and functions keep no provisioned concurrency: either reservation is billed by the hour."""
    for r in stack.of("dynamodb/table:Table"):
        if r.get("billingMode") != "PAY_PER_REQUEST":
            yield broken(r, "billingMode", f"{r.get('billingMode')!r}")
    for r in stack.cloud:
        if "provisionedConcurrencyConfig" in r.type:
            yield broken(r, "", "provisioned concurrency is billed by the hour")
