"""What the Pulumi CLI says when it cannot even begin: wrong settings, a forgotten provider, a wrong passphrase."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.environment import shortened_config
from rehearsal.pulumi_cli.workspace import Workspace
from tests.support.pulumi_cli import PulumiShell, require_pulumi

NOWHERE = "http://127.0.0.1:9"
"""No call may reach AWS before the settings are valid."""
FORGOTTEN = """
import pulumi_aws as aws
aws.sns.Topic("without-provider", name="t")
"""


@pytest.fixture
def shell(tmp_path: Path) -> PulumiShell:
    """Return a shell with an empty stack `dev`."""
    workspace = Workspace(directory=tmp_path / "pulumi", cli=require_pulumi())
    return PulumiShell(workspace.prepare("dev", shortened_config("dev", 1.0), NOWHERE))


def test_wrong_settings_are_listed_once(shell: PulumiShell) -> None:
    """All mistakes in one message, without a traceback."""
    shell.set("failover.failure_threshold", "0")
    shell.set("primary.vpc_cidr", "10.20.0.0/16")
    printed = shell.run("preview", fails=True)
    diagnostics = printed.partition("Diagnostics:")[2]
    assert "Traceback" not in printed
    assert ["failover.failure_threshold", "secondary.vpc_cidr"] == [
        name for name in ("failover.failure_threshold", "secondary.vpc_cidr") if diagnostics.count(f"{name}: ") == 1
    ], printed


def test_forgotten_provider_is_refused(shell: PulumiShell, tmp_path: Path) -> None:
    """The stack files disable default providers, which could use the wrong region."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: aurora-global-database\nruntime: python\n")
    (folder / "__main__.py").write_text(FORGOTTEN)
    printed = PulumiShell(shell.variables, folder).run("preview", fails=True)
    assert "Default provider for 'aws' disabled." in printed
    assert "without-provider' must use an explicit provider." in printed


def test_wrong_passphrase_is_refused(shell: PulumiShell) -> None:
    """The state's secrets stay encrypted."""
    shell.variables["PULUMI_CONFIG_PASSPHRASE"] = "guess"
    assert "incorrect passphrase" in shell.run("preview", fails=True)
