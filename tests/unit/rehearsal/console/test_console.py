"""Tests of the console: plain lines, live view, summary, streams and threads."""

import io
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rich.console

from rehearsal.console.console import Console, plain_console, wants_plain_lines
from rehearsal.provider.resources.outcome import ProviderResource
from rehearsal.report.files import ReportPaths
from rehearsal.report.model import Assertion, DrillResult, EventKind, Report, Role, TimeScale
from tests.support.waiting import WAIT_SECONDS

PATHS = ReportPaths(json=Path("rehearsal-report/report.json"), html=Path("rehearsal-report/report.html"))


CLUSTER = ProviderResource(
    urn="urn",
    type="aws:rds/cluster:Cluster",
    name="primary",
    region="us-east-1",
    id="id",
    inputs={},
    outputs={},
    seconds=0.25,
)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


class Plain:
    """A console with plain lines."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.err = io.StringIO()
        self.console = Console(output=plain_console(self.out), errors=plain_console(self.err), live=False)

    @property
    def lines(self) -> list[str]:
        """The lines on stdout that aren't empty."""
        return [line for line in self.out.getvalue().splitlines() if line.strip()]


class LiveKit:
    """A console with a live view on a terminal of 100 columns."""

    def __init__(self) -> None:
        self.out = Terminal()
        self.err = io.StringIO()
        self.terminal = rich.console.Console(
            file=self.out, force_terminal=True, width=100, height=40, color_system="truecolor", _environ={}
        )
        self.now = 0.0
        self.console = Console(output=self.terminal, errors=plain_console(self.err), live=True, clock=lambda: self.now)

    def live_view(self) -> str:
        """Return the live view as text."""
        sheet = plain_console(io.StringIO())
        with sheet.capture() as capture:
            sheet.print(self.console.live_view())
        return capture.get()


@pytest.fixture
def plain() -> Plain:
    """Return a console with plain lines."""
    return Plain()


def drill(*, passed: bool = True, error: str | None = None) -> DrillResult:
    """Return a drill with a passed assertion and one that may fail."""
    return DrillResult(
        name="region-lost",
        title="The writer's region fails",
        seconds=14.2,
        assertions=(
            Assertion(text="At most 4 cycles", passed=True, detail="3.3"),
            Assertion(text="DNS changed", passed=passed, detail="still\nus-east-1"),
        ),
        timeline=(),
        measurements={"detection_seconds": 3.0, "lost_rows": 3},
        error=error,
    )


def report(*drills: DrillResult) -> Report:
    """Return a report of these drills."""
    return Report(
        started_at=datetime(2026, 11, 24, tzinfo=UTC),
        seconds=71.3,
        time_scale=TimeScale(interval_seconds=1.0),
        settings={},
        versions={},
        resources={},
        deployment_seconds=12.3,
        drills=drills,
    )


def test_event_is_one_line_with_aligned_columns(plain: Plain) -> None:
    """Decimal points are aligned."""
    plain.console.event(3.3, "FailoverGlobalCluster", EventKind.CALL, "eu-west-1")
    plain.console.event(120, "done")
    assert plain.lines == [
        "    3.30 s  call       eu-west-1       FailoverGlobalCluster",
        "  120.00 s  note                       done",
    ]


def test_long_event_with_line_breaks_is_one_line(plain: Plain) -> None:
    """Logs are read line by line."""
    plain.console.event(1, "a\n  b\r\n" + "c" * 300)
    assert plain.lines == ["    1.00 s  note                       a b " + "c" * 300]


def test_text_is_not_parsed_as_markup(plain: Plain) -> None:
    """Brackets in a message are text."""
    plain.console.event(1, "[bold]x[/] [Region lost] :boom:")
    plain.console.note("[red]y")
    assert [plain.lines[0].split("  ")[-1].strip(), plain.lines[1]] == ["[bold]x[/] [Region lost] :boom:", "[red]y"]


def test_plain_lines_contain_no_escape_codes(plain: Plain) -> None:
    """Plain output has no escape codes, including failures and the summary."""
    plain.console.drill_started("region-lost", "The writer's region fails")
    plain.console.assertion(drill(passed=False).assertions[1])
    plain.console.drill_finished(drill(passed=False))
    plain.console.summary(report(drill(passed=False)), PATHS)
    plain.console.error("x")
    assert "\x1b" not in plain.out.getvalue() + plain.err.getvalue()


def test_each_resource_is_a_line(plain: Plain) -> None:
    """Each resource is a line with its region, or `global`."""
    plain.console.deployment_started(2)
    plain.console.resource_created(CLUSTER)
    plain.console.resource_created(replace(CLUSTER, name="zone", region="global"))
    plain.console.deployment_finished(2, 12.3)
    assert plain.lines == [
        "Deployment  2 resources",
        "    0.25 s  created    us-east-1       aws:rds/cluster:Cluster primary",
        "    0.25 s  created    global          aws:rds/cluster:Cluster zone",
        "   12.30 s  deployed                   2 resources",
    ]


def test_drill_starts_and_ends_with_its_title(plain: Plain) -> None:
    """The end has the number of passed assertions."""
    plain.console.drill_started("region-lost", "The writer's region fails")
    plain.console.drill_finished(drill(passed=False))
    assert plain.lines == [
        "The writer's region fails  region-lost",
        "   14.20 s  FAILED                     The writer's region fails: 1 of 2 assertions passed",
    ]


def test_drill_that_ended_early_shows_its_error(plain: Plain) -> None:
    """The error follows the count."""
    plain.console.drill_finished(drill(error="TimeoutError: no cycle"))
    assert plain.lines[0].endswith("2 of 2 assertions passed; ended early: TimeoutError: no cycle")


def test_assertion_shows_its_result_as_a_label(plain: Plain) -> None:
    """The line of an assertion shows `passed` or `FAILED`, and the evidence of a failure."""
    for assertion in drill(passed=False).assertions:
        plain.console.assertion(assertion)
    assert [line.split(maxsplit=1)[0] for line in plain.lines] == ["passed", "FAILED"]
    assert plain.lines[1].endswith("DNS changed (still us-east-1)")


def test_roles_and_dns_print_no_lines(plain: Plain) -> None:
    """Role and DNS changes are shown only in the live view."""
    plain.console.show_cluster_role("payments-us-east-1-dev", "us-east-1", Role.UNREACHABLE)
    plain.console.dns_answer("writer.payments.internal", None)
    assert plain.lines == []


def test_summary_has_drills_failures_result_and_paths(plain: Plain) -> None:
    """The summary is complete without the lines printed before it."""
    plain.console.summary(report(replace(drill(), name="steady"), drill(passed=False)), PATHS)
    rows = [" ".join(line.split()) for line in plain.lines]
    assert rows[1:] == [
        "Drill Result Assertions Seconds Key numbers",
        "steady passed 2 of 2 14.2 Detection 3 s, Lost 3 rows",
        "region-lost FAILED 1 of 2 14.2 Detection 3 s, Lost 3 rows",
        "region-lost: The writer's region fails",
        "FAILED DNS changed",
        "still",
        "us-east-1",
        "Rehearsal FAILED after 71.3 s",
        "rehearsal-report/report.html",
        "rehearsal-report/report.json",
    ]


def test_summary_has_a_reason_for_every_failure(plain: Plain) -> None:
    """The summary explains early ends, drills without assertions, and errors outside the drills."""
    ended = replace(drill(error="TimeoutError:\nno cycle"), name="steady")
    empty = replace(drill(), name="blip", assertions=())
    plain.console.summary(replace(report(ended, empty), errors=("the emulator ended",)), PATHS)
    rows = [" ".join(line.split()) for line in plain.lines]
    assert rows[4:9] == [
        "steady: The writer's region fails",
        "ended early TimeoutError: no cycle",
        "blip: The writer's region fails",
        "FAILED the drill checked no assertion",
        "error the emulator ended",
    ]


def test_summary_fits_eighty_columns() -> None:
    """Numbers stay beside their units; paths are not wrapped."""
    out = io.StringIO()
    narrow = rich.console.Console(file=out, width=80, force_terminal=False, color_system=None)
    numbers = {f"a_rather_long_measurement_number_{index}_seconds": 12.25 for index in range(9)}
    long = replace(
        drill(passed=False), name="a-long-name-for-a-drill", measurements=numbers, key_measurements=tuple(numbers)
    )
    paths = ReportPaths(json=Path("directory" * 20) / "report.json", html=Path("report.html"))
    Console(output=narrow, errors=narrow, live=False).summary(report(long), paths)
    table = out.getvalue().split("\n\n", 1)[1].splitlines()
    assert [] == [line for line in table if len(line) > 80 and "directory" not in line]
    assert 9 == out.getvalue().count("12.25\N{NO-BREAK SPACE}s")
    assert f"  {paths.json}" in table


def test_summary_shows_the_time_scale(plain: Plain) -> None:
    """The numbers of a shorter interval are meaningless without the time scale."""
    plain.console.summary(report(drill()), PATHS)
    assert plain.lines[0].startswith("Summary  Periods shortened by a factor of 10 (interval 1 s instead of 10 s)")


def test_summary_shows_that_the_rehearsal_passed(plain: Plain) -> None:
    """The result is `passed` if all drills passed."""
    plain.console.summary(report(drill()), PATHS)
    assert "Rehearsal passed after 71.3 s" in plain.lines


def test_errors_go_to_stderr_unchanged(plain: Plain) -> None:
    """Every line of an error goes to stderr."""
    plain.console.error("2 mistakes:\n  one\n  two")
    assert (plain.out.getvalue(), plain.err.getvalue()) == ("", "error: 2 mistakes:\n  one\n  two\n")


@pytest.mark.parametrize(
    ("stream", "environment", "plain_lines"),
    [
        (Terminal(), {}, False),
        (Terminal(), {"CI": "", "NO_COLOR": ""}, False),
        (Terminal(), {"CI": "false"}, False),
        (Terminal(), {"CI": "true"}, True),
        (Terminal(), {"NO_COLOR": "1"}, True),
        (Terminal(), {"TERM": "dumb"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
    ],
)
def test_plain_lines_are_used_without_interactive_terminal(
    stream: io.StringIO, environment: Mapping[str, str], plain_lines: bool
) -> None:
    """CI, NO_COLOR, a dumb terminal and a pipe get plain lines."""
    assert wants_plain_lines(stream, environment) == plain_lines


def test_process_console_writes_to_its_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """The process's console is not live under pytest: stdout is no terminal."""
    with Console.for_process({}) as console:
        console.note("hello")
        console.error("oh")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("hello\n", "error: oh\n")


def test_ascii_stream_gets_escapes() -> None:
    """An ASCII stream gets escapes instead of an encoding error."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace")
    console = Console(output=plain_console(stream), errors=plain_console(stream), live=False)
    console.note("caf\u00e9")
    console.summary(report(drill()), PATHS)
    stream.flush()
    assert raw.getvalue().startswith(b"caf\\xe9\n")


def test_live_view_shows_drill_elapsed_time_roles_and_dns() -> None:
    """The live view shows the current state."""
    live_kit = LiveKit()
    with live_kit.console as console:
        console.drill_started("region-lost", "The writer's region fails")
        console.show_cluster_role("payments-us-east-1-dev", "us-east-1", Role.WRITER)
        console.show_cluster_role("payments-eu-west-1-dev", "eu-west-1", Role.STANDBY)
        console.show_cluster_role("payments-us-east-1-dev", "us-east-1", Role.UNREACHABLE)
        console.dns_answer("writer.payments.internal", None)
        live_kit.now = 7.0
        rows = [" ".join(line.split()) for line in live_kit.live_view().splitlines()]
    assert rows[1] == "The writer's region fails 7 s"
    assert [row.split()[:2] for row in rows[2:]] == [
        ["us-east-1", "unreachable"],
        ["eu-west-1", "standby"],
        ["DNS", "no"],
    ]


def test_live_lanes_grow_to_scale_and_restart_with_each_drill() -> None:
    """A new drill's lanes start with the last state of the previous drill."""
    live_kit = LiveKit()
    with live_kit.console as console:
        console.drill_started("region-lost", "The writer's region fails")
        console.show_cluster_role("payments-us-east-1-dev", "us-east-1", Role.WRITER)
        live_kit.now = 10.0
        console.show_cluster_role("payments-us-east-1-dev", "us-east-1", Role.UNREACHABLE)
        live_kit.now = 20.0
        halves = live_kit.live_view().splitlines()[2].split("unreachable", 1)[1].strip()
        console.drill_started("old-region-returns", "The failed region returns")
        live_kit.now = 30.0
        restarted = live_kit.live_view().splitlines()[2].split("unreachable", 1)[1].strip()
    assert (f"writer {'=' * 29}unreachable {'x' * 24}", f"unreachable {'x' * 60}") == (halves, restarted)


def test_live_view_counts_resources() -> None:
    """The live view counts resources by region and shows the newest one, without a line per resource."""
    live_kit = LiveKit()
    with live_kit.console as console:
        console.deployment_started(118)
        console.resource_created(CLUSTER)
        console.resource_created(replace(CLUSTER, region="eu-west-1", name="secondary"))
        rows = [" ".join(line.split()) for line in live_kit.live_view().splitlines()]
    assert "2 of 118 resources" in rows[1]
    assert rows[2:] == ["eu-west-1 1 us-east-1 1", "aws:rds/cluster:Cluster secondary"]
    assert "created" not in live_kit.out.getvalue()


def test_events_are_printed_above_the_live_view() -> None:
    """Events stay on the terminal after the live view ends."""
    live_kit = LiveKit()
    with live_kit.console as console:
        console.drill_started("region-lost", "The writer's region fails")
        console.event(3.3, "FailoverGlobalCluster", EventKind.CALL, "eu-west-1")
        console.drill_finished(drill())
    assert "FailoverGlobalCluster" in live_kit.out.getvalue()
    assert "2 of 2 assertions passed" in live_kit.out.getvalue()


def test_live_view_continues_after_an_error() -> None:
    """stderr is often the same terminal."""
    live_kit = LiveKit()
    with live_kit.console as console:
        console.drill_started("steady", "Steady state")
        console.error("oh")
        assert live_kit.console.is_live
    assert live_kit.err.getvalue() == "error: oh\n"


def test_terminal_is_restored_after_an_exception() -> None:
    """The cursor is visible again."""
    live_kit = LiveKit()
    with pytest.raises(RuntimeError, match="boom"), live_kit.console as console:
        console.drill_started("steady", "Steady state")
        raise RuntimeError("boom")
    assert (
        live_kit.console.is_live,
        live_kit.out.getvalue().rfind("\x1b[?25h") > live_kit.out.getvalue().rfind("\x1b[?25l"),
    ) == (
        False,
        True,
    )


@pytest.mark.parametrize("live", [False, True])
def test_threads_write_whole_lines(live: bool) -> None:
    """Eight threads with 25 events each: no line is lost or split."""
    kit = LiveKit() if live else Plain()
    with kit.console as console:
        console.drill_started("region-lost", "The writer's region fails")

        def play(thread: int) -> None:
            for index in range(25):
                console.show_cluster_role("c", "us-east-1", Role.WRITER)
                console.event(index, f"event-{thread}-{index}-end", EventKind.VERDICT, "eu-west-1")

        threads = [threading.Thread(target=play, args=(number,), daemon=True) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=WAIT_SECONDS)
        assert [thread.is_alive() for thread in threads] == [False] * 8
    lines = kit.out.getvalue().splitlines()
    wanted = sorted(f"event-{thread}-{index}-end" for thread in range(8) for index in range(25))
    assert sorted(line.rstrip().split()[-1] for line in lines if "event-" in line) == wanted
