"""Reading a stack's outputs from a file or from Pulumi; every error has a hint."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from operations.stack.deployment import Run, load_outputs, read_deployment
from operations.support.errors import UsageProblemError
from tests.support.operations.fakes import EAST, EAST_REGION, WEST, WEST_REGION, outputs


def ran(code: int = 0, stdout: str = "", stderr: str = "") -> tuple[Run, list[list[str]]]:
    """Return a runner with this result, and the command lines that it received."""
    lines: list[list[str]] = []

    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        lines.append(command)
        return subprocess.CompletedProcess(command, code, stdout, stderr)

    return run, lines


def raises(error: Exception) -> Run:
    """Return a runner that raises an error."""

    def run(*_: Any, **__: Any) -> "subprocess.CompletedProcess[str]":
        raise error

    return run


def test_read_deployment_lists_the_day_one_standby_first() -> None:
    """Each of the two regions has the identifiers that the commands need."""
    deployment = read_deployment(outputs())
    assert [region.name for region in deployment.regions] == [WEST, EAST]
    assert deployment.region(EAST) == EAST_REGION
    assert deployment.other(EAST_REGION) == WEST_REGION
    assert EAST_REGION.controller_name == "payments-failover-controller-dev"


def test_missing_outputs_are_reported_in_one_error() -> None:
    """The message names each missing or malformed output."""
    broken: dict[str, Any] = outputs()
    del broken["global_cluster_id"], broken["regions"]["primary"]["table_name"]
    broken["regions"]["secondary"]["region"] = 7
    with pytest.raises(UsageProblemError) as raised:
        read_deployment(broken)
    assert raised.value.message == (
        "these outputs are missing or malformed: global_cluster_id, regions.secondary.region, regions.primary.table_name"
    )


@pytest.mark.parametrize("answer", [None, [], {}, {"regions": []}, {"regions": {"primary": "[secret]"}}])
def test_outputs_of_another_program_are_rejected(answer: object) -> None:
    """The error says that outputs are missing."""
    with pytest.raises(UsageProblemError, match="missing"):
        read_deployment(answer)


def test_region_without_resources_is_rejected() -> None:
    """The hint names the deployed regions."""
    with pytest.raises(UsageProblemError) as raised:
        read_deployment(outputs()).region("eu-north-1")
    assert raised.value.hint == "Use eu-west-1 or us-east-1."


def test_saved_outputs_are_read_without_pulumi(tmp_path: Path) -> None:
    """Pulumi is not called."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs()))
    assert load_outputs(file, None, raises(AssertionError())) == outputs()


@pytest.mark.parametrize(("content", "why"), [(None, "cannot read"), ("{", "is not JSON")])
def test_unusable_file_is_named_in_the_error(tmp_path: Path, content: str | None, why: str) -> None:
    """The error contains the file, the reason, and how to create the file."""
    file = tmp_path / "outputs.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageProblemError, match=why) as raised:
        load_outputs(file, None)
    assert str(file) in raised.value.message
    assert "pulumi stack output --json > outputs.json" in raised.value.hint


def test_pulumi_is_called_with_the_stack_and_without_prompts() -> None:
    """The outputs come from the pulumi command if no file is given."""
    run, lines = ran(stdout=json.dumps(outputs()))
    assert load_outputs(None, "prod", run) == outputs()
    assert lines == [["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", "prod"]]


@pytest.mark.parametrize(
    ("run", "why", "hint"),
    [
        (raises(FileNotFoundError()), "not installed", "--outputs FILE"),
        (raises(subprocess.TimeoutExpired("pulumi", 30)), "no answer within 30 s", "--outputs outputs.json"),
        (ran(255, stderr="error: no stack\n named 'x'")[0], "error: no stack named 'x'", "--stack"),
        (ran(stdout="hello")[0], "did not print JSON", "--outputs FILE"),
    ],
)
def test_each_failure_of_pulumi_has_a_hint(run: Run, why: str, hint: str) -> None:
    """The failures are a missing command, a timeout, an error, and output that is not JSON."""
    with pytest.raises(UsageProblemError) as raised:
        load_outputs(None, None, run)
    assert why in raised.value.message
    assert hint in raised.value.hint
