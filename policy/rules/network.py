"""What holds for the private networks, their peering, and who may reach whom."""

import ipaddress
import itertools
import re
from collections.abc import Iterator

from policy.rules.rule import broken, rule
from policy.rules.stack_model import UNKNOWN, Finding, Stack, as_list, is_known

VPC, SUBNET, GROUP = "ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/securityGroup:SecurityGroup"
INGRESS, EGRESS = (f"vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in ("Ingress", "Egress"))
WAYS_OUT = ("Gateway", "Endpoint", "Eip", "Proxy", "LoadBalancer", "VpnConnection")
DESCRIPTION = r"[\w .\-:/()#,@\[\]+=&;{}!$*]{0,255}"


@rule("VPC peering basics: no peering between VPCs with overlapping CIDR blocks, VPC Peering Guide")
def networks_do_not_overlap(stack: Stack) -> Iterator[Finding]:
    """No two of the stack's networks have an address in common."""
    for one, other in itertools.combinations(stack.of(VPC), 2):
        blocks = [_block(r.get("cidrBlock")) for r in (one, other)]
        if blocks[0] and blocks[1] and blocks[0].overlaps(blocks[1]):
            yield broken(other, "cidrBlock", f"{blocks[1]} overlaps {blocks[0]} of {one.name}")


@rule("VPC CIDR blocks; Subnet CIDR blocks, VPC User Guide")
def networks_are_of_a_size_that_aws_takes(stack: Stack) -> Iterator[Finding]:
    """Networks and subnets are IPv4 blocks from /16 to /28, of private addresses."""
    for r in (*stack.of(VPC), *stack.of(SUBNET)):
        block = _block(r.get("cidrBlock"))
        if r.get("cidrBlock") is UNKNOWN:
            continue
        if block is None or not 16 <= block.prefixlen <= 28 or not block.is_private:
            yield broken(r, "cidrBlock", f"{r.get('cidrBlock')}")


@rule("Subnet CIDR blocks, VPC User Guide")
def subnets_share_out_their_network(stack: Stack) -> Iterator[Finding]:
    """Every subnet lies in its network, and none in another subnet."""
    for vpc in stack.of(VPC):
        network = _block(vpc.get("cidrBlock"))
        subnets = [r for r in stack.of(SUBNET, vpc.region) if vpc in stack.behind(r, "vpcId", VPC)]
        for r in subnets:
            block = _block(r.get("cidrBlock"))
            if network and block and not block.subnet_of(network):
                yield broken(r, "cidrBlock", f"{block} isn't in {network}")
        for one, other in itertools.combinations(subnets, 2):
            blocks = [_block(r.get("cidrBlock")) for r in (one, other)]
            if blocks[0] and blocks[1] and blocks[0].overlaps(blocks[1]):
                yield broken(other, "cidrBlock", f"overlaps {one.name}")


@rule("Considerations when creating a private hosted zone: DNS support and host names, Route 53 Developer Guide")
def networks_resolve_names(stack: Stack) -> Iterator[Finding]:
    """Every network resolves names and gives them, or the private zone answers nobody."""
    for r in stack.of(VPC):
        for name in ("enableDnsSupport", "enableDnsHostnames"):
            if r.get(name) is not True:
                yield broken(r, name, "off")


@rule("The decision of networks without a way out, components/network.py")
def nothing_leads_to_the_internet(stack: Stack) -> Iterator[Finding]:
    """There is no gateway, no endpoint, no public address; no subnet hands one out."""
    for r in stack.cloud:
        last = r.type.rpartition(":")[2]
        if any(way in last for way in WAYS_OUT) and "rds" not in r.type:
            yield broken(r, "", "a way out, and a bill by the hour")
    for r in stack.of(SUBNET):
        if r.get("mapPublicIpOnLaunch"):
            yield broken(r, "mapPublicIpOnLaunch", "public addresses")


@rule("Update your security groups to reference peer security groups: same region only, VPC Peering Guide")
def no_group_is_referenced_across_regions(stack: Stack) -> Iterator[Finding]:
    """A rule that names a security group names one of its own region; across regions rules name addresses."""
    for r in (*stack.of(INGRESS), *stack.of(EGRESS)):
        for other in stack.behind(r, "referencedSecurityGroupId", GROUP):
            if other.region != r.region:
                yield broken(r, "referencedSecurityGroupId", f"{other.name} is in {other.region}")


@rule("AuthorizeSecurityGroupIngress, Amazon EC2 API Reference")
def security_rules_name_one_peer_and_its_ports(stack: Stack) -> Iterator[Finding]:
    """Every rule names exactly one peer, a protocol, and ports in order; none is open to the world."""
    peers = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
    for r in (*stack.of(INGRESS), *stack.of(EGRESS)):
        named = [name for name in peers if r.says(name)]
        if len(named) != 1:
            yield broken(r, "", f"{len(named)} peers")
        block = _block(r.get("cidrIpv4"))
        if r.says("cidrIpv4") and is_known(r.get("cidrIpv4")) and (block is None or not block.is_private):
            yield broken(r, "cidrIpv4", f"{r.get('cidrIpv4')} isn't a private network")
        first, last = r.get("fromPort"), r.get("toPort")
        in_order = isinstance(first, int) and isinstance(last, int) and 0 <= first <= last <= 65535
        if r.get("ipProtocol") != "tcp" or (not in_order and is_known([first, last])):
            yield broken(r, "ipProtocol", f"{r.get('ipProtocol')} {first}-{last}; one TCP port will do")


@rule("The ports of the database, components/network.py")
def the_database_lets_in_its_port_alone(stack: Stack) -> Iterator[Finding]:
    """What reaches the databases' security groups reaches the clusters' port and nothing else."""
    for cluster in stack.of("rds/cluster:Cluster"):
        for group in stack.behind(cluster, "vpcSecurityGroupIds", GROUP):
            for r in stack.of(INGRESS, cluster.region):
                ports = (r.get("fromPort"), r.get("toPort"))
                if group in stack.behind(r, "securityGroupId", GROUP) and set(ports) != {cluster.get("port")}:
                    yield broken(r, "fromPort", f"{ports[0]}-{ports[1]}, and the database is at {cluster.get('port')}")


@rule("aws_security_group, Terraform provider: inline rules and rules of their own overwrite each other")
def groups_have_their_rules_in_one_place(stack: Stack) -> Iterator[Finding]:
    """No security group has rules inline: they would fight with those that are resources."""
    for r in stack.of(GROUP):
        for name in ("ingress", "egress"):
            if r.says(name):
                yield broken(r, name, "inline")


@rule("CreateSecurityGroup: GroupDescription, Amazon EC2 API Reference")
def descriptions_are_such_as_ec2_takes(stack: Stack) -> Iterator[Finding]:
    """Descriptions of groups and their rules have the characters that EC2 takes, and at most 255; a group has one."""
    for r in (*stack.of(GROUP), *stack.of(INGRESS), *stack.of(EGRESS)):
        said = r.get("description")
        if (said is None and r.type.endswith(":SecurityGroup")) or (
            isinstance(said, str) and not re.fullmatch(DESCRIPTION, said)
        ):
            yield broken(r, "description", f"{said!r}")


@rule("Create a VPC peering connection: another region, VPC Peering Guide")
def the_peering_is_accepted_where_it_leads(stack: Stack) -> Iterator[Finding]:
    """A peering between regions isn't accepted by itself, but by an accepter in the other region."""
    for r in stack.of("ec2/vpcPeeringConnection:VpcPeeringConnection"):
        if r.get("autoAccept"):
            yield broken(r, "autoAccept", "AWS refuses it between regions")
        accepters = [
            a
            for a in stack.of("ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter")
            if r.urn in a.property_dependencies.get("vpcPeeringConnectionId", ())
        ]
        if [a.region for a in accepters if a.get("autoAccept")] != [r.get("peerRegion")]:
            yield broken(r, "peerRegion", f"not accepted in {r.get('peerRegion')}")


@rule("Update your route tables for a VPC peering connection, VPC Peering Guide")
def packets_find_their_way_and_back(stack: Stack) -> Iterator[Finding]:
    """Each end of the peering has a route to the other's addresses, by a route table that its subnets use."""
    peerings = stack.of("ec2/vpcPeeringConnection:VpcPeeringConnection")
    ends = {r.region: r for p in peerings for name in ("vpcId", "peerVpcId") for r in stack.behind(p, name, VPC)}
    for region, vpc in ends.items():
        others = {other.get("cidrBlock") for where, other in ends.items() if where != region}
        reached = {r.get("destinationCidrBlock") for r in stack.of("ec2/route:Route", region)}
        if is_known(list(others)) and not others <= reached:
            yield broken(vpc, "", f"no route to {', '.join(sorted(map(str, others - reached)))}")


@rule("VPC peering: enable DNS resolution for a VPC peering connection, VPC Peering Guide")
def names_resolve_across_the_peering(stack: Stack) -> Iterator[Finding]:
    """Each side of the peering lets the other resolve its names to private addresses, set in its own region."""
    options = stack.of("ec2/peeringConnectionOptions:PeeringConnectionOptions")
    for peering in stack.of("ec2/vpcPeeringConnection:VpcPeeringConnection"):
        for side, region in (("requester", peering.region), ("accepter", peering.get("peerRegion"))):
            set_there = [r for r in options if r.region == region and isinstance(r.get(side), dict)]
            if not any(r.get(side).get("allowRemoteVpcDnsResolution") for r in set_there):
                yield broken(peering, side, f"not set in {region}")


@rule("Default security groups for your VPCs, VPC User Guide", level="advisory")
def the_default_group_is_empty(stack: Stack) -> Iterator[Finding]:
    """Every network's default security group has no rule: whatever names no group of its own gets that one."""
    locked = stack.of("ec2/defaultSecurityGroup:DefaultSecurityGroup")
    for vpc in stack.of(VPC):
        groups = [r for r in locked if vpc in stack.behind(r, "vpcId", VPC)]
        if not groups or any(as_list(g.get("ingress")) or as_list(g.get("egress")) for g in groups):
            yield broken(vpc, "", "its default security group has AWS's rules")


def _block(value: object) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(value) if isinstance(value, str) else None
    except ValueError:
        return None
