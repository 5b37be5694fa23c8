"""Kills `pulumi up` and `pulumi destroy` at random points, and recovers as the runbook says: `python -m benchmarks.interrupted_up`.

It runs the real Pulumi engine against the embedded AWS. After each kill it runs the commands of docs/runbook/recover.md, and then
`pulumi preview --expect-no-changes`. Needs a Pulumi CLI: `make pulumi`.
Exit codes: 0 every interruption was recovered; 1 one was not, or the study stopped; 2 usage.
"""

import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rehearsal.pulumi_cli.workspace import complete_environment
from tests.support.pulumi_cli import exported_variables
from tools import fetch_pulumi

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "runbook" / "recover.md"
STACK = "dev"
COMMAND_SECONDS = 600.0
PLUGINS_END_SECONDS = 30.0
SANDBOX_SECONDS = 60.0
LAST_POINT = 170
"""Resources after which a run is killed at the latest: dev has as many, and the CLI prints its components and providers too."""
DONE = {"up": re.compile(r" created( |$)"), "destroy": re.compile(r" deleted( |$)")}
CONFIRMED_COMMANDS = re.compile(r"pulumi (up|destroy) ")
CONFIRMED = "--yes --skip-preview"
"""Instead of the operator, who reads the preview and confirms it."""
app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """One kill and its recovery."""

    verb: str
    after: int
    """Resources that were finished before the kill."""
    pending: str
    """What `recover` showed."""
    seconds: float
    """From the start of the run to the last command."""
    failure: str
    """The command that failed and the end of its output; empty if the stack ended without changes."""


class CommandError(Exception):
    """A command of the runbook failed, or did not end in time."""


@dataclass(frozen=True, kw_only=True)
class InterruptedStack:
    """An embedded AWS and an empty stack with its own backend; no tracked file changes."""

    environ: Mapping[str, str]

    def run(self, command: str) -> str:
        """Run a command as the runbook shows it, and return its output. Raises CommandError."""
        try:
            ended = subprocess.run(
                f"{command} {CONFIRMED}" if CONFIRMED_COMMANDS.match(command) else command,
                shell=True,
                cwd=ROOT,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"`{command}` did not end within {COMMAND_SECONDS:g} s") from error
        if ended.returncode != 0:
            raise CommandError(f"`{command}` ended with {ended.returncode}:\n{_tail(ended.stdout)}")
        return ended.stdout

    def kill(self, verb: str, after: int) -> int:
        """Start `pulumi up` or `pulumi destroy`, kill it after so many resources, and return how many it had finished.

        Raises:
            CommandError: the run ended before the kill, or plugins outlive it.
        """
        process = subprocess.Popen(
            ["pulumi", verb, "--stack", STACK, *CONFIRMED.split(), "--color", "never"],
            cwd=ROOT,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        finished = 0
        for line in process.stdout:
            finished += bool(DONE[verb].search(line))
            if finished >= after:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.close()
        if process.wait() != -signal.SIGKILL:
            raise CommandError(f"`pulumi {verb}` ended after {finished} resources, before the kill after {after}")
        wait_for_session(process.pid)
        return finished


def wait_for_session(session: int, seconds: float = PLUGINS_END_SECONDS) -> None:
    """Wait until the plugins that the killed engine had started are gone, as the runbook asks. Raises CommandError."""
    deadline = time.monotonic() + seconds
    while running := _processes_of(session):
        if time.monotonic() > deadline:
            raise CommandError(f"plugins of the killed run did not end within {seconds:g} s: processes {running}")
        time.sleep(0.1)


def _processes_of(session: int) -> list[int]:
    """Return the running processes of a session: each plugin has a process group of its own."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat="], stdout=subprocess.PIPE, text=True, check=True).stdout
    running = [int(process) for process, status in map(str.split, listed.splitlines()) if not status.startswith("Z")]
    return [each for each in running if _session_of(each) == session]


def _session_of(process: int) -> int | None:
    try:
        return os.getsid(process)
    except (ProcessLookupError, PermissionError):  # It has ended, or is another user's.
        return None


def _tail(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.strip())[-3000:]


@contextmanager
def workspace(cli: Path) -> Iterator[InterruptedStack]:
    """Start an embedded AWS, with an empty stack in a backend of its own. Raises CommandError."""
    with tempfile.TemporaryDirectory(prefix="interrupted-up-") as name:
        directory, log = Path(name, "sandbox"), Path(name, "start.log")
        path = os.pathsep.join([str(cli.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
        environ = {**os.environ, "PATH": path, "PULUMI_SKIP_CONFIRMATIONS": "true"}
        start = [sys.executable, "-m", "rehearsal.sandbox", "start", "--directory", str(directory)]
        with log.open("wb") as output:
            started = subprocess.Popen(start, cwd=ROOT, env=environ, stdout=output, stderr=output)
        try:
            _wait_for_sandbox(started, log)
            printed = InterruptedStack(environ=environ).run(
                f"python -m rehearsal.sandbox env --stack {STACK} --directory {shlex.quote(str(directory))}"
            )
            yield InterruptedStack(environ=complete_environment(exported_variables(printed), environ))
        finally:
            started.send_signal(signal.SIGINT)
            started.wait(SANDBOX_SECONDS)


def _wait_for_sandbox(started: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the sandbox prints its endpoint. Raises CommandError."""
    deadline = time.monotonic() + SANDBOX_SECONDS
    while "Ctrl-C" not in (text := log.read_text(encoding="utf-8")):
        if started.poll() is not None or time.monotonic() > deadline:
            raise CommandError(f"the sandbox did not start:\n{text}")
        time.sleep(0.2)


def steps_of(page: str) -> list[str]:
    """Return the commands of a runbook page's steps, in order."""
    steps = page.partition("**Steps.**")[2].partition("**Verify.**")[0]
    return re.findall(r"^\$ (.+)$", steps, re.MULTILINE)


def recover(stack: InterruptedStack, verb: str, after: int, *, removes: bool) -> Interruption:
    """Kill a run, follow the page, and require a stack without changes, which then can be removed (`removes`)."""
    started = time.monotonic()
    finished, pending, failure = 0, "", ""
    try:
        finished = stack.kill(verb, after)
        for command in steps_of(PAGE.read_text(encoding="utf-8")):
            output = stack.run(command)
            if command.endswith(f"recover --stack {STACK}"):
                pending = output
        stack.run(f"pulumi preview --stack {STACK} --expect-no-changes")
        if removes:
            stack.run(f"pulumi destroy --stack {STACK}")
    except CommandError as error:
        failure = str(error)
    seconds = time.monotonic() - started
    return Interruption(verb=verb, after=finished, pending=pending, seconds=seconds, failure=failure)


def interruptions(stack: InterruptedStack, points: Sequence[tuple[str, int]]) -> Iterator[Interruption]:
    """Kill and recover at each point. Stop at the first failed recovery, because its stack is no longer usable.

    Raises:
        CommandError: the stack for a first point in `destroy` could not be deployed.
    """
    if points and points[0][0] == "destroy":
        stack.run(f"pulumi up --stack {STACK}")
    for verb, after in points:
        interruption = recover(stack, verb, after, removes=verb == "destroy")
        yield interruption
        if interruption.failure:
            return


def points_of(seed: int, pairs: int) -> list[tuple[str, int]]:
    """Return the points at which to kill `up` and then `destroy`, in turn: the command, and the number of resources."""
    chosen = random.Random(seed)
    return [(verb, chosen.randint(1, LAST_POINT)) for _ in range(pairs) for verb in DONE]


@app.command(epilog="Exit codes: 0 every interruption was recovered; 1 one was not, or the study stopped; 2 usage.")
def main(
    pairs: Annotated[int, typer.Option(min=1, help="Interruptions of each of the two commands.")] = 20,
    seed: Annotated[int | None, typer.Option(help="Random seed of the points. Default: a new one, printed.")] = None,
) -> None:
    """Interrupt and recover `pulumi up` and `pulumi destroy`, and print how many were recovered."""
    cli = fetch_pulumi.find(os.environ)
    if cli is None:
        raise typer.BadParameter(fetch_pulumi.INSTALL)
    seed = random.randrange(10_000) if seed is None else seed
    typer.echo(f"Seed {seed}")
    done: list[Interruption] = []
    points = points_of(seed, pairs)
    try:
        while remaining := points[len(done) :]:
            with workspace(Path(cli)) as stack:
                for each in interruptions(stack, remaining):
                    done.append(each)
                    outcome = "FAILED" if each.failure else "recovered"
                    typer.echo(f"{each.verb}, killed after {each.after} resources: {outcome}, {each.seconds:.0f} s")
                    typer.echo(f"{each.pending}{each.failure}")
                    sys.stdout.flush()
    except CommandError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    recovered = sum(not each.failure for each in done)
    typer.echo(f"{recovered} of {len(done)} interruptions recovered (seed {seed})")
    raise typer.Exit(0 if recovered == len(done) else 1)


if __name__ == "__main__":
    app()
