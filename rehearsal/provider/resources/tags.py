"""Changes of a resource's tags. Every service has the same two calls, under other names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rehearsal.provider.resources.convert import tag_list
from rehearsal.provider.resources.handler import Request, Retag


def retag(
    service: str,
    parameter: str,
    *,
    by: str = "arn",
    tag: str = "tag_resource",
    untag: str = "untag_resource",
    tags: str = "Tags",
    keys: str = "TagKeys",
    convert: Callable[[Any], Any] = tag_list,
) -> Retag:
    """Return a function that changes tags with the operations `tag` and `untag` of a service.

    `parameter` identifies the resource in both calls. Its value is the output `by`, or the resource's id if `by` is "id".
    `tags` and `keys` are the parameters of the tags to set and of the keys to remove.
    """

    def change(request: Request, changed: Mapping[str, str], removed: Sequence[str]) -> None:
        client = request.client(service)
        resource = {parameter: request.id if by == "id" else request.outputs[by]}
        if removed:
            getattr(client, untag)(**resource, **{keys: removed})
        if changed:
            getattr(client, tag)(**resource, **{tags: convert(changed)})

    return change


def retag_ec2(request: Request, changed: Mapping[str, str], removed: Sequence[str]) -> None:
    """Change the tags of an EC2 resource. Source: CreateTags and DeleteTags, Amazon EC2 API Reference."""
    ec2 = request.client("ec2")
    if removed:
        ec2.delete_tags(Resources=[request.id], Tags=[{"Key": key} for key in removed])
    if changed:
        ec2.create_tags(Resources=[request.id], Tags=tag_list(changed))


def retag_route53(resource_type: str) -> Retag:
    """Return a function that changes the tags of a Route 53 resource.

    Source: ChangeTagsForResource, Amazon Route 53 API Reference.
    """

    def change(request: Request, changed: Mapping[str, str], removed: Sequence[str]) -> None:
        # Route 53 refuses an empty list.
        changes = {"AddTags": tag_list(changed)} if changed else {}
        changes |= {"RemoveTagKeys": list(removed)} if removed else {}
        request.client("route53").change_tags_for_resource(ResourceType=resource_type, ResourceId=request.id, **changes)

    return change
