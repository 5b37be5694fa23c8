"""Tests of a rehearsal's report, also after failures."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from jsonschema import Draft202012Validator

from rehearsal import run as rehearse
from rehearsal.cloud.ministack import EmulatorError
from rehearsal.cloud.permission_log import FunctionRole, PermissionCheck
from rehearsal.console.console import Console, plain_console
from rehearsal.drills import DRILLS, Drill
from rehearsal.drills.context import DidNotHappenError
from rehearsal.engine.deploy import DeploymentError, DeployResult, stack_config
from rehearsal.engine.state import StackState
from rehearsal.environment import PROGRAM_DIRECTORY, Environment
from rehearsal.provider.resources.outcome import NotHeld
from rehearsal.report.model import Assertion, DrillResult, Report, Shortened, UnverifiedProperty
from settings import FailoverSettings, parse_stack_config
from tests.unit.rehearsal.report.test_model import SCHEMA


def unreachable(service: str, region: str) -> Any:
    """Fail like a stopped embedded AWS."""
    raise EndpointConnectionError(endpoint_url=f"http://{service}.{region}")


@dataclass(kw_only=True)
class BrokenEnvironment:
    """An environment whose deployment fails, or whose embedded AWS stops after the deployment."""

    deploys: bool
    stack: str = "dev"
    interval_seconds: float = 1.0
    engine: str = "in-process"
    time_scale: float = 10.0
    writer_name: str = "writer.payments-dev.internal"
    global_cluster_id: str = "payments-global-dev"
    clients: Callable[[str, str], Any] = unreachable
    regions: tuple[SimpleNamespace, ...] = (SimpleNamespace(name="us-east-1"),)
    emulator: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(resident_bytes=lambda: 5_000_000))

    @property
    def config(self) -> Mapping[str, str]:
        """The stack's configuration with a shorter interval."""
        return stack_config(PROGRAM_DIRECTORY, self.stack, {"failover": {"interval_seconds": self.interval_seconds}})

    @property
    def policy(self) -> FailoverSettings:
        """The deployed failover settings."""
        return parse_stack_config(self.config).failover

    @property
    def primary(self) -> SimpleNamespace:
        """The only region."""
        return self.regions[0]

    def deploy(self, _on_resource: object) -> DeployResult:
        """Fail, or report a property that is not stored."""
        if not self.deploys:
            raise DeploymentError("aws:rds/cluster:Cluster: unknown property x")
        return DeployResult(
            project="p",
            stack="dev",
            exports={},
            secret_exports=frozenset(),
            resources=(),
            not_held=(NotHeld(type="aws:rds/cluster:Cluster", property="x", reason="forgotten"),),
            warnings=(),
            seconds=1.5,
            preview=False,
            steps=(),
            state=StackState(),
        )

    def resolve_dns(self, _name: str, *, from_region: str) -> SimpleNamespace:
        """Return a record with a TTL of 5 s."""
        return SimpleNamespace(ttl_seconds=5, region=from_region)

    def new_workload(self) -> SimpleNamespace:
        """Return a client that never starts."""
        return SimpleNamespace(stop=lambda: None)

    def start_controllers(self) -> None:
        """Fail like a stopped embedded AWS."""
        raise EmulatorError("the emulator ended")


def rehearsed(environment: BrokenEnvironment) -> Report:
    """Return the report of a rehearsal of one drill, which is not reached."""
    quiet = plain_console(io.StringIO())
    console = Console(output=quiet, errors=quiet, live=False)
    drills = (cast(Drill, SimpleNamespace()),)
    return rehearse.Rehearsal(environment=cast(Environment, environment), drills=drills, console=console).run()


def test_failed_deployment_is_reported_with_its_conditions() -> None:
    """The report has the error, all settings and the versions."""
    report = rehearsed(BrokenEnvironment(deploys=False))
    assert ("aws:rds/cluster:Cluster: unknown property x",) == report.errors
    assert (False, {}, (), ()) == (report.passed, report.resources, report.dashboards, report.shortened)
    assert (1.0, 7) == (
        report.settings["failover"]["interval_seconds"],
        report.settings["database"]["backup_retention_days"],
    )
    assert {"python", "pulumi", "ministack"} <= set(report.versions)
    assert [] == list(Draft202012Validator(SCHEMA).iter_errors(report.to_json()))


def test_stopped_embedded_aws_leaves_report_without_dashboards() -> None:
    """The report names the error, the unverified properties and the shortened periods."""
    report = rehearsed(BrokenEnvironment(deploys=True))
    assert "the emulator ended" == report.errors[0]
    assert report.errors[1].startswith("the dashboards could not be read: EndpointConnectionError")
    assert (UnverifiedProperty(type="aws:rds/cluster:Cluster", property="x", reason="forgotten"),) == report.not_held
    assert [("failover.interval_seconds", 10, 1), 60, 5] == [
        (report.shortened[0].what, report.shortened[0].deployed_seconds, report.shortened[0].here_seconds),
        *(one.deployed_seconds for one in report.shortened[1:]),
    ]
    assert Shortened(what=report.shortened[2].what, deployed_seconds=5, here_seconds=0.5) == report.shortened[2]


class _Played(rehearse.Rehearsal):
    """A rehearsal whose drills are over."""

    def _play(self) -> None:
        pass


class _Silent(rehearse.Rehearsal):
    """A rehearsal in which no controller runs a cycle."""

    def _play(self) -> None:
        raise DidNotHappenError("2 cycles: did not happen")


@pytest.mark.parametrize(("rehearsal", "errors"), [(_Played, ()), (_Silent, ("2 cycles: did not happen",))])
def test_permission_review_is_reported_like_a_drill(
    rehearsal: type[rehearse.Rehearsal], errors: tuple[str, ...]
) -> None:
    """The permission review is reported even if no controller runs, and fails for a denied call."""
    role = FunctionRole(function="probe", region="us-east-1", role="probe-role", actions=frozenset())
    check = PermissionCheck(role=role.role, action="sns:Publish", resource="*", by_role=False, is_allowed=False)
    emulator = SimpleNamespace(resident_bytes=lambda: None, permission_checks=lambda: [check])
    environment = BrokenEnvironment(deploys=True, emulator=emulator, clients=_function_of(role))
    output = io.StringIO()
    console = Console(output=plain_console(output), errors=plain_console(io.StringIO()), live=False)
    report = rehearsal(
        environment=cast(Environment, environment), drills=(cast(Drill, SimpleNamespace()),), console=console
    ).run()
    assert errors == report.errors[: len(errors)]
    assert [("permissions", False)] == [(one.name, one.passed) for one in report.drills]
    assert "probe-role does not allow sns:Publish on *" == report.drills[0].failures[0].detail
    assert report.drills[0].title in output.getvalue()
    assert "unused permissions are not checked" in output.getvalue()


def _function_of(role: FunctionRole) -> Callable[[str, str], Any]:
    """Clients that know one function, whose role has no policy."""
    page = {"Functions": [{"FunctionName": role.function, "Role": f"arn:aws:iam::123456789012:role/{role.role}"}]}
    known = {
        "lambda": SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=lambda: [page])),
        "iam": SimpleNamespace(
            list_role_policies=lambda **_: {"PolicyNames": []},
            list_attached_role_policies=lambda **_: {"AttachedPolicies": []},
        ),
    }
    return lambda service, region: known[service] if service in known else unreachable(service, region)


def test_commit_is_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report names the commit of the program's directory, not of the working directory."""
    asked: list[Path] = []
    monkeypatch.setattr(rehearse.provenance, "commit_of", asked.append)
    rehearsed(BrokenEnvironment(deploys=False))
    assert [PROGRAM_DIRECTORY] == asked


def test_dashboards_are_read_once_before_destroy() -> None:
    """The dashboards are read before the destroy, because it deletes them."""
    done: list[str] = []

    class Noted(rehearse.Rehearsal):
        """Notes what is done, and when."""

        def _dashboards(self) -> tuple[()]:
            done.append("dashboards read")
            return ()

        def _destroy(self) -> None:
            done.append("destroyed")

    quiet = plain_console(io.StringIO())
    console = Console(output=quiet, errors=quiet, live=False)
    Noted(
        environment=cast(Environment, BrokenEnvironment(deploys=True)), drills=(), console=console, destroys=True
    ).run()
    assert ["dashboards read", "destroyed"] == done


def drill_result(
    name: str = "region-lost",
    *,
    interval_seconds: float = 1.0,
    error: str | None = None,
    failed: str = "",
    repeated: str = "",
) -> DrillResult:
    """A drill's result with a passed assertion, and a failed one that is `timed` or `logical`."""
    assertions = [Assertion(text="a", passed=True)]
    if failed:
        assertions.append(Assertion(text="b", passed=False, timed=failed == "timed"))
    return DrillResult(
        name=name,
        title=name,
        assertions=tuple(assertions),
        timeline=(),
        interval_seconds=interval_seconds,
        error=error,
        repeated=repeated,
    )


STALL = "the rehearsal's process ran 300 ms late"


@pytest.mark.parametrize(
    ("result", "ended_late", "stall", "repeated"),
    [
        (drill_result(failed="timed"), False, STALL, True),
        (drill_result(error="the call: did not happen within 5 s"), True, STALL, True),
        (drill_result(), False, STALL, False),
        (drill_result(failed="timed"), False, "", False),
        (drill_result(failed="logical"), False, STALL, False),
        (drill_result(failed="logical", error="x"), True, STALL, False),
        (drill_result(error="ministack exited with status 1"), False, STALL, False),
        (drill_result(failed="timed", interval_seconds=5.0), False, STALL, False),
    ],
)
def test_drill_is_repeated_only_if_a_stall_explains_its_failure(
    result: DrillResult, ended_late: bool, stall: str, repeated: bool
) -> None:
    """A logic failure, a failure without a stall, and one at the longest interval count."""
    reason = rehearse.reason_to_repeat(result, ended_late=ended_late, stall=stall)
    assert reason == (f"played again with a longer interval: {STALL}" if repeated else "")


class _Scripted(rehearse.Rehearsal):
    """A rehearsal whose drills have scripted results."""

    def script(self, *results: DrillResult) -> None:
        self.scripted = list(results)
        self.changes: list[float] = []

    def _play_one(self, drill: Drill, recorder: object, workload: object, ticker: object) -> DrillResult:
        result = self.scripted.pop(0)
        assert result.name == drill.name
        return result

    def _change_interval(self, seconds: float, recorder: object, overrides: Mapping[str, object] | None = None) -> None:
        assert overrides == {"cooldown_seconds": 5}
        self.changes.append(seconds)


def scripted(monkeypatch: pytest.MonkeyPatch) -> _Scripted:
    """A scripted rehearsal that needs no environment."""
    monkeypatch.setattr(rehearse, "restore_baseline", lambda _context: None)
    monkeypatch.setattr(rehearse, "clear_faults", lambda _context: None)
    monkeypatch.setattr(rehearse, "DrillContext", lambda **_named: None)
    quiet = plain_console(io.StringIO())
    console = Console(output=quiet, errors=quiet, live=False)
    return _Scripted(environment=cast(Environment, BrokenEnvironment(deploys=True)), drills=(), console=console)


def test_repeated_drill_is_played_with_its_prerequisites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their earlier results do not count any more, and the interval is longer."""
    rehearsal = scripted(monkeypatch)
    rehearsal.results = [drill_result("steady"), drill_result("region-lost")]
    rehearsal.script(
        drill_result("old-region-returns", failed="timed", repeated=STALL),
        drill_result("region-lost", interval_seconds=2.0),
        drill_result("old-region-returns", interval_seconds=2.0),
    )
    (drill,) = [each for each in DRILLS if each.name == "old-region-returns"]
    nothing = cast(Any, None)
    assert rehearsal._play_until_it_counts(drill, nothing, nothing, nothing)
    assert rehearsal.changes == [2.0]
    assert [(one.name, one.interval_seconds) for one in rehearsal._counted] == [
        ("steady", 1.0),
        ("region-lost", 2.0),
        ("old-region-returns", 2.0),
    ]


def test_second_failure_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's stall excuses one failure only."""
    rehearsal = scripted(monkeypatch)
    rehearsal.script(
        drill_result("steady", failed="timed", repeated=STALL), drill_result("steady", failed="timed", repeated=STALL)
    )
    nothing = cast(Any, None)
    assert rehearsal._play_until_it_counts(DRILLS[0], nothing, nothing, nothing)
    assert [False] == [one.passed for one in rehearsal._counted]
