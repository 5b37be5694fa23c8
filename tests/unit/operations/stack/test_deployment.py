"""The stack's outputs: read from a file or from Pulumi, and every error says what would help."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from operations.stack.deployment import Run, load_outputs, read_deployment
from operations.support.errors import UsageProblemError
from tests.support.operations.fakes import EAST, EAST_REGION, WEST, WEST_REGION, outputs


def ran(code: int = 0, stdout: str = "", stderr: str = "") -> tuple[Run, list[list[str]]]:
    """Return a runner that answers so, and the command lines that it got."""
    lines: list[list[str]] = []

    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        lines.append(command)
        return subprocess.CompletedProcess(command, code, stdout, stderr)

    return run, lines


def raises(error: Exception) -> Run:
    """Return a runner that fails so."""

    def run(*_: Any, **__: Any) -> "subprocess.CompletedProcess[str]":
        raise error

    return run


def test_reads_the_two_places() -> None:
    """A deployment is its two places, the day-one standby first, each with what the commands call there."""
    deployment = read_deployment(outputs())
    assert [region.name for region in deployment.regions] == [WEST, EAST]
    assert deployment.region(EAST) == EAST_REGION
    assert deployment.other(EAST_REGION) == WEST_REGION
    assert EAST_REGION.controller_name == "payments-failover-controller-dev"


def test_names_every_output_that_is_missing() -> None:
    """One error lists them all."""
    broken: dict[str, Any] = outputs()
    del broken["global_cluster_id"], broken["regions"]["primary"]["table_name"]
    broken["regions"]["secondary"]["region"] = 7
    with pytest.raises(UsageProblemError) as raised:
        read_deployment(broken)
    assert raised.value.message == (
        "these outputs are missing or malformed: global_cluster_id, regions.secondary.region, regions.primary.table_name"
    )


@pytest.mark.parametrize("answer", [None, [], {}, {"regions": []}, {"regions": {"primary": "[secret]"}}])
def test_other_outputs_are_refused(answer: object) -> None:
    """What is no output of this program is said to be so."""
    with pytest.raises(UsageProblemError, match="missing"):
        read_deployment(answer)


def test_a_region_that_is_not_deployed_is_refused() -> None:
    """The error names the regions that are."""
    with pytest.raises(UsageProblemError) as raised:
        read_deployment(outputs()).region("eu-north-1")
    assert raised.value.hint == "It is in eu-west-1 or us-east-1."


def test_reads_a_file(tmp_path: Path) -> None:
    """A saved answer of Pulumi does, and Pulumi is not called."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs()))
    assert load_outputs(file, None, raises(AssertionError())) == outputs()


@pytest.mark.parametrize(("content", "why"), [(None, "can't be read"), ("{", "is no JSON")])
def test_a_file_that_can_not_be_used_is_named(tmp_path: Path, content: str | None, why: str) -> None:
    """The error names the file, why, and how to make one."""
    file = tmp_path / "outputs.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageProblemError, match=why) as raised:
        load_outputs(file, None)
    assert str(file) in raised.value.message
    assert "pulumi stack output --json > outputs.json" in raised.value.hint


def test_asks_pulumi_for_the_named_stack() -> None:
    """Without a file the pulumi command is asked, without a prompt that nobody would see."""
    run, lines = ran(stdout=json.dumps(outputs()))
    assert load_outputs(None, "prod", run) == outputs()
    assert lines == [["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", "prod"]]


@pytest.mark.parametrize(
    ("run", "why", "hint"),
    [
        (raises(FileNotFoundError()), "not installed", "--outputs FILE"),
        (raises(subprocess.TimeoutExpired("pulumi", 30)), "no answer within 30 s", "--outputs outputs.json"),
        (ran(255, stderr="error: no stack\n named 'x'")[0], "error: no stack named 'x'", "--stack"),
        (ran(stdout="hello")[0], "no JSON", "--outputs FILE"),
    ],
)
def test_every_way_that_pulumi_fails_has_a_hint(run: Run, why: str, hint: str) -> None:
    """Missing, silent, failing, or saying something else: the error says what to do instead."""
    with pytest.raises(UsageProblemError) as raised:
        load_outputs(None, None, run)
    assert why in raised.value.message
    assert hint in raised.value.hint
