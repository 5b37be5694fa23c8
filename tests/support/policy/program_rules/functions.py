"""Rules on Lambda functions, schedules and event rules that only a change of the program can break."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack, Violation, is_known
from tests.support.policy.graph import depends_on

FUNCTION, SCHEDULE = "lambda/function:Function", "scheduler/schedule:Schedule"
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

EVENTS = "cloudwatch/eventRule:EventRule"
LAMBDA_QUOTAS = "Lambda quotas, AWS Lambda Developer Guide"
MAX_UNPACKED_BYTES = 250 * 1024 * 1024
EVENT_IDS = frozenset(f"RDS-EVENT-{n:04}" for n in (*range(181, 188), *range(238, 242), 390, 391, 519))


@rule("Lambda runtimes, AWS Lambda Developer Guide")
def function_runtimes_are_supported(stack: Stack) -> Iterator[Violation]:
    """Every function runs Python 3.13 on arm64."""
    for r in stack.of_type(FUNCTION):
        if (r.get("runtime"), r.get("architectures")) != ("python3.13", ["arm64"]):
            yield violation(r, "runtime", f"{r.get('runtime')} on {r.get('architectures')}")


@rule(LAMBDA_QUOTAS)
def function_limits_are_valid(stack: Stack) -> Iterator[Violation]:
    """A function has a timeout of 1 to 900 seconds and 128 to 10240 MB of memory."""
    for r in stack.of_type(FUNCTION):
        for name, least, most in (("timeout", 1, 900), ("memorySize", 128, 10240)):
            if not isinstance(r.get(name), int) or not least <= r.get(name) <= most:
                yield violation(r, name, f"{r.get(name)}")


@rule("Lambda deployment packages for Python; Lambda quotas, AWS Lambda Developer Guide")
def packages_contain_handlers(stack: Stack) -> Iterator[Violation]:
    """A package contains its handler's module and is at most 250 MB unpacked."""
    for r in stack.of_type(FUNCTION):
        files = _files(r)
        if files is None:
            continue
        module = str(r.get("handler")).rpartition(".")[0].replace(".", "/") + ".py"
        if module not in files:
            yield violation(r, "handler", f"no {module} in the package")
        if sum(files.values()) > MAX_UNPACKED_BYTES:
            yield violation(r, "code", "more than 250 MB")


@rule("Deterministic archives; the Lambda runtime includes boto3, docs/decisions.md")
def packages_are_deterministic(stack: Stack) -> Iterator[Violation]:
    """A package contains no boto3, compiled files or tests."""
    for r in stack.of_type(FUNCTION):
        unwanted = [
            name
            for name in _files(r) or ()
            if name.split("/")[0] in ("boto3", "botocore", "s3transfer")
            or name.endswith(".pyc")
            or "tests" in name.split("/")
        ]
        if unwanted:
            yield violation(r, "code", f"{unwanted[0]}")


@rule("Giving Lambda functions access to resources in an Amazon VPC, AWS Lambda Developer Guide")
def vpc_functions_span_zones(stack: Stack) -> Iterator[Violation]:
    """A function in a VPC has at least two subnets and a security group."""
    for r in stack.of_type(FUNCTION):
        network = r.get("vpcConfig")
        if not isinstance(network, Mapping):
            continue
        subnets, groups = network.get("subnetIds"), network.get("securityGroupIds")
        if (isinstance(subnets, list) and len(subnets) < 2) or (isinstance(groups, list) and not groups):
            yield violation(r, "vpcConfig", "fewer than two subnets or no security group")
        connecting = [p for p in stack.of_type("iam/rolePolicy:RolePolicy") if p.name.endswith("network-permission")]
        if not any(depends_on(stack, r, permission) for permission in connecting):
            yield violation(
                r, "vpcConfig", "the function is created before its permission to create network interfaces"
            )


@rule("Sending Lambda function logs to CloudWatch Logs, AWS Lambda Developer Guide")
def functions_use_managed_log_groups(stack: Stack) -> Iterator[Violation]:
    """Every function logs to a log group of this stack."""
    for r in stack.of_type(FUNCTION):
        groups = stack.references(r, "loggingConfig", "cloudwatch/logGroup:LogGroup")
        if not groups or {g.region for g in groups} != {r.region}:
            yield violation(r, "loggingConfig", "the log group does not belong to this stack")


@rule("PutFunctionEventInvokeConfig, AWS Lambda API Reference")
def async_invocations_are_bounded(stack: Stack) -> Iterator[Violation]:
    """An asynchronous invocation has 0 to 2 retries and a maximum age of 60 to 21600 seconds."""
    for r in stack.of_type("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"):
        tries, age = r.inputs.get("maximumRetryAttempts"), r.inputs.get("maximumEventAgeInSeconds")
        if not isinstance(tries, int) or not 0 <= tries <= 2:
            yield violation(r, "maximumRetryAttempts", f"{tries}")
        if not isinstance(age, int) or not 60 <= age <= 21600:
            yield violation(r, "maximumEventAgeInSeconds", f"{age} s")


@rule("Schedule types: rate-based schedules, EventBridge Scheduler User Guide")
def schedules_run_every_minute(stack: Stack) -> Iterator[Violation]:
    """A schedule is enabled, runs every minute without a flexible window, and has no retries."""
    for r in stack.of_type(SCHEDULE):
        if r.get("scheduleExpression") != "rate(1 minute)" or r.get("state") not in (None, "ENABLED"):
            yield violation(r, "scheduleExpression", f"{r.get('scheduleExpression')} {r.get('state')}")
        if (r.get("flexibleTimeWindow") or {}).get("mode") != "OFF":
            yield violation(r, "flexibleTimeWindow", "an invocation may be late")
        retry = (r.get("target") or {}).get("retryPolicy") or {}
        if retry.get("maximumRetryAttempts") != 0 or not 60 <= retry.get("maximumEventAgeInSeconds", 0) <= 86400:
            yield violation(r, "target.retryPolicy", f"{retry}")


@rule("Setting up EventBridge Scheduler: execution role, EventBridge Scheduler User Guide")
def schedules_have_execution_roles(stack: Stack) -> Iterator[Violation]:
    """A schedule's target has a role that trusts EventBridge Scheduler."""
    for r in stack.of_type(SCHEDULE):
        roles = stack.references(r, "target", "iam/role:Role")
        trusted = [
            json.dumps(role.json("assumeRolePolicy"), default=str) for role in roles if role.json("assumeRolePolicy")
        ]
        if not roles or any("scheduler.amazonaws.com" not in policy for policy in trusted):
            yield violation(r, "target.roleArn", "no role that trusts scheduler.amazonaws.com")


@rule("Using resource-based policies for EventBridge: AWS Lambda permissions; the confused deputy, IAM User Guide")
def lambda_permissions_name_source(stack: Stack) -> Iterator[Violation]:
    """A permission that lets a service invoke a function names the source."""
    for r in stack.of_type("lambda/permission:Permission"):
        if str(r.get("principal")).endswith("amazonaws.com") and not (
            r.is_set("sourceArn") or r.is_set("sourceAccount")
        ):
            yield violation(r, "sourceArn", "a rule of any account may invoke the function")


@rule("Amazon RDS event categories and event messages for Aurora, Aurora User Guide")
def event_rules_cover_failover_events(stack: Stack) -> Iterator[Violation]:
    """Every region has an event rule for all RDS switchover and failover events."""
    for region in {r.region for r in stack.of_type("rds/cluster:Cluster")}:
        covered: set[str] = set()
        for r in stack.of_type(EVENTS, region):
            pattern = r.json("eventPattern")
            if isinstance(pattern, Mapping) and pattern.get("source") == ["aws.rds"]:
                covered |= set((pattern.get("detail") or {}).get("EventID", ()))
        for r in stack.of_type("rds/cluster:Cluster", region):
            if missing := EVENT_IDS - covered:
                yield violation(r, "", f"no rule for {', '.join(sorted(missing))} in {region}")


@rule("Amazon EventBridge event patterns; the rule's state, EventBridge User Guide")
def event_rules_are_valid(stack: Stack) -> Iterator[Violation]:
    """An event rule is enabled, has a valid pattern, and has 1 to 5 targets in its region."""
    targets = stack.of_type("cloudwatch/eventTarget:EventTarget")
    for r in stack.of_type(EVENTS):
        pattern = r.json("eventPattern")
        if is_known(pattern) and not (isinstance(pattern, Mapping) and _leaves_are_lists(pattern)):
            yield violation(r, "eventPattern", f"{pattern}")
        if r.get("state") not in (None, "ENABLED"):
            yield violation(r, "state", f"{r.get('state')}")
        rule_targets = [t for t in targets if r in stack.references(t, "rule", EVENTS)]
        if not 1 <= len(rule_targets) <= 5 or {t.region for t in rule_targets} != {r.region}:
            yield violation(r, "", f"{len(rule_targets)} targets")


@rule("Using resource-based policies for EventBridge: AWS Lambda permissions, EventBridge User Guide")
def event_targets_have_invoke_permissions(stack: Stack) -> Iterator[Violation]:
    """An event target that is a function depends on the permission to invoke it."""
    for target in stack.of_type("cloudwatch/eventTarget:EventTarget"):
        functions = stack.references(target, "arn", FUNCTION)
        permissions = (
            [
                p
                for p in stack.of_type("lambda/permission:Permission", target.region)
                if set(functions) & set(stack.references(p, "function", FUNCTION)) and depends_on(stack, target, p)
            ]
            if functions
            else [target]
        )
        if not permissions:
            yield violation(target, "arn", "the target is created before its permission")


def _files(function: RegisteredResource) -> Mapping[str, int] | None:
    """Return the sizes of the package's files in bytes by name; None if the code is neither a zip nor texts."""
    code = function.get("code")
    if isinstance(code, pulumi.FileArchive):
        with zipfile.ZipFile(code.path) as archive:
            return {entry.filename: entry.file_size for entry in archive.infolist()}
    if not isinstance(code, pulumi.AssetArchive):
        return None
    return {name: len(getattr(asset, "text", "")) for name, asset in code.assets.items()}


def _leaves_are_lists(pattern: Mapping[str, Any]) -> bool:
    return all(_leaves_are_lists(v) if isinstance(v, Mapping) else isinstance(v, list) for v in pattern.values())


@rule("Configure Lambda environment variables; 4 KB in all, AWS Lambda Developer Guide")
def function_environments_are_valid(stack: Stack) -> Iterator[Violation]:
    """A function's environment has valid names, string values and at most 4 KB."""
    for r in stack.of_type(FUNCTION):
        variables = _variables(r)
        for name, value in variables.items():
            if not re.fullmatch(r"[a-zA-Z]\w+", name) or name in RESERVED_VARIABLES:
                yield violation(
                    r, f"environment.{name}", "The name is invalid or reserved by Lambda. Choose another name."
                )
            if value is not UNKNOWN and not isinstance(value, str):
                yield violation(r, f"environment.{name}", f"{value!r} is not a string. Convert it to a string.")
        known = {name: value for name, value in variables.items() if isinstance(value, str)}
        if len(json.dumps(known, separators=(",", ":")).encode()) > 4096:
            yield violation(r, "environment", "The environment variables exceed 4 KB. Shorten their names or values.")


@rule("Configuring reserved concurrency: zero stops a function, AWS Lambda Developer Guide")
def scheduled_functions_allow_overlap(stack: Stack) -> Iterator[Violation]:
    """A scheduled function with reserved concurrency has at least two concurrent executions, so invocations can overlap."""
    for schedule in stack.of_type(SCHEDULE):
        for r in stack.references(schedule, "target", FUNCTION):
            concurrency = r.get("reservedConcurrentExecutions")
            if isinstance(concurrency, int | float) and concurrency < 2:
                yield violation(r, "reservedConcurrentExecutions", f"{concurrency:g} is too low. Use at least 2.")


def _variables(function: RegisteredResource) -> Mapping[str, Any]:
    environment = function.get("environment")
    variables = environment.get("variables") if isinstance(environment, Mapping) else None
    return variables if isinstance(variables, Mapping) else {}
