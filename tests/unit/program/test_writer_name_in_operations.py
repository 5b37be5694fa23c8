"""`writer.<zone>` during an operation: the roles of both controllers, minute by minute, by Route 53's rules.

Each case is compared with roles that ignore the operation, which follow the promotion instead of the call.
"""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from functions.failover_controller.metrics import cycle_metrics
from functions.failover_controller.model import Action, Decision, GlobalOperation, Observation, Peer, Port, Reason, Side
from tests.support.failover_controller.builders import healthy
from tests.support.program.harness import Run
from tests.support.program.writer_name import PRIMARY, SECONDARY, WriterName

pytestmark = pytest.mark.slow

PERIOD, CYCLE = 60, 10
STARTS_AT = 300
LONGEST_MOVE = 2 * PERIOD
"""One period may have begun with the old value, and the next one is whole."""
DECISION = Decision(action=Action.HOLD, reason=Reason.OPERATION_UNDER_WAY, target=None, evidence={})


@dataclass(frozen=True, kw_only=True)
class Move:
    """An operation. Times in seconds since its start."""

    status: str
    target: str
    demoted_at: int
    """When the old writer stops serving. Negative: it was lost before."""
    ends_at: int
    opens_at: int
    """When the database of the new writer takes writes; after `ends_at`, if RDS is faster."""
    is_cancelled: bool = False
    old_region_is_lost: bool = False
    probes_fail: bool = False
    """Whether no database accepts connections while the roles change."""

    @property
    def source(self) -> str:
        """The old writer's region."""
        return PRIMARY if self.target == SECONDARY else SECONDARY

    def serving(self, at: int) -> str | None:
        """Return the region that takes writes."""
        if at < self.demoted_at or (self.is_cancelled and at >= self.ends_at and not self.old_region_is_lost):
            return self.source
        return self.target if not self.is_cancelled and at >= self.opens_at else None

    def observe(self, region: str, at: int, *, knows_operation: bool) -> Observation | None:
        """Return what the region's controller sees; None if the region is lost."""
        if region == self.source and self.old_region_is_lost and at >= self.demoted_at:
            return None
        serving, is_moving = self.serving(at), 0 <= at < self.ends_at
        other = self.source if region == self.target else self.target
        is_dead = other == self.source and self.old_region_is_lost and at >= self.demoted_at
        is_probed = not (self.probes_fail and is_moving and serving is None)
        writer = self.target if at >= self.ends_at and not self.is_cancelled else self.source
        seen = healthy(
            writer=Side.OWN if writer == region else Side.PEER,
            own_read_only=(serving != region) if is_probed else None,
            own_port=Port.ALIVE if is_probed else Port.DEAD,
            peer_port=Port.ALIVE if is_probed and not is_dead else Port.DEAD,
            peer_read_only=(serving != other) if is_probed and not is_dead else None,
            peer=Peer.FINE if serving == other or writer == region else Peer.UNKNOWN,
        )
        if is_moving and knows_operation:
            operation = GlobalOperation(
                status=self.status, to_own=region == self.target, allows_data_loss=self.status == "failing-over"
            )
            seen = replace(seen, operation=operation)
        return seen


def seconds_on_a_reader(run: Run, move: Move, *, phase: int, knows_operation: bool = True) -> int:
    """Return the seconds in which the name leads to one region and the other one takes writes."""
    name, wrong, answer = WriterName(run), 0, move.source
    roles: dict[str, list[float]] = {PRIMARY: [], SECONDARY: []}
    for now in range(-STARTS_AT, move.opens_at + 6 * PERIOD, CYCLE):
        if (now + phase) % PERIOD == 0:
            maxima = {region: int(max(values)) if values else None for region, values in roles.items()}
            answer = name.resolves_to(maxima)
            roles = {PRIMARY: [], SECONDARY: []}
        for region, values in roles.items():
            seen = move.observe(region, now, knows_operation=knows_operation)
            published = {} if seen is None else cycle_metrics(seen, DECISION, heartbeat_stopped=None, met_error=False)
            if "WriterRole" in published:
                values.append(published["WriterRole"][0])
        if now >= 0 and move.serving(now) not in (None, answer):
            wrong += CYCLE
    assert answer == move.serving(move.opens_at + 6 * PERIOD) or move.serving(move.opens_at + 6 * PERIOD) is None
    return wrong


PHASES = range(0, PERIOD, CYCLE)
MOVES = [
    Move(
        status=status,
        target=target,
        demoted_at=demoted_at,
        ends_at=demoted_at + seconds,
        opens_at=demoted_at + seconds + late,
        probes_fail=probes_fail,
        old_region_is_lost=is_lost,
    )
    for status, target, (demoted_at, is_lost), seconds, late, probes_fail in product(
        ("failing-over", "switching-over"),
        (PRIMARY, SECONDARY),
        ((0, False), (40, False), (200, False), (-40, True)),
        (60, 180, 300),
        (0, 20),
        (False, True),
    )
]


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_completed_operation_leaves_no_client_on_a_reader_for_longer(dev: Run, move: Move) -> None:
    """Compared with a name that follows the promotion, at every phase of the alarm's period."""
    for phase in PHASES:
        with_call = seconds_on_a_reader(dev, move, phase=phase)
        assert with_call <= seconds_on_a_reader(dev, move, phase=phase, knows_operation=False)


@pytest.mark.parametrize("target", [PRIMARY, SECONDARY])
def test_name_leads_to_the_new_writer_before_it_opens(dev: Run, target: str) -> None:
    """A promotion of two minutes hides the whole move, unless the source is silent and Route 53 still has its last report."""
    move = Move(status="failing-over", target=target, demoted_at=0, ends_at=120, opens_at=120)
    assert [seconds_on_a_reader(dev, move, phase=phase) for phase in PHASES] == [0] * len(PHASES)
    followed = [seconds_on_a_reader(dev, move, phase=phase, knows_operation=False) for phase in PHASES]
    assert max(followed) == (PERIOD if target == SECONDARY else 0)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("seconds", [10, 60, 110, 300])
@pytest.mark.parametrize("demoted_at", [0, 30])
@pytest.mark.parametrize("target", [PRIMARY, SECONDARY])
@pytest.mark.parametrize("status", ["failing-over", "switching-over"])
def test_name_returns_from_a_cancelled_operation(
    dev: Run, status: str, target: str, demoted_at: int, seconds: int, phase: int
) -> None:
    """The old writer serves again: the name is back after one whole period of its roles, as after a switchover."""
    ends_at = demoted_at + seconds
    move = Move(
        status=status, target=target, demoted_at=demoted_at, ends_at=ends_at, opens_at=ends_at, is_cancelled=True
    )
    assert seconds_on_a_reader(dev, move, phase=phase) <= LONGEST_MOVE


@pytest.mark.parametrize("status", ["pending", "switching-over", "failing-over"])
@pytest.mark.parametrize("target", [PRIMARY, SECONDARY])
def test_name_stays_while_the_old_writer_serves(dev: Run, status: str, target: str) -> None:
    """An operation that is scheduled or waits for the standby, and is then cancelled, moves no client."""
    move = Move(status=status, target=target, demoted_at=500, ends_at=490, opens_at=490, is_cancelled=True)
    assert [seconds_on_a_reader(dev, move, phase=phase) for phase in PHASES] == [0] * len(PHASES)
