"""Random passwords, and Secrets Manager: secrets, their versions and replicas."""

from __future__ import annotations

import secrets
import string
from typing import Any

from rehearsal.provider.resources.convert import pascal, tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    GoneError,
    Handler,
    HandlerError,
    Request,
    delete_nothing,
    not_held,
    own,
    provider_only,
    read_by_id,
    sent,
)
from rehearsal.provider.resources.tags import retag


def _create_password(request: Request) -> Created:
    """Generate a password as the random provider does: `length` characters with a minimum of each class."""
    classes = {
        "Lower": string.ascii_lowercase,
        "Upper": string.ascii_uppercase,
        "Numeric": string.digits,
        "Special": request.take("overrideSpecial", ""),
    }
    length = request.take("length")
    allowed = "".join(classes.values())
    chosen = [
        secrets.choice(characters) for name, characters in classes.items() for _ in range(request.take(f"min{name}", 0))
    ]
    if length < max(1, len(chosen)):
        raise HandlerError(
            f"a password of {length} characters is too short for the minimum of each character class", property="length"
        )
    chosen += [secrets.choice(allowed) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return Created(id="none", outputs={"result": "".join(chosen)}, secret_outputs=frozenset({"result"}))


def _create_secret(request: Request) -> Created:
    """Create a secret and its replicas.

    ministack accepts and drops `AddReplicaRegions` of CreateSecret. ReplicateSecretToRegions does the same on AWS and
    works in ministack, so the handler calls it and reads each replica back in its region.
    """
    client = request.client("secretsmanager")
    arn = client.create_secret(**request.parameters())["ARN"]
    _replicate(request, arn)
    policy = request.take("policy")
    if policy:
        client.put_resource_policy(SecretId=arn, ResourcePolicy=policy)
    return _describe_secret(request, arn)


def _replicate(request: Request, arn: str) -> None:
    replicas = [pascal(replica) for replica in request.take("replicas", [])]
    overwrite = request.take("forceOverwriteReplicaSecret", False)
    if replicas:
        request.client("secretsmanager").replicate_secret_to_regions(
            SecretId=arn, AddReplicaRegions=replicas, ForceOverwriteReplicaSecret=overwrite
        )


def _update_secret(request: Request) -> Created:
    """Set or delete the resource policy, and create the replicas that an interrupted creation lacks.

    Source: DeleteResourcePolicy, AWS Secrets Manager API Reference.
    """
    client = request.client("secretsmanager")
    if "replicas" in request.changed:
        _replicate(request, request.id)
    if "policy" in request.changed:
        policy = request.take("policy")
        if policy:
            client.put_resource_policy(SecretId=request.id, ResourcePolicy=policy)
        else:
            client.delete_resource_policy(SecretId=request.id)
    return _describe_secret(request, request.id)


def _describe_secret(request: Request, arn: str) -> Created:
    client = request.client("secretsmanager")
    held = dict(client.describe_secret(SecretId=arn))
    if held.get("DeletedDate"):
        raise GoneError
    held["ResourcePolicy"] = client.get_resource_policy(SecretId=arn).get("ResourcePolicy")
    held["Replicas"] = [_replica(request, arn, each["Region"]) for each in held.get("ReplicationStatus", [])]
    outputs: dict[str, Any] = {"arn": arn, "name": held["Name"]}
    return Created(id=arn, outputs=outputs, held=held)


def _replica_arn(arn: str, region: str) -> str:
    """Return the ARN of a replica: the primary secret's ARN, with the replica's region.

    Source: "Replicate AWS Secrets Manager secrets across Regions".
    """
    parts = arn.split(":")
    parts[3] = region
    return ":".join(parts)


def _replica(request: Request, arn: str, region: str) -> dict[str, Any]:
    described = request.client("secretsmanager", region).describe_secret(SecretId=_replica_arn(arn, region))
    return {"Region": region, "KmsKeyId": described.get("KmsKeyId")}


def _create_secret_version(request: Request) -> Created:
    """Store the secret's value, and check that every replica region returns that value."""
    client = request.client("secretsmanager")
    parameters = request.parameters()
    arn = parameters["SecretId"]
    version_id = client.put_secret_value(**parameters)["VersionId"]
    value = client.get_secret_value(SecretId=arn)
    _check_replicas(request, client, arn, value)
    return _describe_secret_version(f"{arn}|{version_id}", value)


def _read_secret_version(request: Request) -> Created:
    """Describe the current version: a rotation makes another one current."""
    arn, _, _ = request.id.partition("|")
    return _describe_secret_version(request.id, request.client("secretsmanager").get_secret_value(SecretId=arn))


def _check_replicas(request: Request, client: Any, arn: str, value: dict[str, Any]) -> None:
    for status in client.describe_secret(SecretId=arn).get("ReplicationStatus", []):
        region = status["Region"]
        copy = request.client("secretsmanager", region).get_secret_value(SecretId=_replica_arn(arn, region))
        if copy["SecretString"] != value["SecretString"]:
            raise HandlerError(f"the replica in {region} does not have the new value", property="secretString")


def _describe_secret_version(id: str, value: dict[str, Any]) -> Created:
    arn, _, version_id = id.partition("|")
    outputs = {"arn": arn, "versionId": version_id, "versionStages": value["VersionStages"]}
    held = {"SecretId": value["ARN"], "SecretString": value["SecretString"]}
    return Created(id=id, outputs=outputs, held=held)


def _delete_secret(request: DeleteRequest) -> None:
    """Delete the replicas, then the secret, after its recovery window if it has one.

    AWS does not delete a primary secret with replicas. Source: "DeleteSecret"; aws_secretsmanager_secret in
    terraform-provider-aws.
    """
    client = request.client("secretsmanager")
    replicas = [replica["region"] for replica in request.inputs.get("replicas", [])]
    if replicas:
        client.remove_regions_from_replication(SecretId=request.id, RemoveReplicaRegions=replicas)
    window_days = request.inputs.get("recoveryWindowInDays", 30)
    how = {"RecoveryWindowInDays": window_days} if window_days else {"ForceDeleteWithoutRecovery": True}
    client.delete_secret(SecretId=request.id, **how)


HANDLERS = {
    "random:index/randomPassword:RandomPassword": Handler(
        create=_create_password,
        # The password exists only in the state.
        delete=delete_nothing,
        is_global=True,
        properties={
            "length": own(),
            **{name: own() for name in ("minLower", "minUpper", "minNumeric", "minSpecial", "overrideSpecial")},
        },
    ),
    "aws:secretsmanager/secret:Secret": Handler(
        create=_create_secret,
        update=_update_secret,
        read=read_by_id(_describe_secret),
        delete=_delete_secret,
        retag=retag("secretsmanager", "SecretId"),
        properties={
            "name": sent("Name"),
            "description": sent("Description"),
            "kmsKeyId": sent("KmsKeyId"),
            "replicas": own(held="Replicas", expected=pascal),
            "policy": own(held="ResourcePolicy"),
            "forceOverwriteReplicaSecret": own(),
            "recoveryWindowInDays": provider_only("DeleteSecret takes it, on destroy"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Handler(
        create=_create_secret_version,
        read=_read_secret_version,
        # AWS deletes the current version only with its secret. Source: UpdateSecretVersionStage.
        delete=delete_nothing,
        properties={
            "secretId": sent("SecretId"),
            "secretString": sent("SecretString"),
            "versionStages": not_held(
                "VersionStages", "ministack 1.5.33 drops the other labels of a version that becomes the current one"
            ),
        },
    ),
}
