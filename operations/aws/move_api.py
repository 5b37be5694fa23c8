"""`MoveApi` with boto3: the calls that move, copy or delete the database.

The client sends a call that changes something once and never retries it: after an error, the commands read the state first.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.failover_controller.model import Port
from functions.failover_controller.parsing import UNKNOWN_PROBE, read_probes
from functions.failover_controller.ports import PortError
from operations.aws.clients import Client, Clients
from operations.aws.move_ports import (
    AwsRefusedError,
    ClusterInfo,
    GlobalClusterInfo,
    Instance,
    MoveOperation,
    ProbeResult,
    ProbeTarget,
)
from operations.aws.region_api import READ_TIMEOUT_SECONDS, translate_error
from operations.stack.deployment import DeployedRegion
from operations.support.errors import AwsError

CALL_TIMEOUT_SECONDS = 30
"""For a call that starts an operation. RDS verifies both clusters first; in a disaster this verification is slow."""
METRIC_NAMESPACE, WRITER_ROLE = "AuroraFailover", "WriterRole"
METRIC_PERIOD_SECONDS = 60
PROBE_MS = 2500
IO_OPTIMIZED = "aurora-iopt1"
_SERVER_FAULT = 500
_CLUSTER_SETTINGS = {
    "DBSubnetGroup": "DBSubnetGroupName",
    "DBClusterParameterGroup": "DBClusterParameterGroupName",
    "KmsKeyId": "KmsKeyId",
    "Port": "Port",
    "IAMDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "DeletionProtection": "DeletionProtection",
    "CopyTagsToSnapshot": "CopyTagsToSnapshot",
}
"""Attributes of DescribeDBClusters and their parameters in RestoreDBClusterToPointInTime. Source: Amazon RDS API Reference."""
_INSTANCE_SETTINGS = (
    "DBInstanceClass",
    "PubliclyAccessible",
    "AutoMinorVersionUpgrade",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "CopyTagsToSnapshot",
)


class AwsMoveApi:
    """One region's RDS, Lambda and CloudWatch."""

    def __init__(self, clients: Clients, global_cluster_id: str, region: DeployedRegion) -> None:
        self._clients, self._global_cluster_id, self._region = clients, global_cluster_id, region

    def read_global(self) -> GlobalClusterInfo:
        """Return the global cluster. Raises AwsError."""
        identity = self._global_cluster_id
        answer = self._read("rds", lambda client: client.describe_global_clusters(GlobalClusterIdentifier=identity))
        (cluster,) = answer["GlobalClusters"] or [{}]
        members = cluster.get("GlobalClusterMembers", [])
        writers = [each["DBClusterArn"] for each in members if each.get("IsWriter")]
        return GlobalClusterInfo(
            status=cluster.get("Status", "unknown"),
            writer_arn=writers[0] if len(writers) == 1 else None,
            synchronization={each["DBClusterArn"]: each.get("SynchronizationStatus", "unknown") for each in members},
            operation=_operation(cluster.get("FailoverState") or {}),
        )

    def read_cluster(self, identifier: str) -> ClusterInfo | None:
        """Return a cluster of this region; `None` if it does not exist. Raises AwsError."""
        try:
            answer = self._read("rds", lambda client: client.describe_db_clusters(DBClusterIdentifier=identifier))
        except AwsError as error:
            if _code(error) == "DBClusterNotFoundFault":
                return None
            raise
        return _cluster(answer["DBClusters"][0])

    def read_instances(self, cluster_id: str) -> Sequence[Instance]:
        """Return the instances of a cluster. Raises AwsError."""
        filters = [{"Name": "db-cluster-id", "Values": [cluster_id]}]
        cluster = self._read("rds", lambda client: client.describe_db_clusters(DBClusterIdentifier=cluster_id))
        found = self._read("rds", lambda client: client.describe_db_instances(Filters=filters))["DBInstances"]
        members = cluster["DBClusters"][0].get("DBClusterMembers", [])
        writers = {each["DBInstanceIdentifier"] for each in members if each.get("IsClusterWriter")}
        return [_instance(each, writers) for each in found]

    def switch_over(self, target_arn: str) -> None:
        """Start a switchover. Source: Amazon RDS API Reference, SwitchoverGlobalCluster.

        Raises:
            AwsRefusedError: RDS rejected the call.
            AwsError: it is unknown whether the switchover has started.
        """
        names = {"GlobalClusterIdentifier": self._global_cluster_id, "TargetDbClusterIdentifier": target_arn}
        self._change(lambda client: client.switchover_global_cluster(**names))

    def fail_over(self, target_arn: str) -> None:
        """Start a failover that may lose data. Raises the same errors as `switch_over`.

        Without AllowDataLoss it would be a switchover. Source: Amazon RDS API Reference, FailoverGlobalCluster.
        """
        names = {"GlobalClusterIdentifier": self._global_cluster_id, "TargetDbClusterIdentifier": target_arn}
        self._change(lambda client: client.failover_global_cluster(**names, AllowDataLoss=True))

    def probe(self, target: ProbeTarget) -> ProbeResult:
        """Probe a cluster's writer endpoint with this region's health_check. Raises AwsError."""
        name, cluster = target.function_name, target.cluster_id
        request = {"cluster": cluster, "region": target.region, "host": target.host, "port": target.port}
        payload = json.dumps({"targets": [request], "deadline_ms": PROBE_MS}).encode()
        answer = self._read("lambda", lambda client: client.invoke(FunctionName=name, Payload=payload))
        body = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise AwsError(f"{name} in {self._region.name} failed: {body[:200]!r}", hint="Read the function's log.")
        try:
            found = read_probes(json.loads(body)).get(cluster, UNKNOWN_PROBE)
        except (PortError, ValueError) as error:
            raise AwsError(f"{name} in {self._region.name}: {error}", hint="Read the function's log.") from error
        return ProbeResult(
            is_alive=found.port is Port.ALIVE,
            read_only=found.read_only,
            heartbeat=found.heartbeat,
            problem=found.failure,
        )

    def writer_role(self, since: datetime) -> float | None:
        """Return the newest value of WriterRole since then, by the statistic that the DNS alarm uses. Raises AwsError."""
        request = {
            "Namespace": METRIC_NAMESPACE,
            "MetricName": WRITER_ROLE,
            "Dimensions": [{"Name": "GlobalCluster", "Value": self._global_cluster_id}],
            "StartTime": since - timedelta(seconds=METRIC_PERIOD_SECONDS),
            "EndTime": since + timedelta(days=1),
            "Period": METRIC_PERIOD_SECONDS,
            "Statistics": ["Maximum"],
        }
        answer = self._read("cloudwatch", lambda client: client.get_metric_statistics(**request))
        points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
        return points[-1]["Maximum"] if points else None

    def restore(self, source_id: str, copy_id: str, at: datetime, settings: Mapping[str, object]) -> None:
        """Start to restore a cluster as of `at` into a new one. Raises the same errors as `switch_over`.

        Source: Amazon RDS API Reference, RestoreDBClusterToPointInTime.
        """
        names = {"SourceDBClusterIdentifier": source_id, "DBClusterIdentifier": copy_id, "RestoreType": "full-copy"}
        self._change(lambda client: client.restore_db_cluster_to_point_in_time(**names, RestoreToTime=at, **settings))

    def create_instance(self, cluster_id: str, instance_id: str, settings: Mapping[str, object]) -> None:
        """Start to create an instance in a cluster. Raises the same errors as `switch_over`."""
        names = {"DBClusterIdentifier": cluster_id, "DBInstanceIdentifier": instance_id}
        self._change(lambda client: client.create_db_instance(**names, Engine="aurora-mysql", **settings))

    def unprotect(self, cluster_id: str) -> None:
        """Disable a cluster's deletion protection. Raises the same errors as `switch_over`."""
        change = {"DBClusterIdentifier": cluster_id, "DeletionProtection": False, "ApplyImmediately": True}
        self._change(lambda client: client.modify_db_cluster(**change))

    def delete_instance(self, instance_id: str) -> None:
        """Start to delete an instance. Raises the same errors as `switch_over`."""
        self._change(lambda client: client.delete_db_instance(DBInstanceIdentifier=instance_id))

    def delete_cluster(self, cluster_id: str) -> None:
        """Start to delete a cluster, without a final snapshot. Raises the same errors as `switch_over`."""
        self._change(lambda client: client.delete_db_cluster(DBClusterIdentifier=cluster_id, SkipFinalSnapshot=True))

    def backtrack(self, cluster_id: str, at: datetime) -> str:
        """Start to backtrack a cluster in place; return the backtrack's identifier. Raises the same errors as `switch_over`."""
        answer = self._change(
            lambda client: client.backtrack_db_cluster(DBClusterIdentifier=cluster_id, BacktrackTo=at)
        )
        return answer["BacktrackIdentifier"]

    def backtrack_status(self, cluster_id: str, backtrack_id: str) -> str:
        """Return a backtrack's status. Raises AwsError."""
        names = {"DBClusterIdentifier": cluster_id, "BacktrackIdentifier": backtrack_id}
        answer = self._read("rds", lambda client: client.describe_db_cluster_backtracks(**names))
        (found,) = answer["DBClusterBacktracks"]
        return found["Status"]

    def _read(self, service: str, call: Callable[[Client], Any]) -> Any:
        try:
            return call(self._client(service, changing=False))
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, f"{service} of {self._region.name}") from error

    def _change(self, call: Callable[[Client], Any]) -> Any:
        source = f"RDS API of {self._region.name}"
        try:
            return call(self._client("rds", changing=True))
        except ClientError as error:
            failure = translate_error(error, source)
            # After a server error the outcome is unknown; a client error is a rejection.
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_FAULT) < _SERVER_FAULT:
                raise AwsRefusedError(failure.message, hint=failure.hint) from error
            raise failure from error
        except BotoCoreError as error:
            raise translate_error(error, source) from error

    def _client(self, service: str, *, changing: bool) -> Client:
        limits: dict[str, Any] = {"read_timeout": READ_TIMEOUT_SECONDS}
        if changing:
            limits = {"read_timeout": CALL_TIMEOUT_SECONDS, "attempts": 1}
        return self._clients.get(service, self._region.name, **limits)


def _code(error: AwsError) -> str:
    cause = error.__cause__
    return cause.response.get("Error", {}).get("Code", "") if isinstance(cause, ClientError) else ""


def _operation(state: Mapping[str, Any]) -> MoveOperation | None:
    if not state:
        return None
    return MoveOperation(
        status=state.get("Status", "unknown"),
        target_arn=state.get("ToDbClusterArn"),
        allows_data_loss=state.get("IsDataLossAllowed"),
    )


def _cluster(found: Mapping[str, Any]) -> ClusterInfo:
    settings = {setting: found[name] for name, setting in _CLUSTER_SETTINGS.items() if found.get(name) is not None}
    groups = [each["VpcSecurityGroupId"] for each in found.get("VpcSecurityGroups", [])]
    logs = found.get("EnabledCloudwatchLogsExports", [])
    capacity = found.get("ServerlessV2ScalingConfiguration") or {}
    serverless = {name: capacity[name] for name in ("MinCapacity", "MaxCapacity") if name in capacity}
    return ClusterInfo(
        identifier=found["DBClusterIdentifier"],
        arn=found["DBClusterArn"],
        status=found["Status"],
        engine_version=found.get("EngineVersion", ""),
        is_encrypted=bool(found.get("StorageEncrypted")),
        earliest_restorable=found.get("EarliestRestorableTime"),
        latest_restorable=found.get("LatestRestorableTime"),
        backtrack_window_seconds=int(found.get("BacktrackWindow") or 0),
        endpoint=found.get("Endpoint", ""),
        settings={
            **settings,
            **({"VpcSecurityGroupIds": groups} if groups else {}),
            **({"EnableCloudwatchLogsExports": logs} if logs else {}),
            # Serverless instances need the scaling configuration; without its type the copy would have standard storage.
            **({"ServerlessV2ScalingConfiguration": serverless} if serverless else {}),
            **({"StorageType": IO_OPTIMIZED} if found.get("StorageType") == IO_OPTIMIZED else {}),
        },
        tags={tag["Key"]: tag["Value"] for tag in found.get("TagList", [])},
        instance_ids=[each["DBInstanceIdentifier"] for each in found.get("DBClusterMembers", [])],
    )


def _instance(found: Mapping[str, Any], writers: set[str]) -> Instance:
    settings = {name: found[name] for name in _INSTANCE_SETTINGS if found.get(name) is not None}
    groups = [each["DBParameterGroupName"] for each in found.get("DBParameterGroups", [])]
    return Instance(
        identifier=found["DBInstanceIdentifier"],
        status=found["DBInstanceStatus"],
        is_writer=found["DBInstanceIdentifier"] in writers,
        settings={**settings, **({"DBParameterGroupName": groups[0]} if groups else {})},
    )
