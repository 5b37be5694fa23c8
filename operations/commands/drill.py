"""The command `drill`: switch over, verify, switch back, each step timed; resumable from the audit trail and RDS.

Invariant: however the drill ends, it reports the writer's region and the command that switches back; a failed check
does not stop the switch back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from operations.aws.table_items import AuditEntry, OperatorReason, parse_audit_entry
from operations.checks.finding import CheckResult, Verdict, exit_code, summary
from operations.commands.context import CommandContext
from operations.commands.drill_log import DrillRecord, DrillStep, drill_evidence, newest_drill
from operations.commands.move_steps import MoveOptions, MoveResult, record, run_move
from operations.commands.move_topology import Topology, read_topology
from operations.commands.switchover import call_switchover, plan_and_switch_over, show_plan
from operations.stack.deployment import DeployedRegion
from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, ExitCode, OperationError, OperationRefusedError, StoppedError

ENTRIES_SEARCHED = 500
HEADINGS = ("Step", "Seconds", "Result")
Verify = Callable[[CommandContext], tuple[list[CheckResult], str | None]]


@dataclass(frozen=True, kw_only=True)
class DrillOptions:
    """The operator's options."""

    one_way: bool
    max_lag_ms: float
    reason: str
    move: MoveOptions


@dataclass(kw_only=True)
class _DrillRun:
    """A drill in progress, with its completed steps."""

    context: CommandContext
    options: DrillOptions
    drill_id: str
    origin: DeployedRegion
    target: DeployedRegion
    steps: list[dict[str, object]] = field(default_factory=list)
    findings: list[CheckResult] = field(default_factory=list)

    @property
    def reason(self) -> str:
        return f"drill: {self.options.reason}"

    def add_step(self, step: str, started: float, result: str, **more: object) -> None:
        seconds = round(self.context.stopwatch() - started, 2)
        self.steps.append({"step": step, "seconds": seconds, "result": result, **more})

    def move(self, step: str, action: Callable[[], MoveResult]) -> None:
        started = self.context.stopwatch()
        self.context.screen.note(f"Drill, {step}")
        result = action()
        self.add_step(step, started, f"{result.target.name} is the writer", phases=result.seconds)

    def record(self, step: DrillStep) -> None:
        names = {"origin": self.origin.name, "target": self.target.name}
        evidence = drill_evidence(self.drill_id, step, reason=self.options.reason, **names)
        record(self.context, self.target, OperatorReason.DRILL, evidence)


def drill(context: CommandContext, options: DrillOptions, *, only_resume: bool, verify: Verify) -> ExitCode:
    """Run a drill, or resume the interrupted one."""
    found, last = read_topology(context), _last_drill(context)
    if only_resume:
        return _resume(context, options, found, last, verify)
    if last is not None and last.is_open:
        raise OperationRefusedError(
            f"the drill of {last.at} is unfinished, {_position(found, last)}",
            hint=f"Finish it first: {_resume_command(context)}",
        )
    route = "one way, without switching back" if options.one_way else "verify, switch back"
    context.screen.note(f"Drill: switch over, {route}. Plan of the switchover:")
    show_plan(context, found, max_lag_ms=options.max_lag_ms)
    context.confirm(f"Run the drill: switch over, {route}?")
    run = _DrillRun(
        context=context,
        options=options,
        drill_id=context.new_id(),
        origin=found.writer.region,
        target=found.standby.region,
    )
    run.record(DrillStep.BEGUN)
    with _resume_hints(context):
        run.move("switchover", lambda: call_switchover(context, found, reason=run.reason, options=options.move))
        return _verify_and_return(run, verify)


def _verify_and_return(run: _DrillRun, verify: Verify) -> ExitCode:
    started = run.context.stopwatch()
    run.findings, _ = verify(run.context)
    run.add_step("verify", started, summary(run.findings))
    run.record(DrillStep.VERIFIED)
    return _switch_back(run)


def _switch_back(run: _DrillRun) -> ExitCode:
    if not run.options.one_way:
        switch_back = partial(
            plan_and_switch_over,
            run.context,
            read_topology(run.context),
            max_lag_ms=run.options.max_lag_ms,
            reason=run.reason,
            options=run.options.move,
            ask=False,
        )
        run.move("switch back", switch_back)
    run.record(DrillStep.ENDED)
    return _show_result(run)


def _resume(
    context: CommandContext, options: DrillOptions, found: Topology, last: DrillRecord | None, verify: Verify
) -> ExitCode:
    if last is None or not last.is_open:
        raise OperationRefusedError(
            "drill --resume: no drill is unfinished", hint="Start one without --resume; `history` lists earlier ones."
        )
    origin, target = context.deployment.region(last.origin), context.deployment.region(last.target)
    run = _DrillRun(context=context, options=options, drill_id=last.id, origin=origin, target=target)
    context.screen.note(f"Resuming the drill of {last.at}, {_position(found, last)}")
    with _resume_hints(context):
        if found.global_cluster.operation is not None:
            found = _follow(run, found)
        if found.writer.region == origin:
            run.record(DrillStep.ENDED)
            if last.step is DrillStep.BEGUN:
                context.screen.note(f"The writer never left {origin.name}: the drill counts as ended")
            return _show_result(run)
        context.confirm(f"Resume the drill: verify, then switch back to {origin.name}?")
        return _verify_and_return(run, verify) if last.step is DrillStep.BEGUN else _switch_back(run)


def _follow(run: _DrillRun, found: Topology) -> Topology:
    """Follow the operation in progress; return the topology after it."""
    operation = found.global_cluster.operation
    targets = [
        region for region in (run.origin, run.target) if operation and region.cluster_arn == operation.target_arn
    ]
    if not targets:
        raise OperationRefusedError(
            "an operation to neither region of the drill is in progress", hint="Wait until that operation has ended."
        )
    started = run.context.stopwatch()
    result = run_move(run.context, targets[0], run.options.move, call=None, with_replication=True)
    run.add_step("followed", started, f"{targets[0].name} is the writer", phases=result.seconds)
    return read_topology(run.context)


@contextmanager
def _resume_hints(context: CommandContext) -> Iterator[None]:
    """Add the command that finishes the drill to each error that ends it early."""
    hint = f"The drill is unfinished. Resume it to switch back: {_resume_command(context)}"
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError("drill: Ctrl-C: no further step is started", hint=hint) from error
    except OperationError as error:
        has_hint = "--resume" in error.hint  # from the Waiter
        raise type(error)(f"drill: {error.message}", hint=error.hint if has_hint else f"{error.hint} {hint}") from error


def _last_drill(context: CommandContext) -> DrillRecord | None:
    """Return the newest drill in the audit trails of both regions.

    Raises:
        AwsError: a trail can't be read, so an unfinished drill might be missed.
    """
    regions = context.deployment.regions
    answers = call_concurrently([partial(context.connect(region).read_history, ENTRIES_SEARCHED) for region in regions])
    entries: list[AuditEntry] = []
    for region, answer in zip(regions, answers, strict=True):
        if isinstance(answer, OperationError):
            raise AwsError(
                f"drill: the audit trail in {region.name} can't be read, so an unfinished drill might be missed: {answer.message}",
                hint="A drill needs both regions. Try again.",
            )
        entries += [parse_audit_entry(item) for item in answer]
    return newest_drill(entries)


def _position(found: Topology, last: DrillRecord) -> str:
    operation = found.global_cluster.operation
    if operation is not None:
        return f"a {operation.label} in progress ({operation.status})"
    writer = found.writer.region.name
    return f"the writer in {writer}, {'where it started' if writer == last.origin else f'not back in {last.origin}'}"


def _resume_command(context: CommandContext) -> str:
    line = context.command_line if " --resume" in context.command_line else f"{context.command_line} --resume"
    return line if " --confirm" in line else f"{line} --confirm {context.deployment.global_cluster_id}"


def _show_result(run: _DrillRun) -> ExitCode:
    context, origin = run.context, run.origin
    writer_arn = call_with_deadline(context.move_api(run.target).read_global).writer_arn
    writer = next((each for each in context.deployment.regions if each.cluster_arn == writer_arn), origin)
    verified = exit_code(run.findings) if run.findings else ExitCode.DONE
    code = ExitCode.PARTLY if verified is ExitCode.AWS else verified
    context.screen.table("Drill", HEADINGS, [row for step in run.steps for row in _rows(step)])
    bad = [finding for finding in run.findings if finding.verdict is not Verdict.PASSED]
    command = context.with_stack_options(f"python -m operations switchover --to {origin.name}")
    back = "" if writer == origin else f" Switch back: {command}"
    context.screen.result(
        {
            "drill": run.drill_id,
            "origin": origin.name,
            "target": run.target.name,
            "writer": writer.name,
            "steps": run.steps,
            "not_passed": [finding.to_json() for finding in bad],
            "exit_code": int(code),
        },
        [
            *(f"{each.verdict}: {each.check} in {each.where}: {each.evidence}" for each in bad),
            f"The writer is in {writer.name}.{back}",
        ],
    )
    return code


def _rows(step: dict[str, object]) -> Iterator[Sequence[str]]:
    yield str(step["step"]), str(step["seconds"]), str(step["result"])
    phases = step.get("phases")
    if isinstance(phases, dict):
        for phase, seconds in phases.items():
            yield f"  {phase}", str(seconds), "since the call"
