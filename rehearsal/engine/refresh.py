"""What AWS says now of the properties that it owns after day one, read into the state as `pulumi refresh` does.

Owns: which properties those are, and how a description becomes a property. Does not own: what the program makes of them
(plan.py: they must be ignored, or a run after a failover would undo it).
Invariant: the state that it is given stays as it is; what is returned differs from it only in what was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rehearsal.engine.state import KeptResource, StackState
from rehearsal.support.clients import ClientFactory


def refresh(state: StackState, clients: ClientFactory) -> StackState:
    """Return the state as AWS describes it now. Raises: ClientError, BotoCoreError."""
    refreshed = state.copy()
    for kept in state.resources.values():
        reader = _READERS.get(kept.type)
        if reader is not None:
            inputs, outputs = reader(kept, clients)
            refreshed.keep(replace(kept, inputs=_merged(kept.inputs, inputs), outputs={**kept.outputs, **outputs}))
    return refreshed


def _merged(inputs: Mapping[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs with what was read; what AWS says to be empty is not there."""
    return {name: value for name, value in {**inputs, **read}.items() if value not in (None, "")}


Read = tuple[Mapping[str, Any], Mapping[str, Any]]
"""(inputs, outputs) as AWS says."""


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
    return owned_by_aws(described, rds.describe_global_clusters()["GlobalClusters"])


def owned_by_aws(cluster: Mapping[str, Any], global_clusters: list[Mapping[str, Any]]) -> Read:
    """Return (inputs, outputs) of a cluster that a change of roles swaps, from AWS's descriptions.

    A standby names the writer as its replication source, and describes no cluster endpoint of its own.
    Source: aws_rds_cluster, argument replication_source_identifier; hashicorp/terraform-provider-aws issue 14219.
    """
    arn = cluster["DBClusterArn"]
    home = next((each for each in global_clusters if arn in _members(each)), None)
    writer = next((each for each, writes in _members(home).items() if writes), None) if home else None
    stands_by = writer is not None and writer != arn
    inputs = {
        "replicationSourceIdentifier": writer if stands_by else None,
        "globalClusterIdentifier": home["GlobalClusterIdentifier"] if home else None,
        "engineVersion": cluster["EngineVersion"],
        "masterUsername": None if stands_by else cluster.get("MasterUsername"),
    }
    # The provider leaves a database name as it was when AWS says none. Source: hashicorp/terraform issue 4671.
    if cluster.get("DatabaseName"):
        inputs["databaseName"] = cluster["DatabaseName"]
    endpoint = "" if stands_by else cluster["Endpoint"]
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
