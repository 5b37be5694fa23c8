"""Tests of the console: plain lines, the live region, the summary, what goes where, and threads."""

import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rich.console

from rehearsal.console.console import Console, plain_console, wants_plain_lines
from rehearsal.report.files import ReportPaths
from rehearsal.report.model import Assertion, DrillResult, EventKind, Report, Role, TimeScale
from tests.support.waiting import WAIT_SECONDS

PATHS = ReportPaths(json=Path("rehearsal-report/report.json"), html=Path("rehearsal-report/report.html"))


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource as the deployment reports it."""

    type: str
    name: str
    region: str | None
    seconds: float


CLUSTER = Created(type="aws:rds/cluster:Cluster", name="primary", region="us-east-1", seconds=0.25)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


class Plain:
    """A console with plain lines, and what it wrote."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.err = io.StringIO()
        self.console = Console(output=plain_console(self.out), errors=plain_console(self.err), live=False)

    @property
    def lines(self) -> list[str]:
        """The lines on stdout that aren't empty."""
        return [line for line in self.out.getvalue().splitlines() if line.strip()]


class Living:
    """A console with a live region on a terminal of a hundred columns, whose clock stands at 7 s."""

    def __init__(self) -> None:
        self.out = Terminal()
        self.err = io.StringIO()
        self.terminal = rich.console.Console(
            file=self.out, force_terminal=True, width=100, height=40, color_system="truecolor", _environ={}
        )
        self.now = 0.0
        self.console = Console(output=self.terminal, errors=plain_console(self.err), live=True, clock=lambda: self.now)

    def picture(self) -> str:
        """The live region as text."""
        sheet = plain_console(io.StringIO())
        with sheet.capture() as capture:
            sheet.print(self.console.picture())
        return capture.get()


@pytest.fixture
def plain() -> Plain:
    """Plain lines."""
    return Plain()


def drill(*, passed: bool = True, error: str | None = None) -> DrillResult:
    """A drill with one assertion that holds and one that may not."""
    return DrillResult(
        name="region-lost",
        title="The writer's region is lost",
        seconds=14.2,
        assertions=(
            Assertion(text="At most 4 cycles", passed=True, detail="3.3"),
            Assertion(text="DNS moved", passed=passed, detail="still\nus-east-1"),
        ),
        timeline=(),
        measurements={"detection_seconds": 3.0, "lost_rows": 3},
        error=error,
    )


def report(*drills: DrillResult) -> Report:
    """A report of these drills."""
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


# Plain lines


def test_an_event_is_one_line_with_its_seconds_right_aligned(plain: Plain) -> None:
    """The decimal points of 3.3 s and 120 s stand under each other; kind and region have their columns."""
    plain.console.event(3.3, "FailoverGlobalCluster", EventKind.CALL, "eu-west-1")
    plain.console.event(120, "done")
    assert plain.lines == [
        "    3.30 s  call       eu-west-1       FailoverGlobalCluster",
        "  120.00 s  note                       done",
    ]


def test_a_long_event_with_line_breaks_stays_one_line(plain: Plain) -> None:
    """A log is read line by line, whatever an error message holds."""
    plain.console.event(1, "a\n  b\r\n" + "c" * 300)
    assert plain.lines == ["    1.00 s  note                       a b " + "c" * 300]


def test_text_is_not_read_as_markup(plain: Plain) -> None:
    """Brackets in a message are text."""
    plain.console.event(1, "[bold]x[/] [Region lost] :boom:")
    plain.console.note("[red]y")
    assert [plain.lines[0].split("  ")[-1].strip(), plain.lines[1]] == ["[bold]x[/] [Region lost] :boom:", "[red]y"]


def test_plain_lines_hold_no_escape_codes(plain: Plain) -> None:
    """Also the failing assertion, the verdicts and the summary."""
    plain.console.drill_started("region-lost", "The writer's region is lost")
    plain.console.assertion(drill(passed=False).assertions[1])
    plain.console.drill_finished(drill(passed=False))
    plain.console.summary(report(drill(passed=False)), PATHS)
    plain.console.error("x")
    assert "\x1b" not in plain.out.getvalue() + plain.err.getvalue()


def test_each_resource_is_a_line(plain: Plain) -> None:
    """With its region; what has none is global."""
    plain.console.deployment_started(2)
    plain.console.resource_created(CLUSTER)
    plain.console.resource_created(replace(CLUSTER, name="zone", region=None))
    plain.console.deployment_finished(2, 12.3)
    assert plain.lines == [
        "Deployment  2 resources",
        "    0.25 s  created    us-east-1       aws:rds/cluster:Cluster primary",
        "    0.25 s  created    global          aws:rds/cluster:Cluster zone",
        "   12.30 s  deployed                   2 resources",
    ]


def test_a_drill_begins_and_ends_with_its_title(plain: Plain) -> None:
    """The end says how many assertions held."""
    plain.console.drill_started("region-lost", "The writer's region is lost")
    plain.console.drill_finished(drill(passed=False))
    assert plain.lines == [
        "The writer's region is lost  region-lost",
        "   14.20 s  FAILED                     The writer's region is lost: 1 of 2 assertions held",
    ]


def test_a_drill_that_ended_early_says_why(plain: Plain) -> None:
    """The error follows the count."""
    plain.console.drill_finished(drill(error="TimeoutError: no cycle"))
    assert plain.lines[0].endswith("2 of 2 assertions held; ended early: TimeoutError: no cycle")


def test_an_assertion_shows_whether_it_held_in_words(plain: Plain) -> None:
    """Not by colour alone, and with its evidence."""
    for assertion in drill(passed=False).assertions:
        plain.console.assertion(assertion)
    assert [line.split(maxsplit=1)[0] for line in plain.lines] == ["held", "NOT"]
    assert plain.lines[1].endswith("DNS moved (still us-east-1)")


def test_roles_and_dns_print_nothing_by_themselves(plain: Plain) -> None:
    """They belong to the live region; the drill's own event tells them."""
    plain.console.cluster_role("payments-us-east-1-dev", "us-east-1", Role.DARK)
    plain.console.dns_answer("writer.payments.internal", None)
    assert plain.lines == []


# The summary


def test_the_summary_has_a_row_a_drill_the_failures_the_verdict_and_the_paths(plain: Plain) -> None:
    """Everything that one needs after having looked away."""
    plain.console.summary(report(replace(drill(), name="steady"), drill(passed=False)), PATHS)
    rows = [" ".join(line.split()) for line in plain.lines]
    assert rows[1:] == [
        "Drill Result Held Seconds Key numbers",
        "steady passed 2 of 2 14.2 Detection 3 s, Lost 3 rows",
        "region-lost FAILED 1 of 2 14.2 Detection 3 s, Lost 3 rows",
        "region-lost: The writer's region is lost",
        "NOT HELD DNS moved",
        "still",
        "us-east-1",
        "Rehearsal FAILED after 71.3 s",
        "rehearsal-report/report.html",
        "rehearsal-report/report.json",
    ]


def test_the_summary_tells_what_ended_early_and_what_proved_nothing(plain: Plain) -> None:
    """No failed drill is without a reason; nor is a rehearsal that failed outside its drills."""
    ended = replace(drill(error="TimeoutError:\nno cycle"), name="steady")
    empty = replace(drill(), name="blip", assertions=())
    plain.console.summary(replace(report(ended, empty), errors=("the emulator ended",)), PATHS)
    rows = [" ".join(line.split()) for line in plain.lines]
    assert rows[4:9] == [
        "steady: The writer's region is lost",
        "ended early TimeoutError: no cycle",
        "blip: The writer's region is lost",
        "NOT HELD nothing was asserted, so nothing is proved",
        "error the emulator ended",
    ]


def test_the_summary_fits_eighty_columns_and_keeps_numbers_beside_their_units() -> None:
    """The key numbers stand under the table then; a path is never broken."""
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


def test_the_summary_says_the_time_scale(plain: Plain) -> None:
    """Numbers of a shortened cycle are never shown without it."""
    plain.console.summary(report(drill()), PATHS)
    assert plain.lines[0].startswith("Summary  Periods shrunk by factor 10 because the cycle was shortened")


def test_the_summary_says_passed(plain: Plain) -> None:
    """When all passed."""
    plain.console.summary(report(drill()), PATHS)
    assert "Rehearsal passed after 71.3 s" in plain.lines


# Where it goes


def test_errors_go_to_stderr_as_they_are(plain: Plain) -> None:
    """All lines of it, nothing on stdout."""
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
def test_who_gets_plain_lines(stream: io.StringIO, environment: Mapping[str, str], plain_lines: bool) -> None:
    """Everything but a terminal that nobody asked to be plain."""
    assert wants_plain_lines(stream, environment) == plain_lines


def test_the_console_of_the_process_writes_to_its_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """Under pytest stdout is no terminal: plain lines there, errors on stderr."""
    with Console.for_process({}) as console:
        console.note("hello")
        console.error("oh")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("hello\n", "error: oh\n")


def test_a_stream_in_ascii_does_not_end_the_rehearsal() -> None:
    """What it can't hold is written as an escape."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace")
    console = Console(output=plain_console(stream), errors=plain_console(stream), live=False)
    console.note("caf\u00e9")
    console.summary(report(drill()), PATHS)
    stream.flush()
    assert raw.getvalue().startswith(b"caf\\xe9\n")


# The live region


def test_the_live_region_shows_drill_elapsed_roles_and_dns() -> None:
    """Who is what now, and where the name points."""
    living = Living()
    with living.console as console:
        console.drill_started("region-lost", "The writer's region is lost")
        console.cluster_role("payments-us-east-1-dev", "us-east-1", Role.WRITER)
        console.cluster_role("payments-eu-west-1-dev", "eu-west-1", Role.STANDBY)
        console.cluster_role("payments-us-east-1-dev", "us-east-1", Role.DARK)
        console.dns_answer("writer.payments.internal", None)
        living.now = 7.0
        rows = [" ".join(line.split()) for line in living.picture().splitlines()]
    assert rows[1] == "The writer's region is lost 7 s"
    assert [row.split()[:2] for row in rows[2:]] == [["us-east-1", "dark"], ["eu-west-1", "standby"], ["DNS", "no"]]


def test_the_live_lanes_grow_to_scale_and_begin_anew_with_each_drill() -> None:
    """Dark for the second half of the time; of the drill before only the last state stays."""
    living = Living()
    with living.console as console:
        console.drill_started("region-lost", "The writer's region is lost")
        console.cluster_role("payments-us-east-1-dev", "us-east-1", Role.WRITER)
        living.now = 10.0
        console.cluster_role("payments-us-east-1-dev", "us-east-1", Role.DARK)
        living.now = 20.0
        halves = living.picture().splitlines()[2].split("dark", 1)[1].strip()
        console.drill_started("old-region-returns", "The old region returns")
        living.now = 30.0
        anew = living.picture().splitlines()[2].split("dark", 1)[1].strip()
    assert (f"writer {'=' * 29}dark {'x' * 31}", f"dark {'x' * 67}") == (halves, anew)


def test_the_live_region_counts_resources() -> None:
    """By region, with the newest one; no line each on a terminal."""
    living = Living()
    with living.console as console:
        console.deployment_started(118)
        console.resource_created(CLUSTER)
        console.resource_created(replace(CLUSTER, region="eu-west-1", name="secondary"))
        rows = [" ".join(line.split()) for line in living.picture().splitlines()]
    assert "2 of 118 resources" in rows[1]
    assert rows[2:] == ["eu-west-1 1 us-east-1 1", "aws:rds/cluster:Cluster secondary"]
    assert "created" not in living.out.getvalue()


def test_events_stay_above_the_live_region() -> None:
    """They are printed for good while the region goes on."""
    living = Living()
    with living.console as console:
        console.drill_started("region-lost", "The writer's region is lost")
        console.event(3.3, "FailoverGlobalCluster", EventKind.CALL, "eu-west-1")
        console.drill_finished(drill())
    assert "FailoverGlobalCluster" in living.out.getvalue()
    assert "2 of 2 assertions held" in living.out.getvalue()


def test_an_error_is_not_drawn_over_and_the_region_goes_on() -> None:
    """stderr is often the same terminal."""
    living = Living()
    with living.console as console:
        console.drill_started("steady", "Steady state")
        console.error("oh")
        assert living.console.is_live
    assert living.err.getvalue() == "error: oh\n"


def test_the_terminal_is_given_back_after_an_exception() -> None:
    """The cursor shows again, and nothing is refreshed any more."""
    living = Living()
    with pytest.raises(RuntimeError, match="boom"), living.console as console:
        console.drill_started("steady", "Steady state")
        raise RuntimeError("boom")
    assert (
        living.console.is_live,
        living.out.getvalue().rfind("\x1b[?25h") > living.out.getvalue().rfind("\x1b[?25l"),
    ) == (
        False,
        True,
    )


# Threads


@pytest.mark.parametrize("live", [False, True])
def test_many_threads_write_whole_lines(live: bool) -> None:
    """Eight threads, twenty-five events each: every line is whole, none is missing, nobody waits for ever."""
    kit = Living() if live else Plain()
    with kit.console as console:
        console.drill_started("region-lost", "The writer's region is lost")

        def play(thread: int) -> None:
            for index in range(25):
                console.cluster_role("c", "us-east-1", Role.WRITER)
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
