"""The permission to log in to the database with an IAM token, and a managed policy for each person.

A policy admits one database user to both clusters: the audit log shows who acted, and access survives a failover.
Attaching a policy to a person's role is left to the owner of the roles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.iam_policy import Statement, document
from components.region import Region
from components.regional_cluster import RegionalCluster


def connect_statement(sid: str, region: Region, clusters: Sequence[RegionalCluster], user: str) -> Statement:
    """Return the permission to log in to these clusters as a database user.

    Source: Creating and using an IAM policy for IAM database access.
    """
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": "rds-db:connect",
        "Resource": [_user_arn(region, cluster, user) for cluster in clusters],
    }


def _user_arn(region: Region, cluster: RegionalCluster, user: str) -> pulumi.Output[str]:
    service = f":rds-db:{cluster.region.code}:"
    return pulumi.Output.concat(
        "arn:", region.partition, service, region.account_id, ":dbuser:", cluster.resource_id, f"/{user}"
    )


@dataclass(frozen=True, kw_only=True)
class DatabaseUsersArgs:
    """The region of the policies, and the clusters to which they admit."""

    region: Region
    clusters: Sequence[RegionalCluster]


class DatabaseUsers(pulumi.ComponentResource):
    """A managed IAM policy for each person in `database.iam_users`."""

    policy_arns: dict[str, pulumi.Output[str]]
    """The policies to attach to the users' roles, by database user."""

    def __init__(self, name: str, args: DatabaseUsersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:database_users:DatabaseUsers", name, None, opts)
        region = args.region
        self.policy_arns = {
            user: aws.iam.Policy(
                f"{name}-{user}",
                name=region.name(f"database-{user}"),
                # A constant: IAM cannot change a description, and a replacement would need another name.
                description=f"Log in to {region.name('global')} as {user}",
                policy=document([connect_statement("LogIn", region, args.clusters, user)]),
                tags=region.tags(f"database-{user}"),
                opts=pulumi.ResourceOptions(parent=self),
            ).arn
            for user in sorted(region.stack.database.iam_users)
        }
        self.register_outputs({"policy_arns": self.policy_arns})
