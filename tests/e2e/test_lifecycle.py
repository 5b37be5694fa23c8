"""The whole life of a stack on the embedded AWS, by commands alone: the day that docs/tutorial.md tells, as a person plays it."""

from __future__ import annotations

import json
import re
import shlex
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.sandbox_terminal import ROOT, Terminal, practising

EAST, WEST = "us-east-1", "eu-west-1"
INTERVAL_SECONDS = 2
"""Each look of a cycle has a third of it: with less, a busy machine leaves looks without an answer, and who sees nothing holds."""
COOLDOWN_SECONDS = 20
"""Long enough for a second change of roles to be held, if anything called one; over when the region is lost."""
CONFIRMED = ("--confirm", "payments-global-dev")
NO_ANSWER_BEFORE = ("quota: ", "permissions: ")
"""The emulator knows no quotas, and IAM simulates nothing for the account's root, who calls there."""
NOT_TOLD_BY_THE_EMULATOR = {("health checks", "global"), ("alarm data", EAST), ("alarm data", WEST)}
"""It publishes no metrics of RDS or Route 53."""
TUTORIAL = ROOT / "docs" / "tutorial.md"


@dataclass(kw_only=True)
class Day:
    """What a person knows in the course of the day."""

    terminal: Terminal
    resources: int = 0
    rewound_to: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def roles(self) -> tuple[str | None, str | None]:
        """Return writer and standby, as RDS says."""
        found = self.terminal.found("status", "--region", WEST)["roles"]
        return found["writer"], found["standby"]

    def is_calm(self) -> bool:
        """Whether the standby's controller cycles, and nothing troubles it."""
        done = self.terminal.try_operations("status", "--json")
        if done.returncode:
            return False
        controller = json.loads(done.stdout)["controller"]
        return (
            controller["last_cycle_at"] is not None
            and controller["notified"] == []
            and controller["dead_since"] is None
        )

    def reasons(self) -> list[str]:
        """Return the reasons in the audit trail of the day-one standby, newest first."""
        return [entry["reason"] for entry in self.terminal.history(WEST)]


def start(day: Day) -> None:
    """Both regions are there, and empty."""
    day.terminal.start("--interval", str(INTERVAL_SECONDS), "--cooldown", str(COOLDOWN_SECONDS))
    assert (False, [EAST, WEST]) == (day.terminal.status()["is_up"], day.terminal.status()["regions"])


def preflight(day: Day) -> None:
    """Nothing forbids the deployment, and what nobody could look at is said to be unknown, with the reason."""
    found = day.terminal.found("preflight", "--stack", "dev", with_outputs=False)
    assert (False, 0) == (found["is_up"], found["counts"]["failed"])
    unknown = [each for each in found["findings"] if each["verdict"] == "unknown"]
    assert [] == [each for each in unknown if not each["check"].startswith(NO_ANSWER_BEFORE) or not each["evidence"]]
    assert {"credentials", "stack", "engine version"} <= {check for check, _ in _checks(found["findings"], "passed")}


def up(day: Day) -> None:
    """The program makes everything, a second time it changes nothing, and the controllers begin to cycle."""
    terminal = day.terminal
    terminal.sandbox("up")
    assert (0o600, (EAST, WEST)) == (stat.S_IMODE(terminal.outputs.stat().st_mode), day.roles())
    day.resources = terminal.status()["resources"]
    assert f"Plan: {day.resources} same" == terminal.sandbox("up").splitlines()[0]
    terminal.wait(day.is_calm, "the standby's controller cycles and sees no trouble")
    day.rewound_to = terminal.found("status")["at"]


def verify(day: Day) -> None:
    """Every promise is kept; unknown are those alone that the emulator has no data for."""
    found: dict[str, Any] = {}

    def is_kept() -> bool:
        found.update(json.loads(day.terminal.try_operations("verify", "--json").stdout))
        failed = [one for one in found["findings"] if one["verdict"] == "failed" and not _is_the_emulators(one)]
        return not failed and _checks(found["findings"], "unknown") == NOT_TOLD_BY_THE_EMULATOR

    day.terminal.wait(is_kept, "every promise is kept", lambda: [one for one in found["findings"] if one["hint"]])
    assert (EAST, 6 if found["counts"]["failed"] else 0) == (found["writer"], found["exit_code"])
    assert found["counts"]["passed"] > 40


def drill(day: Day) -> None:
    """Unconfirmed it is a plan; confirmed the writer goes there, everything is verified there, and it comes home."""
    plan = day.terminal.operations("drill", code=3)
    assert "not confirmed" in plan and f"of {COOLDOWN_SECONDS} s" in plan
    done = day.terminal.try_operations("drill", *CONFIRMED, "--json")
    assert done.returncode in (0, 6), done.stderr
    found = json.loads(done.stdout)
    assert ["switchover", "verify", "switch back"] == [each["step"] for each in found["steps"]]
    assert (EAST, WEST, EAST) == (found["home"], found["away"], found["writer"])
    assert NOT_TOLD_BY_THE_EMULATOR == _checks(found["not_passed"], "unknown")
    # The emulator takes one datapoint for all: alarms that AWS would leave off in a change of roles are on.
    failed = _checks(found["not_passed"], "failed")
    assert failed <= {("alarms", EAST), ("alarms", WEST)}, found["not_passed"]
    assert (6 if failed else 0) == done.returncode
    assert (EAST, WEST) == day.roles()


def rewind(day: Day) -> None:
    """The writer's cluster as of a second stands beside the live one, is as it should be, and is dropped again."""
    made = day.terminal.found("rewind", "--to", day.rewound_to, *CONFIRMED)
    moment = re.sub(r"[-:Z]", "", day.rewound_to).replace("T", "-")
    assert (f"payments-{EAST}-dev-rewind-{moment}", []) == (made["copy"], made["flaws"])
    limits = made["restorable"]
    assert limits["earliest"] <= made["as_of"] == day.rewound_to <= limits["latest"]
    dropped = day.terminal.found("rewind", "--drop", made["copy"], *CONFIRMED)
    assert (made["copy"], EAST) == (dropped["dropped"], dropped["region"])
    assert "no cluster" in day.terminal.operations("rewind", "--drop", made["copy"], *CONFIRMED, code=3)


def disarm(day: Day) -> None:
    """Both controllers are told not to act."""
    found = day.terminal.found("disarm", "--reason", "game day", *CONFIRMED)
    assert ("disarmed", True, {EAST, WEST}) == (found["wanted"], found["effective"], set(found["changed"]))


def lose_the_region(day: Day) -> None:
    """The standby's controller sees it and tells people that it is held, cycles on, and changes nothing."""
    terminal = day.terminal
    terminal.sandbox("fail", EAST)
    terminal.wait(lambda: "disarmed" in day.reasons(), "people are told that a verdict is held because of the switch")
    notified = next(entry for entry in terminal.history(WEST) if entry["reason"] == "disarmed")
    terminal.wait(lambda: _cycle_at(day) > notified["at"][:19], "the controller cycles on")
    assert (EAST, WEST) == day.roles()
    assert [] == [reason for reason in day.reasons() if reason.startswith(("failover-", "region-lost"))]
    assert "disarmed" in terminal.found("status", "--region", WEST)["controller"]["notified"]


def arm(day: Day) -> None:
    """The standby is told, which is what counts; that the dark region could not be is said: exit code 5."""
    found = day.terminal.found("arm", "--reason", "game day", *CONFIRMED, code=5)
    assert ("armed", True, [WEST], [EAST]) == (
        found["wanted"],
        found["effective"],
        found["notified"],
        list(found["not_told"]),
    )


def failover(day: Day) -> None:
    """It takes over by itself, once the cooldown that the drill began is over, and tells people when it is done."""
    terminal = day.terminal
    terminal.wait(lambda: "failover-completed" in day.reasons(), "the standby takes over by itself")
    assert (WEST, EAST) == day.roles()
    assert {"region-lost", "operator-arm", "operator-disarm"} <= set(day.reasons())


def status(day: Day) -> None:
    """From the region that lives all can be seen, and that is where status looks: the standby is the lost region now."""
    found = day.terminal.found("status", code=5)
    assert (WEST, WEST, ["standby"]) == (found["region"], found["roles"]["writer"], list(found["not_read"]))
    assert [EAST] == day.terminal.status()["dark_regions"]


def restore(day: Day) -> None:
    """The old region comes back as the standby, and is armed; the program would change nothing; a destroy is refused."""
    terminal = day.terminal
    terminal.sandbox("restore", EAST)
    assert [EAST] == terminal.found("arm", "--reason", "game day", *CONFIRMED)["changed"]
    planned = json.loads(terminal.sandbox("preview", "--refresh", "--json"))
    assert {"same": day.resources} == planned["counts"], [one for one in planned["steps"] if one["change"] != "same"]
    assert {"replicationSourceIdentifier"} <= {name for step in planned["steps"] for name in step["ignored"]}
    assert "Switch home first" in terminal.sandbox("destroy", code=3)
    assert day.resources == terminal.status()["resources"]


def switch_home(day: Day) -> None:
    """Planned, once the region that came back is in order; nothing is lost."""
    day.terminal.wait(day.is_calm, "the controller of the region that came back cycles and sees no trouble")
    found = day.terminal.found("switchover", "--to", EAST, *CONFIRMED)
    assert (WEST, EAST, True) == (found["from"], found["writer"], found["changed"])
    assert (EAST, WEST) == day.roles()


def destroy(day: Day) -> None:
    """Nothing stands in the way, and nothing is left."""
    terminal = day.terminal
    assert 0 == terminal.found("preflight", "--destroy")["counts"]["failed"]
    assert "Both regions are empty." in terminal.sandbox("destroy")
    left = terminal.status()
    assert (0, False, False) == (left["resources"], left["is_up"], terminal.outputs.exists())


def stop(day: Day) -> None:
    """The foreground command ends, and nobody answers any more."""
    assert "stopped" in day.terminal.sandbox("stop")
    day.terminal.wait(day.terminal.started_ended, "the foreground command ends")
    assert "no sandbox runs here" in day.terminal.sandbox("status", code=1)


STEPS = (
    start,
    preflight,
    up,
    verify,
    drill,
    rewind,
    disarm,
    lose_the_region,
    arm,
    failover,
    status,
    restore,
    switch_home,
    destroy,
    stop,
)


def test_a_stack_lives_its_whole_life_by_commands_alone(tmp_path: Path) -> None:
    """From an empty account to an empty account; the tutorial shows nothing but what was played here, in this order."""
    with practising(tmp_path) as terminal:
        day = Day(terminal=terminal)
        for step in STEPS:
            since = time.monotonic()
            try:
                step(day)
            except BaseException as error:
                error.add_note(f"in the step `{step.__name__}`: {step.__doc__}\nseconds until then: {day.seconds}")
                raise
            day.seconds[step.__name__] = round(time.monotonic() - since, 1)
    played = iter(_as_shown(words) for words in terminal.called)
    missing = [line for line in tutorial() if line not in played]
    assert [] == missing


def tutorial() -> list[str]:
    """Return the commands of the tutorial, in its order."""
    shown = re.findall(r"^\$ (?:\.venv/bin/)?python -m (.+)$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE)
    return [_as_shown(shlex.split(line)) for line in shown]


def _as_shown(words: list[str]) -> str:
    """Return a command without what differs from one day to the next, and from one terminal to the other."""
    text = re.sub(r" --(json|outputs \S+|directory \S+|region \S+|limit \S+)", "", " ".join(words))
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z|\d{8}-\d{6}", "TIME", text)


def _cycle_at(day: Day) -> str:
    return day.terminal.found("status", "--region", WEST)["controller"]["last_cycle_at"].removesuffix("Z")


def _is_the_emulators(finding: dict[str, Any]) -> bool:
    """Whether all that failed is an alarm which AWS would leave off: one error in a cycle, as the first one meets, is not three
    minutes of them; but the emulator takes one datapoint for all, and leaves the alarm on.
    """
    on = {text.partition(" is on: ")[0] for text in finding["evidence"].split("; ")}
    return finding["check"] == "alarms" and on == {"payments-controller-errors-dev"}


def _checks(findings: list[dict[str, Any]], verdict: str) -> set[tuple[str, str]]:
    return {(each["check"], each["where"]) for each in findings if each["verdict"] == verdict}
