"""Reads the properties that AWS changes after the deployment into the state, as `pulumi refresh` does.

The program must ignore changes of these properties, otherwise the next deployment would undo a failover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rehearsal.engine.state import KeptResource, StackState
from rehearsal.support.clients import ClientFactory


def refresh(state: StackState, clients: ClientFactory) -> StackState:
    """Return a copy of the state with AWS's current values. Raises: ClientError, BotoCoreError."""
    refreshed = state.copy()
    for kept in state.resources.values():
        reader = _READERS.get(kept.type)
        if reader is not None:
            inputs, outputs = reader(kept, clients)
            # The provider treats an empty value of AWS as absent.
            merged = {name: value for name, value in {**kept.inputs, **inputs}.items() if value not in (None, "")}
            refreshed.keep(replace(kept, inputs=merged, outputs={**kept.outputs, **outputs}))
    return refreshed


Read = tuple[Mapping[str, Any], Mapping[str, Any]]
"""AWS's values: (inputs, outputs)."""


def _global_cluster(kept: KeptResource, clients: ClientFactory) -> Read:
    rds = clients("rds", kept.region)
    described = rds.describe_global_clusters(GlobalClusterIdentifier=kept.id)["GlobalClusters"][0]
    members = [
        {"dbClusterArn": each["DBClusterArn"], "isWriter": each["IsWriter"]}
        for each in described["GlobalClusterMembers"]
    ]
    return {"engineVersion": described["EngineVersion"]}, {"globalClusterMembers": members}


def _cluster(kept: KeptResource, clients: ClientFactory) -> Read:
    rds = clients("rds", kept.region)
    described = rds.describe_db_clusters(DBClusterIdentifier=kept.id)["DBClusters"][0]
    return cluster_roles(described, rds.describe_global_clusters()["GlobalClusters"])


def cluster_roles(cluster: Mapping[str, Any], global_clusters: list[Mapping[str, Any]]) -> Read:
    """Return the (inputs, outputs) of a cluster that a change of roles swaps, from AWS's descriptions.

    A standby has the writer as its replication source, and no cluster endpoint.
    Source: aws_rds_cluster, argument replication_source_identifier; hashicorp/terraform-provider-aws issue 14219.
    """
    arn = cluster["DBClusterArn"]
    global_cluster = next((each for each in global_clusters if arn in _members(each)), None)
    members = _members(global_cluster) if global_cluster else {}
    writer = next((member for member, is_writer in members.items() if is_writer), None)
    is_standby = writer is not None and writer != arn
    inputs = {
        "replicationSourceIdentifier": writer if is_standby else None,
        "globalClusterIdentifier": global_cluster["GlobalClusterIdentifier"] if global_cluster else None,
        "engineVersion": cluster["EngineVersion"],
        "masterUsername": None if is_standby else cluster.get("MasterUsername"),
    }
    # The provider keeps the database name if AWS returns none. Source: hashicorp/terraform issue 4671.
    if cluster.get("DatabaseName"):
        inputs["databaseName"] = cluster["DatabaseName"]
    endpoint = "" if is_standby else cluster["Endpoint"]
    return inputs, {"endpoint": endpoint, "readerEndpoint": cluster["ReaderEndpoint"]}


def _members(global_cluster: Mapping[str, Any]) -> dict[str, bool]:
    return {each["DBClusterArn"]: each["IsWriter"] for each in global_cluster["GlobalClusterMembers"]}


def _instance(kept: KeptResource, clients: ClientFactory) -> Read:
    rds = clients("rds", kept.region)
    described = rds.describe_db_instances(DBInstanceIdentifier=kept.id)["DBInstances"][0]
    cluster = rds.describe_db_clusters(DBClusterIdentifier=described["DBClusterIdentifier"])["DBClusters"][0]
    writer = any(m["DBInstanceIdentifier"] == kept.id and m["IsClusterWriter"] for m in cluster["DBClusterMembers"])
    inputs = {"availabilityZone": described.get("AvailabilityZone"), "engineVersion": described["EngineVersion"]}
    return inputs, {"writer": writer}


def _secret_version(kept: KeptResource, clients: ClientFactory) -> Read:
    value = clients("secretsmanager", kept.region).get_secret_value(SecretId=kept.inputs["secretId"])
    return {"secretString": value["SecretString"]}, {}


def _zone(kept: KeptResource, clients: ClientFactory) -> Read:
    attached = clients("route53", kept.region).get_hosted_zone(Id=kept.id)["VPCs"]
    vpcs = [{"vpcId": each["VPCId"], "vpcRegion": each["VPCRegion"]} for each in attached]
    return {"vpcs": sorted(vpcs, key=lambda vpc: vpc["vpcId"])}, {}


_READERS: Mapping[str, Callable[[KeptResource, ClientFactory], Read]] = {
    "aws:rds/globalCluster:GlobalCluster": _global_cluster,
    "aws:rds/cluster:Cluster": _cluster,
    "aws:rds/clusterInstance:ClusterInstance": _instance,
    "aws:secretsmanager/secretVersion:SecretVersion": _secret_version,
    "aws:route53/zone:Zone": _zone,
}
