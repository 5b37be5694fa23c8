"""Rules on networks and security groups."""

import ipaddress
from collections.abc import Iterator

from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation, is_known

VPC, SUBNET, GROUP = "ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/securityGroup:SecurityGroup"
INGRESS, EGRESS = (
    f"vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule" for direction in ("Ingress", "Egress")
)
INTERNET_ACCESS_TYPES = ("Gateway", "Endpoint", "Eip", "Proxy", "LoadBalancer", "VpnConnection")


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
    """Every security group rule names one private source or destination, the protocol TCP and a valid port range."""
    ends = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
    for r in (*stack.of_type(INGRESS), *stack.of_type(EGRESS)):
        named = [name for name in ends if r.is_set(name)]
        if len(named) != 1:
            yield violation(r, "", f"The rule names {len(named)} sources or destinations. Name exactly one.")
        block = cidr_block(r.get("cidrIpv4"))
        if r.is_set("cidrIpv4") and is_known(r.get("cidrIpv4")) and (block is None or not block.is_private):
            yield violation(r, "cidrIpv4", f"{r.get('cidrIpv4')} is not a private range. Use a private range.")
        first, last = r.get("fromPort"), r.get("toPort")
        in_order = isinstance(first, int) and isinstance(last, int) and 0 <= first <= last <= 65535
        if r.get("ipProtocol") != "tcp" or (not in_order and is_known([first, last])):
            yield violation(
                r, "ipProtocol", f"{r.get('ipProtocol')} {first}-{last} is invalid. Use TCP and a port from 0 to 65535."
            )


def cidr_block(value: object) -> ipaddress.IPv4Network | None:
    """Return a CIDR range, or None if the value is none."""
    try:
        return ipaddress.IPv4Network(value) if isinstance(value, str) else None
    except ValueError:
        return None
