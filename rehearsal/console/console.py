"""What a person sees while the rehearsal runs: a live picture on a terminal, one line an event anywhere else.

Owns: the words and the look of the progress; what goes to stdout and what to stderr. Does not own: what happened (`drills`),
what passed (`report`), the lanes in letters (`console_lanes`), the summary's words (`console_summary`).
Invariant: any thread may call any method. What the live region draws is a frozen view that is swapped whole, so that
its refreshing thread never waits for a caller, nor a caller for it.
"""

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

import rich.console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rehearsal.console.lanes import ROLE_STYLES, Stretch, answer_stretch, drill_lanes, lane, role_stretch
from rehearsal.console.summary import (
    WIDE_COLUMNS,
    failures,
    held_words,
    key_number_rows,
    one_line,
    summary_table,
    verdict,
)
from rehearsal.report.files import ReportPaths
from rehearsal.report.formatting import duration_words
from rehearsal.report.lanes import stretches
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
KIND_WIDTH = max(len(kind.words) for kind in EventKind)
REGION_WIDTH = 14
PLAIN_WIDTH = 120
LANES_WIDTH = 100
"""Longer lanes are no easier to read."""
Changes = tuple[tuple[float, Role | str | None], ...]


class CreatedResource(Protocol):
    """What the console needs to know of a resource that was created."""

    @property
    def type(self) -> str:
        """The Pulumi type token."""
        ...

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        ...

    @property
    def region(self) -> str | None:
        """The region, None for what has none."""
        ...

    @property
    def seconds(self) -> float:
        """How long its creation took."""
        ...


@dataclass(frozen=True, kw_only=True)
class View:
    """What the live region shows at a moment."""

    heading: str = ""
    since: float = 0.0
    total: int | None = None
    created: Mapping[str, int] = field(default_factory=dict)
    newest: str = ""
    regions: Mapping[str, str] = field(default_factory=dict)  # by cluster id
    roles: Mapping[str, Changes] = field(default_factory=dict)  # by cluster id: when it took which
    answers: Mapping[str, Changes] = field(default_factory=dict)  # by name: when it led where

    def begun(self, heading: str, now: float) -> Self:
        """A drill begins: of what was before, only the last states stay."""
        roles = {cluster_id: ((now, changes[-1][1]),) for cluster_id, changes in self.roles.items()}
        answers = {name: ((now, changes[-1][1]),) for name, changes in self.answers.items()}
        return replace(self, heading=heading, since=now, roles=roles, answers=answers)


def wants_plain_lines(output: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether this output gets plain lines: no terminal, a dumb one, CI, or NO_COLOR set to anything."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return True
    return environment.get("CI", "").lower() not in ("", "0", "false") or not output.isatty()


class Console:
    """The rehearsal's progress, on the consoles that it is given.

    `live` asks for the live region; without it every call prints whole lines. Close it (it is a context manager) to get
    the terminal back after an exception.
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
        """The console of this process's stdout and stderr; all of it on stderr when stdout carries a result for machines."""
        progress = sys.stderr if progress_to_stderr else sys.stdout
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a terminal or log in ASCII must not end the rehearsal
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
        """Take the live region off the terminal."""
        with self._lock:
            self._stop_live()

    @property
    def is_live(self) -> bool:
        """Whether the live region is on the terminal."""
        return self._live is not None

    # The deployment

    def deployment_started(self, total: int | None = None) -> None:
        """The program begins to run; `total` when the number of resources is known."""
        with self._lock:
            self._view = replace(self._view, heading="Deployment", since=self._clock(), total=total, created={})
            self._heading("Deployment", f"{total} resources" if total else "")
            self._start_live()

    def resource_created(self, resource: CreatedResource) -> None:
        """One resource exists."""
        with self._lock:
            region = resource.region or "global"
            created = {**self._view.created, region: self._view.created.get(region, 0) + 1}
            self._view = replace(self._view, created=created, newest=f"{resource.type} {resource.name}")
            if not self._wants_live:
                self._line(resource.seconds, "created", region, f"{resource.type} {resource.name}")

    def deployment_finished(self, count: int, seconds: float) -> None:
        """All resources exist."""
        with self._lock:
            self._stop_live()
            self._view = replace(self._view, heading="", total=None, created={}, newest="")
            self._line(seconds, "deployed", None, f"{count} resources", style="green")

    # The drills

    def drill_started(self, name: str, title: str) -> None:
        """A drill begins."""
        with self._lock:
            self._view = self._view.begun(title, self._clock())
            self._heading(title, name)
            self._start_live()

    def event(self, seconds: float, text: str, kind: EventKind = EventKind.NOTE, region: str | None = None) -> None:
        """Something happened, in seconds since the drill's zero."""
        with self._lock:
            self._line(seconds, kind.words, region or "", text, style=KIND_STYLES.get(kind, ""))

    def cluster_role(self, cluster_id: str, region: str, role: Role) -> None:
        """A cluster has this role now; the live region shows it, the drill's own event tells it."""
        with self._lock:
            changes = (*self._view.roles.get(cluster_id, ()), (self._clock(), role))
            self._view = replace(
                self._view,
                regions={**self._view.regions, cluster_id: region},
                roles={**self._view.roles, cluster_id: changes},
            )

    def dns_answer(self, name: str, region: str | None) -> None:
        """A name points there now, None for nowhere; the live region shows it."""
        with self._lock:
            changes = (*self._view.answers.get(name, ()), (self._clock(), region))
            self._view = replace(self._view, answers={**self._view.answers, name: changes})

    def assertion(self, assertion: Assertion) -> None:
        """Something that must hold was checked."""
        with self._lock:
            word, style = ("held", "green") if assertion.passed else ("NOT HELD", "bold red")
            detail = f" ({one_line(assertion.detail)})" if assertion.detail else ""
            if not self._wants_live:
                self._line(None, word, "", assertion.text + detail)
                return
            text = Text.assemble(one_line(assertion.text), (detail, "dim"))
            self._columns(("", Text(word, style=style), text), (1, KIND_WIDTH))

    def drill_finished(self, result: DrillResult) -> None:
        """A drill is over: its lanes to scale, and whether it passed."""
        with self._lock:
            self._stop_live()
            self._view = replace(self._view, heading="")
            for line in drill_lanes(result, width=min(self._output.width - 2, LANES_WIDTH), name_width=REGION_WIDTH):
                line.rstrip()
                self._print(Text.assemble("  ", line))
            held = f"{held_words(result)} assertions held"
            ended = f"; ended early: {one_line(result.error)}" if result.error else ""
            word, style = verdict(result.passed)
            self._line(result.seconds, word, None, f"{result.title}: {held}{ended}", style=style)

    # The end, and anything else

    def summary(self, report: Report, paths: ReportPaths) -> None:
        """The table of drills, everything that did not hold, the verdict and where the report is."""
        with self._lock:
            self._stop_live()
            self._heading("Summary", report.time_scale.words)
            width = self._output.width
            self._print(Text(""))
            self._output.print(summary_table(report, width=width))
            if width < WIDE_COLUMNS:
                for row in key_number_rows(report):
                    self._output.print(row)
            self._print(Text(""))
            for line in failures(report):
                self._output.print(line)
            word, style = verdict(report.passed)
            self._print(Text(f"Rehearsal {word} after {duration_words(report.seconds)}", style=style))
            for path in (paths.html, paths.json):
                link = f"link {path.resolve().as_uri()}" if self._wants_live else ""
                self._output.print(Text(f"  {path}", style=link), soft_wrap=True)  # never broken: it is copied

    def note(self, text: str) -> None:
        """A word that belongs to no drill."""
        with self._lock:
            self._print(Text(one_line(text), style="dim"))

    def error(self, text: str) -> None:
        """What went wrong, line by line as it is, to stderr."""
        with self._lock:
            was_live = self.is_live
            self._stop_live()  # stderr is the same terminal: the live region would be drawn over it
            self._errors.print(Text(f"error: {text}", style="bold red"), soft_wrap=True)
            if was_live:
                self._start_live()

    # Lines

    def _heading(self, title: str, detail: str) -> None:
        self._print(Text(""))
        self._print(Text.assemble((title, "bold"), (f"  {detail}" if detail else "", "dim")))

    def _line(self, seconds: float | None, word: str, region: str | None, text: str, *, style: str = "") -> None:
        """One event: seconds right-aligned, what sort, where (None: of no place, and none is left for it), what."""
        time_words = f"{seconds:8.2f} s" if seconds is not None else " " * 10
        prefix = f"{time_words}  {word:<{KIND_WIDTH}}  {region or '':<{REGION_WIDTH}}  "
        if not self._wants_live:
            self._print(Text(f"{prefix}{one_line(text)}".rstrip()))
            return
        place: list[Text] = [] if region is None else [Text(region, style="dim")]
        region_width = max((len(one) for one in (*self._view.regions.values(), region or "")), default=0)
        cells = (time_words, Text(word, style=style), *place, Text(one_line(text)))
        self._columns(cells, (10, KIND_WIDTH, region_width)[: len(cells) - 1])

    def _columns(self, cells: Sequence[str | Text], widths: Sequence[int]) -> None:
        """Cells beside each other; the last takes what is left, and goes on under itself."""
        columns = Table.grid(padding=(0, 1))
        for width in widths:
            columns.add_column(width=width, no_wrap=True)
        columns.add_column(overflow="fold")
        columns.add_row(*cells)
        self._output.print(columns)

    def _print(self, text: Text) -> None:
        self._output.print(text, soft_wrap=not self._wants_live, highlight=False)

    # The live region

    def _start_live(self) -> None:
        if self._wants_live and self._live is None:
            self._live = Live(
                get_renderable=self.picture,
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

    def picture(self) -> rich.console.RenderableType:
        """The live region as it is now; runs in the refreshing thread, so it takes no lock."""
        view = self._view
        elapsed = f"{self._clock() - view.since:.0f} s"
        if view.created or view.total:
            return _deployment_picture(view, elapsed)
        heading = Text.assemble((view.heading, "bold"), (f"  {elapsed}", "dim"))
        return rich.console.Group(Rule(style="dim"), heading, self._lanes(view))

    def _lanes(self, view: View) -> Table:
        """What every cluster and name was since the drill began; each lane ends with what it is now."""
        now = max(self._clock(), view.since + 1.0)
        width = max(20, min(self._output.width, LANES_WIDTH) - 2 * REGION_WIDTH)
        picture = Table.grid(padding=(0, 1))

        def strip(changes: Changes, stretch: Callable[[Any, float, float], Stretch]) -> Text:
            found = (stretch(state, start, end) for state, start, end in stretches(changes, now))
            return lane(found, start=view.since, end=now, width=width)

        for cluster_id, changes in view.roles.items():
            role = Role(str(changes[-1][1]))
            style = ROLE_STYLES[role]
            picture.add_row(
                Text(view.regions[cluster_id]), Text(f" {role} ", style=style), strip(changes, role_stretch)
            )
        for changes in view.answers.values():
            picture.add_row(Text("DNS"), Text(str(changes[-1][1] or "no answer")), strip(changes, answer_stretch))
        return picture


def plain_console(stream: TextIO) -> rich.console.Console:
    """A console that writes plain text to any stream, in lines as long as they are."""
    return rich.console.Console(
        file=stream, force_terminal=False, color_system=None, no_color=True, width=PLAIN_WIDTH, highlight=False
    )


def _deployment_picture(view: View, elapsed: str) -> rich.console.RenderableType:
    count = sum(view.created.values())
    picture = Table.grid(padding=(0, 2))
    counted = f"{count} of {view.total}" if view.total else f"{count}"
    bar = ProgressBar(total=view.total or 100, completed=count, width=30, pulse=view.total is None)
    picture.add_row(Text(f"{counted} resources", style="bold"), bar, Text(elapsed, style="dim"))
    by_region = "   ".join(f"{region} {number}" for region, number in sorted(view.created.items()))
    return rich.console.Group(Rule(style="dim"), picture, Text(by_region), Text(view.newest, style="dim", no_wrap=True))
