"""What holds for what is kept and told: keys, secrets, the table, logs, topics."""

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.rules.rule import broken, rule
from policy.rules.stack_model import UNKNOWN, Finding, Stack, as_list, is_known

KEY, SECRET, TABLE = "kms/key:Key", "secretsmanager/secret:Secret", "dynamodb/table:Table"
GROUP, TOPIC = "cloudwatch/logGroup:LogGroup", "sns/topic:Topic"
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)


@rule("Rotating AWS KMS keys; ScheduleKeyDeletion, AWS KMS Developer Guide and API Reference")
def keys_rotate_and_can_be_called_back(stack: Stack) -> Iterator[Finding]:
    """Every key rotates, each 90 to 2560 days, and is deleted only after 7 to 30 days."""
    for r in stack.of(KEY):
        days, window = r.get("rotationPeriodInDays"), r.get("deletionWindowInDays")
        if r.get("enableKeyRotation") is not True or (days is not None and not 90 <= days <= 2560):
            yield broken(r, "enableKeyRotation", f"{r.get('enableKeyRotation')}, {days} days")
        if not isinstance(window, int) or not 7 <= window <= 30:
            yield broken(r, "deletionWindowInDays", f"{window} days")


@rule("Key policies: the account keeps control, AWS KMS Developer Guide")
def keys_obey_their_account(stack: Stack) -> Iterator[Finding]:
    """Every key's policy leaves the account in control; without that nobody could change it any more."""
    for r in stack.of(KEY):
        policy = r.json("policy")
        if policy is UNKNOWN:
            continue
        for_root = [
            s
            for s in _statements(policy)
            if s.get("Effect") == "Allow"
            and str(_principal(s).get("AWS", "")).endswith(":root")
            and "kms:*" in as_list(s.get("Action"))
        ]
        if not for_root:
            yield broken(r, "policy", "nobody could change it any more")


@rule("Encrypt log data in CloudWatch Logs using AWS KMS, CloudWatch Logs User Guide")
def keys_let_their_log_groups_encrypt(stack: Stack) -> Iterator[Finding]:
    """A key's policy lets CloudWatch Logs of its region use it for every group that it encrypts, by the group's ARN."""
    for group in stack.of(GROUP):
        for key in stack.behind(group, "kmsKeyId", KEY):
            policy = key.json("policy")
            if not is_known(policy) or not isinstance(group.get("name"), str):
                continue
            patterns = [
                str(pattern)
                for s in _statements(policy)
                if _principal(s).get("Service") == f"logs.{group.region}.amazonaws.com"
                for condition in (s.get("Condition") or {}).values()
                for pattern in as_list(condition.get("kms:EncryptionContext:aws:logs:arn"))
            ]
            if not any(fnmatch.fnmatch(f":log-group:{group.get('name')}", f"*{_tail(p)}") for p in patterns):
                yield broken(group, "kmsKeyId", "the key's policy doesn't let this group encrypt")


@rule("Enable compatibility between event sources from AWS services and encrypted topics, Amazon SNS Developer Guide")
def keys_let_publishers_of_their_topics_encrypt(stack: Stack) -> Iterator[Finding]:
    """Who may publish to an encrypted topic may use its key; otherwise its notices are lost in silence."""
    policies = {t.urn: p for p in stack.of("sns/topicPolicy:TopicPolicy") for t in stack.behind(p, "arn", TOPIC)}
    for topic in stack.of(TOPIC):
        for key in stack.behind(topic, "kmsMasterKeyId", KEY):
            policy = policies.get(topic.urn)
            publishing, using = policy.json("policy") if policy else None, key.json("policy")
            if not is_known(publishing) or not is_known(using):
                continue
            may_use = {
                service
                for s in _statements(using)
                if "kms:GenerateDataKey*" in as_list(s.get("Action"))
                for service in as_list(_principal(s).get("Service"))
            }
            for s in _statements(publishing):
                for service in as_list(_principal(s).get("Service")):
                    if service not in may_use:
                        yield broken(topic, "kmsMasterKeyId", f"{service} may publish, but not encrypt")


@rule("The decision of one customer-managed key a region, components/encryption.py")
def what_is_kept_is_encrypted_by_our_key(stack: Stack) -> Iterator[Finding]:
    """Secrets, log groups, topics and the table are encrypted by a key of this stack, in their own region."""
    holding = {SECRET: "kmsKeyId", GROUP: "kmsKeyId", TOPIC: "kmsMasterKeyId", TABLE: "serverSideEncryption"}
    for kind, name in holding.items():
        for r in stack.of(kind):
            keys = stack.behind(r, name, KEY)
            if {key.region for key in keys} != {r.region}:
                yield broken(r, name, "no key of ours in its region")


@rule("Replicate AWS Secrets Manager secrets across Regions, Secrets Manager User Guide")
def secrets_are_kept_in_the_other_region_too(stack: Stack) -> Iterator[Finding]:
    """A secret has a replica in every other region of the stack, under that region's key, none in its own."""
    regions = {p.get("region") for p in stack.providers}
    for r in stack.of(SECRET):
        replicas = as_list(r.get("replicas"))
        if {each.get("region") for each in replicas} != regions - {r.region}:
            yield broken(r, "replicas", f"{[each.get('region') for each in replicas]}")
        if any(each.get("kmsKeyId") is None for each in replicas):
            yield broken(r, "replicas", "AWS's key instead of the region's own")


@rule("DeleteSecret: RecoveryWindowInDays, AWS Secrets Manager API Reference")
def secrets_can_be_called_back_for_a_time_that_aws_has(stack: Stack) -> Iterator[Finding]:
    """A deleted secret can be called back for 7 to 30 days, or not at all."""
    for r in stack.of(SECRET):
        days = r.inputs.get("recoveryWindowInDays")
        if days != 0 and (not isinstance(days, int) or not 7 <= days <= 30):
            yield broken(r, "recoveryWindowInDays", f"{days} days")


@rule("Point 6 of the mission: no password in plain sight")
def secrets_stay_secret(stack: Stack) -> Iterator[Finding]:
    """Inputs that hold the password are secrets of the engine, too; the password is in nothing that isn't."""
    for kind, name in (
        ("secretsmanager/secretVersion:SecretVersion", "secretString"),
        ("lambda/invocation:Invocation", "input"),
    ):
        for r in stack.of(kind):
            if any(each.secret_inputs for each in stack.resources) and name not in r.secret_inputs:
                yield broken(r, name, "in plain sight in the state")
    for r in stack.of("lambda/function:Function"):
        variables = (r.get("environment") or {}).get("variables")
        for name in variables if isinstance(variables, Mapping) else ():
            if re.search(r"PASSWORD|SECRET(?!_ARN)", name):
                yield broken(r, f"environment.{name}", "a function's environment is no place for it")


@rule("CreateTable: AttributeDefinitions and KeySchema, Amazon DynamoDB API Reference")
def tables_declare_their_keys_and_nothing_else(stack: Stack) -> Iterator[Finding]:
    """A table declares exactly the attributes of its keys, as text, number or bytes; its expiry isn't one of them."""
    for r in stack.of(TABLE):
        declared = {a["name"]: a["type"] for a in as_list(r.get("attributes"))}
        keys = {r.get("hashKey"), r.get("rangeKey")} - {None}
        for index in (*as_list(r.get("globalSecondaryIndexes")), *as_list(r.get("localSecondaryIndexes"))):
            keys |= {index.get("hashKey"), index.get("rangeKey")} - {None}
        if set(declared) != keys or not set(declared.values()) <= {"S", "N", "B"}:
            yield broken(r, "attributes", f"{declared}, with keys {sorted(map(str, keys))}")
        ttl = r.get("ttl") or {}
        if ttl.get("enabled") and ttl.get("attributeName") in (None, *keys):
            yield broken(r, "ttl", f"{ttl.get('attributeName')}")


@rule("Point-in-time backups for DynamoDB, Amazon DynamoDB Developer Guide")
def the_audit_trail_can_be_restored(stack: Stack) -> Iterator[Finding]:
    """The table, which holds the history, is backed up continuously and encrypted."""
    for r in stack.of(TABLE):
        if not (r.get("pointInTimeRecovery") or {}).get("enabled"):
            yield broken(r, "pointInTimeRecovery", "off")
        if not (r.get("serverSideEncryption") or {}).get("enabled"):
            yield broken(r, "serverSideEncryption", "off")


@rule("PutRetentionPolicy, Amazon CloudWatch Logs API Reference")
def logs_are_kept_for_a_time_that_aws_has(stack: Stack) -> Iterator[Finding]:
    """Every log group is kept for one of the periods that CloudWatch Logs has, and not for ever."""
    for r in stack.of(GROUP):
        if r.get("retentionInDays") not in RETENTION_DAYS:
            yield broken(r, "retentionInDays", f"{r.get('retentionInDays')} days")


@rule("Using resource-based policies for EventBridge: no Condition in SNS topic policies, EventBridge User Guide")
def events_reach_their_topic(stack: Stack) -> Iterator[Finding]:
    """A topic behind an event rule lets EventBridge publish, without any condition: with one, events are dropped."""
    policies = {t.urn: p for p in stack.of("sns/topicPolicy:TopicPolicy") for t in stack.behind(p, "arn", TOPIC)}
    for target in stack.of("cloudwatch/eventTarget:EventTarget"):
        for topic in stack.behind(target, "arn", TOPIC):
            policy = policies[topic.urn].json("policy") if topic.urn in policies else None
            if policy is UNKNOWN:
                continue
            of_events = [s for s in _statements(policy) if "events.amazonaws.com" in _services(s)]
            if not of_events or any("Condition" in s for s in of_events):
                yield broken(topic, "policy", "EventBridge may not publish, or under a condition")


@rule("Amazon SNS: allow CloudWatch alarms to publish; the confused deputy, Amazon SNS Developer Guide")
def alarms_reach_their_topic(stack: Stack) -> Iterator[Finding]:
    """A topic that alarms publish to lets CloudWatch publish, for this account alone."""
    policies = {t.urn: p for p in stack.of("sns/topicPolicy:TopicPolicy") for t in stack.behind(p, "arn", TOPIC)}
    called = {
        t.urn: t for a in stack.of("cloudwatch/metricAlarm:MetricAlarm") for t in stack.behind(a, "alarmActions", TOPIC)
    }
    for topic in called.values():
        policy = policies[topic.urn].json("policy") if topic.urn in policies else None
        if policy is UNKNOWN:
            continue
        of_alarms = [s for s in _statements(policy) if "cloudwatch.amazonaws.com" in _services(s)]
        if not of_alarms or any("aws:SourceAccount" not in json.dumps(s.get("Condition", {})) for s in of_alarms):
            yield broken(topic, "policy", "CloudWatch may not publish, or on anybody's behalf")


@rule("Subscribe: Protocol and Endpoint, Amazon SNS API Reference")
def subscribers_can_be_reached(stack: Stack) -> Iterator[Finding]:
    """A subscription by e-mail has an address."""
    for r in stack.of("sns/topicSubscription:TopicSubscription"):
        address = r.get("endpoint")
        if (
            r.get("protocol") == "email"
            and isinstance(address, str)
            and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address)
        ):
            yield broken(r, "endpoint", f"{address!r}")


def _statements(policy: Any) -> list[Mapping[str, Any]]:
    return as_list(policy.get("Statement")) if isinstance(policy, Mapping) else []


def _services(statement: Mapping[str, Any]) -> list[Any]:
    return as_list(_principal(statement).get("Service"))


def _principal(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    principal = statement.get("Principal")
    return principal if isinstance(principal, Mapping) else {}


def _tail(pattern: str) -> str:
    """Return the part of a log group's ARN that doesn't depend on account and region."""
    return f":log-group:{pattern.partition(':log-group:')[2]}"
