"""What the system promises of its watch: a beating controller, its schedule, alarms with data, DNS checks, encryption.

Owns the judgement of what stands around the database, and which questions it takes. Does no I/O but through the ports.
Invariant: what AWS does not say is unknown, never passed; no secret's value is looked at.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from functions.failover_controller.model import State, Switch
from operations.aws.ports import RegionApi
from operations.aws.read_ports import Answer, ReadApiFactory
from operations.aws.table_items import STATE, SWITCH, ParsedItem, is_armed, parse_state, parse_switch
from operations.checks.database import DRIFT
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.commands.approve_plan import CONTROLLER_SILENT_SECONDS
from operations.commands.arm_plan import describe
from operations.stack.resources import ROLE_ALARMS, RegionResources, StackResources
from operations.support.times import age_text

ROUTE_53_REGION = "us-east-1"
"""Where Route 53's control plane and the metrics of its health checks are. Source: Monitoring health checks, Route 53."""
LAG_ALARMS = ("replication-lag", "rpo-lag")
"""The metrics that only the standby's region has. Source: Monitoring an Amazon Aurora global database."""
HEALTH_MINUTES = 5
DATA_WITHIN = timedelta(minutes=15)


def watch_checks(
    resources: StackResources,
    read_api_for: ReadApiFactory,
    apis: Mapping[str, RegionApi],
    writer: str | None,
    now: datetime,
) -> list[Check]:
    """Return the looks at what watches, in both regions; `writer` is the writer's region, if it is known."""
    checks = []
    for here in resources.regions:
        ask = read_api_for(here.region)
        looks: list[tuple[tuple[str, ...], Any]] = [
            (("controller", "armed"), partial(_look_at_controller, here, apis[here.region], now)),
            (("schedule",), partial(_look_at_schedule, here, ask)),
            (("alarms", "alarm data"), partial(_look_at_alarms, here, ask, writer, now)),
            (("secret",), partial(_look_at_secret, here, ask)),
            (("state table",), partial(_look_at_table, here, ask, resources.is_production)),
            (("topic",), partial(_look_at_topic, here, ask)),
            (("logs",), partial(_look_at_logs, here, ask)),
        ]
        checks += [Check(names=promises, where=here.region, run=look) for promises, look in looks]
    replica = partial(_look_at_replica, resources, read_api_for)
    checks.append(Check(names=("secret replica",), where="both", run=replica))
    dns = partial(_look_at_health_checks, resources, read_api_for(ROUTE_53_REGION), writer, now)
    checks.append(Check(names=("health checks",), where="global", run=dns))
    return checks


def _look_at_controller(here: RegionResources, api: RegionApi, now: datetime) -> list[CheckResult]:
    items = api.read_items([STATE, SWITCH])
    return [
        check_controller(here.region, parse_state(items[STATE]), now),
        check_armed(here.region, parse_switch(items[SWITCH]), now),
    ]


def check_controller(where: str, state: ParsedItem[State], now: datetime) -> CheckResult:
    """Return whether the controller cycles and has nothing on its mind."""
    value, problems, age = state.value, [], None
    if state.problem is not None:
        problems.append(f"its state is {state.problem}")
    elif value is None or value.cycle_at is None:
        problems.append("it has never beaten")
    else:
        age = (now - value.cycle_at).total_seconds()
        if age > CONTROLLER_SILENT_SECONDS:
            problems.append(f"its last cycle is {age_text(age)} old")
        if value.dead_since is not None:
            problems.append("it counts the writer as dead")
        if value.attempt is not None:
            problems.append("a failover of its own is under way")
        if value.pending is not None:
            problems.append(f"the decision {value.pending.id} waits for an answer")
    evidence = "" if age is None else f"last cycle {age_text(age)} ago"
    hint = f"Look at `status --region {where}` and at the log of the controller there."
    return check_result("controller", where, problems=problems, evidence=evidence, hint=hint)


def check_armed(where: str, switch: ParsedItem[Switch], now: datetime) -> CheckResult:
    """Return whether the controller may act."""
    armed = switch.problem is None and is_armed(switch.value, now)
    text = describe(switch, now)
    hint = 'When the work is done: `arm --reason "..."`.'
    return check_result("armed", where, problems=[] if armed else [text], evidence=text, hint=hint)


def _look_at_schedule(here: RegionResources, ask: Any) -> list[CheckResult]:
    return [check_schedule(here.region, ask.read("scheduler", "get_schedule", Name=here.controller), here.controller)]


def check_schedule(where: str, schedule: Answer, controller: str) -> CheckResult:
    """Return whether the schedule starts this controller."""
    target = str((schedule.get("Target") or {}).get("Arn", ""))
    problems = [] if schedule.get("State") == "ENABLED" else [f"it is {schedule.get('State')}"]
    if not target.endswith(f":function:{controller}"):
        problems.append(f"it starts {target or 'nothing'}")
    evidence = f"enabled, {schedule.get('ScheduleExpression')}, starts {controller}"
    return check_result("schedule", where, problems=problems, evidence=evidence, hint=DRIFT)


def _look_at_alarms(here: RegionResources, ask: Any, writer: str | None, now: datetime) -> list[CheckResult]:
    names = list(here.alarm_names)
    found = ask.read_all("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=names)
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
    results = ask.read_all(
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
        check_alarms(here.region, names, found),
        check_alarm_data(here.region, silent, len(found), now, may_lack_lag=writer in (None, here.region)),
    ]


def check_alarms(where: str, names: Sequence[str], found: Sequence[Answer]) -> CheckResult:
    """Return whether every alarm exists and acts, and none is on that is no role."""
    states = {str(each["AlarmName"]): each for each in found}
    problems = [f"{name} does not exist" for name in names if name not in states]
    for name, alarm in states.items():
        if alarm.get("StateValue") == "ALARM" and not tells_a_role(name):
            problems.append(f"{name} is on: {alarm.get('StateReason') or 'no reason given'}")
        if alarm.get("ActionsEnabled") is False:
            problems.append(f"{name} tells nobody: its actions are off")
    hint = "An alarm that is on has a page in the runbook; one that is missing or mute: `pulumi up`."
    evidence = f"{len(states)} alarms, none on but the role's"
    return check_result("alarms", where, problems=problems, evidence=evidence, hint=hint)


def check_alarm_data(
    where: str, silent: Sequence[Answer], count: int, now: datetime, *, may_lack_lag: bool
) -> CheckResult:
    """Return whether the metrics behind the alarms have data: an alarm on a metric that nobody publishes is never on.

    `silent` are the alarms whose metric had none in `DATA_WITHIN`; those that are younger than that can't be told yet.
    """
    wanting = [each for each in silent if not (may_lack_lag and is_about_lag(str(each["AlarmName"])))]
    old = [each for each in wanting if now - each.get("AlarmConfigurationUpdatedTimestamp", now) > DATA_WITHIN]
    minutes = DATA_WITHIN.total_seconds() / 60
    hint = (
        "A new stack needs some minutes; after that, the metric's name or dimensions are wrong, or nobody publishes it."
    )
    if wanting and not old:
        names = ", ".join(str(each["AlarmName"]) for each in wanting)
        why = f"no data yet behind {names}: the alarms are younger than {minutes:g} minutes"
        return unknown("alarm data", where, why=why, hint=hint)
    problems = [f"nothing behind {each['AlarmName']} in {minutes:g} minutes" for each in old]
    return check_result("alarm data", where, problems=problems, evidence=f"all {count} have data", hint=hint)


def tells_a_role(alarm_name: str) -> bool:
    """Whether an alarm tells which role the region has, and so is on without a fault."""
    return any(f"-{role}-" in alarm_name for role in ROLE_ALARMS)


def is_about_lag(alarm_name: str) -> bool:
    """Whether an alarm watches a metric that only the standby's region has."""
    return any(f"-{lag}-" in alarm_name for lag in LAG_ALARMS)


def _look_at_secret(here: RegionResources, ask: Any) -> list[CheckResult]:
    described = ask.read("secretsmanager", "describe_secret", SecretId=here.secret_arn)
    # The adapter drops the value: that there is one is all that gets here.
    value = ask.read("secretsmanager", "get_secret_value", SecretId=here.secret_arn)
    return [check_secret(here, described, is_readable=bool(value.get("IsReadable")))]


def check_secret(here: RegionResources, described: Answer, *, is_readable: bool) -> CheckResult:
    """Return whether the master user's secret can be read here, under this region's own key."""
    problems = [] if is_readable else ["it has no value"]
    if described.get("KmsKeyId") != here.key_arn:
        problems.append(f"it is under {described.get('KmsKeyId')}, not under this region's key")
    if described.get("DeletedDate"):
        problems.append("it is scheduled for deletion")
    evidence = "readable, under this region's key"
    return check_result("secret", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def _look_at_replica(resources: StackResources, read_api_for: ReadApiFactory) -> list[CheckResult]:
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
    """Return whether the replica has the same current version, and Secrets Manager says that it is in sync."""
    statuses = {str(each.get("Region")): each for each in replicas}
    away = next(each.region for each in resources.regions if each is not resources.primary)
    status = statuses.get(away, {})
    problems = []
    if status.get("Status") != "InSync":
        problems.append(f"the replica in {away} is {status.get('Status') or 'not there'}{_said(status)}")
    if None in versions.values() or len(set(versions.values())) != 1:
        problems.append(f"the current versions differ: {', '.join(f'{k} {v}' for k, v in versions.items())}")
    hint = (
        "Secrets Manager repeats a replication by itself; if not: `replicate-secret-to-regions` with the region's key."
    )
    return check_result(
        "secret replica", "both", problems=problems, evidence=f"{away} is in sync, same version", hint=hint
    )


def _said(status: Answer) -> str:
    return f" ({status['StatusMessage']})" if status.get("StatusMessage") else ""


def _look_at_table(here: RegionResources, ask: Any, is_production: bool) -> list[CheckResult]:
    table = ask.read("dynamodb", "describe_table", TableName=here.table_name)["Table"]
    return [check_table(here, table, is_production=is_production)]


def check_table(here: RegionResources, table: Answer, *, is_production: bool) -> CheckResult:
    """Return whether the table of state, lock and history is under this region's key, and protected in production."""
    sse = table.get("SSEDescription") or {}
    problems = [] if table.get("TableStatus") == "ACTIVE" else [f"it is {table.get('TableStatus')}"]
    if sse.get("KMSMasterKeyArn") != here.key_arn:
        problems.append(f"it is under {sse.get('KMSMasterKeyArn') or 'a key of AWS'}, not under this region's key")
    if is_production and not table.get("DeletionProtectionEnabled"):
        problems.append("a production table without deletion protection")
    return check_result(
        "state table", here.region, problems=problems, evidence="active, under this region's key", hint=DRIFT
    )


def _look_at_topic(here: RegionResources, ask: Any) -> list[CheckResult]:
    attributes = ask.read("sns", "get_topic_attributes", TopicArn=here.topic_arn).get("Attributes", {})
    return [check_topic(here, attributes)]


def check_topic(here: RegionResources, attributes: Mapping[str, str]) -> CheckResult:
    """Return whether notices are encrypted with this region's key, and somebody hears them."""
    key = attributes.get("KmsMasterKeyId")
    problems = [] if key == here.key_arn else [f"it is under {key or 'no key'}, not under this region's key"]
    pending = int(attributes.get("SubscriptionsPending") or 0)
    if pending:
        problems.append(f"{pending} subscriptions wait to be confirmed: those people hear nothing")
    confirmed = int(attributes.get("SubscriptionsConfirmed") or 0)
    evidence = f"under this region's key; {confirmed} confirmed subscriptions"
    hint = "Confirm the mail of AWS Notifications; a key that differs: `pulumi up`."
    return check_result("topic", here.region, problems=problems, evidence=evidence, hint=hint)


def _look_at_logs(here: RegionResources, ask: Any) -> list[CheckResult]:
    groups = {}
    clusters = ask.read_all("rds", "describe_db_clusters", "DBClusters", DBClusterIdentifier=here.cluster_id)
    exports = clusters[0].get("EnabledCloudwatchLogsExports", []) if clusters else []
    for name in here.log_groups(exports):
        found = ask.read_all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        groups[name] = next((each for each in found if each.get("logGroupName") == name), None)
    return [check_logs(here, groups)]


def check_logs(here: RegionResources, groups: Mapping[str, Answer | None]) -> CheckResult:
    """Return whether every log group exists, is under this region's key, and ends some day."""
    problems = []
    for name, group in groups.items():
        if group is None:
            problems.append(f"{name} does not exist")
            continue
        if group.get("kmsKeyId") != here.key_arn:
            problems.append(f"{name} is under {group.get('kmsKeyId') or 'no key'}")
        if not group.get("retentionInDays"):
            problems.append(f"{name} is kept for ever")
    evidence = f"{len(groups)} groups, under this region's key, with an end"
    return check_result("logs", here.region, problems=problems, evidence=evidence, hint=DRIFT)


def _look_at_health_checks(resources: StackResources, ask: Any, writer: str | None, now: datetime) -> list[CheckResult]:
    health: dict[str, float | None] = {}
    disabled = []
    for what, check_id in resources.health_checks.items():
        config = ask.read("route53", "get_health_check", HealthCheckId=check_id)["HealthCheck"]["HealthCheckConfig"]
        if config.get("Disabled"):
            disabled.append(what)
        points = ask.read(
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
        health[what] = None if newest is None else newest["Minimum"]
    return [check_health_checks(resources, health, disabled, writer)]


def check_health_checks(
    resources: StackResources, health: Mapping[str, float | None], disabled: Sequence[str], writer: str | None
) -> CheckResult:
    """Return whether each check has the state that the writer's place calls for.

    Readers' checks are healthy while their region lives; the writer's and its votes are healthy while the writer is home.
    """
    if writer is None:
        return unknown(
            "health checks", "global", why="nobody says who is the writer", hint=f"Look at `status`. {DRIFT}"
        )
    is_home = writer == resources.primary.region
    problems = [f"{what} is disabled, and so counts as healthy" for what in disabled]
    for what, value in health.items():
        wanted = is_home or what.startswith("reader-")
        if value is not None and (value >= 1) != wanted:
            problems.append(f"{what} is {'healthy' if value >= 1 else 'unhealthy'}, the writer is in {writer}")
    silent = [what for what, value in health.items() if value is None]
    if not problems and silent:
        why = f"no status in the last {HEALTH_MINUTES} minutes of: {', '.join(silent)}"
        return unknown("health checks", "global", why=why, hint="New checks need some minutes; look again.")
    evidence = f"{len(health)} checks, each as it should be with the writer in {writer}"
    hint = "Names follow a change of roles within two minutes; after that, look at the alarm behind the check."
    return check_result("health checks", "global", problems=problems, evidence=evidence, hint=hint)
