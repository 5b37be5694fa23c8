"""The sandbox as a person uses it: every step a command in a process of its own, each waited for by what it says."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EAST, WEST = "us-east-1", "eu-west-1"
PATIENCE_SECONDS = 120.0
"""How long what must come is waited for, on however busy a machine; what comes is not waited for any longer."""


class Terminal:
    """Terminals of a person with one running sandbox."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory.parent / "start.log"
        self.started: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this machine's AWS."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        return {**inherited, "COLUMNS": "200", "NO_PROXY": "*", "HOME": str(self.directory.parent)}

    def start(self) -> None:
        """Start the sandbox in a terminal of its own, and wait until it says how to reach it."""
        with self.log.open("wb") as log:
            self.started = subprocess.Popen(
                self._command("start", "--beat", "2"),
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

    def sandbox(self, *arguments: str, code: int = 0) -> str:
        """Run a command of the sandbox; return what it says on stdout."""
        return self._run(self._command(*arguments), code, self.environment)

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        return json.loads(self.sandbox("status", "--json"))

    def operations(self, *arguments: str, code: int = 0) -> str:
        """Run an operator's command with nothing but what `start` printed, and the outputs."""
        exported = next(line for line in self.log.read_text().splitlines() if "export AWS_ENDPOINT_URL" in line)
        variables = dict(pair.split("=", 1) for pair in exported.split()[1:])
        command = [sys.executable, "-m", "operations", *arguments, "--outputs", str(self.directory / "outputs.json")]
        return self._run(command, code, {**self.environment, **variables})

    def is_calm(self) -> bool:
        """Whether the controller in the standby region beats, and nothing troubles it."""
        controller = json.loads(self.operations("status", "--json"))["controller"]
        return controller["last_beat_at"] is not None and controller["told"] == []

    def writer(self) -> str | None:
        """Return the region of the writer, as the sandbox says."""
        return next((each["region"] for each in self.status()["clusters"] if each["is_writer"]), None)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for what must come."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, f"{what}: not so\n{self.log.read_text()}"
            time.sleep(0.1)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "rehearsal.sandbox", *arguments, "--directory", str(self.directory)]

    @staticmethod
    def _run(command: list[str], code: int, environment: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{' '.join(command[2:])}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Give a person's terminals; whatever was started is ended."""
    terminal = Terminal(tmp_path / "sandbox")
    yield terminal
    if terminal.started is not None and terminal.started.poll() is None:
        terminal.started.send_signal(signal.SIGINT)
        terminal.started.wait(30)


def test_a_day_in_the_sandbox(terminal: Terminal) -> None:
    """Start, up, up again, a region lost and back, destroy refused and then done, stop: by commands alone."""
    terminal.start()
    assert (False, [EAST, WEST]) == (terminal.status()["is_up"], terminal.status()["regions"])

    terminal.sandbox("up")
    outputs = terminal.directory / "outputs.json"
    assert (0o600, EAST) == (stat.S_IMODE(outputs.stat().st_mode), terminal.writer())
    again = terminal.sandbox("up").splitlines()
    count = terminal.status()["resources"]
    assert f"Plan: {count} same" == again[0]
    terminal.wait(terminal.is_calm, "the standby's controller beats and sees no trouble")
    assert WEST == json.loads(terminal.operations("status", "--json"))["roles"]["standby"]

    terminal.sandbox("darken", EAST)
    terminal.wait(lambda: terminal.writer() == WEST, "the standby takes over by itself")
    assert [EAST] == terminal.status()["dark_regions"]
    assert EAST == json.loads(terminal.operations("status", "--json", "--region", WEST))["roles"]["standby"]
    assert "failover" in terminal.operations("history", "--region", WEST)
    terminal.sandbox("lighten", EAST)

    planned = json.loads(terminal.sandbox("preview", "--refresh", "--json"))
    assert {"same": count} == planned["counts"], [step for step in planned["steps"] if step["change"] != "same"]
    assert {"replicationSourceIdentifier"} <= {name for step in planned["steps"] for name in step["ignored"]}
    assert "Switch home first" in terminal.sandbox("destroy", code=3)
    assert count == terminal.status()["resources"]

    _switch_home(terminal)
    assert "Both regions are empty." in terminal.sandbox("destroy")
    assert (0, False, False) == (terminal.status()["resources"], terminal.status()["is_up"], outputs.exists())
    assert "stopped" in terminal.sandbox("stop")
    terminal.wait(terminal.started_ended, "the foreground command ends")
    assert "no sandbox runs here" in terminal.sandbox("status", code=1)


def _switch_home(terminal: Terminal) -> None:
    """Switch over as AWS's own command line would, once RDS calls both members connected."""
    from rehearsal.aws import Clients

    clients = Clients(terminal.status()["deploy_url"])
    outputs = json.loads((terminal.directory / "outputs.json").read_text())

    def connected() -> bool:
        described = clients("rds", WEST).describe_global_clusters()["GlobalClusters"][0]
        states = {each["SynchronizationStatus"] for each in described["GlobalClusterMembers"]}
        return states == {"connected"} and described["Status"] == "available"

    terminal.wait(connected, "both members are connected")
    clients("rds", WEST).switchover_global_cluster(
        GlobalClusterIdentifier=outputs["global_cluster_id"], TargetDbClusterIdentifier=outputs["primary_cluster_arn"]
    )
    terminal.wait(lambda: terminal.writer() == EAST, "the writer is home")
    terminal.wait(connected, "RDS calls it done")
    clients.close()


def test_what_is_refused_says_why(terminal: Terminal) -> None:
    """A second sandbox in one place, a command without one, an unknown region, a stranger, two engines at once."""
    assert "no sandbox runs here" in terminal.sandbox("up", code=1)
    terminal.start()
    assert "a sandbox runs here already" in terminal.sandbox("start", code=1)
    assert f"there are {EAST}, {WEST}" in terminal.sandbox("darken", "us-west-2", code=1)
    address = json.loads((terminal.directory / "sandbox.json").read_text())
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(f"{address['url']}/state", headers={"X-Sandbox-Token": "guess"}))
    taken = urllib.request.Request(
        f"{address['url']}/engine",
        data=json.dumps({"pid": os.getpid(), "doing": "up"}).encode(),
        headers={"X-Sandbox-Token": address["token"]},
    )
    urllib.request.urlopen(taken).close()
    assert "busy: up is under way" in terminal.sandbox("destroy", code=1)
    assert terminal.started is not None
    terminal.started.send_signal(signal.SIGTERM)
    terminal.wait(terminal.started_ended, "a signal to end ends it")
    assert not (terminal.directory / "sandbox.json").exists()
