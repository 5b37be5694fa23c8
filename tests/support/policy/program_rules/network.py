"""Rules on VPCs, peering and security groups that only a change of the program can break."""

import itertools
import re
from collections.abc import Iterator

from policy.rules.network import EGRESS, GROUP, INGRESS, SUBNET, VPC, cidr_block
from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, Stack, Violation, as_list, is_known

DESCRIPTION = r"[\w .\-:/()#,@\[\]+=&;{}!$*]{0,255}"


@rule("Considerations when creating a private hosted zone: DNS support and host names, Route 53 Developer Guide")
def vpcs_enable_dns(stack: Stack) -> Iterator[Violation]:
    """Every VPC enables DNS support and DNS host names, which the private zone requires."""
    for r in stack.of_type(VPC):
        for name in ("enableDnsSupport", "enableDnsHostnames"):
            if r.get(name) is not True:
                yield violation(r, name, "off")


@rule("Update your security groups to reference peer security groups: same region only, VPC Peering Guide")
def security_group_references_are_regional(stack: Stack) -> Iterator[Violation]:
    """A security group rule references only groups of its own region."""
    for r in (*stack.of_type(INGRESS), *stack.of_type(EGRESS)):
        for other in stack.references(r, "referencedSecurityGroupId", GROUP):
            if other.region != r.region:
                yield violation(r, "referencedSecurityGroupId", f"{other.name} is in {other.region}")


@rule("aws_security_group, Terraform provider: inline rules and rules of their own overwrite each other")
def security_group_rules_are_standalone(stack: Stack) -> Iterator[Violation]:
    """No security group has inline rules, which conflict with rules that are resources."""
    for r in stack.of_type(GROUP):
        for name in ("ingress", "egress"):
            if r.is_set(name):
                yield violation(r, name, "inline rules")


@rule("CreateSecurityGroup: GroupDescription, Amazon EC2 API Reference")
def descriptions_match_ec2_constraints(stack: Stack) -> Iterator[Violation]:
    """Descriptions of security groups and their rules have valid characters and at most 255 of them; a group has a description."""
    for r in (*stack.of_type(GROUP), *stack.of_type(INGRESS), *stack.of_type(EGRESS)):
        said = r.get("description")
        if (said is None and r.type.endswith(":SecurityGroup")) or (
            isinstance(said, str) and not re.fullmatch(DESCRIPTION, said)
        ):
            yield violation(r, "description", f"{said!r}")


@rule("Create a VPC peering connection: another region, VPC Peering Guide")
def peering_is_accepted_by_peer(stack: Stack) -> Iterator[Violation]:
    """A peering between regions is accepted by an accepter in the other region."""
    for r in stack.of_type("ec2/vpcPeeringConnection:VpcPeeringConnection"):
        if r.get("autoAccept"):
            yield violation(r, "autoAccept", "AWS refuses automatic acceptance between regions")
        accepters = [
            a
            for a in stack.of_type("ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter")
            if r.urn in a.property_dependencies.get("vpcPeeringConnectionId", ())
        ]
        if [a.region for a in accepters if a.get("autoAccept")] != [r.get("peerRegion")]:
            yield violation(r, "peerRegion", f"not accepted in {r.get('peerRegion')}")


@rule("VPC peering: enable DNS resolution for a VPC peering connection, VPC Peering Guide")
def peering_resolves_private_dns(stack: Stack) -> Iterator[Violation]:
    """Each side of the peering resolves the other side's names to private addresses."""
    options = stack.of_type("ec2/peeringConnectionOptions:PeeringConnectionOptions")
    for peering in stack.of_type("ec2/vpcPeeringConnection:VpcPeeringConnection"):
        for side, region in (("requester", peering.region), ("accepter", peering.get("peerRegion"))):
            set_there = [r for r in options if r.region == region and isinstance(r.get(side), dict)]
            if not any(r.get(side).get("allowRemoteVpcDnsResolution") for r in set_there):
                yield violation(peering, side, f"not set in {region}")


@rule("Default security groups for your VPCs, VPC User Guide", level="advisory")
def default_security_groups_are_empty(stack: Stack) -> Iterator[Violation]:
    """The default security group of every VPC has no rules."""
    locked = stack.of_type("ec2/defaultSecurityGroup:DefaultSecurityGroup")
    for vpc in stack.of_type(VPC):
        groups = [r for r in locked if vpc in stack.references(r, "vpcId", VPC)]
        if not groups or any(as_list(g.get("ingress")) or as_list(g.get("egress")) for g in groups):
            yield violation(vpc, "", "the VPC's default security group has rules")


@rule("EC2.21, AWS Security Hub controls: no access from 0.0.0.0/0 to ports 22 and 3389", level="advisory")
def default_network_acls_are_limited(stack: Stack) -> Iterator[Violation]:
    """The default network ACL of every VPC admits no address of the whole internet."""
    limited = stack.of_type("ec2/defaultNetworkAcl:DefaultNetworkAcl")
    for vpc in stack.of_type(VPC):
        acls = [r for r in limited if vpc in stack.references(r, "defaultNetworkAclId", VPC)]
        rules = [each for acl in acls for each in (*as_list(acl.get("ingress")), *as_list(acl.get("egress")))]
        if not rules or any(str(each.get("cidrBlock")).endswith("/0") for each in rules):
            yield violation(vpc, "", "the VPC's default network ACL admits every address")


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
