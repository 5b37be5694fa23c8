"""The terminals of a person who practises in the sandbox: every step a command in a process of its own.

Owns how the sandbox and the operator's commands are started, and what they are given: no more than `start` printed.
Does not own what is asked of them. Invariant: nothing of this machine's AWS reaches a command.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.patience import wait_until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 180.0
"""How long what must come is waited for, on however busy a machine; what comes is not waited for any longer."""
POLL_SECONDS = 0.2
"""Between two looks that each start a process: a look that never rests would leave the sandbox no processor."""


class Terminal:
    """Terminals of a person with one running sandbox."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory.parent / "start.log"
        self.started: subprocess.Popen[bytes] | None = None
        self.called: list[list[str]] = []
        """The commands so far, each as its words after `python -m`."""

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this machine's AWS."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        return {**inherited, "COLUMNS": "200", "NO_PROXY": "*", "HOME": str(self.directory.parent)}

    @property
    def outputs(self) -> Path:
        """Where `up` leaves the stack's outputs."""
        return self.directory / "outputs.json"

    def start(self, *options: str) -> None:
        """Start the sandbox in a terminal of its own, and wait until it says how to reach it."""
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
        """Whether the foreground command is over."""
        return self.started is None or self.started.poll() is not None

    def end(self) -> None:
        """End what was started, however far it came."""
        if self.started is not None and self.started.poll() is None:
            self.started.send_signal(signal.SIGINT)
            self.started.wait(PATIENCE_SECONDS)

    def sandbox(self, *arguments: str, code: int = 0) -> str:
        """Run a command of the sandbox; return what it says."""
        return said(self._run(self._sandbox_command(*arguments), self.environment), code)

    def status(self) -> dict[str, Any]:
        """Return what `status --json` of the sandbox says."""
        return json.loads(self.sandbox("status", "--json"))

    def try_operations(self, *arguments: str, with_outputs: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an operator's command with nothing but what `start` printed, and the outputs."""
        exported = next(line for line in self.log.read_text().splitlines() if "export AWS_ENDPOINT_URL" in line)
        variables = dict(pair.split("=", 1) for pair in exported.split()[1:])
        given = ("--outputs", str(self.outputs)) if with_outputs else ()
        return self._run(self._command("operations", *arguments, *given), {**self.environment, **variables})

    def operations(self, *arguments: str, code: int = 0) -> str:
        """Run an operator's command; return what it says."""
        return said(self.try_operations(*arguments), code)

    def found(self, *arguments: str, code: int = 0, with_outputs: bool = True) -> dict[str, Any]:
        """Run an operator's command with --json; return its result."""
        done = self.try_operations(*arguments, "--json", with_outputs=with_outputs)
        said(done, code)
        return json.loads(done.stdout)

    def history(self, region: str) -> list[dict[str, Any]]:
        """Return the audit trail of a region, newest first."""
        lines = self.operations("history", "--region", region, "--limit", "100", "--json").splitlines()
        return [json.loads(line) for line in lines]

    def wait(self, condition: Callable[[], object], what: str, seen: Callable[[], object] = str) -> None:
        """Wait for what must come; `seen` says in the end what was there instead."""
        assert wait_until(condition, seconds=PATIENCE_SECONDS, pause_seconds=POLL_SECONDS), (
            f"{what}: not so within {PATIENCE_SECONDS:g} s\n{seen()}\n{self.log.read_text()}"
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
            timeout=PATIENCE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def said(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return what a command that had to end with `code` said: its result, or all of it when it was to fail."""
    command = " ".join(done.args[2:])
    assert done.returncode == code, f"{command}: ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stdout + done.stderr


@contextmanager
def practising(directory: Path) -> Iterator[Terminal]:
    """Give a person's terminals; whatever was started is ended."""
    terminal = Terminal(directory / "sandbox")
    try:
        yield terminal
    finally:
        terminal.end()
