"""The command line itself: instant help, documented exit codes, options that are the same on every command."""

import subprocess
import sys
from pathlib import Path

import pytest

from operations.support.errors import EXIT_CODES, ExitCode
from tests.support.operations.fakes import FakeEnvironment
from tests.support.patience import PATIENCE_SECONDS, in_child_processes, least

ROOT = Path(__file__).resolve().parents[4]
ACTING = ("switchover", "failover", "drill", "rewind")
COMMANDS = ("status", "disarm", "arm", "approve", "history", "verify", "preflight", *ACTING)
WITHOUT_REGION = ("verify", "preflight", *ACTING)
NEVER_FOR_HELP = ("boto3", "botocore", "pulumi", "asyncio")


def start(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line as a person does."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE_SECONDS,
        check=False,
    )


def test_help_takes_less_than_half_a_second() -> None:
    """Nothing heavy is imported for it: processor time, interpreter included, the best of a few runs."""

    def helped() -> None:
        assert start("-m", "operations", "--help").returncode == 0

    assert least(lambda: in_child_processes(helped), enough=0.5) < 0.5


def test_help_imports_nothing_of_aws() -> None:
    """The clients are loaded when a command runs, not before."""
    code = f"import sys, operations.cli; print([name for name in {NEVER_FOR_HELP!r} if name in sys.modules])"
    assert start("-c", code).stdout.strip() == "[]"


def test_the_cost_command_asks_for_no_stack_that_is_up(environment: FakeEnvironment) -> None:
    """It has --stack and --json, and nothing that speaks to AWS."""
    text = environment.run("cost", "--help").stdout
    assert [option in text for option in ("--stack", "--json", "--outputs", "--region")] == [True, True, False, False]
    assert "Exit codes: 0 done" in " ".join(text.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_documents_its_exit_codes_and_has_the_common_options(
    environment: FakeEnvironment, command: str
) -> None:
    """Whoever scripts it finds the codes in --help."""
    text = " ".join(environment.run(command, "--help").stdout.split())
    assert "Exit codes: 0 done (or nothing to do); 2 usage; 3 refused" in text
    for option in ("--json", "--region", "--stack", "--outputs"):
        assert (option in text) == (option != "--region" or command not in WITHOUT_REGION)
    assert "Default: " in text
    assert ("--confirm" in text) == (command in ("disarm", "arm", "approve", *ACTING))


def test_the_documented_codes_are_the_real_ones() -> None:
    """Each code stands in the sentence that --help shows."""
    assert [int(code) for code in ExitCode] == [0, 2, 3, 4, 5, 6, 7]
    assert all(f"{code:d} " in EXIT_CODES for code in ExitCode)


def test_an_unknown_command_is_a_usage_error(environment: FakeEnvironment) -> None:
    """As in every other command line."""
    assert environment.run("explode").exit_code == ExitCode.USAGE


def test_without_pulumi_the_error_has_the_cure(tmp_path: Path) -> None:
    """A laptop without Pulumi learns of --outputs, and the exit code is that of usage."""
    found = subprocess.run(
        [sys.executable, "-m", "operations", "status"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE_SECONDS,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert found.returncode == ExitCode.USAGE
    assert "--outputs FILE" in found.stderr
