"""The command line: instant help, documented exit codes, and common options."""

import subprocess
import sys
from pathlib import Path

import pytest

from operations.support.errors import EXIT_CODES, ExitCode
from tests.support.operations.fakes import FakeEnvironment
from tests.support.waiting import WAIT_SECONDS, in_child_processes, least

ROOT = Path(__file__).resolve().parents[4]
ACTING = ("switchover", "failover", "drill", "rewind")
COMMANDS = ("status", "disarm", "arm", "approve", "history", "verify", "preflight", *ACTING)
WITHOUT_REGION = ("verify", "preflight", *ACTING)
NEVER_FOR_HELP = ("boto3", "botocore", "pulumi", "asyncio")


def start(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a new process."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=5 * WAIT_SECONDS,
        check=False,
    )


def test_help_takes_less_than_half_a_second() -> None:
    """Processor time with the interpreter, best of several runs."""

    def helped() -> None:
        assert start("-m", "operations", "--help").returncode == 0

    assert least(lambda: in_child_processes(helped), enough=0.5) < 0.5


def test_help_imports_no_aws_client() -> None:
    """Clients are imported when a command runs."""
    code = f"import sys, operations.cli; print([name for name in {NEVER_FOR_HELP!r} if name in sys.modules])"
    assert start("-c", code).stdout.strip() == "[]"


def test_cost_needs_no_deployed_stack(environment: FakeEnvironment) -> None:
    """The command has --stack and --json, but neither --outputs nor --region."""
    text = environment.run("cost", "--help").stdout
    assert [option in text for option in ("--stack", "--json", "--outputs", "--region")] == [True, True, False, False]
    assert "Exit codes: 0 done" in " ".join(text.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_documents_exit_codes_and_common_options(environment: FakeEnvironment, command: str) -> None:
    """The text of --help has them."""
    text = " ".join(environment.run(command, "--help").stdout.split())
    assert "Exit codes: 0 done (or nothing to do); 2 usage; 3 refused" in text
    for option in ("--json", "--region", "--stack", "--outputs"):
        assert (option in text) == (option != "--region" or command not in WITHOUT_REGION)
    assert "Default: " in text
    assert ("--confirm" in text) == (command in ("disarm", "arm", "approve", *ACTING))


def test_documented_exit_codes_are_complete() -> None:
    """Each code is in the sentence of --help."""
    assert [int(code) for code in ExitCode] == [0, 2, 3, 4, 5, 6, 7]
    assert all(f"{code:d} " in EXIT_CODES for code in ExitCode)


def test_unknown_command_is_a_usage_error(environment: FakeEnvironment) -> None:
    """The exit code is 2."""
    assert environment.run("explode").exit_code == ExitCode.USAGE


def test_missing_pulumi_shows_the_outputs_option(tmp_path: Path) -> None:
    """The exit code is 2."""
    found = subprocess.run(
        [sys.executable, "-m", "operations", "status"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=5 * WAIT_SECONDS,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert found.returncode == ExitCode.USAGE
    assert "--outputs FILE" in found.stderr
