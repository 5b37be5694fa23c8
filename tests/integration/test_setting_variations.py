"""The unchanged program with settings far from the defaults, on the embedded AWS with its databases.

One deployment of everything at once: Serverless v2 in one region, somebody's own VPC in the other, people, clients, windows,
parameters. The monitor itself compares what is sent with what is held, property by property; here stands what follows from it.
"""

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

PRIMARY, SECONDARY = "us-east-1", "eu-west-1"
OWN_CIDR, THEIR_CIDR = "10.10.0.0/16", "10.99.0.0/20"
LOGS = ["audit", "error", "general", "iam-db-auth-error", "instance", "slowquery"]


@dataclass(frozen=True, kw_only=True)
class TheirVpc:
    """A VPC that is there before the program."""

    vpc_id: str
    subnet_ids: list[str]
    route_table_id: str

    def settings(self, **changed: object) -> dict[str, object]:
        """Return the settings of a region that stands in it."""
        existing = {"vpc_id": self.vpc_id, "subnet_ids": self.subnet_ids, "route_table_ids": [self.route_table_id]}
        return {"vpc_cidr": THEIR_CIDR, "existing_vpc": {**existing, **changed}}


def make_vpc(world: Environment) -> TheirVpc:
    """Make what a platform team would have made: three private subnets with a route table of their own."""
    ec2 = world.clients("ec2", SECONDARY)
    vpc_id = ec2.create_vpc(CidrBlock=THEIR_CIDR)["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, **{attribute: {"Value": True}})
    table_id = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    subnet_ids: list[str] = []
    for index, zone in enumerate("abc"):
        cidr = f"10.99.{index}.0/24"
        subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=f"{SECONDARY}{zone}")["Subnet"]
        subnet_ids.append(subnet["SubnetId"])
        ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet["SubnetId"])
    return TheirVpc(vpc_id=vpc_id, subnet_ids=subnet_ids, route_table_id=table_id)


@dataclass(frozen=True, kw_only=True)
class Varied:
    """A deployment of everything at once."""

    world: Environment
    vpc: TheirVpc
    vpcs_before: set[str]
    report: Report
    printed: str
    """What people saw on the terminal."""
    first_day: dict[str, str]
    """The master user's name and password as they were generated."""

    def cluster(self, region: str) -> dict[str, Any]:
        """Return the cluster in a region as RDS describes it."""
        return self.world.clients("rds", region).describe_db_clusters()["DBClusters"][0]


@pytest.fixture(scope="module")
def varied() -> Iterator[Varied]:
    """Deploy once for the tests of this module."""
    with Environment(stack="dev", interval_seconds=1.0, operation_seconds=0.1) as world:
        vpc = make_vpc(world)
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
            "logs": {"exports": LOGS, "retention_days": 90},
            "dns": {"record_ttl_seconds": 15},
            "alarms": {"connections_percent": 50},
            "failover": {"interval_seconds": 1.0},
        }
        world.config = stack_config(PROGRAM_DIRECTORY, "dev", variation)
        terminal = io.StringIO()
        output = rich.console.Console(file=terminal, width=200)
        console = Console(output=output, errors=output, live=False)
        report = Rehearsal(world=world, drills=(), console=console).run()
        assert report.errors == ()
        secret = world.clients("secretsmanager", PRIMARY).get_secret_value(SecretId=world.outputs["primary_secret_arn"])
        yield Varied(
            world=world,
            vpc=vpc,
            vpcs_before=before,
            report=report,
            printed=terminal.getvalue(),
            first_day=json.loads(secret["SecretString"]),
        )


def test_a_serverless_region_scales_between_its_capacities(varied: Varied) -> None:
    """The range stands on the cluster, the class on its instances; the other region has a class of its own."""
    assert {"MinCapacity": 8.0, "MaxCapacity": 32.5} == varied.cluster(PRIMARY)["ServerlessV2ScalingConfiguration"]
    classes = {
        region: {
            each["DBInstanceClass"]
            for each in varied.world.clients("rds", region).describe_db_instances()["DBInstances"]
        }
        for region in (PRIMARY, SECONDARY)
    }
    assert {PRIMARY: {"db.serverless"}, SECONDARY: {"db.r7g.2xlarge"}} == classes


def test_in_somebody_elses_vpc_nothing_is_made_but_what_is_ours(varied: Varied) -> None:
    """No VPC, no subnet, no route table; the database, the functions and their groups stand in it."""
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
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    }


def test_both_networks_have_a_way_to_each_other(varied: Varied) -> None:
    """Their route table leads to ours over the peering, and ours to theirs; the zone is attached to both."""
    theirs = varied.world.clients("ec2", SECONDARY).describe_route_tables(RouteTableIds=[varied.vpc.route_table_id])
    ways = {
        route["DestinationCidrBlock"]: route.get("VpcPeeringConnectionId")
        for route in theirs["RouteTables"][0]["Routes"]
    }
    assert str(ways[OWN_CIDR]).startswith("pcx-")
    zone = varied.world.clients("route53", PRIMARY).get_hosted_zone(Id=varied.world.outputs["hosted_zone_id"])
    assert varied.vpc.vpc_id in {each["VPCId"] for each in zone["VPCs"]}


def test_clients_are_let_in_by_name(varied: Varied) -> None:
    """Both networks and the clients' own, to the database's port."""
    ec2 = varied.world.clients("ec2", PRIMARY)
    group_id = varied.world.outputs["primary_database_security_group_id"]
    (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    let_in = {each["CidrIp"] for rule in group["IpPermissions"] for each in rule["IpRanges"]}
    assert {OWN_CIDR, THEIR_CIDR, "10.50.0.0/16"} == let_in


def test_logs_windows_and_record_are_as_set(varied: Varied) -> None:
    """A log group for each log, the windows of each region, the time that a name may be remembered."""
    for region in (PRIMARY, SECONDARY):
        groups = varied.world.clients("logs", region).describe_log_groups(logGroupNamePrefix="/aws/rds/cluster/")
        found = {each["logGroupName"].rsplit("/", 1)[-1]: each["retentionInDays"] for each in groups["logGroups"]}
        assert dict.fromkeys(LOGS, 90) == found
    assert "02:00-02:45" == varied.cluster(PRIMARY)["PreferredBackupWindow"]
    assert "tue:23:30-wed:00:15" == varied.cluster(SECONDARY)["PreferredMaintenanceWindow"]
    records = varied.world.clients("route53", PRIMARY).list_resource_record_sets(
        HostedZoneId=varied.world.outputs["hosted_zone_id"]
    )
    ttls = {each["TTL"] for each in records["ResourceRecordSets"] if each["Type"] == "CNAME"}
    assert {15} == ttls


def test_the_alarm_on_connections_follows_the_parameter(varied: Varied) -> None:
    """Half of the 500 that `max_connections` allows, in both regions, whatever their classes would take."""
    for region in (PRIMARY, SECONDARY):
        (alarm,) = varied.world.clients("cloudwatch", region).describe_alarms(AlarmNames=["payments-connections-dev"])[
            "MetricAlarms"
        ]
        assert 250 == alarm["Threshold"]


def test_what_the_emulator_forgets_is_listed(varied: Varied) -> None:
    """Each of these was sent; nothing else of what is new was lost."""
    forgotten = {each.property for each in varied.world.deployment.not_held}
    assert {"storageType", "enableGlobalWriteForwarding", "databaseInsightsMode"} <= forgotten
    assert set() == forgotten & {"serverlessv2ScalingConfiguration", "preferredBackupWindow", "policy"}


def test_the_master_password_is_in_no_log_no_output_and_no_report(varied: Varied) -> None:
    """Not in any log group, not on the terminal, not in the outputs or the record of what was made, not in the report.

    What database_setup itself writes to its log is looked through in its own tests: the emulator keeps no INFO lines.
    """
    password = varied.first_day["password"]
    assert 32 == len(password)
    logs = [event["message"] for region in (PRIMARY, SECONDARY) for event in every_event(varied.world, region)]
    said = {
        "logs": "\n".join(logs),
        "terminal": varied.printed,
        "deployment": repr(varied.world.deployment),
        "report.json": json.dumps(varied.report.to_json()),
        "report.html": html.unescape(render_html(varied.report)),
    }
    assert [] == [where for where, text in said.items() if password in text or not text]


def every_event(world: Environment, region: str) -> Iterator[dict[str, Any]]:
    """Yield every log event of a region."""
    logs = world.clients("logs", region)
    for group in logs.describe_log_groups()["logGroups"]:
        yield from logs.filter_log_events(logGroupName=group["logGroupName"])["events"]


def test_people_can_log_in_after_the_password_was_rotated_and_not_once_they_are_taken_out(varied: Varied) -> None:
    """As the runbook rotates it, and as the next `pulumi up` invokes the function: new people, the first day's input."""
    world, cluster = varied.world, varied.world.cluster(varied.world.primary)
    ann = cluster.account("ann")
    assert ann and ("AWSAuthenticationPlugin", True) == (ann.plugin, ann.requires_tls)
    secret_id = world.outputs["primary_secret_arn"]
    secrets = world.clients("secretsmanager", PRIMARY)
    rotated = "rotated-Since-Then-0123456789-abcd"
    world.clients("rds", PRIMARY).modify_db_cluster(
        DBClusterIdentifier=world.outputs["primary_cluster_id"], MasterUserPassword=rotated, ApplyImmediately=True
    )
    secrets.put_secret_value(SecretId=secret_id, SecretString=json.dumps({**varied.first_day, "password": rotated}))

    answer = invoke_setup(world, {"bob": "read_only"}, varied.first_day)

    assert {"created": ["IAM user bob"], "removed": ["IAM user ann"]} == {
        name: answer[name] for name in ("created", "removed")
    }
    assert cluster.account("ann") is None
    assert ["GRANT SELECT ON `payments`.* TO `bob`@`%`"] == [
        str(row[0]) for row in cluster.execute("SHOW GRANTS FOR 'bob'@'%'")
    ][1:]
    standby = world.clients("secretsmanager", SECONDARY)
    replica = standby.get_secret_value(SecretId=world.outputs["secondary_secret_arn"])
    assert rotated == json.loads(replica["SecretString"])["password"]


def invoke_setup(world: Environment, people: dict[str, str], login: dict[str, str]) -> dict[str, Any]:
    """Do what the engine does when `database.iam_users` has changed: the environment, then the invocation."""
    functions, name = world.clients("lambda", PRIMARY), world.outputs["database_setup_function_name"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "IAM_USERS": json.dumps(people)}}
    )
    event = {"host": world.outputs["primary_writer_endpoint"], "port": 3306}
    answer = functions.invoke(
        FunctionName=name,
        Payload=json.dumps({**event, "username": login["username"], "password": login["password"]}).encode(),
    )
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def test_a_vpc_that_will_not_do_is_refused_in_the_preview(varied: Varied) -> None:
    """All that is wrong with it at once, before anything is made."""
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
    assert "secondary.existing_vpc.vpc_id: DNS host names off" in text
    assert f"secondary.existing_vpc.route_table_ids: the subnets use {varied.vpc.route_table_id}" in text
