"""A region's private network.

Owns: VPC, three private subnets in three zones, their route table, the database's security group, the locked default
one. In a VPC that is there already: the database's security group alone.
Does not own: the peering (`network_peering`), nor the functions' security groups (`lambda_function`); an existing VPC,
whose default group, subnets and routes to elsewhere stay as they are (`existing_vpc`).
Invariant: nothing that is made here leads to the internet: no gateway, no NAT, no endpoint. Nothing in the VPC calls an
AWS API, so the network costs nothing per hour, and an outage can take nothing away from it.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.existing_vpc import ExistingVpc
from components.site import Region
from settings import RegionSettings
from settings.zones import ZONES

# Lambda removes a function's network interfaces some time after the function; until then AWS refuses to delete what
# they use.
ENI_RELEASE = pulumi.CustomTimeouts(delete="45m")


@dataclass(frozen=True, kw_only=True)
class DatabaseClients:
    """Who reaches the database beside the two networks: by addresses, or by a security group of the same region."""

    cidrs: Sequence[str] = ()
    security_groups: Sequence[str] = ()

    @classmethod
    def of(cls, place: RegionSettings) -> "DatabaseClients":
        """Return what the settings say."""
        return cls(cidrs=place.client_cidrs, security_groups=place.client_security_groups)


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a region's network is made of."""

    site: Region
    vpc_cidr: str
    peer_cidr: str
    """The other region's network, by its addresses: security groups can't be referenced across regions."""
    availability_zones: Sequence[pulumi.Input[str]]
    """Three zones, in the order of the subnets; an existing VPC's subnets say theirs."""
    database_port: int
    existing_vpc: ExistingVpc | None = None
    clients: DatabaseClients = field(default_factory=DatabaseClients)


class Network(pulumi.ComponentResource):
    """A private network over three availability zones."""

    vpc_id: pulumi.Output[str]
    """The VPC's id."""
    vpc_cidr: pulumi.Output[str]
    """The VPC's addresses."""
    subnet_ids: list[pulumi.Output[str]]
    """The three private subnets, one a zone."""
    route_tables: Mapping[str, pulumi.Input[str]]
    """The end of a route's logical name -> a route table of the private subnets."""
    database_security_group_id: pulumi.Output[str]
    """Lets both regions' networks reach the database port, and nothing else."""
    zones: Sequence[pulumi.Input[str]]
    """The zones of the subnets, in their order."""
    database_rules: list[pulumi.Resource]
    """The rules without which nobody reaches the database."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:network:Network", name, None, opts)
        self._name, self._args = name, args
        if args.existing_vpc:
            self._use(args.existing_vpc)
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

    def _use(self, existing: ExistingVpc) -> None:
        self.vpc_id, self.vpc_cidr, self.subnet_ids = existing.vpc_id, existing.cidr, existing.subnet_ids
        self.zones, self.route_tables = existing.zones, existing.route_tables

    def _make(self) -> None:
        args = self._args
        self.zones = args.availability_zones
        vpc = aws.ec2.Vpc(
            f"{self._name}-vpc",
            cidr_block=args.vpc_cidr,
            enable_dns_support=True,  # Private hosted zones and the databases' names need both.
            enable_dns_hostnames=True,
            tags=args.site.tags("vpc"),
            # A new network can't take the database along: a changed vpc_cidr is refused before anything is touched.
            opts=pulumi.ResourceOptions(parent=self, protect=args.site.is_production),
        )
        self.vpc_id, self.vpc_cidr = vpc.id, vpc.cidr_block
        route_table = aws.ec2.RouteTable(
            f"{self._name}-private",
            vpc_id=vpc.id,
            tags=args.site.tags("private"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.route_tables = {"": route_table.id}
        self.subnet_ids = [self._subnet(index, route_table) for index in range(ZONES)]
        self._lock_default_security_group()

    def _subnet(self, index: int, route_table: aws.ec2.RouteTable) -> pulumi.Output[str]:
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
            route_table_id=route_table.id,
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
                description=f"MySQL from {whose} network" if whose in ("own", "peer") else "MySQL from clients",
                cidr_ipv4=cidr,
                referenced_security_group_id=client_group,
                ip_protocol="tcp",
                from_port=args.database_port,
                to_port=args.database_port,
                tags=args.site.tags(f"database-from-{whose}"),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for whose, cidr, client_group in self._let_in()
        ]
        return group.id, rules

    def _let_in(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Yield who reaches the database: a name, and addresses or a security group."""
        clients = self._args.clients
        yield from (("own", self._args.vpc_cidr, None), ("peer", self._args.peer_cidr, None))
        # Named by what they are, so that one more or less in the list changes no other rule.
        yield from ((cidr, cidr, None) for cidr in clients.cidrs)
        yield from ((group, None, group) for group in clients.security_groups)
