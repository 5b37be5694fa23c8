"""The command that checks each promise of the system for real: verify.

Owns which promises there are, and the order. Does not own any judgement (`promises_*.py`). Invariant: it changes nothing
but heartbeats; a region that is gone makes its promises unknown or failed within the deadline of one check.
"""

from operations.aws.ports import RdsRoles
from operations.aws.roles import Roles, reconcile, roles_from_rds
from operations.checks.data_path import data_checks
from operations.checks.database import database_checks, version_check
from operations.checks.finding import CheckResult, check_result
from operations.checks.monitoring import watch_checks
from operations.checks.runner import run_checks, show_results
from operations.commands.session import Session
from operations.stack.resources import read_resources
from operations.support.deadlines import call_concurrently
from operations.support.errors import ExitCode, OperationError


def verify(session: Session) -> ExitCode:
    """Check everything in both regions, and show what was found."""
    findings, writer = check_promises(session)
    identity = session.deployment.global_cluster_id
    title = f"{identity}, verified at {session.now():%Y-%m-%d %H:%M:%S} UTC"
    return show_results(session.screen, title, findings, {"global_cluster": identity, "writer": writer})


def check_promises(session: Session) -> tuple[list[CheckResult], str | None]:
    """Check everything in both regions; return what was found, and the writer's region if it is known."""
    resources, read_api_for = read_resources(session.outputs), session.read_api_for
    seats, findings = _roles(session)
    writer = None if seats.writer is None else seats.writer.name
    apis = {region.name: session.connect(region) for region in session.deployment.regions}
    checks = [
        *database_checks(resources, read_api_for, session.now()),
        version_check(resources, read_api_for),
        *watch_checks(resources, read_api_for, apis, writer, session.now()),
        *data_checks(resources, read_api_for, writer, session.sleep),
    ]
    return [*findings, *run_checks(checks, session.screen, "Checking the promises")], writer


def _roles(session: Session) -> tuple[Roles, list[CheckResult]]:
    """Ask both regions who is the writer: the promises that depend on roles need it before all others."""
    regions = session.deployment.regions
    answers = call_concurrently([session.connect(region).read_roles for region in regions])
    known = [roles_from_rds(session.deployment, answer) for answer in answers if isinstance(answer, RdsRoles)]
    seats = reconcile(known)
    problems = [
        f"{region.name}: {answer.message}"
        for region, answer in zip(regions, answers, strict=True)
        if isinstance(answer, OperationError)
    ]
    if seats.writer is None:
        problems.append(f"the writer is {seats.source}")
    evidence = f"both regions name {seats.writer.name if seats.writer else None}"
    hint = "A region that does not answer may be lost: `status` from the other one, and the runbook."
    return seats, [check_result("one writer", "both", problems=problems, evidence=evidence, hint=hint)]
