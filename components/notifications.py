"""Where people hear of alarms and of changes of roles.

Owns: a region's topic, who may publish to it, and its subscribers. Does not own: what is published (`monitoring`, the
controller).
Invariant: a region tells of itself through its own topic: no notice crosses into a region that may be gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.policy import document
from components.site import Region


@dataclass(frozen=True, kw_only=True)
class NotificationsArgs:
    """Who hears of it."""

    site: Region
    key_arn: pulumi.Input[str]
    emails: Sequence[str]


class Notifications(pulumi.ComponentResource):
    """An encrypted topic and its subscribers."""

    topic_arn: pulumi.Output[str]
    """The topic's ARN."""

    def __init__(self, name: str, args: NotificationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:notifications:Notifications", name, None, opts)
        site = args.site
        topic = aws.sns.Topic(
            f"{name}-topic",
            name=site.name("failover"),
            display_name=site.name("failover"),
            kms_master_key_id=args.key_arn,
            tags=site.tags("failover"),
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
                            "StringEquals": {"aws:SourceAccount": site.account_id},
                            "ArnLike": {"aws:SourceArn": site.arn("cloudwatch", "alarm:*")},
                        },
                    },
                    # No condition: with one, EventBridge's notices are dropped in silence. Source: Using resource-based
                    # policies for EventBridge: "You can't use Condition blocks in Amazon SNS topic policies for
                    # EventBridge".
                    {
                        "Sid": "EventsOfTheDatabase",
                        "Effect": "Allow",
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": topic.arn,
                    },
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for email in args.emails:
            aws.sns.TopicSubscription(
                f"{name}-{email}",
                topic=topic.arn,
                protocol="email",
                endpoint=email,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.topic_arn = topic.arn
        self.register_outputs({"topic_arn": self.topic_arn})
