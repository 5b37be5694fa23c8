"""SNS: topics, their policies, and who is subscribed."""

from __future__ import annotations

from .convert import tag_list
from .handler import Created, Handler, Request, own, sent
from .identity import policy_document

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
    """Subscribe; an e-mail address stays "pending confirmation" until its owner answers, on AWS as here."""
    sns = request.client("sns")
    arn = sns.subscribe(ReturnSubscriptionArn=True, **request.parameters())["SubscriptionArn"]
    held = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    outputs = {"arn": arn, "ownerId": held["Owner"], "pendingConfirmation": held["PendingConfirmation"] == "true"}
    return Created(id=arn, outputs=outputs, held=held)


HANDLERS = {
    "aws:sns/topic:Topic": Handler(
        create=_create_topic,
        properties={
            "name": sent("Name"),
            "displayName": own(held="DisplayName"),
            "kmsMasterKeyId": own(held="KmsMasterKeyId"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:sns/topicPolicy:TopicPolicy": Handler(
        create=_create_topic_policy, properties={"arn": own(held="TopicArn"), "policy": own(held="Policy")}
    ),
    "aws:sns/topicSubscription:TopicSubscription": Handler(
        create=_create_subscription,
        properties={
            "topic": sent("TopicArn"),
            "protocol": sent("Protocol"),
            "endpoint": sent("Endpoint"),
        },
    ),
}
