"""The customer-managed encryption key of one region; no resource depends on a key of another region."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.iam_policy import Statement, document
from components.region import Region


@dataclass(frozen=True, kw_only=True)
class EncryptionKeyArgs:
    """The region of the key."""

    region: Region


class EncryptionKey(pulumi.ComponentResource):
    """The customer-managed key of one region, its alias and its policy."""

    key_arn: pulumi.Output[str]
    """The key's ARN."""

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:encryption:EncryptionKey", name, None, opts)
        region = args.region
        key = aws.kms.Key(
            f"{name}-key",
            description=f"{region.name('database')}: storage, secrets, logs, notices and failover state",
            enable_key_rotation=True,
            rotation_period_in_days=365,
            # The data is lost with the key: production can cancel the deletion for a month; 7 days are the minimum.
            deletion_window_in_days=30 if region.is_production else 7,
            policy=document(_statements(region)),
            tags=region.tags("database"),
            opts=pulumi.ResourceOptions(parent=self, protect=region.is_production),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{region.name('database')}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.key_arn = key.arn
        self.register_outputs({"key_arn": self.key_arn})


def _statements(region: Region) -> list[Statement]:
    log_groups = [
        f"/aws/lambda/{region.name('*')}",
        f"/aws/rds/cluster/{region.cluster_id}/*",
        f"/aws/vpc/{region.name('flow-logs')}",
    ]
    return [
        {
            "Sid": "AccountThroughIam",
            "Effect": "Allow",
            "Principal": {"AWS": pulumi.Output.concat("arn:", region.partition, ":iam::", region.account_id, ":root")},
            "Action": "kms:*",
            "Resource": "*",
        },
        # Source: Encrypt log data in CloudWatch Logs using AWS KMS.
        {
            "Sid": "LogGroupsOfThisStack",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{region.code}.amazonaws.com"},
            "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            "Resource": "*",
            "Condition": {
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": [
                        region.arn("logs", f"log-group:{group}") for group in log_groups
                    ]
                }
            },
        },
        # No condition: EventBridge sends no source account here, and drops a notice that it cannot encrypt without an
        # error. The topic's policy limits who may publish. Source: Enable compatibility between event sources from AWS
        # services and encrypted topics (SNS).
        {
            "Sid": "AlarmsAndEventsToEncryptedTopic",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
        },
    ]
