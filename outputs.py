"""The stack's outputs, for other stacks and the operator's commands."""

from dataclasses import dataclass

import pulumi

from components.credentials import Credentials
from components.database_setup import DatabaseSetup
from components.database_users import DatabaseUsers
from components.failover_dns import FailoverDns
from components.failover_watch import FailoverWatch
from components.global_cluster import GlobalCluster


@dataclass(frozen=True, kw_only=True)
class RegionOutputs:
    """The outputs of one region."""

    region: str
    """The region's code."""
    vpc_id: pulumi.Output[str]
    """The VPC."""
    vpc_cidr: pulumi.Output[str]
    """The VPC's address range."""
    subnet_ids: list[pulumi.Output[str]]
    """The private subnets, one in each zone."""
    database_security_group_id: pulumi.Output[str]
    """The security group of the cluster: it admits the database port from both VPCs."""
    function_security_group_id: pulumi.Output[str]
    """The security group of `health_check`."""
    key_arn: pulumi.Output[str]
    """The key that encrypts everything in this region."""
    secret_arn: pulumi.Output[str]
    """The master password's secret; in the secondary region its replica."""
    cluster_id: pulumi.Output[str]
    """The cluster's identifier."""
    cluster_arn: pulumi.Output[str]
    """The cluster's ARN: the target of a switchover or failover to this region."""
    port: pulumi.Output[int]
    """The port of both endpoints."""
    writer_endpoint: pulumi.Output[str]
    """The cluster endpoint: the writer while this region has it, read-only while it is the standby."""
    reader_endpoint: pulumi.Output[str]
    """The reader endpoint."""
    health_check_function_name: pulumi.Output[str]
    """The function that probes the databases."""
    health_check_function_arn: pulumi.Output[str]
    """Its ARN."""
    failover_controller_function_name: pulumi.Output[str]
    """The function that decides about a failover."""
    failover_controller_function_arn: pulumi.Output[str]
    """Its ARN."""
    table_name: pulumi.Output[str]
    """The table of the controller's state, lock and audit trail."""
    topic_arn: pulumi.Output[str]
    """The topic of alarms and notices, for further subscribers."""
    alarm_arns: pulumi.Output[list[str]]
    """Every alarm of this region except those on DNS."""
    dashboard_url: pulumi.Output[str]
    """The dashboard's page in the AWS console."""

    @classmethod
    def of(cls, watch: FailoverWatch, secret_arn: pulumi.Output[str]) -> "RegionOutputs":
        """Return the outputs of a region."""
        member = watch.member
        foundation, cluster, health_check = member.foundation, member.cluster, member.health_check
        return cls(
            region=member.region.code,
            vpc_id=foundation.network.vpc_id,
            vpc_cidr=foundation.network.vpc_cidr,
            subnet_ids=foundation.network.subnet_ids,
            database_security_group_id=foundation.network.database_security_group_id,
            function_security_group_id=health_check.security_group_id,
            key_arn=foundation.key_arn,
            secret_arn=secret_arn,
            cluster_id=cluster.cluster_id,
            cluster_arn=cluster.cluster_arn,
            port=cluster.port,
            writer_endpoint=cluster.writer_endpoint,
            reader_endpoint=cluster.reader_endpoint,
            health_check_function_name=health_check.function_name,
            health_check_function_arn=health_check.function_arn,
            failover_controller_function_name=watch.controller.function_name,
            failover_controller_function_arn=watch.controller.function_arn,
            table_name=watch.controller.table_name,
            topic_arn=foundation.topic_arn,
            alarm_arns=watch.monitoring.alarm_arns,
            dashboard_url=watch.monitoring.dashboard_url,
        )


@dataclass(frozen=True, kw_only=True)
class StackOutputs:
    """The outputs of the whole stack."""

    global_cluster_id: pulumi.Output[str]
    """The global cluster's identifier."""
    global_cluster_arn: pulumi.Output[str]
    """The global cluster's ARN, which names no region."""
    global_writer_endpoint: pulumi.Output[str]
    """The global writer endpoint, which AWS moves in each managed switchover or failover."""
    writer_dns_name: pulumi.Output[str]
    """The name of the current writer."""
    reader_dns_name: pulumi.Output[str]
    """The name of the nearest reader."""
    hosted_zone_id: pulumi.Output[str]
    """The hosted zone's id."""
    health_check_ids: dict[str, pulumi.Output[str]]
    """Name -> Route 53 health check id: the checks of the records, then the votes about the writer."""
    dns_alarm_arns: list[pulumi.Output[str]]
    """The alarms on the records' health checks; empty if neither region is us-east-1."""
    database_setup_function_name: pulumi.Output[str]
    """The function that creates the database users and the heartbeat table."""
    database_setup_function_arn: pulumi.Output[str]
    """Its ARN."""
    function_code_sha256: dict[str, str]
    """Function's name, the same in both regions -> the SHA-256 of its archive in Base64, with which `verify` compares."""
    iam_user_policy_arns: dict[str, pulumi.Output[str]]
    """Person -> the policy to attach to that person's role."""
    database_name: pulumi.Output[str | None]
    """The database that was created with the primary cluster (setting `database.name`)."""
    rewind_method: str
    """The method that rewinds the writer's data: `point-in-time` or `backtrack` (setting `rewind.method`)."""
    backtrack_window: int
    """The backtrack window in seconds; 0 with the other method."""
    environment: str
    """The end of every physical name (setting `environment`)."""
    stack_name: str
    """The stack's name in Pulumi, for the commands that `preflight --destroy` prints."""


def export_outputs(
    *,
    global_cluster: GlobalCluster,
    primary: FailoverWatch,
    secondary: FailoverWatch,
    credentials: Credentials,
    dns: FailoverDns,
    setup: DatabaseSetup,
    users: DatabaseUsers,
) -> None:
    """Export the outputs of the stack, and those of each region both grouped and flat."""
    stack = primary.member.region.stack
    regions = {
        "primary": vars(RegionOutputs.of(primary, credentials.secret_arn)),
        "secondary": vars(RegionOutputs.of(secondary, credentials.peer_secret_arn)),
    }
    whole_stack = StackOutputs(
        global_cluster_id=global_cluster.global_cluster_id,
        global_cluster_arn=global_cluster.global_cluster_arn,
        global_writer_endpoint=global_cluster.writer_endpoint,
        writer_dns_name=dns.writer_name,
        reader_dns_name=dns.reader_name,
        hosted_zone_id=dns.zone_id,
        health_check_ids=dns.health_check_ids,
        dns_alarm_arns=dns.alarm_arns,
        database_setup_function_name=setup.function_name,
        database_setup_function_arn=setup.function_arn,
        function_code_sha256={
            primary.member.region.name(function): component.code_sha256
            for function, component in (
                ("health-check", primary.member.health_check),
                ("failover-controller", primary.controller),
                ("database-setup", setup),
            )
        },
        iam_user_policy_arns=users.policy_arns,
        database_name=primary.member.cluster.database_name,
        rewind_method=stack.rewind.method,
        backtrack_window=stack.backtrack_seconds or 0,
        environment=stack.environment,
        stack_name=pulumi.get_stack(),
    )
    flat = {f"{label}_{name}": value for label, outputs in regions.items() for name, value in outputs.items()}
    for name, value in {"regions": regions, **flat, **vars(whole_stack)}.items():
        pulumi.export(name, value)
