"""Test of a stack's complete lifecycle on the embedded AWS with the commands of docs/tutorial.md."""

from __future__ import annotations

import json
import re
import shlex
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.engine.inventory import take_inventory
from rehearsal.support.clients import BotoClients
from tests.support.pulumi_cli import PulumiShell, open_cli_terminal
from tests.support.sandbox_terminal import ROOT, Terminal

EAST, WEST = "us-east-1", "eu-west-1"
INTERVAL_SECONDS = 3
"""A probe's timeout is a third of the interval; with a shorter one, probes time out on a busy machine and the controller holds."""
COOLDOWN_SECONDS = 20
"""Long enough to block a second change of roles, and short enough to end before the region is lost."""
CONFIRMED = ("--confirm", "payments-global-dev")
UNKNOWN_BEFORE = ("quota: ", "permissions: ")
"""The emulator has no quotas, and its caller is the root user, whom IAM can't simulate."""
UNKNOWN_ON_THE_EMULATOR = {("health checks", "global"), ("alarm data", EAST), ("alarm data", WEST)}
"""The emulator publishes no metrics of RDS or Route 53."""
REHEARSAL = ROOT / "docs" / "rehearsal.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"


@dataclass(kw_only=True)
class Day:
    """The operator's terminal and the values shared between the steps."""

    terminal: Terminal
    resources: int = 0
    rewound_to: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def pulumi(self) -> PulumiShell:
        """The shell with the Pulumi CLI."""
        return PulumiShell(self.terminal.shell_variables, called=self.terminal.called)

    def roles(self) -> tuple[str | None, str | None]:
        """Return the regions of writer and standby."""
        found = self.status("--region", WEST)["roles"]
        return found["writer"], found["standby"]

    def status(self, *options: str) -> dict[str, Any]:
        """Return the status; its exit code follows the alarms, which the emulator switches on early."""
        done = self.terminal.try_operations("status", *options, "--json")
        assert done.returncode in (0, 5, 6), done.stderr
        return json.loads(done.stdout)

    def is_healthy(self) -> bool:
        """Return whether the standby's controller runs and reports no problem."""
        found = json.loads(self.terminal.try_operations("status", "--json").stdout)
        if found.get("not_read") != {}:
            return False
        controller = found["controller"]
        return (
            controller["last_cycle_at"] is not None
            and controller["notified"] == []
            and controller["dead_since"] is None
        )

    def reasons(self) -> list[str]:
        """Return the reasons in the audit trail of eu-west-1, newest first."""
        return [entry["reason"] for entry in self.terminal.history(WEST)]


def start(day: Day) -> None:
    """The sandbox has two empty regions, and a shell for the Pulumi CLI."""
    day.terminal.start("--interval", str(INTERVAL_SECONDS), "--cooldown", str(COOLDOWN_SECONDS))
    day.terminal.shell_variables = PulumiShell.of(day.terminal).variables
    assert (False, [EAST, WEST]) == (day.terminal.status()["is_up"], day.terminal.status()["regions"])


def preflight(day: Day) -> None:
    """No check fails, and each unknown check has a reason."""
    found = day.terminal.found("preflight", "--stack", "dev", with_outputs=False)
    assert (False, 0) == (found["is_up"], found["counts"]["failed"])
    unknown = [each for each in found["findings"] if each["verdict"] == "unknown"]
    assert [] == [each for each in unknown if not each["check"].startswith(UNKNOWN_BEFORE) or not each["evidence"]]
    assert {"credentials", "stack", "engine version"} <= {check for check, _ in _checks(found["findings"], "passed")}


def up(day: Day) -> None:
    """The program creates everything, a preview has no changes, and the controllers start."""
    terminal = day.terminal
    day.pulumi.up()
    day.pulumi.has_no_changes()
    terminal.wait(day.is_healthy, "the standby's controller runs and reports no problem")
    assert (0o600, (EAST, WEST)) == (stat.S_IMODE(terminal.outputs.stat().st_mode), day.roles())
    day.resources = terminal.status()["resources"]
    day.rewound_to = day.status()["at"]


def verify(day: Day) -> None:
    """Every check passes, except for those without data on the emulator."""
    found: dict[str, Any] = {}

    def passes() -> bool:
        found.update(json.loads(day.terminal.try_operations("verify", "--json").stdout))
        failed = [one for one in found["findings"] if one["verdict"] == "failed" and not _is_emulator_artifact(one)]
        return not failed and _checks(found["findings"], "unknown") == UNKNOWN_ON_THE_EMULATOR

    day.terminal.wait(passes, "every check passes", lambda: [one for one in found["findings"] if one["hint"]])
    assert (EAST, 6 if found["counts"]["failed"] else 0) == (found["writer"], found["exit_code"])
    assert found["counts"]["passed"] > 40


def connect(day: Day) -> None:
    """The program in docs/rehearsal.md logs in as the master user, writes a row and reads it."""
    (code,) = re.findall(r"^```python\n(.*?)^```", REHEARSAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    code = code.replace('"--json"]', f'"--json", "--directory", {str(day.terminal.directory)!r}]')
    assert "(('me', 0),)\n" == day.terminal.run_python(code.replace(".sandbox/outputs.json", str(day.terminal.outputs)))


def drill(day: Day) -> None:
    """The command without --confirm shows a plan; a confirmed drill switches over, verifies and switches back."""
    plan = day.terminal.operations("drill", code=3)
    assert "not confirmed" in plan and f"of {COOLDOWN_SECONDS} s" in plan
    done = day.terminal.try_operations("drill", *CONFIRMED, "--json")
    assert done.returncode in (0, 6), done.stderr
    found = json.loads(done.stdout)
    assert ["switchover", "verify", "switch back"] == [each["step"] for each in found["steps"]]
    assert (EAST, WEST, EAST) == (found["origin"], found["target"], found["writer"])
    assert UNKNOWN_ON_THE_EMULATOR == _checks(found["not_passed"], "unknown")
    # The emulator evaluates one datapoint: a change of roles fires alarms that would not fire on AWS.
    failed = _checks(found["not_passed"], "failed")
    assert failed <= {("alarms", EAST), ("alarms", WEST)}, found["not_passed"]
    assert (6 if failed else 0) == done.returncode
    assert (EAST, WEST) == day.roles()


def rewind(day: Day) -> None:
    """A copy as of a second has no differences and is dropped again."""
    copied = day.terminal.found("rewind", "--to", day.rewound_to, *CONFIRMED)
    moment = re.sub(r"[-:Z]", "", day.rewound_to).replace("T", "-")
    assert (f"payments-{EAST}-dev-rewind-{moment}", []) == (copied["copy"], copied["differences"])
    limits = copied["restorable"]
    assert limits["earliest"] <= copied["as_of"] == day.rewound_to <= limits["latest"]
    dropped = day.terminal.found("rewind", "--drop", copied["copy"], *CONFIRMED)
    assert (copied["copy"], EAST) == (dropped["dropped"], dropped["region"])
    assert "no cluster" in day.terminal.operations("rewind", "--drop", copied["copy"], *CONFIRMED, code=3)


def disarm(day: Day) -> None:
    """The switch changes in both regions."""
    found = day.terminal.found("disarm", "--reason", "game day", *CONFIRMED)
    assert ("disarmed", True, {EAST, WEST}) == (found["requested"], found["effective"], set(found["changed"]))


def lose_the_region(day: Day) -> None:
    """The standby's controller reports that it holds because it is disarmed, and keeps running."""
    terminal = day.terminal
    terminal.sandbox("fail", EAST)
    terminal.wait(lambda: "disarmed" in day.reasons(), "the controller notifies that it is disarmed")
    notice = next(entry for entry in terminal.history(WEST) if entry["reason"] == "disarmed")
    terminal.wait(lambda: _cycle_at(day) > notice["at"][:19], "the controller keeps running")
    assert (EAST, WEST) == day.roles()
    assert [] == [reason for reason in day.reasons() if reason.startswith(("failover-", "region-lost"))]
    assert "disarmed" in day.status("--region", WEST)["controller"]["notified"]


def arm(day: Day) -> None:
    """The standby is armed; the unreachable region is reported with exit code 5."""
    found = day.terminal.found("arm", "--reason", "game day", *CONFIRMED, code=5)
    assert ("armed", True, [WEST], [EAST]) == (
        found["requested"],
        found["effective"],
        found["as_requested"],
        list(found["not_written"]),
    )


def failover(day: Day) -> None:
    """The controller fails over after the drill's cooldown and sends a notice of the completed failover."""
    terminal = day.terminal
    terminal.wait(lambda: "failover-completed" in day.reasons(), "the controller fails over")
    assert (WEST, EAST) == day.roles()
    assert {"region-lost", "operator-arm", "operator-disarm"} <= set(day.reasons())


def status(day: Day) -> None:
    """Status reads the writer's region, because the standby's region is lost."""
    found = day.terminal.found("status", code=5)
    assert (WEST, WEST, ["standby"]) == (found["region"], found["roles"]["writer"], list(found["not_read"]))
    assert [EAST] == day.terminal.status()["failed_regions"]


def restore(day: Day) -> None:
    """The old region returns as the standby and is armed; a preview has no changes, and it is too early to destroy."""
    terminal = day.terminal
    terminal.sandbox("restore", EAST)
    assert [EAST] == terminal.found("arm", "--reason", "game day", *CONFIRMED)["changed"]
    day.pulumi.has_no_changes()
    found = terminal.found("preflight", "--destroy", code=6)
    (refusal,) = [each["hint"] for each in found["findings"] if each["verdict"] == "failed"]
    assert "Switch back to the primary region first" in refusal
    assert day.resources == terminal.status()["resources"]


def switch_back(day: Day) -> None:
    """Switch back without data loss when the returned region is healthy."""
    day.terminal.wait(day.is_healthy, "the controller of the returned region runs and reports no problem")
    found = day.terminal.found("switchover", "--to", EAST, *CONFIRMED)
    assert (WEST, EAST, True) == (found["from"], found["writer"], found["changed"])
    assert (EAST, WEST) == day.roles()


def destroy(day: Day) -> None:
    """No check fails, and no resource remains."""
    terminal = day.terminal
    assert 0 == terminal.found("preflight", "--destroy")["counts"]["failed"]
    day.pulumi.run("destroy", "--yes", "--skip-preview")
    clients = BotoClients(terminal.shell_variables["AWS_ENDPOINT_URL"])
    assert take_inventory(clients, (EAST, WEST)) == ()
    clients.close()
    terminal.wait(lambda: not terminal.status()["is_up"], "the sandbox follows the stack")
    left = terminal.status()
    assert (0, False, False) == (left["resources"], left["is_up"], terminal.outputs.exists())


def stop(day: Day) -> None:
    """The foreground command ends."""
    assert "stopped" in day.terminal.sandbox("stop")
    day.terminal.wait(day.terminal.started_ended, "the foreground command ends")
    assert "no sandbox is running" in day.terminal.sandbox("status", code=1)


STEPS = (
    start,
    preflight,
    up,
    verify,
    connect,
    drill,
    rewind,
    disarm,
    lose_the_region,
    arm,
    failover,
    status,
    restore,
    switch_back,
    destroy,
    stop,
)


def test_stack_lifecycle_by_commands_alone(tmp_path: Path) -> None:
    """The account is empty before and after; the tutorial shows the same commands in the same order."""
    with open_cli_terminal(tmp_path) as terminal:
        day = Day(terminal=terminal)
        for step in STEPS:
            started = time.monotonic()
            try:
                step(day)
            except BaseException as error:
                error.add_note(f"in the step `{step.__name__}`: {step.__doc__}\nseconds until then: {day.seconds}")
                raise
            day.seconds[step.__name__] = round(time.monotonic() - started, 1)
    called = iter(_normalized(words) for words in terminal.called)
    missing = [line for line in tutorial() if line not in called]
    assert [] == missing


def tutorial() -> list[str]:
    """Return the commands of the tutorial, in its order."""
    text = TUTORIAL.read_text(encoding="utf-8").replace('eval "$(', "").replace(')"', "")
    shown = re.findall(r"^\$ (?:\.venv/bin/python -m )?(?!make )(.+)$", text, re.MULTILINE)
    return [_normalized(shlex.split(line)) for line in shown]


def _normalized(words: list[str]) -> str:
    """Return a command without the parts that differ between runs and terminals."""
    text = re.sub(
        r" --(json|yes|skip-preview|stack \S+|outputs \S+|directory \S+|region \S+|limit \S+)", "", " ".join(words)
    )
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z|\d{8}-\d{6}", "TIME", text)


def _cycle_at(day: Day) -> str:
    return day.status("--region", WEST)["controller"]["last_cycle_at"].removesuffix("Z")


def _is_emulator_artifact(finding: dict[str, Any]) -> bool:
    """Return whether the only fault is the controller-errors alarm: AWS needs three minutes of errors, the emulator one datapoint."""
    on = {text.partition(" is in ALARM: ")[0] for text in finding["evidence"].split("; ")}
    return finding["check"] == "alarms" and on == {"payments-controller-errors-dev"}


def _checks(findings: list[dict[str, Any]], verdict: str) -> set[tuple[str, str]]:
    return {(each["check"], each["where"]) for each in findings if each["verdict"] == verdict}
