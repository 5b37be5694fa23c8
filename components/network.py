"""A region's private network: VPC, subnets, route table, default network ACL and the database's security group.

It needs no internet gateway, NAT gateway or endpoint, because no function in it calls an AWS API. It costs nothing per hour. In an
existing VPC the component creates the database's security group only.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.region import Region
from settings.types import PRIVATE_RANGES
from settings.zones import ZONES

# Lambda removes a function's network interfaces some time after the function, and AWS deletes neither subnets nor security
# groups that they use.
ENI_RELEASE = pulumi.CustomTimeouts(delete="45m")


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The region, and the addresses of its peer."""

    region: Region
    peer_cidr: str
    """A security group cannot be referenced across regions, so the peer's addresses are admitted."""


class Network(pulumi.ComponentResource):
    """A private network over three availability zones."""

    vpc_id: pulumi.Output[str]
    """The VPC's id."""
    vpc_cidr: pulumi.Output[str]
    """The VPC's addresses."""
    subnet_ids: list[pulumi.Output[str]]
    """The three private subnets, one in each zone."""
    route_tables: Mapping[str, pulumi.Input[str]]
    """The private subnets' route tables, by the suffix of the route's logical name."""
    database_security_group_id: pulumi.Output[str]
    """Admits both regions' networks and the configured clients to the database port."""
    database_rules: list[pulumi.Resource]
    """The rules that admit clients to the database."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:network:Network", name, None, opts)
        self._name, self._args = name, args
        self._region = args.region
        if existing := args.region.existing_vpc:
            self.vpc_id, self.vpc_cidr, self.subnet_ids = existing.vpc_id, existing.cidr, existing.subnet_ids
            self.route_tables = existing.route_tables
        else:
            self._make()
        self.database_security_group_id, self.database_rules = self._database_security_group()
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "vpc_cidr": self.vpc_cidr,
                "subnet_ids": self.subnet_ids,
                "database_security_group_id": self.database_security_group_id,
            }
        )

    def _make(self) -> None:
        region = self._region
        vpc = aws.ec2.Vpc(
            f"{self._name}-vpc",
            cidr_block=region.settings.vpc_cidr,
            enable_dns_support=True,  # Private hosted zones and the clusters' endpoints need both.
            enable_dns_hostnames=True,
            tags=region.tags("vpc"),
            # A replaced VPC would replace the database: a changed vpc_cidr is refused in production.
            opts=pulumi.ResourceOptions(parent=self, protect=region.is_production),
        )
        self.vpc_id, self.vpc_cidr = vpc.id, vpc.cidr_block
        route_table = aws.ec2.RouteTable(
            f"{self._name}-private",
            vpc_id=vpc.id,
            tags=region.tags("private"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.route_tables = {"": route_table.id}
        self.subnet_ids = [self._subnet(index, route_table) for index in range(ZONES)]
        self._lock_default_security_group()
        self._limit_default_acl(vpc)

    def _subnet(self, index: int, route_table: aws.ec2.RouteTable) -> pulumi.Output[str]:
        region, number = self._region, index + 1
        # Quarters of the VPC: one for each zone, one unused.
        cidr = list(ipaddress.IPv4Network(region.settings.vpc_cidr).subnets(prefixlen_diff=2))[index]
        subnet = aws.ec2.Subnet(
            f"{self._name}-private-{number}",
            vpc_id=self.vpc_id,
            cidr_block=str(cidr),
            availability_zone=region.zones[index],
            map_public_ip_on_launch=False,
            tags=region.tags(f"private-{number}"),
            # AWS may return its zones in another order: that must not replace a subnet and the database in it.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=region.is_production,
                ignore_changes=["availabilityZone"],
                custom_timeouts=ENI_RELEASE,
            ),
        )
        aws.ec2.RouteTableAssociation(
            f"{self._name}-private-{number}",
            subnet_id=subnet.id,
            route_table_id=route_table.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return subnet.id

    def _lock_default_security_group(self) -> None:
        """Remove every rule from the security group that AWS uses by default."""
        aws.ec2.DefaultSecurityGroup(
            f"{self._name}-default",
            vpc_id=self.vpc_id,
            tags=self._region.tags("default-locked"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _limit_default_acl(self, vpc: aws.ec2.Vpc) -> None:
        """Limit the network ACL of the subnets to private addresses, and to clients that the settings admit.

        AWS's own rules admit every address. Security groups, not this list, decide about ports. Source: Default network ACL
        for a VPC.
        """
        clients = [ipaddress.IPv4Network(cidr) for cidr in self._region.settings.client_cidrs]
        private = [ipaddress.IPv4Network(cidr) for cidr in PRIVATE_RANGES]
        public = [str(client) for client in clients if not any(client.subnet_of(known) for known in private)]
        allowed = [*PRIVATE_RANGES, *public]
        every = {"protocol": "-1", "action": "allow", "from_port": 0, "to_port": 0}
        aws.ec2.DefaultNetworkAcl(
            f"{self._name}-default-acl",
            default_network_acl_id=vpc.default_network_acl_id,
            ingress=[
                aws.ec2.DefaultNetworkAclIngressArgs(rule_no=100 + n, cidr_block=cidr, **every)
                for n, cidr in enumerate(allowed)
            ],
            egress=[
                aws.ec2.DefaultNetworkAclEgressArgs(rule_no=100 + n, cidr_block=cidr, **every)
                for n, cidr in enumerate(allowed)
            ],
            tags=self._region.tags("default-private"),
            # A subnet without an ACL of its own belongs to this one: AWS adds it, not this program.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["subnetIds"]),
        )

    def _database_security_group(self) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        region = self._region
        group = aws.ec2.SecurityGroup(
            f"{self._name}-database",
            name=region.name("database"),
            description="The database: MySQL from both regions, no outbound traffic",
            vpc_id=self.vpc_id,
            tags=region.tags("database"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        rules: list[pulumi.Resource] = [
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-database-from-{source}",
                security_group_id=group.id,
                description=f"MySQL from {source} network" if source in ("own", "peer") else "MySQL from clients",
                cidr_ipv4=cidr,
                referenced_security_group_id=client_group,
                ip_protocol="tcp",
                from_port=region.stack.database.port,
                to_port=region.stack.database.port,
                tags=region.tags(f"database-from-{source}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for source, cidr, client_group in self._admitted()
        ]
        return group.id, rules

    def _admitted(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Yield each source that reaches the database: a name, and either addresses or a security group."""
        settings = self._region.settings
        yield from (("own", settings.vpc_cidr, None), ("peer", self._args.peer_cidr, None))
        # Named by value: another entry in the list changes no other rule.
        yield from ((cidr, cidr, None) for cidr in settings.client_cidrs)
        yield from ((group, None, group) for group in settings.client_security_groups)
