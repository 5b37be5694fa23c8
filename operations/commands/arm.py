"""The commands `arm` and `disarm`: read both switches, show the plan, ask for confirmation, write the standby's first."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from operations.aws.ports import Item, RdsRoles, RegionApi
from operations.aws.roles import Roles, reconcile, roles_from_rds, roles_from_state
from operations.aws.table_items import STATE, SWITCH, describe_switch, parse_state, parse_switch
from operations.commands.arm_plan import ArmRequest, ArmStep, SwitchPlan, SwitchState, exit_code, plan_switch
from operations.commands.context import CommandContext, write
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, ExitCode, OperationError
from operations.support.screen import Screen


def set_armed(
    context: CommandContext, region_name: str | None, *, armed: bool, reason: str, expires_at: datetime | None
) -> ExitCode:
    """Arm or disarm both regions, or the named one."""
    deployment = context.deployment
    regions = deployment.regions if region_name is None else (deployment.region(region_name),)
    apis = {region: context.connect(region) for region in regions}
    states, roles = _read_switches(deployment, apis)
    readable = [state.region for state in states if state.failure is None]
    if not readable:
        several = "Check the login and the network of this machine, then try again."
        raise AwsError(f"{_failures(states)}. No changes were made", hint=several if len(states) > 1 else "Try again.")
    identity_region = roles.standby if roles.standby in readable else readable[0]
    request = ArmRequest(
        armed=armed,
        reason=reason,
        expires_at=expires_at,
        by=call_with_deadline(apis[identity_region].caller),
        at=context.now(),
        change_id=context.new_id(),
    )
    plan = plan_switch(deployment, request, states, roles)
    _show_plan(context.screen, plan)
    if plan.standby_is_unreachable:
        standby = "" if roles.standby is None else roles.standby.name
        raise AwsError(
            f"{standby}, the standby whose controller would act, is unreachable: {_failures(plan.unreachable)}. No changes were made",
            hint=f"Try again. For the other region alone: --region {readable[0].name}.",
        )
    if plan.changes_something:
        context.confirm(f"{request.verb.capitalize()} as planned above?")
    return _show_result(context.screen, plan, _write_steps(plan, apis))


def _read_switches(
    deployment: StackDeployment, apis: Mapping[DeployedRegion, RegionApi]
) -> tuple[list[SwitchState], Roles]:
    """Read tables and RDS APIs in parallel; return the switches, and the roles by RDS or else by the controllers."""
    calls: list[Callable[[], Any]] = [partial(api.read_items, [STATE, SWITCH]) for api in apis.values()]
    calls += [api.read_roles for api in apis.values()]
    answers = call_concurrently(calls)
    tables, rds = answers[: len(apis)], answers[len(apis) :]
    states, remembered = [], []
    for region, items in zip(apis, tables, strict=True):
        if isinstance(items, OperationError):
            states.append(SwitchState(region=region, failure=items.message))
            continue
        state = parse_state(items[STATE]).value
        states.append(SwitchState(region=region, switch=parse_switch(items[SWITCH]), state=state))
        remembered.append(roles_from_state(deployment, region, state))
    by_rds = reconcile(roles_from_rds(deployment, answer) for answer in rds if isinstance(answer, RdsRoles))
    return states, by_rds if by_rds.standby is not None or "disagree" in by_rds.source else reconcile(remembered)


def _write_steps(plan: SwitchPlan, apis: Mapping[DeployedRegion, RegionApi]) -> dict[DeployedRegion, str | None]:
    """Write in order; return the failure of each region or None. A failure of the first region ends the command."""

    def describe_item(item: Item | None) -> str:
        return describe_switch(parse_switch(item), plan.request.at)

    failures: dict[DeployedRegion, str | None] = {}
    for step in plan.steps:
        try:
            if step.change is not None:
                write(apis[step.region], step.change, step.region, describe_item)
        except OperationError as error:
            if not failures:
                raise
            failures[step.region] = error.message
        else:
            failures[step.region] = None
    return failures


def _show_plan(screen: Screen, plan: SwitchPlan) -> None:
    screen.note(f"Plan: {plan.request.verb} as {plan.request.by}; roles: {plan.roles.source}")
    for step in plan.steps:
        screen.note(f"  {step.region.name} ({_role(plan, step.region)}): {step.before}")
        screen.note(f"    -> {step.after if step.change else 'no change'}")
    for state in plan.unreachable:
        screen.note(f"  {state.region.name}: UNREACHABLE: {state.failure}")
    for remark in plan.remarks:
        screen.note(f"  Note: {remark}")


def _role(plan: SwitchPlan, region: DeployedRegion) -> str:
    if plan.roles.standby is None:
        return "role unknown"
    return "standby: its controller acts" if region == plan.roles.standby else "writer"


def _show_result(screen: Screen, plan: SwitchPlan, failures: Mapping[DeployedRegion, str | None]) -> ExitCode:
    written = [region for region, failure in failures.items() if failure is None]
    code = exit_code(plan, written)
    missed = {
        **{state.region: state.failure for state in plan.unreachable},
        **{region: failure for region, failure in failures.items() if failure},
    }
    lines = [_result_line(step) for step in plan.steps if step.region in written]
    for region, failure in missed.items():
        lines.append(
            f"{region.name}: not written: {failure}. Run `{plan.request.verb}` again when the region responds: "
            "after a change of roles its own switch counts."
        )
    if code is ExitCode.PARTLY and not missed:
        lines.extend(plan.remarks)
    request, standby = plan.request, plan.roles.standby
    screen.result(
        {
            "requested": "armed" if request.armed else "disarmed",
            "by": request.by,
            "why": request.reason,
            "until": None if request.expires_at is None else request.expires_at.isoformat(),
            "standby": None if standby is None else standby.name,
            "effective": None if standby is None else standby in written,
            "as_requested": [region.name for region in written],
            "changed": [step.region.name for step in plan.steps if step.change and step.region in written],
            "not_written": {region.name: failure for region, failure in missed.items()},
            "remarks": list(plan.remarks),
            "exit_code": int(code),
        },
        lines,
    )
    return code


def _result_line(step: ArmStep) -> str:
    return f"{step.region.name}: {step.after}" if step.change else f"{step.region.name}: {step.before}; no change"


def _failures(states: Sequence[SwitchState]) -> str:
    return "; ".join(str(state.failure) for state in states)
