"""The flow logs of one region's VPC: who connected to the database, and who tried in vain."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.iam_policy import document, trust
from components.region import Region


@dataclass(frozen=True, kw_only=True)
class FlowLogsArgs:
    """The VPC, and the key that encrypts the records."""

    region: Region
    vpc_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]


class FlowLogs(pulumi.ComponentResource):
    """A flow log with its log group and the role that writes the records."""

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:flow_logs:FlowLogs", name, None, opts)
        self._name, self._region = name, args.region
        region = args.region
        group = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=f"/aws/vpc/{region.name('flow-logs')}",
            retention_in_days=region.stack.audit_retention_days,
            kms_key_id=args.key_arn,
            tags=region.tags("flow-logs"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        role, permission = self._role(group)
        aws.ec2.FlowLog(
            f"{name}-vpc",
            vpc_id=args.vpc_id,
            # Accepted connections as well: they show who reached the database.
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            tags=region.tags("vpc"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )
        self.register_outputs({})

    def _role(self, group: aws.cloudwatch.LogGroup) -> tuple[aws.iam.Role, pulumi.Resource]:
        """Create the role that the VPC service assumes.

        It cannot create a log group, so no group appears again after a destroy.
        Source: Publish flow logs to CloudWatch Logs, Amazon VPC User Guide.
        """
        region = self._region
        role = aws.iam.Role(
            f"{self._name}-role",
            name=region.global_name("flow-logs"),
            description=f"Lets the VPC of {region.code} write its flow logs",
            assume_role_policy=trust(region, "vpc-flow-logs.amazonaws.com"),
            tags=region.tags("flow-logs"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        permission = aws.iam.RolePolicy(
            f"{self._name}-permissions",
            name=region.name("flow-logs"),
            role=role.id,
            policy=document(
                [
                    {
                        "Sid": "OwnLog",
                        "Effect": "Allow",
                        "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                        "Resource": [group.arn, pulumi.Output.concat(group.arn, ":*")],
                    },
                    {
                        "Sid": "FindOwnLog",
                        "Effect": "Allow",
                        "Action": "logs:DescribeLogGroups",
                        "Resource": region.arn("logs", "log-group:*"),
                    },
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role, permission
