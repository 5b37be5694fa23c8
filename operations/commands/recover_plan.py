"""What to do about each operation that an interrupted `pulumi up` or `pulumi destroy` left pending, and the repaired state.

Pure: the pending operations and what AWS has are given.

Pulumi 3.276.0 drops a pending creation from the state with `refresh --import-pending-creates` and imports nothing, so a
created resource is added to the state here, as the engine would have done: with the program's inputs, and its id. The refresh
that follows reads its other values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from operations.aws.resource_lookup import SCHEDULED_FOR_DELETION, FoundResource, Repeated, has_tags
from operations.stack.exported_state import ExportedResource, ExportedState, PendingOperation
from operations.support.errors import ExitCode, OperationError

PROVIDER_MARK = "__defaults"
"""Names the inputs that the provider added. Source: pulumi-terraform-bridge, pkg/tfbridge/schema.go."""
LookupAnswer = Sequence[FoundResource] | Repeated | OperationError
"""What AWS has, why it need not be asked, or why it could not be."""


class Step(StrEnum):
    """What happens with a pending operation."""

    ADOPT = "adopt"
    """The resource exists and is added to the state."""
    CREATE = "create"
    """The next `up` creates the resource."""
    KNOWN = "known"
    """The state has the resource already."""
    REFRESH = "refresh"
    """The refresh reads whether AWS has changed the resource."""
    DELETE = "delete"
    """The resource still exists: it stays in the state, and the next `destroy` or `up` deletes it."""
    GONE = "gone"
    """AWS has deleted the resource: the refresh removes it from the state."""
    AMBIGUOUS = "ambiguous"
    """Several resources could be the one. Blocks the recovery."""
    FOREIGN = "foreign"
    """A resource without this stack's tags has the name. Blocks the recovery."""
    BEING_DELETED = "being-deleted"
    """AWS is deleting a resource with this name. Blocks the recovery."""
    UNKNOWN = "unknown"
    """AWS could not be asked. Blocks the recovery."""


BLOCKERS: Mapping[Step, ExitCode] = {
    Step.AMBIGUOUS: ExitCode.REFUSED,
    Step.FOREIGN: ExitCode.REFUSED,
    Step.BEING_DELETED: ExitCode.REFUSED,
    Step.UNKNOWN: ExitCode.AWS,
}


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One pending operation, and what happens with it."""

    operation: PendingOperation
    step: Step
    evidence: str
    id: str = ""
    """The id to add to the state; only with `ADOPT`."""

    def to_json(self) -> dict[str, str]:
        """Return the values of `--json`."""
        return {
            "urn": self.operation.resource.urn,
            "type": self.operation.resource.type,
            "region": self.operation.resource.region,
            "interrupted_while": self.operation.kind,
            "step": str(self.step),
            "id": self.id,
            "evidence": self.evidence,
        }


def plan_steps(exported: ExportedState, answers: Sequence[LookupAnswer]) -> list[PlannedStep]:
    """Return the step of each pending operation; `answers` are in their order."""
    return [_plan(exported, each, answer) for each, answer in zip(exported.pending, answers, strict=True)]


def exit_code(steps: Sequence[PlannedStep]) -> ExitCode:
    """Return the exit code of a plan: 0, or that of its worst blocker."""
    codes = {BLOCKERS[each.step] for each in steps if each.step in BLOCKERS}
    return max(codes, default=ExitCode.DONE)


def _plan(exported: ExportedState, operation: PendingOperation, answer: LookupAnswer) -> PlannedStep:
    if operation.kind == "creating":
        return _plan_creation(exported, operation, answer)
    if operation.kind == "deleting":
        return _plan_deletion(operation, answer)
    return PlannedStep(operation=operation, step=Step.REFRESH, evidence="the refresh reads its values")


def _plan_deletion(operation: PendingOperation, answer: LookupAnswer) -> PlannedStep:
    """The engine keeps a resource in the state until AWS has deleted it, so nothing is lost either way."""
    if isinstance(answer, Repeated | OperationError):
        return PlannedStep(operation=operation, step=Step.REFRESH, evidence="the refresh reads whether it still exists")
    resource_id = operation.resource.id
    found = next((each for each in answer if each.id == resource_id), None)
    if found is None:
        return PlannedStep(operation=operation, step=Step.GONE, evidence=f"{resource_id} no longer exists")
    if found.status == SCHEDULED_FOR_DELETION:
        evidence = f"{resource_id} is {found.status}, which the refresh treats as deleted"
        return PlannedStep(operation=operation, step=Step.GONE, evidence=evidence)
    status = f", status {found.status}: wait until it is gone" if found.is_being_deleted else ""
    return PlannedStep(operation=operation, step=Step.DELETE, evidence=f"{resource_id} exists{status}")


def _plan_creation(exported: ExportedState, operation: PendingOperation, answer: LookupAnswer) -> PlannedStep:
    def step(step: Step, evidence: str, id: str = "") -> PlannedStep:
        return PlannedStep(operation=operation, step=step, evidence=evidence, id=id)

    resource = operation.resource
    current = _current_entry(exported, resource.urn)
    if resource.id and (current is None or current.id != resource.id):
        return step(Step.ADOPT, f"{resource.id} exists: AWS had answered", resource.id)
    if isinstance(answer, OperationError):
        return step(Step.UNKNOWN, answer.message)
    if isinstance(answer, Repeated):
        if current is not None:
            return step(Step.KNOWN, f"{current.id} is in the state")
        return step(Step.CREATE, f"the next `up` repeats it: {answer.reason}")
    known = _known_ids(exported, resource)
    candidates = [each for each in answer if each.id not in known]
    if not candidates:
        if current is not None:
            return step(Step.KNOWN, f"{current.id} is in the state")
        return step(Step.CREATE, "does not exist")
    ids = " and ".join(each.id for each in candidates)
    if len(candidates) > 1:
        return step(Step.AMBIGUOUS, f"exists {len(candidates)} times: {ids}")
    if current is not None and current.inputs == resource.inputs:
        return step(Step.AMBIGUOUS, f"exists twice: {current.id} in the state, and {ids}")
    (found,) = candidates
    if found.tags is not None and not has_tags(found, resource.tags):
        return step(Step.FOREIGN, f"{ids} exists without this stack's tags")
    if found.is_being_deleted:
        return step(Step.BEING_DELETED, f"{ids} has the status {found.status}")
    status = f", status {found.status}" if found.status else ""
    return step(Step.ADOPT, f"{ids} exists{status}", found.id)


def _current_entry(exported: ExportedState, urn: str) -> ExportedResource | None:
    """Return the entry that is neither replaced nor about to be deleted: a replacement has several."""
    marks = ("delete", "pendingReplacement")
    entries = (each for each in exported.resources if each.urn == urn)
    return next((each for each in entries if not any(each.values.get(mark) for mark in marks)), None)


def _known_ids(exported: ExportedState, resource: ExportedResource) -> set[str]:
    """Return the ids of the resource's type that the state has in its region.

    Names are unique in a region only. A resource that was deleted for its replacement stays in the state as pending.
    """
    return {
        each.id
        for each in exported.in_region(resource.region)
        if each.type == resource.type and not (each.urn == resource.urn and each.values.get("pendingReplacement"))
    }


def repaired_state(exported: ExportedState, steps: Sequence[PlannedStep]) -> dict[str, Any]:
    """Return the export without pending operations, and with the resources to adopt."""
    resources = [dict(each.values) for each in exported.resources]
    for each in steps:
        if each.step is Step.ADOPT:
            _insert(resources, _adopted(each))
    deployment = {**exported.values["deployment"], "resources": resources}
    deployment.pop("pending_operations", None)
    return {**exported.values, "deployment": deployment}


def _adopted(step: PlannedStep) -> dict[str, Any]:
    """Return a resource as the engine keeps it after its creation.

    Its outputs are at least its inputs: with empty outputs the provider would import it, by another id for some types.
    """
    resource = step.operation.resource
    return {**resource.values, "id": step.id, "outputs": resource.outputs or _without_marks(resource.inputs)}


def _without_marks(value: Any) -> Any:
    """Return inputs without the marks of the bridged provider, which its outputs do not have."""
    if isinstance(value, Mapping):
        return {name: _without_marks(each) for name, each in value.items() if name != PROVIDER_MARK}
    return [_without_marks(each) for each in value] if isinstance(value, list) else value


def _insert(resources: list[dict[str, Any]], adopted: dict[str, Any]) -> None:
    """Add a resource after all that it depends on; mark the one that it replaces for deletion, as the engine does."""
    urn = adopted["urn"]
    # Deleted before its replacement was created: the engine removes this entry with the creation.
    resources[:] = [each for each in resources if not (each["urn"] == urn and each.get("pendingReplacement"))]
    replaced = next((index for index, each in enumerate(resources) if each["urn"] == urn), None)
    if replaced is None:
        resources.append(adopted)
        return
    resources[replaced]["delete"] = True
    needed = set(adopted.get("dependencies") or []) | {adopted.get("parent")}
    last_needed = max((index for index, each in enumerate(resources) if each["urn"] in needed), default=-1)
    resources.insert(max(replaced, last_needed + 1), adopted)
