# ruff: noqa: D102 - the ports document these methods
"""In-memory fakes of every port: a table with conditional writes, a world of two regions, a clock.

Every call through a port passes through `Steps`, where a test can crash the process or run another one.
"""

import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from functions.failover_controller.model import Notice
from functions.failover_controller.ports import (
    Answer,
    CallNotSentError,
    CallRefusedError,
    CallUncertainError,
    CheckFailedError,
    SilentError,
    StateConflictError,
    UnavailableError,
    UnusableError,
)
from functions.failover_controller.store import ItemCheck
from tests.support.failover_controller.builders import NOW, OWN_ARN, PEER_ARN

Result = TypeVar("Result")
Key = tuple[str, str]


class Crash(BaseException):
    """Raised to end the process at a step."""


class Clock:
    """A clock that only `advance` and `sleep` move."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


class Steps:
    """Counts the calls through ports, before and after each effect, and may interrupt there."""

    def __init__(self, interrupt: Callable[[int, str], None] | None = None) -> None:
        self.count = 0
        self.names: list[str] = []
        self.interrupt = interrupt

    def around(self, name: str, effect: Callable[[], Result]) -> Result:
        self._pass(f"before {name}")
        result = effect()
        self._pass(f"after {name}")
        return result

    def _pass(self, name: str) -> None:
        self.count += 1
        self.names.append(name)
        if self.interrupt is not None:
            self.interrupt(self.count, name)


def crash_at(step: int) -> Callable[[int, str], None]:
    """Return an interrupt that crashes the process at one step."""

    def interrupt(count: int, name: str) -> None:
        if count == step:
            raise Crash(name)

    return interrupt


class InlineThreads:
    """Runs each call at once; calls for which `hangs` is true never end. A Crash is not caught."""

    def __init__(self) -> None:
        self.hanging: list[tuple[Callable[[], object], Future[Any]]] = []
        self.hangs: Callable[[], bool] = lambda: False
        self.has_room = True

    def submit(self, call: Callable[[], Result], /) -> "Future[Result]":
        future: Future[Result] = Future()
        if not self.has_room:
            return future
        future.set_running_or_notify_cancel()
        if self.hangs():
            self.hanging.append((call, future))
            return future
        self.run(call, future)
        return future

    @staticmethod
    def run(call: Callable[[], Any], future: "Future[Any]") -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - what an executor does
            future.set_exception(error)


class MemoryTable:
    """A table with DynamoDB's types and the conditions that the store uses. Calls are atomic."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.items: dict[Key, dict[str, object]] = {}
        self.fails_to_read = False
        self.fails_to_write: Callable[[Key], bool] = lambda key: False
        self.loses_answer_of: Callable[[Key], bool] = lambda key: False
        self.throttles: Callable[[Key], bool] = lambda key: False

    def read(self, keys: list[Key]) -> dict[Key, dict[str, object] | None]:
        if self.fails_to_read:
            raise UnavailableError("table: InternalServerError")
        with self._lock:
            return {
                key: dict(self.items[key]) if key in self.items else None for key in keys if not self.throttles(key)
            }

    def write(
        self,
        key: Key,
        attributes: Mapping[str, object],
        *,
        condition: str | None = None,
        values: Mapping[str, object] | None = None,
        check: ItemCheck | None = None,
    ) -> None:
        if self.fails_to_write(key):
            raise UnavailableError("table: ThrottlingException")
        with self._lock:
            if check is not None and not holds(check.condition, self.items.get(check.key), check.values):
                raise CheckFailedError(f"{key}: condition on {check.key}")
            if condition is not None and not holds(condition, self.items.get(key), values or {}):
                raise StateConflictError(f"{key}: condition")
            self.items[key] = as_stored({"item": key[0], "sort": key[1], **attributes})
        if self.loses_answer_of(key):
            raise UnavailableError("table: read timed out")

    def history(self) -> list[dict[str, object]]:
        """Return the audit trail, oldest first."""
        return [item for key, item in sorted(self.items.items()) if key[0] == "history"]

    def reasons(self) -> list[object]:
        """Return the reasons in the audit trail, oldest first."""
        return [item["reason"] for item in self.history()]


def as_stored(attributes: Mapping[str, object]) -> dict[str, object]:
    """Return these attributes as DynamoDB stores them; raises TypeError for unsupported types such as float."""
    write, read = TypeSerializer().serialize, TypeDeserializer().deserialize
    return {name: read(write(value)) for name, value in attributes.items()}


def holds(condition: str, item: Mapping[str, object] | None, values: Mapping[str, object]) -> bool:
    """Return whether a condition holds for an item. Source: Condition expressions, Amazon DynamoDB Developer Guide."""
    return any(_clause_holds(clause.strip(), item, values) for clause in condition.split(" OR "))


def _clause_holds(clause: str, item: Mapping[str, object] | None, values: Mapping[str, object]) -> bool:
    if absent := re.fullmatch(r"attribute_not_exists\(#(\w+)\)", clause):
        return item is None or absent[1] not in item
    comparison = re.fullmatch(r"#(\w+) (=|<=|<) :(\w+)", clause)
    assert comparison is not None, clause
    name, operator, value = comparison.groups()
    if item is None or name not in item:
        return False
    stored: Any = item[name]
    if isinstance(stored, str) is not isinstance(values[value], str):
        return False
    if operator == "=":
        return stored == values[value]
    return stored < values[value] or (operator == "<=" and stored == values[value])


class StepTable:
    """A process's access to the table; each call is a step."""

    def __init__(self, table: MemoryTable, steps: Steps) -> None:
        self._table = table
        self._steps = steps

    def read(self, keys: list[Key]) -> dict[Key, dict[str, object] | None]:
        return self._steps.around("read", lambda: self._table.read(keys))

    def write(self, key: Key, attributes: Mapping[str, object], **kwargs: Any) -> None:
        self._steps.around(f"write {key[0]}", lambda: self._table.write(key, attributes, **kwargs))


class FakeWorld:
    """Two regions with the writer in the peer's; tests set faults as attributes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.writer = PEER_ARN
        self.region_is_lost = False
        self.writer_is_down = False
        self.writer_cannot_commit = False
        self.peering_is_cut = False
        self.peer_lambda: Exception | None = None
        self.peer_rds: Exception | None = None
        self.own_lambda: Exception | None = None
        self.rds: Exception | None = None
        self.call: str = "accepted"
        self.operation_seconds = 3.0
        self.operation_never_ends = False
        self.calls: list[datetime] = []
        self.effects = 0
        self.lag_ms: float | None = 80.0
        self.instances = 2
        self.own_is_detached = False
        self.third_member: str | None = None
        self.own_is_writable: bool | None = None
        self._heartbeat = NOW.isoformat()
        self._promoted_at: datetime | None = None
        self.published: list[Notice] = []
        self.topic_fails = False
        self.metrics: list[dict[str, tuple[float, str]]] = []
        self.metrics_fail = False

    @property
    def writer_is_up(self) -> bool:
        return not (self.region_is_lost or self.writer_is_down)

    def settle(self) -> None:
        """Advance to the current time: heartbeats arrive, an operation ends."""
        if self.writer == OWN_ARN or (self.writer_is_up and not self.writer_cannot_commit):
            self._heartbeat = self._clock().isoformat()
        begun = self._promoted_at
        if begun is None or self.operation_never_ends:
            return
        if (self._clock() - begun).total_seconds() >= self.operation_seconds:
            self._promoted_at, self.writer = None, OWN_ARN

    def probe(self, cluster: str, *, from_peer: bool) -> dict[str, object]:
        is_own = "eu-west-1" in cluster
        is_writer = (self.writer == OWN_ARN) is is_own
        unreachable = not is_own and (not self.writer_is_up or (self.peering_is_cut and not from_peer))
        if unreachable:
            return {"cluster": cluster, "reachable": False, "failure": "timeout: connect: no answer"}
        failure = "timeout: heartbeat write: no answer" if is_writer and self.writer_cannot_commit else None
        if is_own and self.own_is_writable is not None:
            is_writer = self.own_is_writable
        return {
            "cluster": cluster,
            "reachable": True,
            "failure": failure,
            "connect_ms": 3.0,
            "read_only": not is_writer,
            "heartbeat_at": self._heartbeat,
            "heartbeat_age_ms": 400,
            "replication_lag_ms": None if is_writer else self.lag_ms,
        }

    def ask_own(self, request: Answer) -> object:
        self.settle()
        if self.own_lambda is not None:
            raise self.own_lambda
        targets: Any = request["targets"]
        return {"probes": [self.probe(target["cluster"], from_peer=False) for target in targets]}

    def ask_peer(self, request: Answer) -> object:
        if self.region_is_lost:
            raise SilentError("read timed out")
        if self.peer_lambda is not None:
            raise self.peer_lambda
        targets: Any = request["targets"]
        return {"probes": [self.probe(target["cluster"], from_peer=True) for target in targets]}

    def read_global_cluster(self) -> object:
        self.settle()
        if self.rds is not None:
            raise self.rds
        state = {"Status": "failing-over", "ToDbClusterArn": OWN_ARN, "IsDataLossAllowed": True}
        arns = [PEER_ARN, *([] if self.own_is_detached else [OWN_ARN]), *filter(None, [self.third_member])]
        return {
            "GlobalClusterMembers": [
                {"DBClusterArn": arn, "IsWriter": self.writer == arn, "SynchronizationStatus": "connected"}
                for arn in arns
            ],
            "FailoverState": {} if self._promoted_at is None else state,
        }

    def read_own_cluster(self) -> object:
        if self.rds is not None:
            raise self.rds
        return {"Status": "available", "DBClusterMembers": [{}] * self.instances}

    def read_peer_cluster(self) -> object:
        if self.region_is_lost:
            raise SilentError("connect timed out")
        if self.peer_rds is not None:
            raise self.peer_rds
        return {"Status": "available", "DBClusterMembers": [{}]}

    def fail_over(self, target: str) -> None:
        self.calls.append(self._clock())
        if self.call == "throttled":
            raise CallNotSentError("ThrottlingException")
        if self.call == "timed out, lost":
            raise CallUncertainError("read timed out")
        if self.call == "broken":
            raise RuntimeError("a bug")
        if self.call == "refused" or self._promoted_at is not None or self.writer == target:
            raise CallRefusedError("InvalidGlobalClusterStateFault")
        self.effects += 1
        self._promoted_at = self._clock()
        if self.call == "timed out, took effect":
            raise CallUncertainError("read timed out")

    def cancel_operation(self) -> None:
        self._promoted_at = None

    def publish(self, notice: Notice) -> None:
        if self.topic_fails:
            raise UnavailableError("topic: InternalError")
        self.published.append(notice)

    def put(self, values: Mapping[str, tuple[float, str]]) -> None:
        if self.metrics_fail:
            raise UnavailableError("metrics: InternalFailure")
        self.metrics.append(dict(values))

    def notified(self) -> list[str]:
        """Return the reasons of the published notices, in order and without repetitions."""
        return [str(notice.reason) for notice in {notice.id: notice for notice in self.published}.values()]


class StepWorld:
    """A process's access to the world; each call is a step."""

    def __init__(self, world: FakeWorld, steps: Steps) -> None:
        self._world = world
        self._steps = steps

    def ask_own(self, request: Answer) -> object:
        return self._steps.around("own health_check", lambda: self._world.ask_own(request))

    def ask_peer(self, request: Answer) -> object:
        return self._steps.around("peer health_check", lambda: self._world.ask_peer(request))

    def read_global_cluster(self) -> object:
        return self._steps.around("global cluster", self._world.read_global_cluster)

    def read_own_cluster(self) -> object:
        return self._steps.around("own cluster", self._world.read_own_cluster)

    def read_peer_cluster(self) -> object:
        return self._steps.around("peer cluster", self._world.read_peer_cluster)

    def fail_over(self, target: str) -> None:
        self._steps.around("fail over", lambda: self._world.fail_over(target))

    def publish(self, notice: Notice) -> None:
        self._steps.around("publish", lambda: self._world.publish(notice))

    def put(self, values: Mapping[str, tuple[float, str]]) -> None:
        self._steps.around("metrics", lambda: self._world.put(values))


THROTTLED = UnusableError("ThrottlingException")
