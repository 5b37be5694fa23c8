"""RDS: the global cluster, its regional clusters and their instances, parameter and subnet groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rehearsal.provider.resources.convert import pascal, renamed, tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    HandlerError,
    Request,
    delete_by_id,
    first_found,
    not_held,
    own,
    provider_only,
    read_by_id,
    sent,
    wait_for,
    wait_until,
)
from rehearsal.provider.resources.tags import retag

_CLUSTER_PARAMETERS = ("db_cluster_parameter", "DBClusterParameterGroup")
_PARAMETERS = ("db_parameter", "DBParameterGroup")
"""boto3's name of the operations and the member of the descriptions."""
MAX_PARAMETERS = 20
"""The parameters of one call. Source: ModifyDBClusterParameterGroup, Amazon RDS API reference."""
_RETAG = retag("rds", "ResourceName", tag="add_tags_to_resource", untag="remove_tags_from_resource")
_APPLY_IMMEDIATELY = provider_only("ModifyDBCluster and ModifyDBInstance take it, on update")


def _create_global_cluster(request: Request) -> Created:
    rds = request.client("rds")
    global_id = request.inputs["globalClusterIdentifier"]
    rds.create_global_cluster(**request.parameters())
    return _describe_global_cluster(request, global_id)


def _describe_global_cluster(request: Request, global_id: str) -> Created:
    rds = request.client("rds")
    held = dict(first_found(rds.describe_global_clusters(GlobalClusterIdentifier=global_id)["GlobalClusters"]))
    held["TagList"] = (
        held.get("TagList") or rds.list_tags_for_resource(ResourceName=held["GlobalClusterArn"])["TagList"]
    )
    outputs = {
        "arn": held["GlobalClusterArn"],
        "globalClusterResourceId": held["GlobalClusterResourceId"],
        "engineVersionActual": held["EngineVersion"],
        "globalClusterMembers": [
            {"dbClusterArn": each["DBClusterArn"], "isWriter": each["IsWriter"]}
            for each in held["GlobalClusterMembers"]
        ],
        "endpoint": held.get("Endpoint"),
    }
    return Created(id=global_id, outputs=outputs, held=held)


def _create_subnet_group(request: Request) -> Created:
    rds = request.client("rds")
    name = request.inputs["name"]
    rds.create_db_subnet_group(**request.parameters())
    return _describe_subnet_group(request, name)


def _describe_subnet_group(request: Request, name: str) -> Created:
    rds = request.client("rds")
    held = dict(first_found(rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"]))
    held["SubnetIds"] = [subnet["SubnetIdentifier"] for subnet in held["Subnets"]]
    held["Tags"] = _tags(rds, held["DBSubnetGroupArn"])
    return Created(id=name, outputs={"arn": held["DBSubnetGroupArn"], "vpcId": held["VpcId"]}, held=held)


def _create_cluster_parameter_group(request: Request) -> Created:
    return _create_parameters(request, *_CLUSTER_PARAMETERS)


def _read_cluster_parameter_group(request: Request) -> Created:
    return _describe_parameters(request, request.id, *_CLUSTER_PARAMETERS)


def _create_parameter_group(request: Request) -> Created:
    return _create_parameters(request, *_PARAMETERS)


def _read_parameter_group(request: Request) -> Created:
    return _describe_parameters(request, request.id, *_PARAMETERS)


def _update_cluster_parameter_group(request: Request) -> Created:
    return _write_parameters(request, request.id, *_CLUSTER_PARAMETERS)


def _update_parameter_group(request: Request) -> Created:
    return _write_parameters(request, request.id, *_PARAMETERS)


def _create_parameters(request: Request, kind: str, member: str) -> Created:
    """Create a parameter group of a cluster or an instance, and set its parameters."""
    name = request.inputs["name"]
    getattr(request.client("rds"), f"create_{kind}_group")(**request.parameters())
    return _write_parameters(request, name, kind, member)


def _write_parameters(request: Request, name: str, kind: str, member: str) -> Created:
    """Set the parameters that differ from the state, and reset those that the program no longer sets.

    Source: ModifyDBClusterParameterGroup and ResetDBClusterParameterGroup, Amazon RDS API reference.
    """
    rds = request.client("rds")
    before, after = _parameters(request.outputs.get("parameters", [])), _parameters(request.take("parameters", []))
    kept = {each["ParameterName"] for each in after}
    changed = [each for each in after if each not in before]
    removed = [
        {"ParameterName": each["ParameterName"], "ApplyMethod": each["ApplyMethod"]}
        for each in before
        if each["ParameterName"] not in kept
    ]
    for action, parameters in (("modify", changed), ("reset", removed)):
        for start in range(0, len(parameters), MAX_PARAMETERS):
            getattr(rds, f"{action}_{kind}_group")(
                **{f"{member}Name": name}, Parameters=parameters[start : start + MAX_PARAMETERS]
            )
    return _describe_parameters(request, name, kind, member)


def _describe_parameters(request: Request, name: str, kind: str, member: str) -> Created:
    """Describe a group with the parameters that the program sets, and those that anyone else has set."""
    rds = request.client("rds")
    group = {f"{member}Name": name}
    held = dict(first_found(getattr(rds, f"describe_{kind}_groups")(**group)[f"{member}s"]))
    names = {each["ParameterName"] for each in _parameters(request.inputs.get("parameters", []))}
    pages = rds.get_paginator(f"describe_{kind}s").paginate(**group)
    found = (each for page in pages for each in page["Parameters"])
    held["Parameters"] = [each for each in found if each["ParameterName"] in names or each.get("Source") == "user"]
    held["Tags"] = _tags(rds, held[f"{member}Arn"])
    return Created(id=name, outputs={"arn": held[f"{member}Arn"]}, held=held)


_parameter = renamed(name="ParameterName", value="ParameterValue", applyMethod="ApplyMethod")


def _parameters(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return parameters as RDS takes them; `immediate` is the provider's default method."""
    return [{"ApplyMethod": "immediate", **_parameter(each)} for each in parameters]


def _create_cluster(request: Request) -> Created:
    rds = request.client("rds")
    cluster_id = request.inputs["clusterIdentifier"]
    rds.create_db_cluster(**request.parameters())
    wait_for(rds, "db_cluster_available", DBClusterIdentifier=cluster_id)
    return _describe_cluster(request, cluster_id)


def _describe_cluster(request: Request, cluster_id: str) -> Created:
    rds = request.client("rds")
    held = dict(first_found(rds.describe_db_clusters(DBClusterIdentifier=cluster_id)["DBClusters"]))
    held["VpcSecurityGroupIds"] = [group["VpcSecurityGroupId"] for group in held["VpcSecurityGroups"]]
    held["Tags"] = _tags(rds, held["DBClusterArn"])
    held["GlobalClusterIdentifier"] = _global_cluster_of(rds, held["DBClusterArn"])
    outputs = {
        "arn": held["DBClusterArn"],
        "clusterResourceId": held["DbClusterResourceId"],
        "clusterMembers": [],
        "endpoint": held["Endpoint"],
        "readerEndpoint": held["ReaderEndpoint"],
        "port": held["Port"],
        "hostedZoneId": held["HostedZoneId"],
        "engineVersionActual": held["EngineVersion"],
        "availabilityZones": held["AvailabilityZones"],
    }
    return Created(id=cluster_id, outputs=outputs, held=held)


def _read_cluster(request: Request) -> Created:
    """Describe a cluster in its present role.

    A standby has the writer as its replication source, no master user and no cluster endpoint; the provider keeps the database
    name if AWS returns none. A writer's replication source is an empty text: the provider sets it from no value.
    Source: aws_rds_cluster, argument replication_source_identifier; hashicorp/terraform-provider-aws issue 14219;
    hashicorp/terraform issue 4671.
    """
    read = _describe_cluster(request, request.id)
    members = _members_of(request.client("rds"), read.outputs["arn"])
    writer = next((arn for arn, is_writer in members.items() if is_writer), None)
    is_standby = writer not in (None, read.outputs["arn"])
    held = {**read.held, "DatabaseName": read.held.get("DatabaseName") or request.inputs.get("databaseName")}
    outputs = {
        **read.outputs,
        "clusterMembers": [each["DBInstanceIdentifier"] for each in held["DBClusterMembers"]],
        "replicationSourceIdentifier": "",
    }
    if is_standby:
        held["MasterUsername"] = None
        outputs |= {"endpoint": "", "replicationSourceIdentifier": writer}
    return Created(id=read.id, outputs=outputs, held=held)


def _members_of(rds: Any, cluster_arn: str) -> dict[str, bool]:
    """Return whether each member of a cluster's global cluster is the writer, by ARN."""
    for each in rds.describe_global_clusters()["GlobalClusters"]:
        members = {member["DBClusterArn"]: member["IsWriter"] for member in each["GlobalClusterMembers"]}
        if cluster_arn in members:
            return members
    return {}


def _global_cluster_of(rds: Any, cluster_arn: str) -> str | None:
    for each in rds.describe_global_clusters()["GlobalClusters"]:
        if cluster_arn in {member["DBClusterArn"] for member in each["GlobalClusterMembers"]}:
            return each["GlobalClusterIdentifier"]
    return None


def _create_instance(request: Request) -> Created:
    rds = request.client("rds")
    instance_id = request.inputs["identifier"]
    rds.create_db_instance(**request.parameters())
    wait_for(rds, "db_instance_available", DBInstanceIdentifier=instance_id)
    return _describe_instance(request, instance_id)


def _update_instance(request: Request) -> Created:
    """Change an instance at once, or some properties in its next maintenance window.

    A value that waits counts as stored. Source: ModifyDBInstance and PendingModifiedValues, Amazon RDS API reference.
    """
    rds = request.client("rds")
    at_once = bool(request.inputs.get("applyImmediately"))
    _modify(request, rds.modify_db_instance, DBInstanceIdentifier=request.id, ApplyImmediately=at_once)
    wait_for(rds, "db_instance_available", DBInstanceIdentifier=request.id)
    updated = _describe_instance(request, request.id)
    return replace(updated, held={**updated.held, **updated.held.get("PendingModifiedValues", {})})


def _describe_instance(request: Request, instance_id: str) -> Created:
    rds = request.client("rds")
    held = dict(first_found(rds.describe_db_instances(DBInstanceIdentifier=instance_id)["DBInstances"]))
    held["DBSubnetGroupName"] = held["DBSubnetGroup"]["DBSubnetGroupName"]
    held["DBParameterGroupName"] = held["DBParameterGroups"][0]["DBParameterGroupName"]
    held["Tags"] = _tags(rds, held["DBInstanceArn"])
    members = rds.describe_db_clusters(DBClusterIdentifier=held["DBClusterIdentifier"])["DBClusters"][0][
        "DBClusterMembers"
    ]
    outputs = {
        "arn": held["DBInstanceArn"],
        "dbiResourceId": held["DbiResourceId"],
        "endpoint": held["Endpoint"]["Address"],
        "port": held["Endpoint"]["Port"],
        "writer": any(each["DBInstanceIdentifier"] == instance_id and each["IsClusterWriter"] for each in members),
        "engineVersionActual": held["EngineVersion"],
    }
    return Created(id=instance_id, outputs=outputs, held=held)


def _tags(rds: Any, arn: str) -> Any:
    return rds.list_tags_for_resource(ResourceName=arn)["TagList"]


LOG_EXPORTS = "enabledCloudwatchLogsExports"
_NO_LOG_EXPORTS = "ministack 1.5.33 always describes an empty list; the log groups are resources of their own"
_NO_INSIGHTS = "ministack 1.5.33 has no such field on a cluster"
_NO_BACKTRACK = "ministack 1.5.33 has no backtracking; AWS refuses it in a global database (docs/decisions.md)"


def _update_global_cluster(request: Request) -> Created:
    rds = request.client("rds")
    _modify(request, rds.modify_global_cluster, GlobalClusterIdentifier=request.id)
    return _describe_global_cluster(request, request.id)


def _update_cluster(request: Request) -> Created:
    """Change a cluster at once, or some properties in its next maintenance window. ministack changes all at once."""
    rds = request.client("rds")
    at_once = bool(request.inputs.get("applyImmediately"))
    _modify(request, rds.modify_db_cluster, DBClusterIdentifier=request.id, ApplyImmediately=at_once)
    wait_for(rds, "db_cluster_available", DBClusterIdentifier=request.id)
    return _read_cluster(request)


def _modify(request: Request, operation: Callable[..., Any], **identifier: Any) -> None:
    """Call an operation with the changed parameters; botocore refuses one that the operation does not have.

    A parameter that the program no longer sets keeps its value, as with the provider.
    """
    changed = request.changed_parameters()
    if LOG_EXPORTS in request.changed:
        changed.pop("EnableCloudwatchLogsExports", None)
        before, after = request.outputs.get(LOG_EXPORTS, ()), request.take(LOG_EXPORTS, ())
        changed["CloudwatchLogsExportConfiguration"] = log_export_change(before, after)
    if changed:
        operation(**identifier, **changed)


def log_export_change(before: Iterable[str], after: Iterable[str]) -> dict[str, list[str]]:
    """Return what ModifyDBCluster takes instead of the list that CreateDBCluster takes.

    Source: CloudwatchLogsExportConfiguration, Amazon RDS API reference.
    """
    return {"EnableLogTypes": sorted({*after} - {*before}), "DisableLogTypes": sorted({*before} - {*after})}


def _delete_global_cluster(request: DeleteRequest) -> None:
    if request.inputs.get("forceDestroy"):
        raise HandlerError("the rehearsal does not detach the members on destroy", property="forceDestroy")
    request.client("rds").delete_global_cluster(GlobalClusterIdentifier=request.id)


def _delete_cluster(request: DeleteRequest) -> None:
    """Detach the cluster from its global cluster, then delete it, with or without a final snapshot.

    The provider detaches a cluster only if its state names a global cluster.
    Source: resourceClusterDelete, internal/service/rds/cluster.go, terraform-provider-aws.
    """
    rds = request.client("rds")
    arn, inputs = request.outputs["arn"], request.inputs
    if inputs.get("globalClusterIdentifier") and _global_cluster_of(rds, arn):
        rds.remove_from_global_cluster(
            GlobalClusterIdentifier=inputs["globalClusterIdentifier"], DbClusterIdentifier=arn
        )
        wait_until(lambda: _global_cluster_of(rds, arn) is None, what=f"{request.id} has left its global cluster")
    skips = bool(inputs.get("skipFinalSnapshot"))
    if not skips and not inputs.get("finalSnapshotIdentifier"):
        raise HandlerError(
            "a final snapshot needs a name. Set finalSnapshotIdentifier, or set skipFinalSnapshot to true",
            property="finalSnapshotIdentifier",
        )
    snapshot = {} if skips else {"FinalDBSnapshotIdentifier": inputs["finalSnapshotIdentifier"]}
    rds.delete_db_cluster(
        DBClusterIdentifier=request.id,
        SkipFinalSnapshot=skips,
        DeleteAutomatedBackups=bool(inputs.get("deleteAutomatedBackups", True)),
        **snapshot,
    )
    wait_for(rds, "db_cluster_deleted", DBClusterIdentifier=request.id)


def _delete_instance(request: DeleteRequest) -> None:
    rds = request.client("rds")
    rds.delete_db_instance(DBInstanceIdentifier=request.id)
    wait_for(rds, "db_instance_deleted", DBInstanceIdentifier=request.id)


HANDLERS = {
    "aws:rds/globalCluster:GlobalCluster": Handler(
        create=_create_global_cluster,
        update=_update_global_cluster,
        read=read_by_id(_describe_global_cluster),
        delete=_delete_global_cluster,
        retag=_RETAG,
        properties={
            "globalClusterIdentifier": sent("GlobalClusterIdentifier"),
            "engine": sent("Engine"),
            "engineVersion": sent("EngineVersion"),
            "storageEncrypted": sent("StorageEncrypted"),
            "deletionProtection": sent("DeletionProtection"),
            "forceDestroy": provider_only("the provider detaches the members itself, on destroy"),
            "tags": sent("Tags", convert=tag_list, held="TagList"),
        },
    ),
    "aws:rds/subnetGroup:SubnetGroup": Handler(
        create=_create_subnet_group,
        read=read_by_id(_describe_subnet_group),
        delete=delete_by_id("rds", "delete_db_subnet_group", "DBSubnetGroupName"),
        retag=_RETAG,
        properties={
            "name": sent("DBSubnetGroupName"),
            "description": sent("DBSubnetGroupDescription"),
            "subnetIds": sent("SubnetIds"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": Handler(
        create=_create_cluster_parameter_group,
        update=_update_cluster_parameter_group,
        read=_read_cluster_parameter_group,
        delete=delete_by_id("rds", "delete_db_cluster_parameter_group", "DBClusterParameterGroupName"),
        retag=_RETAG,
        properties={
            "name": sent("DBClusterParameterGroupName"),
            "family": sent("DBParameterGroupFamily"),
            "description": sent("Description"),
            "parameters": own(held="Parameters", expected=_parameters),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:rds/parameterGroup:ParameterGroup": Handler(
        create=_create_parameter_group,
        update=_update_parameter_group,
        read=_read_parameter_group,
        delete=delete_by_id("rds", "delete_db_parameter_group", "DBParameterGroupName"),
        retag=_RETAG,
        properties={
            "name": sent("DBParameterGroupName"),
            "family": sent("DBParameterGroupFamily"),
            "description": sent("Description"),
            "parameters": own(held="Parameters", expected=_parameters),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:rds/cluster:Cluster": Handler(
        create=_create_cluster,
        update=_update_cluster,
        read=_read_cluster,
        delete=_delete_cluster,
        retag=_RETAG,
        properties={
            "clusterIdentifier": sent("DBClusterIdentifier"),
            "globalClusterIdentifier": sent("GlobalClusterIdentifier"),
            "engine": sent("Engine"),
            "engineVersion": sent("EngineVersion"),
            "databaseName": sent("DatabaseName"),
            "masterUsername": sent("MasterUsername"),
            "masterPassword": sent("MasterUserPassword", held=""),
            "port": sent("Port"),
            "dbSubnetGroupName": sent("DBSubnetGroupName", held="DBSubnetGroup"),
            "dbClusterParameterGroupName": sent("DBClusterParameterGroupName", held="DBClusterParameterGroup"),
            "vpcSecurityGroupIds": sent("VpcSecurityGroupIds"),
            "storageType": not_held("StorageType", "ministack 1.5.33 has no storage type on a cluster"),
            "storageEncrypted": sent("StorageEncrypted"),
            "kmsKeyId": sent("KmsKeyId"),
            "sourceRegion": sent("SourceRegion", held=""),
            "serverlessv2ScalingConfiguration": sent("ServerlessV2ScalingConfiguration", convert=pascal),
            "enableGlobalWriteForwarding": not_held(
                "EnableGlobalWriteForwarding", "ministack 1.5.33 always describes write forwarding as disabled"
            ),
            "backupRetentionPeriod": sent("BackupRetentionPeriod"),
            "backtrackWindow": not_held("BacktrackWindow", _NO_BACKTRACK),
            "preferredBackupWindow": sent("PreferredBackupWindow"),
            "preferredMaintenanceWindow": sent("PreferredMaintenanceWindow"),
            LOG_EXPORTS: not_held("EnableCloudwatchLogsExports", _NO_LOG_EXPORTS),
            "iamDatabaseAuthenticationEnabled": sent(
                "EnableIAMDatabaseAuthentication", held="IAMDatabaseAuthenticationEnabled"
            ),
            "copyTagsToSnapshot": sent("CopyTagsToSnapshot"),
            "deletionProtection": sent("DeletionProtection"),
            "performanceInsightsEnabled": not_held("EnablePerformanceInsights", _NO_INSIGHTS),
            "performanceInsightsKmsKeyId": not_held("PerformanceInsightsKMSKeyId", _NO_INSIGHTS),
            "performanceInsightsRetentionPeriod": not_held("PerformanceInsightsRetentionPeriod", _NO_INSIGHTS),
            "databaseInsightsMode": not_held("DatabaseInsightsMode", _NO_INSIGHTS),
            "skipFinalSnapshot": provider_only("DeleteDBCluster takes it, on destroy"),
            "finalSnapshotIdentifier": provider_only("DeleteDBCluster takes it, on destroy"),
            "deleteAutomatedBackups": provider_only("DeleteDBCluster takes it, on destroy"),
            "applyImmediately": _APPLY_IMMEDIATELY,
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:rds/clusterInstance:ClusterInstance": Handler(
        create=_create_instance,
        read=read_by_id(_describe_instance),
        update=_update_instance,
        delete=_delete_instance,
        retag=_RETAG,
        properties={
            "identifier": sent("DBInstanceIdentifier"),
            "clusterIdentifier": sent("DBClusterIdentifier"),
            "engine": sent("Engine"),
            "engineVersion": sent("EngineVersion"),
            "instanceClass": sent("DBInstanceClass"),
            "availabilityZone": sent("AvailabilityZone"),
            "dbSubnetGroupName": sent("DBSubnetGroupName"),
            "dbParameterGroupName": sent("DBParameterGroupName"),
            "promotionTier": sent("PromotionTier"),
            "publiclyAccessible": sent("PubliclyAccessible"),
            "autoMinorVersionUpgrade": sent("AutoMinorVersionUpgrade"),
            "monitoringInterval": sent("MonitoringInterval"),
            "monitoringRoleArn": sent("MonitoringRoleArn"),
            "preferredMaintenanceWindow": sent("PreferredMaintenanceWindow"),
            "caCertIdentifier": not_held(
                "CACertificateIdentifier", "ministack 1.5.33 always describes rds-ca-rsa2048-g1"
            ),
            "copyTagsToSnapshot": sent("CopyTagsToSnapshot"),
            "applyImmediately": _APPLY_IMMEDIATELY,
            "tags": sent("Tags", convert=tag_list),
        },
    ),
}
