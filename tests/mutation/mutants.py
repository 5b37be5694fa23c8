"""Mutants of the decision table: each differs in one row or in the order of two neighbours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from functions.failover_controller.conditions import Case
from functions.failover_controller.decide import DECISION_TABLE, DecisionRow
from functions.failover_controller.model import Action, Reason

Table = tuple[DecisionRow, ...]


class Mutation(StrEnum):
    """Kind of change to a row."""

    DROPPED = "dropped"
    NEGATED = "negated"
    SWAPPED = "swapped with the next"
    ACTS = "fails over"
    HOLDS = "holds"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """The table with one change."""

    change: Mutation
    reason: Reason
    following: Reason | None
    table: Table

    @property
    def name(self) -> str:
        """The row's reason, and the next row's if they are swapped."""
        return f"{self.reason} / {self.following}" if self.change is Mutation.SWAPPED else str(self.reason)


def mutants() -> Iterator[Mutant]:
    """Yield each row dropped, negated, swapped with the next, and with the opposite action."""
    for index, row in enumerate(DECISION_TABLE):
        before, after = DECISION_TABLE[:index], DECISION_TABLE[index + 1 :]
        following = after[0] if after else None
        acts = row.action is Action.FAIL_OVER
        other = replace(row, action=Action.HOLD if acts else Action.FAIL_OVER)
        changed: list[tuple[Mutation, Table]] = [
            (Mutation.DROPPED, before + after),
            (Mutation.NEGATED, (*before, replace(row, applies=_negation(row)), *after)),
            (Mutation.HOLDS if acts else Mutation.ACTS, (*before, other, *after)),
        ]
        if following is not None:
            changed.append((Mutation.SWAPPED, (*before, following, row, *after[1:])))
        for change, table in changed:
            reason = None if following is None else following.reason
            yield Mutant(change=change, reason=row.reason, following=reason, table=table)


def _negation(row: DecisionRow) -> Callable[[Case], bool]:
    return lambda case: not row.applies(case)
