"""The command `verify`: check the deployed system in both regions. It writes nothing but heartbeats."""

from operations.aws.ports import RdsRoles
from operations.aws.roles import Roles, reconcile, roles_from_rds
from operations.checks.data_path import data_checks
from operations.checks.database import database_checks, version_check
from operations.checks.finding import CheckResult, check_result, unknown
from operations.checks.monitoring import watch_checks
from operations.checks.runner import run_checks, show_results
from operations.commands.context import CommandContext
from operations.stack.resources import read_resources
from operations.support.deadlines import call_concurrently
from operations.support.errors import ExitCode, OperationError


def verify(context: CommandContext) -> ExitCode:
    """Run all checks in both regions and show the findings."""
    findings, writer = check_system(context)
    identity = context.deployment.global_cluster_id
    title = f"{identity}, verified at {context.now():%Y-%m-%d %H:%M:%S} UTC"
    return show_results(context.screen, title, findings, {"global_cluster": identity, "writer": writer})


def check_system(context: CommandContext) -> tuple[list[CheckResult], str | None]:
    """Run all checks in both regions; return the findings, and the writer's region if it is known."""
    resources, read_api_for = read_resources(context.outputs), context.read_api_for
    roles, role_finding = _check_roles(context)
    writer = None if roles.writer is None else roles.writer.name
    apis = {region.name: context.connect(region) for region in context.deployment.regions}
    checks = [
        *database_checks(resources, read_api_for, context.now()),
        version_check(resources, read_api_for),
        *watch_checks(resources, read_api_for, apis, writer, context.now()),
        *data_checks(resources, read_api_for, writer, context.sleep),
    ]
    return [role_finding, *run_checks(checks, context.screen, "Checking the system")], writer


def _check_roles(context: CommandContext) -> tuple[Roles, CheckResult]:
    """Ask both regions for the writer; other checks depend on the roles."""
    regions = context.deployment.regions
    answers = call_concurrently([context.connect(region).read_roles for region in regions])
    roles = reconcile(roles_from_rds(context.deployment, answer) for answer in answers if isinstance(answer, RdsRoles))
    failures = [each for each in answers if isinstance(each, OperationError)]
    if len(failures) == len(answers):
        why = "; ".join(failure.message for failure in failures)
        return roles, unknown("one writer", "both", why=f"no region responds: {why}", hint=failures[0].hint)
    problems = [
        f"{region.name}: {answer.message}"
        for region, answer in zip(regions, answers, strict=True)
        if isinstance(answer, OperationError)
    ]
    if roles.writer is None:
        problems.append(f"the writer is {roles.source}")
    evidence = f"both regions name {roles.writer.name if roles.writer else None}"
    hint = "A region that does not respond may be lost: run `status` from the other region, and see the runbook."
    return roles, check_result("one writer", "both", problems=problems, evidence=evidence, hint=hint)
