"""The function that decides in one region, and what starts it.

Owns: the function outside the VPC, its state table, its schedule, and what it may do.
Does not own: how it decides (`functions/failover_controller`), nor the topic and alarms (`notifications`,
`monitoring`).
Invariant: everything that a failover needs is in the region that takes over; nothing is looked up in another.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pulumi
import pulumi_aws as aws

from components.json_text import json_text
from components.lambda_function import LambdaFunction, LambdaFunctionArgs
from components.lambda_package import lambda_package
from components.policy import Statement, document, trust
from components.site import Region

METRIC_NAMESPACE = "AuroraFailover"
THING = "failover-controller"
EVENT_AGE_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class WatchedCluster:
    """A member cluster, as the controller sees it, and the health check beside it."""

    cluster_id: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    writer_host: pulumi.Input[str]
    reader_host: pulumi.Input[str]
    health_check_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class FailoverPolicy:
    """When it may act; each field is an environment variable of the same name."""

    mode: str
    interval_seconds: float
    failure_threshold: int
    in_region_grace_seconds: int
    cooldown_seconds: int
    max_data_loss_seconds: int


@dataclass(frozen=True, kw_only=True)
class FailoverControllerArgs:
    """What it watches, how it reports, and when it may act."""

    site: Region
    peer_region: str
    global_cluster_id: pulumi.Input[str]
    global_cluster_arn: pulumi.Input[str]
    own: WatchedCluster
    peer: WatchedCluster
    database_port: int
    health_check_name: pulumi.Input[str]
    """The same in both regions."""
    policy: FailoverPolicy
    reserved_concurrency: int | None
    """How many may run at once, and always can; None where the account allows no reservation."""
    topic_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    log_retention_days: int
    started_after: Sequence[pulumi.Resource]
    """What must be there before the first cycle: both databases, their users, the way between them."""


class FailoverController(pulumi.ComponentResource):
    """The failover_controller function in one region, and its state."""

    function_name: pulumi.Output[str]
    """The function's name, the same in every region."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    table_name: pulumi.Output[str]
    """The table with state, lease, lock, switch and history."""

    def __init__(self, name: str, args: FailoverControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:failover_controller:FailoverController", name, None, opts)
        self._name, self._args = name, args
        table = self._table()
        function = self._function(table)
        self.table_name = table.name
        self.function_name, self.function_arn = function.function_name, function.function_arn
        self._schedule()
        self.register_outputs(
            {"function_name": self.function_name, "function_arn": self.function_arn, "table_name": self.table_name}
        )

    def _table(self) -> aws.dynamodb.Table:
        site = self._args.site
        return aws.dynamodb.Table(
            f"{self._name}-state",
            name=site.name("failover"),
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
            deletion_protection_enabled=site.is_production,
            tags=site.tags("failover"),
            opts=pulumi.ResourceOptions(parent=self, protect=site.is_production),
        )

    def _function(self, table: aws.dynamodb.Table) -> LambdaFunction:
        args = self._args
        function = LambdaFunction(
            self._name,
            LambdaFunctionArgs(
                site=args.site,
                thing=THING,
                description="Watches the writer from this region and takes over when its region is lost",
                package=lambda_package("failover_controller"),
                environment=self._environment(table),
                timeout_seconds=150,
                # A cycle runs five calls side by side, TLS and all, within 3 s: processor time comes with memory, one vCPU
                # with 1,769 MB; 256 MB would be a seventh. Source: Configure Lambda function memory.
                memory_mb=512,
                key_arn=args.key_arn,
                log_retention_days=args.log_retention_days,
                statements=_statements(args, table.arn),
                # With two, one cycles, and for a moment beside its successor; between two hand-overs the second place is
                # free for an event of RDS, which takes it for less than a second. The lease, not this, keeps it to one.
                reserved_concurrency=args.reserved_concurrency,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # A start that fails is not repeated: the next one comes within a minute. One that finds both places taken is
        # throttled, which is no failure: it waits in Lambda's queue and is tried again after 1 s, 2 s, 4 s and so on until
        # its age is over, whatever the number of retries. A hand-over in the middle of a failover call can take half a
        # minute, and an event of RDS that comes then must outlive it: with 60 s its last try would be the one after 31 s.
        # A schedule's start that comes minutes late does no harm: it takes the lease over like any other.
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
        args = self._args
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
            "DATABASE_PORT": str(args.database_port),
            "HEALTH_CHECK_FUNCTION": args.health_check_name,
            "STATE_TABLE": table.name,
            "TOPIC_ARN": args.topic_arn,
            "METRIC_NAMESPACE": METRIC_NAMESPACE,
            **{name.upper(): str(value) for name, value in asdict(args.policy).items()},
        }

    def _schedule(self) -> None:
        """Start the function every minute, the finest rate. Source: Schedule types, EventBridge Scheduler."""
        site = self._args.site
        role = aws.iam.Role(
            f"{self._name}-schedule",
            name=site.global_name("failover-schedule"),
            description=f"Lets the schedule in {site.region} start {site.name(THING)}",
            assume_role_policy=trust(site, "scheduler.amazonaws.com"),
            tags=site.tags("failover-schedule"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        start: Statement = {
            "Sid": "StartTheController",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": self.function_arn,
        }
        permission = aws.iam.RolePolicy(
            f"{self._name}-schedule",
            name=site.name("failover-schedule"),
            role=role.id,
            policy=document([start]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.scheduler.Schedule(
            f"{self._name}-schedule",
            name=site.name(THING),
            description="A cycle never pauses: each start takes over from the one before",
            schedule_expression="rate(1 minute)",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            state="ENABLED",
            target=aws.scheduler.ScheduleTargetArgs(
                arn=self.function_arn,
                role_arn=role.arn,
                input=json_text({"source": "schedule"}),
                retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                    maximum_retry_attempts=0, maximum_event_age_in_seconds=60
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission, *self._args.started_after]),
        )


def _statements(args: FailoverControllerArgs, table_arn: pulumi.Input[str]) -> list[Statement]:
    """Return what the controller calls, and nothing else."""
    site = args.site
    services = [f"{service}.{site.region}.amazonaws.com" for service in ("dynamodb", "sns")]
    return [
        {
            "Sid": "AskBothHealthChecks",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": [args.own.health_check_arn, args.peer.health_check_arn],
        },
        # Wider than it must be: the Service Authorization Reference knows ARNs for both calls. They only read, and a look
        # that is denied while members are moved would be a failover that doesn't happen (docs/decisions.md).
        {
            "Sid": "SeeTheDatabase",
            "Effect": "Allow",
            "Action": ["rds:DescribeGlobalClusters", "rds:DescribeDBClusters"],
            "Resource": "*",
        },
        # All three are needed. Source: Using failover in an Aurora global database: permissions.
        {
            "Sid": "FailOver",
            "Effect": "Allow",
            "Action": "rds:FailoverGlobalCluster",
            "Resource": [args.global_cluster_arn, args.own.cluster_arn, args.peer.cluster_arn],
        },
        {
            "Sid": "OwnState",
            "Effect": "Allow",
            "Action": ["dynamodb:BatchGetItem", "dynamodb:PutItem"],
            "Resource": table_arn,
        },
        {"Sid": "TellPeople", "Effect": "Allow", "Action": "sns:Publish", "Resource": args.topic_arn},
        # PutMetricData knows no resource, but a namespace. Source: Using condition keys to limit access to CloudWatch
        # namespaces.
        {
            "Sid": "OwnMetrics",
            "Effect": "Allow",
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
        },
        # Source: Using customer managed keys to encrypt DynamoDB tables; Key management for Amazon SNS.
        {
            "Sid": "OwnKeyThroughTableAndTopic",
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
