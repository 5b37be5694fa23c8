"""The function that probes the databases of both regions from one of them.

It calls no AWS API and signs its database tokens locally, so it works while any control plane is unavailable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.database_users import connect_statement
from components.foundation import Foundation
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, VpcAccess
from components.lambda_package import lambda_package
from components.region import Region
from components.regional_cluster import RegionalCluster

HEARTBEAT_DATABASE = "failover"
DATABASE_USER = "health_check"


@dataclass(frozen=True, kw_only=True)
class HealthCheckArgs:
    """The network that the function runs in, and the clusters that it probes."""

    region: Region
    vpc: VpcAccess
    key_arn: pulumi.Input[str]
    clusters: Sequence[RegionalCluster]

    @classmethod
    def of(cls, foundation: Foundation, clusters: Sequence[RegionalCluster]) -> "HealthCheckArgs":
        """Return the arguments for a health check of these clusters."""
        return cls(region=foundation.region, vpc=foundation.vpc_access, key_arn=foundation.key_arn, clusters=clusters)


class HealthCheck(pulumi.ComponentResource):
    """The health_check function in one region."""

    function_name: pulumi.Output[str]
    """The function's name, the same in every region."""
    code_sha256: str
    """The hash of the function's archive, as Lambda describes it."""
    function_arn: pulumi.Output[str]
    """The function's ARN."""
    security_group_id: pulumi.Output[str]
    """The security group from which the function connects to the databases."""

    def __init__(self, name: str, args: HealthCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:health_check:HealthCheck", name, None, opts)
        function = LambdaFunction(
            name,
            LambdaFunctionArgs(
                region=args.region,
                name="health-check",
                description="Probes the databases of both regions",
                package=lambda_package("health_check", speaks_mysql=True),
                environment={"DATABASE_USER": DATABASE_USER, "HEARTBEAT_DATABASE": HEARTBEAT_DATABASE},
                timeout_seconds=5,
                memory_mb=256,
                # Other functions of the account retry in an outage and could use up its concurrency.
                reserved_concurrency=args.region.stack.failover.health_check_concurrency,
                key_arn=args.key_arn,
                statements=[connect_statement("LogInAsHealthCheck", args.region, args.clusters, DATABASE_USER)],
                vpc=args.vpc,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        assert function.security_group_id is not None
        self.function_name, self.function_arn = function.function_name, function.function_arn
        self.code_sha256 = function.code_sha256
        self.security_group_id = function.security_group_id
        self.register_outputs(
            {
                "function_name": self.function_name,
                "function_arn": self.function_arn,
                "security_group_id": self.security_group_id,
            }
        )
