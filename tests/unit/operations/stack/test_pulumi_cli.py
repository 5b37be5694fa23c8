"""Running the Pulumi CLI; every error has a hint."""

import subprocess
from functools import partial
from typing import Any

import pytest

from operations.stack.pulumi_cli import READ_TIMEOUT_SECONDS, Run, read_json, run_in_terminal, run_pulumi
from operations.support.errors import FailedError, OperationError, TimedOutError, UsageProblemError

ERROR = "error: no stack\n named 'x'"


class Pulumi:
    """Answers every command with one result."""

    def __init__(self, code: int = 0, stdout: str = "", stderr: str = "") -> None:
        self.result = (code, stdout, stderr)
        self.command: list[str] = []
        self.options: dict[str, Any] = {}

    def __call__(self, command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        """Record the command and its options."""
        self.command, self.options = command, options
        return subprocess.CompletedProcess(command, *self.result)


def raises(error: Exception) -> Run:
    """Return a runner that raises an error."""

    def run(*_: Any, **__: Any) -> "subprocess.CompletedProcess[str]":
        raise error

    return run


MISSING, HANGING = raises(FileNotFoundError()), raises(subprocess.TimeoutExpired("pulumi", 1))


def test_command_runs_without_a_terminal() -> None:
    """It can ask nothing, and what it prints is the answer."""
    pulumi = Pulumi(stdout="text")
    assert run_pulumi(["stack", "ls"], 5, pulumi) == "text"
    assert (pulumi.command, pulumi.options["timeout"]) == (["pulumi", "stack", "ls"], 5)
    assert pulumi.options["stdin"] == subprocess.DEVNULL


@pytest.mark.parametrize(
    ("run", "error", "message", "hint"),
    [
        (MISSING, UsageProblemError, "pulumi is not installed or not on the PATH", "pulumi.com/docs/install/"),
        (HANGING, TimedOutError, "`pulumi refresh --yes` did not end within 5 s", "Run it yourself"),
        (Pulumi(255, "Resources:\n", ERROR), FailedError, "failed: Resources: error: no stack named 'x'", "cancel"),
        (Pulumi(1, "a" * 900, ERROR), FailedError, "aaa error: no stack named 'x'", "pulumi cancel"),
    ],
)
def test_each_failure_of_a_command_has_a_hint(run: Run, error: type[OperationError], message: str, hint: str) -> None:
    """The message ends with what the command printed last."""
    with pytest.raises(error) as raised:
        run_pulumi(["refresh", "--yes"], 5, run)
    assert type(raised.value) is error
    assert raised.value.message.endswith(message)
    assert hint in raised.value.hint
    assert len(raised.value.message) < 600


@pytest.mark.parametrize(
    ("run", "message", "hint"),
    [
        (MISSING, "pulumi is not installed or not on the PATH", "pulumi.com/docs/install/"),
        (HANGING, f"`pulumi stack export` did not end within {READ_TIMEOUT_SECONDS} s", "pulumi whoami -v"),
        (Pulumi(255, stderr=ERROR), "`pulumi stack export` failed: error: no stack named 'x'", "pulumi stack ls"),
        (Pulumi(stdout="hello"), "`pulumi stack export` did not print JSON", "pulumi version"),
    ],
)
def test_failed_read_is_a_usage_error(run: Run, message: str, hint: str) -> None:
    """The command that needs the answer has changed nothing yet."""
    with pytest.raises(UsageProblemError) as raised:
        read_json(["stack", "export"], partial(run_pulumi, run=run))
    assert raised.value.message.endswith(message)
    assert hint in raised.value.hint


def test_answer_is_parsed() -> None:
    """The text is JSON."""
    assert read_json(["stack", "export"], partial(run_pulumi, run=Pulumi(stdout='{"version": 3}'))) == {"version": 3}


def test_command_runs_with_the_variables_of_this_terminal_and_its_own() -> None:
    """The exit code is Pulumi's."""
    pulumi = Pulumi(255)
    assert run_in_terminal(["pulumi", "up"], {"AWS_SKIP_CREDENTIALS_VALIDATION": "true"}, pulumi) == 255
    assert pulumi.options["env"]["AWS_SKIP_CREDENTIALS_VALIDATION"] == "true"
    assert "PATH" in pulumi.options["env"]


def test_missing_pulumi_is_a_usage_error() -> None:
    """The hint says where to get it."""
    with pytest.raises(UsageProblemError) as raised:
        run_in_terminal(["pulumi", "up"], {}, MISSING)
    assert "https://www.pulumi.com/docs/install/" in raised.value.hint
