"""KMS: keys and their aliases."""

from __future__ import annotations

from rehearsal.provider.resources.convert import kms_tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    GoneError,
    Handler,
    Request,
    delete_by_id,
    own,
    provider_only,
    read_by_id,
    sent,
)
from rehearsal.provider.resources.tags import retag


def _create_key(request: Request) -> Created:
    return _set_rotation(request, request.client("kms").create_key(**request.parameters())["KeyMetadata"]["KeyId"])


def _update_key(request: Request) -> Created:
    """Set the rotation that a creation which was interrupted after its first call lacks."""
    return _set_rotation(request, request.id)


def _set_rotation(request: Request, key_id: str) -> Created:
    period_days = request.take("rotationPeriodInDays")
    if request.take("enableKeyRotation"):
        period = {"RotationPeriodInDays": period_days} if period_days else {}
        request.client("kms").enable_key_rotation(KeyId=key_id, **period)
    return _describe_key(request, key_id)


def _describe_key(request: Request, key_id: str) -> Created:
    kms = request.client("kms")
    held = dict(kms.describe_key(KeyId=key_id)["KeyMetadata"])
    if held["KeyState"] == "PendingDeletion":
        raise GoneError
    rotation = kms.get_key_rotation_status(KeyId=key_id)
    held["KeyRotationEnabled"] = rotation["KeyRotationEnabled"]
    held["RotationPeriodInDays"] = rotation.get("RotationPeriodInDays")
    held["Policy"] = kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"]
    held["Tags"] = kms.list_resource_tags(KeyId=key_id)["Tags"]
    return Created(id=key_id, outputs={"arn": held["Arn"], "keyId": key_id}, held=held)


def _create_alias(request: Request) -> Created:
    kms = request.client("kms")
    kms.create_alias(**request.parameters())
    return _describe_alias(request, request.inputs["name"])


def _describe_alias(request: Request, name: str) -> Created:
    kms = request.client("kms")
    target = kms.describe_key(KeyId=name)["KeyMetadata"]
    # The program may give the key id or the key ARN.
    given = request.inputs.get("targetKeyId")
    held = {"AliasName": name, "TargetKeyId": given if given in (target["KeyId"], target["Arn"]) else target["KeyId"]}
    outputs = {"arn": request.arn("kms", name), "targetKeyArn": target["Arn"]}
    return Created(id=name, outputs=outputs, held=held)


def _delete_key(request: DeleteRequest) -> None:
    """Schedule the deletion after the waiting period. Source: ScheduleKeyDeletion, AWS KMS API Reference."""
    window_days = request.inputs.get("deletionWindowInDays", 30)
    request.client("kms").schedule_key_deletion(KeyId=request.id, PendingWindowInDays=window_days)


HANDLERS = {
    "aws:kms/key:Key": Handler(
        create=_create_key,
        read=read_by_id(_describe_key),
        update=_update_key,
        delete=_delete_key,
        retag=retag("kms", "KeyId", by="id", convert=kms_tag_list),
        properties={
            "description": sent("Description"),
            "policy": sent("Policy"),
            "enableKeyRotation": own(held="KeyRotationEnabled"),
            "rotationPeriodInDays": own(held="RotationPeriodInDays"),
            "deletionWindowInDays": provider_only("a parameter of ScheduleKeyDeletion, on destroy"),
            "tags": sent("Tags", convert=kms_tag_list),
        },
    ),
    "aws:kms/alias:Alias": Handler(
        create=_create_alias,
        read=read_by_id(_describe_alias),
        delete=delete_by_id("kms", "delete_alias", "AliasName"),
        properties={"name": sent("AliasName"), "targetKeyId": sent("TargetKeyId")},
    ),
}
