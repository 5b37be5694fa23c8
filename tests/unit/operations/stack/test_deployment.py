"""Reading a stack's outputs from a file or from Pulumi; every error has a hint."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from operations.stack.deployment import load_outputs, read_deployment
from operations.stack.pulumi_cli import RunPulumi
from operations.support.errors import UsageProblemError
from tests.support.operations.fakes import EAST, EAST_REGION, WEST, WEST_REGION, outputs


def printing(text: str) -> tuple[RunPulumi, list[list[str]]]:
    """Return a CLI that prints this text, and the arguments that it received."""
    asked: list[list[str]] = []

    def pulumi(arguments: Sequence[str], timeout_seconds: float) -> str:
        del timeout_seconds
        asked.append([*arguments])
        return text

    return pulumi, asked


def missing(arguments: Sequence[str], timeout_seconds: float) -> str:
    """Raise the error of a CLI that is not installed."""
    del arguments, timeout_seconds
    raise UsageProblemError("pulumi is not installed", hint="Install Pulumi.")


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
    assert load_outputs(file, None, missing) == outputs()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot read {}: No such file or directory"),
        (b"", "{} is empty"),
        (b'{\n "a": 1\n', "{}, line 3, is not JSON"),
        (b'{"a": "\xe9"}', "{} is not JSON in UTF-8"),
        (b"[]", "{} holds no JSON object with the outputs of a stack"),
        (b"null", "{} holds no JSON object with the outputs of a stack"),
        (b"{}", "{} holds no outputs: the stack was not deployed when they were saved"),
    ],
)
def test_unusable_file_is_named_in_the_error(tmp_path: Path, content: bytes | None, why: str) -> None:
    """The error contains the file, the line, the reason and how to create the file, but no parser's text."""
    file = tmp_path / "outputs.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageProblemError) as raised:
        load_outputs(file, None)
    assert raised.value.message == f"--outputs: {why.format(file)}"
    assert "pulumi stack output --json > outputs.json" in raised.value.hint


def test_pulumi_is_called_with_the_stack_and_without_prompts() -> None:
    """The outputs come from the pulumi command if no file is given."""
    pulumi, asked = printing(json.dumps(outputs()))
    assert load_outputs(None, "prod", pulumi) == outputs()
    assert asked == [["stack", "output", "--json", "--non-interactive", "--stack", "prod"]]


@pytest.mark.parametrize(
    ("pulumi", "why", "hint"),
    [
        (missing, "not installed", "Install Pulumi. Or use `--outputs FILE`"),
        (printing("hello")[0], "did not print JSON", "then `--outputs outputs.json`"),
        (printing("{}")[0], "printed no outputs: the stack is not deployed", "pulumi up"),
    ],
)
def test_each_failure_of_pulumi_has_a_hint(pulumi: RunPulumi, why: str, hint: str) -> None:
    """Saved outputs need no Pulumi."""
    with pytest.raises(UsageProblemError) as raised:
        load_outputs(None, None, pulumi)
    assert why in raised.value.message
    assert hint in raised.value.hint
