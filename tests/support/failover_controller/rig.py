"""One process of the controller on fakes."""

import logging
from itertools import count
from typing import Any

from functions.failover_controller.cycle import Cycle, CycleResult
from functions.failover_controller.delivery import NoticeDelivery
from functions.failover_controller.notices import NoticeQueue
from functions.failover_controller.observe import Observer
from functions.failover_controller.store import TableStore
from tests.support.failover_controller.builders import config
from tests.support.failover_controller.fakes import (
    Clock,
    FakeWorld,
    InlineThreads,
    MemoryTable,
    Steps,
    StepTable,
    StepWorld,
)

_ids = count(1)


class Rig:
    """A Cycle on fakes. Several rigs with one table and one world act as several processes."""

    def __init__(
        self,
        *,
        world: FakeWorld | None = None,
        table: MemoryTable | None = None,
        clock: Clock | None = None,
        steps: Steps | None = None,
        holder: str = "invocation-1",
        variables: dict[str, str] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.world = world or FakeWorld(self.clock)
        self.table = table or MemoryTable()
        self.steps = steps or Steps()
        self.threads = InlineThreads()
        self.holder = holder
        self.pauses: list[float] = []
        """Pauses before a second observation; they do not move the clock."""
        self.config = config(**(variables or {}))
        outside = StepWorld(self.world, self.steps)
        store = TableStore(StepTable(self.table, self.steps))
        names: dict[str, Any] = {"policy": self.config.policy, "new_id": _new_id}
        self.cycle = Cycle(
            observer=Observer(
                config=self.config,
                health_checks=outside,
                rds=outside,
                store=store,
                threads=self.threads,
                clock=self.clock,
                stopwatch=lambda: self.clock().timestamp(),
            ),
            notices=NoticeQueue(region="eu-west-1", global_cluster_id="payments-global-dev", **names),
            delivery=NoticeDelivery(store=store, topic=outside, log=logging.getLogger("test")),
            store=store,
            rds=outside,
            metrics=outside,
            threads=self.threads,
            log=logging.getLogger("test"),
            clock=self.clock,
            sleep=self.pauses.append,
            **names,
        )

    def start(self) -> "Rig":
        """Begin an invocation and take the lease."""
        self.cycle.begin(self.holder)
        self.cycle.take_lease()
        return self

    def run(self) -> CycleResult:
        """Run one cycle and its report without moving the clock."""
        result = self.cycle.run(0.0)
        self.cycle.report(result, 0.0)
        return result

    def run_cycles(self, number: int) -> list[str]:
        """Run cycles one second apart and return their reasons."""
        reasons = []
        for _ in range(number):
            result = self.run()
            reasons.append("superseded" if result.decision is None else str(result.decision.reason))
            self.clock.advance(1)
        return reasons

    def successor(self, holder: str, steps: Steps | None = None) -> "Rig":
        """Return a new process on the same table and world that takes the lease."""
        rig = Rig(world=self.world, table=self.table, clock=self.clock, steps=steps, holder=holder)
        return rig.start()


def _new_id() -> str:
    return f"id-{next(_ids):06d}"
