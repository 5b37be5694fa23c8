"""Tests of the unchanged program with many settings changed at once, on the embedded AWS with its databases.

The monitor itself compares each property that is sent with the stored value."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import rich.console

from rehearsal.console.console import Console
from rehearsal.engine.deploy import DeploymentError, deploy, stack_config
from rehearsal.environment import PROGRAM_DIRECTORY, Environment
from rehearsal.report.files import render_html
from rehearsal.report.model import Report
from rehearsal.run import Rehearsal
from tests.support.rehearsal.existing_vpc import SECONDARY, THEIR_CIDR, ExistingVpc, create_vpc

PRIMARY = "us-east-1"
OWN_CIDR = "10.10.0.0/16"
LOGS = ["audit", "error", "general", "iam-db-auth-error", "instance", "slowquery"]


@dataclass(frozen=True, kw_only=True)
class Varied:
    """A deployment with many settings changed."""

    world: Environment
    vpc: ExistingVpc
    vpcs_before: set[str]
    report: Report
    terminal_output: str
    """The output on the terminal."""
    original_login: dict[str, str]
    """The generated name and password of the master user."""

    def cluster(self, region: str) -> dict[str, Any]:
        """Return the cluster in a region."""
        return self.world.clients("rds", region).describe_db_clusters()["DBClusters"][0]


@pytest.fixture(scope="module")
def varied() -> Iterator[Varied]:
    """Deploy once for the tests of this module."""
    with Environment(stack="dev", interval_seconds=1.0, operation_seconds=0.1) as world:
        vpc = create_vpc(world)
        before = {each["VpcId"] for each in world.clients("ec2", SECONDARY).describe_vpcs()["Vpcs"]}
        variation: dict[str, object] = {
            "primary": {
                "serverless": {"min_acu": 8, "max_acu": 32.5},
                "maintenance_window": "sun:04:00-sun:05:00",
                "backup_window": "02:00-02:45",
                "client_cidrs": ["10.50.0.0/16"],
            },
            "secondary": {
                **vpc.settings(),
                "instance_class": "db.r7g.2xlarge",
                "maintenance_window": "tue:23:30-wed:00:15",
            },
            "database": {
                "iam_users": {"ann": "read_only", "bob": "read_write"},
                "storage_type": "aurora-iopt1",
                "write_forwarding": True,
                "cluster_parameters": {"time_zone": "UTC", "innodb_autoinc_lock_mode": 2},
                "instance_parameters": {"max_connections": 500},
                "ca_certificate": "rds-ca-ecc384-g1",
                "performance_insights_retention_days": 465,
                "database_insights": "advanced",
            },
            "logs": {"exports": LOGS, "retention_days": 90, "audit_retention_days": 365, "flow_logs": True},
            "dns": {"record_ttl_seconds": 15},
            "alarms": {"connections_percent": 50},
            "failover": {"interval_seconds": 1.0},
        }
        world.config = stack_config(PROGRAM_DIRECTORY, "dev", variation)
        terminal = io.StringIO()
        output = rich.console.Console(file=terminal, width=200)
        console = Console(output=output, errors=output, live=False)
        report = Rehearsal(environment=world, drills=(), console=console).run()
        assert report.errors == ()
        secret = world.clients("secretsmanager", PRIMARY).get_secret_value(SecretId=world.outputs["primary_secret_arn"])
        yield Varied(
            world=world,
            vpc=vpc,
            vpcs_before=before,
            report=report,
            terminal_output=terminal.getvalue(),
            original_login=json.loads(secret["SecretString"]),
        )


def test_serverless_region_has_its_capacity_range(varied: Varied) -> None:
    """The other region has provisioned instances."""
    assert {"MinCapacity": 8.0, "MaxCapacity": 32.5} == varied.cluster(PRIMARY)["ServerlessV2ScalingConfiguration"]
    classes = {
        region: {
            each["DBInstanceClass"]
            for each in varied.world.clients("rds", region).describe_db_instances()["DBInstances"]
        }
        for region in (PRIMARY, SECONDARY)
    }
    assert {PRIMARY: {"db.serverless"}, SECONDARY: {"db.r7g.2xlarge"}} == classes


def test_existing_vpc_gets_no_network_resources(varied: Varied) -> None:
    """The database, the functions and their security groups are created in the existing VPC."""
    ec2 = varied.world.clients("ec2", SECONDARY)
    assert varied.vpcs_before == {each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]}
    group_id = varied.world.outputs["secondary_database_security_group_id"]
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert varied.vpc.vpc_id == group["VpcId"] == varied.world.outputs["secondary_vpc_id"]
    groups = varied.world.clients("rds", SECONDARY).describe_db_subnet_groups()["DBSubnetGroups"]
    assert [set(varied.vpc.subnet_ids)] == [{each["SubnetIdentifier"] for each in one["Subnets"]} for one in groups]
    secondary_types = {each.type for each in varied.world.deployment.resources if each.region == SECONDARY}
    assert set() == secondary_types & {
        "aws:ec2/vpc:Vpc",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/flowLog:FlowLog",
    }


def test_flow_logs_record_the_programs_own_vpc(varied: Varied) -> None:
    """Accepted and rejected connections go to the log group, which has the retention of the audit trail."""
    (flow_log,) = varied.world.clients("ec2", PRIMARY).describe_flow_logs()["FlowLogs"]
    assert (varied.world.outputs["primary_vpc_id"], "ALL") == (flow_log["ResourceId"], flow_log["TrafficType"])
    (group,) = varied.world.clients("logs", PRIMARY).describe_log_groups(logGroupNamePrefix="/aws/vpc/")["logGroups"]
    assert flow_log["LogDestination"] == group["arn"].removesuffix(":*")
    assert 365 == group["retentionInDays"]


def test_existing_vpc_is_connected_to_the_other_region(varied: Varied) -> None:
    """The VPC's route table has the peering route, and the zone is associated with the VPC."""
    tables = varied.world.clients("ec2", SECONDARY).describe_route_tables(RouteTableIds=[varied.vpc.route_table_id])
    routes = {
        route["DestinationCidrBlock"]: route.get("VpcPeeringConnectionId")
        for route in tables["RouteTables"][0]["Routes"]
    }
    assert str(routes[OWN_CIDR]).startswith("pcx-")
    zone = varied.world.clients("route53", PRIMARY).get_hosted_zone(Id=varied.world.outputs["hosted_zone_id"])
    assert varied.vpc.vpc_id in {each["VPCId"] for each in zone["VPCs"]}


def test_client_cidrs_may_connect(varied: Varied) -> None:
    """The CIDRs of both VPCs may connect too."""
    ec2 = varied.world.clients("ec2", PRIMARY)
    group_id = varied.world.outputs["primary_database_security_group_id"]
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    allowed = {each["CidrIp"] for rule in group["IpPermissions"] for each in rule["IpRanges"]}
    assert {OWN_CIDR, THEIR_CIDR, "10.50.0.0/16"} == allowed


def test_log_groups_windows_and_ttl_are_as_set(varied: Varied) -> None:
    """The windows are those of each region."""
    for region in (PRIMARY, SECONDARY):
        groups = varied.world.clients("logs", region).describe_log_groups(logGroupNamePrefix="/aws/rds/cluster/")
        found = {each["logGroupName"].rsplit("/", 1)[-1]: each["retentionInDays"] for each in groups["logGroups"]}
        assert {**dict.fromkeys(LOGS, 90), "audit": 365, "iam-db-auth-error": 365} == found
    assert "02:00-02:45" == varied.cluster(PRIMARY)["PreferredBackupWindow"]
    assert "tue:23:30-wed:00:15" == varied.cluster(SECONDARY)["PreferredMaintenanceWindow"]
    records = varied.world.clients("route53", PRIMARY).list_resource_record_sets(
        HostedZoneId=varied.world.outputs["hosted_zone_id"]
    )
    ttls = {each["TTL"] for each in records["ResourceRecordSets"] if each["Type"] == "CNAME"}
    assert {15} == ttls


def test_connections_alarm_follows_max_connections(varied: Varied) -> None:
    """The threshold is half of 500 in both regions."""
    for region in (PRIMARY, SECONDARY):
        (alarm,) = varied.world.clients("cloudwatch", region).describe_alarms(AlarmNames=["payments-connections-dev"])[
            "MetricAlarms"
        ]
        assert 250 == alarm["Threshold"]


def test_dropped_properties_are_listed(varied: Varied) -> None:
    """Properties that ministack stores are not in the list."""
    forgotten = {each.property for each in varied.world.deployment.not_held}
    assert {"storageType", "enableGlobalWriteForwarding", "databaseInsightsMode"} <= forgotten
    assert set() == forgotten & {"serverlessv2ScalingConfiguration", "preferredBackupWindow", "policy"}


def test_master_password_is_in_no_log_output_or_report(varied: Varied) -> None:
    """The tests of database_setup check its INFO lines, because ministack does not keep INFO lines."""
    password = varied.original_login["password"]
    assert 32 == len(password)
    logs = [event["message"] for region in (PRIMARY, SECONDARY) for event in log_events(varied.world, region)]
    texts = {
        "logs": "\n".join(logs),
        "terminal": varied.terminal_output,
        "deployment": repr(varied.world.deployment),
        "report.json": json.dumps(varied.report.to_json()),
        "report.html": html.unescape(render_html(varied.report)),
    }
    assert [] == [where for where, text in texts.items() if password in text or not text]


def log_events(world: Environment, region: str) -> Iterator[dict[str, Any]]:
    """Yield all log events of a region."""
    logs = world.clients("logs", region)
    for group in logs.describe_log_groups()["logGroups"]:
        yield from logs.filter_log_events(logGroupName=group["logGroupName"])["events"]


def test_database_setup_works_after_a_password_rotation(varied: Varied) -> None:
    """The invocation has the original password, and a removed user loses access."""
    world, cluster = varied.world, varied.world.cluster(varied.world.primary)
    ann = cluster.account("ann")
    assert ann and ("AWSAuthenticationPlugin", True) == (ann.plugin, ann.requires_tls)
    secret_id = world.outputs["primary_secret_arn"]
    secrets = world.clients("secretsmanager", PRIMARY)
    rotated = "rotated-Since-Then-0123456789-abcd"
    world.clients("rds", PRIMARY).modify_db_cluster(
        DBClusterIdentifier=world.outputs["primary_cluster_id"], MasterUserPassword=rotated, ApplyImmediately=True
    )
    secrets.put_secret_value(
        SecretId=secret_id, SecretString=json.dumps({**varied.original_login, "password": rotated})
    )

    response = invoke_setup(world, {"bob": "read_only"}, varied.original_login)

    assert {"created": ["IAM user bob"], "removed": ["IAM user ann"]} == {
        name: response[name] for name in ("created", "removed")
    }
    assert cluster.account("ann") is None
    assert ["GRANT SELECT ON `payments`.* TO `bob`@`%`"] == [
        str(row[0]) for row in cluster.execute("SHOW GRANTS FOR 'bob'@'%'")
    ][1:]
    standby = world.clients("secretsmanager", SECONDARY)
    replica = standby.get_secret_value(SecretId=world.outputs["secondary_secret_arn"])
    assert rotated == json.loads(replica["SecretString"])["password"]


def invoke_setup(world: Environment, users: dict[str, str], login: dict[str, str]) -> dict[str, Any]:
    """Change the function's users and invoke it, as a deployment with other `database.iam_users` does."""
    functions, name = world.clients("lambda", PRIMARY), world.outputs["database_setup_function_name"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "IAM_USERS": json.dumps(users)}}
    )
    event = {"host": world.outputs["primary_writer_endpoint"], "port": 3306}
    response = functions.invoke(
        FunctionName=name,
        Payload=json.dumps({**event, "username": login["username"], "password": login["password"]}).encode(),
    )
    payload = json.loads(response["Payload"].read())
    assert "FunctionError" not in response, payload
    return payload


def test_unsuitable_vpc_is_rejected_in_the_preview(varied: Varied) -> None:
    """All problems are reported at once."""
    ec2 = varied.world.clients("ec2", SECONDARY)
    ec2.modify_vpc_attribute(VpcId=varied.vpc.vpc_id, EnableDnsHostnames={"Value": False})
    settings = varied.vpc.settings(route_table_ids=["rtb-00000000"])
    overrides = {"secondary": {**settings, "vpc_cidr": "10.99.0.0/21"}}
    try:
        with pytest.raises(DeploymentError) as raised:
            deploy(
                PROGRAM_DIRECTORY,
                stack_config(PROGRAM_DIRECTORY, "dev", overrides),
                varied.world.control_plane.url,
                preview=True,
            )
    finally:
        ec2.modify_vpc_attribute(VpcId=varied.vpc.vpc_id, EnableDnsHostnames={"Value": True})
    text = str(raised.value)
    assert f"secondary.vpc_cidr: {varied.vpc.vpc_id} has 10.99.0.0/20, not 10.99.0.0/21. Use 10.99.0.0/20" in text
    assert f"secondary.existing_vpc.vpc_id: {varied.vpc.vpc_id} has DNS host names disabled" in text
    assert f"secondary.existing_vpc.route_table_ids: the subnets use {varied.vpc.route_table_id}" in text
