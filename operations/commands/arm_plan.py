"""Rules of `arm` and `disarm`: the items to write, by region.

Invariant: the standby's table comes first, because its controller acts; if it is unreachable, nothing is written.
An item is replaced only by its next version, and only if it is still the item that was read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.failover_controller.model import State, Switch
from operations.aws.ports import TableWrite
from operations.aws.roles import Roles
from operations.aws.table_items import (
    SWITCH,
    OperatorReason,
    ParsedItem,
    audit_entry,
    describe_switch,
    end_text,
    is_armed,
    switch_item,
)
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.errors import ExitCode
from operations.support.times import utc_text


@dataclass(frozen=True, kw_only=True)
class ArmRequest:
    """The operator's request."""

    armed: bool
    reason: str
    expires_at: datetime | None
    by: str
    at: datetime
    change_id: str

    @property
    def verb(self) -> str:
        """Name of the command."""
        return "arm" if self.armed else "disarm"


@dataclass(frozen=True, kw_only=True)
class SwitchState:
    """One region's switch and controller state, or the reason why they could not be read."""

    region: DeployedRegion
    switch: ParsedItem[Switch] | None = None
    state: State | None = None
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class ArmStep:
    """The change in one region; None if the switch is already as requested."""

    region: DeployedRegion
    before: str
    after: str
    change: TableWrite | None


@dataclass(frozen=True, kw_only=True)
class SwitchPlan:
    """All steps in order, the unreachable regions, and remarks for the operator."""

    request: ArmRequest
    roles: Roles
    steps: tuple[ArmStep, ...]
    unreachable: tuple[SwitchState, ...]
    remarks: tuple[str, ...]

    @property
    def changes_something(self) -> bool:
        """Whether any step writes."""
        return any(step.change for step in self.steps)

    @property
    def standby_is_unreachable(self) -> bool:
        """Whether the region whose controller acts can't be written."""
        return any(state.region == self.roles.standby for state in self.unreachable) or not self.steps


def plan_switch(
    deployment: StackDeployment, request: ArmRequest, states: Sequence[SwitchState], roles: Roles
) -> SwitchPlan:
    """Return the plan for the regions in `states`."""
    ordered = sorted(states, key=lambda state: state.region != roles.standby)
    return SwitchPlan(
        request=request,
        roles=roles,
        steps=tuple(_step(deployment, request, state) for state in ordered if state.failure is None),
        unreachable=tuple(state for state in ordered if state.failure is not None),
        remarks=(*_role_remarks(request, roles, states), *_state_remarks(request, states)),
    )


def exit_code(plan: SwitchPlan, written: Sequence[DeployedRegion]) -> ExitCode:
    """Return 0 if the standby and every other requested region is as requested, else 5."""
    complete = not plan.unreachable and all(step.region in written for step in plan.steps)
    return ExitCode.DONE if complete and plan.roles.standby in written else ExitCode.PARTLY


def _step(deployment: StackDeployment, request: ArmRequest, state: SwitchState) -> ArmStep:
    switch = state.switch or ParsedItem(raw=None)
    before = describe_switch(switch, request.at)
    if _is_as_requested(switch, request):
        return ArmStep(region=state.region, before=before, after=before, change=None)
    audit_key, trace = audit_entry(
        OperatorReason.ARM if request.armed else OperatorReason.DISARM,
        global_cluster_id=deployment.global_cluster_id,
        region=state.region.name,
        at=request.at,
        change_id=request.change_id,
        evidence={
            "by": request.by,
            "why": request.reason,
            "until": None if request.expires_at is None else request.expires_at.isoformat(),
            "before": before,
        },
    )
    attributes = switch_item(
        armed=request.armed,
        reason=request.reason,
        by=request.by,
        at=request.at,
        change_id=request.change_id,
        expires_at=request.expires_at,
        previous=switch.raw,
    )
    change = TableWrite(key=SWITCH, attributes=attributes, previous=switch.raw, audit_key=audit_key, audit_item=trace)
    end = "armed" if request.armed else f"disarmed {end_text(request.expires_at)}"
    return ArmStep(region=state.region, before=before, after=f"{end} by {request.by}: {request.reason}", change=change)


def _is_as_requested(switch: ParsedItem[Switch], request: ArmRequest) -> bool:
    if switch.problem is not None:
        return False
    armed = is_armed(switch.value, request.at)
    if armed or request.armed:
        return armed == request.armed
    expires_at = None if switch.value is None else switch.value.expires_at
    return expires_at == request.expires_at


def _role_remarks(request: ArmRequest, roles: Roles, states: Sequence[SwitchState]) -> list[str]:
    remarks = []
    standby = roles.standby
    if roles.operation is not None:
        remarks.append(f"RDS shows an operation ({roles.operation}): the roles are about to change.")
    if standby is None:
        remarks.append(f"The standby region is {roles.source}, so it is unknown whose controller would act.")
    elif standby not in [state.region for state in states]:
        remarks.append(
            f"The controller in {standby.name}, the standby, is the one that would act, and its switch is not changed. "
            f"Add it: `{request.verb}` with --region {standby.name}, or without --region."
        )
    return remarks


def _state_remarks(request: ArmRequest, states: Sequence[SwitchState]) -> list[str]:
    remarks = []
    for each in states:
        state, region = each.state, each.region.name
        if state is None:
            continue
        if state.attempt is not None:
            started = utc_text(state.attempt.started_at)
            remarks.append(
                f"A failover to {region} was started at {started}: the switch no longer stops this failover."
            )
        elif request.armed and state.dead_since is not None:
            since = utc_text(state.dead_since)
            remarks.append(
                f"For the controller in {region} the writer is unreachable since {since}: "
                "once armed, the controller may fail over in its next cycles."
            )
    return remarks
