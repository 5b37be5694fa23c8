"""A Lambda function with all that it needs to run: role, permissions, log group and, in the VPC, a security group.

Owns: the shape that our functions share. Does not own: their code and particular permissions (health_check,
failover_controller, database_setup).
Invariant: a function writes to its own log group and may do what its component listed; nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.lambda_package import LambdaPackage
from components.network import ENI_RELEASE
from components.policy import Statement, document, trust
from components.site import Region

RUNTIME = "python3.13"


@dataclass(frozen=True, kw_only=True)
class VpcAccess:
    """Where a function sits in the network, and what it may reach from there: databases, nothing else."""

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    database_cidrs: Mapping[str, str]
    """Whose network (`own`, `peer`) -> its addresses."""
    database_port: int


@dataclass(frozen=True, kw_only=True)
class LambdaFunctionArgs:
    """What a function is made of."""

    site: Region
    thing: str
    """The function's name without project and environment."""
    description: str
    package: LambdaPackage
    environment: Mapping[str, pulumi.Input[str]]
    timeout_seconds: int
    memory_mb: int
    key_arn: pulumi.Input[str]
    log_retention_days: int
    statements: Sequence[Statement] = ()
    """What it may do besides logging."""
    vpc: VpcAccess | None = None
    reserved_concurrency: int | None = None
    created_after: Sequence[pulumi.Resource] = field(default_factory=tuple)


class LambdaFunction(pulumi.ComponentResource):
    """One of our functions in one region."""

    function_name: pulumi.Output[str]
    """The function's name."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    security_group_id: pulumi.Output[str] | None
    """The function's security group, if it is in the VPC."""

    def __init__(self, name: str, args: LambdaFunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:lambda_function:LambdaFunction", name, None, opts)
        self._name, self._args = name, args
        self._role = self._make_role()
        self._log_group = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=f"/aws/lambda/{args.site.name(args.thing)}",
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            tags=args.site.tags(args.thing),
            opts=pulumi.ResourceOptions(parent=self),
        )
        needs: list[pulumi.Resource] = [self._permissions(), *args.created_after]
        self.security_group_id, vpc_config = None, None
        if args.vpc:
            network_permission = self._network_permission()
            group, rules = self._security_group(args.vpc, network_permission)
            needs += [network_permission, *rules]
            self.security_group_id = group.id
            vpc_config = aws.lambda_.FunctionVpcConfigArgs(
                subnet_ids=list(args.vpc.subnet_ids), security_group_ids=[group.id]
            )
        function = self._function(vpc_config, needs)
        self.function_name, self.function_arn = function.name, function.arn
        self.register_outputs({"function_name": self.function_name, "function_arn": self.function_arn})

    def _function(
        self, vpc_config: aws.lambda_.FunctionVpcConfigArgs | None, needs: list[pulumi.Resource]
    ) -> aws.lambda_.Function:
        args = self._args
        return aws.lambda_.Function(
            f"{self._name}-function",
            name=args.site.name(args.thing),
            description=args.description,
            role=self._role.arn,
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=args.package.handler,
            code=args.package.archive,
            timeout=args.timeout_seconds,
            memory_size=args.memory_mb,
            reserved_concurrent_executions=args.reserved_concurrency,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=dict(args.environment)),
            vpc_config=vpc_config,
            # Named, so that Lambda never makes a group of its own: unencrypted and kept for ever.
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="Text", log_group=self._log_group.name),
            tags=args.site.tags(args.thing),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )

    def _make_role(self) -> aws.iam.Role:
        args = self._args
        return aws.iam.Role(
            f"{self._name}-role",
            name=args.site.global_name(args.thing),
            description=f"What {args.site.name(args.thing)} in {args.site.region} may do",
            assume_role_policy=trust(args.site, "lambda.amazonaws.com"),
            tags=args.site.tags(args.thing),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _permissions(self) -> pulumi.Resource:
        args = self._args
        log: Statement = {
            "Sid": "OwnLog",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": pulumi.Output.concat(self._log_group.arn, ":*"),
        }
        return aws.iam.RolePolicy(
            f"{self._name}-permissions",
            name=args.site.name(args.thing),
            role=self._role.id,
            policy=document([log, *args.statements]),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _network_permission(self) -> pulumi.Resource:
        """Let Lambda, but not the function's own code, make and remove its network interfaces.

        Source: Giving Lambda functions access to resources in an Amazon VPC: required permissions and their Deny.
        """
        site, thing = self._args.site, self._args.thing
        actions = [
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ]
        function_arn = site.arn("lambda", f"function:{site.name(thing)}")
        return aws.iam.RolePolicy(
            f"{self._name}-network-permission",
            name=site.name(f"{thing}-network"),
            role=self._role.id,
            policy=document(
                [
                    {"Sid": "LambdaConnectsTheFunction", "Effect": "Allow", "Action": actions, "Resource": "*"},
                    {
                        "Sid": "NotTheFunctionItself",
                        "Effect": "Deny",
                        "Action": actions,
                        "Resource": "*",
                        "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": [function_arn]}},
                    },
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _security_group(
        self, vpc: VpcAccess, network_permission: pulumi.Resource
    ) -> tuple[aws.ec2.SecurityGroup, list[pulumi.Resource]]:
        site, thing = self._args.site, self._args.thing
        group = aws.ec2.SecurityGroup(
            f"{self._name}-group",
            name=site.name(thing),
            description=f"{site.name(thing)}: MySQL to both regions, nothing in",
            vpc_id=vpc.vpc_id,
            tags=site.tags(thing),
            # Made after the permission and so removed before it: AWS removes the function's network interfaces with the
            # function's role, and the group waits for that. With the permission gone first they stay, and neither group
            # nor network can be deleted.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[network_permission], custom_timeouts=ENI_RELEASE),
        )
        rules: list[pulumi.Resource] = [
            aws.vpc.SecurityGroupEgressRule(
                f"{self._name}-to-{whose}",
                security_group_id=group.id,
                description=f"MySQL to {whose} network",
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=vpc.database_port,
                to_port=vpc.database_port,
                tags=site.tags(f"{thing}-to-{whose}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for whose, cidr in vpc.database_cidrs.items()
        ]
        return group, rules
