"""Tables never break what an operator copies."""

import re

import pytest

from operations.support.errors import OperationRefusedError
from operations.support.screen import Screen

ARN = "arn:aws:sts::123456789012:assumed-role/payments-operator-on-call/alice.of.the.payments.team@example.com"
ENDPOINT = "payments-eu-west-1-dev.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com"
AT = "2026-11-24T12:00:00Z"
COMMAND = f"python -m operations disarm --reason 'the planned maintenance of the network' --outputs {'o' * 60}.json"
LONG = "the writer has not answered for a minute, and the other region says so too; " * 3


def show(screen: Screen) -> None:
    """Show each kind of table."""
    screen.labelled(
        {}, f"OK: {LONG.strip()}", [("Endpoint eu-west-1", ENDPOINT), ("Switch", f"disarmed by {ARN}: {LONG}")]
    )
    screen.table(
        "Last notices", ("At", "Reason", "Action", "Details"), [(AT, "region-lost", "notify", f"by {ARN}; {LONG}")]
    )
    screen.table("Run next, in this order", ("Command",), [[COMMAND]])


def test_pipe_has_no_fixed_width(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each row is one line without trailing spaces, whatever COLUMNS says."""
    monkeypatch.setenv("COLUMNS", "80")
    show(Screen(as_json=False))
    lines = capsys.readouterr().out.splitlines()
    for parts in (
        ("OK: ", LONG.strip()),
        ("Endpoint eu-west-1", ENDPOINT),
        ("Switch", ARN, LONG.strip()),
        (AT, ARN, LONG.strip()),
        (COMMAND,),
    ):
        assert [all(part in line for part in parts) for line in lines].count(True) == 1, parts
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("columns", [40, 80, 120, 400])
def test_terminal_of_any_width_shows_identifiers_unbroken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    """Text wraps at spaces; a longer identifier has a line of its own, which the terminal wraps without a line break."""
    for name, value in {"COLUMNS": str(columns), "FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    show(Screen(as_json=False))
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert [each for each in (ARN, ENDPOINT, AT, COMMAND) if each not in text] == []
    longest = max(len(ARN), len(ENDPOINT)) + len("  :")
    wide = [line for line in text.splitlines() if len(line) > max(columns, longest)]
    assert [line.strip() for line in wide] in ([COMMAND], [])


def test_text_has_times_in_whole_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Titles, cells, lines, notes and errors; JSON keeps the exact time."""
    exact = "2026-11-24T12:00:00.123456+00:00"
    for screen in (Screen(as_json=False), Screen(as_json=True)):
        screen.table(f"seen {exact}", ("At", "Details"), [(exact, f"since {exact}")])
        screen.result({"at": exact}, [f"ended {exact}"])
        screen.note(f"begun {exact}")
        screen.error(OperationRefusedError(f"since {exact}", hint=f"after {exact}"))
    captured = capsys.readouterr()
    assert [line for line in (captured.out + captured.err).splitlines() if ".123456" in line] == [
        f'  "at": "{exact}"',
        f'  "error": "since {exact}",',
        f'  "hint": "after {exact}",',
    ]
    assert f"seen {AT}" in captured.out
    assert f"begun {AT}" in captured.err


def test_live_view_outside_a_terminal_has_no_fixed_width(capsys: pytest.CaptureFixture[str]) -> None:
    """The refreshes follow one another, each row in one line."""
    with Screen(as_json=False).live() as update:
        update(
            {}, "OK: fine", [("Switch", f"disarmed by {ARN}: {LONG}")], "Last notices", ("At", "Details"), [(AT, ARN)]
        )
    text = capsys.readouterr().out
    assert f"disarmed by {ARN}: {LONG.strip()}" in text
    assert [line.split() for line in text.splitlines() if AT in line] == [[AT, ARN]]


def test_live_view_in_a_terminal_shows_identifiers_unbroken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row whose endpoint does not fit beside its label has it in the next line."""
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    with Screen(as_json=False).live() as update:
        update({}, f"OK: {LONG}", [("Endpoint eu-west-1", ENDPOINT)], "", (), [])
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out).splitlines()
    assert ENDPOINT in [line.strip() for line in lines]
    assert [line for line in lines if len(line) > 80] == []
