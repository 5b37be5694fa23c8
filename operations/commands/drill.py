"""The command `drill`: switch over there, verify, and home again, timed; resumable from the audit trail and RDS.

Owns the order of the steps and how a drill is found again. Does not own a switchover (`switchover.py`), what is verified
(`verify.py`), or the entries' form (`drill_trail.py`). Invariant: it always says in which region the writer stands and
how it comes home; a promise that is broken over there is reported, and the writer comes home all the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from operations.aws.table_items import AuditEntry, OperatorReason, parse_audit_entry
from operations.checks.finding import CheckResult, Verdict, exit_code, summary
from operations.commands.drill_log import Drill, Step, evidence_of, newest_drill
from operations.commands.move_progress import MoveProgress
from operations.commands.move_steps import MoveOptions, MoveResult, arrive, journey_to, record, refuse_if
from operations.commands.move_survey import Topology, survey
from operations.commands.session import Session
from operations.commands.switchover import go_over, move, obstacles_of, say_plan
from operations.stack.deployment import DeployedRegion
from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, ExitCode, OperationError, OperationRefusedError, StoppedError

ENTRIES_SEARCHED = 500
HEADINGS = ("Step", "Seconds", "What")
Verify = Callable[[Session], tuple[list[CheckResult], str | None]]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a person set for a drill."""

    one_way: bool
    max_lag_ms: float
    reason: str
    course: MoveOptions


@dataclass(kw_only=True)
class _Course:
    """A drill on its way: what was done, and how long it took."""

    session: Session
    terms: Terms
    drill_id: str
    home: DeployedRegion
    away: DeployedRegion
    steps: list[dict[str, object]] = field(default_factory=list)
    findings: list[CheckResult] = field(default_factory=list)

    def did(self, step: str, since: float, what: str, **more: object) -> None:
        seconds = round(self.session.stopwatch() - since, 2)
        self.steps.append({"step": step, "seconds": seconds, "what": what, **more})

    def note_in_trail(self, step: Step) -> None:
        notified = evidence_of(self.drill_id, step, home=self.home.name, away=self.away.name, reason=self.terms.reason)
        record(self.session, self.away, OperatorReason.DRILL, notified)


def drill(session: Session, terms: Terms, *, only_resume: bool, verify: Verify) -> ExitCode:
    """Play one, or go on with the one that was interrupted."""
    found, last = survey(session), _last_drill(session)
    if only_resume:
        return _resume(session, terms, found, last, verify)
    if last is not None and last.is_open:
        raise OperationRefusedError(
            f"the drill of {last.at} is half-way, {_stand(found, last)}",
            hint=f"Bring it to its end first: {_resume_line(session)}",
        )
    obstacles = list(obstacles_of(found, max_lag_ms=terms.max_lag_ms, now=session.now().timestamp()))
    way = "one way, and stays there" if terms.one_way else "there, and home again"
    session.screen.note(f"Drill: a switchover {way}; in between every promise is verified. The way there:")
    say_plan(session, found, obstacles)
    refuse_if(obstacles)
    session.confirm(f"Play the drill, {way}?")
    course = _Course(
        session=session,
        terms=terms,
        drill_id=session.new_id(),
        home=found.writer.region,
        away=found.standby.region,
    )
    course.note_in_trail(Step.BEGUN)
    with _half_way(course):
        _go(course, "switchover there", partial(go_over, session, found, reason=_why(terms), course=terms.course))
        return _from_there(course, verify)


def _from_there(course: _Course, verify: Verify) -> ExitCode:
    """Verify in the away region, then come home."""
    session, since = course.session, course.session.stopwatch()
    course.findings, _ = verify(session)
    course.did("verify", since, summary(course.findings))
    course.note_in_trail(Step.AWAY)
    return _homewards(course)


def _homewards(course: _Course) -> ExitCode:
    if not course.terms.one_way:
        session, terms = course.session, course.terms
        home = partial(move, session, survey(session), max_lag_ms=terms.max_lag_ms, reason=_why(terms), asking=False)
        _go(course, "switchover home", partial(home, course=terms.course))
    course.note_in_trail(Step.ENDED)
    return _say_end(course)


def _go(course: _Course, step: str, way: Callable[[], MoveResult]) -> None:
    since = course.session.stopwatch()
    course.session.screen.note(f"Drill, {step}")
    moved = way()
    course.did(step, since, f"{moved.target.name} is the writer", legs=moved.seconds)


def _why(terms: Terms) -> str:
    return f"drill: {terms.reason}"


def _resume(session: Session, terms: Terms, found: Topology, last: Drill | None, verify: Verify) -> ExitCode:
    if last is None or not last.is_open:
        raise OperationRefusedError(
            "no drill is half-way", hint="Begin one without --resume; `history` shows the earlier ones."
        )
    home, away = session.deployment.region(last.home), session.deployment.region(last.away)
    course = _Course(session=session, terms=terms, drill_id=last.id, home=home, away=away)
    session.screen.note(f"The drill of {last.at}, {_stand(found, last)}, is gone on with")
    with _half_way(course):
        if found.world.operation is not None:
            found = _follow(course, found)
        if found.writer.region == home and last.step is Step.BEGUN:
            course.note_in_trail(Step.ENDED)
            session.screen.note(f"It never left {home.name}: there is nothing to bring home, and it counts as ended")
            return _say_end(course)
        if found.writer.region == home:
            course.note_in_trail(Step.ENDED)
            return _say_end(course)
        session.confirm(f"Go on with the drill: verify, then home to {home.name}?")
        return _from_there(course, verify) if last.step is Step.BEGUN else _homewards(course)


def _follow(course: _Course, found: Topology) -> Topology:
    """Follow the operation that was under way when the drill was interrupted; return how it stands then."""
    session, operation = course.session, found.world.operation
    regions = [
        region for region in (course.home, course.away) if operation and region.cluster_arn == operation.target_arn
    ]
    if not regions:
        raise OperationRefusedError(
            "another operation is under way, to no region of the drill", hint="Wait until it has ended."
        )
    target, since = regions[0], session.stopwatch()
    journey = journey_to(session, target, course.terms.course)
    with journey.followed():
        following = MoveProgress(session=session, target=target, journey=journey, started_at=session.now())
        arrive(following, course.terms.course)
        following.until_the_other_follows()
    course.did("followed", since, f"{target.name} is the writer", legs=journey.seconds)
    return survey(session)


@contextmanager
def _half_way(course: _Course) -> Iterator[None]:
    """Say at every early end how the drill comes to its own."""
    session = course.session
    hint = f"The drill is half-way. Go on with it, and bring the writer home: {_resume_line(session)}"
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError("the drill was stopped; nothing of it goes on by itself", hint=hint) from error
    except OperationError as error:
        followed = "--resume" in error.hint  # a journey has said already how to go on
        raise type(error)(f"drill: {error.message}", hint=error.hint if followed else f"{error.hint} {hint}") from error


def _last_drill(session: Session) -> Drill | None:
    """Read the trails of both regions.

    Raises:
        AwsError: one can't be read, so that nobody knows whether a drill is half-way.
    """
    regions = session.deployment.regions
    answers = call_concurrently([partial(session.connect(region).read_history, ENTRIES_SEARCHED) for region in regions])
    entries: list[AuditEntry] = []
    for region, answer in zip(regions, answers, strict=True):
        if isinstance(answer, OperationError):
            raise AwsError(
                f"whether a drill is half-way can't be read in {region.name}: {answer.message}",
                hint="A drill needs both regions. Try again.",
            )
        entries += [parse_audit_entry(item) for item in answer]
    return newest_drill(entries)


def _stand(found: Topology, last: Drill) -> str:
    operation = found.world.operation
    if operation is not None:
        return f"a {operation.label} under way ({operation.status})"
    where = found.writer.region.name
    return f"the writer in {where}, {'at home' if where == last.home else 'away from home'}"


def _resume_line(session: Session) -> str:
    identity = session.deployment.global_cluster_id
    line = session.command_line if " --resume" in session.command_line else f"{session.command_line} --resume"
    return line if " --confirm" in line else f"{line} --confirm {identity}"


def _say_end(course: _Course) -> ExitCode:
    screen, session = course.session.screen, course.session
    writer = call_with_deadline(session.moves(course.away).read_global).writer_arn
    region = next((each for each in session.deployment.regions if each.cluster_arn == writer), course.home)
    found = exit_code(course.findings) if course.findings else ExitCode.DONE
    code = ExitCode.PARTLY if found is ExitCode.AWS else found
    screen.table("The drill", HEADINGS, [row for step in course.steps for row in _rows(step)])
    bad = [finding for finding in course.findings if finding.verdict is not Verdict.PASSED]
    screen.result(
        {
            "drill": course.drill_id,
            "home": course.home.name,
            "away": course.away.name,
            "writer": region.name,
            "steps": course.steps,
            "not_passed": [finding.to_json() for finding in bad],
            "exit_code": int(code),
        },
        [
            *(f"{each.verdict}: {each.check} in {each.where}: {each.evidence}" for each in bad),
            f"The writer is in {region.name}."
            + ("" if region == course.home else f" Home: python -m operations switchover --to {course.home.name}"),
        ],
    )
    return code


def _rows(step: dict[str, object]) -> Iterator[Sequence[str]]:
    yield str(step["step"]), str(step["seconds"]), str(step["what"])
    legs = step.get("legs")
    if isinstance(legs, dict):
        for leg, seconds in legs.items():
            yield f"  {leg}", str(seconds), "since the call"
