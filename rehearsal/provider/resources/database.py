"""RDS: the global cluster, its regional clusters and their instances, parameter and subnet groups."""

from __future__ import annotations

from typing import Any

from rehearsal.provider.resources.convert import pascal, renamed, tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    HandlerError,
    Request,
    delete_by_id,
    not_held,
    own,
    provider_only,
    sent,
    wait_for,
    wait_until,
)

_APPLY_IMMEDIATELY = provider_only("ModifyDBCluster and ModifyDBInstance take it, on update")


def _create_global_cluster(request: Request) -> Created:
    rds = request.client("rds")
    global_id = request.inputs["globalClusterIdentifier"]
    rds.create_global_cluster(**request.parameters())
    held = dict(rds.describe_global_clusters(GlobalClusterIdentifier=global_id)["GlobalClusters"][0])
    held["TagList"] = (
        held.get("TagList") or rds.list_tags_for_resource(ResourceName=held["GlobalClusterArn"])["TagList"]
    )
    outputs = {
        "arn": held["GlobalClusterArn"],
        "globalClusterResourceId": held["GlobalClusterResourceId"],
        "engineVersionActual": held["EngineVersion"],
        "globalClusterMembers": [],
        "endpoint": held.get("Endpoint"),
    }
    return Created(id=global_id, outputs=outputs, held=held)


def _create_subnet_group(request: Request) -> Created:
    rds = request.client("rds")
    name = request.inputs["name"]
    rds.create_db_subnet_group(**request.parameters())
    held = dict(rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0])
    held["SubnetIds"] = [subnet["SubnetIdentifier"] for subnet in held["Subnets"]]
    held["Tags"] = _tags(rds, held["DBSubnetGroupArn"])
    return Created(id=name, outputs={"arn": held["DBSubnetGroupArn"], "vpcId": held["VpcId"]}, held=held)


def _create_cluster_parameter_group(request: Request) -> Created:
    return _create_parameters(request, "db_cluster_parameter", "DBClusterParameterGroup")


def _create_parameter_group(request: Request) -> Created:
    return _create_parameters(request, "db_parameter", "DBParameterGroup")


def _create_parameters(request: Request, kind: str, member: str) -> Created:
    """Create a parameter group of a cluster or an instance, and set its parameters."""
    rds = request.client("rds")
    group = {f"{member}Name": request.inputs["name"]}
    getattr(rds, f"create_{kind}_group")(**request.parameters())
    parameters = _parameters(request.take("parameters", []))
    if parameters:
        getattr(rds, f"modify_{kind}_group")(**group, Parameters=parameters)
    held = dict(getattr(rds, f"describe_{kind}_groups")(**group)[f"{member}s"][0])
    names = {each["ParameterName"] for each in parameters}
    pages = rds.get_paginator(f"describe_{kind}s").paginate(**group)
    held["Parameters"] = [each for page in pages for each in page["Parameters"] if each["ParameterName"] in names]
    held["Tags"] = _tags(rds, held[f"{member}Arn"])
    return Created(id=request.inputs["name"], outputs={"arn": held[f"{member}Arn"]}, held=held)


_parameter = renamed(name="ParameterName", value="ParameterValue", applyMethod="ApplyMethod")


def _parameters(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return parameters as RDS takes them; `immediate` is the provider's default method."""
    return [{"ApplyMethod": "immediate", **_parameter(each)} for each in parameters]


def _create_cluster(request: Request) -> Created:
    rds = request.client("rds")
    cluster_id = request.inputs["clusterIdentifier"]
    rds.create_db_cluster(**request.parameters())
    wait_for(rds, "db_cluster_available", DBClusterIdentifier=cluster_id)
    held = dict(rds.describe_db_clusters(DBClusterIdentifier=cluster_id)["DBClusters"][0])
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
    held = dict(rds.describe_db_instances(DBInstanceIdentifier=instance_id)["DBInstances"][0])
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


_NO_LOG_EXPORTS = "ministack 1.5.33 always describes an empty list; the log groups are resources of their own"
_NO_INSIGHTS = "ministack 1.5.33 has no such field on a cluster"
_NO_BACKTRACK = "ministack 1.5.33 has no backtracking; AWS refuses it in a global database (docs/decisions.md)"


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
        delete=_delete_global_cluster,
        properties={
            "globalClusterIdentifier": sent("GlobalClusterIdentifier"),
            "engine": sent("Engine"),
            "engineVersion": sent("EngineVersion"),
            "engineLifecycleSupport": sent("EngineLifecycleSupport"),
            "databaseName": sent("DatabaseName"),
            "storageEncrypted": sent("StorageEncrypted"),
            "deletionProtection": sent("DeletionProtection"),
            "forceDestroy": provider_only("the provider detaches the members itself, on destroy"),
            "tags": sent("Tags", convert=tag_list, held="TagList"),
        },
    ),
    "aws:rds/subnetGroup:SubnetGroup": Handler(
        create=_create_subnet_group,
        delete=delete_by_id("rds", "delete_db_subnet_group", "DBSubnetGroupName"),
        properties={
            "name": sent("DBSubnetGroupName"),
            "description": sent("DBSubnetGroupDescription"),
            "subnetIds": sent("SubnetIds"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": Handler(
        create=_create_cluster_parameter_group,
        delete=delete_by_id("rds", "delete_db_cluster_parameter_group", "DBClusterParameterGroupName"),
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
        delete=delete_by_id("rds", "delete_db_parameter_group", "DBParameterGroupName"),
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
        delete=_delete_cluster,
        properties={
            "clusterIdentifier": sent("DBClusterIdentifier"),
            "globalClusterIdentifier": sent("GlobalClusterIdentifier"),
            "engine": sent("Engine"),
            "engineMode": sent("EngineMode"),
            "engineVersion": sent("EngineVersion"),
            "engineLifecycleSupport": sent("EngineLifecycleSupport"),
            "databaseName": sent("DatabaseName"),
            "masterUsername": sent("MasterUsername"),
            "masterPassword": sent("MasterUserPassword", held=""),
            "port": sent("Port"),
            "dbSubnetGroupName": sent("DBSubnetGroupName", held="DBSubnetGroup"),
            "dbClusterParameterGroupName": sent("DBClusterParameterGroupName", held="DBClusterParameterGroup"),
            "vpcSecurityGroupIds": sent("VpcSecurityGroupIds"),
            "availabilityZones": sent("AvailabilityZones"),
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
            "enabledCloudwatchLogsExports": not_held("EnableCloudwatchLogsExports", _NO_LOG_EXPORTS),
            "iamDatabaseAuthenticationEnabled": sent(
                "EnableIAMDatabaseAuthentication", held="IAMDatabaseAuthenticationEnabled"
            ),
            "copyTagsToSnapshot": sent("CopyTagsToSnapshot"),
            "deletionProtection": sent("DeletionProtection"),
            "performanceInsightsEnabled": not_held("EnablePerformanceInsights", _NO_INSIGHTS),
            "performanceInsightsKmsKeyId": not_held("PerformanceInsightsKMSKeyId", _NO_INSIGHTS),
            "performanceInsightsRetentionPeriod": not_held("PerformanceInsightsRetentionPeriod", _NO_INSIGHTS),
            "databaseInsightsMode": not_held("DatabaseInsightsMode", _NO_INSIGHTS),
            "monitoringInterval": sent("MonitoringInterval"),
            "monitoringRoleArn": sent("MonitoringRoleArn"),
            "skipFinalSnapshot": provider_only("DeleteDBCluster takes it, on destroy"),
            "finalSnapshotIdentifier": provider_only("DeleteDBCluster takes it, on destroy"),
            "deleteAutomatedBackups": provider_only("DeleteDBCluster takes it, on destroy"),
            "allowMajorVersionUpgrade": provider_only("ModifyDBCluster takes it, on update"),
            "applyImmediately": _APPLY_IMMEDIATELY,
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:rds/clusterInstance:ClusterInstance": Handler(
        create=_create_instance,
        delete=_delete_instance,
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
            "performanceInsightsEnabled": sent("EnablePerformanceInsights", held="PerformanceInsightsEnabled"),
            "performanceInsightsKmsKeyId": not_held(
                "PerformanceInsightsKMSKeyId", "ministack 1.5.33 forgets the key of an instance's Performance Insights"
            ),
            "performanceInsightsRetentionPeriod": sent("PerformanceInsightsRetentionPeriod"),
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
