"""The functions, what they may do, the alarms, and the names that follow the writer: wired as the other parts expect."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.database_setup import config as setup_environment
from functions.failover_controller import config as controller_environment
from functions.health_check import config as health_check_environment
from tests.support.program.harness import Run, run_program

Policy = Callable[[Run, str], list[dict[str, Any]]]
OTHER = {"primary": "secondary", "secondary": "primary"}
REGION = {"primary": "us-east-1", "secondary": "eu-west-1"}


def by_sid(statements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the statements of a policy by their ids."""
    return {statement["Sid"]: statement for statement in statements}


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_controller_gets_every_setting_of_the_contract(dev: Run, where: str) -> None:
    """Its environment is complete, all texts, and says the same thing from both sides."""
    own = dev.named(f"{where}-watch-controller-function").inputs["environment"]["variables"]
    peer = dev.named(f"{OTHER[where]}-watch-controller-function").inputs["environment"]["variables"]
    assert own["GLOBAL_CLUSTER_ID"] == "payments-global-dev"
    assert own["OWN_CLUSTER_ID"] == f"payments-{REGION[where]}-dev"
    assert own["PEER_REGION"] == REGION[OTHER[where]]
    assert own["HEALTH_CHECK_FUNCTION"] == "payments-health-check-dev"
    assert own["STATE_TABLE"] == "payments-failover-dev"
    assert own["METRIC_NAMESPACE"] == "AuroraFailover"
    assert own["DATABASE_PORT"] == "3306"
    assert (own["MODE"], own["FAILURE_THRESHOLD"]) == ("automatic", "3")
    assert float(own["INTERVAL_SECONDS"]) == 10
    assert (own["IN_REGION_GRACE_SECONDS"], own["COOLDOWN_SECONDS"], own["MAX_DATA_LOSS_SECONDS"]) == (
        "120",
        "900",
        "60",
    )
    for what in ("CLUSTER_ID", "CLUSTER_ARN", "WRITER_HOST", "READER_HOST"):
        assert own[f"OWN_{what}"] == peer[f"PEER_{what}"]
    assert {type(value) for value in own.values()} == {str}


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_functions_themselves_accept_what_they_are_told(any_deployment: Run, where: str) -> None:
    """Their own parsers, which refuse a missing or malformed variable, read what the program sets."""
    region = any_deployment.exports[f"{where}_region"]

    def environment(name: str) -> dict[str, str]:
        return {**any_deployment.named(name).inputs["environment"]["variables"], "AWS_REGION": region}

    settings = controller_environment.load(environment(f"{where}-watch-controller-function"))
    assert settings.own.region == region
    assert settings.global_cluster_id == any_deployment.exports["global_cluster_id"]
    assert health_check_environment.load(environment(f"{where}-health-check-function")).database_user == "health_check"
    assert setup_environment.load(environment("database-setup-function")).health_check_user == "health_check"


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_controller_runs_twice_at_most_and_is_never_started_again(dev: Run, where: str) -> None:
    """One cycles, its successor takes over; a failed start isn't repeated, for the next one comes within a minute."""
    function = dev.named(f"{where}-watch-controller-function").inputs
    assert function["reservedConcurrentExecutions"] == 2
    assert function["timeout"] == 150
    assert "vpcConfig" not in function
    schedule = dev.one("scheduler/schedule:Schedule", REGION[where])
    assert schedule.inputs["scheduleExpression"] == "rate(1 minute)"
    assert schedule.inputs["flexibleTimeWindow"] == {"mode": "OFF"}
    assert schedule.inputs["target"]["retryPolicy"]["maximumRetryAttempts"] == 0
    assert json.loads(schedule.inputs["target"]["input"]) == {"source": "schedule"}
    retries = dev.one("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", REGION[where]).inputs
    assert retries["maximumRetryAttempts"] == 0


@pytest.mark.parametrize(("function", "places"), [("watch-controller", 3), ("health-check", 9)])
def test_what_decides_and_what_looks_have_places_of_their_own(function: str, places: int) -> None:
    """In an outage the account's other functions retry: throttled, they would be blind. A new account can reserve none."""
    plain, unreserved = (
        run_program({"failover": {"reserved_concurrency": value}}).named(f"primary-{function}-function")
        for value in (3, None)
    )
    assert (places, None) == (
        plain.inputs["reservedConcurrentExecutions"],
        unreserved.inputs.get("reservedConcurrentExecutions"),
    )
    assert plain.inputs["environment"] == unreserved.inputs["environment"]


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_controller_may_fail_over_these_clusters_and_no_others(dev: Run, policy_of: Policy, where: str) -> None:
    """All three ARNs are needed: the global cluster's and both members'."""
    may = by_sid(policy_of(dev, f"{where}-watch-controller-permissions"))
    assert may["FailOver"]["Action"] == "rds:FailoverGlobalCluster"
    assert set(may["FailOver"]["Resource"]) == {
        dev.exports["global_cluster_arn"],
        dev.exports["primary_cluster_arn"],
        dev.exports["secondary_cluster_arn"],
    }
    assert set(may["InvokeHealthChecks"]["Resource"]) == {
        dev.exports["primary_health_check_function_arn"],
        dev.exports["secondary_health_check_function_arn"],
    }
    everything = [sid for sid, statement in may.items() if statement["Resource"] == "*"]
    assert everything == ["DescribeClusters", "PublishMetrics"]
    assert may["PublishMetrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "AuroraFailover"}}
    assert may["KeyOfTableAndTopic"]["Resource"] == dev.exports[f"{where}_key_arn"]


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_health_check_may_log_in_as_itself_to_both_clusters_and_nothing_else(
    dev: Run, policy_of: Policy, where: str
) -> None:
    """No AWS API at all: its log, its log-in; the network interfaces are Lambda's business, not its code's."""
    may = by_sid(policy_of(dev, f"{where}-health-check-permissions"))
    assert set(may) == {"OwnLog", "LogInAsHealthCheck"}
    assert may["LogInAsHealthCheck"]["Resource"] == [
        "arn:aws:rds-db:us-east-1:123456789012:dbuser:cluster-PRIMARY-DATABASE-CLUSTER/health_check",
        "arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-SECONDARY-DATABASE-CLUSTER/health_check",
    ]
    network = by_sid(policy_of(dev, f"{where}-health-check-network-permission"))
    assert network["FunctionManagesNoInterfaces"]["Effect"] == "Deny"
    assert network["FunctionManagesNoInterfaces"]["Condition"] == {
        "ArnEquals": {
            "lambda:SourceFunctionArn": [
                f"arn:aws:lambda:{REGION[where]}:123456789012:function:payments-health-check-dev"
            ]
        }
    }


def test_functions_in_the_network_reach_the_databases_and_nothing_else(any_run: Run) -> None:
    """Out: the database port of both networks. In: nothing. The database: in from both networks, nothing out."""
    out = any_run.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    into = any_run.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert len(out) == 6
    networks = {any_run.exports[f"{where}_vpc_cidr"] for where in ("primary", "secondary")}
    from_networks = [rule for rule in into if rule.name.endswith(("-own", "-peer"))]
    assert len(from_networks) == 4
    for rule in [*out, *into]:
        assert (rule.inputs["ipProtocol"], rule.inputs["fromPort"], rule.inputs["toPort"]) == ("tcp", 3306, 3306)
    assert {rule.inputs["cidrIpv4"] for rule in [*out, *from_networks]} == networks
    assert {name for r in any_run.of("ec2/securityGroup:SecurityGroup") for name in r.inputs} & {
        "ingress",
        "egress",
    } == set()


def test_the_set_up_runs_once_with_the_password_as_a_secret(dev: Run) -> None:
    """Only the invocation's input holds the password; the function's environment doesn't."""
    invocation = dev.one("lambda/invocation:Invocation")
    assert set(json.loads(invocation.inputs["input"])) == {"host", "port", "username", "password"}
    assert "input" in invocation.secret_inputs
    assert invocation.inputs["lifecycleScope"] == "CREATE_ONLY"
    environment = dev.named("database-setup-function").inputs["environment"]["variables"]
    assert json.loads(environment.pop("CLUSTERS")) == [
        {"host": dev.exports[f"{where}_writer_endpoint"], "port": 3306, "region": dev.exports[f"{where}_region"]}
        for where in ("primary", "secondary")
    ]
    assert environment == {
        "HEALTH_CHECK_USER": "health_check",
        "HEARTBEAT_DATABASE": "failover",
        "OWN_USER": "database_setup",
        "DATABASE": "payments",
        "IAM_USERS": "{}",
    }


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_every_region_has_the_same_alarms_and_people_hear_of_them(dev: Run, where: str) -> None:
    """Lag swaps sides with the roles, so all of it is watched on both; only a role is no reason to call anybody."""
    here = [r for r in dev.of("cloudwatch/metricAlarm:MetricAlarm") if r.name.startswith(f"{where}-")]
    there = [r for r in dev.of("cloudwatch/metricAlarm:MetricAlarm") if r.name.startswith(f"{OTHER[where]}-")]
    assert [r.inputs["name"] for r in here] == [r.inputs["name"] for r in there]
    watched = {r.inputs["metricName"] for r in here}
    assert {"AuroraGlobalDBReplicationLag", "AuroraGlobalDBRPOLag", "NoWriter", "Cycles", "Error"} <= watched
    assert {"CPUUtilization", "FreeableMemory", "DatabaseConnections", "Deadlocks", "LoginFailures"} <= watched
    silent = [r.inputs["name"] for r in here if r.inputs.get("alarmActions") != [dev.exports[f"{where}_topic_arn"]]]
    assert silent == ["payments-reader-role-dev", "payments-writer-role-dev"]
    (cycle,) = [r for r in here if r.inputs["metricName"] == "Cycles"]
    assert cycle.inputs["treatMissingData"] == "breaching"


def test_dns_follows_the_role_as_the_region_that_took_it_sees_it(dev: Run) -> None:
    """Each region speaks of its own role; each region's readers are judged by the other region."""
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


def test_the_writers_check_counts_three_votes(dev: Run) -> None:
    """Two of them for home; no child is a calculated check, which Route 53 would refuse."""
    votes = ("writer-elsewhere-remembered", "writer-elsewhere-heard", "home-is-writer")
    (writer,) = [r.inputs for r in dev.of("route53/healthCheck:HealthCheck") if r.inputs["type"] == "CALCULATED"]
    assert sorted(writer["childHealthchecks"]) == sorted(dev.exports["health_check_ids"][vote] for vote in votes)
    assert writer["childHealthThreshold"] == 2


def test_every_health_check_is_an_output(dev: Run) -> None:
    """Under the name of what it checks: those that a name follows, and the votes."""
    names = {r.name.removeprefix("dns-") for r in dev.of("route53/healthCheck:HealthCheck")}
    assert set(dev.exports["health_check_ids"]) == names
    assert len(set(dev.exports["health_check_ids"].values())) == len(names) == 6


def test_a_check_is_written_again_when_its_alarm_is_another(dev: Run) -> None:
    """Route 53 copies the alarm's settings; the provider writes them again when a trigger changes."""
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


def test_the_alarms_that_dns_follows_are_of_the_kind_that_route_53_takes(dev: Run) -> None:
    """Sixty seconds, one datapoint, a plain statistic, no metric math; missing data left to the health check."""
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


def test_the_writers_name_fails_over_and_its_second_record_has_no_check(dev: Run) -> None:
    """With a check on both and both bad, Route 53 would answer with the primary, whatever its state."""
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


def test_the_readers_name_leads_to_the_nearest_region_that_is_not_lost(dev: Run) -> None:
    """Latency records, one a region, each with the check of its region."""
    for region in ("us-east-1", "eu-west-1"):
        record = _reader(dev, region)
        assert record["latencyRoutingPolicies"] == [{"region": region}]
        assert record["healthCheckId"] == dev.exports["health_check_ids"][f"reader-{region}"]


def _reader(run: Run, region: str) -> dict[str, Any]:
    (found,) = [r.inputs for r in run.of("route53/record:Record") if r.name == f"dns-reader-{region}"]
    return dict(found)


def test_dns_alarms_stand_only_where_route_53_publishes(dev: Run, elsewhere: Run) -> None:
    """The health checks' own metrics exist in us-east-1 alone; elsewhere an alarm on them would never see data."""
    on_checks = [r for r in dev.of("cloudwatch/metricAlarm:MetricAlarm") if r.inputs["namespace"] == "AWS/Route53"]
    assert [r.region for r in on_checks] == ["us-east-1"] * 3
    assert dev.exports["dns_alarm_arns"] != []
    assert elsewhere.exports["dns_alarm_arns"] == []


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_awss_own_failover_events_reach_people(dev: Run, where: str) -> None:
    """Switchover, failover and blocked writes, by their event ids, to the region's own topic."""
    pattern = json.loads(dev.one("cloudwatch/eventRule:EventRule", REGION[where]).inputs["eventPattern"])
    ids = pattern["detail"]["EventID"]
    assert (ids[0], ids[6], ids[7], ids[10]) == ("RDS-EVENT-0181", "RDS-EVENT-0187", "RDS-EVENT-0238", "RDS-EVENT-0241")
    assert ids[11:] == ["RDS-EVENT-0390", "RDS-EVENT-0391", "RDS-EVENT-0519"]
    target = dev.named(f"{where}-watch-monitoring-failover-events-topic").inputs
    assert target["arn"] == dev.exports[f"{where}_topic_arn"]
    assert "roleArn" not in target


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_awss_own_failover_events_reach_the_audit_trail(dev: Run, policy_of: Policy, where: str) -> None:
    """The same rule starts the region's own controller, which may write its table and needs no more than before for it."""
    rule = dev.one("cloudwatch/eventRule:EventRule", REGION[where])
    function = dev.named(f"{where}-watch-controller-function")
    target = dev.named(f"{where}-watch-monitoring-failover-events-record").inputs
    assert (target["rule"], target["arn"]) == (
        rule.inputs["name"],
        dev.exports[f"{where}_failover_controller_function_arn"],
    )
    assert "roleArn" not in target
    permission = dev.one("lambda/permission:Permission", REGION[where])
    assert rule.urn in permission.dependencies
    assert {
        "action": "lambda:InvokeFunction",
        "function": function.inputs["name"],
        "principal": "events.amazonaws.com",
        "statementId": "payments-failover-events-dev",
    } == {name: value for name, value in permission.inputs.items() if name != "sourceArn"}
    assert permission.inputs["sourceArn"].endswith(rule.name)
    may = by_sid(policy_of(dev, f"{where}-watch-controller-permissions"))
    assert may["StateTable"]["Action"] == ["dynamodb:BatchGetItem", "dynamodb:PutItem"]


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_an_event_that_finds_the_controller_busy_waits_for_longer_than_a_hand_over(dev: Run, where: str) -> None:
    """Throttled is not failed: Lambda tries again, at growing intervals, until the event's age is over."""
    retries = dev.one("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", REGION[where]).inputs
    tries_at_seconds = [2**n - 1 for n in range(1, 9)]
    hand_over_seconds = 22 + 10 + 3  # a call that hangs, a cycle, an observation
    assert [at for at in tries_at_seconds if hand_over_seconds < at <= retries["maximumEventAgeInSeconds"]]


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_controller_has_the_processor_for_a_cycle(dev: Run, where: str) -> None:
    """Lambda gives processor time by memory: more than a quarter of one."""
    assert dev.named(f"{where}-watch-controller-function").inputs["memorySize"] == 512


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_dashboard_shows_only_its_own_region(dev: Run, where: str) -> None:
    """Every graph reads metrics where it stands, and its widgets fill the grid without overlapping."""
    widgets = json.loads(dev.one("cloudwatch/dashboard:Dashboard", REGION[where]).inputs["dashboardBody"])["widgets"]
    graphs = [w["properties"] for w in widgets if w["type"] == "metric"]
    assert {graph["region"] for graph in graphs} == {REGION[where]}
    corners = {(w["x"], w["y"]) for w in widgets}
    assert len(corners) == len(widgets) == 7
