# ruff: noqa: D102 - the fake does what the port that it stands for says
"""Two regions in memory: tables with conditional writes, and calls that a test lets fail."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from functions.failover_controller.model import Action, Notice, Reason, Side, State
from functions.failover_controller.table_items import history_item, history_key, state_item
from operations.aws.move_ports import MoveApi, Moves
from operations.aws.ports import Item, Key, RdsRoles, TableWrite
from operations.aws.read_ports import ReadApiFactory, ReadOnlyApi
from operations.aws.table_items import STATE, SWITCH
from operations.cli.app import app
from operations.cli.options import Dependencies
from operations.stack.deployment import DeployedRegion, StackDeployment, read_deployment
from operations.stack.pulumi_cli import RunPulumi
from operations.support.errors import AwsError, VersionConflictError
from settings import PROJECT_NAMESPACE

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
EAST, WEST = "us-east-1", "eu-west-1"
GLOBAL_CLUSTER = "payments-global-dev"
ME = "arn:aws:sts::123456789012:assumed-role/operator/alice"


def outputs() -> dict[str, object]:
    """Return a stack's outputs."""
    regions = {
        name: {
            "region": region,
            "cluster_arn": f"arn:aws:rds:{region}:123456789012:cluster:payments-{region}-dev",
            "table_name": "payments-failover-dev",
            "failover_controller_function_name": "payments-failover-controller-dev",
            "health_check_function_name": "payments-health-check-dev",
            "port": 3306,
            "cluster_id": f"payments-{region}-dev",
            "writer_endpoint": f"payments-{region}-dev.cluster-abc.{region}.rds.amazonaws.com",
            "reader_endpoint": f"payments-{region}-dev.cluster-ro-abc.{region}.rds.amazonaws.com",
            "key_arn": f"arn:aws:kms:{region}:123456789012:key/k",
            "secret_arn": f"arn:aws:secretsmanager:{region}:123456789012:secret:payments-master-dev-AbCdEf",
            "topic_arn": f"arn:aws:sns:{region}:123456789012:payments-failover-dev",
            "alarm_arns": [
                f"arn:aws:cloudwatch:{region}:123456789012:alarm:payments-{thing}-dev"
                for thing in ("writer-role", "reader-role", "controller-silent", "replication-lag", "cpu")
            ],
        }
        for name, region in (("primary", EAST), ("secondary", WEST))
    }
    return {
        "global_cluster_id": GLOBAL_CLUSTER,
        "regions": regions,
        "database_name": "payments",
        "database_setup_function_name": "payments-database-setup-dev",
        "function_code_sha256": {
            f"payments-{function}-dev": f"hash of {function}"
            for function in ("health-check", "failover-controller", "database-setup")
        },
        "environment": "dev",
        "stack_name": "dev",
        "writer_dns_name": "writer.payments-dev.internal",
        "reader_dns_name": "reader.payments-dev.internal",
        "health_check_ids": {"writer": "check-1", f"reader-{EAST}": "check-2", f"reader-{WEST}": "check-3"},
    }


DEPLOYMENT: StackDeployment = read_deployment(outputs())
EAST_REGION, WEST_REGION = DEPLOYMENT.region(EAST), DEPLOYMENT.region(WEST)


def after(seconds: float) -> datetime:
    """Return NOW plus these seconds."""
    return NOW + timedelta(seconds=seconds)


def notice(
    identity: str, at: datetime, reason: Reason, action: Action = Action.NOTIFY, **evidence: str | float | None
) -> Notice:
    """Return a notice in the controller's format."""
    line = {"reason": reason, "action": action, "at": at.isoformat(), "id": identity, "evidence": evidence}
    line["summary"] = f"what to do about {reason}"
    return Notice(id=identity, at=at, reason=reason, action=action, line=json.dumps(line))


@dataclass(kw_only=True)
class FakeRegion:
    """`RegionApi` of one region in memory."""

    environment: "FakeEnvironment"
    region: DeployedRegion
    items: dict[Key, dict[str, object]] = field(default_factory=dict)
    policy: dict[str, str] = field(default_factory=lambda: {"MODE": "approve", "INTERVAL_SECONDS": "10"})

    def put_state(self, state: State) -> None:
        """Store the controller's state."""
        self.items[STATE] = dict(state_item(replace(state, version=state.version or 1)))

    def put_notice(self, notice: Notice) -> None:
        """Add a notice to the audit trail."""
        self.items[history_key(notice)] = dict(history_item(notice))

    @property
    def switch(self) -> dict[str, object] | None:
        """Return the switch's item; None if the table has none."""
        return self.items.get(SWITCH)

    def traces(self) -> list[dict[str, Any]]:
        """Return the audit entries of commands, oldest first."""
        entries = sorted((key, item) for key, item in self.items.items() if key[0] == "history")
        lines = [json.loads(str(item["line"])) for _, item in entries]
        return [line for line in lines if line["action"] == "operator"]

    def read_items(self, keys: Sequence[Key]) -> dict[Key, Item | None]:
        self.environment.record_call(self.region, "read_items")
        return {key: self._with_keys(key) for key in keys}

    def read_history(self, limit: int, since: str | None = None) -> list[Item]:
        self.environment.record_call(self.region, "read_history")
        keys = sorted((key for key in self.items if key[0] == "history" and key[1] >= (since or "")), reverse=True)
        return [found for key in keys[:limit] if (found := self._with_keys(key)) is not None]

    def read_roles(self) -> RdsRoles:
        self.environment.record_call(self.region, "read_roles")
        return self.environment.roles

    def read_environment(self) -> Mapping[str, str]:
        self.environment.record_call(self.region, "read_environment")
        return self.policy

    def caller(self) -> str:
        self.environment.record_call(self.region, "caller")
        return ME

    def write(self, change: TableWrite) -> None:
        self.environment.record_call(self.region, "write")
        stored = self.items.get(change.key)
        marks = ("version", "change_id")
        same = (stored is None) == (change.previous is None) and (
            stored is None
            or change.previous is None
            or all(stored.get(name) == change.previous.get(name) for name in marks)
        )
        if not same:
            raise VersionConflictError("the item has changed", hint="")
        self.items[change.key] = dict(change.attributes)
        self.items[change.audit_key] = dict(change.audit_item)
        self.environment.record_call(self.region, "written")

    def _with_keys(self, key: Key) -> Item | None:
        return {"item": key[0], "sort": key[1], **self.items[key]} if key in self.items else None


class FakeEnvironment:
    """Two regions, the clock, and the injected failures."""

    def __init__(self) -> None:
        self.now = NOW
        self.calls: list[tuple[str, str]] = []
        self.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
        self.interactive = False
        self.loaded: list[tuple[Path | None, str | None]] = []
        self.moves: Moves = _no_moves
        self.outputs: dict[str, object] = outputs()
        self.read_api_for: ReadApiFactory = _no_read_api
        self.run_pulumi: RunPulumi = self._answer_pulumi
        self.slept: list[float] = []
        self.exported: object = None
        """What `pulumi stack export` prints."""
        self.config: dict[str, object] = {}
        """The stack's settings, which `pulumi config --json` prints as texts."""
        self.pulumi_runs: list[tuple[list[str], dict[str, str]]] = []
        self.pulumi_exit_code = 0
        self.on_sleep: Callable[[], None] = lambda: None
        self._events: dict[tuple[str, str], Callable[[], None]] = {}
        self._ids = 0
        self.regions = {region.name: FakeRegion(environment=self, region=region) for region in DEPLOYMENT.regions}
        self.east, self.west = self.regions[EAST], self.regions[WEST]

    def fail(self, region: str, *calls: str) -> None:
        """Make these calls to the region fail without an answer, by default all; `written` fails after the effect."""
        for call in calls or ("read_items", "read_history", "read_roles", "read_environment", "caller", "write"):
            self.on(region, call, _no_answer(region, call))

    def on(self, region: str, call: str, event: Callable[[], None]) -> None:
        """Run the event at each of these calls."""
        self._events[region, call] = event

    def record_call(self, region: DeployedRegion, call: str) -> None:
        """Record the call and run its event."""
        self.calls.append((region.name, call))
        event = self._events.get((region.name, call))
        if event is not None:
            event()

    def calls_to(self, region: str) -> list[str]:
        """Return the names of the calls to a region."""
        return sorted({call for where, call in self.calls if where == region})

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """Run a command line; with an `answer` the terminal is interactive and the operator types it."""
        self.interactive = answer is not None
        dependencies = Dependencies(
            load_outputs=self._load,
            run_in_terminal=self._run_in_terminal,
            connect_to=lambda deployment: lambda region: self.regions[region.name],
            read_api_for=self.read_api_for,
            run_pulumi=self.run_pulumi,
            now=lambda: self.now,
            new_id=self._new_id,
            is_interactive=lambda: self.interactive,
            moves_to=lambda deployment: self.moves,
            sleep=self._sleep,
            stopwatch=lambda: self.now.timestamp(),
        )
        return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, arguments, obj=dependencies, input=answer)

    def _load(self, file: Path | None, stack: str | None) -> object:
        self.loaded.append((file, stack))
        return self.outputs

    def _answer_pulumi(self, arguments: Sequence[str], timeout_seconds: float) -> str:
        del timeout_seconds
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in self.config.items()}
        config = {f"{PROJECT_NAMESPACE}:{key}": {"value": text} for key, text in texts.items()}
        answers = {"stack export": self.exported, "config --json": config}
        return json.dumps(answers[" ".join(arguments[:2])])

    def _run_in_terminal(self, command: Sequence[str], variables: Mapping[str, str]) -> int:
        self.pulumi_runs.append((list(command), dict(variables)))
        return self.pulumi_exit_code

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.on_sleep()

    def _new_id(self) -> str:
        self._ids += 1
        return f"change-{self._ids}"


def _no_read_api(region: str) -> ReadOnlyApi:
    raise AwsError(f"{region}: this test has no answers", hint="Give it a FakeAws.")


def lose_writer(environment: FakeEnvironment, **changes: Any) -> State:
    """Make the writer unreachable for the standby's controller; return the controller's state."""
    state = State(
        version=7,
        cycle_at=after(-4),
        writer=Side.PEER,
        dead_cycles=6,
        silent_cycles=6,
        dead_since=after(-60),
        heartbeats=("2026-11-24T11:58:59+00:00",),
        heartbeat_seen_at=after(-61),
        lag_ms=1500.0,
        lag_at=after(-61),
        **changes,
    )
    environment.west.put_state(state)
    return state


def _no_moves(region: DeployedRegion) -> MoveApi:
    raise AssertionError(f"unexpected move API call in {region.name}")


def _no_answer(region: str, call: str) -> Callable[[], None]:
    def fail() -> None:
        raise AwsError(f"{call} of {region}: no answer", hint="Try again.")

    return fail
