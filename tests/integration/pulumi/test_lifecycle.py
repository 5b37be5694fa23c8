"""The program on the real Pulumi engine: two stacks from the first `pulumi up` to the last `pulumi destroy`.

The tests of this file build on each other, in this order.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.engine.inventory import take_inventory
from rehearsal.support.clients import BotoClients
from tests.support.pulumi_cli import PulumiShell, open_cli_terminal
from tests.support.sandbox_terminal import ROOT, Terminal

EAST, WEST = "us-east-1", "eu-west-1"
CONFIRMED = ("--confirm", "payments-global-dev")


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Start a sandbox; end it at the end."""
    with open_cli_terminal(tmp_path_factory.mktemp("pulumi")) as terminal:
        terminal.start("--interval", "2", "--cooldown", "20")
        yield terminal


@pytest.fixture(scope="module")
def dev(terminal: Terminal) -> PulumiShell:
    """Return the shell of the stack dev."""
    return PulumiShell.of(terminal)


@pytest.fixture(scope="module")
def prod(terminal: Terminal) -> PulumiShell:
    """Return the shell of the stack prod, in the same account."""
    return PulumiShell.of(terminal, "prod")


def tracked_changes() -> str:
    """Return the changes of tracked files."""
    command = ["git", "status", "--porcelain", "--untracked-files=no"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_up_deploys_and_changes_no_tracked_file(terminal: Terminal, dev: PulumiShell) -> None:
    """The controllers start by themselves; no secret is in the output or, in plain text, in the state."""
    before = tracked_changes()
    printed = dev.up()
    assert tracked_changes() == before
    terminal.wait(lambda: terminal.writer() == EAST, "the sandbox follows the stack")
    password = secret_string(dev)
    assert password not in printed
    assert all(password not in file.read_text(errors="replace") for file in state_files(terminal))
    assert "roles" in dev.shell(sys.executable, "-m", "operations", "status", "--stack", "dev", "--json", fails=None)


def secret_string(dev: PulumiShell) -> str:
    """Return the master password."""
    clients = BotoClients(dev.variables["AWS_ENDPOINT_URL"])
    arn = next(each["id"] for each in dev.resources() if each["type"] == "aws:secretsmanager/secret:Secret")
    value = clients("secretsmanager", EAST).get_secret_value(SecretId=arn)["SecretString"]
    clients.close()
    return json.loads(value)["password"]


def state_files(terminal: Terminal) -> list[Path]:
    """Return the files of the local backend."""
    return [each for each in (terminal.directory / "pulumi" / "state").rglob("*") if each.is_file()]


def test_second_preview_finds_no_changes(dev: PulumiShell) -> None:
    """Every property that AWS reports agrees with the program, and the policies accept the stack."""
    dev.has_no_changes()


def test_failover_leaves_nothing_to_change(terminal: Terminal, dev: PulumiShell) -> None:
    """The roles have swapped: the program owns none of what has changed."""
    # Before the settings change: changed controllers run again only when their schedule next fires, after up to a minute.
    terminal.sandbox("fail", EAST)
    terminal.wait(lambda: terminal.writer() == WEST, "the controllers fail over")
    terminal.sandbox("restore", EAST)
    dev.has_no_changes()


def test_changed_settings_are_deployed(dev: PulumiShell) -> None:
    """An instance more, other alarms, retention and functions; back again, the instance is deleted."""
    dev.set("secondary.instance_count", "3")
    dev.set("logs.retention_days", "14")
    dev.set("alarms.cpu_percent", "65")
    dev.set("failover.failure_threshold", "4")
    planned = dev.planned()
    assert {"create", "update"} == set(planned), planned
    dev.up()
    dev.unset("secondary.instance_count")
    assert {"delete"} == set(dev.planned())
    dev.run("up", "--yes", "--skip-preview", "--refresh=false")


def test_change_of_a_fixed_property_replaces(dev: PulumiShell) -> None:
    """Route 53 does not rename a zone: the preview announces a new zone."""
    dev.set("dns.zone_name", "other.internal")
    planned = dev.planned()
    assert "dns-zone" in planned["replace"], planned
    dev.unset("dns")


def test_half_done_destroy_is_continued_by_up(terminal: Terminal, dev: PulumiShell) -> None:
    """AWS refuses to delete the writer before the standby: the destroy stops in the middle, and `up` repairs the stack."""
    printed = dev.run("destroy", "--yes", "--skip-preview", fails=True)
    assert "InvalidGlobalClusterState" in printed
    dev.up()
    dev.has_no_changes()


def test_production_is_beside_it_and_protected(prod: PulumiShell) -> None:
    """Two stacks share an account; replacement and destruction of the protected one are refused."""
    prod.up()
    prod.has_no_changes()
    count = len(prod.resources())
    prod.set("project", "other")
    # The engine stops at the first refusal, and what comes first is different each time.
    assert (
        "currently marked for protection"
        in prod.run("preview", "--refresh=false", fails=True).partition("Diagnostics:")[2]
    )
    prod.set("project", "payments")
    # With --skip-preview the engine deletes what is not protected before it stops.
    assert "protected" in prod.run("destroy", "--yes", fails=True)
    assert len(prod.resources()) == count


def test_production_is_destroyed_as_documented(prod: PulumiShell) -> None:
    """The steps of docs/runbook/destroy.md remove Pulumi's protection and AWS's own."""
    prod.unprotect()
    prod.run("destroy", "--yes", "--skip-preview")
    assert prod.resources() == []


def test_destroy_after_the_switchover_leaves_nothing(terminal: Terminal, dev: PulumiShell) -> None:
    """Both regions are empty, and the sandbox knows it; the final snapshots of production remain."""
    printed: list[str] = []

    def primary_is_writer() -> bool:
        """Ask for a switchover; return whether the primary region has the writer."""
        switchover = ("-m", "operations", "switchover", "--to", EAST, *CONFIRMED, "--no-dns", "--stack", "dev")
        printed.append(dev.shell(sys.executable, *switchover, fails=None))
        return terminal.writer() == EAST

    terminal.wait(primary_is_writer, "the switchback is possible", lambda: printed[-1])
    dev.run("destroy", "--yes", "--skip-preview")
    assert dev.resources() == []
    clients = BotoClients(dev.variables["AWS_ENDPOINT_URL"])
    left = take_inventory(clients, (EAST, WEST))
    clients.close()
    assert [each for each in left if each.kind != "cluster snapshot"] == []
    terminal.wait(lambda: not terminal.status()["is_up"], "the sandbox follows the stack")
