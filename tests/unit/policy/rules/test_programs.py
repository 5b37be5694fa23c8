"""Rules broken by programs: what a person would really write, run by Pulumi's own runtime."""

from collections.abc import Callable

import pulumi_aws as aws
import pytest
from pulumi import Output, ResourceOptions

from policy.rules.catalogue import broken_rules
from tests.support.policy.stacks import seen
from tests.support.program.harness import run_program


def _ireland() -> ResourceOptions:
    return ResourceOptions(provider=aws.Provider("ireland", region="eu-west-1"))


def forgotten_provider() -> None:
    """A network wherever the machine is set to."""
    aws.ec2.Vpc("network", cidr_block="10.0.0.0/16")


def output_in_an_f_string() -> None:
    """A name that becomes an error text."""
    here = _ireland()
    vpc = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", opts=here)
    aws.cloudwatch.LogGroup("log", name=f"/aws/vpc/{vpc.id}", retention_in_days=30, opts=here)


def policy_for_everything() -> None:
    """What people write to get on with it."""
    here = _ireland()
    statement = '{"Effect": "Allow", "Action": "rds:*", "Resource": "*"}'
    role = aws.iam.Role("role", name="role", assume_role_policy=_trusting("lambda.amazonaws.com"), opts=here)
    policy = Output.from_input(f'{{"Version": "2012-10-17", "Statement": [{statement}]}}')
    aws.iam.RolePolicy("policy", name="policy", role=role.id, policy=policy, opts=here)


def alarm_on_nothing() -> None:
    """A metric by the name that one would expect, and a topic in another region."""
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
        opts=_ireland(),
    )


def secondary_with_a_user() -> None:
    """A second cluster copied from the first one."""
    aws.rds.Cluster(
        "secondary",
        cluster_identifier="secondary",
        engine="aurora-mysql",
        engine_version="8.0",
        source_region="us-east-1",
        master_username="admin",
        master_password="not-a-real-one",
        opts=_ireland(),
    )


def way_out() -> None:
    """A NAT gateway, for updates."""
    here = _ireland()
    vpc = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", opts=here)
    subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.0.0.0/24", opts=here)
    aws.ec2.NatGateway("nat", subnet_id=subnet.id, connectivity_type="private", opts=here)


def _trusting(service: str) -> Output[str]:
    statement = f'{{"Effect": "Allow", "Principal": {{"Service": "{service}"}}, "Action": "sts:AssumeRole"}}'
    return Output.from_input(f'{{"Version": "2012-10-17", "Statement": [{statement}]}}')


@pytest.mark.parametrize(
    ("program", "broken"),
    [
        (forgotten_provider, {"every-resource-has-a-provider-of-its-region"}),
        (output_in_an_f_string, {"no-output-became-a-text"}),
        (
            policy_for_everything,
            {"no-role-may-do-everything", "roles-trust-a-service-for-this-account-alone"},
        ),
        (
            alarm_on_nothing,
            {
                "alarms-watch-metrics-that-are-published",
                "alarms-call-people-in-their-own-region",
                "alarms-say-what-missing-data-means",
            },
        ),
        (
            secondary_with_a_user,
            {
                "a-secondary-has-no-user-of-its-own",
                "all-members-have-one-exact-version",
                "every-cluster-is-a-member",
                "members-are-encrypted-by-a-key-of-their-region",
                "members-leave-to-aws-what-a-failover-swaps",
            },
        ),
        (way_out, {"nothing-leads-to-the-internet", "only-database-instances-are-billed-by-the-hour"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_people_write_is_found(program: Callable[[], None], broken: set[str]) -> None:
    """The rules see a stack as Pulumi's runtime registers it, not only as a test would make it."""
    found = broken_rules(seen(run_program({}, program=program)))
    assert set() == broken - set(found)
