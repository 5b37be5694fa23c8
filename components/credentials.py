"""The master user's password.

Owns: the password, the secret that holds it, and the secret's replica in the other region, under that region's key.
Does not own: the database users of the functions (`database_setup`).
Invariant: the password is generated; it has no default, stands in no output and no log. Who rotates it in Secrets
Manager and in the database (docs: rotation) isn't fought: neither is changed back.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from components.json_text import json_text
from components.site import Region

FIRST_VERSION = "FIRST"
"""The label of the version that the program made, whatever comes after it."""


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """Whose password it is, and where it is kept."""

    site: Region
    key_arn: pulumi.Input[str]
    peer_region: str
    peer_key_arn: pulumi.Input[str]
    username: str


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
        site = args.site
        password = random.RandomPassword(
            f"{name}-password",
            length=32,
            min_lower=1,
            min_upper=1,
            min_numeric=1,
            min_special=1,
            # RDS takes none of " @ / and spaces; \ and quotes break connection strings. Source: Quotas and naming
            # constraints, Aurora.
            override_special="!#$%&*()-_=+[]{}<>:?",
            opts=pulumi.ResourceOptions(parent=self, protect=site.is_production),
        )
        secret = aws.secretsmanager.Secret(
            f"{name}-secret",
            name=site.name("master"),
            description=f"The master user of {site.name('global')}",
            kms_key_id=args.key_arn,
            # A test stack that is destroyed and deployed again must find its name free; in production a deletion can be
            # undone for a month.
            recovery_window_in_days=30 if site.is_production else 0,
            force_overwrite_replica_secret=not site.is_production,
            replicas=[aws.secretsmanager.SecretReplicaArgs(region=args.peer_region, kms_key_id=args.peer_key_arn)],
            tags=site.tags("master"),
            opts=pulumi.ResourceOptions(parent=self, protect=site.is_production),
        )
        aws.secretsmanager.SecretVersion(
            f"{name}-value",
            secret_id=secret.id,
            secret_string=json_text({"engine": "mysql", "username": args.username, "password": password.result}),
            # A version without a label may be removed by AWS, and this one would be after the second rotation: a refresh would
            # miss it, and the next deployment would put the first password back. Source: PutSecretValue, DescribeSecret.
            version_stages=["AWSCURRENT", FIRST_VERSION],
            # A rotated password must not be rotated back by the next deployment, nor the label of the current one moved.
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["secretString", "versionStages"], protect=site.is_production
            ),
        )
        self.password = pulumi.Output.secret(password.result)
        self.secret_arn = secret.arn
        # A replica has the name and the random suffix of its secret. Source: Replicate AWS Secrets Manager secrets
        # across Regions.
        self.peer_secret_arn = secret.arn.apply(lambda arn: arn.replace(f":{site.region}:", f":{args.peer_region}:"))
        self.register_outputs({"secret_arn": self.secret_arn, "peer_secret_arn": self.peer_secret_arn})
