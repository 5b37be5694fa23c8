"""The function that creates the database users, the heartbeat table and its event, and the function's invocation.

The first invocation uses the master password, which no environment variable contains. It creates a user for the function
itself, which logs in by IAM from then on, so the program needs no password after a rotation.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.database_users import connect_statement
from components.foundation import Foundation
from components.health_check import DATABASE_USER, HEARTBEAT_DATABASE
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, VpcAccess
from components.lambda_package import lambda_package
from components.region import Region
from components.regional_cluster import MasterUser, RegionalCluster

OWN_USER = "database_setup"
VERSION = "4"
"""Increment this when functions/database_setup changes the users, rights, tables or events that it creates."""


@dataclass(frozen=True, kw_only=True)
class DatabaseSetupArgs:
    """The clusters to set up, the user of the first log-in, and the function's network."""

    region: Region
    vpc: VpcAccess
    key_arn: pulumi.Input[str]
    clusters: Sequence[RegionalCluster]
    """The first cluster is the writer at the first deployment."""
    master: MasterUser
    created_after: Sequence[pulumi.Resource]
    """The writer's instances, and the rules that admit the function."""

    @classmethod
    def of(cls, foundation: Foundation, clusters: Sequence[RegionalCluster], master: MasterUser) -> "DatabaseSetupArgs":
        """Return the arguments for a function in the region of the first cluster."""
        return cls(
            region=foundation.region,
            vpc=foundation.vpc_access,
            key_arn=foundation.key_arn,
            clusters=clusters,
            master=master,
            created_after=[*clusters[0].instances, *foundation.network.database_rules],
        )


class DatabaseSetup(pulumi.ComponentResource):
    """The function that sets up the database, and its invocation."""

    result: pulumi.Output[str]
    """The created, removed and existing objects, as JSON."""
    function_name: pulumi.Output[str]
    """The function's name."""
    code_sha256: str
    """The hash of the function's archive, as Lambda describes it."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    invocation: pulumi.Resource
    """Resources that need the database users depend on this."""

    def __init__(self, name: str, args: DatabaseSetupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:database_setup:DatabaseSetup", name, None, opts)
        self._name, self._args = name, args
        self._iam_users = json.dumps(dict(sorted(args.region.stack.database.iam_users.items())))
        function = self._function()
        self.function_name, self.function_arn = function.function_name, function.function_arn
        self.code_sha256 = function.code_sha256
        invocation = self._invocation(function)
        self.result, self.invocation = invocation.result, invocation
        self.register_outputs(
            {"result": self.result, "function_name": self.function_name, "function_arn": self.function_arn}
        )

    def _function(self) -> LambdaFunction:
        args = self._args
        clusters = [
            {"host": cluster.writer_endpoint, "port": cluster.port, "region": cluster.region.code}
            for cluster in args.clusters
        ]
        return LambdaFunction(
            self._name,
            LambdaFunctionArgs(
                region=args.region,
                name="database-setup",
                description="Creates the database users, the heartbeat table and its event",
                package=lambda_package("database_setup", speaks_mysql=True),
                environment={
                    "HEALTH_CHECK_USER": DATABASE_USER,
                    "HEARTBEAT_DATABASE": HEARTBEAT_DATABASE,
                    "OWN_USER": OWN_USER,
                    "DATABASE": args.clusters[0].database_name.apply(str),
                    "IAM_USERS": self._iam_users,
                    "CLUSTERS": pulumi.Output.json_dumps(clusters),
                },
                timeout_seconds=60,
                memory_mb=256,
                key_arn=args.key_arn,
                statements=[connect_statement("LogInAsDatabaseSetup", args.region, args.clusters, OWN_USER)],
                vpc=args.vpc,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _invocation(self, function: LambdaFunction) -> aws.lambda_.Invocation:
        args, first = self._args, self._args.clusters[0]
        login = {"username": args.master.username, "password": args.master.password}
        return aws.lambda_.Invocation(
            f"{self._name}-invocation",
            function_name=function.function_name,
            input=pulumi.Output.secret(
                pulumi.Output.json_dumps({"host": first.writer_endpoint, "port": first.port, **login})
            ),
            lifecycle_scope="CREATE_ONLY",
            # Invoke again for another cluster, version or set of IAM users. The function reads the users from its
            # environment, so the input stays the same.
            triggers={"cluster": first.resource_id, "work": VERSION, "iam_users": self._iam_users},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.created_after),
                additional_secret_outputs=["input"],
                # A changed password does not invoke the function again.
                ignore_changes=["input"],
            ),
        )
