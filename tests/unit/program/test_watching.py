"""The functions, their permissions, the alarms and the DNS names."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.database_setup import config as setup_environment
from functions.failover_controller import config as controller_environment
from functions.health_check import config as health_check_environment
from tests.support.program.harness import Run, run_program

pytestmark = pytest.mark.slow

Policy = Callable[[Run, str], list[dict[str, Any]]]
OTHER = {"primary": "secondary", "secondary": "primary"}
REGION = {"primary": "us-east-1", "secondary": "eu-west-1"}


def by_sid(statements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the statements of a policy by their ids."""
    return {statement["Sid"]: statement for statement in statements}


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_controller_environment_is_complete(dev: Run, label: str) -> None:
    """Every value is a string, and both regions agree about the clusters."""
    own = dev.named(f"{label}-watch-controller-function").inputs["environment"]["variables"]
    peer = dev.named(f"{OTHER[label]}-watch-controller-function").inputs["environment"]["variables"]
    assert own["GLOBAL_CLUSTER_ID"] == "payments-global-dev"
    assert own["OWN_CLUSTER_ID"] == f"payments-{REGION[label]}-dev"
    assert own["PEER_REGION"] == REGION[OTHER[label]]
    assert own["HEALTH_CHECK_FUNCTION"] == "payments-health-check-dev"
    assert own["STATE_TABLE"] == "payments-failover-dev"
    assert own["METRIC_NAMESPACE"] == "AuroraFailover"
    assert own["DATABASE_PORT"] == "3306"
    assert (own["MODE"], own["FAILURE_THRESHOLD"]) == ("automatic", "5")
    assert float(own["INTERVAL_SECONDS"]) == 10
    assert (own["IN_REGION_GRACE_SECONDS"], own["COOLDOWN_SECONDS"], own["MAX_DATA_LOSS_SECONDS"]) == (
        "120",
        "900",
        "60",
    )
    for name in ("CLUSTER_ID", "CLUSTER_ARN", "WRITER_HOST", "READER_HOST"):
        assert own[f"OWN_{name}"] == peer[f"PEER_{name}"]
    assert {type(value) for value in own.values()} == {str}


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_functions_accept_their_environment(any_deployment: Run, label: str) -> None:
    """The functions' own parsers refuse a missing or malformed variable."""
    region = any_deployment.exports[f"{label}_region"]

    def environment(name: str) -> dict[str, str]:
        return {**any_deployment.named(name).inputs["environment"]["variables"], "AWS_REGION": region}

    settings = controller_environment.load(environment(f"{label}-watch-controller-function"))
    assert settings.own.region == region
    assert settings.global_cluster_id == any_deployment.exports["global_cluster_id"]
    assert health_check_environment.load(environment(f"{label}-health-check-function")).database_user == "health_check"
    assert setup_environment.load(environment("database-setup-function")).health_check_user == "health_check"


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_controller_has_two_slots_and_no_retries(dev: Run, label: str) -> None:
    """A successor takes over from the running invocation; the schedule starts one every minute."""
    function = dev.named(f"{label}-watch-controller-function").inputs
    assert function["reservedConcurrentExecutions"] == 2
    assert function["timeout"] == 150
    assert "vpcConfig" not in function
    schedule = dev.one("scheduler/schedule:Schedule", REGION[label])
    assert schedule.inputs["scheduleExpression"] == "rate(1 minute)"
    assert schedule.inputs["flexibleTimeWindow"] == {"mode": "OFF"}
    assert schedule.inputs["target"]["retryPolicy"]["maximumRetryAttempts"] == 0
    assert json.loads(schedule.inputs["target"]["input"]) == {"source": "schedule"}
    retries = dev.one("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", REGION[label]).inputs
    assert retries["maximumRetryAttempts"] == 0


@pytest.mark.parametrize(("function", "slots"), [("watch-controller", 3), ("health-check", 9)])
def test_controller_and_health_check_reserve_concurrency(function: str, slots: int) -> None:
    """Other functions of the account retry in an outage. A new account can reserve no concurrency."""
    plain, unreserved = (
        run_program({"failover": {"reserved_concurrency": value}}).named(f"primary-{function}-function")
        for value in (3, None)
    )
    assert (slots, None) == (
        plain.inputs["reservedConcurrentExecutions"],
        unreserved.inputs.get("reservedConcurrentExecutions"),
    )
    assert plain.inputs["environment"] == unreserved.inputs["environment"]


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_controller_may_fail_over_its_own_clusters_only(dev: Run, policy_of: Policy, label: str) -> None:
    """AWS requires the ARNs of the global cluster and both members."""
    statements = by_sid(policy_of(dev, f"{label}-watch-controller-permissions"))
    assert statements["FailOver"]["Action"] == "rds:FailoverGlobalCluster"
    assert set(statements["FailOver"]["Resource"]) == {
        dev.exports["global_cluster_arn"],
        dev.exports["primary_cluster_arn"],
        dev.exports["secondary_cluster_arn"],
    }
    assert set(statements["InvokeHealthChecks"]["Resource"]) == {
        dev.exports["primary_health_check_function_arn"],
        dev.exports["secondary_health_check_function_arn"],
    }
    unrestricted = [sid for sid, statement in statements.items() if statement["Resource"] == "*"]
    assert unrestricted == ["DescribeClusters", "PublishMetrics"]
    assert statements["PublishMetrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "AuroraFailover"}}
    assert statements["KeyOfTableTopicAndQueue"]["Resource"] == dev.exports[f"{label}_key_arn"]


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_health_check_may_only_log_in_to_both_clusters(dev: Run, policy_of: Policy, label: str) -> None:
    """Besides its own log group and environment; Lambda, and not the function's code, manages the network interfaces."""
    statements = by_sid(policy_of(dev, f"{label}-health-check-permissions"))
    assert set(statements) == {"OwnLog", "OwnEnvironment", "LogInAsHealthCheck"}
    assert statements["LogInAsHealthCheck"]["Resource"] == [
        "arn:aws:rds-db:us-east-1:123456789012:dbuser:cluster-PRIMARY-DATABASE-CLUSTER/health_check",
        "arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-SECONDARY-DATABASE-CLUSTER/health_check",
    ]
    network = by_sid(policy_of(dev, f"{label}-health-check-network-permission"))
    assert network["FunctionManagesNoInterfaces"]["Effect"] == "Deny"
    assert network["FunctionManagesNoInterfaces"]["Condition"] == {
        "ArnEquals": {
            "lambda:SourceFunctionArn": [
                f"arn:aws:lambda:{REGION[label]}:123456789012:function:payments-health-check-dev"
            ]
        }
    }


def test_functions_in_the_vpc_reach_the_databases_only(any_run: Run) -> None:
    """The functions have no inbound rule, and the databases have no outbound rule."""
    egress = any_run.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    ingress = any_run.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert len(egress) == 6
    networks = {any_run.exports[f"{label}_vpc_cidr"] for label in ("primary", "secondary")}
    from_networks = [rule for rule in ingress if rule.name.endswith(("-own", "-peer"))]
    assert len(from_networks) == 4
    for rule in [*egress, *ingress]:
        assert (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"]) == ("tcp", 3306, 3306)
    assert {rule.inputs["cidrIpv4"] for rule in [*egress, *from_networks]} == networks
    assert {name for r in any_run.of("ec2/securityGroup:SecurityGroup") for name in r.inputs} & {
        "ingress",
        "egress",
    } == set()


def test_database_setup_receives_the_password_as_a_secret_input(dev: Run) -> None:
    """The function's environment does not contain it."""
    invocation = dev.one("lambda/invocation:Invocation")
    assert set(json.loads(invocation.inputs["input"])) == {"host", "port", "username", "password"}
    assert "input" in invocation.secret_inputs
    assert invocation.inputs["lifecycleScope"] == "CREATE_ONLY"
    environment = dev.named("database-setup-function").inputs["environment"]["variables"]
    assert json.loads(environment.pop("CLUSTERS")) == [
        {"host": dev.exports[f"{label}_writer_endpoint"], "port": 3306, "region": dev.exports[f"{label}_region"]}
        for label in ("primary", "secondary")
    ]
    assert environment == {
        "HEALTH_CHECK_USER": "health_check",
        "HEARTBEAT_DATABASE": "failover",
        "OWN_USER": "database_setup",
        "DATABASE": "payments",
        "IAM_USERS": "{}",
    }


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_both_regions_have_the_same_alarms_with_subscribers(dev: Run, label: str) -> None:
    """The lag metrics exist in the current standby region only; the role alarms notify no one."""
    own = [r for r in dev.of("cloudwatch/metricAlarm:MetricAlarm") if r.name.startswith(f"{label}-")]
    peer = [r for r in dev.of("cloudwatch/metricAlarm:MetricAlarm") if r.name.startswith(f"{OTHER[label]}-")]
    assert [r.inputs["name"] for r in own] == [r.inputs["name"] for r in peer]
    watched = {r.inputs["metricName"] for r in own}
    assert {"AuroraGlobalDBReplicationLag", "AuroraGlobalDBRPOLag", "NoWriter", "Cycles", "Error"} <= watched
    assert {"CPUUtilization", "FreeableMemory", "DatabaseConnections", "Deadlocks", "LoginFailures"} <= watched
    silent = [r.inputs["name"] for r in own if r.inputs.get("alarmActions") != [dev.exports[f"{label}_topic_arn"]]]
    assert silent == ["payments-reader-role-dev", "payments-writer-role-dev"]
    (cycle,) = [r for r in own if r.inputs["metricName"] == "Cycles"]
    assert cycle.inputs["treatMissingData"] == "breaching"


def test_health_checks_follow_the_alarms_of_each_region(dev: Run) -> None:
    """A region reports its own role; the check of its readers uses the other region's alarm."""
    checks = {
        r.name: (
            r.inputs["cloudwatchAlarmName"],
            r.inputs["cloudwatchAlarmRegion"],
            r.inputs["insufficientDataHealthStatus"],
        )
        for r in dev.of("route53/healthCheck:HealthCheck")
        if r.inputs["type"] == "CLOUDWATCH_METRIC"
    }
    assert checks == {
        "dns-writer-elsewhere-remembered": ("payments-writer-role-dev", "eu-west-1", "LastKnownStatus"),
        "dns-writer-elsewhere-heard": ("payments-writer-role-dev", "eu-west-1", "Healthy"),
        "dns-home-is-writer": ("payments-reader-role-dev", "us-east-1", "Unhealthy"),
        "dns-reader-us-east-1": ("payments-peer-region-lost-dev", "eu-west-1", "LastKnownStatus"),
        "dns-reader-eu-west-1": ("payments-peer-region-lost-dev", "us-east-1", "LastKnownStatus"),
    }


def test_writer_check_needs_two_of_three_votes(dev: Run) -> None:
    """Route 53 refuses calculated checks as children."""
    votes = ("writer-elsewhere-remembered", "writer-elsewhere-heard", "home-is-writer")
    (writer,) = [r.inputs for r in dev.of("route53/healthCheck:HealthCheck") if r.inputs["type"] == "CALCULATED"]
    assert sorted(writer["childHealthchecks"]) == sorted(dev.exports["health_check_ids"][vote] for vote in votes)
    assert writer["childHealthThreshold"] == 2


def test_every_health_check_is_an_output(dev: Run) -> None:
    """By its logical name: the checks of the records and the votes."""
    names = {r.name.removeprefix("dns-") for r in dev.of("route53/healthCheck:HealthCheck")}
    assert set(dev.exports["health_check_ids"]) == names
    assert len(set(dev.exports["health_check_ids"].values())) == len(names) == 6


def test_health_check_is_updated_when_its_alarm_changes(dev: Run) -> None:
    """Route 53 copies the alarm's settings, and the provider updates them when a trigger changes."""
    assert _check(dev, "dns-writer-elsewhere-heard")["triggers"] == {
        "metric": "Maximum of WriterRole",
        "condition": "GreaterThanOrEqualToThreshold 1 in 1 min",
    }
    assert _check(dev, "dns-home-is-writer")["triggers"] == {
        "metric": "Maximum of WriterRole",
        "condition": "LessThanThreshold 1 in 1 min",
    }


def _check(run: Run, name: str) -> dict[str, Any]:
    (found,) = [r.inputs for r in run.of("route53/healthCheck:HealthCheck") if r.name == name]
    return dict(found)


def test_alarms_of_dns_are_supported_by_route_53(dev: Run) -> None:
    """One period of 60 s, one datapoint, no metric math; the health check decides about missing data."""
    at_least, below = "GreaterThanOrEqualToThreshold", "LessThanThreshold"
    expected = {
        "payments-writer-role-dev": ("WriterRole", at_least),
        "payments-reader-role-dev": ("WriterRole", below),
        "payments-peer-region-lost-dev": ("PeerRegionLost", at_least),
    }
    alarms = [r.inputs for r in dev.of("cloudwatch/metricAlarm:MetricAlarm") if r.inputs["name"] in expected]
    assert len(alarms) == 6
    for alarm in alarms:
        assert (alarm["metricName"], alarm["comparisonOperator"]) == expected[alarm["name"]]
        assert alarm["namespace"] == "AuroraFailover"
        assert alarm["dimensions"] == {"GlobalCluster": "payments-global-dev"}
        assert (alarm["statistic"], alarm["period"], alarm["evaluationPeriods"]) == ("Maximum", 60, 1)
        assert (alarm["threshold"], alarm["treatMissingData"]) == (1, "missing")
        assert "datapointsToAlarm" not in alarm
        assert "metricQueries" not in alarm


def test_writer_name_has_a_failover_record_without_a_check(dev: Run) -> None:
    """If both records had unhealthy checks, Route 53 would answer with the primary."""
    records = {r.name: r.inputs for r in dev.of("route53/record:Record")}
    first, second = records["dns-writer-primary"], records["dns-writer-secondary"]
    assert first["failoverRoutingPolicies"] == [{"type": "PRIMARY"}]
    assert second["failoverRoutingPolicies"] == [{"type": "SECONDARY"}]
    assert first["records"] == [dev.exports["primary_writer_endpoint"]]
    assert second["records"] == [dev.exports["secondary_writer_endpoint"]]
    assert first["healthCheckId"] == dev.exports["health_check_ids"]["writer"]
    assert "healthCheckId" not in second
    assert {(r["type"], r["ttl"]) for r in records.values()} == {("CNAME", 5)}
    assert dev.exports["writer_dns_name"] == "writer.payments-dev.internal"


def test_reader_name_has_latency_records_with_checks(dev: Run) -> None:
    """One record for each region, with the check of that region."""
    for region in ("us-east-1", "eu-west-1"):
        record = _reader(dev, region)
        assert record["latencyRoutingPolicies"] == [{"region": region}]
        assert record["healthCheckId"] == dev.exports["health_check_ids"][f"reader-{region}"]


def _reader(run: Run, region: str) -> dict[str, Any]:
    (found,) = [r.inputs for r in run.of("route53/record:Record") if r.name == f"dns-reader-{region}"]
    return dict(found)


def test_dns_alarms_exist_in_us_east_1_only(dev: Run, elsewhere: Run) -> None:
    """Route 53 publishes the metrics of health checks in us-east-1 only."""
    alarms = [r for r in dev.of("cloudwatch/metricAlarm:MetricAlarm") if r.inputs["namespace"] == "AWS/Route53"]
    assert [r.region for r in alarms] == ["us-east-1"] * 3
    assert dev.exports["dns_alarm_arns"] != []
    assert elsewhere.exports["dns_alarm_arns"] == []


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_failover_events_of_aws_reach_the_topic(dev: Run, label: str) -> None:
    """Switchover, failover and blocked writes, by their event ids."""
    pattern = json.loads(dev.one("cloudwatch/eventRule:EventRule", REGION[label]).inputs["eventPattern"])
    ids = pattern["detail"]["EventID"]
    assert (ids[0], ids[6], ids[7], ids[10]) == ("RDS-EVENT-0181", "RDS-EVENT-0187", "RDS-EVENT-0238", "RDS-EVENT-0241")
    assert ids[11:] == ["RDS-EVENT-0390", "RDS-EVENT-0391", "RDS-EVENT-0519"]
    target = dev.named(f"{label}-watch-monitoring-failover-events-topic").inputs
    assert target["arn"] == dev.exports[f"{label}_topic_arn"]
    assert "roleArn" not in target


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_failover_events_of_aws_reach_the_audit_trail(dev: Run, policy_of: Policy, label: str) -> None:
    """The same rule invokes the region's controller, which needs no further permission."""
    rule = dev.one("cloudwatch/eventRule:EventRule", REGION[label])
    function = dev.named(f"{label}-watch-controller-function")
    target = dev.named(f"{label}-watch-monitoring-failover-events-record").inputs
    assert (target["rule"], target["arn"]) == (
        rule.inputs["name"],
        dev.exports[f"{label}_failover_controller_function_arn"],
    )
    assert "roleArn" not in target
    permission = dev.one("lambda/permission:Permission", REGION[label])
    assert rule.urn in permission.dependencies
    assert {
        "action": "lambda:InvokeFunction",
        "function": function.inputs["name"],
        "principal": "events.amazonaws.com",
        "statementId": "payments-failover-events-dev",
    } == {name: value for name, value in permission.inputs.items() if name != "sourceArn"}
    assert permission.inputs["sourceArn"].endswith(rule.name)
    statements = by_sid(policy_of(dev, f"{label}-watch-controller-permissions"))
    assert statements["StateTable"]["Action"] == [
        "dynamodb:BatchGetItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:PutItem",
    ]


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_throttled_event_is_retried_for_longer_than_a_hand_over(dev: Run, label: str) -> None:
    """Lambda retries a throttled event at growing intervals until the maximum event age."""
    retries = dev.one("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", REGION[label]).inputs
    tries_at_seconds = [2**n - 1 for n in range(1, 9)]
    hand_over_seconds = 22 + 10 + 3  # an unanswered call, a cycle, an observation
    assert [at for at in tries_at_seconds if hand_over_seconds < at <= retries["maximumEventAgeInSeconds"]]


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_controller_has_the_memory_for_a_cycle(dev: Run, label: str) -> None:
    """Lambda allocates CPU by memory: more than a quarter of a vCPU."""
    assert dev.named(f"{label}-watch-controller-function").inputs["memorySize"] == 512


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_dashboard_shows_its_own_region_only(dev: Run, label: str) -> None:
    """The widgets do not overlap."""
    widgets = json.loads(dev.one("cloudwatch/dashboard:Dashboard", REGION[label]).inputs["dashboardBody"])["widgets"]
    graphs = [w["properties"] for w in widgets if w["type"] == "metric"]
    assert {graph["region"] for graph in graphs} == {REGION[label]}
    corners = {(w["x"], w["y"]) for w in widgets}
    assert len(corners) == len(widgets) == 7
