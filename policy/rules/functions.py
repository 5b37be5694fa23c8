"""Rules on the environment and concurrency of Lambda functions."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack, Violation

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
