"""Rules on providers, regions, names and tags that only a change of the program can break."""

from collections.abc import Iterator, Mapping

from policy.rules.placement import GLOBAL, NAMES, named_resources
from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, Stack, Violation, strings_in

MAY_CROSS_REGIONS: Mapping[str, str] = {
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions vpcPeeringConnectionId": "the peering has two sides",
    "aws:ec2/route:Route vpcPeeringConnectionId": "the peering has two sides",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection peerVpcId": "the other side of the peering",
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter vpcPeeringConnectionId": "the other side",
    "aws:lambda/function:Function environment": "the controller knows both members",
    "aws:secretsmanager/secret:Secret replicas": "a replica is encrypted by its own region's key",
}
"""Inputs that may reference another region, and why."""
NAMED_BY_AWS = ("cloudwatch/logGroup:LogGroup",)
"""Types whose names AWS defines from another resource's name."""


@rule("Multi-region support: the `region` argument, Pulumi AWS provider 7")
def resource_regions_match_providers(stack: Stack) -> Iterator[Violation]:
    """No resource sets a region other than its provider's region."""
    for r in stack.aws_resources:
        if r.get("region") not in (None, UNKNOWN, r.region) and not r.type.startswith(GLOBAL):
            yield violation(r, "region", f"{r.get('region')} differs from the provider's region {r.region}")


@rule("Regions and Zones, AWS General Reference: a regional resource can use only what is in its region")
def inputs_come_from_same_region(stack: Stack) -> Iterator[Violation]:
    """A resource references only resources in its own region, except through the inputs in MAY_CROSS_REGIONS."""
    by_urn = {r.urn: r for r in stack.aws_resources}
    for r in stack.aws_resources:
        if r.type.startswith(GLOBAL):
            continue
        for name, urns in r.property_dependencies.items():
            if f"{r.type} {name}" in MAY_CROSS_REGIONS:
                continue
            for source in (by_urn[urn] for urn in urns if urn in by_urn):
                if source.region != r.region and not source.type.startswith(GLOBAL):
                    yield violation(r, name, f"comes from {source} in {source.region}")


@rule("Outputs and strings, Pulumi documentation: an output in an f-string becomes an error text")
def outputs_are_not_stringified(stack: Stack) -> Iterator[Violation]:
    """No input holds the error text that Pulumi returns for an output in an f-string."""
    for r in stack.resources:
        for name, value in r.inputs.items():
            if any("Calling __str__ on an Output" in text for text in strings_in(value)):
                yield violation(r, name, "an Output was formatted as a string; use Output.concat or Output.json_dumps")


@rule("The decision that two stacks share an account, components/region.py")
def names_end_with_environment(stack: Stack) -> Iterator[Violation]:
    """Every name ends with the environment, so two stacks can share an account."""
    for r, name in named_resources(stack):
        kind = r.type.removeprefix("aws:")
        if kind not in NAMED_BY_AWS and not name.endswith(f"-{stack.environment}"):
            yield violation(r, NAMES[kind].property, f"{name!r} does not end with -{stack.environment}")


@rule("Tagging best practices, AWS whitepaper: the Name tag is what the console shows", level="advisory")
def tagged_resources_have_names(stack: Stack) -> Iterator[Violation]:
    """Every resource with its own tags has a Name tag."""
    for r in stack.aws_resources:
        tags = r.get("tags")
        if isinstance(tags, Mapping) and "Name" not in tags:
            yield violation(r, "tags", "no Name tag")


@rule("Component resources, Pulumi documentation", level="advisory")
def resources_have_component_parents(stack: Stack) -> Iterator[Violation]:
    """Every AWS resource is a child of a component."""
    components = {r.urn for r in stack.resources if r.type.startswith("aurora:")}
    for r in stack.aws_resources:
        if r.parent not in components:
            yield violation(r, "parent", "the parent is not a component")
