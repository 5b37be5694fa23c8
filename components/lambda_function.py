"""A Lambda function and its role, permissions, log group and, in the VPC, security group.

Besides the permissions that its component lists, a function may write to its own log group and decrypt its own environment
variables, which the region's key encrypts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.iam_policy import Statement, document, trust
from components.lambda_package import LambdaPackage
from components.network import ENI_RELEASE
from components.region import Region

RUNTIME = "python3.13"


@dataclass(frozen=True, kw_only=True)
class VpcAccess:
    """The network of a function, and the databases that it reaches. The function reaches no other address."""

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    database_cidrs: Mapping[str, str]
    """CIDRs of the networks, by `own` or `peer`."""
    database_port: int


@dataclass(frozen=True, kw_only=True)
class LambdaFunctionArgs:
    """A function's code, configuration and permissions."""

    region: Region
    name: str
    """The function's name without project and environment."""
    description: str
    package: LambdaPackage
    environment: Mapping[str, pulumi.Input[str]]
    timeout_seconds: int
    memory_mb: int
    key_arn: pulumi.Input[str]
    statements: Sequence[Statement] = ()
    """The permissions besides logging."""
    vpc: VpcAccess | None = None
    reserved_concurrency: int | None = None
    dead_letter_queue_arn: pulumi.Input[str] | None = None
    """The queue of failed events, for a function that is invoked asynchronously; `statements` allow sending to it."""


class LambdaFunction(pulumi.ComponentResource):
    """A function with its role, log group and, in the VPC, its security group."""

    function_name: pulumi.Output[str]
    """The function's name."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    code_sha256: str
    """The hash of its archive, as Lambda describes it."""
    security_group_id: pulumi.Output[str] | None
    """The function's security group; None outside the VPC."""

    def __init__(self, name: str, args: LambdaFunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:lambda_function:LambdaFunction", name, None, opts)
        self._name, self._args, self.code_sha256 = name, args, args.package.sha256
        self._role = self._make_role()
        self._log_group = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=f"/aws/lambda/{args.region.name(args.name)}",
            retention_in_days=args.region.stack.logs.retention_days,
            kms_key_id=args.key_arn,
            tags=args.region.tags(args.name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        dependencies: list[pulumi.Resource] = [self._permissions()]
        self.security_group_id, vpc_config = None, None
        if args.vpc:
            network_permission = self._network_permission()
            group, rules = self._security_group(args.vpc, network_permission)
            dependencies += [network_permission, *rules]
            self.security_group_id = group.id
            vpc_config = aws.lambda_.FunctionVpcConfigArgs(
                subnet_ids=list(args.vpc.subnet_ids), security_group_ids=[group.id]
            )
        function = self._function(vpc_config, dependencies)
        self.function_name, self.function_arn = function.name, function.arn
        self.register_outputs({"function_name": self.function_name, "function_arn": self.function_arn})

    def _function(
        self, vpc_config: aws.lambda_.FunctionVpcConfigArgs | None, dependencies: list[pulumi.Resource]
    ) -> aws.lambda_.Function:
        args = self._args
        return aws.lambda_.Function(
            f"{self._name}-function",
            name=args.region.name(args.name),
            description=args.description,
            role=self._role.arn,
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=args.package.handler,
            code=args.package.archive,
            source_code_hash=args.package.sha256,
            timeout=args.timeout_seconds,
            memory_size=args.memory_mb,
            reserved_concurrent_executions=args.reserved_concurrency,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=dict(args.environment)),
            kms_key_arn=args.key_arn,
            dead_letter_config=aws.lambda_.FunctionDeadLetterConfigArgs(target_arn=args.dead_letter_queue_arn)
            if args.dead_letter_queue_arn is not None
            else None,
            vpc_config=vpc_config,
            # Without a name Lambda creates a log group itself: unencrypted and never expiring.
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="Text", log_group=self._log_group.name),
            tags=args.region.tags(args.name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=dependencies),
        )

    def _make_role(self) -> aws.iam.Role:
        args = self._args
        return aws.iam.Role(
            f"{self._name}-role",
            name=args.region.global_name(args.name),
            description=f"Permissions of {args.region.name(args.name)} in {args.region.code}",
            assume_role_policy=trust(args.region, "lambda.amazonaws.com"),
            tags=args.region.tags(args.name),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _permissions(self) -> pulumi.Resource:
        args = self._args
        function_arn = args.region.arn("lambda", f"function:{args.region.name(args.name)}")
        # Lambda decrypts the environment at a cold start, with a grant for the role. A role that is created again has no grant.
        # Source: Securing Lambda environment variables.
        environment: Statement = {
            "Sid": "OwnEnvironment",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": args.key_arn,
            "Condition": {"StringEquals": {"kms:EncryptionContext:aws:lambda:FunctionArn": function_arn}},
        }
        log: Statement = {
            "Sid": "OwnLog",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": pulumi.Output.concat(self._log_group.arn, ":*"),
        }
        return aws.iam.RolePolicy(
            f"{self._name}-permissions",
            name=args.region.name(args.name),
            role=self._role.id,
            policy=document([log, *args.statements, environment]),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _network_permission(self) -> pulumi.Resource:
        """Let Lambda, but not the function's own code, manage the function's network interfaces.

        Source: Giving Lambda functions access to resources in an Amazon VPC: required permissions and their Deny.
        """
        region, name = self._args.region, self._args.name
        actions = [
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ]
        function_arn = region.arn("lambda", f"function:{region.name(name)}")
        return aws.iam.RolePolicy(
            f"{self._name}-network-permission",
            name=region.name(f"{name}-network"),
            role=self._role.id,
            policy=document(
                [
                    {"Sid": "LambdaManagesInterfaces", "Effect": "Allow", "Action": actions, "Resource": "*"},
                    {
                        "Sid": "FunctionManagesNoInterfaces",
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
        region, name = self._args.region, self._args.name
        group = aws.ec2.SecurityGroup(
            f"{self._name}-group",
            name=region.name(name),
            description=f"{region.name(name)}: MySQL to both regions, no inbound traffic",
            vpc_id=vpc.vpc_id,
            tags=region.tags(name),
            # The group depends on the permission, so it is deleted first: Lambda removes the function's network interfaces
            # with the function's role, and the group waits for that. Without the permission the interfaces would remain,
            # and neither the group nor the network could be deleted.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[network_permission], custom_timeouts=ENI_RELEASE),
        )
        rules: list[pulumi.Resource] = [
            aws.vpc.SecurityGroupEgressRule(
                f"{self._name}-to-{network}",
                security_group_id=group.id,
                description=f"MySQL to {network} network",
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=vpc.database_port,
                to_port=vpc.database_port,
                tags=region.tags(f"{name}-to-{network}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for network, cidr in vpc.database_cidrs.items()
        ]
        return group, rules
