"""A VPC in the secondary region that somebody else has created."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.environment import Environment

SECONDARY = "eu-west-1"
THEIR_CIDR = "10.99.0.0/20"


@dataclass(frozen=True, kw_only=True)
class ExistingVpc:
    """A VPC that exists before the deployment."""

    vpc_id: str
    subnet_ids: list[str]
    route_table_id: str

    def settings(self, **changed: object) -> dict[str, object]:
        """Return the settings of a region in this VPC."""
        existing = {"vpc_id": self.vpc_id, "subnet_ids": self.subnet_ids, "route_table_ids": [self.route_table_id]}
        return {"vpc_cidr": THEIR_CIDR, "existing_vpc": {**existing, **changed}}


def create_vpc(world: Environment) -> ExistingVpc:
    """Create a VPC with three private subnets and a route table."""
    ec2 = world.clients("ec2", SECONDARY)
    vpc_id = ec2.create_vpc(CidrBlock=THEIR_CIDR)["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, **{attribute: {"Value": True}})
    table_id = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    subnet_ids: list[str] = []
    for index, zone in enumerate("abc"):
        cidr = f"10.99.{index}.0/24"
        subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=f"{SECONDARY}{zone}")["Subnet"]
        subnet_ids.append(subnet["SubnetId"])
        ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet["SubnetId"])
    return ExistingVpc(vpc_id=vpc_id, subnet_ids=subnet_ids, route_table_id=table_id)
