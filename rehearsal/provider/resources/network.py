"""EC2: VPCs, subnets, routes, peering, security groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.provider.resources.convert import renamed, tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    HandlerError,
    Property,
    Request,
    delete_by_id,
    delete_nothing,
    own,
    provider_only,
    sent,
    wait_for,
    wait_until,
)


def _tags(resource_type: str) -> Property:
    return sent(
        "TagSpecifications",
        convert=lambda tags: [{"ResourceType": resource_type, "Tags": tag_list(tags)}],
        held="Tags",
        expected=tag_list,
    )


def _create_vpc(request: Request) -> Created:
    ec2 = request.client("ec2")
    vpc_id = ec2.create_vpc(**request.parameters())["Vpc"]["VpcId"]
    for name, attribute in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        wanted = request.take(name)
        if wanted is not None:
            ec2.modify_vpc_attribute(VpcId=vpc_id, **{attribute: {"Value": wanted}})
    held = dict(ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0])
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        response = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute[:1].lower() + attribute[1:])
        held[attribute] = response[attribute]["Value"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    main_table = ec2.describe_route_tables(Filters=[*of_vpc, {"Name": "association.main", "Values": ["true"]}])
    return Created(
        id=vpc_id,
        outputs={
            "arn": request.arn("ec2", f"vpc/{vpc_id}"),
            "ownerId": request.account_id,
            "mainRouteTableId": main_table["RouteTables"][0]["RouteTableId"],
            "defaultRouteTableId": main_table["RouteTables"][0]["RouteTableId"],
            "defaultSecurityGroupId": _default_security_group(ec2, vpc_id)["GroupId"],
            "enableDnsSupport": held["EnableDnsSupport"],
            "enableDnsHostnames": held["EnableDnsHostnames"],
        },
        held=held,
    )


def _default_security_group(ec2: Any, vpc_id: str) -> Any:
    groups = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    if len(groups) != 1:
        raise HandlerError(f"expected one default security group in {vpc_id}, found {len(groups)}", property="vpcId")
    return groups[0]


def _create_subnet(request: Request) -> Created:
    ec2 = request.client("ec2")
    subnet_id = ec2.create_subnet(**request.parameters())["Subnet"]["SubnetId"]
    public = request.take("mapPublicIpOnLaunch")
    if public is not None:
        ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": public})
    held = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    outputs = {
        "arn": held["SubnetArn"],
        "availabilityZoneId": held["AvailabilityZoneId"],
        "ownerId": request.account_id,
    }
    return Created(id=subnet_id, outputs=outputs, held=held)


def _create_route_table(request: Request) -> Created:
    ec2 = request.client("ec2")
    table_id = ec2.create_route_table(**request.parameters())["RouteTable"]["RouteTableId"]
    held = ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0]
    outputs = {"arn": request.arn("ec2", f"route-table/{table_id}"), "ownerId": request.account_id}
    return Created(id=table_id, outputs=outputs, held=held)


def _create_route_table_association(request: Request) -> Created:
    ec2 = request.client("ec2")
    association_id = ec2.associate_route_table(**request.parameters())["AssociationId"]
    tables = ec2.describe_route_tables(RouteTableIds=[request.inputs["routeTableId"]])["RouteTables"]
    held = next(each for each in tables[0]["Associations"] if each["RouteTableAssociationId"] == association_id)
    return Created(id=association_id, outputs={}, held=held)


def _create_route(request: Request) -> Created:
    ec2 = request.client("ec2")
    ec2.create_route(**request.parameters())
    table_id, destination = request.inputs["routeTableId"], request.inputs["destinationCidrBlock"]
    table = ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0]
    held = next(route for route in table["Routes"] if route.get("DestinationCidrBlock") == destination)
    return Created(
        id=f"r-{table_id}-{destination}",
        outputs={"state": held["State"], "origin": held["Origin"]},
        held={**held, "RouteTableId": table_id},
    )


def _create_default_security_group(request: Request) -> Created:
    """Adopt the VPC's default group and remove its rules, as the provider does when no rule is given.

    AWS does not delete this group. Source: "Default security groups for your VPCs".
    """
    ec2 = request.client("ec2")
    vpc_id = request.take("vpcId")
    group_id = _default_security_group(ec2, vpc_id)["GroupId"]
    _revoke_all_rules(ec2, group_id)
    tags = request.take("tags")
    if tags:
        ec2.create_tags(Resources=[group_id], Tags=tag_list(tags))
    held = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    if held["IpPermissions"] or held["IpPermissionsEgress"]:
        raise HandlerError(f"{group_id} still has rules after their revocation")
    outputs = {"arn": request.arn("ec2", f"security-group/{group_id}"), "name": held["GroupName"]}
    return Created(id=group_id, outputs=outputs, held=held)


def _revoke_all_rules(ec2: Any, group_id: str) -> None:
    group = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    if group["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=group["IpPermissions"])
    if group["IpPermissionsEgress"]:
        ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=group["IpPermissionsEgress"])


def _create_security_group(request: Request) -> Created:
    """Create a group without rules. The provider removes the egress rule that AWS adds if none is declared inline."""
    ec2 = request.client("ec2")
    group_id = ec2.create_security_group(**request.parameters())["GroupId"]
    _revoke_all_rules(ec2, group_id)
    held = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    outputs = {"arn": request.arn("ec2", f"security-group/{group_id}"), "ownerId": request.account_id}
    return Created(id=group_id, outputs=outputs, held=held)


def _create_rule(direction: str) -> Callable[[Request], Created]:
    def create(request: Request) -> Created:
        ec2 = request.client("ec2")
        group_id = request.take("securityGroupId")
        permission: dict[str, Any] = {"IpProtocol": request.take("ipProtocol")}
        for name, parameter in (("fromPort", "FromPort"), ("toPort", "ToPort")):
            if request.take(name) is not None:
                permission[parameter] = request.take(name)
        description = {"Description": request.take("description")} if request.take("description") else {}
        if request.take("cidrIpv4"):
            permission["IpRanges"] = [{"CidrIp": request.take("cidrIpv4"), **description}]
        if request.take("referencedSecurityGroupId"):
            permission["UserIdGroupPairs"] = [{"GroupId": request.take("referencedSecurityGroupId"), **description}]
        authorize = getattr(ec2, f"authorize_security_group_{direction}")
        tags = request.take("tags")
        specification = [{"ResourceType": "security-group-rule", "Tags": tag_list(tags)}] if tags else []
        response = authorize(GroupId=group_id, IpPermissions=[permission], TagSpecifications=specification)
        rule_id = response["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        held = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"][0]
        if held["IsEgress"] is not (direction == "egress"):
            raise HandlerError(f"expected an {direction} rule, but {rule_id} has IsEgress={held['IsEgress']}")
        outputs = {"arn": request.arn("ec2", f"security-group-rule/{rule_id}"), "securityGroupRuleId": rule_id}
        return Created(id=rule_id, outputs=outputs, held=held)

    return create


def _create_peering(request: Request) -> Created:
    ec2 = request.client("ec2")
    if request.take("autoAccept"):
        raise HandlerError("only the accepter region can accept a peering across regions", property="autoAccept")
    peering_id = ec2.create_vpc_peering_connection(**request.parameters())["VpcPeeringConnection"][
        "VpcPeeringConnectionId"
    ]
    held = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering_id])["VpcPeeringConnections"][0]
    return Created(id=peering_id, outputs={"acceptStatus": held["Status"]["Code"]}, held=held)


def _create_peering_accepter(request: Request) -> Created:
    ec2 = request.client("ec2")
    peering_id = request.take("vpcPeeringConnectionId")
    if request.take("autoAccept"):
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering_id)

    def description() -> Any:
        return ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering_id])["VpcPeeringConnections"][0]

    if request.take("autoAccept"):
        wait_until(lambda: description()["Status"]["Code"] == "active", what=f"{peering_id} is active")
    tags = request.take("tags")
    if tags:
        ec2.create_tags(Resources=[peering_id], Tags=tag_list(tags))
    held = description()
    outputs = {
        "acceptStatus": held["Status"]["Code"],
        "vpcId": held["AccepterVpcInfo"]["VpcId"],
        "peerVpcId": held["RequesterVpcInfo"]["VpcId"],
        "peerRegion": held["RequesterVpcInfo"]["Region"],
        "peerOwnerId": held["RequesterVpcInfo"]["OwnerId"],
    }
    return Created(id=peering_id, outputs=outputs, held=held)


def _create_peering_options(request: Request) -> Created:
    """Set the options of this side of the peering. The API proxy implements the call, which ministack lacks."""
    ec2 = request.client("ec2")
    response = ec2.modify_vpc_peering_connection_options(**request.parameters())
    peering_id = request.inputs["vpcPeeringConnectionId"]
    return Created(id=peering_id, outputs={}, held={**response, "VpcPeeringConnectionId": peering_id})


_peering_options = renamed(allowRemoteVpcDnsResolution="AllowDnsResolutionFromRemoteVpc")

_RULE = {
    "securityGroupId": own(held="GroupId"),
    "ipProtocol": own(held="IpProtocol"),
    "fromPort": own(held="FromPort"),
    "toPort": own(held="ToPort"),
    "cidrIpv4": own(held="CidrIpv4"),
    "referencedSecurityGroupId": own(held="ReferencedGroupInfo.GroupId"),
    "description": own(held="Description"),
    "tags": own(held="Tags", expected=tag_list),
}


def _delete_route(request: DeleteRequest) -> None:
    request.client("ec2").delete_route(
        RouteTableId=request.inputs["routeTableId"], DestinationCidrBlock=request.inputs["destinationCidrBlock"]
    )


def _delete_security_group(request: DeleteRequest) -> None:
    if request.inputs.get("revokeRulesOnDelete"):
        _revoke_all_rules(request.client("ec2"), request.id)
    request.client("ec2").delete_security_group(GroupId=request.id)


def _delete_rule(direction: str) -> Callable[[DeleteRequest], None]:
    def revoke(request: DeleteRequest) -> None:
        call = getattr(request.client("ec2"), f"revoke_security_group_{direction}")
        call(GroupId=request.inputs["securityGroupId"], SecurityGroupRuleIds=[request.id])

    return revoke


def _delete_peering(request: DeleteRequest) -> None:
    ec2 = request.client("ec2")
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=request.id)
    wait_for(ec2, "vpc_peering_connection_deleted", VpcPeeringConnectionIds=[request.id])


HANDLERS = {
    "aws:ec2/vpc:Vpc": Handler(
        create=_create_vpc,
        delete=delete_by_id("ec2", "delete_vpc", "VpcId"),
        properties={
            "cidrBlock": sent("CidrBlock"),
            "instanceTenancy": sent("InstanceTenancy"),
            "enableDnsSupport": own(held="EnableDnsSupport"),
            "enableDnsHostnames": own(held="EnableDnsHostnames"),
            "tags": _tags("vpc"),
        },
    ),
    "aws:ec2/subnet:Subnet": Handler(
        create=_create_subnet,
        delete=delete_by_id("ec2", "delete_subnet", "SubnetId"),
        properties={
            "vpcId": sent("VpcId"),
            "cidrBlock": sent("CidrBlock"),
            "availabilityZone": sent("AvailabilityZone"),
            "mapPublicIpOnLaunch": own(held="MapPublicIpOnLaunch"),
            "tags": _tags("subnet"),
        },
    ),
    "aws:ec2/routeTable:RouteTable": Handler(
        create=_create_route_table,
        delete=delete_by_id("ec2", "delete_route_table", "RouteTableId"),
        properties={"vpcId": sent("VpcId"), "tags": _tags("route-table")},
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Handler(
        create=_create_route_table_association,
        delete=delete_by_id("ec2", "disassociate_route_table", "AssociationId"),
        properties={"subnetId": sent("SubnetId"), "routeTableId": sent("RouteTableId")},
    ),
    "aws:ec2/route:Route": Handler(
        create=_create_route,
        delete=_delete_route,
        properties={
            "routeTableId": sent("RouteTableId"),
            "destinationCidrBlock": sent("DestinationCidrBlock"),
            "vpcPeeringConnectionId": sent("VpcPeeringConnectionId"),
        },
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Handler(
        create=_create_default_security_group,
        # AWS deletes it with its VPC.
        delete=delete_nothing,
        properties={"vpcId": own(held="VpcId"), "tags": own(held="Tags", expected=tag_list)},
    ),
    "aws:ec2/securityGroup:SecurityGroup": Handler(
        create=_create_security_group,
        delete=_delete_security_group,
        properties={
            "name": sent("GroupName"),
            "description": sent("Description"),
            "vpcId": sent("VpcId"),
            "revokeRulesOnDelete": provider_only("the provider revokes the rules before it deletes the group"),
            "tags": _tags("security-group"),
        },
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Handler(
        create=_create_rule("ingress"), delete=_delete_rule("ingress"), properties=_RULE
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Handler(
        create=_create_rule("egress"), delete=_delete_rule("egress"), properties=_RULE
    ),
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": Handler(
        create=_create_peering,
        delete=_delete_peering,
        properties={
            "vpcId": sent("VpcId", held="RequesterVpcInfo.VpcId"),
            "peerVpcId": sent("PeerVpcId", held="AccepterVpcInfo.VpcId"),
            "peerRegion": sent("PeerRegion", held="AccepterVpcInfo.Region"),
            "peerOwnerId": sent("PeerOwnerId", held="AccepterVpcInfo.OwnerId"),
            "autoAccept": own(),
            "tags": _tags("vpc-peering-connection"),
        },
    ),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": Handler(
        create=_create_peering_accepter,
        # The requester deletes the connection. Source: aws_vpc_peering_connection_accepter.
        delete=delete_nothing,
        properties={
            "vpcPeeringConnectionId": own(held="VpcPeeringConnectionId"),
            "autoAccept": own(),
            "tags": own(held="Tags", expected=tag_list),
        },
    ),
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": Handler(
        create=_create_peering_options,
        # AWS deletes the options with their connection.
        delete=delete_nothing,
        properties={
            "vpcPeeringConnectionId": sent("VpcPeeringConnectionId"),
            "requester": sent("RequesterPeeringConnectionOptions", convert=_peering_options),
            "accepter": sent("AccepterPeeringConnectionOptions", convert=_peering_options),
        },
    ),
}
