"""Summary at the top of the page: a few sentences and key figures, only from what was measured or asserted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rehearsal.report.formatting import format_count, format_duration, format_number
from rehearsal.report.model import DrillResult, Report, Role


@dataclass(frozen=True, kw_only=True)
class KeyFigure:
    """A number at the top of the page, and the title of its drill (empty: all drills)."""

    label: str
    number: str
    unit: str
    drill: str = ""


MOST_TITLES = 4
"""Maximum number of drills that a sentence names."""
CALL = "outage_to_call_seconds"
STEPS = {
    "promoted_seconds": "the standby was promoted after {} s",
    "dns_moved_seconds": "DNS moved after {} s",
    "writing_again_seconds": "the client wrote again after {} s",
}
"""The steps after a failover call, counted from the outage."""


def summary_sentences(report: Report) -> tuple[str, ...]:
    """Return the summary, one sentence each."""
    return tuple(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    if report.resource_count:
        yield (
            f"The unchanged program was deployed into two regions of an embedded AWS ({format_count(report.resource_count, 'resource')} in "
            f"{format_duration(report.deployment_seconds)}) and went through {format_count(len(report.drills), 'drill')}."
        )
    failed = [drill for drill in report.counted if not drill.passed]
    if failed:
        yield f"Failed: {', '.join(drill.title for drill in failed)}."
    for drill in report.drills:
        if drill.repeated:
            yield f"Not counted: {drill.title}, {drill.repeated}."
    called = [drill for drill in report.counted if CALL in drill.measurements]
    if called:
        yield from _failover_sentences(called)
    yield from _switchover_sentences(report.counted)
    unchanged = [drill for drill in report.drills if drill.passed and drill.roles and not _changes_roles(drill)]
    if unchanged:
        titles = ", ".join(one.title for one in unchanged)
        where = (
            titles
            if len(unchanged) <= MOST_TITLES
            else f"{format_count(len(unchanged), 'drill')}, such as {unchanged[0].title}"
        )
        yield f"No failover happened where none was expected: {where}."


def _failover_sentences(called: Sequence[DrillResult]) -> Iterator[str]:
    """Describe the failover with most steps, then the range over all failovers."""
    shown_drill = max(called, key=lambda drill: sum(step in drill.measurements for step in STEPS))
    steps = [
        STEPS[step].format(format_number(seconds))
        for step, seconds in sorted(shown_drill.measurements.items(), key=lambda measured: measured[1])
        if step in STEPS
    ]
    cycles = shown_drill.measurements.get("outage_to_call_cycles")
    after = f"{format_number(shown_drill.measurements[CALL])} s" + (
        f" ({format_number(cycles)} cycles)" if cycles is not None else ""
    )
    following = f"; {', '.join(steps)}" if steps else ""
    yield f"{shown_drill.title}: the standby called the failover automatically {after} after the outage{following}."
    lost, lag_ms = shown_drill.measurements.get("lost_rows"), shown_drill.measurements.get("replication_lag_ms")
    if lost is not None and lag_ms is not None:
        acknowledged = sum(span.acknowledged for span in shown_drill.writes)
        yield (
            f"Of {format_count(acknowledged, 'row')} acknowledged to the client in that drill, {format_number(lost)} "
            f"{'was' if lost == 1 else 'were'} lost; the replication lag was {format_number(lag_ms)} ms."
        )
    if len(called) > 1:
        seconds = sorted(drill.measurements[CALL] for drill in called)
        yield (
            f"In {format_count(len(called), 'drill')} with a failover, the call came {format_number(seconds[0])} to "
            f"{format_number(seconds[-1])} s after the outage, including the waits that a drill requires."
        )


def _switchover_sentences(drills: Sequence[DrillResult]) -> Iterator[str]:
    for drill in drills:
        switched, lost = drill.measurements.get("switched_seconds"), drill.measurements.get("lost_rows")
        if switched is not None and lost is not None:
            yield f"The planned switchover took {format_number(switched)} s and lost {format_count(lost, 'row') if lost else 'no row'}."


def _changes_roles(drill: DrillResult) -> bool:
    """Return whether a cluster changed between writer and standby in the drill."""
    seen = {Role.WRITER, Role.STANDBY}
    return any(
        seen <= {span.role for span in drill.roles if span.cluster_id == cluster_id}
        for cluster_id, _region in drill.clusters
    )


def key_figures(report: Report) -> tuple[KeyFigure, ...]:
    """Return the key figures, each from the first drill that has it."""
    wanted = (
        (CALL, "Outage to failover call", "s"),
        ("promoted_seconds", "Outage to new writer", "s"),
        ("dns_moved_seconds", "Outage to DNS", "s"),
        ("writing_again_seconds", "Outage to first write", "s"),
        ("oldest_lost_row_ms", "Oldest lost row", "ms"),
    )
    failovers = [drill for drill in report.counted if CALL in drill.measurements]
    figures = [
        KeyFigure(label=label, number=_format_figure(drill.measurements[name]), unit=unit, drill=drill.title)
        for name, label, unit in wanted
        if (drill := next((one for one in failovers if name in one.measurements), None)) is not None
    ]
    switched = next((drill for drill in report.counted if "switched_seconds" in drill.measurements), None)
    for drill, label in (
        (failovers[0] if failovers else None, "Rows lost, failover"),
        (switched, "Rows lost, switchover"),
    ):
        if drill is not None and "lost_rows" in drill.measurements:
            acknowledged = sum(span.acknowledged for span in drill.writes)
            figures.append(
                KeyFigure(
                    label=label,
                    number=format_number(drill.measurements["lost_rows"]),
                    unit=f"of {acknowledged:,}",
                    drill=drill.title,
                )
            )
    passed = sum(len(drill.assertions) - len(drill.failures) for drill in report.counted)
    total = sum(len(drill.assertions) for drill in report.counted)
    return (*figures, KeyFigure(label="Assertions passed", number=format_number(passed), unit=f"of {total}"))


def _format_figure(value: float) -> str:
    return format_number(round(value)) if value >= 100 else format_number(value)
