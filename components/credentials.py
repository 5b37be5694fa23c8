"""The master user's generated password, its secret, and the secret's replica in the other region.

A deployment ignores a password that was rotated in Secrets Manager and in the database.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from components.foundation import Foundation
from components.iam_policy import Statement, document
from components.region import Region

FIRST_VERSION = "FIRST"
"""The label that the first version keeps after rotations."""


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """The secret's region and key, and those of its replica."""

    region: Region
    key_arn: pulumi.Input[str]
    peer_region: str
    peer_key_arn: pulumi.Input[str]

    @classmethod
    def of(cls, foundation: Foundation, *, peer: Foundation) -> "CredentialsArgs":
        """Return the arguments for a secret in one region and a replica in its peer."""
        return cls(
            region=foundation.region,
            key_arn=foundation.key_arn,
            peer_region=peer.region.code,
            peer_key_arn=peer.key_arn,
        )


class Credentials(pulumi.ComponentResource):
    """The master user's generated password, kept in both regions."""

    password: pulumi.Output[str]
    """The password, a secret."""
    secret_arn: pulumi.Output[str]
    """The secret in this region."""
    peer_secret_arn: pulumi.Output[str]
    """The replica in the peer region."""

    def __init__(self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:credentials:Credentials", name, None, opts)
        region = args.region
        password = random.RandomPassword(
            f"{name}-password",
            length=32,
            min_lower=1,
            min_upper=1,
            min_numeric=1,
            min_special=1,
            # RDS refuses " @ / and spaces; \ and quotes break connection strings. Source: Quotas and naming constraints,
            # Aurora.
            override_special="!#$%&*()-_=+[]{}<>:?",
            opts=pulumi.ResourceOptions(parent=self, protect=region.is_production),
        )
        secret = aws.secretsmanager.Secret(
            f"{name}-secret",
            name=region.name("master"),
            description=f"The master user of {region.name('global')}",
            kms_key_id=args.key_arn,
            # Zero frees the name at once, for a test stack that is deployed again; production can restore the secret for
            # a month.
            recovery_window_in_days=30 if region.is_production else 0,
            policy=document(_denials(region)),
            force_overwrite_replica_secret=not region.is_production,
            replicas=[aws.secretsmanager.SecretReplicaArgs(region=args.peer_region, kms_key_id=args.peer_key_arn)],
            tags=region.tags("master"),
            opts=pulumi.ResourceOptions(parent=self, protect=region.is_production),
        )
        aws.secretsmanager.SecretVersion(
            f"{name}-value",
            secret_id=secret.id,
            secret_string=pulumi.Output.json_dumps(
                {"engine": "mysql", "username": region.stack.database.master_username, "password": password.result}
            ),
            # AWS removes versions without a label, as this one would be after the second rotation; the next deployment would
            # then restore the first password. Source: PutSecretValue, DescribeSecret.
            version_stages=["AWSCURRENT", FIRST_VERSION],
            # A deployment must neither restore an old password nor move the label of the current one.
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["secretString", "versionStages"], protect=region.is_production
            ),
        )
        self.password = pulumi.Output.secret(password.result)
        self.secret_arn = secret.arn
        # A replica has its secret's name and random suffix. Source: Replicate AWS Secrets Manager secrets across Regions.
        self.peer_secret_arn = secret.arn.apply(lambda arn: arn.replace(f":{region.code}:", f":{args.peer_region}:"))
        self.register_outputs({"secret_arn": self.secret_arn, "peer_secret_arn": self.peer_secret_arn})


def _denials(region: Region) -> list[Statement]:
    """Return the statements of the secret's policy, which AWS copies to the replica.

    A denial outweighs every permission, so no later statement admits another account. Source: Policy evaluation logic, IAM
    User Guide; Replicate AWS Secrets Manager secrets across Regions.
    """
    of_this_account: Statement = {
        "Sid": "ThisAccountOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:*",
        "Resource": "*",
        "Condition": {
            "StringNotEquals": {"aws:PrincipalAccount": region.account_id},
            "Bool": {"aws:PrincipalIsAWSService": "false"},
        },
    }
    readers = region.stack.database.master_password_readers
    # Only reading is denied: a policy that denies everything could lock out those who must change it.
    of_readers: Statement = {
        "Sid": "ReadersOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": list(readers)}},
    }
    return [of_this_account, *([of_readers] if readers else [])]
