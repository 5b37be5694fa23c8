"""The provider functions that a program may invoke."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.provider.resources.handler import HandlerError
from rehearsal.support.clients import ClientFactory

InvokeFunction = Callable[[Mapping[str, Any], ClientFactory, str], dict[str, Any]]
"""Returns the result in camelCase for (arguments, clients, the provider's region)."""


def _availability_zones(arguments: Mapping[str, Any], clients: ClientFactory, region: str) -> dict[str, Any]:
    _check_arguments(arguments, "state", "filters", "allAvailabilityZones", "excludeNames", "excludeZoneIds")
    filters = [{"Name": each["name"], "Values": list(each["values"])} for each in arguments.get("filters", [])]
    if arguments.get("state"):
        filters.append({"Name": "state", "Values": [arguments["state"]]})
    response = clients("ec2", region).describe_availability_zones(
        Filters=filters, AllAvailabilityZones=bool(arguments.get("allAvailabilityZones"))
    )
    zones = sorted(
        (
            zone
            for zone in response["AvailabilityZones"]
            if zone["ZoneName"] not in arguments.get("excludeNames", [])
            and zone["ZoneId"] not in arguments.get("excludeZoneIds", [])
        ),
        key=lambda zone: zone["ZoneName"],
    )
    return {
        **arguments,
        "id": region,
        "region": region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": sorted({zone.get("GroupName", region) for zone in zones}),
    }


def _caller_identity(arguments: Mapping[str, Any], clients: ClientFactory, region: str) -> dict[str, Any]:
    _check_arguments(arguments)
    response = clients("sts", region).get_caller_identity()
    return {
        "id": response["Account"],
        "accountId": response["Account"],
        "arn": response["Arn"],
        "userId": response["UserId"],
    }


def _vpc(arguments: Mapping[str, Any], clients: ClientFactory, region: str) -> dict[str, Any]:
    _check_arguments(arguments, "id")
    ec2, vpc_id = clients("ec2", region), arguments["id"]
    described = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    attributes = {
        name: ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)[f"{name[:1].upper()}{name[1:]}"]["Value"]
        for name in ("enableDnsSupport", "enableDnsHostnames")
    }
    main = [{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    tables = ec2.describe_route_tables(Filters=main)["RouteTables"]
    if len(tables) != 1:
        raise HandlerError(f"expected one main route table in {vpc_id}, found {len(tables)}", property="id")
    return {
        **attributes,
        "id": vpc_id,
        "region": region,
        "cidrBlock": described["CidrBlock"],
        "cidrBlockAssociations": [
            {
                "associationId": each["AssociationId"],
                "cidrBlock": each["CidrBlock"],
                "state": each["CidrBlockState"]["State"],
            }
            for each in described["CidrBlockAssociationSet"]
        ],
        "ownerId": described["OwnerId"],
        "mainRouteTableId": tables[0]["RouteTableId"],
    }


def _subnet(arguments: Mapping[str, Any], clients: ClientFactory, region: str) -> dict[str, Any]:
    _check_arguments(arguments, "id")
    described = clients("ec2", region).describe_subnets(SubnetIds=[arguments["id"]])["Subnets"][0]
    return {
        "id": arguments["id"],
        "region": region,
        "vpcId": described["VpcId"],
        "cidrBlock": described["CidrBlock"],
        "availabilityZone": described["AvailabilityZone"],
    }


def _route_tables(arguments: Mapping[str, Any], clients: ClientFactory, region: str) -> dict[str, Any]:
    _check_arguments(arguments, "filters")
    filters = [{"Name": each["name"], "Values": list(each["values"])} for each in arguments["filters"]]
    tables = clients("ec2", region).describe_route_tables(Filters=filters)["RouteTables"]
    return {**arguments, "id": region, "region": region, "ids": sorted(table["RouteTableId"] for table in tables)}


def _region(arguments: Mapping[str, Any], clients: ClientFactory, region: str) -> dict[str, Any]:
    _check_arguments(arguments)
    described = clients("ec2", region).describe_regions(RegionNames=[region])["Regions"][0]
    name = described["RegionName"]
    return {"id": name, "name": name, "region": name, "endpoint": described["Endpoint"], "description": name}


def _check_arguments(arguments: Mapping[str, Any], *known: str) -> None:
    for name in sorted(set(arguments) - set(known)):
        raise HandlerError("the rehearsal does not support this argument", property=name)


INVOKE_FUNCTIONS: dict[str, InvokeFunction] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getRegion:getRegion": _region,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ec2/getSubnet:getSubnet": _subnet,
    "aws:ec2/getRouteTables:getRouteTables": _route_tables,
}
