"""The database users, the heartbeat table and the event that writes it, made when a stack is deployed.

Owns: the function in the VPC that makes them, and its invocation.
Does not own: the password (`credentials`), or people's right to a token (`database_users`).
Invariant: the master password is needed on the first day alone, and stands in no environment variable: with it the function
makes a user of its own, as which it logs in by IAM from then on, wherever the writer is. So the password can be rotated
without this program knowing the new one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.database_users import IamCluster, connect_statement
from components.health_check import DATABASE_USER, HEARTBEAT_DATABASE
from components.json_text import json_text
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, VpcAccess
from components.lambda_package import lambda_package
from components.regional_cluster import MasterUser, RegionalCluster
from components.site import Region

OWN_USER = "database_setup"
WORK = "3"
"""Which users, rights, tables and events there are to be: count it up when functions/database_setup makes other ones."""


@dataclass(frozen=True, kw_only=True)
class DatabaseSetupArgs:
    """Which database is set up, and as whom."""

    site: Region
    vpc: VpcAccess
    clusters: Mapping[str, RegionalCluster]
    """Region -> the member there; the first one is the writer on the first day."""
    master: MasterUser
    iam_users: Mapping[str, str]
    """Person -> `read_only` or `read_write`."""
    key_arn: pulumi.Input[str]
    log_retention_days: int
    created_after: Sequence[pulumi.Resource]
    """The writer's instances, and the rules by which it is reached."""


class DatabaseSetup(pulumi.ComponentResource):
    """The health check's user, its rights and its table."""

    result: pulumi.Output[str]
    """What was made and removed, and what was there already, as JSON."""
    function_name: pulumi.Output[str]
    """The function's name."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    invocation: pulumi.Resource
    """Whoever needs the users depends on this."""

    def __init__(self, name: str, args: DatabaseSetupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:database_setup:DatabaseSetup", name, None, opts)
        self._name, self._args = name, args
        function = self._function()
        self.function_name, self.function_arn = function.function_name, function.function_arn
        invocation = self._invocation(function)
        self.result, self.invocation = invocation.result, invocation
        self.register_outputs(
            {"result": self.result, "function_name": self.function_name, "function_arn": self.function_arn}
        )

    def _function(self) -> LambdaFunction:
        args, first = self._args, next(iter(self._args.clusters.values()))
        clusters = [
            {"host": cluster.writer_endpoint, "port": cluster.port, "region": region}
            for region, cluster in args.clusters.items()
        ]
        own = [IamCluster(region=region, resource_id=cluster.resource_id) for region, cluster in args.clusters.items()]
        return LambdaFunction(
            self._name,
            LambdaFunctionArgs(
                site=args.site,
                thing="database-setup",
                description="Makes the database's users, the heartbeat table, and its event",
                package=lambda_package("database_setup", speaks_mysql=True),
                environment={
                    "HEALTH_CHECK_USER": DATABASE_USER,
                    "HEARTBEAT_DATABASE": HEARTBEAT_DATABASE,
                    "OWN_USER": OWN_USER,
                    "DATABASE": first.database_name.apply(str),
                    "IAM_USERS": self._people(),
                    "CLUSTERS": json_text(clusters),
                },
                timeout_seconds=60,
                memory_mb=256,
                key_arn=args.key_arn,
                log_retention_days=args.log_retention_days,
                statements=[connect_statement("LogInAsItself", args.site, own, OWN_USER)],
                vpc=args.vpc,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _people(self) -> str:
        return json.dumps(dict(sorted(self._args.iam_users.items())))

    def _invocation(self, function: LambdaFunction) -> aws.lambda_.Invocation:
        args, first = self._args, next(iter(self._args.clusters.values()))
        login = {"username": args.master.username, "password": args.master.password}
        return aws.lambda_.Invocation(
            f"{self._name}-invocation",
            function_name=function.function_name,
            input=pulumi.Output.secret(json_text({"host": first.writer_endpoint, "port": first.port, **login})),
            lifecycle_scope="CREATE_ONLY",
            # Run again when the cluster is another one, or the work, or the people. What they are stands in the function's
            # environment: the input stays as it was.
            triggers={"cluster": first.resource_id, "work": WORK, "iam_users": self._people()},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.created_after),
                additional_secret_outputs=["input"],
                # Another password is no reason to set up again.
                ignore_changes=["input"],
            ),
        )
