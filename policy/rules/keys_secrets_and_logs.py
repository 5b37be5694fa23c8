"""Rules on keys, secrets, the table, log groups and topics."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, Stack, Violation, as_list

KEY, SECRET, TABLE = "kms/key:Key", "secretsmanager/secret:Secret", "dynamodb/table:Table"
GROUP, TOPIC, QUEUE = "cloudwatch/logGroup:LogGroup", "sns/topic:Topic", "sqs/queue:Queue"
FUNCTION = "lambda/function:Function"


@rule("Rotating AWS KMS keys; ScheduleKeyDeletion, AWS KMS Developer Guide and API Reference")
def kms_keys_rotate_and_are_recoverable(stack: Stack) -> Iterator[Violation]:
    """Every key rotates every 90 to 2560 days and has a deletion window of 7 to 30 days."""
    for r in stack.of_type(KEY):
        days, window = r.get("rotationPeriodInDays"), r.get("deletionWindowInDays")
        if r.get("enableKeyRotation") is not True or (days is not None and not 90 <= days <= 2560):
            yield violation(
                r,
                "enableKeyRotation",
                f"Rotation is off or every {days} days. Rotate every 90 to 2560 days.",
            )
        if not isinstance(window, int) or not 7 <= window <= 30:
            yield violation(r, "deletionWindowInDays", f"{window} days is out of range. Use 7 to 30 days.")


@rule("Key policies: the account keeps control, AWS KMS Developer Guide")
def kms_policies_retain_account_control(stack: Stack) -> Iterator[Violation]:
    """Every key policy gives the account full control."""
    for r in stack.of_type(KEY):
        policy = r.json("policy")
        if policy is UNKNOWN:
            continue
        for_root = [
            s
            for s in statements(policy)
            if s.get("Effect") == "Allow"
            and str(principal_of(s).get("AWS", "")).endswith(":root")
            and "kms:*" in as_list(s.get("Action"))
        ]
        if not for_root:
            yield violation(r, "policy", "The account cannot change the key policy. Allow kms:* to the account root.")


@rule("The decision of one customer-managed key a region, components/encryption.py")
def stored_data_uses_managed_keys(stack: Stack) -> Iterator[Violation]:
    """Secrets, log groups, topics, queues, the table and the functions' variables have a key of this stack in their region."""
    holding = {
        SECRET: "kmsKeyId",
        GROUP: "kmsKeyId",
        TOPIC: "kmsMasterKeyId",
        QUEUE: "kmsMasterKeyId",
        TABLE: "serverSideEncryption",
        FUNCTION: "kmsKeyArn",
    }
    for kind, name in holding.items():
        for r in stack.of_type(kind):
            keys = stack.references(r, name, KEY)
            if {key.region for key in keys} != {r.region}:
                yield violation(
                    r, name, "The resource has no key of this stack and region. Use the regional customer-managed key."
                )


@rule("Replicate AWS Secrets Manager secrets across Regions, Secrets Manager User Guide")
def secrets_are_replicated(stack: Stack) -> Iterator[Violation]:
    """A secret has a replica in every other region of the stack, encrypted with that region's key."""
    regions = {p.get("region") for p in stack.providers}
    for r in stack.of_type(SECRET):
        replicas = as_list(r.get("replicas"))
        if {each.get("region") for each in replicas} != regions - {r.region}:
            yield violation(
                r,
                "replicas",
                "A replica is missing or in the secret's own region. Replicate to the other region.",
            )
        if any(each.get("kmsKeyId") is None for each in replicas):
            yield violation(r, "replicas", "A replica uses the AWS managed key. Use the regional customer-managed key.")


@rule("The decision that no password is stored in plain text, components/credentials.py")
def secrets_are_not_plain_text(stack: Stack) -> Iterator[Violation]:
    """Inputs with the password are Pulumi secrets, and no function environment contains a password."""
    for kind, name in (
        ("secretsmanager/secretVersion:SecretVersion", "secretString"),
        ("lambda/invocation:Invocation", "input"),
    ):
        for r in stack.of_type(kind):
            if any(each.secret_inputs for each in stack.resources) and name not in r.secret_inputs:
                yield violation(r, name, "The state stores the value in plain text. Use a Pulumi secret.")
    for r in stack.of_type(FUNCTION):
        variables = (r.get("environment") or {}).get("variables")
        for name in variables if isinstance(variables, Mapping) else ():
            if re.search(r"PASSWORD|SECRET(?!_ARN)", name):
                yield violation(
                    r, f"environment.{name}", "A function environment is readable. Pass the secret's ARN instead."
                )


@rule("Point-in-time backups for DynamoDB, Amazon DynamoDB Developer Guide")
def audit_table_is_recoverable(stack: Stack) -> Iterator[Violation]:
    """The table with the history has point-in-time recovery and encryption."""
    for r in stack.of_type(TABLE):
        if not (r.get("pointInTimeRecovery") or {}).get("enabled"):
            yield violation(r, "pointInTimeRecovery", "Point-in-time recovery is off. Enable it.")
        if not (r.get("serverSideEncryption") or {}).get("enabled"):
            yield violation(r, "serverSideEncryption", "Server-side encryption is off. Enable it.")


def statements(policy: Any) -> list[Mapping[str, Any]]:
    """Return the statements of a policy document."""
    return as_list(policy.get("Statement")) if isinstance(policy, Mapping) else []


def principal_of(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the principals of a statement by their kind."""
    principal = statement.get("Principal")
    return principal if isinstance(principal, Mapping) else {}
