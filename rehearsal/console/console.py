"""Console output: a live view on a terminal, one line per event elsewhere.

Any thread may call any method. The live view draws an immutable `View` that is replaced as a whole, so its refresh thread
needs no lock.
"""

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self, TextIO

import rich.console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rehearsal.console.lanes import ROLE_STYLES, Interval, answer_interval, drill_lanes, lane, role_interval
from rehearsal.console.summary import (
    WIDE_COLUMNS,
    failures,
    key_number_rows,
    one_line,
    passed_count,
    summary_table,
    verdict,
)
from rehearsal.provider.resources.outcome import ProviderResource
from rehearsal.report.files import ReportPaths
from rehearsal.report.formatting import format_duration
from rehearsal.report.lanes import intervals
from rehearsal.report.model import Assertion, DrillResult, EventKind, Report, Role

KIND_STYLES = {
    EventKind.OUTAGE: "bold red",
    EventKind.RECOVERY: "green",
    EventKind.HELD: "yellow",
    EventKind.CALL: "bold",
    EventKind.REFUSED: "red",
    EventKind.PROMOTION: "bold cyan",
    EventKind.DNS: "magenta",
    EventKind.CLIENT: "cyan",
    EventKind.NOTE: "dim",
}
KIND_WIDTH = max(len(kind.label) for kind in EventKind)
REGION_WIDTH = 14
PLAIN_WIDTH = 120
LANES_WIDTH = 100
"""Maximum width of a lane in columns."""
Changes = tuple[tuple[float, Role | str | None], ...]


@dataclass(frozen=True, kw_only=True)
class View:
    """Content of the live view."""

    heading: str = ""
    since: float = 0.0
    total: int | None = None
    created: Mapping[str, int] = field(default_factory=dict)
    newest: str = ""
    regions: Mapping[str, str] = field(default_factory=dict)  # by cluster id
    roles: Mapping[str, Changes] = field(default_factory=dict)  # by cluster id: (time, role)
    answers: Mapping[str, Changes] = field(default_factory=dict)  # by name: (time, region)

    def at_drill_start(self, heading: str, now: float) -> Self:
        """Return the view at the start of a drill, which keeps only the latest states."""
        roles = {cluster_id: ((now, changes[-1][1]),) for cluster_id, changes in self.roles.items()}
        answers = {name: ((now, changes[-1][1]),) for name, changes in self.answers.items()}
        return replace(self, heading=heading, since=now, roles=roles, answers=answers)


def wants_plain_lines(output: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether to print plain lines: no terminal, a dumb one, CI, or NO_COLOR."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return True
    return environment.get("CI", "").lower() not in ("", "0", "false") or not output.isatty()


class Console:
    """Shows the progress of a rehearsal; a context manager that restores the terminal.

    With `live` it draws the live view, otherwise it prints whole lines.
    """

    def __init__(
        self,
        *,
        output: rich.console.Console,
        errors: rich.console.Console,
        live: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = output
        self._errors = errors
        self._wants_live = live
        self._clock = clock
        self._lock = threading.RLock()
        self._view = View()
        self._live: Live | None = None

    @classmethod
    def for_process(cls, environment: Mapping[str, str] = os.environ, *, progress_to_stderr: bool = False) -> Self:
        """Return the console of this process, on stderr if stdout carries JSON."""
        progress = sys.stderr if progress_to_stderr else sys.stdout
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # an ASCII-only terminal must not end the rehearsal
                stream.reconfigure(errors="backslashreplace")
        if wants_plain_lines(progress, environment):
            return cls(output=plain_console(progress), errors=plain_console(sys.stderr), live=False)
        return cls(
            output=rich.console.Console(stderr=progress_to_stderr), errors=rich.console.Console(stderr=True), live=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the live view from the terminal."""
        with self._lock:
            self._stop_live()

    @property
    def is_live(self) -> bool:
        """Whether the live view is on the terminal."""
        return self._live is not None

    def deployment_started(self, total: int | None = None) -> None:
        """Show the start of a deployment; `total` is the number of resources if known."""
        with self._lock:
            self._view = replace(self._view, heading="Deployment", since=self._clock(), total=total, created={})
            self._heading("Deployment", f"{total} resources" if total else "")
            self._start_live()

    def resource_created(self, resource: ProviderResource) -> None:
        """Show a created resource."""
        with self._lock:
            region = resource.region
            created = {**self._view.created, region: self._view.created.get(region, 0) + 1}
            self._view = replace(self._view, created=created, newest=f"{resource.type} {resource.name}")
            if not self._wants_live:
                self._line(resource.seconds, "created", region, f"{resource.type} {resource.name}")

    def deployment_finished(self, count: int, seconds: float) -> None:
        """Show the end of the deployment."""
        with self._lock:
            self._stop_live()
            self._view = replace(self._view, heading="", total=None, created={}, newest="")
            self._line(seconds, "deployed", None, f"{count} resources", style="green")

    def drill_started(self, name: str, title: str) -> None:
        """Show the start of a drill."""
        with self._lock:
            self._view = self._view.at_drill_start(title, self._clock())
            self._heading(title, name)
            self._start_live()

    def event(self, seconds: float, text: str, kind: EventKind = EventKind.NOTE, region: str | None = None) -> None:
        """Show an event, in seconds since the drill's zero."""
        with self._lock:
            self._line(seconds, kind.label, region or "", text, style=KIND_STYLES.get(kind, ""))

    def show_cluster_role(self, cluster_id: str, region: str, role: Role) -> None:
        """Update a cluster's role in the live view."""
        with self._lock:
            changes = (*self._view.roles.get(cluster_id, ()), (self._clock(), role))
            self._view = replace(
                self._view,
                regions={**self._view.regions, cluster_id: region},
                roles={**self._view.roles, cluster_id: changes},
            )

    def dns_answer(self, name: str, region: str | None) -> None:
        """Update the region that a name resolves to in the live view; None if it resolves to no address."""
        with self._lock:
            changes = (*self._view.answers.get(name, ()), (self._clock(), region))
            self._view = replace(self._view, answers={**self._view.answers, name: changes})

    def assertion(self, assertion: Assertion) -> None:
        """Show a checked assertion."""
        with self._lock:
            label, style = verdict(assertion.passed)
            detail = f" ({one_line(assertion.detail)})" if assertion.detail else ""
            if not self._wants_live:
                self._line(None, label, "", assertion.text + detail)
                return
            text = Text.assemble(one_line(assertion.text), (detail, "dim"))
            self._columns(("", Text(label, style=style), text), (1, KIND_WIDTH))

    def drill_finished(self, result: DrillResult) -> None:
        """Show a drill's lanes and its result."""
        with self._lock:
            self._stop_live()
            self._view = replace(self._view, heading="")
            for line in drill_lanes(result, width=min(self._output.width - 2, LANES_WIDTH), name_width=REGION_WIDTH):
                line.rstrip()
                self._print(Text.assemble("  ", line))
            passed = f"{passed_count(result)} assertions passed"
            ended = f"; ended early: {one_line(result.error)}" if result.error else ""
            repeated = f"; {result.repeated}" if result.repeated else ""
            label, style = verdict(result.passed, repeated=bool(result.repeated))
            self._line(result.seconds, label, None, f"{result.title}: {passed}{ended}{repeated}", style=style)

    def summary(self, report: Report, paths: ReportPaths) -> None:
        """Show the table of drills, every failure, the overall result and the report's paths."""
        with self._lock:
            self._stop_live()
            self._heading("Summary", report.time_scale.description)
            width = self._output.width
            self._print(Text(""))
            self._output.print(summary_table(report, width=width))
            if width < WIDE_COLUMNS:
                for row in key_number_rows(report):
                    self._output.print(row)
            self._print(Text(""))
            for line in failures(report):
                self._output.print(line)
            label, style = verdict(report.passed)
            self._print(Text(f"Rehearsal {label} after {format_duration(report.seconds)}", style=style))
            for path in (paths.html, paths.json):
                link = f"link {path.resolve().as_uri()}" if self._wants_live else ""
                self._output.print(Text(f"  {path}", style=link), soft_wrap=True)  # unwrapped, to be copied

    def note(self, text: str) -> None:
        """Print a line that belongs to no drill."""
        with self._lock:
            self._print(Text(one_line(text), style="dim"))

    def error(self, text: str) -> None:
        """Show an error on stderr."""
        with self._lock:
            was_live = self.is_live
            self._stop_live()  # stderr may be the same terminal
            self._errors.print(Text(f"error: {text}", style="bold red"), soft_wrap=True)
            if was_live:
                self._start_live()

    def _heading(self, title: str, detail: str) -> None:
        self._print(Text(""))
        self._print(Text.assemble((title, "bold"), (f"  {detail}" if detail else "", "dim")))

    def _line(self, seconds: float | None, label: str, region: str | None, text: str, *, style: str = "") -> None:
        """Print one event: seconds, kind, region and text; a region of None leaves out its column."""
        time_text = f"{seconds:8.2f} s" if seconds is not None else " " * 10
        prefix = f"{time_text}  {label:<{KIND_WIDTH}}  {region or '':<{REGION_WIDTH}}  "
        if not self._wants_live:
            self._print(Text(f"{prefix}{one_line(text)}".rstrip()))
            return
        region_cell: list[Text] = [] if region is None else [Text(region, style="dim")]
        region_width = max((len(one) for one in (*self._view.regions.values(), region or "")), default=0)
        cells = (time_text, Text(label, style=style), *region_cell, Text(one_line(text)))
        self._columns(cells, (10, KIND_WIDTH, region_width)[: len(cells) - 1])

    def _columns(self, cells: Sequence[str | Text], widths: Sequence[int]) -> None:
        """Print cells side by side; the last one takes the remaining width."""
        columns = Table.grid(padding=(0, 1))
        for width in widths:
            columns.add_column(width=width, no_wrap=True)
        columns.add_column(overflow="fold")
        columns.add_row(*cells)
        self._output.print(columns)

    def _print(self, text: Text) -> None:
        self._output.print(text, soft_wrap=not self._wants_live, highlight=False)

    def _start_live(self) -> None:
        if self._wants_live and self._live is None:
            self._live = Live(
                get_renderable=self.live_view,
                console=self._output,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _stop_live(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def live_view(self) -> rich.console.RenderableType:
        """Return the live view; runs in the refresh thread, so it takes no lock."""
        view = self._view
        elapsed = f"{self._clock() - view.since:.0f} s"
        if view.created or view.total:
            return _deployment_view(view, elapsed)
        heading = Text.assemble((view.heading, "bold"), (f"  {elapsed}", "dim"))
        return rich.console.Group(Rule(style="dim"), heading, self._lanes(view))

    def _lanes(self, view: View) -> Table:
        now = max(self._clock(), view.since + 1.0)
        width = max(20, min(self._output.width, LANES_WIDTH) - 2 * REGION_WIDTH)
        table = Table.grid(padding=(0, 1))

        def strip(changes: Changes, interval_of: Callable[[Any, float, float], Interval]) -> Text:
            found = (interval_of(state, start, end) for state, start, end in intervals(changes, now))
            return lane(found, start=view.since, end=now, width=width)

        for cluster_id, changes in view.roles.items():
            role = Role(str(changes[-1][1]))
            style = ROLE_STYLES[role]
            table.add_row(Text(view.regions[cluster_id]), Text(f" {role} ", style=style), strip(changes, role_interval))
        for changes in view.answers.values():
            table.add_row(Text("DNS"), Text(str(changes[-1][1] or "no answer")), strip(changes, answer_interval))
        return table


def plain_console(stream: TextIO) -> rich.console.Console:
    """Return a console that writes unwrapped plain text."""
    return rich.console.Console(
        file=stream, force_terminal=False, color_system=None, no_color=True, width=PLAIN_WIDTH, highlight=False
    )


def _deployment_view(view: View, elapsed: str) -> rich.console.RenderableType:
    count = sum(view.created.values())
    table = Table.grid(padding=(0, 2))
    text = f"{count} of {view.total}" if view.total else f"{count}"
    bar = ProgressBar(total=view.total or 100, completed=count, width=30, pulse=view.total is None)
    table.add_row(Text(f"{text} resources", style="bold"), bar, Text(elapsed, style="dim"))
    by_region = "   ".join(f"{region} {number}" for region, number in sorted(view.created.items()))
    return rich.console.Group(Rule(style="dim"), table, Text(by_region), Text(view.newest, style="dim", no_wrap=True))
