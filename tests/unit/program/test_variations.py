"""The effect of each setting: one run of the program with every setting far from its default."""

import json
from typing import Any

import pytest

from components.database_parameters import cluster_parameters, instance_parameters
from settings.types import OWN_PARAMETERS
from tests.support.program.harness import ACCOUNT, EXISTING_VPC, Run, run_program
from tests.unit.program.conftest import VARIED

pytestmark = pytest.mark.slow


def parameters(run: Run, name: str) -> dict[str, tuple[str, str]]:
    """Return a parameter group's parameters: name -> (value, apply method)."""
    return {p["name"]: (p["value"], p["applyMethod"]) for p in run.named(name).inputs["parameters"]}


def with_changes(**changes: Any) -> Run:
    """Run the program with the varied settings and changes to some sections."""
    merged = {key: {**value, **changes.get(key, {})} for key, value in VARIED.items() if isinstance(value, dict)}
    return run_program(merged)


def test_serverless_range_is_set_on_its_cluster_only(varied: Run) -> None:
    """The instances have the class db.serverless; the other region keeps its class."""
    cluster = varied.named("primary-database-cluster").inputs
    assert cluster["serverlessv2ScalingConfiguration"] == {"minCapacity": 8, "maxCapacity": 64}
    assert "serverlessv2ScalingConfiguration" not in varied.named("secondary-database-cluster").inputs
    classes = {r.region: r.inputs["instanceClass"] for r in varied.of("rds/clusterInstance:ClusterInstance")}
    assert classes == {"us-east-1": "db.serverless", "eu-west-1": "db.x2g.4xlarge"}


def test_existing_vpc_is_used_and_only_security_groups_are_created(varied: Run) -> None:
    """The database and the functions use the VPC and its subnets."""
    resources = [r for r in varied.cloud if r.region == "eu-west-1"]
    network = {"ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/routeTable:RouteTable"}
    network |= {"ec2/defaultSecurityGroup:DefaultSecurityGroup"}
    assert [str(r) for r in resources if r.type.removeprefix("aws:") in network] == []
    groups = varied.of("ec2/securityGroup:SecurityGroup", "eu-west-1")
    assert {r.inputs["vpcId"] for r in groups} == {EXISTING_VPC["vpc_id"]}
    assert varied.one("rds/subnetGroup:SubnetGroup", "eu-west-1").inputs["subnetIds"] == EXISTING_VPC["subnet_ids"]
    instances = varied.of("rds/clusterInstance:ClusterInstance", "eu-west-1")
    assert [r.inputs["availabilityZone"] for r in instances] == ["zone-a", "zone-b"]
    assert varied.one("route53/zoneAssociation:ZoneAssociation").inputs["vpcId"] == EXISTING_VPC["vpc_id"]
    assert varied.exports["secondary_vpc_cidr"] == "10.99.0.0/20"


def test_peering_adds_routes_to_the_existing_vpc(varied: Run) -> None:
    """One route in each named route table, and one in the other region."""
    connection = varied.one("ec2/vpcPeeringConnection:VpcPeeringConnection").inputs
    assert connection["peerVpcId"] == EXISTING_VPC["vpc_id"]
    routes = {
        r.name: (r.inputs["routeTableId"], r.inputs["destinationCidrBlock"]) for r in varied.of("ec2/route:Route")
    }
    assert routes == {
        "peering-from-accepter-rtb-0000000a": ("rtb-0000000a", "10.10.0.0/16"),
        "peering-from-requester": ("primary-network-private-id", "10.99.0.0/20"),
    }
    admitted = {r.inputs.get("cidrIpv4") for r in varied.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")}
    assert {"10.10.0.0/16", "10.99.0.0/20"} <= admitted


def test_unsuitable_existing_vpc_fails_the_preview() -> None:
    """The subnets of the VPC use a route table that the settings do not name."""
    secondary = {"vpc_cidr": "10.99.0.0/20", "existing_vpc": EXISTING_VPC}
    run = run_program({"secondary": secondary}, preview=True)
    assert "the subnets use rtb-0000000a, which would get no route to the other region" in str(run.error)
    assert [str(r) for r in run.resources if r.region == "eu-west-1" and "vpcId" in r.inputs] == []


def test_clients_are_admitted_to_the_database_only(varied: Run) -> None:
    """By addresses and by security group, in the region of the setting."""
    rules = {
        r.name.removeprefix("primary-network-database-from-"): r.inputs
        for r in varied.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule", "us-east-1")
    }
    assert set(rules) == {"own", "peer", "10.50.0.0/16", "sg-0123456789abcdef0"}
    assert rules["10.50.0.0/16"]["cidrIpv4"] == "10.50.0.0/16"
    by_group = rules["sg-0123456789abcdef0"]
    assert by_group["referencedSecurityGroupId"] == "sg-0123456789abcdef0"
    assert "cidrIpv4" not in by_group
    assert {rule["securityGroupId"] for rule in rules.values()} == {
        varied.exports["primary_database_security_group_id"]
    }


def test_windows_are_set_per_region(varied: Run, dev: Run) -> None:
    """On the cluster and, for maintenance, on each instance; by default AWS chooses."""
    cluster = varied.named("primary-database-cluster").inputs
    windows = (cluster["preferredMaintenanceWindow"], cluster["preferredBackupWindow"])
    assert windows == ("sun:04:00-sun:05:00", "02:00-02:45")
    secondary = varied.of("rds/clusterInstance:ClusterInstance", "eu-west-1")
    count = len(secondary)
    assert [r.inputs["preferredMaintenanceWindow"] for r in secondary] == [
        f"tue:{4 + slot:02}:00-tue:{5 + slot:02}:00" for slot in (count - 1, *range(count - 1))
    ]
    names = {"preferredMaintenanceWindow", "preferredBackupWindow"}
    assert [str(r) for r in dev.cloud if names & set(r.inputs)] == []


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_both_members_have_the_database_settings(varied: Run, label: str) -> None:
    """Either of them may become the writer."""
    cluster = varied.named(f"{label}-database-cluster").inputs
    assert cluster["storageType"] == "aurora-iopt1"
    assert cluster["enableGlobalWriteForwarding"] is True
    assert (cluster["databaseInsightsMode"], cluster["performanceInsightsRetentionPeriod"]) == ("advanced", 465)
    assert cluster["enabledCloudwatchLogsExports"] == ["audit", "error", "general", "slowquery"]
    instances = [r for r in varied.of("rds/clusterInstance:ClusterInstance") if r.name.startswith(label)]
    assert {r.inputs["caCertIdentifier"] for r in instances} == {"rds-ca-ecc384-g1"}


def test_inputs_with_an_aws_default_are_not_set(dev: Run) -> None:
    """An input that is not set cannot differ from AWS's description."""
    for cluster in dev.of("rds/cluster:Cluster"):
        assert {"enableGlobalWriteForwarding", "serverlessv2ScalingConfiguration"} & set(cluster.inputs) == set()
        assert cluster.inputs["databaseInsightsMode"] == "standard"


def test_stack_parameters_are_added_with_their_apply_method(varied: Run) -> None:
    """Dynamic parameters apply immediately, all others with the next restart."""
    of_cluster = parameters(varied, "secondary-database-cluster-parameters")
    assert of_cluster["time_zone"] == ("UTC", "immediate")
    assert of_cluster["innodb_autoinc_lock_mode"] == ("2", "pending-reboot")
    assert of_cluster["server_audit_events"] == ("QUERY", "immediate")
    assert of_cluster["binlog_format"] == ("OFF", "pending-reboot")
    assert set(OWN_PARAMETERS) <= set(of_cluster)
    of_instance = parameters(varied, "primary-database-instance-parameters")
    assert of_instance == {
        "general_log": ("1", "immediate"),
        "long_query_time": ("0.5", "immediate"),
        "max_connections": ("500", "immediate"),
        "slow_query_log": ("1", "immediate"),
    }


def test_log_is_written_only_if_it_is_exported() -> None:
    """MySQL must write a log for its export, and no other log."""
    assert [p.name for p in instance_parameters({}, ["audit"])] == []
    assert {p.name for p in instance_parameters({}, ["general", "slowquery"])} == {
        "general_log",
        "long_query_time",
        "slow_query_log",
    }


def test_order_of_parameters_changes_nothing() -> None:
    """A sorted stack file gives an empty preview."""
    one, other = {"a_one": "1", "b_two": "2"}, {"b_two": "2", "a_one": "1"}
    assert cluster_parameters(one) == cluster_parameters(other)


def test_dns_records_have_the_configured_ttl(varied: Run, dev: Run) -> None:
    """5 s by default."""
    assert {r.inputs["ttl"] for r in varied.of("route53/record:Record")} == {15}
    assert {r.inputs["ttl"] for r in dev.of("route53/record:Record")} == {5}


def thresholds(run: Run, label: str) -> dict[str, float]:
    """Return the thresholds of a region's alarms by their short names."""
    return {
        r.name.removeprefix(f"{label}-watch-monitoring-"): r.inputs["threshold"]
        for r in run.of("cloudwatch/metricAlarm:MetricAlarm")
        if r.name.startswith(f"{label}-watch")
    }


def test_default_thresholds_fit_the_default_class(dev: Run) -> None:
    """A db.r6g.large has 16 GiB and at most 1000 connections."""
    found = thresholds(dev, "primary")
    assert found["connections"] == 800
    assert found["free-memory"] == 1 << 30
    names = ("replication-lag", "rpo-lag", "cpu", "deadlocks", "failed-logins", "volume")
    assert [found[name] for name in names] == [1000, 60_000, 80, 0.1, 0.5, 10 << 40]


def test_thresholds_follow_the_settings_and_the_instances(varied: Run) -> None:
    """10 % of 128 GiB (64 ACU) and of 256 GiB (db.x2g.4xlarge); 50 % of max_connections in both."""
    primary, secondary = thresholds(varied, "primary"), thresholds(varied, "secondary")
    assert (primary["replication-lag"], primary["cpu"], primary["connections"]) == (500, 70, 250)
    assert (primary["free-memory"], secondary["free-memory"]) == (int(12.8 * (1 << 30)), int(25.6 * (1 << 30)))


def test_each_person_has_a_policy_for_their_user_in_both_clusters(varied: Run) -> None:
    """A policy opens no other user."""
    (ann, bob) = sorted(varied.of("iam/policy:Policy"), key=lambda r: r.name)
    (statement,) = json.loads(ann.inputs["policy"])["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "rds-db:connect")
    assert statement["Resource"] == [
        "arn:aws:rds-db:us-east-1:123456789012:dbuser:cluster-PRIMARY-DATABASE-CLUSTER/ann",
        "arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-SECONDARY-DATABASE-CLUSTER/ann",
    ]
    assert bob.inputs["name"] == "payments-database-bob-dev"
    assert set(varied.exports["iam_user_policy_arns"]) == {"ann", "bob"}


def test_database_setup_may_log_in_as_its_own_user_only(varied: Run) -> None:
    """In both clusters, because either may be the writer."""
    statements = json.loads(varied.named("database-setup-permissions").inputs["policy"])["Statement"]
    (connect,) = [one for one in statements if one["Action"] == "rds-db:connect"]
    assert {resource.rpartition("/")[2] for resource in connect["Resource"]} == {"database_setup"}
    assert len(connect["Resource"]) == 2


def test_changed_iam_users_invoke_database_setup_again(varied: Run) -> None:
    """The trigger changes; the input with the password is ignored."""
    other = with_changes(database={"iam_users": {"ann": "read_write"}})
    assert other.error is None
    before, after = (run.one("lambda/invocation:Invocation") for run in (varied, other))
    assert before.inputs["triggers"] != after.inputs["triggers"]
    assert before.inputs["input"] == after.inputs["input"]
    assert after.ignore_changes == ("input",)
    environment = other.named("database-setup-function").inputs["environment"]["variables"]
    assert json.loads(environment["IAM_USERS"]) == {"ann": "read_write"}
    assert other.named("database-setup-function").urn in other.needs(after)


def test_order_of_iam_users_changes_nothing(varied: Run) -> None:
    """The triggers stay the same."""
    again = with_changes(database={"iam_users": {"ann": "read_only", "bob": "read_write"}})
    first, second = (run.one("lambda/invocation:Invocation") for run in (varied, again))
    assert first.inputs["triggers"] == second.inputs["triggers"]


def test_risky_settings_are_warned_about_in_the_preview() -> None:
    """Production without subscribers, with a standby that is smaller than the primary and whose zones are looked up."""
    small = {
        "environment": "prod",
        "owner": "o",
        "aws": {"account_id": ACCOUNT},
        "primary": {
            "instance_class": "db.r6g.4xlarge",
            "availability_zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        },
    }
    run = run_program(small, preview=True)
    assert run.error is None
    assert run.logged == [
        "warning: secondary.instance_class: 16 GiB of memory per instance, but the primary has 128. "
        "Use as much: after a failover the secondary carries the whole load.",
        "warning: secondary.availability_zones: each deployment asks eu-west-1 for them, so nothing can be deployed while that "
        "region is lost. Set the zones that `preflight` prints.",
        "warning: notifications.emails: no one is notified of an alarm or a failover. Set an e-mail address.",
    ]
