"""SNS: topics, topic policies and subscriptions; SQS: queues."""

from __future__ import annotations

import json

from rehearsal.provider.resources.convert import tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    Request,
    delete_by_id,
    own,
    read_by_id,
    sent,
    unchanged,
)
from rehearsal.provider.resources.identity import policy_document
from rehearsal.provider.resources.tags import retag

_TOPIC_ATTRIBUTES = {"displayName": "DisplayName", "kmsMasterKeyId": "KmsMasterKeyId"}


def _create_topic(request: Request) -> Created:
    sns = request.client("sns")
    attributes = {
        attribute: request.take(name) for name, attribute in _TOPIC_ATTRIBUTES.items() if request.take(name) is not None
    }
    arn = sns.create_topic(Attributes=attributes, **request.parameters())["TopicArn"]
    return _describe_topic(request, arn)


def _describe_topic(request: Request, arn: str) -> Created:
    sns = request.client("sns")
    held = dict(sns.get_topic_attributes(TopicArn=arn)["Attributes"])
    held["Name"] = arn.rsplit(":", 1)[1]
    held["Tags"] = sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
    return Created(id=arn, outputs={"arn": arn, "owner": held["Owner"]}, held=held)


def _create_topic_policy(request: Request) -> Created:
    sns = request.client("sns")
    arn = request.take("arn")
    sns.set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=policy_document(request.take("policy"))
    )
    return _describe_topic_policy(request, arn)


def _describe_topic_policy(request: Request, arn: str) -> Created:
    held = request.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return Created(id=arn, outputs={"owner": held["Owner"]}, held=held)


def _create_subscription(request: Request) -> Created:
    """Subscribe the endpoint to the topic. An e-mail address stays "pending confirmation" until its owner confirms."""
    sns = request.client("sns")
    arn = sns.subscribe(ReturnSubscriptionArn=True, **request.parameters())["SubscriptionArn"]
    return _describe_subscription(request, arn)


def _describe_subscription(request: Request, arn: str) -> Created:
    sns = request.client("sns")
    held = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    outputs = {"arn": arn, "ownerId": held["Owner"], "pendingConfirmation": held["PendingConfirmation"] == "true"}
    return Created(id=arn, outputs=outputs, held=held)


def _delete_topic_policy(request: DeleteRequest) -> None:
    """Restore AWS's default policy, as the provider does: a topic always has a policy.

    Source: aws_sns_topic_policy in terraform-provider-aws (defaultTopicPolicy).
    """
    request.client("sns").set_topic_attributes(
        TopicArn=request.id,
        AttributeName="Policy",
        AttributeValue=json.dumps(
            {
                "Version": "2008-10-17",
                "Id": "__default_policy_ID",
                "Statement": [
                    {
                        "Sid": "__default_statement_ID",
                        "Effect": "Allow",
                        "Principal": {"AWS": "*"},
                        "Action": [f"SNS:{action}" for action in _DEFAULT_TOPIC_ACTIONS],
                        "Resource": request.id,
                        "Condition": {"StringEquals": {"AWS:SourceOwner": request.outputs["owner"]}},
                    }
                ],
            }
        ),
    )


_DEFAULT_TOPIC_ACTIONS = (
    *("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe"),
    *("ListSubscriptionsByTopic", "Publish"),
)


def _delete_subscription(request: DeleteRequest) -> None:
    """Unsubscribe a confirmed subscription. AWS rejects the call for a pending one, and deletes it by itself.

    Source: Unsubscribe, Amazon SNS API Reference; "Deleting an Amazon SNS subscription and topic".
    """
    sns = request.client("sns")
    if sns.get_subscription_attributes(SubscriptionArn=request.id)["Attributes"]["PendingConfirmation"] != "true":
        sns.unsubscribe(SubscriptionArn=request.id)


_QUEUE_ATTRIBUTES = {"messageRetentionSeconds": "MessageRetentionPeriod", "kmsMasterKeyId": "KmsMasterKeyId"}


def _create_queue(request: Request) -> Created:
    sqs = request.client("sqs")
    attributes = {
        attribute: str(request.take(name)) for name, attribute in _QUEUE_ATTRIBUTES.items() if name in request.inputs
    }
    url = sqs.create_queue(Attributes=attributes, **request.parameters())["QueueUrl"]
    return _describe_queue(request, url)


def _describe_queue(request: Request, url: str) -> Created:
    sqs = request.client("sqs")
    held = dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
    arn = held["QueueArn"]
    held["QueueName"] = arn.rsplit(":", 1)[1]
    held["tags"] = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    return Created(id=url, outputs={"arn": arn, "url": url}, held=held)


HANDLERS = {
    "aws:sqs/queue:Queue": Handler(
        create=_create_queue,
        read=read_by_id(_describe_queue),
        delete=delete_by_id("sqs", "delete_queue", "QueueUrl"),
        retag=retag("sqs", "QueueUrl", by="id", tag="tag_queue", untag="untag_queue", convert=unchanged),
        properties={
            "name": sent("QueueName"),
            "messageRetentionSeconds": own(held="MessageRetentionPeriod", expected=str),
            "kmsMasterKeyId": own(held="KmsMasterKeyId"),
            "tags": sent("tags"),
        },
    ),
    "aws:sns/topic:Topic": Handler(
        create=_create_topic,
        read=read_by_id(_describe_topic),
        delete=delete_by_id("sns", "delete_topic", "TopicArn"),
        retag=retag("sns", "ResourceArn"),
        properties={
            "name": sent("Name"),
            "displayName": own(held="DisplayName"),
            "kmsMasterKeyId": own(held="KmsMasterKeyId"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:sns/topicPolicy:TopicPolicy": Handler(
        create=_create_topic_policy,
        read=read_by_id(_describe_topic_policy),
        update=_create_topic_policy,
        delete=_delete_topic_policy,
        properties={"arn": own(held="TopicArn"), "policy": own(held="Policy")},
    ),
    "aws:sns/topicSubscription:TopicSubscription": Handler(
        create=_create_subscription,
        read=read_by_id(_describe_subscription),
        delete=_delete_subscription,
        properties={
            "topic": sent("TopicArn"),
            "protocol": sent("Protocol"),
            "endpoint": sent("Endpoint"),
        },
    ),
}
