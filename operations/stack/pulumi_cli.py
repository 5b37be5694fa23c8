"""Runs the Pulumi CLI: for its output, for an answer in JSON, or in the operator's terminal."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from operations.support.errors import FailedError, TimedOutError, UsageProblemError

READ_TIMEOUT_SECONDS = 30
Run = Callable[..., "subprocess.CompletedProcess[str]"]
RunPulumi = Callable[[Sequence[str], float], str]
"""Runs the Pulumi CLI with these arguments and a timeout in seconds, and returns its stdout."""


def run_pulumi(arguments: Sequence[str], timeout_seconds: float, run: Run = subprocess.run) -> str:
    """Run the Pulumi CLI and return its stdout.

    Raises:
        UsageProblemError: the CLI is not installed.
        FailedError: the command failed; the message has the end of its output.
        TimedOutError: it did not end in time.
    """
    command = f"`pulumi {' '.join(arguments)}`"
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": timeout_seconds}
    try:
        answer = _run(["pulumi", *arguments], run, **options)
    except subprocess.TimeoutExpired as error:
        raise TimedOutError(
            f"{command} did not end within {timeout_seconds:g} s", hint="Run it yourself to see what it waits for."
        ) from error
    if answer.returncode != 0:
        message = " ".join(f"{answer.stdout} {answer.stderr}".split())[-500:]
        raise FailedError(
            f"{command} failed: {message}",
            hint="If the stack is locked and no update is running: `pulumi cancel --stack NAME`. Then run this again.",
        )
    return answer.stdout


def read_json(arguments: Sequence[str], pulumi: RunPulumi) -> object:
    """Return the parsed answer of a command that changes nothing.

    Raises:
        UsageProblemError: Pulumi is missing, failed, did not end in time or did not print JSON.
    """
    try:
        return json.loads(pulumi(arguments, READ_TIMEOUT_SECONDS))
    except TimedOutError as error:
        raise UsageProblemError(error.message, hint="Check Pulumi's backend with `pulumi whoami -v`.") from error
    except FailedError as error:
        hint = "Check the login with `pulumi whoami -v`, and the stack's name with `pulumi stack ls`."
        raise UsageProblemError(error.message, hint=hint) from error
    except ValueError as error:
        raise UsageProblemError(
            f"`pulumi {' '.join(arguments)}` did not print JSON", hint="Check the version with `pulumi version`."
        ) from error


def run_in_terminal(command: Sequence[str], variables: Mapping[str, str], run: Run = subprocess.run) -> int:
    """Run a command in this terminal with further environment variables, and return its exit code.

    Raises:
        UsageProblemError: Pulumi is missing.
    """
    return _run(command, run, env={**os.environ, **variables}).returncode


def _run(command: Sequence[str], run: Run, **options: Any) -> "subprocess.CompletedProcess[str]":
    try:
        return run(list(command), text=True, check=False, **options)
    except FileNotFoundError as error:
        raise UsageProblemError(
            "pulumi is not installed or not on the PATH", hint="Install Pulumi: https://www.pulumi.com/docs/install/."
        ) from error
