"""Who may ask for a token with which to log in to the database.

Owns: the permission to connect as a database user, as a statement, and one managed policy a person.
Does not own: the database users themselves (`database_setup`); to whom a policy is given: that is done where people's roles
are kept.
Invariant: a policy opens one database user, in both clusters, whichever of them is the writer: who acted stays visible in the
audit log, and a failover takes nobody's access away.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.policy import Statement, document
from components.site import Region


@dataclass(frozen=True, kw_only=True)
class IamCluster:
    """A cluster as IAM names its database users."""

    region: str
    resource_id: pulumi.Input[str]


def connect_statement(sid: str, site: Region, clusters: Sequence[IamCluster], user: str) -> Statement:
    """Return the permission to log in as a user of these clusters.

    Source: Creating and using an IAM policy for IAM database access.
    """
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": "rds-db:connect",
        "Resource": [_database_user(site, cluster, user) for cluster in clusters],
    }


def _database_user(site: Region, cluster: IamCluster, user: str) -> pulumi.Output[str]:
    service = f":rds-db:{cluster.region}:"
    return pulumi.Output.concat(
        "arn:", site.partition, service, site.account_id, ":dbuser:", cluster.resource_id, f"/{user}"
    )


@dataclass(frozen=True, kw_only=True)
class DatabaseUsersArgs:
    """Who logs in with tokens, and where."""

    site: Region
    clusters: Sequence[IamCluster]
    iam_users: Collection[str]


class DatabaseUsers(pulumi.ComponentResource):
    """A managed policy for each person who logs in to the database."""

    policy_arns: dict[str, pulumi.Output[str]]
    """Person -> the policy to give to that person's role."""

    def __init__(self, name: str, args: DatabaseUsersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:database_users:DatabaseUsers", name, None, opts)
        site = args.site
        self.policy_arns = {
            user: aws.iam.Policy(
                f"{name}-{user}",
                name=site.name(f"database-{user}"),
                # Nothing that may change: AWS can't change a policy's description, and a second one can't have its name.
                description=f"Log in to {site.name('global')} as {user}",
                policy=document([connect_statement("LogIn", site, args.clusters, user)]),
                tags=site.tags(f"database-{user}"),
                opts=pulumi.ResourceOptions(parent=self),
            ).arn
            for user in sorted(args.iam_users)
        }
        self.register_outputs({"policy_arns": self.policy_arns})
