"""Rules violated by small programs that run in Pulumi's own runtime."""

from collections.abc import Callable

import pulumi_aws as aws
import pytest
from pulumi import Output, ResourceOptions

from tests.support.policy.program_rules.catalogue import violations_by_rule
from tests.support.policy.stacks import registered_stack
from tests.support.program.harness import run_program


def _in_ireland() -> ResourceOptions:
    return ResourceOptions(provider=aws.Provider("ireland", region="eu-west-1"))


def forgotten_provider() -> None:
    """A VPC in the machine's default region."""
    aws.ec2.Vpc("network", cidr_block="10.0.0.0/16")


def output_in_an_f_string() -> None:
    """A name that becomes Pulumi's error text."""
    here = _in_ireland()
    vpc = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", opts=here)
    aws.cloudwatch.LogGroup("log", name=f"/aws/vpc/{vpc.id}", retention_in_days=30, opts=here)


def policy_for_everything() -> None:
    """A role that may do everything in RDS."""
    here = _in_ireland()
    statement = '{"Effect": "Allow", "Action": "rds:*", "Resource": "*"}'
    role = aws.iam.Role("role", name="role", assume_role_policy=_trusting("lambda.amazonaws.com"), opts=here)
    policy = Output.from_input(f'{{"Version": "2012-10-17", "Statement": [{statement}]}}')
    aws.iam.RolePolicy("policy", name="policy", role=role.id, policy=policy, opts=here)


def alarm_on_unknown_metric() -> None:
    """A metric that does not exist, and a topic in another region."""
    topic = aws.sns.Topic("topic", opts=ResourceOptions(provider=aws.Provider("virginia", region="us-east-1")))
    aws.cloudwatch.MetricAlarm(
        "lag",
        name="lag",
        namespace="AWS/RDS",
        metric_name="AuroraGlobalReplicationLag",
        dimensions={"DBClusterIdentifier": "payments"},
        statistic="Maximum",
        period=60,
        evaluation_periods=1,
        threshold=1000,
        comparison_operator="GreaterThanThreshold",
        alarm_actions=[topic.arn],
        opts=_in_ireland(),
    )


def secondary_with_a_user() -> None:
    """A secondary cluster copied from the primary cluster."""
    aws.rds.Cluster(
        "secondary",
        cluster_identifier="secondary",
        engine="aurora-mysql",
        engine_version="8.0",
        source_region="us-east-1",
        master_username="admin",
        master_password="not-a-real-one",
        opts=_in_ireland(),
    )


def nat_gateway() -> None:
    """A NAT gateway."""
    here = _in_ireland()
    vpc = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", opts=here)
    subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.0.0.0/24", opts=here)
    aws.ec2.NatGateway("nat", subnet_id=subnet.id, connectivity_type="private", opts=here)


def _trusting(service: str) -> Output[str]:
    statement = f'{{"Effect": "Allow", "Principal": {{"Service": "{service}"}}, "Action": "sts:AssumeRole"}}'
    return Output.from_input(f'{{"Version": "2012-10-17", "Statement": [{statement}]}}')


@pytest.mark.parametrize(
    ("program", "violated"),
    [
        (forgotten_provider, {"resources-have-explicit-providers"}),
        (output_in_an_f_string, {"outputs-are-not-stringified"}),
        (
            policy_for_everything,
            {"iam-actions-are-explicit", "role-trust-is-scoped"},
        ),
        (
            alarm_on_unknown_metric,
            {
                "alarms-use-published-metrics",
                "alarm-actions-are-regional",
                "alarms-define-missing-data",
            },
        ),
        (
            secondary_with_a_user,
            {
                "secondary-clusters-inherit-credentials",
                "engine-versions-match",
                "clusters-join-global-database",
                "clusters-use-regional-kms-keys",
                "failover-changes-are-ignored",
            },
        ),
        (nat_gateway, {"networks-have-no-internet-access", "only-instances-are-billed-hourly"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_program_violates_rules(program: Callable[[], None], violated: set[str]) -> None:
    """Violations are found in the stack of a hand-written program."""
    found = violations_by_rule(registered_stack(run_program({}, program=program)))
    assert set() == violated - set(found)
