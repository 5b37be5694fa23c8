"""The commands that turn the switch: disarm and arm.

Owns the steps: read both regions, plan, show, ask, write the standby first. Does not own the plan (`switch.py`).
Invariant: nothing is written before it was shown and confirmed, and nothing anywhere unless the standby can be told.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from operations.aws.ports import Item, RdsRoles, RegionApi
from operations.aws.roles import Roles, reconcile, roles_from_rds, roles_from_state
from operations.aws.table_items import STATE, SWITCH, describe_switch, parse_state, parse_switch
from operations.commands.arm_plan import ArmRequest, Step, SwitchPlan, SwitchState, exit_code, plan_switch
from operations.commands.session import Session, write
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, ExitCode, OperationError
from operations.support.screen import Screen


def set_armed(
    session: Session, region_name: str | None, *, armed: bool, reason: str, expires_at: datetime | None
) -> ExitCode:
    """Arm or disarm: both regions, or the named one."""
    deployment = session.deployment
    regions = deployment.regions if region_name is None else (deployment.region(region_name),)
    apis = {region: session.connect(region) for region in regions}
    readings, seats = _read_switches(deployment, apis)
    reached = [reading.region for reading in readings if reading.failure is None]
    if not reached:
        raise AwsError(
            "; ".join(str(reading.failure) for reading in readings) + ". Nothing was changed", hint=_cure_of(readings)
        )
    caller = _caller(apis, sorted(reached, key=lambda region: region != seats.standby))
    order = ArmRequest(
        armed=armed, reason=reason, expires_at=expires_at, by=caller, at=session.now(), change_id=session.new_id()
    )
    plan = plan_switch(deployment, order, readings, seats)
    _say_plan(session.screen, plan)
    if plan.standby_is_unreached:
        standby = "" if seats.standby is None else seats.standby.name
        raise AwsError(
            f"{standby}, the standby, whose controller would act, can't be told: {_failures(plan)}. Nothing was changed",
            hint=f"Try again. The other region alone: --region {reached[0].name}.",
        )
    if plan.changes_something:
        session.confirm(f"{order.verb.capitalize()} as said above?")
    ends = _write_steps(plan, apis)
    return _say_end(session.screen, plan, ends)


def _read_switches(
    deployment: StackDeployment, apis: Mapping[DeployedRegion, RegionApi]
) -> tuple[list[SwitchState], Roles]:
    """Read the tables and the RDS APIs of all asked regions at once: a dead one costs its deadline, once."""
    calls: list[Callable[[], Any]] = [partial(api.read_items, [STATE, SWITCH]) for api in apis.values()]
    calls += [api.read_roles for api in apis.values()]
    answers = call_concurrently(calls)
    tables, roles = answers[: len(apis)], answers[len(apis) :]
    readings, remembered = [], []
    for region, answer in zip(apis, tables, strict=True):
        if isinstance(answer, OperationError):
            readings.append(SwitchState(region=region, failure=answer.message))
            continue
        state = parse_state(answer[STATE]).value
        readings.append(SwitchState(region=region, switch=parse_switch(answer[SWITCH]), state=state))
        remembered.append(roles_from_state(deployment, region, state))
    by_rds = reconcile(roles_from_rds(deployment, answer) for answer in roles if isinstance(answer, RdsRoles))
    return readings, by_rds if by_rds.standby is not None or "disagree" in by_rds.source else reconcile(remembered)


def _caller(apis: Mapping[DeployedRegion, RegionApi], regions: Sequence[DeployedRegion]) -> str:
    """Ask the first of the regions that answered who we are."""
    return call_with_deadline(apis[regions[0]].caller)


def _write_steps(plan: SwitchPlan, apis: Mapping[DeployedRegion, RegionApi]) -> dict[DeployedRegion, str | None]:
    """Write in order; return why a region was not told. A failure of the first, the standby, ends it all."""

    def tell_of(theirs: Item | None) -> str:
        return describe_switch(parse_switch(theirs), plan.order.at)

    ends: dict[DeployedRegion, str | None] = {}
    for step in plan.steps:
        try:
            if step.change is not None:
                write(apis[step.region], step.change, step.region, tell_of)
        except OperationError as error:
            if not ends:
                raise
            ends[step.region] = error.message
        else:
            ends[step.region] = None
    return ends


def _say_plan(screen: Screen, plan: SwitchPlan) -> None:
    screen.note(f"Plan: {plan.order.verb} as {plan.order.by}; roles: {plan.seats.source}")
    for step in plan.steps:
        screen.note(f"  {step.region.name} ({_role(plan, step.region)}): {step.before}")
        screen.note(f"    -> {step.after}" if step.change else "    -> nothing to change")
    for reading in plan.unreached:
        screen.note(f"  {reading.region.name}: NOT REACHED: {reading.failure}")
    for remark in plan.remarks:
        screen.note(f"  Note: {remark}")


def _role(plan: SwitchPlan, region: DeployedRegion) -> str:
    if plan.seats.standby is None:
        return "role unknown"
    return "standby: its controller acts" if region == plan.seats.standby else "writer"


def _say_end(screen: Screen, plan: SwitchPlan, ends: Mapping[DeployedRegion, str | None]) -> ExitCode:
    notified = [region for region, why in ends.items() if why is None]
    code = exit_code(plan, notified)
    missed = {
        **{each.region: each.failure for each in plan.unreached},
        **{region: why for region, why in ends.items() if why},
    }
    lines = [_end_line(plan, step) for step in plan.steps if step.region in notified]
    for region, why in missed.items():
        lines.append(
            f"{region.name} could not be told: {why}. Run `{plan.order.verb}` again when it answers: "
            "after a change of roles its own switch is the one that counts."
        )
    if code is ExitCode.PARTLY and not missed:
        lines.extend(plan.remarks)
    standby = plan.seats.standby
    screen.result(
        {
            "wanted": "armed" if plan.order.armed else "disarmed",
            "by": plan.order.by,
            "why": plan.order.reason,
            "until": None if plan.order.expires_at is None else plan.order.expires_at.isoformat(),
            "standby": None if standby is None else standby.name,
            "effective": None if standby is None else standby in notified,
            "notified": [region.name for region in notified],
            "changed": [step.region.name for step in plan.steps if step.change and step.region in notified],
            "not_told": {region.name: why for region, why in missed.items()},
            "remarks": list(plan.remarks),
            "exit_code": int(code),
        },
        lines,
    )
    return code


def _end_line(plan: SwitchPlan, step: Step) -> str:
    return (
        f"{step.region.name}: {step.after}" if step.change else f"{step.region.name}: {step.before}; nothing to change"
    )


def _failures(plan: SwitchPlan) -> str:
    return "; ".join(str(reading.failure) for reading in plan.unreached)


def _cure_of(readings: Sequence[SwitchState]) -> str:
    return "Check the log-in and the network of this machine, then try again." if len(readings) > 1 else "Try again."
