"""Duration of one real `decide` on its slowest path.

The timed case ends in REGION_LOST, so every row but the last one is evaluated.
"""

from random import Random
from statistics import median
from time import process_time

from benchmarks.controller import POLICY
from benchmarks.observer import SimulatedObserver, moment
from benchmarks.simulated_regions import REGION_LOST, Cause, Effect, Episode
from functions.failover_controller.decide import decide
from functions.failover_controller.model import Reason, State
from functions.failover_controller.state_update import update_state

ROUNDS = 7
DECISIONS_A_ROUND = 3000


def decide_microseconds() -> float:
    """Return the median over several rounds of a decision's mean processor time, in microseconds.

    Raises:
        RuntimeError: the timed case has an unexpected result.
    """
    loss = Episode([Effect(start=100.0, end=700.0, cause=Cause.REGION_LOSS, paths=REGION_LOST)])
    observer = SimulatedObserver(loss, POLICY, Random(0))
    state = State()
    for at in (85.0, 95.0):
        seen, _ = observer.observe_healthy(at)
        state, _ = update_state(state, seen, POLICY)
    for cycle in range(POLICY.failure_threshold):
        seen, _ = observer.observe_at(105.0 + 10 * cycle, REGION_LOST)
        state, _ = update_state(state, seen, POLICY)
    now = moment(108.0 + 10 * (POLICY.failure_threshold - 1))
    reason = decide(seen, state, POLICY, now).reason
    if reason is not Reason.REGION_LOST:
        raise RuntimeError(f"the timed case ends in {reason}")
    rounds: list[float] = []
    for _ in range(ROUNDS):
        started = process_time()
        for _ in range(DECISIONS_A_ROUND):
            decide(seen, state, POLICY, now)
        rounds.append((process_time() - started) / DECISIONS_A_ROUND * 1e6)
    return median(rounds)
