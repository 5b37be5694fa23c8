"""The database users, the heartbeat table and the event that writes it, made once per deployment.

Owns: the function in the VPC that makes them, and its invocation with the master password.
Does not own: the password (`credentials`). Invariant: nothing that runs later ever holds that password; it is a
secret input, and stands in no environment variable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.health_check import DATABASE_USER, HEARTBEAT_DATABASE
from components.json_text import json_text
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, VpcAccess
from components.lambda_package import lambda_package
from components.regional_cluster import MasterUser
from components.site import Site

WORK = "2"
"""Which users, rights, tables and events there are to be: count it up when functions/database_setup makes other ones."""


@dataclass(frozen=True, kw_only=True)
class DatabaseSetupArgs:
    """Which database is set up, and as whom."""

    site: Site
    vpc: VpcAccess
    host: pulumi.Input[str]
    port: pulumi.Input[int]
    cluster_resource_id: pulumi.Input[str]
    master: MasterUser
    key_arn: pulumi.Input[str]
    log_retention_days: int
    created_after: Sequence[pulumi.Resource]
    """The writer's instances, and the rules by which it is reached."""


class DatabaseSetup(pulumi.ComponentResource):
    """The health check's user, its rights and its table."""

    result: pulumi.Output[str]
    """What was made and what was there already, as JSON."""
    invocation: pulumi.Resource
    """Whoever needs the users depends on this."""

    def __init__(self, name: str, args: DatabaseSetupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:database_setup:DatabaseSetup", name, None, opts)
        function = LambdaFunction(
            name,
            LambdaFunctionArgs(
                site=args.site,
                thing="database-setup",
                description="Makes the health check's database user, the heartbeat table, and its event",
                package=lambda_package("database_setup", speaks_mysql=True),
                environment={"HEALTH_CHECK_USER": DATABASE_USER, "HEARTBEAT_DATABASE": HEARTBEAT_DATABASE},
                timeout_seconds=60,
                memory_mb=256,
                key_arn=args.key_arn,
                log_retention_days=args.log_retention_days,
                vpc=args.vpc,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        invocation = aws.lambda_.Invocation(
            f"{name}-invocation",
            function_name=function.function_name,
            input=pulumi.Output.secret(
                json_text(
                    {
                        "host": args.host,
                        "port": args.port,
                        "username": args.master.username,
                        "password": args.master.password,
                    }
                )
            ),
            lifecycle_scope="CREATE_ONLY",
            # Run again when the cluster is another one, or the work. Not whenever the code is: the password may have
            # been rotated since then, and the old one would be refused. A standby has everything in place already.
            triggers={"cluster": args.cluster_resource_id, "work": WORK},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.created_after),
                additional_secret_outputs=["input"],
                # A rotated password is no reason to set up again.
                ignore_changes=["input"],
            ),
        )
        self.result, self.invocation = invocation.result, invocation
        self.register_outputs({"result": self.result})
