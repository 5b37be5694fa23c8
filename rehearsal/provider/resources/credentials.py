"""Random passwords, and Secrets Manager: secrets, their versions and replicas."""

from __future__ import annotations

import secrets
import string
from typing import Any

from rehearsal.provider.resources.convert import pascal, tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    HandlerError,
    Request,
    delete_nothing,
    not_held,
    own,
    provider_only,
    sent,
)

DEFAULT_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
"""The default of `overrideSpecial`. Source: registry page of random.RandomPassword."""


def _create_password(request: Request) -> Created:
    """Generate a password as the random provider does: `length` characters with a minimum of each class."""
    classes = {
        "Lower": (request.take("lower", True), string.ascii_lowercase),
        "Upper": (request.take("upper", True), string.ascii_uppercase),
        "Numeric": (request.take("numeric", True), string.digits),
        "Special": (request.take("special", True), request.take("overrideSpecial", DEFAULT_SPECIAL)),
    }
    length = request.take("length")
    allowed = "".join(characters for wanted, characters in classes.values() if wanted)
    chosen = [
        secrets.choice(characters)
        for name, (_, characters) in classes.items()
        for _ in range(request.take(f"min{name}", 0))
    ]
    if not allowed or length < max(1, len(chosen)):
        raise HandlerError(f"no password of {length} characters can hold the minimum of each class", property="length")
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
    replicas = [pascal(replica) for replica in request.take("replicas", [])]
    overwrite = request.take("forceOverwriteReplicaSecret", False)
    if replicas:
        client.replicate_secret_to_regions(
            SecretId=arn, AddReplicaRegions=replicas, ForceOverwriteReplicaSecret=overwrite
        )
    held = dict(client.describe_secret(SecretId=arn))
    held["Replicas"] = [_replica(request, arn, replica["Region"]) for replica in replicas]
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
    for status in client.describe_secret(SecretId=arn).get("ReplicationStatus", []):
        region = status["Region"]
        copy = request.client("secretsmanager", region).get_secret_value(SecretId=_replica_arn(arn, region))
        if copy["SecretString"] != value["SecretString"]:
            raise HandlerError(f"the replica in {region} does not have the new value", property="secretString")
    outputs = {"arn": arn, "versionId": version_id, "versionStages": value["VersionStages"]}
    held = {"SecretId": value["ARN"], "SecretString": value["SecretString"]}
    return Created(id=f"{arn}|{version_id}", outputs=outputs, held=held)


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
            **{name: own() for name in ("lower", "upper", "numeric", "special", "overrideSpecial")},
            **{name: own() for name in ("minLower", "minUpper", "minNumeric", "minSpecial")},
            "keepers": provider_only("a change of the keepers generates a new password"),
        },
    ),
    "aws:secretsmanager/secret:Secret": Handler(
        create=_create_secret,
        delete=_delete_secret,
        properties={
            "name": sent("Name"),
            "description": sent("Description"),
            "kmsKeyId": sent("KmsKeyId"),
            "replicas": own(held="Replicas", expected=pascal),
            "forceOverwriteReplicaSecret": own(),
            "recoveryWindowInDays": provider_only("DeleteSecret takes it, on destroy"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Handler(
        create=_create_secret_version,
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
