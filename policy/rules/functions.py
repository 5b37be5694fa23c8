"""What Lambda, EventBridge and its Scheduler ask of functions and of what starts them."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from policy.rules.rule import broken, rule
from policy.rules.stack_model import UNKNOWN, Finding, Resource, Stack, is_known

FUNCTION, SCHEDULE, EVENTS = "lambda/function:Function", "scheduler/schedule:Schedule", "cloudwatch/eventRule:EventRule"
LAMBDA_QUOTAS = "Lambda quotas, AWS Lambda Developer Guide"
RESERVED_VARIABLES = {
    *(
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
    ),
    *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE"),
    *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *("AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
}
UNPACKED_BYTES = 250 * 1024 * 1024
EVENT_IDS = frozenset(f"RDS-EVENT-{n:04}" for n in (*range(181, 188), *range(238, 242), 390, 391, 519))


@rule("Lambda runtimes, AWS Lambda Developer Guide")
def functions_run_on_python_3_13_and_arm64(stack: Stack) -> Iterator[Finding]:
    """Every function runs on Python 3.13 and arm64, as its package was tested."""
    for r in stack.of(FUNCTION):
        if (r.get("runtime"), r.get("architectures")) != ("python3.13", ["arm64"]):
            yield broken(r, "runtime", f"{r.get('runtime')} on {r.get('architectures')}")


@rule(LAMBDA_QUOTAS)
def functions_are_within_time_and_memory(stack: Stack) -> Iterator[Finding]:
    """A function runs for 1 to 900 seconds, in 128 to 10240 MB."""
    for r in stack.of(FUNCTION):
        for name, least, most in (("timeout", 1, 900), ("memorySize", 128, 10240)):
            if not isinstance(r.get(name), int) or not least <= r.get(name) <= most:
                yield broken(r, name, f"{r.get(name)}")


@rule("Configure Lambda environment variables; 4 KB in all, AWS Lambda Developer Guide")
def environments_are_such_as_lambda_takes(stack: Stack) -> Iterator[Finding]:
    """All variables of a function together take 4 KB at most, have names that Lambda takes, and texts as values."""
    for r in stack.of(FUNCTION):
        variables = _variables(r)
        for name, value in variables.items():
            if not re.fullmatch(r"[a-zA-Z]\w+", name) or name in RESERVED_VARIABLES:
                yield broken(r, f"environment.{name}", "a name that Lambda doesn't take, or keeps for itself")
            if value is not UNKNOWN and not isinstance(value, str):
                yield broken(r, f"environment.{name}", f"{value!r} is no text")
        known = {name: value for name, value in variables.items() if isinstance(value, str)}
        if len(json.dumps(known, separators=(",", ":")).encode()) > 4096:
            yield broken(r, "environment", "more than 4 KB")


@rule("Configuring reserved concurrency: zero stops a function, AWS Lambda Developer Guide")
def what_a_schedule_starts_has_two_places(stack: Stack) -> Iterator[Finding]:
    """Where a function that a schedule starts has places of its own, it has two or more: one cycles, its successor takes over."""
    for schedule in stack.of(SCHEDULE):
        for r in stack.behind(schedule, "target", FUNCTION):
            places = r.get("reservedConcurrentExecutions")
            if isinstance(places, int | float) and places < 2:
                yield broken(r, "reservedConcurrentExecutions", f"{places:g}")


@rule("Lambda deployment packages for Python; Lambda quotas, AWS Lambda Developer Guide")
def packages_hold_their_handler_and_no_more_than_lambda_unpacks(stack: Stack) -> Iterator[Finding]:
    """A package holds the module that its handler names, and unpacked no more than 250 MB."""
    for r in stack.of(FUNCTION):
        files = _files(r)
        if files is None:
            continue
        module = str(r.get("handler")).rpartition(".")[0].replace(".", "/") + ".py"
        if module not in files:
            yield broken(r, "handler", f"no {module} in the package")
        if sum(os.path.getsize(path) for path in files.values() if os.path.exists(path)) > UNPACKED_BYTES:
            yield broken(r, "code", "more than 250 MB")


@rule("Deterministic archives, STYLE; the runtime brings boto3, docs/decisions.md")
def packages_hold_nothing_that_changes_by_itself(stack: Stack) -> Iterator[Finding]:
    """A package holds neither boto3 nor compiled files nor tests."""
    for r in stack.of(FUNCTION):
        unwanted = [
            name
            for name in _files(r) or ()
            if name.split("/")[0] in ("boto3", "botocore", "s3transfer")
            or name.endswith(".pyc")
            or "tests" in name.split("/")
        ]
        if unwanted:
            yield broken(r, "code", f"{unwanted[0]}")


@rule("Giving Lambda functions access to resources in an Amazon VPC, AWS Lambda Developer Guide")
def functions_in_a_network_have_zones_to_choose_from(stack: Stack) -> Iterator[Finding]:
    """A function in a network has two subnets or more and a security group, and waits for the right to connect."""
    for r in stack.of(FUNCTION):
        network = r.get("vpcConfig")
        if not isinstance(network, Mapping):
            continue
        subnets, groups = network.get("subnetIds"), network.get("securityGroupIds")
        if (isinstance(subnets, list) and len(subnets) < 2) or (isinstance(groups, list) and not groups):
            yield broken(r, "vpcConfig", "one zone only, or no security group")
        connecting = [p for p in stack.of("iam/rolePolicy:RolePolicy") if p.name.endswith("network-permission")]
        if not any(stack.waits_for(r, permission) for permission in connecting):
            yield broken(r, "vpcConfig", "made before it may make its network interfaces")


@rule("Sending Lambda function logs to CloudWatch Logs, AWS Lambda Developer Guide")
def functions_log_to_a_group_of_ours(stack: Stack) -> Iterator[Finding]:
    """Every function logs to a group that is there before it: Lambda's own would be unencrypted and kept for ever."""
    for r in stack.of(FUNCTION):
        groups = stack.behind(r, "loggingConfig", "cloudwatch/logGroup:LogGroup")
        if not groups or {g.region for g in groups} != {r.region}:
            yield broken(r, "loggingConfig", "no group of this stack")


@rule("PutFunctionEventInvokeConfig, AWS Lambda API Reference")
def asynchronous_events_live_within_limits(stack: Stack) -> Iterator[Finding]:
    """An asynchronous event is tried again 0 to 2 times, and lives 60 to 21600 seconds."""
    for r in stack.of("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"):
        tries, age = r.inputs.get("maximumRetryAttempts"), r.inputs.get("maximumEventAgeInSeconds")
        if not isinstance(tries, int) or not 0 <= tries <= 2:
            yield broken(r, "maximumRetryAttempts", f"{tries}")
        if not isinstance(age, int) or not 60 <= age <= 21600:
            yield broken(r, "maximumEventAgeInSeconds", f"{age} s")


@rule("Schedule types: rate-based schedules, EventBridge Scheduler User Guide")
def schedules_start_every_minute(stack: Stack) -> Iterator[Finding]:
    """A schedule is on, starts every minute (the finest rate) and at no other moment, and tries nothing again."""
    for r in stack.of(SCHEDULE):
        if r.get("scheduleExpression") != "rate(1 minute)" or r.get("state") not in (None, "ENABLED"):
            yield broken(r, "scheduleExpression", f"{r.get('scheduleExpression')} {r.get('state')}")
        if (r.get("flexibleTimeWindow") or {}).get("mode") != "OFF":
            yield broken(r, "flexibleTimeWindow", "a start may be late")
        retry = (r.get("target") or {}).get("retryPolicy") or {}
        if retry.get("maximumRetryAttempts") != 0 or not 60 <= retry.get("maximumEventAgeInSeconds", 0) <= 86400:
            yield broken(r, "target.retryPolicy", f"{retry}")


@rule("Setting up EventBridge Scheduler: execution role, EventBridge Scheduler User Guide")
def schedules_have_a_role_that_the_scheduler_may_take(stack: Stack) -> Iterator[Finding]:
    """A schedule's target has a role that trusts the scheduler."""
    for r in stack.of(SCHEDULE):
        roles = stack.behind(r, "target", "iam/role:Role")
        trusted = [
            json.dumps(role.json("assumeRolePolicy"), default=str) for role in roles if role.json("assumeRolePolicy")
        ]
        if not roles or any("scheduler.amazonaws.com" not in policy for policy in trusted):
            yield broken(r, "target.roleArn", "no role that trusts scheduler.amazonaws.com")


@rule("Using resource-based policies for EventBridge: AWS Lambda permissions; the confused deputy, IAM User Guide")
def who_may_start_a_function_is_named(stack: Stack) -> Iterator[Finding]:
    """A permission to start a function that is given to a service names the source, too."""
    for r in stack.of("lambda/permission:Permission"):
        if str(r.get("principal")).endswith("amazonaws.com") and not (r.says("sourceArn") or r.says("sourceAccount")):
            yield broken(r, "sourceArn", "anybody's rule could start it")


@rule("Amazon RDS event categories and event messages for Aurora, Aurora User Guide")
def the_event_rule_hears_every_event_of_a_failover(stack: Stack) -> Iterator[Finding]:
    """Every region has a rule for RDS's own events of switchovers and failovers, by their ids."""
    for region in {r.region for r in stack.of("rds/cluster:Cluster")}:
        heard: set[str] = set()
        for r in stack.of(EVENTS, region):
            pattern = r.json("eventPattern")
            if isinstance(pattern, Mapping) and pattern.get("source") == ["aws.rds"]:
                heard |= set((pattern.get("detail") or {}).get("EventID", ()))
        for r in stack.of("rds/cluster:Cluster", region):
            if missing := EVENT_IDS - heard:
                yield broken(r, "", f"nobody hears {', '.join(sorted(missing))} in {region}")


@rule("Amazon EventBridge event patterns; the rule's state, EventBridge User Guide")
def event_rules_are_on_and_well_formed(stack: Stack) -> Iterator[Finding]:
    """An event pattern is JSON whose leaves are lists; the rule is on, and leads somewhere in its region."""
    targets = stack.of("cloudwatch/eventTarget:EventTarget")
    for r in stack.of(EVENTS):
        pattern = r.json("eventPattern")
        if is_known(pattern) and not (isinstance(pattern, Mapping) and _leaves_are_lists(pattern)):
            yield broken(r, "eventPattern", f"{pattern}")
        if r.get("state") not in (None, "ENABLED"):
            yield broken(r, "state", f"{r.get('state')}")
        led = [t for t in targets if r in stack.behind(t, "rule", EVENTS)]
        if not 1 <= len(led) <= 5 or {t.region for t in led} != {r.region}:
            yield broken(r, "", f"{len(led)} targets")


@rule("Using resource-based policies for EventBridge: AWS Lambda permissions, EventBridge User Guide")
def functions_behind_an_event_rule_may_be_started_by_it(stack: Stack) -> Iterator[Finding]:
    """A rule that starts a function waits for the permission to do so: without it events are lost in silence."""
    for target in stack.of("cloudwatch/eventTarget:EventTarget"):
        functions = stack.behind(target, "arn", FUNCTION)
        permissions = (
            [
                p
                for p in stack.of("lambda/permission:Permission", target.region)
                if set(functions) & set(stack.behind(p, "function", FUNCTION)) and stack.waits_for(target, p)
            ]
            if functions
            else [target]
        )
        if not permissions:
            yield broken(target, "arn", "no permission before it")


def _leaves_are_lists(pattern: Mapping[str, Any]) -> bool:
    return all(_leaves_are_lists(v) if isinstance(v, Mapping) else isinstance(v, list) for v in pattern.values())


def _variables(function: Resource) -> Mapping[str, Any]:
    environment = function.get("environment")
    variables = environment.get("variables") if isinstance(environment, Mapping) else None
    return variables if isinstance(variables, Mapping) else {}


def _files(function: Resource) -> Mapping[str, str] | None:
    """Return the files of a package: name inside -> path; None if it isn't an archive of single files."""
    code = function.get("code")
    if not isinstance(code, pulumi.AssetArchive):
        return None
    return {name: str(getattr(asset, "path", "")) for name, asset in code.assets.items()}
