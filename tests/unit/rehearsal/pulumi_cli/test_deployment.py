"""Deployments and destructions with a CLI that has an answer for each command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.deploy import DeployedStack, DeploymentError
from rehearsal.engine.destroy import Deleted, DestroyError
from rehearsal.provider.resources.outcome import ProviderResource
from rehearsal.pulumi_cli.deployment import CliStack, end
from rehearsal.pulumi_cli.workspace import Workspace

CLI = f"""#!{sys.executable}
import json, sys, time
from pathlib import Path

folder = Path(__file__).parent
command = " ".join(sys.argv[1:3])
with (folder / "called").open("a") as called:
    print(command, file=called)
answer = json.loads((folder / "answers").read_text())[command]
for each in sys.argv:
    if each.startswith("--event-log="):
        Path(each.partition("=")[2]).write_text("".join(json.dumps(event) + "\\n" for event in answer["events"]))
if "endless" in answer:
    time.sleep(600)
print(answer.get("printed", ""))
sys.exit(answer.get("code", 0))
"""
PROVIDER = {
    "urn": "urn:pulumi:dev::p::pulumi:providers:aws::west",
    "id": "1",
    "type": "pulumi:providers:aws",
    "custom": True,
    "inputs": {"region": "eu-west-1"},
}
TOPIC = {
    "urn": "urn:pulumi:dev::p::aws:sns/topic:Topic::alarms",
    "id": "arn",
    "type": "aws:sns/topic:Topic",
    "custom": True,
    "provider": f"{PROVIDER['urn']}::1",
    "inputs": {"name": "alarms"},
    "outputs": {"name": "alarms", "arn": "arn"},
}


def steps(operation: str, *states: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of completed steps."""
    side = "old" if operation == "delete" else "new"
    return [{"resOutputsEvent": {"metadata": {"op": operation, "urn": each["urn"], side: each}}} for each in states]


ANSWERS: Mapping[str, dict[str, Any]] = {
    "up --yes": {"events": steps("create", PROVIDER, TOPIC)},
    "stack output": {"printed": '{"name": "alarms"}'},
    "stack export": {"printed": json.dumps({"deployment": {"resources": [PROVIDER, TOPIC]}})},
    "destroy --preview-only": {},
    "destroy --yes": {"events": steps("delete", TOPIC, PROVIDER)},
}


class AnsweredStack:
    """A stack on a CLI that only answers; `answers` replace the usual ones."""

    def __init__(self, folder: Path, answers: Mapping[str, dict[str, Any]], *, step_seconds: float = 60.0) -> None:
        cli, self._called = folder / "pulumi", folder / "called"
        cli.write_text(CLI)
        cli.chmod(0o755)
        (folder / "answers").write_text(json.dumps({**ANSWERS, **answers}))
        work = Workspace(directory=folder / "work", cli=cli)
        state = work.backend / ".pulumi" / "stacks" / "aurora-global-database" / "dev.json"
        for file, text in ((state, "{}"), (work.settings_file("dev"), "encryptionsalt: v1:salt")):
            file.parent.mkdir(parents=True)
            file.write_text(text)
        self._stack = CliStack(work, "dev", "http://127.0.0.1:1", step_seconds=step_seconds)
        self.created: list[ProviderResource] = []
        self.deleted: list[Deleted] = []

    def deploy(self) -> DeployedStack:
        """Deploy without settings."""
        return self._stack.deploy({}, self.created.append)

    def destroy(self) -> None:
        """Destroy the stack."""
        self._stack.destroy(self.deleted.append)

    @property
    def called(self) -> list[str]:
        """The first two words of each command so far."""
        return self._called.read_text().splitlines() if self._called.is_file() else []


def test_deployment_has_resources_outputs_and_warnings(tmp_path: Path) -> None:
    """An unchanged resource is not reported, and neither is a warning about the plugins' path."""
    messages = ("x is small\n", "using pulumi-resource-aws from $PATH at /plugins\n")
    warnings = [{"diagnosticEvent": {"severity": "warning", "message": each}} for each in messages]
    events = [*warnings, *steps("create", PROVIDER, TOPIC), *steps("same", TOPIC)]
    made = AnsweredStack(tmp_path, {"up --yes": {"events": events}})
    done = made.deploy()
    assert [(each.name, each.region) for each in made.created] == [("alarms", "eu-west-1")]
    assert (done.exports, done.warnings) == ({"name": "alarms"}, ("x is small",))


def test_destroy_before_a_deployment_runs_no_command(tmp_path: Path) -> None:
    """It would use the caller's own backend and account."""
    made = AnsweredStack(tmp_path, {})
    with pytest.raises(RuntimeError, match="Call deploy first"):
        made.destroy()
    assert made.called == []


def test_destroy_deletes_what_the_preview_accepts(tmp_path: Path) -> None:
    """The engine does not report whether AWS still had a resource."""
    made = AnsweredStack(tmp_path, {})
    made.deploy()
    made.destroy()
    assert [(each.name, each.region, each.was_gone) for each in made.deleted] == [("alarms", "eu-west-1", None)]


def test_destroy_deletes_nothing_if_the_preview_is_refused(tmp_path: Path) -> None:
    """Without a preview the engine deletes what is not protected before it stops."""
    refusal = {"code": 1, "printed": "\nDiagnostics:\n  aws:rds:Cluster (c):\n    error: it is protected\n"}
    made = AnsweredStack(tmp_path, {"destroy --preview-only": refusal})
    made.deploy()
    with pytest.raises(DestroyError, match="it is protected"):
        made.destroy()
    assert ([], "destroy --yes" in made.called) == (made.deleted, False)


@pytest.mark.parametrize("command", ["stack export", "destroy --preview-only", "destroy --yes"])
def test_each_failure_of_a_destroy_is_a_destroy_error(tmp_path: Path, command: str) -> None:
    """The drill reports it as a failed check."""
    made = AnsweredStack(tmp_path, {command: {"code": 1, "events": [], "printed": "error: no space"}})
    made.deploy()
    with pytest.raises(DestroyError, match="no space"):
        made.destroy()


@pytest.mark.parametrize("command", ["up --yes", "stack output"])
def test_command_that_does_not_end_fails_the_deployment(tmp_path: Path, command: str) -> None:
    """The rehearsal ends with a report."""
    made = AnsweredStack(tmp_path, {command: {"endless": True, "events": []}}, step_seconds=1.0)
    with pytest.raises(DeploymentError, match="did not end within 1 s"):
        made.deploy()


@pytest.mark.parametrize(("on_request", "code"), [("SIG_DFL", -signal.SIGTERM), ("SIG_IGN", -signal.SIGKILL)])
def test_process_that_does_not_end_on_request_is_killed(on_request: str, code: int) -> None:
    """It has ended when the function returns."""
    program = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.{on_request}); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end(process, 5.0 if on_request == "SIG_DFL" else 0.2)
        assert process.poll() == code
