"""The topic of one region's alarms and notices, and its e-mail subscribers.

Each region publishes to its own topic, so a notice never depends on the other region.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.iam_policy import document
from components.region import Region


@dataclass(frozen=True, kw_only=True)
class NotificationsArgs:
    """The region, and the key that encrypts its topic."""

    region: Region
    key_arn: pulumi.Input[str]


class Notifications(pulumi.ComponentResource):
    """An encrypted topic and its subscribers."""

    topic_arn: pulumi.Output[str]
    """The topic's ARN."""

    def __init__(self, name: str, args: NotificationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:notifications:Notifications", name, None, opts)
        region = args.region
        topic = aws.sns.Topic(
            f"{name}-topic",
            name=region.name("failover"),
            display_name=region.name("failover"),
            kms_master_key_id=args.key_arn,
            tags=region.tags("failover"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.sns.TopicPolicy(
            f"{name}-publishers",
            arn=topic.arn,
            policy=document(
                [
                    {
                        "Sid": "AlarmsOfThisAccount",
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudwatch.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": topic.arn,
                        "Condition": {
                            "StringEquals": {"aws:SourceAccount": region.account_id},
                            "ArnLike": {"aws:SourceArn": region.arn("cloudwatch", "alarm:*")},
                        },
                    },
                    # No condition: SNS would drop EventBridge's notices without an error. Source: Using resource-based
                    # policies for EventBridge: "You can't use Condition blocks in Amazon SNS topic policies for
                    # EventBridge".
                    {
                        "Sid": "DatabaseEvents",
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": topic.arn,
                    },
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for email in region.stack.notifications.emails:
            aws.sns.TopicSubscription(
                f"{name}-{email}",
                topic=topic.arn,
                protocol="email",
                endpoint=email,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.topic_arn = topic.arn
        self.register_outputs({"topic_arn": self.topic_arn})
