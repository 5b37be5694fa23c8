"""A region's private network.

Owns: VPC, three private subnets in three zones, their route table, the database's security group, the locked default
one.
Does not own: the peering (`network_peering`), nor the functions' security groups (`lambda_function`).
Invariant: nothing in here leads to the internet: no gateway, no NAT, no endpoint. Nothing in the VPC calls an AWS
API, so the network costs nothing per hour, and an outage can take nothing away from it.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.site import Site

SUBNETS = 3
# Lambda removes a function's network interfaces some time after the function; until then AWS refuses to delete what
# they use.
ENI_RELEASE = pulumi.CustomTimeouts(delete="45m")


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a region's network is made of."""

    site: Site
    vpc_cidr: str
    peer_cidr: str
    """The other region's network, by its addresses: security groups can't be referenced across regions."""
    availability_zones: Sequence[pulumi.Input[str]]
    """Three zones, in the order of the subnets."""
    database_port: int


class Network(pulumi.ComponentResource):
    """A private network over three availability zones."""

    vpc_id: pulumi.Output[str]
    """The VPC's id."""
    vpc_cidr: pulumi.Output[str]
    """The VPC's addresses."""
    subnet_ids: list[pulumi.Output[str]]
    """The three private subnets, one a zone."""
    route_table_id: pulumi.Output[str]
    """The route table of the private subnets."""
    database_security_group_id: pulumi.Output[str]
    """Lets both regions' networks reach the database port, and nothing else."""
    zones: Sequence[pulumi.Input[str]]
    """The zones of the subnets, in their order."""
    database_rules: list[pulumi.Resource]
    """The rules without which nobody reaches the database."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:network:Network", name, None, opts)
        self._name, self._args = name, args
        self.zones = args.availability_zones
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.vpc_cidr,
            enable_dns_support=True,  # Private hosted zones and the databases' names need both.
            enable_dns_hostnames=True,
            tags=args.site.tags("vpc"),
            # A new network can't take the database along: a changed vpc_cidr is refused before anything is touched.
            opts=pulumi.ResourceOptions(parent=self, protect=args.site.is_production),
        )
        self.vpc_id, self.vpc_cidr = vpc.id, vpc.cidr_block
        route_table = aws.ec2.RouteTable(
            f"{name}-private",
            vpc_id=vpc.id,
            tags=args.site.tags("private"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.route_table_id = route_table.id
        self.subnet_ids = [self._subnet(index) for index in range(SUBNETS)]
        self._lock_default_security_group()
        self.database_security_group_id, self.database_rules = self._database_security_group()
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "vpc_cidr": self.vpc_cidr,
                "subnet_ids": self.subnet_ids,
                "route_table_id": self.route_table_id,
                "database_security_group_id": self.database_security_group_id,
            }
        )

    def _subnet(self, index: int) -> pulumi.Output[str]:
        args, number = self._args, index + 1
        # Quarters of the network: three for the zones, the last left free.
        cidr = list(ipaddress.IPv4Network(args.vpc_cidr).subnets(prefixlen_diff=2))[index]
        subnet = aws.ec2.Subnet(
            f"{self._name}-private-{number}",
            vpc_id=self.vpc_id,
            cidr_block=str(cidr),
            availability_zone=args.availability_zones[index],
            map_public_ip_on_launch=False,
            tags=args.site.tags(f"private-{number}"),
            # AWS may list its zones in another order tomorrow: a subnet, and the database in it, must not be replaced
            # for that.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.site.is_production,
                ignore_changes=["availabilityZone"],
                custom_timeouts=ENI_RELEASE,
            ),
        )
        aws.ec2.RouteTableAssociation(
            f"{self._name}-private-{number}",
            subnet_id=subnet.id,
            route_table_id=self.route_table_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return subnet.id

    def _lock_default_security_group(self) -> None:
        """Take every rule from the group that AWS gives to whatever names none."""
        aws.ec2.DefaultSecurityGroup(
            f"{self._name}-default",
            vpc_id=self.vpc_id,
            tags=self._args.site.tags("default-locked"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _database_security_group(self) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        args = self._args
        group = aws.ec2.SecurityGroup(
            f"{self._name}-database",
            name=args.site.name("database"),
            description="The database: MySQL from both regions, nothing out",
            vpc_id=self.vpc_id,
            tags=args.site.tags("database"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        rules: list[pulumi.Resource] = [
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-database-from-{whose}",
                security_group_id=group.id,
                description=f"MySQL from {whose} network",
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=args.database_port,
                to_port=args.database_port,
                tags=args.site.tags(f"database-from-{whose}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for whose, cidr in (("own", args.vpc_cidr), ("peer", args.peer_cidr))
        ]
        return group.id, rules
