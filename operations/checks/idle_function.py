"""The check that database_setup is not idle: Lambda refuses the first invocation after weeks without one."""

from functools import partial

from operations.aws.read_ports import ReadApiFactory, ReadOnlyApi
from operations.checks.finding import Check, CheckResult, check_result
from operations.stack.settings import names_of
from operations.support.errors import NotThereError
from settings import Settings

CHECK = "database setup"
FUNCTION = "database-setup"
"""Only a deployment that changes users invokes it; the other functions run every minute."""


def idle_function_checks(settings: Settings, read_api_for: ReadApiFactory) -> list[Check]:
    """Return the check of the function, which runs in the primary region."""
    where = settings.primary.region
    run = partial(_read_function, read_api_for(where), names_of(settings).of(FUNCTION), where)
    return [Check(names=(CHECK,), where=where, run=run)]


def _read_function(api: ReadOnlyApi, name: str, where: str) -> list[CheckResult]:
    try:
        state = str(api.read("lambda", "get_function_configuration", FunctionName=name).get("State", "Active"))
    except NotThereError:
        state = ""
    return [check_function(name, where, state)]


def check_function(name: str, where: str, state: str) -> CheckResult:
    """Check the function's state; "" if it is not deployed yet.

    Source: "Lambda function states": the invocation of an inactive function fails, and the function is pending until its
    network interfaces are there again.
    """
    problems = [f"{name} is {state}: an `up` that changes users fails"] if state not in ("", "Active") else []
    hint = (
        f"Wake it, although this invocation fails: `aws lambda invoke --region {where} --function-name {name} --payload '' "
        f"answer.json`. Then wait: `aws lambda wait function-active-v2 --region {where} --function-name {name}`."
    )
    return check_result(CHECK, where, problems=problems, evidence=f"{name} {state or 'not deployed'}", hint=hint)
