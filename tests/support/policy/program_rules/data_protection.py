"""Rules on key policies, topic policies and tables that only a change of the program can break."""

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from policy.rules.keys_secrets_and_logs import GROUP, KEY, SECRET, TABLE, TOPIC, principal_of, statements
from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, Stack, Violation, as_list, is_known
from settings.types import LogRetentionDays


@rule("Encrypt log data in CloudWatch Logs using AWS KMS, CloudWatch Logs User Guide")
def kms_policies_allow_log_groups(stack: Stack) -> Iterator[Violation]:
    """A key policy lets CloudWatch Logs use the key for every log group that it encrypts."""
    for group in stack.of_type(GROUP):
        for key in stack.references(group, "kmsKeyId", KEY):
            policy = key.json("policy")
            if not is_known(policy) or not isinstance(group.get("name"), str):
                continue
            patterns = [
                str(pattern)
                for s in statements(policy)
                if principal_of(s).get("Service") == f"logs.{group.region}.amazonaws.com"
                for condition in (s.get("Condition") or {}).values()
                for pattern in as_list(condition.get("kms:EncryptionContext:aws:logs:arn"))
            ]
            if not any(fnmatch.fnmatch(f":log-group:{group.get('name')}", f"*{_tail(p)}") for p in patterns):
                yield violation(group, "kmsKeyId", "the key policy does not allow this log group")


@rule("Enable compatibility between event sources from AWS services and encrypted topics, Amazon SNS Developer Guide")
def kms_policies_allow_topic_publishers(stack: Stack) -> Iterator[Violation]:
    """Every service that may publish to an encrypted topic may use the topic's key."""
    policies = {
        t.urn: p for p in stack.of_type("sns/topicPolicy:TopicPolicy") for t in stack.references(p, "arn", TOPIC)
    }
    for topic in stack.of_type(TOPIC):
        for key in stack.references(topic, "kmsMasterKeyId", KEY):
            policy = policies.get(topic.urn)
            publishing, using = policy.json("policy") if policy else None, key.json("policy")
            if not is_known(publishing) or not is_known(using):
                continue
            may_use = {
                service
                for s in statements(using)
                if "kms:GenerateDataKey*" in as_list(s.get("Action"))
                for service in as_list(principal_of(s).get("Service"))
            }
            for s in statements(publishing):
                for service in as_list(principal_of(s).get("Service")):
                    if service not in may_use:
                        yield violation(topic, "kmsMasterKeyId", f"{service} may publish but not use the key")


@rule("CreateTable: AttributeDefinitions and KeySchema, Amazon DynamoDB API Reference")
def table_attributes_match_keys(stack: Stack) -> Iterator[Violation]:
    """A table declares exactly its key attributes with valid types, and its expiry attribute is not a key."""
    for r in stack.of_type(TABLE):
        declared = {a["name"]: a["type"] for a in as_list(r.get("attributes"))}
        keys = {r.get("hashKey"), r.get("rangeKey")} - {None}
        for index in (*as_list(r.get("globalSecondaryIndexes")), *as_list(r.get("localSecondaryIndexes"))):
            keys |= {index.get("hashKey"), index.get("rangeKey")} - {None}
        if set(declared) != keys or not set(declared.values()) <= {"S", "N", "B"}:
            yield violation(r, "attributes", f"{declared}, with keys {sorted(map(str, keys))}")
        ttl = r.get("ttl") or {}
        if ttl.get("enabled") and ttl.get("attributeName") in (None, *keys):
            yield violation(r, "ttl", f"{ttl.get('attributeName')}")


@rule("Using resource-based policies for EventBridge: no Condition in SNS topic policies, EventBridge User Guide")
def event_topics_allow_eventbridge(stack: Stack) -> Iterator[Violation]:
    """A topic that is an event target lets EventBridge publish without a condition."""
    policies = {
        t.urn: p for p in stack.of_type("sns/topicPolicy:TopicPolicy") for t in stack.references(p, "arn", TOPIC)
    }
    for target in stack.of_type("cloudwatch/eventTarget:EventTarget"):
        for topic in stack.references(target, "arn", TOPIC):
            policy = policies[topic.urn].json("policy") if topic.urn in policies else None
            if policy is UNKNOWN:
                continue
            of_events = [s for s in statements(policy) if "events.amazonaws.com" in _services(s)]
            if not of_events or any("Condition" in s for s in of_events):
                yield violation(topic, "policy", "EventBridge may not publish, or only under a condition")


@rule("Amazon SNS: allow CloudWatch alarms to publish; the confused deputy, Amazon SNS Developer Guide")
def alarm_topics_allow_cloudwatch(stack: Stack) -> Iterator[Violation]:
    """A topic that is an alarm action lets CloudWatch publish for this account only."""
    policies = {
        t.urn: p for p in stack.of_type("sns/topicPolicy:TopicPolicy") for t in stack.references(p, "arn", TOPIC)
    }
    notified = {
        t.urn: t
        for a in stack.of_type("cloudwatch/metricAlarm:MetricAlarm")
        for t in stack.references(a, "alarmActions", TOPIC)
    }
    for topic in notified.values():
        policy = policies[topic.urn].json("policy") if topic.urn in policies else None
        if policy is UNKNOWN:
            continue
        of_alarms = [s for s in statements(policy) if "cloudwatch.amazonaws.com" in _services(s)]
        if not of_alarms or any("aws:SourceAccount" not in json.dumps(s.get("Condition", {})) for s in of_alarms):
            yield violation(topic, "policy", "CloudWatch may not publish, or may publish for any account")


def _tail(pattern: str) -> str:
    """Return the part of a log group's ARN after account and region."""
    return f":log-group:{pattern.partition(':log-group:')[2]}"


def _services(statement: Mapping[str, Any]) -> list[Any]:
    return as_list(principal_of(statement).get("Service"))


@rule("DeleteSecret: RecoveryWindowInDays, AWS Secrets Manager API Reference")
def secret_recovery_windows_are_valid(stack: Stack) -> Iterator[Violation]:
    """A deleted secret is recoverable for 7 to 30 days, or not at all."""
    for r in stack.of_type(SECRET):
        days = r.inputs.get("recoveryWindowInDays")
        if days != 0 and (not isinstance(days, int) or not 7 <= days <= 30):
            yield violation(r, "recoveryWindowInDays", f"{days} days is out of range. Use 0 or 7 to 30 days.")


@rule("PutRetentionPolicy, Amazon CloudWatch Logs API Reference")
def log_retention_is_valid(stack: Stack) -> Iterator[Violation]:
    """Every log group has a retention period that CloudWatch Logs supports."""
    for r in stack.of_type(GROUP):
        if r.get("retentionInDays") not in get_args(LogRetentionDays):
            yield violation(
                r,
                "retentionInDays",
                f"{r.get('retentionInDays')} days is not supported. Use a period such as 30 or 90 days.",
            )


@rule("Subscribe: Protocol and Endpoint, Amazon SNS API Reference")
def email_subscriptions_are_valid(stack: Stack) -> Iterator[Violation]:
    """An e-mail subscription has a valid address."""
    for r in stack.of_type("sns/topicSubscription:TopicSubscription"):
        address = r.get("endpoint")
        if (
            r.get("protocol") == "email"
            and isinstance(address, str)
            and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address)
        ):
            yield violation(
                r, "endpoint", f"{address!r} is not an e-mail address. Use an address such as oncall@example.com."
            )
