# ruff: noqa: D102 - the fake does what the port that it stands for says
"""A healthy stack in two regions as AWS describes it: `ReadOnlyApi` in memory.

Invariant: botocore's model of the service validates every call and every answer.
"""

import copy
import functools
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

from operations.aws.read_ports import READ_OPERATIONS, Answer
from operations.stack.resources import read_resources
from operations.support.errors import AwsError, NotThereError
from tests.support.operations.fakes import EAST, NOW, WEST, outputs

Respond = Callable[[Mapping[str, Any]], Any]
ROUTE_53 = EAST
CURRENT = "11111111-1111-1111-1111-111111111111"


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def _operation(service: str, operation: str) -> Any:
    model = _model(service)
    (name,) = [name for name in model.operation_names if xform_name(name) == operation]
    return model.operation_model(name)


def _check(value: Mapping[str, Any], shape: Any, what: str) -> None:
    if shape is None:
        assert not value, f"{what} takes no parameters"
        return
    unknown = set(value) - set(shape.members)
    assert not unknown, f"{what}: no such members {unknown}"
    report = ParamValidator().validate(dict(value), shape)
    assert not report.has_errors(), f"{what}: {report.generate_report()}"


class FakeAws:
    """AWS answers of a healthy stack in two regions; a test changes answers or makes calls fail."""

    def __init__(self) -> None:
        self.resources = read_resources(outputs())
        self.name_leads_to: Callable[[], str] = lambda: EAST
        """Region that the DNS name writer.<zone> resolves to."""
        self.answers: dict[tuple[str, str, str], Respond] = {}
        self.asked: list[tuple[str, str, str]] = []
        self._failures: list[tuple[str | None, str | None, str | None, Exception]] = []
        for here in self.resources.regions:
            self._set_region(here.region)

    def __call__(self, region: str) -> "FakeReadApi":
        return FakeReadApi(self, region)

    def set(self, region: str, service: str, operation: str, answer: Any) -> None:
        """Set the answer of an operation: a description, or a function of the parameters."""
        self.answers[region, service, operation] = answer if callable(answer) else lambda _: answer

    def change(self, region: str, service: str, operation: str, change: Callable[[Any], None]) -> None:
        """Change the answer of an operation in place."""
        before = self.answers[region, service, operation]

        def respond(parameters: Mapping[str, Any]) -> Any:
            answer = copy.deepcopy(before(parameters))
            change(answer)
            return answer

        self.answers[region, service, operation] = respond

    def fail(
        self,
        region: str | None = None,
        service: str | None = None,
        operation: str | None = None,
        error: Exception | None = None,
    ) -> None:
        """Make matching calls fail; None matches any."""
        self._failures.append((region, service, operation, error or AwsError("no answer", hint="Try again.")))

    def respond(self, region: str, service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
        assert (service, operation) in READ_OPERATIONS, f"{service}.{operation} is not in READ_OPERATIONS"
        model = _operation(service, operation)
        _check(parameters, model.input_shape, f"{service}.{operation}")
        self.asked.append((region, service, operation))
        for where, which, what, error in self._failures:
            if where in (None, region) and which in (None, service) and what in (None, operation):
                raise error
        answer = self.answers[region, service, operation](parameters)
        if isinstance(answer, Exception):
            raise answer
        if (service, operation) not in {("lambda", "invoke"), ("secretsmanager", "get_secret_value")}:
            _check(answer, model.output_shape, f"answer to {service}.{operation}")
        return answer

    # --- A healthy stack ------------------------------------------------------------------------------------------

    def _set_region(self, region: str) -> None:
        here = self.resources.in_region(region)
        members = [
            {
                "DBClusterArn": each.cluster_arn,
                "IsWriter": each.region == EAST,
                "SynchronizationStatus": "connected",
            }
            for each in self.resources.regions
        ]
        global_cluster = {
            "GlobalClusterIdentifier": self.resources.global_cluster_id,
            "GlobalClusterMembers": members,
            "StorageEncrypted": True,
            "EngineVersion": "8.0.mysql_aurora.3.10.4",
        }
        self.set(region, "rds", "describe_global_clusters", {"GlobalClusters": [global_cluster]})
        instances = [f"{here.cluster_id}-{number}" for number in (1, 2)]
        cluster = {
            "DBClusterIdentifier": here.cluster_id,
            "DBClusterArn": here.cluster_arn,
            "Status": "available",
            "StorageEncrypted": True,
            "KmsKeyId": here.key_arn,
            "BackupRetentionPeriod": 7,
            "LatestRestorableTime": NOW - timedelta(minutes=4),
            "DeletionProtection": False,
            "EngineVersion": "8.0.mysql_aurora.3.10.4",
            "DBClusterParameterGroup": "payments-cluster-dev",
            "DBClusterMembers": [
                {"DBInstanceIdentifier": name, "DBClusterParameterGroupStatus": "in-sync"} for name in instances
            ],
            "TagList": tags("dev"),
            "EnabledCloudwatchLogsExports": ["audit", "error", "slowquery"],
        }
        self.set(region, "rds", "describe_db_clusters", {"DBClusters": [cluster]})
        described = [
            {
                "DBInstanceIdentifier": name,
                "DBInstanceStatus": "available",
                "PubliclyAccessible": False,
                "EngineVersion": "8.0.mysql_aurora.3.10.4",
                "AutoMinorVersionUpgrade": False,
            }
            for name in instances
        ]
        self.set(region, "rds", "describe_db_instances", {"DBInstances": described})
        parameters = [{"ParameterName": "require_secure_transport", "ParameterValue": "ON"}]
        self.set(region, "rds", "describe_db_cluster_parameters", {"Parameters": parameters})
        self.set(region, "rds", "describe_db_cluster_snapshots", {"DBClusterSnapshots": []})
        target = {
            "Arn": f"arn:aws:lambda:{region}:123456789012:function:{here.controller}",
            "RoleArn": "arn:aws:iam::x:role/r",
        }
        schedule = {"State": "ENABLED", "ScheduleExpression": "rate(1 minute)", "Target": target}
        self.set(region, "scheduler", "get_schedule", schedule)
        self._set_alarms(region)
        secret = {
            "KmsKeyId": here.key_arn,
            "VersionIdsToStages": {CURRENT: ["AWSCURRENT"]},
            **({"ReplicationStatus": [{"Region": WEST, "Status": "InSync"}]} if region == EAST else {}),
        }
        self.set(region, "secretsmanager", "describe_secret", secret)
        self.set(region, "secretsmanager", "get_secret_value", {"VersionId": CURRENT, "IsReadable": True})
        table = {"TableStatus": "ACTIVE", "SSEDescription": {"Status": "ENABLED", "KMSMasterKeyArn": here.key_arn}}
        self.set(region, "dynamodb", "describe_table", {"Table": table})
        attributes = {"KmsMasterKeyId": here.key_arn, "SubscriptionsConfirmed": "1", "SubscriptionsPending": "0"}
        self.set(region, "sns", "get_topic_attributes", {"Attributes": attributes})

        def log_group(asked: Mapping[str, Any]) -> Any:
            name = asked["logGroupNamePrefix"]
            return {"logGroups": [{"logGroupName": name, "kmsKeyId": here.key_arn, "retentionInDays": 30}]}

        self.set(region, "logs", "describe_log_groups", log_group)
        self.set(region, "route53", "get_health_check", self._health_check)
        self.set(region, "lambda", "get_function_configuration", _configuration)
        self.set(region, "lambda", "invoke", functools.partial(self._health_check_function, region))

    def _set_alarms(self, region: str) -> None:
        alarms = [
            {
                "AlarmName": name,
                "StateValue": "ALARM"
                if name.startswith("payments-reader-role" if region == WEST else "payments-writer-role")
                else "OK",
                "ActionsEnabled": True,
                "AlarmActions": [] if "-role-" in name else [self.resources.in_region(region).topic_arn],
                "Namespace": "AWS/RDS",
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "DBClusterIdentifier", "Value": "x"}],
                "AlarmConfigurationUpdatedTimestamp": NOW - timedelta(days=1),
            }
            for name in self.resources.in_region(region).alarm_names
        ]

        def describe(asked: Mapping[str, Any]) -> Any:
            wanted = asked.get("StateValue")
            return {"MetricAlarms": [each for each in alarms if wanted in (None, each["StateValue"])]}

        def data(asked: Mapping[str, Any]) -> Any:
            return {"MetricDataResults": [{"Id": each["Id"], "Values": [1.0]} for each in asked["MetricDataQueries"]]}

        def statistics(asked: Mapping[str, Any]) -> Any:
            if asked["Namespace"] == "AWS/Route53":
                return {"Datapoints": [{"Timestamp": NOW - timedelta(minutes=m), "Minimum": 1.0} for m in (2, 1)]}
            points = [{"Timestamp": NOW - timedelta(minutes=2), "Average": 62.5}] if region == WEST else []
            return {"Datapoints": points}

        self.set(region, "cloudwatch", "describe_alarms", describe)
        self.set(region, "cloudwatch", "get_metric_data", data)
        self.set(region, "cloudwatch", "get_metric_statistics", statistics)

    def _health_check(self, asked: Mapping[str, Any]) -> Any:
        config = {"Type": "CALCULATED", "Disabled": False}
        check = {
            "Id": asked["HealthCheckId"],
            "CallerReference": "c",
            "HealthCheckConfig": config,
            "HealthCheckVersion": 1,
        }
        return {"HealthCheck": check}

    def _health_check_function(self, region: str, asked: Mapping[str, Any]) -> Any:
        request = json.loads(asked["Payload"])
        if "names" in request:
            addresses = {EAST: "10.0.0.1:3306", WEST: "10.1.0.1:3306"}
            names = {
                self.resources.writer_name: addresses[self.name_leads_to()],
                **{here.writer_endpoint: addresses[here.region] for here in self.resources.regions},
            }
            answers = [{"name": name, "addresses": [names[name]], "failure": None} for name in request["names"]]
            return {"Payload": {"region": region, "names": answers}}
        self._cycles = getattr(self, "_cycles", 0) + 1
        probes = [self._probe(target) for target in request["targets"]]
        return {"Payload": {"region": region, "probes": probes}}

    def _probe(self, target: Mapping[str, Any]) -> dict[str, Any]:
        is_writer = target["region"] == EAST
        at = (NOW + timedelta(seconds=self._cycles)).isoformat()
        return {
            "cluster": target["cluster"],
            "reachable": True,
            "failure": None,
            "connect_ms": 12.5,
            "read_only": not is_writer,
            "heartbeat_write_ms": 3.0 if is_writer else None,
            "heartbeat_at": at,
            "replication_lag_ms": None if is_writer else 50.0,
            **({"heartbeat_sources": {"database": at, "us-east-1": at}} if target.get("sources") else {}),
        }


class FakeReadApi:
    """`ReadOnlyApi` of one region."""

    def __init__(self, aws: FakeAws, region: str) -> None:
        self._aws, self._region = aws, region

    def read(self, service: str, operation: str, **parameters: Any) -> Answer:
        return self._aws.respond(self._region, service, operation, parameters)

    def read_all(self, service: str, operation: str, items: str, **parameters: Any) -> list[Any]:
        return list(self._aws.respond(self._region, service, operation, parameters)[items])


def _configuration(asked: Mapping[str, Any]) -> Any:
    name = asked["FunctionName"].removeprefix("payments-").removesuffix("-dev")
    return {"FunctionName": asked["FunctionName"], "CodeSha256": f"hash of {name}"}


def tags(environment: str, **more: str) -> list[dict[str, str]]:
    """Return a stack's tags as RDS describes them."""
    values = {"Environment": environment, "Project": "payments", "Team": "platform", "CostCenter": "engineering"}
    return [{"Key": key, "Value": value} for key, value in {**values, "ManagedBy": "Pulumi", **more}.items()]


def missing(what: str = "it") -> NotThereError:
    """Return the error for a resource that does not exist."""
    return NotThereError(f"{what}: there is none", hint="Is the stack up?")
