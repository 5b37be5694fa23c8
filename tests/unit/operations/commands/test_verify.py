"""Verify: each check reads AWS, each fault is found, and an unreadable part is unknown, not passed."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from functions.failover_controller.model import Pending, Reason, Side, State
from operations.aws.ports import RdsRoles
from operations.aws.table_items import SWITCH
from operations.checks.database import CLUSTER_CHECKS
from operations.checks.finding import Verdict
from operations.support.errors import AwsError, ExitCode
from tests.support.operations.fake_aws import FakeAws, missing
from tests.support.operations.fakes import EAST, NOW, WEST, WEST_REGION, FakeEnvironment, after, outputs

CHECKS = {
    *("one writer", "global cluster", "available", "encryption", "backups", "deletion protection", "private", "tls"),
    *("engine", "tags", "one version", "controller", "armed", "schedule", "alarms", "alarm data", "secret"),
    *("secret replica", "state table", "topic", "logs", "code", "health checks", "probes", "dns", "replication"),
    "database heartbeat",
}


def healthy(environment: FakeEnvironment) -> FakeEnvironment:
    """Give both controllers a cycle that ended 4 s ago."""
    environment.east.put_state(State(writer=Side.OWN, cycle_at=after(-4)))
    environment.west.put_state(State(writer=Side.PEER, cycle_at=after(-4)))
    return environment


def verified(environment: FakeEnvironment) -> dict[str, Any]:
    """Run verify; return its result."""
    result = environment.run("verify", "--json")
    found = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found


def finding(found: Mapping[str, Any], check: str, where: str) -> dict[str, Any]:
    """Return one finding."""
    (one,) = [each for each in found["findings"] if (each["check"], each["where"]) == (check, where)]
    return one


def test_healthy_stack_passes_every_check(environment: FakeEnvironment) -> None:
    """Each check has evidence, and the exit code is 0."""
    found = verified(healthy(environment))
    assert {each["check"] for each in found["findings"]} == CHECKS
    assert [each for each in found["findings"] if each["verdict"] != Verdict.PASSED] == []
    assert all(each["evidence"] for each in found["findings"])
    assert (found["exit_code"], found["writer"]) == (ExitCode.DONE, EAST)


def test_text_output_lists_failures_first_with_hints(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The last line counts the failed and the unknown checks."""
    aws.change(
        WEST, "rds", "describe_db_clusters", lambda answer: answer["DBClusters"][0].update(StorageEncrypted=False)
    )
    aws.fail(EAST, "sns")
    result = healthy(environment).run("verify")
    assert result.exit_code == ExitCode.FAILED
    lines = [line for line in result.stdout.splitlines() if "failed" in line or "unknown" in line or "passed" in line]
    assert "encryption" in lines[0]
    assert "topic" in lines[1]
    assert lines[-1].split(", ")[1:] == ["1 failed", "1 unknown"]
    assert "Hint: A cluster's encryption cannot be changed" in result.stdout


def at(*path: str | int, **changes: object) -> Callable[[Any], None]:
    """Return a change that updates the dictionary at a path in an answer."""

    def change(answer: Any) -> None:
        _walk(answer, path).update(changes)

    return change


def without(*path: str | int) -> Callable[[Any], None]:
    """Return a change that deletes the element at a path in an answer."""

    def change(answer: Any) -> None:
        del _walk(answer, path[:-1])[path[-1]]

    return change


def probed(**changes: object) -> Callable[[Any], None]:
    """Return a change of every probe in an answer of health_check."""

    def change(answer: Any) -> None:
        for probe in answer["Payload"].get("probes", []):
            probe.update(changes)

    return change


def resolved(**changes: object) -> Callable[[Any], None]:
    """Return a change of the resolution of writer.<zone> in an answer of health_check."""

    def change(answer: Any) -> None:
        if "names" in answer["Payload"]:
            answer["Payload"]["names"][0].update(changes)

    return change


def _walk(answer: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        answer = answer[step]
    return answer


GLOBAL, CLUSTER, INSTANCE = ("GlobalClusters", 0), ("DBClusters", 0), ("DBInstances", 0)
MEMBERS = (*GLOBAL, "GlobalClusterMembers")
OTHER_VERSION = "8.0.mysql_aurora.3.10.3"
EARLY = "2026-11-24T11:00:00+00:00"
DESCRIBE_GLOBAL = ("rds", "describe_global_clusters")
DESCRIBE_CLUSTER = ("rds", "describe_db_clusters")
DESCRIBE_INSTANCES = ("rds", "describe_db_instances")
PARAMETERS = ("rds", "describe_db_cluster_parameters")
SCHEDULE, TABLE = ("scheduler", "get_schedule"), ("dynamodb", "describe_table")
ALARMS, DATA = ("cloudwatch", "describe_alarms"), ("cloudwatch", "get_metric_data")
SECRET, VALUE = ("secretsmanager", "describe_secret"), ("secretsmanager", "get_secret_value")
CODE = ("lambda", "get_function_configuration")
TOPIC, LOGS = ("sns", "get_topic_attributes"), ("logs", "describe_log_groups")
CHECK, INVOKE = ("route53", "get_health_check"), ("lambda", "invoke")

BROKEN: list[tuple[str, str, tuple[str, str], Callable[[Any], None], str]] = [
    (
        "global cluster",
        WEST,
        DESCRIBE_GLOBAL,
        at(*MEMBERS, 0, SynchronizationStatus="pending-resync"),
        "pending-resync",
    ),
    ("global cluster", WEST, DESCRIBE_GLOBAL, at(*MEMBERS, 0, IsWriter=True), "2 writers"),
    ("global cluster", WEST, DESCRIBE_GLOBAL, without(*MEMBERS, 1), "is not a member"),
    ("global cluster", WEST, DESCRIBE_GLOBAL, at(*MEMBERS, 0, DBClusterArn="arn:aws:rds:x"), "unknown member"),
    ("global cluster", EAST, DESCRIBE_GLOBAL, at(*GLOBAL, FailoverState={"Status": "pending"}), "in progress: pending"),
    ("global cluster", EAST, DESCRIBE_GLOBAL, at(*GLOBAL, StorageEncrypted=False), "not encrypted"),
    ("available", WEST, DESCRIBE_CLUSTER, at(*CLUSTER, Status="modifying"), "modifying"),
    ("available", WEST, DESCRIBE_INSTANCES, at(*INSTANCE, DBInstanceStatus="rebooting"), "rebooting"),
    ("encryption", EAST, DESCRIBE_CLUSTER, at(*CLUSTER, KmsKeyId="arn:other"), "arn:other"),
    ("encryption", EAST, DESCRIBE_CLUSTER, at(*CLUSTER, StorageEncrypted=False), "not encrypted"),
    ("backups", EAST, DESCRIBE_CLUSTER, at(*CLUSTER, BackupRetentionPeriod=1), "1 days"),
    ("backups", EAST, DESCRIBE_CLUSTER, at(*CLUSTER, LatestRestorableTime=after(-1000)), "16 min"),
    ("deletion protection", EAST, DESCRIBE_CLUSTER, at(*CLUSTER, DeletionProtection=True), "would fail"),
    ("private", EAST, DESCRIBE_INSTANCES, at(*INSTANCE, PubliclyAccessible=True), "publicly"),
    ("private", EAST, DESCRIBE_INSTANCES, without(*INSTANCE, "PubliclyAccessible"), "publicly accessible or unknown"),
    ("tls", WEST, PARAMETERS, at("Parameters", 0, ParameterValue="OFF"), "is OFF"),
    ("tls", WEST, PARAMETERS, without("Parameters", 0), "is None"),
    ("tls", WEST, DESCRIBE_CLUSTER, at(*CLUSTER, "DBClusterMembers", 0, DBClusterParameterGroupStatus="late"), "late"),
    ("engine", WEST, DESCRIBE_INSTANCES, at(*INSTANCE, EngineVersion=OTHER_VERSION), OTHER_VERSION),
    ("engine", WEST, DESCRIBE_INSTANCES, at(*INSTANCE, AutoMinorVersionUpgrade=True), "automatic upgrades"),
    ("tags", WEST, DESCRIBE_CLUSTER, without(*CLUSTER, "TagList", 4), "no tag ManagedBy"),
    ("tags", WEST, DESCRIBE_CLUSTER, at(*CLUSTER, "TagList", 0, Value="prod"), "tagged prod"),
    ("one version", "both", DESCRIBE_CLUSTER, at(*CLUSTER, EngineVersion=OTHER_VERSION), "differ"),
    ("schedule", WEST, SCHEDULE, at(State="DISABLED"), "DISABLED"),
    ("schedule", WEST, SCHEDULE, at("Target", Arn="arn:aws:lambda:x:1:function:other"), "other"),
    ("alarms", EAST, ALARMS, without("MetricAlarms", 4), "payments-cpu-dev does not exist"),
    ("alarms", EAST, ALARMS, at("MetricAlarms", 4, StateValue="ALARM"), "payments-cpu-dev is in ALARM"),
    ("alarms", EAST, ALARMS, at("MetricAlarms", 2, ActionsEnabled=False), "notifies no one"),
    ("alarms", EAST, ALARMS, at("MetricAlarms", 2, AlarmActions=[]), "notifies no one"),
    ("alarms", EAST, ALARMS, at("MetricAlarms", 2, AlarmActions=["arn:other"]), "the topic is not one of its actions"),
    ("alarm data", WEST, DATA, at("MetricDataResults", 3, Values=[]), "replication-lag"),
    ("alarm data", EAST, DATA, at("MetricDataResults", 2, Values=[]), "controller-silent"),
    ("secret", EAST, SECRET, at(KmsKeyId="arn:other"), "arn:other"),
    ("secret", EAST, SECRET, at(DeletedDate=NOW), "deletion"),
    ("secret", EAST, VALUE, at(IsReadable=False), "no value"),
    ("secret replica", "both", SECRET, at(VersionIdsToStages={"2" * 32: ["AWSCURRENT"]}), "differ"),
    ("state table", WEST, TABLE, at("Table", TableStatus="UPDATING"), "UPDATING"),
    ("state table", WEST, TABLE, without("Table", "SSEDescription"), "a key of AWS"),
    ("topic", WEST, TOPIC, without("Attributes", "KmsMasterKeyId"), "no key"),
    ("topic", WEST, TOPIC, at("Attributes", SubscriptionsPending="2"), "receive no notices"),
    ("logs", WEST, LOGS, without("logGroups", 0), "does not exist"),
    ("logs", WEST, LOGS, without("logGroups", 0, "kmsKeyId"), "no key"),
    ("logs", WEST, LOGS, without("logGroups", 0, "retentionInDays"), "no retention"),
    ("code", EAST, CODE, at(CodeSha256="another"), "payments-database-setup-dev runs another, not hash of database-"),
    ("code", WEST, CODE, at(CodeSha256="another"), "payments-health-check-dev runs another, not hash of health-check"),
    ("health checks", "global", CHECK, at("HealthCheck", "HealthCheckConfig", Disabled=True), "disabled"),
    ("probes", WEST, INVOKE, probed(failure="timeout: connect"), "timeout"),
    ("probes", WEST, INVOKE, probed(reachable=False), "not reachable"),
    ("dns", WEST, INVOKE, resolved(addresses=["10.1.0.1:3306"]), f"resolves to {WEST}"),
    ("dns", WEST, INVOKE, resolved(addresses=["10.9.0.1:3306"]), "not an address of either cluster"),
    ("dns", WEST, INVOKE, resolved(addresses=[], failure="not known"), "not known"),
    ("database heartbeat", "both", INVOKE, probed(heartbeat_sources={}), "never"),
    ("replication", "both", INVOKE, probed(heartbeat_at=EARLY), "does not have the heartbeat"),
]


@pytest.mark.parametrize(("check", "where", "question", "change", "said"), BROKEN)
def test_failed_check_has_evidence_and_hint(
    environment: FakeEnvironment,
    aws: FakeAws,
    check: str,
    where: str,
    question: tuple[str, str],
    change: Callable[[Any], None],
    said: str,
) -> None:
    """The finding names the region or scope of the fault, and the exit code is 6."""
    aws.change(EAST if where in (EAST, "global") else WEST, *question, change)
    found = verified(healthy(environment))
    broken = finding(found, check, where)
    assert (broken["verdict"], said in broken["evidence"]) == (Verdict.FAILED, True), broken
    assert broken["hint"]
    assert found["exit_code"] == ExitCode.FAILED


def test_each_check_has_a_failing_case() -> None:
    """The checks in `own_tests` fail in separate tests below."""
    own_tests = {"one writer", "controller", "armed"}
    assert {check for check, *_ in BROKEN} | own_tests == CHECKS


def test_production_is_protected(environment: FakeEnvironment, aws: FakeAws) -> None:
    """In production a cluster or table without protection fails."""
    environment.outputs = {**outputs(), "environment": "prod"}
    aws.change(EAST, *DESCRIBE_CLUSTER, at(*CLUSTER, "TagList", 0, Value="prod"))
    found = verified(healthy(environment))
    assert finding(found, "deletion protection", EAST)["verdict"] == Verdict.FAILED
    assert "a production table" in finding(found, "state table", WEST)["evidence"]
    assert finding(found, "tags", EAST)["verdict"] == Verdict.PASSED


@pytest.mark.parametrize(
    ("environment_name", "confirmed", "verdict"),
    [
        ("prod", "0", Verdict.FAILED),
        ("prod", None, Verdict.FAILED),
        ("prod", "1", Verdict.PASSED),
        ("dev", "0", Verdict.PASSED),
    ],
)
def test_production_topic_needs_a_confirmed_subscription(
    environment: FakeEnvironment, aws: FakeAws, environment_name: str, confirmed: str | None, verdict: Verdict
) -> None:
    """Without one no one hears an alarm; a development stack may have none."""
    environment.outputs = {**outputs(), "environment": environment_name}
    change = (
        without("Attributes", "SubscriptionsConfirmed")
        if confirmed is None
        else at("Attributes", SubscriptionsConfirmed=confirmed)
    )
    aws.change(WEST, *TOPIC, change)
    topic = finding(verified(healthy(environment)), "topic", WEST)
    assert topic["verdict"] == verdict
    assert ("no one hears an alarm" in topic["evidence"]) is (verdict is Verdict.FAILED)


def test_missing_lag_data_passes_in_the_writer_region(environment: FakeEnvironment, aws: FakeAws) -> None:
    """AWS publishes the replication lag in the standby's region only."""
    aws.change(EAST, "cloudwatch", "get_metric_data", lambda a: a["MetricDataResults"][3].update(Values=[]))
    assert finding(verified(healthy(environment)), "alarm data", EAST)["verdict"] == Verdict.PASSED


def test_alarms_younger_than_15_minutes_without_data_are_unknown(environment: FakeEnvironment, aws: FakeAws) -> None:
    """Right after `pulumi up` the metrics have no data yet."""
    aws.change(WEST, "cloudwatch", "get_metric_data", lambda a: a["MetricDataResults"].clear())

    def young(answer: Any) -> None:
        for alarm in answer["MetricAlarms"]:
            alarm["AlarmConfigurationUpdatedTimestamp"] = NOW - timedelta(minutes=14)

    aws.change(WEST, "cloudwatch", "describe_alarms", young)
    found = verified(healthy(environment))
    assert finding(found, "alarm data", WEST)["verdict"] == Verdict.UNKNOWN
    assert found["exit_code"] == ExitCode.DONE


def test_backups_without_a_restorable_time_are_unknown(environment: FakeEnvironment, aws: FakeAws) -> None:
    """A missing value must not pass."""
    aws.change(WEST, "rds", "describe_db_clusters", lambda a: a["DBClusters"][0].pop("LatestRestorableTime"))
    assert finding(verified(healthy(environment)), "backups", WEST)["verdict"] == Verdict.UNKNOWN


def test_health_checks_without_a_status_are_unknown(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The finding names each health check."""
    aws.set(EAST, "cloudwatch", "get_metric_statistics", {"Datapoints": []})
    dns = finding(verified(healthy(environment)), "health checks", "global")
    assert dns["verdict"] == Verdict.UNKNOWN
    assert "reader-us-east-1" in dns["evidence"]


def test_health_check_has_the_state_of_the_newest_minute(environment: FakeEnvironment, aws: FakeAws) -> None:
    """An unhealthy check is a fault while the writer is in the primary region."""
    points = [{"Timestamp": after(-120), "Minimum": 1.0}, {"Timestamp": after(-60), "Minimum": 0.0}]
    aws.set(EAST, "cloudwatch", "get_metric_statistics", {"Datapoints": points})
    assert "writer is unhealthy" in finding(verified(healthy(environment)), "health checks", "global")["evidence"]


def test_unhealthy_writer_check_passes_after_a_failover(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The unhealthy check routes the DNS name writer.<zone> to the other region; the readers' checks stay healthy."""

    def statistics(asked: Mapping[str, Any]) -> Any:
        is_writer_check = asked["Dimensions"][0]["Value"] == "check-1"
        return {"Datapoints": [{"Timestamp": after(-60), "Minimum": 0.0 if is_writer_check else 1.0}]}

    aws.set(EAST, "cloudwatch", "get_metric_statistics", statistics)
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert finding(verified(healthy(environment)), "health checks", "global")["verdict"] == Verdict.PASSED


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State(), "never run"),
        (State(cycle_at=after(-200)), "3 min 20 s old"),
        (State(cycle_at=NOW, dead_since=after(-9)), "counts the writer as unreachable"),
        (State(cycle_at=NOW, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=NOW)), "d-1 waits"),
    ],
)
def test_silent_controller_or_pending_failover_fails(environment: FakeEnvironment, state: State, said: str) -> None:
    """A silent controller cannot fail over, and an outage or a pending decision precedes a failover."""
    healthy(environment).west.put_state(state)
    controller = finding(verified(environment), "controller", WEST)
    assert (controller["verdict"], said in controller["evidence"]) == (Verdict.FAILED, True)


def test_armed_check_fails_in_a_disarmed_region(environment: FakeEnvironment) -> None:
    """The evidence names who disarmed the region and why."""
    healthy(environment).west.items[SWITCH] = {"armed": False, "reason": "upgrade", "by": "bob"}
    armed = finding(verified(environment), "armed", WEST)
    assert (armed["verdict"], "bob: upgrade" in armed["evidence"]) == (Verdict.FAILED, True)


def test_replication_check_polls_for_the_heartbeat(environment: FakeEnvironment, aws: FakeAws) -> None:
    """Replication takes time: a heartbeat that arrives at a later poll passes."""
    polls = iter(range(100))

    def late(answer: Any) -> None:
        for probe in answer["Payload"].get("probes", []):
            if len(answer["Payload"]["probes"]) == 1 and next(polls) < 4:
                probe["heartbeat_at"] = "2026-11-24T11:00:00+00:00"

    aws.change(WEST, "lambda", "invoke", late)
    found = verified(healthy(environment))
    assert finding(found, "replication", "both")["verdict"] == Verdict.PASSED
    assert 0.5 in environment.slept


def test_unwritten_heartbeat_fails_the_replication_check(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The evidence names the writer's region."""

    def unwritten(answer: Any) -> None:
        for probe in answer["Payload"].get("probes", []):
            probe.update(heartbeat_write_ms=None)

    aws.change(EAST, "lambda", "invoke", unwritten)
    across = finding(verified(healthy(environment)), "replication", "both")
    assert (across["verdict"], f"{EAST}: no heartbeat was written" in across["evidence"]) == (Verdict.FAILED, True)


def test_stopped_database_heartbeat_fails(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The heartbeats of the probes continue, so only the row of the database's event shows the fault."""
    still = {"database": EARLY, "us-east-1": "2026-11-24T12:00:00+00:00"}
    aws.change(WEST, *INVOKE, probed(heartbeat_sources=still))
    event = finding(verified(healthy(environment)), "database heartbeat", "both")
    assert (event["verdict"], "has stopped writing" in event["evidence"]) == (Verdict.FAILED, True)


def test_missing_probes_make_their_checks_unknown(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The paths and the replication cannot be judged without each probe."""
    aws.change(WEST, *INVOKE, lambda answer: answer["Payload"].get("probes", []).clear())
    found = verified(healthy(environment))
    asked = [finding(found, *check) for check in (("probes", WEST), ("replication", "both"))]
    assert [each["verdict"] for each in asked] == [Verdict.UNKNOWN] * 2
    assert "expected 2 probes, got 0" in asked[0]["evidence"]


def test_failed_function_makes_its_checks_unknown(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The evidence has the function's error."""
    aws.set(WEST, "lambda", "invoke", {"FunctionError": "Unhandled", "Payload": {"errorMessage": "CA_BUNDLE: no file"}})
    found = verified(healthy(environment))
    assert [finding(found, check, WEST)["verdict"] for check in ("probes", "dns")] == [Verdict.UNKNOWN] * 2
    assert "CA_BUNDLE: no file" in finding(found, "probes", WEST)["evidence"]


def test_unreachable_region_is_unknown_and_the_other_is_checked(environment: FakeEnvironment, aws: FakeAws) -> None:
    """Each finding of the unreachable region has a reason; a check of two regions is unknown or failed; the rest pass."""
    healthy(environment).fail(EAST)
    aws.fail(EAST)
    found = verified(environment)
    gone = [each for each in found["findings"] if each["where"] == EAST]
    assert {each["verdict"] for each in gone} == {Verdict.UNKNOWN}
    assert all("no answer" in each["evidence"] and each["hint"] for each in gone)
    assert "us-east-1: read_roles of us-east-1: no answer" in finding(found, "one writer", "both")["evidence"]
    assert finding(found, "tls", WEST)["verdict"] == Verdict.PASSED
    assert found["exit_code"] == ExitCode.FAILED


def test_two_unreachable_regions_leave_every_check_unknown(environment: FakeEnvironment, aws: FakeAws) -> None:
    """Without an answer nothing is known to have failed, the writer included."""
    for region in (EAST, WEST):
        environment.fail(region)
    aws.fail()
    found = verified(environment)
    assert found["counts"] == {"passed": 0, "failed": 0, "unknown": len(found["findings"])}
    assert found["exit_code"] == ExitCode.AWS
    assert "no region responds: " in finding(found, "one writer", "both")["evidence"]


def test_denied_operation_leaves_other_checks_intact(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The checks that need the denied operation are unknown, and no others."""
    aws.fail(WEST, "rds", "describe_db_cluster_parameters", AwsError("AccessDenied", hint="Use a role that may."))
    found = verified(healthy(environment))
    unknown = [each for each in found["findings"] if each["verdict"] == Verdict.UNKNOWN]
    assert [each["check"] for each in unknown] == list(CLUSTER_CHECKS)
    assert {(each["where"], each["hint"]) for each in unknown} == {(WEST, "Use a role that may.")}
    assert (found["exit_code"], {each["check"] for each in found["findings"]}) == (ExitCode.DONE, CHECKS)


def test_missing_resource_fails(environment: FakeEnvironment, aws: FakeAws) -> None:
    """AWS's answer that a resource does not exist is a failed check."""
    aws.set(WEST, "scheduler", "get_schedule", missing("schedule"))
    schedule = finding(verified(healthy(environment)), "schedule", WEST)
    assert (schedule["verdict"], "there is none" in schedule["evidence"]) == (Verdict.FAILED, True)


def test_incomplete_outputs_are_a_usage_error(environment: FakeEnvironment) -> None:
    """One error names each missing or malformed output, and AWS is not called."""
    shown: dict[str, Any] = outputs()
    regions = shown["regions"]
    del regions["primary"]["key_arn"]
    regions["secondary"]["alarm_arns"] = "all"
    environment.outputs = {**shown, "health_check_ids": None}
    result = environment.run("verify", "--json")
    assert result.exit_code == ExitCode.USAGE
    said = json.loads(result.stdout)["error"]
    assert all(name in said for name in ("regions.primary.key_arn", "regions.secondary.alarm_arns", "health_check_ids"))
    assert environment.calls == []


def test_code_is_unknown_with_outputs_of_an_older_program(environment: FakeEnvironment) -> None:
    """They have no hashes; every other check runs as before."""
    environment.outputs = {key: value for key, value in outputs().items() if key != "function_code_sha256"}
    found = verified(healthy(environment))["findings"]
    assert {each["check"] for each in found if each["verdict"] != Verdict.PASSED} == {"code"}
    assert {each["verdict"] for each in found if each["check"] == "code"} == {Verdict.UNKNOWN}
