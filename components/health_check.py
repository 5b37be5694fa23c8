"""The function that looks at the databases from one region.

Owns: the function in the VPC that speaks MySQL to both clusters. Does not own: what is concluded from its answers
(`failover_controller`).
Invariant: it calls no AWS API. Its database tokens are signed locally, so it works while any control plane is down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.database_users import IamCluster, connect_statement
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, VpcAccess
from components.lambda_package import lambda_package
from components.site import Region

HEARTBEAT_DATABASE = "failover"
DATABASE_USER = "health_check"


@dataclass(frozen=True, kw_only=True)
class HealthCheckArgs:
    """From where, and at what, it looks."""

    site: Region
    vpc: VpcAccess
    clusters: Sequence[IamCluster]
    key_arn: pulumi.Input[str]
    log_retention_days: int
    reserved_concurrency: int | None
    """Its own places: in an outage the account's other functions retry, and would crowd out the one that looks."""


class HealthCheck(pulumi.ComponentResource):
    """The health_check function in one region."""

    function_name: pulumi.Output[str]
    """The function's name, the same in every region."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    security_group_id: pulumi.Output[str]
    """The security group from which the databases are reached."""

    def __init__(self, name: str, args: HealthCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:health_check:HealthCheck", name, None, opts)
        function = LambdaFunction(
            name,
            LambdaFunctionArgs(
                site=args.site,
                thing="health-check",
                description="Asks the databases of both regions how they are",
                package=lambda_package("health_check", speaks_mysql=True),
                environment={"DATABASE_USER": DATABASE_USER, "HEARTBEAT_DATABASE": HEARTBEAT_DATABASE},
                timeout_seconds=5,
                memory_mb=256,
                reserved_concurrency=args.reserved_concurrency,
                key_arn=args.key_arn,
                log_retention_days=args.log_retention_days,
                statements=[connect_statement("LogInAsHealthCheck", args.site, args.clusters, DATABASE_USER)],
                vpc=args.vpc,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        assert function.security_group_id is not None
        self.function_name, self.function_arn = function.function_name, function.function_arn
        self.security_group_id = function.security_group_id
        self.register_outputs(
            {
                "function_name": self.function_name,
                "function_arn": self.function_arn,
                "security_group_id": self.security_group_id,
            }
        )
