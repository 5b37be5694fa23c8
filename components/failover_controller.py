"""The function that decides about a failover in one region, with its state table, schedule, queue of failed events and permissions.

A failover uses resources of its target region only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.iam_policy import Statement, document, trust
from components.lambda_function import LambdaFunction, LambdaFunctionArgs
from components.lambda_package import lambda_package
from components.region import Region

METRIC_NAMESPACE = "AuroraFailover"
FUNCTION_NAME = "failover-controller"
EVENT_AGE_SECONDS = 300
FAILED_EVENT_SECONDS = 14 * 24 * 3600
"""The longest retention of a queue. Source: SetQueueAttributes, Amazon SQS API Reference."""


@dataclass(frozen=True, kw_only=True)
class WatchedCluster:
    """A member cluster and the health check in the cluster's region, as inputs of the controller."""

    cluster_id: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    writer_host: pulumi.Input[str]
    reader_host: pulumi.Input[str]
    health_check_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class FailoverControllerArgs:
    """The clusters that the controller watches, and the resources that it uses."""

    region: Region
    peer_region: str
    global_cluster_id: pulumi.Input[str]
    global_cluster_arn: pulumi.Input[str]
    own: WatchedCluster
    peer: WatchedCluster
    health_check_name: pulumi.Input[str]
    """The name of the health_check function, the same in both regions."""
    topic_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    started_after: Sequence[pulumi.Resource]
    """The resources that the first cycle needs."""


class FailoverController(pulumi.ComponentResource):
    """The failover_controller function in one region, and its state."""

    function_name: pulumi.Output[str]
    """The function's name, the same in every region."""
    code_sha256: str
    """The hash of the function's archive, as Lambda describes it."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    table_name: pulumi.Output[str]
    """The table of the controller's state, lease, lock, arm switch and history."""

    def __init__(self, name: str, args: FailoverControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:failover_controller:FailoverController", name, None, opts)
        self._name, self._args = name, args
        table = self._table()
        function = self._function(table, self._failed_events())
        self.table_name = table.name
        self.function_name, self.function_arn = function.function_name, function.function_arn
        self.code_sha256 = function.code_sha256
        self._schedule()
        self.register_outputs(
            {"function_name": self.function_name, "function_arn": self.function_arn, "table_name": self.table_name}
        )

    def _table(self) -> aws.dynamodb.Table:
        region = self._args.region
        return aws.dynamodb.Table(
            f"{self._name}-state",
            name=region.name("failover"),
            billing_mode="PAY_PER_REQUEST",
            hash_key="item",
            range_key="sort",
            attributes=[
                aws.dynamodb.TableAttributeArgs(name="item", type="S"),
                aws.dynamodb.TableAttributeArgs(name="sort", type="S"),
            ],
            ttl=aws.dynamodb.TableTtlArgs(attribute_name="expires_at", enabled=True),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                enabled=True, kms_key_arn=self._args.key_arn
            ),
            deletion_protection_enabled=region.is_production,
            tags=region.tags("failover"),
            opts=pulumi.ResourceOptions(parent=self, protect=region.is_production),
        )

    def _failed_events(self) -> aws.sqs.Queue:
        """Create the queue of the events that the function failed to process; no program reads it."""
        region = self._args.region
        return aws.sqs.Queue(
            f"{self._name}-failed-events",
            name=region.name("failed-events"),
            message_retention_seconds=FAILED_EVENT_SECONDS,
            kms_master_key_id=self._args.key_arn,
            tags=region.tags("failed-events"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _function(self, table: aws.dynamodb.Table, failed_events: aws.sqs.Queue) -> LambdaFunction:
        args = self._args
        function = LambdaFunction(
            self._name,
            LambdaFunctionArgs(
                region=args.region,
                name=FUNCTION_NAME,
                description="Watches the writer and fails over to this region when the writer's region is lost",
                package=lambda_package("failover_controller"),
                environment=self._environment(table),
                timeout_seconds=150,
                # A cycle makes five TLS calls in parallel within 3 s. CPU is proportional to memory, with one vCPU at
                # 1,769 MB. Source: Configure Lambda function memory.
                memory_mb=512,
                key_arn=args.key_arn,
                statements=_statements(args, table.arn, failed_events.arn),
                dead_letter_queue_arn=failed_events.arn,
                # Of the default two, one invocation runs cycles. The other slot is for its successor at a hand-over, and for
                # RDS events, which take less than a second. The lease ensures that only one invocation runs cycles.
                reserved_concurrency=args.region.stack.failover.reserved_concurrency,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # A failed invocation is not retried: the schedule starts another within a minute. A throttled one is not failed:
        # Lambda retries it after 1 s, 2 s, 4 s and so on until the maximum event age, whatever the number of retries. A
        # hand-over during a failover call can take half a minute, and an RDS event must outlive it; with 60 s its last
        # retry would come after 31 s. A scheduled invocation that is minutes late takes the lease over like any other.
        # Source: How Lambda handles errors and retries with asynchronous invocation.
        aws.lambda_.FunctionEventInvokeConfig(
            f"{self._name}-once",
            function_name=function.function_name,
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=EVENT_AGE_SECONDS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return function

    def _environment(self, table: aws.dynamodb.Table) -> dict[str, pulumi.Input[str]]:
        args, failover = self._args, self._args.region.stack.failover
        clusters: dict[str, pulumi.Input[str]] = {}
        for whose, cluster in (("OWN", args.own), ("PEER", args.peer)):
            clusters[f"{whose}_CLUSTER_ID"] = cluster.cluster_id
            clusters[f"{whose}_CLUSTER_ARN"] = cluster.cluster_arn
            clusters[f"{whose}_WRITER_HOST"] = cluster.writer_host
            clusters[f"{whose}_READER_HOST"] = cluster.reader_host
        return {
            **clusters,
            "GLOBAL_CLUSTER_ID": args.global_cluster_id,
            "PEER_REGION": args.peer_region,
            "DATABASE_PORT": str(args.region.stack.database.port),
            "HEALTH_CHECK_FUNCTION": args.health_check_name,
            "STATE_TABLE": table.name,
            "TOPIC_ARN": args.topic_arn,
            "METRIC_NAMESPACE": METRIC_NAMESPACE,
            **{
                name.upper(): str(value)
                for name, value in failover.model_dump(exclude={"reserved_concurrency"}).items()
            },
        }

    def _schedule(self) -> None:
        """Start the function every minute, the highest rate. Source: Schedule types, EventBridge Scheduler."""
        region = self._args.region
        role = aws.iam.Role(
            f"{self._name}-schedule",
            name=region.global_name("failover-schedule"),
            description=f"Lets the schedule in {region.code} start {region.name(FUNCTION_NAME)}",
            assume_role_policy=trust(region, "scheduler.amazonaws.com"),
            tags=region.tags("failover-schedule"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        start: Statement = {
            "Sid": "StartController",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": self.function_arn,
        }
        permission = aws.iam.RolePolicy(
            f"{self._name}-schedule",
            name=region.name("failover-schedule"),
            role=role.id,
            policy=document([start]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.scheduler.Schedule(
            f"{self._name}-schedule",
            name=region.name(FUNCTION_NAME),
            description="Each invocation takes over from the previous one, without a pause between cycles",
            schedule_expression="rate(1 minute)",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            state="ENABLED",
            target=aws.scheduler.ScheduleTargetArgs(
                arn=self.function_arn,
                role_arn=role.arn,
                input=pulumi.Output.json_dumps({"source": "schedule"}),
                retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_retry_attempts=0, maximum_event_age_in_seconds=60
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission, *self._args.started_after]),
        )


def _statements(
    args: FailoverControllerArgs, table_arn: pulumi.Input[str], failed_events_arn: pulumi.Input[str]
) -> list[Statement]:
    """Return the permissions for the controller's calls."""
    region = args.region
    services = [f"{service}.{region.code}.amazonaws.com" for service in ("dynamodb", "sns", "sqs")]
    return [
        {
            "Sid": "InvokeHealthChecks",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": [args.own.health_check_arn, args.peer.health_check_arn],
        },
        # Both calls support resource ARNs, but a call that is denied while AWS moves the members would prevent a failover
        # (docs/decisions.md). They only read.
        {
            "Sid": "DescribeClusters",
            "Effect": "Allow",
            "Action": ["rds:DescribeGlobalClusters", "rds:DescribeDBClusters"],
            "Resource": "*",
        },
        # AWS requires all three ARNs. Source: Using failover in an Aurora global database: permissions.
        {
            "Sid": "FailOver",
            "Effect": "Allow",
            "Action": "rds:FailoverGlobalCluster",
            "Resource": [args.global_cluster_arn, args.own.cluster_arn, args.peer.cluster_arn],
        },
        {
            "Sid": "StateTable",
            "Effect": "Allow",
            # ConditionCheckItem: an intent is written only while the switch does not disarm the controller.
            "Action": ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:PutItem"],
            "Resource": table_arn,
        },
        {"Sid": "PublishNotices", "Effect": "Allow", "Action": "sns:Publish", "Resource": args.topic_arn},
        # Lambda sends with the function's role. Source: Capturing records of Lambda asynchronous invocations.
        {"Sid": "KeepFailedEvents", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": failed_events_arn},
        # PutMetricData supports no resource ARN. Source: Using condition keys to limit access to CloudWatch namespaces.
        {
            "Sid": "PublishMetrics",
            "Effect": "Allow",
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
        },
        # Source: Using customer managed keys to encrypt DynamoDB tables; Key management for Amazon SNS; Amazon SQS Key
        # management.
        {
            "Sid": "KeyOfTableTopicAndQueue",
            "Effect": "Allow",
            "Action": [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            "Resource": args.key_arn,
            "Condition": {"StringEquals": {"kms:ViaService": services}},
        },
    ]
