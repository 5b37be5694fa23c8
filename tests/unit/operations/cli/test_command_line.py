"""The command line: instant help, documented exit codes, and common options."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from operations.support.errors import EXIT_CODES, ExitCode
from tests.support.interrupted_import import INTERRUPTED_IMPORT
from tests.support.operations.fakes import FakeEnvironment, outputs
from tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[4]
ACTING = ("switchover", "failover", "drill", "rewind")
COMMANDS = ("status", "disarm", "arm", "approve", "history", "verify", "preflight", *ACTING)
WITHOUT_REGION = ("verify", "preflight", *ACTING)
NEVER_FOR_HELP = ("boto3", "botocore", "pulumi", "asyncio")


NO_LOGIN = {
    "PATH": "",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def start(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a new process."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=5 * WAIT_SECONDS,
        check=False,
        env=env,
    )


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


WITHOUT_LOGIN = (
    ("status",),
    ("status", "--region", "eu-west-1"),
    ("history",),
    ("verify",),
    ("preflight", "--destroy"),
    ("disarm", "--reason", "maintenance"),
    ("approve", "d-1"),
    ("switchover",),
    ("failover", "--reason", "lost", "--accept-data-loss"),
    ("drill",),
    ("rewind", "--to", "2026-11-23T10:15:00Z"),
)


@pytest.mark.parametrize("arguments", WITHOUT_LOGIN, ids=" ".join)
def test_missing_credentials_end_with_4_and_the_log_in_hint(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Every command that needs AWS says so in one error, and lists no check as failed."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs()))
    done = start("-m", "operations", *arguments, "--outputs", str(file), env=NO_LOGIN)
    assert (done.returncode, done.stdout) == (ExitCode.AWS, "")
    assert "Unable to locate credentials" in done.stderr
    assert "Hint: Log in to AWS, or set AWS_PROFILE." in done.stderr


@pytest.mark.parametrize("arguments", [("status", "--outputs", "{}"), ("preflight",), ("cost",)])
def test_unknown_profile_ends_with_4_and_its_name(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The error is no traceback."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs()))
    done = start(
        "-m", "operations", *(each.format(file) for each in arguments), env=NO_LOGIN | {"AWS_PROFILE": "nosuch"}
    )
    assert (done.returncode, done.stdout) == (ExitCode.AWS, "")
    assert done.stderr.startswith("AWS AWS_PROFILE: The config profile (nosuch) could not be found\nHint: ")


@pytest.mark.parametrize("arguments", [("preflight",), ("cost",)])
def test_missing_credentials_before_the_deployment(arguments: tuple[str, ...]) -> None:
    """The commands that need no stack end with 4 and the log-in hint too."""
    done = start("-m", "operations", *arguments, env=NO_LOGIN)
    assert done.returncode == ExitCode.AWS
    assert "Log in to AWS, or set AWS_PROFILE" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("module", ["typer", "operations.commands.context", "operations.stack.deployment", "boto3"])
def test_ctrl_c_while_modules_are_imported_prints_no_traceback(module: str) -> None:
    """The exit code is 130, before the command line is parsed and while the command imports what it needs."""
    arguments = ["status", "--outputs", "missing.json"]
    code = INTERRUPTED_IMPORT.format(module=module, package="operations", arguments=arguments)
    done = start("-c", code)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("STOPPED Ctrl-C: ")
    assert "Traceback" not in done.stderr
