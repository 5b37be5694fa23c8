"""Invariants of the decision over all combinations of observations and guards."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.failover_controller.decide import decide
from functions.failover_controller.model import (
    Action,
    Approval,
    AttemptStatus,
    Claim,
    Decision,
    GlobalOperation,
    Members,
    Mode,
    Observation,
    Peer,
    Pending,
    Policy,
    Port,
    Reason,
    Records,
    Side,
    State,
    Switch,
)
from tests.support.failover_controller.builders import NOW, after, attempt, lost, policy, third_cycle

pytestmark = pytest.mark.slow

HEARTBEAT = "2026-11-24T02:59:57+00:00"
OPERATION = GlobalOperation(status="failing-over", to_own=True, allows_data_loss=True)
DISARMED = Switch(armed=False, reason="", by="ada", expires_at=None)

SEEN: dict[str, tuple[Any, ...]] = {
    "writer": (Side.PEER, Side.OWN, Side.UNKNOWN),
    "rds_failure": (None, "throttled"),
    "operation": (None, OPERATION),
    "own_function_failure": (None, "timed out"),
    "peer_port": tuple(Port),
    "own_port": tuple(Port),
    "peer": tuple(Peer),
    "heartbeat": (HEARTBEAT, None),
}
STATE: dict[str, tuple[Any, ...]] = {
    "cycles": (0, 2, 3),
    "heartbeat_seen_at": (None, after(-2), after(-1), after(-60)),
    "dead_since": (after(-2), after(-60)),
}
GUARDS: dict[str, tuple[Any, ...]] = {
    "failures": ({}, {"state": "x"}, {"switch": "x"}, {"lease": "x"}, {"lock": "x"}),
    "switch": (None, DISARMED, replace(DISARMED, expires_at=after(1)), replace(DISARMED, expires_at=after(-1))),
    "lock": (None, Claim(holder="other", until=after(1), version=0)),
    "approval": (
        None,
        Approval(id="pending", approved=True, by="ada"),
        Approval(id="pending", approved=False, by="ada"),
    ),
    "standby_status": ("available", "modifying", None),
    "standby_instances": (2, 0, None),
    "synchronization": ("connected", "pending-resync", None),
    "lag_ms": (80.0, 60_000.0, None),
    "roles_changed_at": (None, after(-1), after(-1000)),
    "mode": tuple(Mode),
    "members": tuple(Members),
    "own_read_only": (True, False, None),
    "attempt": (None, attempt(), attempt(status=AttemptStatus.UNDER_WAY), attempt(touched_at=after(-60))),
}


def case(**choice: Any) -> tuple[Observation, State, Policy]:
    """Return observation, state and policy for one value of every input."""
    records = Records(
        **{name: choice.pop(name) for name in ("failures", "switch", "lock", "approval") if name in choice}
    )
    rules = policy(mode=choice.pop("mode", Mode.AUTOMATIC))
    cycles = choice.pop("cycles", 3)
    stored = {name: choice.pop(name) for name in (*STATE, "lag_ms", "roles_changed_at", "attempt") if name in choice}
    pending = Pending(id="pending", verdict=Reason.REGION_LOST, asked_at=after(-60))
    state = third_cycle(silent_cycles=cycles, dead_cycles=cycles, pending=pending, lag_at=after(-3), **stored)
    if state.dead_since is not None and state.dead_since < after(-50):
        state = replace(state, lag_at=after(-61))
    return lost(records=records, **choice), state, rules


def broken_invariants(seen: Observation, state: State, rules: Policy, decision: Decision) -> Iterator[str]:
    """Return the invariants that a decision breaks, written independently of the table."""
    if decision.action is not Action.FAIL_OVER:
        return
    quiet = None if state.heartbeat_seen_at is None else (NOW - state.heartbeat_seen_at).total_seconds()
    approval, switch, lock = seen.records.approval, seen.records.switch, seen.records.lock
    is_approved = approval is not None and approval.approved
    cycles = state.silent_cycles if seen.peer is Peer.SILENT else state.dead_cycles
    grace_is_over = state.dead_since is not None and (NOW - state.dead_since).total_seconds() >= 20
    is_approved_after_the_grace = is_approved and grace_is_over and (quiet is None or quiet >= 20)
    must = {
        "the RDS API is read": seen.rds_failure is None or is_approved_after_the_grace,
        "the own probe answered": seen.own_function_failure is None,
        "the other cluster is the writer": seen.writer is Side.PEER
        or (seen.writer is Side.UNKNOWN and seen.rds_failure is not None and is_approved_after_the_grace),
        "the target is a read-only member": seen.members in (Members.EXPECTED, Members.OTHERS)
        and seen.own_read_only is not False,
        "no third member, or an approval exists": seen.members is Members.EXPECTED or is_approved,
        "no operation is in progress": seen.operation is None,
        "no earlier attempt may still take effect": state.attempt is None or state.attempt.touched_at == after(-60),
        "the writer's port is unreachable, or it serves no one": seen.peer_port is Port.DEAD
        or (seen.peer_port is Port.UNUSABLE and is_approved_after_the_grace),
        "the other region does not report a working writer": seen.peer is not Peer.FINE,
        "the other region is silent or reports its writer as down": seen.peer is not Peer.UNKNOWN
        or is_approved_after_the_grace,
        "three cycles": cycles >= 3 or is_approved_after_the_grace,
        "the grace has ended unless the region is silent": seen.peer is Peer.SILENT or grace_is_over,
        "the heartbeat is known, or an approval exists": (seen.heartbeat is not None and quiet is not None)
        or is_approved,
        "a known heartbeat has stopped": seen.heartbeat is None or quiet is None or quiet >= 1.8,
        "the standby is reachable": seen.own_port is Port.ALIVE,
        "the standby is available": seen.standby_status == "available" or seen.rds_failure is not None,
        "the standby has an instance": bool(seen.standby_instances) or seen.rds_failure is not None,
        "the standby is synchronized, or an approval exists": seen.synchronization in ("connected", None)
        or is_approved,
        "everything was read": not seen.records.failures,
        "armed": switch is None or switch.armed or (switch.expires_at is not None and switch.expires_at <= NOW),
        "no cooldown": state.roles_changed_at != after(-1),
        "no other process holds the lock": lock is None,
        "not in mode observe": rules.mode is not Mode.OBSERVE,
        "approved where required": rules.mode is Mode.AUTOMATIC or is_approved,
        "a known and small loss, or an approved one": is_approved or state.lag_ms == 80.0,
        "the own cluster is the target": decision.target == rules.target,
    }
    yield from (name for name, holds in must.items() if not holds)


def combinations(table: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Return every combination of the inputs' values."""
    for values in product(*table.values()):
        yield dict(zip(table, values, strict=True))


def test_no_observation_breaks_an_invariant() -> None:
    """All combinations of observations and counts, without guards."""
    actions = set()
    for choice in combinations({**SEEN, **STATE}):
        seen, state, rules = case(**choice)
        decision = decide(seen, state, rules, NOW)
        actions.add(decision.action)
        assert list(broken_invariants(seen, state, rules, decision)) == [], choice
    assert set(Action) == actions


def test_no_combination_of_guards_breaks_an_invariant() -> None:
    """All combinations of guards for a lost region."""
    acted = 0
    fewer = {
        **GUARDS,
        "members": (Members.EXPECTED, Members.OTHERS),
        "own_read_only": (True,),
        "standby_instances": (2, None),
        "mode": (Mode.AUTOMATIC, Mode.OBSERVE),
        "failures": ({}, {"switch": "x"}),
        "switch": (None, DISARMED),
        "approval": GUARDS["approval"][:2],
    }
    for choice in combinations({**fewer, "synchronization": ("connected", "pending-resync")}):
        seen, state, rules = case(**choice)
        decision = decide(seen, state, rules, NOW)
        acted += decision.action is Action.FAIL_OVER
        assert list(broken_invariants(seen, state, rules, decision)) == [], choice
    assert acted > 0


def test_lost_region_fails_over_without_guards() -> None:
    """The invariants do not hold merely because nothing acts."""
    good = {
        **GUARDS,
        "failures": ({},),
        "switch": (None,),
        "lock": (None,),
        "mode": (Mode.AUTOMATIC,),
        "attempt": (None,),
        "members": (Members.EXPECTED,),
        "own_read_only": (True, None),
    }
    good |= {"standby_status": ("available",), "standby_instances": (2,), "synchronization": ("connected", None)}
    good |= {"roles_changed_at": (None, after(-1000)), "lag_ms": (80.0,)}
    assert {Action.FAIL_OVER} == {decide(*case(**choice), NOW).action for choice in combinations(good)}


@settings(max_examples=400, deadline=None)
@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in {**SEEN, **STATE, **GUARDS}.items()}))
def test_no_mixture_breaks_an_invariant(choice: dict[str, Any]) -> None:
    """Random observations, counts and guards."""
    seen, state, rules = case(**choice)
    assert list(broken_invariants(seen, state, rules, decide(seen, state, rules, NOW))) == []


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in {**SEEN, **STATE, **GUARDS}.items()}))
def test_decision_is_deterministic(choice: dict[str, Any]) -> None:
    """A decision depends on the arguments of `decide` only."""
    seen, state, rules = case(**choice)
    assert decide(seen, state, rules, NOW) == decide(seen, state, rules, NOW)
