"""Disarm and arm: what would be written where, decided from what was read.

Owns the plan and what its end is worth. Does no I/O (`commands.py` does). Invariants: the standby's table comes first,
for its controller is the one that acts; without it nothing is written; an item is only ever replaced by one that
carries the next version, over exactly what was read.
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
    """What a person wants, and who it is."""

    armed: bool
    reason: str
    expires_at: datetime | None
    by: str
    at: datetime
    change_id: str

    @property
    def verb(self) -> str:
        """The command's word."""
        return "arm" if self.armed else "disarm"


@dataclass(frozen=True, kw_only=True)
class SwitchState:
    """What one region's table says, or why it could not be read."""

    region: DeployedRegion
    switch: ParsedItem[Switch] | None = None
    state: State | None = None
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens in one region; without a change it is as wanted already."""

    region: DeployedRegion
    before: str
    after: str
    change: TableWrite | None


@dataclass(frozen=True, kw_only=True)
class SwitchPlan:
    """All steps in their order, the regions that can't be told, and what a person should know before."""

    order: ArmRequest
    seats: Roles
    steps: tuple[Step, ...]
    unreached: tuple[SwitchState, ...]
    remarks: tuple[str, ...]

    @property
    def changes_something(self) -> bool:
        """Whether there is anything to write."""
        return any(step.change for step in self.steps)

    @property
    def standby_is_unreached(self) -> bool:
        """Whether the region that would act can't be told: then nothing is worth writing."""
        return any(reading.region == self.seats.standby for reading in self.unreached) or not self.steps


def plan_switch(
    deployment: StackDeployment, order: ArmRequest, readings: Sequence[SwitchState], seats: Roles
) -> SwitchPlan:
    """Return what would be done, from one reading of each region that is to be told."""
    in_order = sorted(readings, key=lambda reading: reading.region != seats.standby)
    steps = tuple(_step(deployment, order, reading) for reading in in_order if reading.failure is None)
    unreached = tuple(reading for reading in in_order if reading.failure is not None)
    return SwitchPlan(
        order=order,
        seats=seats,
        steps=steps,
        unreached=unreached,
        remarks=(*_remarks_on_seats(order, seats, readings), *_remarks_on_state(order, readings)),
    )


def exit_code(plan: SwitchPlan, notified: Sequence[DeployedRegion]) -> ExitCode:
    """Return 0 only when the region that acts was told, and every other that was asked for."""
    everybody = not plan.unreached and all(step.region in notified for step in plan.steps)
    return ExitCode.DONE if everybody and plan.seats.standby in notified else ExitCode.PARTLY


def _step(deployment: StackDeployment, order: ArmRequest, reading: SwitchState) -> Step:
    switch = reading.switch or ParsedItem(raw=None)
    before = describe_switch(switch, order.at)
    if _is_as_wanted(switch, order):
        return Step(region=reading.region, before=before, after=before, change=None)
    audit_key, trace = audit_entry(
        OperatorReason.ARM if order.armed else OperatorReason.DISARM,
        global_cluster_id=deployment.global_cluster_id,
        region=reading.region.name,
        at=order.at,
        change_id=order.change_id,
        evidence={
            "by": order.by,
            "why": order.reason,
            "until": None if order.expires_at is None else order.expires_at.isoformat(),
            "before": before,
        },
    )
    attributes = switch_item(
        armed=order.armed,
        reason=order.reason,
        by=order.by,
        at=order.at,
        change_id=order.change_id,
        expires_at=order.expires_at,
        over=switch.raw,
    )
    change = TableWrite(key=SWITCH, attributes=attributes, over=switch.raw, audit_key=audit_key, audit_item=trace)
    return Step(region=reading.region, before=before, after=_wanted(order), change=change)


def _is_as_wanted(switch: ParsedItem[Switch], order: ArmRequest) -> bool:
    if switch.problem is not None:
        return False
    armed = is_armed(switch.value, order.at)
    if armed or order.armed:
        return armed == order.armed
    expires_at = None if switch.value is None else switch.value.expires_at
    return expires_at == order.expires_at


def _wanted(order: ArmRequest) -> str:
    state = "armed" if order.armed else f"disarmed {end_text(order.expires_at)}"
    return f"{state} by {order.by}: {order.reason}"


def _remarks_on_seats(order: ArmRequest, seats: Roles, readings: Sequence[SwitchState]) -> list[str]:
    remarks = []
    standby = seats.standby
    asked = [reading.region for reading in readings]
    if seats.operation is not None:
        remarks.append(f"RDS shows an operation ({seats.operation}): the roles are about to change.")
    if standby is None:
        remarks.append(f"Which region is the standby is {seats.source}: nobody knows whose controller would act.")
    elif standby not in asked:
        remarks.append(
            f"The controller that would act is the one in {standby.name}, the standby: it is not told. "
            f"Add it: `{order.verb}` with --region {standby.name}, or without --region."
        )
    return remarks


def _remarks_on_state(order: ArmRequest, readings: Sequence[SwitchState]) -> list[str]:
    remarks = []
    for reading in readings:
        state, region = reading.state, reading.region.name
        if state is None:
            continue
        if state.attempt is not None:
            started = utc_text(state.attempt.started_at)
            remarks.append(f"A failover to {region} was called at {started}: the switch does not stop it any more.")
        elif order.armed and state.dead_since is not None:
            since = utc_text(state.dead_since)
            remarks.append(
                f"In {region} the writer counts as dead since {since}: armed, it may fail over within cycles."
            )
    return remarks
