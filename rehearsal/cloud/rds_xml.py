"""RDS's XML: reading ministack's responses, and adding what ministack does not know.

A response without cluster, instance or global cluster stays byte for byte the same.
"""

from __future__ import annotations

import functools
import hashlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import botocore.session
from botocore.model import ServiceModel
from botocore.parsers import QueryParser

from rehearsal.cloud.global_cluster import (
    ClusterMember,
    FailoverStatus,
    GlobalClusterView,
    OperationKind,
    RdsOperation,
    RdsRefusal,
)
from rehearsal.cloud.query_xml import document

NAMESPACE = "http://rds.amazonaws.com/doc/2014-10-31/"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def endpoint_hash(account_id: str, region: str) -> str:
    """Return the twelve characters that all endpoints of an account and region contain. The same arguments give the same characters."""
    number = int.from_bytes(hashlib.sha256(f"{account_id}:{region}".encode()).digest()[:12], "big")
    characters = []
    for _ in range(12):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "c" + "".join(characters[1:])


@dataclass(frozen=True, kw_only=True)
class ClusterEndpoints:
    """The two host names of a cluster."""

    writer: str
    reader: str

    @classmethod
    def of(cls, arn: str) -> ClusterEndpoints:
        """Return the names of the cluster with this ARN."""
        _arn, _aws, _rds, region, account_id, _kind, cluster_id = arn.split(":", 6)
        stem = f"{endpoint_hash(account_id, region)}.{region}.rds.amazonaws.com"
        return cls(writer=f"{cluster_id}.cluster-{stem}", reader=f"{cluster_id}.cluster-ro-{stem}")


def instance_endpoint(arn: str) -> str:
    """Return the host name of the instance with this ARN."""
    _arn, _aws, _rds, region, account_id, _kind, instance_id = arn.split(":", 6)
    return f"{instance_id}.{endpoint_hash(account_id, region)}.{region}.rds.amazonaws.com"


def global_endpoint(account_id: str, global_cluster_id: str) -> str:
    """Return the host name of the global writer endpoint."""
    return f"{global_cluster_id}.global-{endpoint_hash(account_id, 'global')}.global.rds.amazonaws.com"


def cluster_of_arn(arn: str) -> tuple[str, str]:
    """Return (region, cluster id) of a cluster's ARN."""
    parts = arn.split(":", 6)
    return parts[3], parts[6]


# --- Reading ---------------------------------------------------------------------------------------------------------


@functools.cache
def _service_model() -> ServiceModel:
    return botocore.session.Session().get_service_model("rds")


def parse(action: str, xml: bytes, *, http_status: int = 200) -> dict[str, Any]:
    """Return a response as boto3 returns it, errors included."""
    shape = _service_model().operation_model(action).output_shape
    return QueryParser().parse({"body": xml, "headers": {}, "status_code": http_status}, shape)


def parse_global_cluster(
    global_cluster: Mapping[str, Any], clusters: Mapping[str, Mapping[str, Any]]
) -> GlobalClusterView:
    """Return a GlobalClusterView from DescribeGlobalClusters and DescribeDBClusters output.

    `clusters` maps ARNs to clusters; a cluster that is missing has the status "inaccessible".
    """
    members = []
    for member in global_cluster["GlobalClusterMembers"]:
        arn = member["DBClusterArn"]
        region, cluster_id = cluster_of_arn(arn)
        cluster = clusters.get(arn, {})
        members.append(
            ClusterMember(
                cluster_id=cluster_id,
                arn=arn,
                region=region,
                is_writer=member["IsWriter"],
                engine_version=cluster.get("EngineVersion", ""),
                status=cluster.get("Status", "inaccessible"),
                instance_count=len(cluster.get("DBClusterMembers", [])),
            )
        )
    return GlobalClusterView(
        id=global_cluster["GlobalClusterIdentifier"], status=global_cluster["Status"], members=members
    )


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(_tag(name), default="").strip()


def _is_cluster(element: ElementTree.Element) -> bool:
    # A snapshot also has a DBClusterIdentifier, but no endpoint.
    return element.find(_tag("ReaderEndpoint")) is not None and element.find(_tag("DBClusterArn")) is not None


def _is_instance(element: ElementTree.Element) -> bool:
    return element.find(_tag("DBInstanceArn")) is not None and element.find(_tag("Endpoint")) is not None


def _is_global_cluster(element: ElementTree.Element) -> bool:
    return element.find(_tag("GlobalClusterMembers")) is not None


def _global_members(element: ElementTree.Element) -> list[ElementTree.Element]:
    return element.findall(f"{_tag('GlobalClusterMembers')}/{_tag('GlobalClusterMember')}")


# --- Writing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KnownState:
    """The proxy's knowledge that ministack lacks; clusters are named by ARN."""

    account_id: str
    port_of: Callable[[str], int | None]
    """Returns the port of a cluster."""
    operation_of: Callable[[str], RdsOperation | None]
    """Returns the operation of a global cluster that is in progress."""
    is_synchronized: Callable[[str], bool]
    """Returns whether a cluster replicates from the writer."""
    restorable_of: Callable[[str], tuple[float, float] | None]
    """Returns the earliest and latest restorable time of a cluster, in seconds since the epoch."""
    status_of: Callable[[str], str | None]
    """Returns the status of a cluster that is being restored or promoted; None for any other."""
    now: float


def rewrite(xml: bytes, known: KnownState) -> bytes:
    """Return the response with realistic endpoints, ports, failover states and synchronization states."""
    root = ElementTree.fromstring(xml)
    found = False
    for element in list(root.iter()):
        if _is_global_cluster(element):
            found = True
            _rewrite_global_cluster(element, known)
        elif _is_cluster(element):
            found = True
            arn = _text(element, "DBClusterArn")
            endpoints = ClusterEndpoints.of(arn)
            _set(element, "Endpoint", endpoints.writer)
            _set(element, "ReaderEndpoint", endpoints.reader)
            _set_port(element, known.port_of(arn))
            _rewrite_backups(element, known, arn)
        elif _is_instance(element):
            found = True
            _rewrite_instance(element, known)
    return ElementTree.tostring(root, encoding="utf-8", default_namespace=NAMESPACE) if found else xml


def _rewrite_backups(element: ElementTree.Element, known: KnownState, arn: str) -> None:
    restorable = known.restorable_of(arn)
    if restorable is not None:
        for name, at in zip(("EarliestRestorableTime", "LatestRestorableTime"), restorable, strict=True):
            _set(element, name, datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"))
    status = known.status_of(arn)
    if status is not None:
        _set(element, "Status", status)


def _rewrite_instance(element: ElementTree.Element, known: KnownState) -> None:
    endpoint = element.find(_tag("Endpoint"))
    arn = _text(element, "DBInstanceArn")
    cluster_id = _text(element, "DBClusterIdentifier")
    if endpoint is None or not cluster_id:
        return
    prefix, _kind, _instance = arn.rsplit(":", 2)
    _set(endpoint, "Address", instance_endpoint(arn))
    _set_port(endpoint, known.port_of(f"{prefix}:cluster:{cluster_id}"))


def _rewrite_global_cluster(element: ElementTree.Element, known: KnownState) -> None:
    global_cluster_id = _text(element, "GlobalClusterIdentifier")
    _set(element, "Endpoint", global_endpoint(known.account_id, global_cluster_id))
    for member in _global_members(element):
        is_connected = _text(member, "IsWriter") == "true" or known.is_synchronized(_text(member, "DBClusterArn"))
        _set(member, "SynchronizationStatus", "connected" if is_connected else "pending-resync")
    operation = known.operation_of(global_cluster_id)
    for state in element.findall(_tag("FailoverState")):
        element.remove(state)
    if operation is None:
        return
    status = operation.status(known.now)
    state = ElementTree.SubElement(element, _tag("FailoverState"))
    _set(state, "Status", status)
    _set(state, "FromDbClusterArn", operation.source.arn)
    _set(state, "ToDbClusterArn", operation.target.arn)
    _set(state, "IsDataLossAllowed", str(operation.kind is OperationKind.FAILOVER).lower())
    if status is not FailoverStatus.PENDING:
        _set(element, "Status", status)


def _set(parent: ElementTree.Element, name: str, text: str) -> None:
    child = parent.find(_tag(name))
    if child is None:
        child = ElementTree.SubElement(parent, _tag(name))
    child.text = text


def _set_port(parent: ElementTree.Element, port: int | None) -> None:
    if port is not None:
        _set(parent, "Port", str(port))


def refusal_in(action: str, xml: bytes, http_status: int) -> RdsRefusal:
    """Return the error in an error response."""
    error = parse(action, xml, http_status=http_status)["Error"]
    return RdsRefusal(error["Code"], error["Message"], http_status=http_status)


def error_response(refusal: RdsRefusal) -> bytes:
    """Return the error response for a refusal."""
    sender = "Sender" if refusal.http_status < 500 else "Receiver"
    error = {"Type": sender, "Code": refusal.code, "Message": refusal.message}
    return document("ErrorResponse", {"Error": error, "RequestId": uuid4()}, namespace=NAMESPACE)


def operation_response(action: str, description: bytes) -> bytes:
    """Return the response to FailoverGlobalCluster or SwitchoverGlobalCluster from a rewritten description."""
    described = next(e for e in ElementTree.fromstring(description).iter() if _is_global_cluster(e))
    described.tag = _tag("GlobalCluster")
    root = ElementTree.Element(_tag(f"{action}Response"))
    ElementTree.SubElement(root, _tag(f"{action}Result")).append(described)
    metadata = ElementTree.SubElement(root, _tag("ResponseMetadata"))
    _set(metadata, "RequestId", str(uuid4()))
    return ElementTree.tostring(root, encoding="utf-8", default_namespace=NAMESPACE)
