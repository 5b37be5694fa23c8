"""One process of the controller, wired to fakes, and the cycles that a test lets it do."""

import logging
from itertools import count
from typing import Any

from functions.failover_controller.cycle import Cycle, CycleResult
from functions.failover_controller.delivery import NoticeDelivery
from functions.failover_controller.notices import NoticeQueue
from functions.failover_controller.observe import Observer
from functions.failover_controller.store import TableStore
from tests.support.failover_controller.builders import settings
from tests.support.failover_controller.fakes import (
    Clock,
    InlineThreads,
    MemoryTable,
    Steps,
    StepTable,
    StepWorld,
    World,
)

_ids = count(1)


class Rig:
    """A cycle on fakes. Several on one table and one world are several processes."""

    def __init__(
        self,
        *,
        world: World | None = None,
        table: MemoryTable | None = None,
        clock: Clock | None = None,
        steps: Steps | None = None,
        holder: str = "invocation-1",
        variables: dict[str, str] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.world = world or World(self.clock)
        self.table = table or MemoryTable()
        self.steps = steps or Steps()
        self.threads = InlineThreads()
        self.holder = holder
        self.settings = settings(**(variables or {}))
        outside = StepWorld(self.world, self.steps)
        store = TableStore(StepTable(self.table, self.steps))
        names: dict[str, Any] = {"policy": self.settings.policy, "new_id": _new_id}
        self.cycle = Cycle(
            observer=Observer(
                settings=self.settings,
                health_checks=outside,
                rds=outside,
                store=store,
                threads=self.threads,
                clock=self.clock,
                stopwatch=lambda: self.clock().timestamp(),
            ),
            announcer=NoticeQueue(region="eu-west-1", global_cluster_id="payments-global-dev", **names),
            courier=NoticeDelivery(store=store, topic=outside, log=logging.getLogger("test")),
            store=store,
            rds=outside,
            metrics=outside,
            threads=self.threads,
            clock=self.clock,
            **names,
        )

    def start(self) -> "Rig":
        """Begin an invocation and take the lease."""
        self.cycle.begin(self.holder)
        self.cycle.take_lease()
        return self

    def run(self) -> CycleResult:
        """Do one cycle and its report, without moving the clock."""
        result = self.cycle.run(0.0)
        self.cycle.report(result, 0.0)
        return result

    def run_cycles(self, number: int) -> list[str]:
        """Do cycles a second apart; return the reasons."""
        reasons = []
        for _ in range(number):
            result = self.run()
            reasons.append("superseded" if result.decision is None else str(result.decision.reason))
            self.clock.advance(1)
        return reasons

    def successor(self, holder: str, steps: Steps | None = None) -> "Rig":
        """A new process on the same table and world, that takes the lease."""
        rig = Rig(world=self.world, table=self.table, clock=self.clock, steps=steps, holder=holder)
        return rig.start()


def _new_id() -> str:
    return f"id-{next(_ids):06d}"
