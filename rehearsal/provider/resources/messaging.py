"""SNS: topics, topic policies and subscriptions."""

from __future__ import annotations

import json

from rehearsal.provider.resources.convert import tag_list
from rehearsal.provider.resources.handler import Created, DeleteRequest, Handler, Request, delete_by_id, own, sent
from rehearsal.provider.resources.identity import policy_document

_TOPIC_ATTRIBUTES = {"displayName": "DisplayName", "kmsMasterKeyId": "KmsMasterKeyId"}


def _create_topic(request: Request) -> Created:
    sns = request.client("sns")
    attributes = {
        attribute: request.take(name) for name, attribute in _TOPIC_ATTRIBUTES.items() if request.take(name) is not None
    }
    arn = sns.create_topic(Attributes=attributes, **request.parameters())["TopicArn"]
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
    held = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    return Created(id=arn, outputs={"owner": held["Owner"]}, held=held)


def _create_subscription(request: Request) -> Created:
    """Subscribe the endpoint to the topic. An e-mail address stays "pending confirmation" until its owner confirms."""
    sns = request.client("sns")
    arn = sns.subscribe(ReturnSubscriptionArn=True, **request.parameters())["SubscriptionArn"]
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
    """Unsubscribe, if the subscription is confirmed. AWS rejects the call before and deletes such a subscription itself.

    Source: Unsubscribe, Amazon SNS API Reference; "Deleting an Amazon SNS subscription and topic".
    """
    sns = request.client("sns")
    if sns.get_subscription_attributes(SubscriptionArn=request.id)["Attributes"]["PendingConfirmation"] != "true":
        sns.unsubscribe(SubscriptionArn=request.id)


HANDLERS = {
    "aws:sns/topic:Topic": Handler(
        create=_create_topic,
        delete=delete_by_id("sns", "delete_topic", "TopicArn"),
        properties={
            "name": sent("Name"),
            "displayName": own(held="DisplayName"),
            "kmsMasterKeyId": own(held="KmsMasterKeyId"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:sns/topicPolicy:TopicPolicy": Handler(
        create=_create_topic_policy,
        update=_create_topic_policy,
        delete=_delete_topic_policy,
        properties={"arn": own(held="TopicArn"), "policy": own(held="Policy")},
    ),
    "aws:sns/topicSubscription:TopicSubscription": Handler(
        create=_create_subscription,
        delete=_delete_subscription,
        properties={
            "topic": sent("TopicArn"),
            "protocol": sent("Protocol"),
            "endpoint": sent("Endpoint"),
        },
    ),
}
