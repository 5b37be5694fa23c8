"""Rules on VPCs, their peering and security groups."""

import ipaddress
import itertools
from collections.abc import Iterator

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, Stack, Violation, is_known

VPC, SUBNET, GROUP = "ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/securityGroup:SecurityGroup"
INGRESS, EGRESS = (
    f"vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule" for direction in ("Ingress", "Egress")
)
INTERNET_ACCESS_TYPES = ("Gateway", "Endpoint", "Eip", "Proxy", "LoadBalancer", "VpnConnection")


@rule("VPC peering basics: no peering between VPCs with overlapping CIDR blocks, VPC Peering Guide")
def vpc_cidrs_are_disjoint(stack: Stack) -> Iterator[Violation]:
    """The VPCs of the stack have no address in common."""
    for one, other in itertools.combinations(stack.of_type(VPC), 2):
        blocks = [cidr_block(r.get("cidrBlock")) for r in (one, other)]
        if blocks[0] and blocks[1] and blocks[0].overlaps(blocks[1]):
            yield violation(
                other, "cidrBlock", f"{blocks[1]} overlaps {blocks[0]} of {one.name}. Choose another range."
            )


@rule("VPC CIDR blocks; Subnet CIDR blocks, VPC User Guide")
def cidr_sizes_are_valid(stack: Stack) -> Iterator[Violation]:
    """VPCs and subnets use private IPv4 ranges from /16 to /28."""
    for r in (*stack.of_type(VPC), *stack.of_type(SUBNET)):
        block = cidr_block(r.get("cidrBlock"))
        if r.get("cidrBlock") is UNKNOWN:
            continue
        if block is None or not 16 <= block.prefixlen <= 28 or not block.is_private:
            yield violation(
                r, "cidrBlock", f"{r.get('cidrBlock')} is not a private range from /16 to /28. Choose another range."
            )


@rule("Subnet CIDR blocks, VPC User Guide")
def subnet_cidrs_fit_vpc(stack: Stack) -> Iterator[Violation]:
    """Every subnet is inside its VPC, and no two subnets overlap."""
    for vpc in stack.of_type(VPC):
        network = cidr_block(vpc.get("cidrBlock"))
        subnets = [r for r in stack.of_type(SUBNET, vpc.region) if vpc in stack.references(r, "vpcId", VPC)]
        for r in subnets:
            block = cidr_block(r.get("cidrBlock"))
            if network and block and not block.subnet_of(network):
                yield violation(r, "cidrBlock", f"{block} is not in {network}. Choose a range inside the VPC.")
        for one, other in itertools.combinations(subnets, 2):
            blocks = [cidr_block(r.get("cidrBlock")) for r in (one, other)]
            if blocks[0] and blocks[1] and blocks[0].overlaps(blocks[1]):
                yield violation(other, "cidrBlock", f"{blocks[1]} overlaps {one.name}. Choose another range.")


@rule("The decision of networks without internet access, components/network.py")
def networks_have_no_internet_access(stack: Stack) -> Iterator[Violation]:
    """The stack has no gateway, endpoint or public address, and no subnet assigns public addresses."""
    for r in stack.aws_resources:
        type_name = r.type.rpartition(":")[2]
        if any(name in type_name for name in INTERNET_ACCESS_TYPES) and "rds" not in r.type:
            yield violation(r, "", "The resource connects the private network to the outside. Remove the resource.")
    for r in stack.of_type(SUBNET):
        if r.get("mapPublicIpOnLaunch"):
            yield violation(r, "mapPublicIpOnLaunch", "Instances get public addresses. Set it to false.")


@rule("AuthorizeSecurityGroupIngress, Amazon EC2 API Reference")
def security_group_rules_are_specific(stack: Stack) -> Iterator[Violation]:
    """Every security group rule has one private peer, the protocol TCP and a valid port range."""
    peers = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
    for r in (*stack.of_type(INGRESS), *stack.of_type(EGRESS)):
        named = [name for name in peers if r.is_set(name)]
        if len(named) != 1:
            yield violation(r, "", f"The rule has {len(named)} peers. Set exactly one peer.")
        block = cidr_block(r.get("cidrIpv4"))
        if r.is_set("cidrIpv4") and is_known(r.get("cidrIpv4")) and (block is None or not block.is_private):
            yield violation(r, "cidrIpv4", f"{r.get('cidrIpv4')} is not a private range. Use a private range.")
        first, last = r.get("fromPort"), r.get("toPort")
        in_order = isinstance(first, int) and isinstance(last, int) and 0 <= first <= last <= 65535
        if r.get("ipProtocol") != "tcp" or (not in_order and is_known([first, last])):
            yield violation(
                r, "ipProtocol", f"{r.get('ipProtocol')} {first}-{last} is invalid. Use TCP and a port from 0 to 65535."
            )


@rule("The ports of the database, components/network.py")
def database_ingress_uses_cluster_port(stack: Stack) -> Iterator[Violation]:
    """The database security groups allow only the cluster's port."""
    for cluster in stack.of_type("rds/cluster:Cluster"):
        for group in stack.references(cluster, "vpcSecurityGroupIds", GROUP):
            for r in stack.of_type(INGRESS, cluster.region):
                ports = (r.get("fromPort"), r.get("toPort"))
                if group in stack.references(r, "securityGroupId", GROUP) and set(ports) != {cluster.get("port")}:
                    yield violation(
                        r, "fromPort", f"{ports[0]}-{ports[1]} is open. Allow only port {cluster.get('port')}."
                    )


@rule("Update your route tables for a VPC peering connection, VPC Peering Guide")
def routes_are_bidirectional(stack: Stack) -> Iterator[Violation]:
    """Each VPC of the peering has a route to the other VPC."""
    peerings = stack.of_type("ec2/vpcPeeringConnection:VpcPeeringConnection")
    ends = {r.region: r for p in peerings for name in ("vpcId", "peerVpcId") for r in stack.references(p, name, VPC)}
    for region, vpc in ends.items():
        others = {other.get("cidrBlock") for where, other in ends.items() if where != region}
        reached = {r.get("destinationCidrBlock") for r in stack.of_type("ec2/route:Route", region)}
        if is_known(list(others)) and not others <= reached:
            yield violation(
                vpc,
                "",
                f"No route leads to {', '.join(sorted(map(str, others - reached)))}. Add the route.",
            )


def cidr_block(value: object) -> ipaddress.IPv4Network | None:
    """Return a CIDR range, or None if the value is none."""
    try:
        return ipaddress.IPv4Network(value) if isinstance(value, str) else None
    except ValueError:
        return None
