"""Checks of the controller, its schedule, alarms and their data, health checks, secrets, table, topic and logs.

A property that AWS does not return is unknown, never passed. The value of a secret is not read.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from functions.failover_controller.model import State, Switch
from operations.aws.ports import RegionApi
from operations.aws.read_ports import Answer, ReadApiFactory
from operations.aws.table_items import (
    CONTROLLER_SILENT_SECONDS,
    STATE,
    SWITCH,
    ParsedItem,
    describe_switch,
    is_armed,
    parse_state,
    parse_switch,
)
from operations.checks.database import DRIFT
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.stack.resources import ROLE_ALARMS, RegionResources, StackResources
from operations.support.times import age_text

ROUTE_53_REGION = "us-east-1"
"""The region of Route 53's control plane and metrics. Source: Monitoring health checks, Route 53."""
LAG_ALARMS = ("replication-lag", "rpo-lag")
"""Alarms on metrics that only the standby's region has. Source: Monitoring an Amazon Aurora global database."""
HEALTH_MINUTES = 5
DATA_WITHIN = timedelta(minutes=15)


def watch_checks(
    resources: StackResources,
    read_api_for: ReadApiFactory,
    apis: Mapping[str, RegionApi],
    writer: str | None,
    now: datetime,
) -> list[Check]:
    """Return the checks of the monitoring in both regions; `writer` is the writer's region, if known."""
    checks = []
    for here in resources.regions:
        api = read_api_for(here.region)
        runs: list[tuple[tuple[str, ...], Any]] = [
            (("controller", "armed"), partial(_read_controller, here, apis[here.region], now)),
            (("schedule",), partial(_read_schedule, here, api)),
            (("alarms", "alarm data"), partial(_read_alarms, here, api, writer, now)),
            (("secret",), partial(_read_secret, here, api)),
            (("state table",), partial(_read_table, here, api, resources.is_production)),
            (("topic",), partial(_read_topic, here, api, resources.is_production)),
            (("logs",), partial(_read_logs, here, api)),
            (("code",), partial(_read_code, here, api, resources)),
        ]
        checks += [Check(names=names, where=here.region, run=run) for names, run in runs]
    replica = partial(_read_replica, resources, read_api_for)
    checks.append(Check(names=("secret replica",), where="both", run=replica))
    dns = partial(_read_health_checks, resources, read_api_for(ROUTE_53_REGION), writer, now)
    checks.append(Check(names=("health checks",), where="global", run=dns))
    return checks


def _read_controller(here: RegionResources, api: RegionApi, now: datetime) -> list[CheckResult]:
    items = api.read_items([STATE, SWITCH])
    return [
        check_controller(here.region, parse_state(items[STATE]), now),
        check_armed(here.region, parse_switch(items[SWITCH]), now),
    ]


def check_controller(where: str, state: ParsedItem[State], now: datetime) -> CheckResult:
    """Check that the controller runs, sees no outage, and has no attempt in progress and no decision pending."""
    value, problems, age = state.value, [], None
    if state.problem is not None:
        problems.append(f"its state is {state.problem}")
    elif value is None or value.cycle_at is None:
        problems.append("it has never run")
    else:
        age = (now - value.cycle_at).total_seconds()
        if age > CONTROLLER_SILENT_SECONDS:
            problems.append(f"its last cycle is {age_text(age)} old")
        if value.dead_since is not None:
            problems.append("it counts the writer as unreachable")
        if value.attempt is not None:
            problems.append("its failover is in progress")
        if value.pending is not None:
            problems.append(f"decision {value.pending.id} waits for an answer")
    evidence = "" if age is None else f"last cycle {age_text(age)} ago"
    hint = f"Check `status --region {where}` and the log of the controller."
    return check_result("controller", where, problems=problems, evidence=evidence, hint=hint)


def check_armed(where: str, switch: ParsedItem[Switch], now: datetime) -> CheckResult:
    """Check that the controller may act."""
    armed = switch.problem is None and is_armed(switch.value, now)
    text = describe_switch(switch, now)
    hint = 'After the maintenance, run `arm --reason "..."`.'
    return check_result("armed", where, problems=[] if armed else [text], evidence=text, hint=hint)


def _read_schedule(here: RegionResources, api: Any) -> list[CheckResult]:
    return [check_schedule(here.region, api.read("scheduler", "get_schedule", Name=here.controller), here.controller)]


def check_schedule(where: str, schedule: Answer, controller: str) -> CheckResult:
    """Check that the schedule starts this controller."""
    target = str((schedule.get("Target") or {}).get("Arn", ""))
    problems = [] if schedule.get("State") == "ENABLED" else [f"it is {schedule.get('State')}"]
    if not target.endswith(f":function:{controller}"):
        problems.append(f"it starts {target or 'nothing'}")
    evidence = f"enabled, {schedule.get('ScheduleExpression')}, starts {controller}"
    return check_result("schedule", where, problems=problems, evidence=evidence, hint=DRIFT)


def _read_alarms(here: RegionResources, api: Any, writer: str | None, now: datetime) -> list[CheckResult]:
    names = list(here.alarm_names)
    found = api.read_all("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=names)
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")},
                "Period": 60,
                "Stat": "SampleCount",
            },
        }
        for number, alarm in enumerate(found)
    ]
    results = api.read_all(
        "cloudwatch",
        "get_metric_data",
        "MetricDataResults",
        MetricDataQueries=queries,
        StartTime=now - DATA_WITHIN,
        EndTime=now,
    )
    filled = {each["Id"] for each in results if each.get("Values")}
    silent = [alarm for number, alarm in enumerate(found) if f"m{number}" not in filled]
    return [
        check_alarms(here, found),
        check_alarm_data(here.region, silent, len(found), now, may_lack_lag=writer in (None, here.region)),
    ]


def check_alarms(here: RegionResources, found: Sequence[Answer]) -> CheckResult:
    """Check that every alarm exists, notifies the topic, and is not in ALARM; alarms that show a role may be and do not notify."""
    states = {str(each["AlarmName"]): each for each in found}
    problems = [f"{name} does not exist" for name in here.alarm_names if name not in states]
    for name, alarm in states.items():
        if alarm.get("StateValue") == "ALARM" and not shows_role(name):
            problems.append(f"{name} is in ALARM: {alarm.get('StateReason') or 'no reason given'}")
        if alarm.get("ActionsEnabled") is False:
            problems.append(f"{name} notifies no one: its actions are disabled")
        if here.topic_arn not in (alarm.get("AlarmActions") or ()) and not shows_role(name):
            problems.append(f"{name} notifies no one: the topic is not one of its actions")
    hint = "The runbook has a page for each alarm. `pulumi up` restores a missing alarm and its actions."
    evidence = f"{len(states)} alarms, none in ALARM except the role's"
    return check_result("alarms", here.region, problems=problems, evidence=evidence, hint=hint)


def check_alarm_data(
    where: str, silent: Sequence[Answer], count: int, now: datetime, *, may_lack_lag: bool
) -> CheckResult:
    """Check that the metrics of the alarms have data: an alarm on a metric without data never changes.

    `silent` are the alarms whose metric had no data within `DATA_WITHIN`; younger alarms are unknown.
    """
    without_data = [each for each in silent if not (may_lack_lag and is_about_lag(str(each["AlarmName"])))]
    old = [each for each in without_data if now - each.get("AlarmConfigurationUpdatedTimestamp", now) > DATA_WITHIN]
    minutes = DATA_WITHIN.total_seconds() / 60
    hint = (
        "A new stack needs some minutes. After that, the metric's name or dimensions are wrong, or it is not published."
    )
    if without_data and not old:
        names = ", ".join(str(each["AlarmName"]) for each in without_data)
        why = f"no data yet for {names}: the alarms are younger than {minutes:g} minutes"
        return unknown("alarm data", where, why=why, hint=hint)
    problems = [f"no data for {each['AlarmName']} in {minutes:g} minutes" for each in old]
    return check_result("alarm data", where, problems=problems, evidence=f"all {count} have data", hint=hint)


def shows_role(alarm_name: str) -> bool:
    """Return whether an alarm shows only the region's role, so that ALARM is no fault."""
    return any(f"-{role}-" in alarm_name for role in ROLE_ALARMS)


def is_about_lag(alarm_name: str) -> bool:
    """Return whether an alarm is on a metric that only the standby's region has."""
    return any(f"-{lag}-" in alarm_name for lag in LAG_ALARMS)


def _read_secret(here: RegionResources, api: Any) -> list[CheckResult]:
    described = api.read("secretsmanager", "describe_secret", SecretId=here.secret_arn)
    # The API class drops the value and returns only whether it exists.
    value = api.read("secretsmanager", "get_secret_value", SecretId=here.secret_arn)
    return [check_secret(here, described, is_readable=bool(value.get("IsReadable")))]


def check_secret(here: RegionResources, described: Answer, *, is_readable: bool) -> CheckResult:
    """Check that the master user's secret is readable and encrypted with this region's key."""
    problems = [] if is_readable else ["it has no value"]
    if described.get("KmsKeyId") != here.key_arn:
        problems.append(f"it is encrypted with {described.get('KmsKeyId')}, not with this region's key")
    if described.get("DeletedDate"):
        problems.append("it is scheduled for deletion")
    evidence = "readable, encrypted with this region's key"
    return check_result("secret", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def _read_replica(resources: StackResources, read_api_for: ReadApiFactory) -> list[CheckResult]:
    versions: dict[str, str | None] = {}
    replicas: list[Answer] = []
    for here in resources.regions:
        described = read_api_for(here.region).read("secretsmanager", "describe_secret", SecretId=here.secret_arn)
        stages = described.get("VersionIdsToStages") or {}
        versions[here.region] = next((each for each, names in stages.items() if "AWSCURRENT" in names), None)
        if here is resources.primary:
            replicas = described.get("ReplicationStatus") or []
    return [check_replica(resources, versions, replicas)]


def check_replica(
    resources: StackResources, versions: Mapping[str, str | None], replicas: Sequence[Answer]
) -> CheckResult:
    """Check that the replica has the same current version and is in sync according to Secrets Manager."""
    statuses = {str(each.get("Region")): each for each in replicas}
    standby = next(each.region for each in resources.regions if each is not resources.primary)
    status = statuses.get(standby, {})
    problems = []
    if status.get("Status") != "InSync":
        problems.append(f"the replica in {standby} is {status.get('Status') or 'missing'}{_message(status)}")
    if None in versions.values() or len(set(versions.values())) != 1:
        problems.append(f"the current versions differ: {', '.join(f'{k} {v}' for k, v in versions.items())}")
    hint = "Secrets Manager retries a replication. If it does not, run `replicate-secret-to-regions` with the region's key."
    return check_result(
        "secret replica", "both", problems=problems, evidence=f"{standby} is in sync, same version", hint=hint
    )


def _message(status: Answer) -> str:
    return f" ({status['StatusMessage']})" if status.get("StatusMessage") else ""


def _read_table(here: RegionResources, api: Any, is_production: bool) -> list[CheckResult]:
    table = api.read("dynamodb", "describe_table", TableName=here.table_name)["Table"]
    return [check_table(here, table, is_production=is_production)]


def check_table(here: RegionResources, table: Answer, *, is_production: bool) -> CheckResult:
    """Check that the state table is encrypted with this region's key, and protected in production."""
    sse = table.get("SSEDescription") or {}
    problems = [] if table.get("TableStatus") == "ACTIVE" else [f"it is {table.get('TableStatus')}"]
    if sse.get("KMSMasterKeyArn") != here.key_arn:
        problems.append(
            f"it is encrypted with {sse.get('KMSMasterKeyArn') or 'a key of AWS'}, not with this region's key"
        )
    if is_production and not table.get("DeletionProtectionEnabled"):
        problems.append("a production table without deletion protection")
    return check_result(
        "state table", here.region, problems=problems, evidence="active, encrypted with this region's key", hint=DRIFT
    )


def _read_topic(here: RegionResources, api: Any, is_production: bool) -> list[CheckResult]:
    attributes = api.read("sns", "get_topic_attributes", TopicArn=here.topic_arn).get("Attributes", {})
    return [check_topic(here, attributes, is_production=is_production)]


def check_topic(here: RegionResources, attributes: Mapping[str, str], *, is_production: bool) -> CheckResult:
    """Check that the topic is encrypted with this region's key and all subscriptions are confirmed, in production at least one."""
    key = attributes.get("KmsMasterKeyId")
    problems = [] if key == here.key_arn else [f"it is encrypted with {key or 'no key'}, not with this region's key"]
    pending = int(attributes.get("SubscriptionsPending") or 0)
    if pending:
        problems.append(f"{pending} subscriptions are not confirmed: they receive no notices")
    confirmed = int(attributes.get("SubscriptionsConfirmed") or 0)
    if is_production and not confirmed:
        problems.append("no subscription is confirmed: no one hears an alarm or a notice")
    evidence = f"encrypted with this region's key; {confirmed} confirmed subscriptions"
    hint = (
        "Confirm the subscription mail of AWS Notifications; without a mail, set notifications.emails and run `pulumi up`. "
        "If the key differs, run `pulumi up`."
    )
    return check_result("topic", here.region, problems=problems, evidence=evidence, hint=hint)


def _read_logs(here: RegionResources, api: Any) -> list[CheckResult]:
    groups = {}
    clusters = api.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=here.cluster_id)
    exports = clusters[0].get("EnabledCloudwatchLogsExports", []) if clusters else []
    for name in here.log_groups(exports):
        found = api.read_all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        groups[name] = next((each for each in found if each.get("logGroupName") == name), None)
    return [check_logs(here, groups)]


def check_logs(here: RegionResources, groups: Mapping[str, Answer | None]) -> CheckResult:
    """Check that every log group exists, is encrypted with this region's key, and has a retention."""
    problems = []
    for name, group in groups.items():
        if group is None:
            problems.append(f"{name} does not exist")
            continue
        if group.get("kmsKeyId") != here.key_arn:
            problems.append(f"{name} is encrypted with {group.get('kmsKeyId') or 'no key'}")
        if not group.get("retentionInDays"):
            problems.append(f"{name} has no retention")
    evidence = f"{len(groups)} groups, encrypted with this region's key, with a retention"
    return check_result("logs", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def _read_health_checks(resources: StackResources, api: Any, writer: str | None, now: datetime) -> list[CheckResult]:
    health: dict[str, float | None] = {}
    disabled = []
    for name, check_id in resources.health_checks.items():
        config = api.read("route53", "get_health_check", HealthCheckId=check_id)["HealthCheck"]["HealthCheckConfig"]
        if config.get("Disabled"):
            disabled.append(name)
        points = api.read(
            "cloudwatch",
            "get_metric_statistics",
            Namespace="AWS/Route53",
            MetricName="HealthCheckStatus",
            Dimensions=[{"Name": "HealthCheckId", "Value": check_id}],
            StartTime=now - timedelta(minutes=HEALTH_MINUTES),
            EndTime=now,
            Period=60,
            Statistics=["Minimum"],
        ).get("Datapoints", [])
        newest = max(points, key=lambda point: point["Timestamp"], default=None)
        health[name] = None if newest is None else newest["Minimum"]
    return [check_health_checks(resources, health, disabled, writer)]


def check_health_checks(
    resources: StackResources, health: Mapping[str, float | None], disabled: Sequence[str], writer: str | None
) -> CheckResult:
    """Check that each health check has the state that follows from the writer's region.

    The checks of the readers are always healthy, the others while the writer is in the primary region.
    """
    if writer is None:
        return unknown("health checks", "global", why="the writer is unknown", hint=f"Check `status`. {DRIFT}")
    is_primary = writer == resources.primary.region
    problems = [f"{name} is disabled and therefore counts as healthy" for name in disabled]
    for name, value in health.items():
        wanted = is_primary or name.startswith("reader-")
        if value is not None and (value >= 1) != wanted:
            problems.append(f"{name} is {'healthy' if value >= 1 else 'unhealthy'}, but the writer is in {writer}")
    silent = [name for name, value in health.items() if value is None]
    if not problems and silent:
        why = f"no status in the last {HEALTH_MINUTES} minutes of: {', '.join(silent)}"
        return unknown(
            "health checks", "global", why=why, hint="New health checks need some minutes. Repeat the check."
        )
    evidence = f"{len(health)} health checks match the writer in {writer}"
    hint = "DNS follows a change of roles within two minutes. After that, check the alarm of the health check."
    return check_result("health checks", "global", problems=problems, evidence=evidence, hint=hint)


def _read_code(here: RegionResources, api: Any, resources: StackResources) -> list[CheckResult]:
    functions = [here.health_check, here.controller]
    if here is resources.primary and resources.database_setup:
        functions.append(resources.database_setup)
    found = {name: api.read("lambda", "get_function_configuration", FunctionName=name) for name in functions}
    return [check_code(here.region, resources.code_sha256, found)]


def check_code(where: str, wanted: Mapping[str, str], found: Mapping[str, Answer]) -> CheckResult:
    """Check that each function runs the code of the last `pulumi up`: by the hash of the archive."""
    hint = (
        "Find out who changed the code (CloudTrail, UpdateFunctionCode), and upload it again: the runbook, page verify."
    )
    if missing := sorted(set(found) - set(wanted)):
        why = f"the outputs have no hash of {', '.join(missing)}"
        return unknown("code", where, why=why, hint="Run `pulumi up` with this version of the program.")
    problems = [
        f"{name} runs {answer.get('CodeSha256')}, not {wanted[name]}"
        for name, answer in found.items()
        if answer.get("CodeSha256") != wanted[name]
    ]
    return check_result("code", where, problems=problems, evidence=f"{len(found)} functions as deployed", hint=hint)
