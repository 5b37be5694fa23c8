"""DynamoDB: the tables that hold the controller's state."""

from __future__ import annotations

from typing import Any

from rehearsal.provider.resources.convert import pascal, tag_list
from rehearsal.provider.resources.handler import Created, DeleteRequest, Handler, Request, own, sent, wait_until

ACTIVE_TIMEOUT_SECONDS = 60.0


def _attributes(attributes: list[dict[str, str]]) -> list[dict[str, str]]:
    names = {"name": "AttributeName", "type": "AttributeType"}
    return [{names.get(key, key): value for key, value in each.items()} for each in attributes]


def _encryption(encryption: dict[str, Any]) -> dict[str, Any]:
    names = {"enabled": "Enabled", "kmsKeyArn": "KMSMasterKeyId"}
    specification = {names.get(key, key): value for key, value in encryption.items()}
    return {**specification, "SSEType": "KMS"} if "KMSMasterKeyId" in specification else specification


def _encryption_held(encryption: dict[str, Any]) -> dict[str, Any]:
    held: dict[str, Any] = {"Status": "ENABLED" if encryption.get("enabled") else "DISABLED"}
    return {**held, "KMSMasterKeyArn": encryption["kmsKeyArn"]} if "kmsKeyArn" in encryption else held


def _create_table(request: Request) -> Created:
    dynamodb = request.client("dynamodb")
    name = request.inputs["name"]
    keys = [{"AttributeName": request.take("hashKey"), "KeyType": "HASH"}]
    if request.take("rangeKey"):
        keys.append({"AttributeName": request.take("rangeKey"), "KeyType": "RANGE"})
    dynamodb.create_table(KeySchema=keys, **request.parameters())

    def description() -> Any:
        return dynamodb.describe_table(TableName=name)["Table"]

    wait_until(
        lambda: description()["TableStatus"] == "ACTIVE",
        timeout_seconds=ACTIVE_TIMEOUT_SECONDS,
        what=f"table {name} is active",
    )
    if request.take("ttl"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=pascal(request.take("ttl")))
    recovery = request.take("pointInTimeRecovery")
    if recovery:
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification=_recovery_specification(recovery)
        )
    held = _held(dynamodb, name, description())
    return Created(id=name, outputs={"arn": held["TableArn"]}, held=held)


def _recovery_specification(recovery: dict[str, Any]) -> dict[str, Any]:
    names = {"enabled": "PointInTimeRecoveryEnabled", "recoveryPeriodInDays": "RecoveryPeriodInDays"}
    return {names.get(key, key): value for key, value in recovery.items()}


def _held(dynamodb: Any, name: str, table: dict[str, Any]) -> dict[str, Any]:
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    return {
        **table,
        "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        **{key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]},
        "Ttl": {"AttributeName": ttl.get("AttributeName"), "Enabled": ttl["TimeToLiveStatus"] == "ENABLED"},
        "PointInTimeRecovery": {
            "PointInTimeRecoveryEnabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
            "RecoveryPeriodInDays": recovery.get("RecoveryPeriodInDays"),
        },
        "Tags": dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
    }


def _delete_table(request: DeleteRequest) -> None:
    dynamodb = request.client("dynamodb")
    dynamodb.delete_table(TableName=request.id)
    dynamodb.get_waiter("table_not_exists").wait(TableName=request.id, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


HANDLERS = {
    "aws:dynamodb/table:Table": Handler(
        create=_create_table,
        delete=_delete_table,
        properties={
            "name": sent("TableName"),
            "billingMode": sent("BillingMode"),
            "hashKey": own(held="HASH"),
            "rangeKey": own(held="RANGE"),
            "attributes": sent("AttributeDefinitions", convert=_attributes),
            "ttl": own(held="Ttl", expected=pascal),
            "pointInTimeRecovery": own(held="PointInTimeRecovery", expected=_recovery_specification),
            "serverSideEncryption": sent(
                "SSESpecification", convert=_encryption, held="SSEDescription", expected=_encryption_held
            ),
            "deletionProtectionEnabled": sent("DeletionProtectionEnabled"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
}
