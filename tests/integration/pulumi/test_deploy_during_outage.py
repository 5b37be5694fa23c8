"""A region is lost, the other one is deployed alone, and the stack fails back: docs/runbook/deploy-during-outage.md, step by step.

The tests of this file build on each other, in this order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.support.clients import BotoClients
from tests.support.pulumi_cli import PulumiShell, open_cli_terminal
from tests.support.sandbox_terminal import Terminal

LOST, WEST = "us-east-1", "eu-west-1"
THRESHOLD = "FAILURE_THRESHOLD"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Start a sandbox; end it at the end."""
    with open_cli_terminal(tmp_path_factory.mktemp("outage")) as terminal:
        terminal.start("--interval", "2", "--cooldown", "20")
        yield terminal


@pytest.fixture(scope="module")
def dev(terminal: Terminal) -> PulumiShell:
    """Return the shell of the stack dev."""
    return PulumiShell.of(terminal)


def operations(dev: PulumiShell, *arguments: str, fails: bool = False) -> str:
    """Run an operator's command on the stack; return its output."""
    return dev.shell(sys.executable, "-m", "operations", *arguments, "--stack", "dev", fails=fails)


def status(terminal: Terminal) -> str:
    """Return what `operations status` prints."""
    return terminal.try_operations("status").stdout


def states(dev: PulumiShell, region: str) -> dict[str, Any]:
    """Return the inputs of a region's resources in the state, by URN; secrets are encrypted again in each run."""
    resources = dev.resources()
    provider = next(each for each in resources if (each.get("inputs") or {}).get("region") == region)["urn"]
    own = [each for each in resources if each.get("provider", "").startswith(f"{provider}::")]
    return {each["urn"]: without_ciphertexts(each.get("inputs")) for each in own}


def without_ciphertexts(value: Any) -> Any:
    """Return a value of the state without its encrypted parts."""
    if isinstance(value, dict):
        return {key: without_ciphertexts(part) for key, part in value.items() if key != "ciphertext"}
    return [without_ciphertexts(part) for part in value] if isinstance(value, list) else value


def deployed(dev: PulumiShell, region: str) -> tuple[int, str]:
    """Return a region's number of instances, and its controller's threshold, as AWS has them."""
    clients = BotoClients(dev.variables["AWS_ENDPOINT_URL"])
    try:
        instances = clients("rds", region).describe_db_instances()["DBInstances"]
        function = clients("lambda", region).get_function_configuration(FunctionName="payments-failover-controller-dev")
    finally:
        clients.close()
    return len(instances), function["Environment"]["Variables"][THRESHOLD]


def test_region_is_lost_and_the_other_one_has_the_writer(terminal: Terminal, dev: PulumiShell) -> None:
    """The stack was deployed without account and zones in its settings."""
    dev.up()
    terminal.wait(lambda: terminal.writer() == LOST, "the sandbox follows the stack")
    # The controller acts only on a writer that it has seen.
    seen = "last measured by the controller"
    terminal.wait(lambda: seen in status(terminal), "the standby's controller runs", lambda: status(terminal))
    terminal.sandbox("fail", LOST)
    terminal.wait(lambda: terminal.writer() == WEST, "the controllers fail over")


def test_command_is_refused_until_the_settings_have_what_it_prints(dev: PulumiShell) -> None:
    """The lines come from the state: the lost region answers nothing."""
    printed = operations(dev, "survivor", "--lost", LOST, fails=True)
    lines = printed.partition("each line to its section:\n")[2]
    add(Path(dev.variables["PULUMI_OPTION_CONFIG_FILE"]), yaml.safe_load(lines))
    assert "pulumi up --stack dev --refresh=false" in operations(dev, "survivor", "--lost", LOST)


def add(file: Path, lines: dict[str, dict[str, Any]]) -> None:
    """Add settings to the sections of a stack's file."""
    assert lines
    content = yaml.safe_load(file.read_text())
    for section, settings in lines.items():
        content["config"][section] = {**content["config"].get(section, {}), **settings}
    file.write_text(yaml.safe_dump(content))


def test_surviving_region_is_scaled_up_and_its_failover_changes(dev: PulumiShell) -> None:
    """The printed lines run as they are in a shell; the lost region's resources stay as the state has them."""
    before, (instances, threshold) = states(dev, LOST), deployed(dev, WEST)
    assert (instances, threshold != "7") == (2, True)
    dev.set("secondary.instance_count", "3")
    dev.set("failover.failure_threshold", "7")
    heading, _, lines = operations(dev, "survivor", "--lost", LOST).partition("\n")
    assert f"resources of {LOST} are excluded" in heading
    printed = dev.shell("bash", "-c", f"{lines.strip()} --yes")
    assert deployed(dev, WEST) == (3, "7"), printed
    assert states(dev, LOST) == before


def test_stack_fails_back_without_changes(terminal: Terminal, dev: PulumiShell) -> None:
    """The refresh reads both regions; the returned controller gets its setting, and nothing is left."""
    terminal.sandbox("restore", LOST)
    terminal.wait(lambda: f"standby {LOST}" in status(terminal), "the region returns", lambda: status(terminal))
    dev.up()
    assert deployed(dev, LOST) == (2, "7")
    dev.has_no_changes()
