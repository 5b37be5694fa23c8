"""Rules on VPCs, peering and security groups that only a change of the program can break."""

import re
from collections.abc import Iterator

from policy.rules.network import EGRESS, GROUP, INGRESS, VPC
from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation, as_list

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
