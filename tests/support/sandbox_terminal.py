"""The operator's terminals with a sandbox: each command is a process without this machine's AWS configuration."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.sandbox.client import find
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 180.0
"""Upper limit for every wait, sufficient on a busy machine."""
POLL_SECONDS = 1.0
"""Pause between polls: each poll starts a process and takes processor time from the sandbox."""


class Terminal:
    """Terminals with one running sandbox."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory.parent / "start.log"
        self.started: subprocess.Popen[bytes] | None = None
        self.called: list[list[str]] = []
        """The commands so far, as the arguments after `python -m`."""
        self.shell_variables: Mapping[str, str] = {}
        """What `env` printed for the stack dev, if the operator's commands run in such a shell."""

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables without this machine's AWS configuration."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        return {**inherited, "COLUMNS": "200", "NO_PROXY": "*", "HOME": str(self.directory.parent)}

    @property
    def outputs(self) -> Path:
        """File with the stack's outputs, written by `up`."""
        return self.directory / "outputs.json"

    def start(self, *options: str) -> None:
        """Start the sandbox in the background and wait until it prints its endpoint."""
        command = self._sandbox_command("start", *options)
        with self.log.open("wb") as log:
            self.started = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self.wait(lambda: "Ctrl-C" in self.log.read_text() or self.started_ended(), "the sandbox starts")
        assert not self.started_ended(), self.log.read_text()

    def started_ended(self) -> bool:
        """Return whether the `start` command has ended."""
        return self.started is None or self.started.poll() is not None

    def end(self) -> None:
        """Stop the `start` command."""
        if self.started is not None and self.started.poll() is None:
            self.started.send_signal(signal.SIGINT)
            self.started.wait(WAIT_SECONDS)

    def sandbox(self, *arguments: str, code: int = 0) -> str:
        """Run a command of the sandbox; return its output."""
        return checked_output(self._run(self._sandbox_command(*arguments), self.environment), code)

    def status(self) -> dict[str, Any]:
        """Return the sandbox's status."""
        return json.loads(self.sandbox("status", "--json"))

    def writer(self) -> str | None:
        """Return the region of the writer, None without a stack; it starts no process."""
        status = find(self.directory).status()
        return next((each["region"] for each in status["clusters"] if each["is_writer"]), None)

    def try_operations(self, *arguments: str, with_outputs: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an operator's command on the stack, with the variables that `start` or `env` printed."""
        stack = ("--stack", "dev") if self.shell_variables else ("--outputs", str(self.outputs))
        variables = self.shell_variables or self.exported
        command = self._command("operations", *arguments, *(stack if with_outputs else ()))
        return self._run(command, {**self.environment, **variables})

    def operations(self, *arguments: str, code: int = 0) -> str:
        """Run an operator's command; return its output."""
        return checked_output(self.try_operations(*arguments), code)

    def found(self, *arguments: str, code: int = 0, with_outputs: bool = True) -> dict[str, Any]:
        """Run an operator's command with --json; return its result."""
        done = self.try_operations(*arguments, "--json", with_outputs=with_outputs)
        checked_output(done, code)
        return json.loads(done.stdout)

    def history(self, region: str) -> list[dict[str, Any]]:
        """Return the audit trail of a region, newest first."""
        return json.loads(self.operations("history", "--region", region, "--limit", "100", "--json"))

    def run_python(self, code: str) -> str:
        """Run a program with the variables that `start` printed; return its output."""
        return checked_output(self._run([sys.executable, "-c", code], {**self.environment, **self.exported}), 0)

    @property
    def exported(self) -> dict[str, str]:
        """The variables that `start` printed."""
        line = next(line for line in self.log.read_text().splitlines() if "export AWS_ENDPOINT_URL" in line)
        return dict(pair.split("=", 1) for pair in line.split()[1:])

    def wait(self, condition: Callable[[], object], what: str, seen: Callable[[], object] = str) -> None:
        """Wait for the condition; `seen` describes the last state in the failure message."""
        assert wait_until(condition, seconds=WAIT_SECONDS, pause_seconds=POLL_SECONDS), (
            f"{what}: not within {WAIT_SECONDS:g} s\n{seen()}\n{self.log.read_text()}"
        )

    def _sandbox_command(self, *arguments: str) -> list[str]:
        return self._command("rehearsal.sandbox", *arguments, "--directory", str(self.directory))

    def _command(self, *words: str) -> list[str]:
        self.called.append(list(words))
        return [sys.executable, "-m", *words]

    @staticmethod
    def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def checked_output(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Check the exit code; return stdout, and stderr too if the command had to fail."""
    command = " ".join(done.args[2:])
    assert done.returncode == code, f"{command}: ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stdout + done.stderr


@contextmanager
def open_terminal(directory: Path) -> Iterator[Terminal]:
    """Return terminals for a sandbox that is stopped in the end."""
    terminal = Terminal(directory / "sandbox")
    try:
        yield terminal
    finally:
        terminal.end()
