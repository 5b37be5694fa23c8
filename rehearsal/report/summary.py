"""What a rehearsal found, in a few plain sentences and a few large numbers, for who reads nothing else.

Owns: which facts go to the top, and their words. Does not own: the facts (`report`).
Invariant: a sentence or a number stands there only if the rehearsal measured or asserted it; what a drill never reached is left
out, and what failed comes first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rehearsal.report.formatting import counted, duration_words, shown
from rehearsal.report.model import DrillResult, Report, Role


@dataclass(frozen=True, kw_only=True)
class KeyFigure:
    """A number for the top of the page, what it is, and the title of the drill that it was measured in (none: in all)."""

    label: str
    number: str
    unit: str
    drill: str = ""


MOST_TITLES = 4
"""More are counted, not named."""
CALL = "outage_to_call_seconds"
STEPS = {
    "promoted_seconds": "the standby was the writer after {} s",
    "dns_moved_seconds": "the name led there after {} s",
    "writing_again_seconds": "and clients wrote again after {} s",
}
"""What follows a failover call, in its order, all counted from the outage."""


def summary_sentences(report: Report) -> tuple[str, ...]:
    """The rehearsal in plain words, a sentence each."""
    return tuple(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    if report.resource_count:
        yield (
            f"The unchanged program was deployed into two emulated AWS regions ({counted(report.resource_count, 'resource')} in "
            f"{duration_words(report.deployment_seconds)}) and played through {counted(len(report.drills), 'drill')}."
        )
    failed = [drill for drill in report.drills if not drill.passed]
    if failed:
        yield f"Not everything held: read {', '.join(drill.title for drill in failed)} first."
    called = [drill for drill in report.drills if CALL in drill.measurements]
    if called:
        yield from _failover_sentences(called)
    yield from _switchover_sentences(report.drills)
    still = [drill for drill in report.drills if drill.passed and not _moved(drill)]
    if still:
        titles = ", ".join(one.title for one in still)
        where = titles if len(still) <= MOST_TITLES else f"{counted(len(still), 'drill')}, such as {still[0].title}"
        yield f"Where nothing was to move, nothing moved: no cluster changed its role in {where}."


def _failover_sentences(called: Sequence[DrillResult]) -> Iterator[str]:
    """The most telling failover: the one that was followed furthest; then the spread over all of them."""
    notified = max(called, key=lambda drill: sum(step in drill.measurements for step in STEPS))
    steps = [
        words.format(shown(notified.measurements[step]))
        for step, words in STEPS.items()
        if step in notified.measurements
    ]
    cycles = notified.measurements.get("outage_to_call_cycles")
    after = f"{shown(notified.measurements[CALL])} s" + (f" ({shown(cycles)} cycles)" if cycles is not None else "")
    following = f"; {', '.join(steps)}" if steps else ""
    yield f"{notified.title}: the standby called the failover by itself {after} after the outage{following}."
    lost, lag_ms = notified.measurements.get("lost_rows"), notified.measurements.get("replication_lag_ms")
    if lost is not None and lag_ms is not None:
        acknowledged = sum(span.acknowledged for span in notified.writes)
        yield (
            f"Of {counted(acknowledged, 'row')} acknowledged to the client in that drill, {shown(lost)} "
            f"{'was' if lost == 1 else 'were'} lost; the replication had been set to be {shown(lag_ms)} ms behind."
        )
    if len(called) > 1:
        seconds = sorted(drill.measurements[CALL] for drill in called)
        yield (
            f"In all {counted(len(called), 'drill')} in which a failover was due, it was called {shown(seconds[0])} to "
            f"{shown(seconds[-1])} s after the outage, the waits that a drill demands included."
        )


def _switchover_sentences(drills: Sequence[DrillResult]) -> Iterator[str]:
    for drill in drills:
        switched, lost = drill.measurements.get("switched_seconds"), drill.measurements.get("lost_rows")
        if switched is not None and lost is not None:
            yield f"The planned switchover took {shown(switched)} s and lost {counted(lost, 'row') if lost else 'no row'}."


def _moved(drill: DrillResult) -> bool:
    """Whether a cluster became, or ceased to be, the writer within the drill; while it is dark its role is not seen."""
    seen = {Role.WRITER, Role.STANDBY}
    return any(
        seen <= {span.role for span in drill.roles if span.cluster_id == cluster_id}
        for cluster_id, _region in drill.clusters
    )


def key_figures(report: Report) -> tuple[KeyFigure, ...]:
    """The numbers at the top: those of the first drill that has each, named with it."""
    wanted = (
        (CALL, "Outage to failover call", "s"),
        ("promoted_seconds", "Outage to new writer", "s"),
        ("dns_moved_seconds", "Outage to DNS", "s"),
        ("writing_again_seconds", "Outage to first write", "s"),
        ("oldest_lost_row_ms", "Oldest lost row", "ms"),
    )
    failovers = [drill for drill in report.drills if CALL in drill.measurements]
    figures = [
        KeyFigure(label=label, number=_three_digits(drill.measurements[name]), unit=unit, drill=drill.title)
        for name, label, unit in wanted
        if (drill := next((one for one in failovers if name in one.measurements), None)) is not None
    ]
    switched = next((drill for drill in report.drills if "switched_seconds" in drill.measurements), None)
    for drill, label in (
        (failovers[0] if failovers else None, "Rows lost, unplanned"),
        (switched, "Rows lost, planned"),
    ):
        if drill is not None and "lost_rows" in drill.measurements:
            acknowledged = sum(span.acknowledged for span in drill.writes)
            figures.append(
                KeyFigure(
                    label=label,
                    number=shown(drill.measurements["lost_rows"]),
                    unit=f"of {acknowledged:,}",
                    drill=drill.title,
                )
            )
    held = sum(len(drill.assertions) - len(drill.failures) for drill in report.drills)
    every = sum(len(drill.assertions) for drill in report.drills)
    return (*figures, KeyFigure(label="Assertions held", number=shown(held), unit=f"of {every}"))


def _three_digits(value: float) -> str:
    """A large number needs no decimals."""
    return shown(round(value)) if value >= 100 else shown(value)
