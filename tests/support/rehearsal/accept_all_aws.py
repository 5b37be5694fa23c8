"""The unchanged program on a fake AWS: every resource is accepted, and a state is returned.

The same program, settings and state give the same plan as on the embedded AWS.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.engine.deploy import DeployResult, deploy, stack_config
from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.resources.handler import Created, DeleteRequest, Handler, Request
from rehearsal.provider.resources.registry import HANDLERS

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = "123456789012"
KNOWN_BY = {
    "aws:rds/cluster:Cluster": "clusterIdentifier",
    "aws:rds/globalCluster:GlobalCluster": "globalClusterIdentifier",
    "aws:rds/clusterInstance:ClusterInstance": "identifier",
}


VPC_ID, MAIN_TABLE = "vpc-0000000a", "rtb-0000000f"
"""The existing VPC of each region, and its main route table, which the subnets use."""
CIDRS = {"us-east-1": "10.10.0.0/16", "eu-west-1": "10.20.0.0/16"}


class ImaginedAws:
    """Answers the calls that the program makes before it creates resources."""

    def __call__(self, service: str, region: str) -> Any:
        """Return the same client for every service of a region."""
        self.region = region
        return _Client(region)


class _Client:
    def __init__(self, region: str) -> None:
        self._region = region

    def describe_availability_zones(self, **_arguments: Any) -> dict[str, Any]:
        """Return four zones."""
        zones = [f"{self._region}{letter}" for letter in "abcd"]
        return {"AvailabilityZones": [{"ZoneName": zone, "ZoneId": zone, "GroupName": self._region} for zone in zones]}

    def describe_vpcs(self, **_arguments: Any) -> dict[str, Any]:
        """Return an existing VPC."""
        block = {"AssociationId": "a", "CidrBlock": CIDRS[self._region], "CidrBlockState": {"State": "associated"}}
        return {"Vpcs": [{"CidrBlock": CIDRS[self._region], "OwnerId": ACCOUNT, "CidrBlockAssociationSet": [block]}]}

    def describe_vpc_attribute(self, **arguments: Any) -> dict[str, Any]:
        """Return an attribute that is on."""
        name = arguments["Attribute"]
        return {f"{name[:1].upper()}{name[1:]}": {"Value": True}}

    def describe_route_tables(self, **arguments: Any) -> dict[str, Any]:
        """Return the main route table; the subnets have none of their own."""
        is_main = arguments["Filters"][0]["Name"] == "association.main"
        return {"RouteTables": [{"RouteTableId": MAIN_TABLE}] if is_main else []}

    def describe_subnets(self, **arguments: Any) -> dict[str, Any]:
        """Return a subnet in the zone of its last letter."""
        (subnet,) = arguments["SubnetIds"]
        zone = f"{self._region}{subnet[-1]}"
        cidr = CIDRS[self._region].replace("0.0/16", "1.0/24")
        return {"Subnets": [{"VpcId": VPC_ID, "CidrBlock": cidr, "AvailabilityZone": zone}]}

    def get_caller_identity(self) -> dict[str, str]:
        """Return one account."""
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root", "UserId": ACCOUNT}


def imagine(request: Request) -> Created:
    """Accept a resource, and return the outputs that the program reads."""
    request.touched.update(request.inputs, request.changed)
    inputs, name = request.inputs, request.name
    arn = f"arn:aws:{request.type.split(':')[1].split('/')[0]}:{request.region}:{ACCOUNT}:{name}"
    further: dict[str, Any] = {
        "aws:rds/cluster:Cluster": {
            "endpoint": f"{name}.cluster-abc.rds.amazonaws.com",
            "readerEndpoint": f"{name}.cluster-ro-abc.rds.amazonaws.com",
            "clusterResourceId": f"cluster-{name}",
            "port": inputs.get("port"),
        },
        "aws:rds/globalCluster:GlobalCluster": {"endpoint": f"{name}.global-abc.global.rds.amazonaws.com"},
        "aws:secretsmanager/secret:Secret": {
            "arn": f"arn:aws:secretsmanager:{request.region}:{ACCOUNT}:secret:{name}-AbCdEf"
        },
        "aws:route53/zone:Zone": {"zoneId": f"Z{name}"},
        "aws:route53/record:Record": {"fqdn": inputs.get("name")},
        "aws:ec2/vpc:Vpc": {"defaultNetworkAclId": f"{name}-default-acl-id"},
        "aws:kms/key:Key": {"keyId": f"{name}-key-id"},
        "aws:lambda/invocation:Invocation": {"result": "{}"},
        "random:index/randomPassword:RandomPassword": {"result": "an-unused-password-0123"},
    }.get(request.type, {})
    known_as = str(inputs.get(KNOWN_BY.get(request.type, ""), request.id or f"{name}-id"))
    return Created(
        id=known_as,
        outputs={"arn": arn, "owner": ACCOUNT, **further},
        secret_outputs=frozenset({"result"}) if request.type.startswith("random:") else frozenset(),
    )


def imagine_gone(removal: DeleteRequest) -> None:
    """Accept a deletion."""


def _imagined(handler: Handler) -> Handler:
    # The fake AWS stores no properties.
    unread = {name: dataclasses.replace(account, held="") for name, account in handler.properties.items()}
    return dataclasses.replace(handler, create=imagine, update=imagine, delete=imagine_gone, properties=unread)


IMAGINED = {type_: _imagined(handler) for type_, handler in HANDLERS.items()}


def run(
    stack: str, changes: Mapping[str, object] | None = None, *, state: StackState | None = None, preview: bool = False
) -> DeployResult:
    """Run the program with changed settings, on a copy of an earlier state or without one."""
    return deploy(
        ROOT,
        stack_config(ROOT, stack, changes),
        "http://127.0.0.1:1",
        stack=stack,
        clients=ImaginedAws(),
        handlers=IMAGINED,
        state=state.copy() if state is not None else None,
        preview=preview,
    )


def after_change_of_roles(state: StackState, *, writer_region: str) -> StackState:
    """Return the state that a refresh finds after the cluster of a region became the writer.

    The state has each value that AWS may describe differently then: replication source, membership, versions, the former writer's
    user and database, the standby's endpoint, zones of instances, a rotated password.
    """
    after = state.copy()
    clusters = [each for each in state.resources.values() if each.type == "aws:rds/cluster:Cluster"]
    writer = next(each for each in clusters if each.region == writer_region)
    for cluster in clusters:
        stands_by = cluster is not writer
        inputs = {
            **cluster.inputs,
            "engineVersion": "8.0.mysql_aurora.3.10.9",
            **({"replicationSourceIdentifier": writer.outputs["arn"]} if stands_by else {}),
        }
        if stands_by:
            for name in ("masterUsername", "databaseName", "masterPassword"):
                inputs.pop(name, None)
        else:
            inputs |= {"masterUsername": "dbadmin", "databaseName": "payments"}
        outputs = {**cluster.outputs, **({"endpoint": ""} if stands_by else {})}
        after.keep(dataclasses.replace(cluster, inputs=inputs, outputs=outputs))
    for each in state.resources.values():
        changed = {
            "aws:rds/clusterInstance:ClusterInstance": {
                "availabilityZone": f"{each.region}c",
                "engineVersion": "8.0.mysql_aurora.3.10.9",
            },
            "aws:secretsmanager/secretVersion:SecretVersion": {"secretString": "rotated since"},
            "aws:route53/zone:Zone": {"vpcs": [{"vpcId": "vpc-1"}, {"vpcId": "vpc-2"}]},
        }.get(each.type)
        if changed:
            after.keep(dataclasses.replace(each, inputs={**each.inputs, **changed}))
    return after


def of_type(state: StackState, type_: str) -> list[KeptResource]:
    """Return the resources of a type."""
    return [each for each in state.resources.values() if each.type == type_]
