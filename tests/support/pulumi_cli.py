"""A shell with the Pulumi CLI and a sandbox, as `eval "$(python -m rehearsal.sandbox env)"` makes it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rehearsal.support.clients import BotoClients
from tests.support.sandbox_terminal import ROOT, Terminal, open_terminal
from tools.fetch_pulumi import find

PRIMARY = "us-east-1"
COMMAND_SECONDS = 300.0
"""Upper limit for every command, sufficient on a busy machine."""


def require_pulumi() -> Path:
    """Return the path of the Pulumi CLI; skip without one, or fail with REQUIRE_PULUMI."""
    path = find(os.environ)
    if path is None:
        missing = "no Pulumi CLI that fits. Run `make pulumi`"
        if not shutil.which("go"):
            missing += ", which needs Go"
        if os.environ.get("REQUIRE_PULUMI"):
            pytest.fail(f"REQUIRE_PULUMI is set, but there is {missing}")
        pytest.skip(missing)
    return Path(path)


@contextmanager
def open_cli_terminal(directory: Path) -> Iterator[Terminal]:
    """Return terminals for a sandbox whose PATH has the Pulumi CLI; skip without one, or fail with REQUIRE_PULUMI."""
    folder = require_pulumi().parent
    with pytest.MonkeyPatch.context() as patch, open_terminal(directory) as terminal:
        # The terminal has no home folder, where a CLI that was built is found.
        patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield terminal


def exported_variables(printed: str) -> dict[str, str]:
    """Return the variables that `python -m rehearsal.sandbox env` exports."""
    lines = [shlex.split(line) for line in printed.splitlines() if line.startswith("export ")]
    return dict(words[1].split("=", 1) for words in lines)


class PulumiShell:
    """A shell in the repository, with the variables of one stack."""

    def __init__(
        self, variables: Mapping[str, str], directory: Path = ROOT, called: list[list[str]] | None = None
    ) -> None:
        self.variables = dict(variables)
        self.directory = directory
        self.called = [] if called is None else called
        """The commands of the CLI so far; shared with the terminal that made the shell."""

    @classmethod
    def of(cls, terminal: Terminal, stack: str = "dev") -> PulumiShell:
        """Return a shell of a running sandbox."""
        return cls(exported_variables(terminal.sandbox("env", "--stack", stack)), called=terminal.called)

    def run(self, *arguments: str, fails: bool | None = False) -> str:
        """Run a command of the CLI without questions. Return its output; check that it succeeds or `fails`, None for either."""
        self.called.append(["pulumi", *arguments])
        return self.shell("pulumi", *arguments, "--non-interactive", fails=fails)

    def shell(self, *command: str, fails: bool | None = False) -> str:
        """Run any command with the variables. Return its output; check that it succeeds or `fails`, None for either."""
        # HOME: no tool may read this machine's own configuration.
        home = {"HOME": self.variables["PULUMI_HOME"], "NO_COLOR": "1", "COLUMNS": "200", "NO_PROXY": "*"}
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**home, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        ended_well = done.returncode == 0
        assert ended_well is not fails or fails is None, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def up(self) -> str:
        """Deploy."""
        return self.run("up", "--yes", "--skip-preview")

    def set(self, setting: str, value: str) -> None:
        """Change a setting of the project in the copy of the settings."""
        self.run("config", "set", "--path", f"aurora-global-database:{setting}", value)

    def unset(self, setting: str) -> None:
        """Remove a setting from the copy of the settings."""
        self.run("config", "rm", "--path", f"aurora-global-database:{setting}")

    def planned(self) -> dict[str, list[str]]:
        """Return the names of the resources that a preview without a refresh would change, by operation."""
        printed = self.run("preview", "--json", "--refresh=false")
        steps, _ = json.JSONDecoder().raw_decode(printed[printed.index("{") :])
        planned: dict[str, list[str]] = {}
        for step in steps["steps"]:
            if step["op"] not in ("same", "refresh"):
                planned.setdefault(step["op"], []).append(step["urn"].rpartition("::")[2])
        return {operation: sorted(names) for operation, names in planned.items()}

    def has_no_changes(self) -> None:
        """Check that a preview finds nothing to do, and that the policy pack accepts the stack."""
        self.run("preview", "--expect-no-changes", "--policy-pack", "policy")

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the stack's state."""
        exported = self.run("stack", "export")
        return json.loads(exported[exported.index("{") :])["deployment"].get("resources", [])

    def unprotect(self) -> None:
        """Remove the protections of a production stack, Pulumi's and AWS's own, as docs/runbook/destroy.md says."""
        self.run("state", "unprotect", "--all", "--yes")
        clients = BotoClients(self.variables["AWS_ENDPOINT_URL"])
        for resource in self.resources():
            region = (resource.get("outputs") or {}).get("arn", ":::").split(":")[3]
            match resource["type"]:
                case "aws:rds/globalCluster:GlobalCluster":
                    clients("rds", PRIMARY).modify_global_cluster(
                        GlobalClusterIdentifier=resource["id"], DeletionProtection=False
                    )
                case "aws:rds/cluster:Cluster":
                    clients("rds", region).modify_db_cluster(
                        DBClusterIdentifier=resource["id"], DeletionProtection=False, ApplyImmediately=True
                    )
                case "aws:dynamodb/table:Table":
                    clients("dynamodb", region).update_table(TableName=resource["id"], DeletionProtectionEnabled=False)
                case _:
                    pass
        clients.close()
