"""What a person sees while the rehearsal runs: a live picture on a terminal, one line an event anywhere else.

Owns: the words and the look of the progress and the summary; what goes to stdout and what to stderr.
Does not own: what happened (`drills`), what passed (`report`).
Invariant: any thread may call any method. What the live region draws is a frozen view that is swapped whole, so that
its refreshing thread never waits for a caller, nor a caller for it.
"""

import io
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self, TextIO

import rich.console
from rich import box
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rehearsal.report import (
    Assertion,
    DrillResult,
    EventKind,
    Report,
    Role,
)
from rehearsal.report_files import ReportPaths
from rehearsal.wording import duration_words, measurement_words

KIND_STYLES = {
    EventKind.OUTAGE: "bold red",
    EventKind.RECOVERY: "green",
    EventKind.HELD: "yellow",
    EventKind.CALL: "bold",
    EventKind.PROMOTION: "bold cyan",
    EventKind.DNS: "magenta",
    EventKind.CLIENT: "cyan",
    EventKind.NOTE: "dim",
}
ROLE_STYLES = {
    Role.WRITER: "bold white on blue",
    Role.STANDBY: "blue",
    Role.DARK: "bold white on red",
    Role.REJOINING: "black on yellow",
}
KIND_WIDTH = max(len(kind.words) for kind in EventKind)
REGION_WIDTH = 14
PLAIN_WIDTH = 120


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
    roles: Mapping[str, tuple[str, Role]] = field(default_factory=dict)  # by cluster id: region and role
    answers: Mapping[str, str | None] = field(default_factory=dict)


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
            self._line(seconds, "deployed", "", f"{count} resources", style="green")

    # The drills

    def drill_started(self, name: str, title: str) -> None:
        """A drill begins."""
        with self._lock:
            self._view = replace(self._view, heading=title, since=self._clock())
            self._heading(title, name)
            self._start_live()

    def event(self, seconds: float, text: str, kind: EventKind = EventKind.NOTE, region: str | None = None) -> None:
        """Something happened, in seconds since the drill's zero."""
        with self._lock:
            self._line(seconds, kind.words, region or "", text, style=KIND_STYLES.get(kind, ""))

    def cluster_role(self, cluster_id: str, region: str, role: Role) -> None:
        """A cluster has this role now; the live region shows it, the drill's own event tells it."""
        with self._lock:
            self._view = replace(self._view, roles={**self._view.roles, cluster_id: (region, role)})

    def dns_answer(self, name: str, region: str | None) -> None:
        """A name points there now, None for nowhere; the live region shows it."""
        with self._lock:
            self._view = replace(self._view, answers={**self._view.answers, name: region})

    def assertion(self, assertion: Assertion) -> None:
        """Something that must hold was checked."""
        with self._lock:
            word, style = ("held", "green") if assertion.passed else ("NOT HELD", "bold red")
            detail = f" ({_one_line(assertion.detail)})" if assertion.detail else ""
            self._line(None, word, "", assertion.text + detail, style=style)

    def drill_finished(self, result: DrillResult) -> None:
        """A drill is over."""
        with self._lock:
            self._stop_live()
            self._view = replace(self._view, heading="")
            held = f"{len(result.assertions) - len(result.failures)} of {len(result.assertions)} assertions held"
            ended = f"; ended early: {_one_line(result.error)}" if result.error else ""
            word, style = _verdict(result.passed)
            self._line(result.seconds, word, "", f"{result.title}: {held}{ended}", style=style)

    # The end, and anything else

    def summary(self, report: Report, paths: ReportPaths) -> None:
        """The table of drills, everything that did not hold, the verdict and where the report is."""
        with self._lock:
            self._stop_live()
            self._heading("Summary", report.time_scale.words)
            self._output.print(_summary_table(report))
            for drill in report.drills:
                for failure in drill.failures:
                    detail = f": {_one_line(failure.detail)}" if failure.detail else ""
                    self._print(Text(f"{drill.name}: NOT HELD: {failure.text}{detail}", style="red"))
                if drill.error:
                    self._print(Text(f"{drill.name}: ended early: {_one_line(drill.error)}", style="red"))
            word, style = _verdict(report.passed)
            self._print(Text(f"Rehearsal {word} after {duration_words(report.seconds)}", style=style))
            for path in (paths.html, paths.json):
                self._output.print(Text(f"  {path}"), soft_wrap=True)  # never broken: it is copied

    def note(self, text: str) -> None:
        """A word that belongs to no drill."""
        with self._lock:
            self._print(Text(_one_line(text), style="dim"))

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

    def _line(self, seconds: float | None, word: str, region: str, text: str, *, style: str = "") -> None:
        """One event: seconds right-aligned, what sort, where, what."""
        time_words = f"{seconds:8.2f} s" if seconds is not None else " " * 10
        prefix = f"{time_words}  {word:<{KIND_WIDTH}}  {region:<{REGION_WIDTH}}  "
        if not self._wants_live:
            self._print(Text(f"{prefix}{_one_line(text)}".rstrip()))
            return
        columns = Table.grid(padding=(0, 2))  # a long text goes on under itself
        for width in (10, KIND_WIDTH, REGION_WIDTH):
            columns.add_column(width=width, no_wrap=True)
        columns.add_column(overflow="fold")
        columns.add_row(time_words, Text(word, style=style), Text(region, style="dim"), Text(_one_line(text)))
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
        picture = Table.grid(padding=(0, 2))
        for cluster_id, (region, role) in view.roles.items():
            picture.add_row(Text(region), Text(f" {role} ", style=ROLE_STYLES[role]), Text(cluster_id, style="dim"))
        for name, region in view.answers.items():
            picture.add_row(Text("DNS"), Text(region or "no answer"), Text(name, style="dim"))
        heading = Text.assemble((view.heading, "bold"), (f"  {elapsed}", "dim"))
        return rich.console.Group(Rule(style="dim"), heading, picture)


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


def _summary_table(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Drill", no_wrap=True)
    table.add_column("Result", no_wrap=True)
    table.add_column("Held", justify="right", no_wrap=True)
    table.add_column("Seconds", justify="right", no_wrap=True)
    table.add_column("Key numbers")
    for drill in report.drills:
        word, style = _verdict(drill.passed)
        numbers = [" ".join(measurement_words(name, value)).rstrip() for name, value in drill.key_numbers.items()]
        held = f"{len(drill.assertions) - len(drill.failures)} of {len(drill.assertions)}"
        table.add_row(Text(drill.name), Text(word, style=style), held, f"{drill.seconds:.1f}", Text(", ".join(numbers)))
    return table


def _verdict(passed: bool) -> tuple[str, str]:
    """The word that tells without colour, and its style."""
    return ("passed", "bold green") if passed else ("FAILED", "bold red")


def _one_line(text: str) -> str:
    """An event is one line, whatever a server put into its message."""
    return " ".join(text.split())
