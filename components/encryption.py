"""A region's encryption key.

Owns: the key, its alias, and who may use it: the account (through IAM), CloudWatch Logs for this stack's log groups,
and the services that publish to the encrypted topic. Does not own: what is encrypted with it.
Invariant: one key a region, rotated; nothing in a region depends on a key of another.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.policy import Statement, document
from components.site import Region


@dataclass(frozen=True, kw_only=True)
class EncryptionKeyArgs:
    """Where the key is."""

    site: Region


class EncryptionKey(pulumi.ComponentResource):
    """The customer-managed key of one region."""

    key_arn: pulumi.Output[str]
    """The key's ARN."""

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:encryption:EncryptionKey", name, None, opts)
        site = args.site
        key = aws.kms.Key(
            f"{name}-key",
            description=f"{site.name('database')}: storage, secrets, logs, notices and failover state",
            enable_key_rotation=True,
            rotation_period_in_days=365,
            # A key that is gone takes the data with it: a month to change one's mind, and in a test stack the least AWS
            # allows.
            deletion_window_in_days=30 if site.is_production else 7,
            policy=document(_statements(site)),
            tags=site.tags("database"),
            opts=pulumi.ResourceOptions(parent=self, protect=site.is_production),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{site.name('database')}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.key_arn = key.arn
        self.register_outputs({"key_arn": self.key_arn})


def _statements(site: Region) -> list[Statement]:
    log_groups = [f"/aws/lambda/{site.name('*')}", f"/aws/rds/cluster/{site.cluster_id}/*"]
    return [
        {
            "Sid": "AccountDecidesThroughIam",
            "Effect": "Allow",
            "Principal": {"AWS": pulumi.Output.concat("arn:", site.partition, ":iam::", site.account_id, ":root")},
            "Action": "kms:*",
            "Resource": "*",
        },
        # Source: Encrypt log data in CloudWatch Logs using AWS KMS.
        {
            "Sid": "LogsOfThisStack",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{site.region}.amazonaws.com"},
            "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            "Resource": "*",
            "Condition": {
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": [
                        site.arn("logs", f"log-group:{group}") for group in log_groups
                    ]
                }
            },
        },
        # No condition: EventBridge gives no source account here, and a notice that can't be encrypted is lost without a
        # trace. The topic's policy says who may publish. Source: Enable compatibility between event sources from AWS
        # services and encrypted topics (SNS).
        {
            "Sid": "AlarmsAndEventsToTheEncryptedTopic",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
        },
    ]
