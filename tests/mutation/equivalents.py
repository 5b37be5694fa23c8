"""Mutants that change no decision, each with its reason and a proof over every combination of inputs.

The inputs of a row are recorded while it runs, not declared. Their values are those of test_decide_invariants.py.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any, cast

from functions.failover_controller.conditions import Case
from functions.failover_controller.decide import DECISION_TABLE, DecisionRow
from functions.failover_controller.model import Observation, Policy, Reason, State
from tests.mutation.mutants import Mutant, Mutation
from tests.support.failover_controller.builders import NOW
from tests.unit.functions.failover_controller.test_decide_invariants import GUARDS, SEEN, STATE, case

INPUTS: Mapping[str, tuple[Any, ...]] = {**SEEN, **STATE, **GUARDS, "peer_read_only": (None, False, True)}
READ_AS: Mapping[str, str | None] = {
    "silent_cycles": "cycles",
    "dead_cycles": "cycles",
    "lag_at": "dead_since",
    "max_data_loss_seconds": None,
    "lag_fresh_seconds": None,
    "quiet_seconds": None,
    "heartbeat_overdue_seconds": None,
    "writer_since": None,
    "silence_fresh_seconds": None,
    "served_at": None,
    "peer_answered_at": None,
    "peer_port_refused": None,
    "failure_threshold": None,
    "extra_cycles": None,
    "silence_healed_at": None,
    "calm_silence_at": None,
    "settling_seconds": None,
    "in_region_grace_seconds": None,
    "cooldown_seconds": None,
    "pending": None,
}
"""Map from an attribute that a row reads to its input; None if the attribute is the same in every case."""

EXCLUSIVE: Mapping[tuple[Reason, Reason], str] = {
    (Reason.CLUSTER_DETACHED, Reason.WRITER_ELSEWHERE): "the own cluster is a member, or not",
    (Reason.NETWORK_PARTITION, Reason.WRITER_READ_ONLY): "the port is unreachable, or alive",
    (Reason.WRITER_READ_ONLY, Reason.WRITER_UNVERIFIED): "the port is alive, or unusable",
    (Reason.PEER_UNKNOWN, Reason.PEER_SILENT): "the other region answers, or is silent",
    (Reason.PEER_SILENT, Reason.PEER_PROBE_FAILS): "the other region is silent, or reports its writer as down",
    (Reason.RDS_UNCLEAR, Reason.WRITER_UNUSABLE): "the port is unreachable, or answers",
    (Reason.WRITER_UNUSABLE, Reason.REGION_UNCLEAR): "the port answers, or is unreachable",
    (Reason.LAG_UNKNOWN, Reason.LAG_TOO_HIGH): "the lag is unknown, or a number",
    (Reason.APPROVAL_NEEDED, Reason.REGION_IMPAIRED): "an approval exists, or does not",
    (Reason.WRITER_DOWN, Reason.REGION_LOST): "the other region reports its writer as down, or is silent",
}
"""Map from two neighbouring rows to the reason why at most one of them applies, so their order has no effect."""

NEVER_REACHED: Mapping[Reason, tuple[str, tuple[Reason, ...]]] = {
    Reason.UNDECIDED: (
        "for each state of the port and of the other region a row above applies",
        (
            Reason.PROBE_UNUSABLE,
            Reason.NETWORK_PARTITION,
            Reason.WRITER_UNVERIFIED,
            Reason.PEER_UNKNOWN,
            Reason.HEALTHY,
            Reason.WRITER_UNUSABLE,
            Reason.REGION_UNCLEAR,
            Reason.REGION_IMPAIRED,
            Reason.WRITER_DOWN,
            Reason.REGION_LOST,
        ),
    ),
}
"""Map from a row that no case reaches to the reason, and to the rows above of which one always applies."""

ROW_OF: Mapping[Reason, DecisionRow] = {rule.reason: rule for rule in DECISION_TABLE}


def why_equivalent(mutant: Mutant) -> str | None:
    """Return why a mutant is listed as equivalent; None if it is not listed."""
    if mutant.change is Mutation.SWAPPED and mutant.following is not None:
        return EXCLUSIVE.get((mutant.reason, mutant.following))
    found = NEVER_REACHED.get(mutant.reason)
    return None if found is None else found[0]


def refuted(mutant: Mutant) -> str | None:
    """Return a case that refutes the listed reason, as text; None if every case confirms it."""
    if mutant.change is Mutation.SWAPPED and mutant.following is not None:
        rows = (ROW_OF[mutant.reason], ROW_OF[mutant.following])
        return _find(rows, lambda applies: all(applies))
    return _uncovered(mutant.reason)


@cache
def _uncovered(reason: Reason) -> str | None:
    """Return a case that reaches a row to which NEVER_REACHED says no case comes."""
    _, covering = NEVER_REACHED[reason]
    return _find(tuple(ROW_OF[above] for above in covering), lambda applies: not any(applies))


def cases_of_proof(mutant: Mutant) -> int:
    """Return the number of combinations in a proof."""
    if mutant.change is Mutation.SWAPPED and mutant.following is not None:
        reasons: tuple[Reason, ...] = (mutant.reason, mutant.following)
    else:
        reasons = NEVER_REACHED[mutant.reason][1]
    return sum(1 for _ in _combinations(inputs_read(tuple(ROW_OF[reason] for reason in reasons))))


@cache
def inputs_read(rows: tuple[DecisionRow, ...]) -> tuple[str, ...]:
    """Return every input that any of the rows reads in any case; repeats until no new one is found."""
    known: frozenset[str] = frozenset()
    while True:
        read: set[str] = set(known)
        for choice in _combinations(tuple(sorted(known))):
            for row in rows:
                row.applies(_recording(case(**choice), read))
        if read == known:
            return tuple(sorted(known))
        known = frozenset(read)


def _find(rows: tuple[DecisionRow, ...], is_counter_example: Callable[[list[bool]], bool]) -> str | None:
    for choice in _combinations(inputs_read(rows)):
        seen, state, policy = case(**choice)
        if is_counter_example([row.applies(Case(seen, state, policy, NOW)) for row in rows]):
            return str(choice)
    return None


def _combinations(names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for values in product(*(INPUTS[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def _recording(parts: tuple[Observation, State, Policy], read: set[str]) -> Case:
    seen, state, policy = (cast("Any", _Recording(part, read)) for part in parts)
    return Case(seen, state, policy, NOW)


class _Recording:
    """Proxy of an observation, state or policy that records which inputs are read."""

    def __init__(self, whole: object, read: set[str]) -> None:
        self._whole = whole
        self._read = read

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._whole, name)
        if name == "records":
            return _Recording(value, self._read)
        source = READ_AS.get(name, name)
        if source is not None:
            if source not in INPUTS:
                raise LookupError(f"{name}: a row reads it, but no input varies it. Add it to READ_AS.")
            self._read.add(source)
        return value
