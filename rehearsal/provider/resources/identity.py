"""IAM: roles, inline policies, managed policies and their attachments."""

from __future__ import annotations

import json

from rehearsal.provider.resources.convert import tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    HandlerError,
    Request,
    delete_by_id,
    first_found,
    read_by_id,
    sent,
)
from rehearsal.provider.resources.tags import retag


def _create_role(request: Request) -> Created:
    iam = request.client("iam")
    name = request.inputs["name"]
    iam.create_role(**request.parameters())
    return _describe_role(request, name)


def _describe_role(request: Request, name: str) -> Created:
    iam = request.client("iam")
    held = dict(iam.get_role(RoleName=name)["Role"])
    held["Tags"] = iam.list_role_tags(RoleName=name)["Tags"]
    outputs = {"arn": held["Arn"], "uniqueId": held["RoleId"], "createDate": held["CreateDate"].isoformat()}
    return Created(id=name, outputs=outputs, held=held)


def _create_role_policy(request: Request) -> Created:
    iam = request.client("iam")
    iam.put_role_policy(**request.parameters())
    return _describe_role_policy(request, f"{request.inputs['role']}:{request.inputs['name']}")


def _describe_role_policy(request: Request, id: str) -> Created:
    role, _, name = id.partition(":")
    held = request.client("iam").get_role_policy(RoleName=role, PolicyName=name)
    return Created(id=id, outputs={}, held=held)


def _create_role_policy_attachment(request: Request) -> Created:
    iam = request.client("iam")
    iam.attach_role_policy(**request.parameters())
    return _describe_role_policy_attachment(request, f"{request.inputs['role']}/{request.inputs['policyArn']}")


def _describe_role_policy_attachment(request: Request, id: str) -> Created:
    role, _, policy_arn = id.partition("/")
    attached = request.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    found = first_found(each["PolicyArn"] for each in attached if each["PolicyArn"] == policy_arn)
    return Created(id=id, outputs={}, held={"RoleName": role, "PolicyArn": found})


def _create_policy(request: Request) -> Created:
    iam = request.client("iam")
    arn = iam.create_policy(**request.parameters())["Policy"]["Arn"]
    return _describe_policy(request, arn)


def _describe_policy(request: Request, arn: str) -> Created:
    iam = request.client("iam")
    held = dict(iam.get_policy(PolicyArn=arn)["Policy"])
    version = iam.get_policy_version(PolicyArn=arn, VersionId=held["DefaultVersionId"])
    held["PolicyDocument"] = version["PolicyVersion"]["Document"]
    held["Tags"] = iam.list_policy_tags(PolicyArn=arn)["Tags"]
    return Created(id=arn, outputs={"arn": arn, "policyId": held["PolicyId"], "attachmentCount": 0}, held=held)


def policy_document(text: str) -> str:
    """Return a policy unchanged. Raises HandlerError if it is not a JSON object with statements."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise HandlerError(f"the policy is not JSON: {error}") from error
    if not isinstance(document, dict) or not document.get("Statement"):
        raise HandlerError("the policy has no Statement")
    return text


def _delete_role_policy(request: DeleteRequest) -> None:
    request.client("iam").delete_role_policy(RoleName=request.inputs["role"], PolicyName=request.inputs["name"])


def _delete_role_policy_attachment(request: DeleteRequest) -> None:
    request.client("iam").detach_role_policy(RoleName=request.inputs["role"], PolicyArn=request.inputs["policyArn"])


HANDLERS = {
    "aws:iam/role:Role": Handler(
        create=_create_role,
        read=read_by_id(_describe_role),
        delete=delete_by_id("iam", "delete_role", "RoleName"),
        is_global=True,
        retag=retag("iam", "RoleName", by="id", tag="tag_role", untag="untag_role"),
        properties={
            "name": sent("RoleName"),
            "description": sent("Description"),
            "assumeRolePolicy": sent("AssumeRolePolicyDocument", convert=policy_document),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:iam/rolePolicy:RolePolicy": Handler(
        create=_create_role_policy,
        read=read_by_id(_describe_role_policy),
        update=_create_role_policy,
        delete=_delete_role_policy,
        is_global=True,
        properties={
            "name": sent("PolicyName"),
            "role": sent("RoleName"),
            "policy": sent("PolicyDocument", convert=policy_document),
        },
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Handler(
        create=_create_role_policy_attachment,
        read=read_by_id(_describe_role_policy_attachment),
        delete=_delete_role_policy_attachment,
        is_global=True,
        properties={"role": sent("RoleName"), "policyArn": sent("PolicyArn")},
    ),
    "aws:iam/policy:Policy": Handler(
        create=_create_policy,
        read=read_by_id(_describe_policy),
        delete=delete_by_id("iam", "delete_policy", "PolicyArn"),
        is_global=True,
        retag=retag("iam", "PolicyArn", by="id", tag="tag_policy", untag="untag_policy"),
        properties={
            "name": sent("PolicyName"),
            "description": sent("Description"),
            "policy": sent("PolicyDocument", convert=policy_document),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
}
