"""The command `recover`: repair the state after `pulumi up` or `pulumi destroy` was killed.

It reads AWS, and changes nothing there; with --run it replaces the stack's state and refreshes it.
"""

import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore

from operations.aws.read_ports import ReadApiFactory
from operations.aws.resource_lookup import LOOKUPS, Lookup, Repeated, find
from operations.commands.recover_plan import (
    BLOCKERS,
    LookupAnswer,
    PlannedStep,
    Step,
    exit_code,
    plan_steps,
    repaired_state,
)
from operations.stack.exported_state import (
    ExportedResource,
    ExportedState,
    PendingOperation,
    load_export,
    load_saved_export,
)
from operations.stack.pulumi_cli import RunPulumi
from operations.support.deadlines import call_concurrently
from operations.support.errors import ExitCode, FailedError, OperationRefusedError, TimedOutError, UsageProblemError
from operations.support.screen import Screen

LOOKUP_SECONDS = 60.0
MAX_PARALLEL_LOOKUPS = 16
"""With more, IAM and RDS throttle."""
IMPORT_TIMEOUT_SECONDS = 120
REFRESH_TIMEOUT_SECONDS = 1800
"""The provider retries a slow read for many minutes."""
HEADINGS = ("Resource", "Region", "Interrupted while", "Step", "Evidence")
HINTS = {
    Step.AMBIGUOUS: "In the AWS console, delete the resource that is not in use. Then run this command again.",
    Step.FOREIGN: "Use another `project` or `environment`, or remove the other resource.",
    Step.BEING_DELETED: "Wait until it is gone, then run this again. A secret: restore it, or delete it without recovery.",
    Step.UNKNOWN: "Run this again when AWS responds.",
}


def recover(
    screen: Screen,
    read_api_for: ReadApiFactory,
    run_pulumi: RunPulumi,
    *,
    stack: str,
    state: Path | None,
    run: bool,
) -> ExitCode:
    """Show what AWS has of the pending operations; with `run` repair the stack's state.

    Raises:
        UsageProblemError: the state cannot be read, or a resource type is not the program's.
        OperationRefusedError: with `run`, a pending operation needs a decision, or another update changed the state.
        FailedError: Pulumi failed.
    """
    exported = load_export(stack, run_pulumi) if state is None else load_saved_export(state)
    steps = plan_steps(exported, look_up(exported, read_api_for))
    code = exit_code(steps)
    following = _next_commands(stack, steps, code)
    screen.table(f"Stack {stack}: {_count(steps)}", HEADINGS, [_row(each) for each in steps])
    if run and steps and code is ExitCode.DONE:
        _repair(screen, run_pulumi, stack, exported, steps)
        following = _continue(stack)
    values = {
        "stack": stack,
        "operations": [each.to_json() for each in steps],
        "is_repaired": bool(run and steps) and code is ExitCode.DONE,
        "next": following,
        "exit_code": int(code),
    }
    screen.result(values, following)
    return code


def look_up(exported: ExportedState, read_api_for: ReadApiFactory) -> list[LookupAnswer]:
    """Return what AWS has of each pending operation, in their order.

    Raises:
        UsageProblemError: a type is not the program's.
    """
    lookups = [_lookup_of(each.resource) for each in exported.pending]
    slots = BoundedSemaphore(MAX_PARALLEL_LOOKUPS)
    calls = [
        partial(_look_up, each, lookup, read_api_for, slots)
        for each, lookup in zip(exported.pending, lookups, strict=True)
    ]
    return list(call_concurrently(calls, LOOKUP_SECONDS))


def _lookup_of(resource: ExportedResource) -> Lookup | Repeated:
    """Return how to find a resource; components and providers exist only in the state."""
    if not resource.values.get("custom") or resource.type.startswith("pulumi:"):
        return Repeated(reason="it exists only in the state")
    if resource.type not in LOOKUPS:
        raise UsageProblemError(
            f"{resource.urn}: the program creates no {resource.type}",
            hint="Repair it by hand: https://www.pulumi.com/docs/iac/support/troubleshooting/.",
        )
    return LOOKUPS[resource.type]


def _look_up(
    operation: PendingOperation, lookup: Lookup | Repeated, read_api_for: ReadApiFactory, slots: BoundedSemaphore
) -> LookupAnswer:
    if isinstance(lookup, Repeated):
        return lookup
    if operation.kind not in ("creating", "deleting"):
        return []
    resource = operation.resource
    with slots:
        return find(lookup, read_api_for(resource.region), resource.inputs, resource.tags)


def _repair(
    screen: Screen, run_pulumi: RunPulumi, stack: str, exported: ExportedState, steps: Sequence[PlannedStep]
) -> None:
    """Replace the state and refresh it."""
    if load_export(stack, run_pulumi).values != exported.values:
        raise OperationRefusedError(
            "the state changed meanwhile: another update is running. No changes were made",
            hint="Wait until it ends, then run this again.",
        )
    # The folder is readable by its owner only; secrets in an export are encrypted.
    folder = Path(tempfile.mkdtemp(prefix=f"recover-{stack}-"))
    before, repaired = folder / "before.json", folder / "repaired.json"
    before.write_text(json.dumps(exported.values, indent=2), encoding="utf-8")
    repaired.write_text(json.dumps(repaired_state(exported, steps), indent=2), encoding="utf-8")
    screen.note(f"The state before: {before}")
    run_pulumi(["stack", "import", "--stack", stack, "--file", str(repaired)], IMPORT_TIMEOUT_SECONDS)
    screen.note("The state has the adopted resources. Refreshing it ...")
    try:
        run_pulumi(["refresh", "--stack", stack, "--yes", "--skip-preview"], REFRESH_TIMEOUT_SECONDS)
    except (FailedError, TimedOutError) as error:
        # Another run of this command would find no pending operation, and so would not refresh.
        hint = (
            f"The state is repaired. Run `pulumi refresh --stack {stack}`. "
            f"If the stack is locked, first run `pulumi cancel --stack {stack}`."
        )
        raise FailedError(error.message, hint=hint) from error
    try:
        pending = load_export(stack, run_pulumi).pending
    except UsageProblemError as error:
        # The exit code 2 would say that no changes were made.
        raise FailedError(error.message, hint=error.hint) from error
    if pending:
        raise FailedError("the state still has pending operations", hint="Run this again.")


def _next_commands(stack: str, steps: Sequence[PlannedStep], code: ExitCode) -> list[str]:
    if code is not ExitCode.DONE:
        return [HINTS[each] for each in BLOCKERS if any(step.step is each for step in steps)]
    repair = [f"Repair the state: python -m operations recover --stack {stack} --run"] if steps else []
    return [*repair, *_continue(stack)]


def _continue(stack: str) -> list[str]:
    """Return both ways to continue. The state does not record which command was interrupted."""
    return [
        f"Continue a deployment: pulumi up --stack {stack} --policy-pack policy",
        f"Continue a removal: pulumi destroy --stack {stack}",
    ]


def _count(steps: Sequence[PlannedStep]) -> str:
    blocked = sum(each.step in BLOCKERS for each in steps)
    count = f"{len(steps)} pending operation{'s' * (len(steps) != 1)}"
    return f"{count}, {blocked} need a decision" if blocked else count


def _row(step: PlannedStep) -> tuple[str, str, str, str, str]:
    resource = step.operation.resource
    name = f"{resource.name} ({resource.type.rpartition(':')[2]})"
    return (name, resource.region or "-", step.operation.kind, str(step.step), step.evidence)
