"""The mutation check of the decision table (`python -m tests.mutation`)."""

import pytest

from functions.failover_controller.decide import DECISION_TABLE
from functions.failover_controller.model import Reason
from tests.mutation.behaviour import CollectedTest, first_failing
from tests.mutation.equivalents import EXCLUSIVE, NEVER_REACHED, ROW_OF, inputs_read, refuted, why_equivalent
from tests.mutation.mutants import Mutant, Mutation, mutants

pytestmark = pytest.mark.slow

LISTED = [mutant for mutant in mutants() if why_equivalent(mutant) is not None]


@pytest.mark.parametrize("mutant", LISTED, ids=lambda mutant: f"{mutant.change} {mutant.name}")
def test_listed_equivalents_change_no_decision(mutant: Mutant) -> None:
    """Proven over every combination of the inputs that their rows read."""
    assert refuted(mutant) is None


def test_every_entry_of_the_list_is_used() -> None:
    """An entry for rows that are no longer neighbours is removed."""
    swaps = {(one.reason, one.following) for one in LISTED if one.change is Mutation.SWAPPED}
    assert (set(EXCLUSIVE), set(NEVER_REACHED)) == (
        swaps,
        {one.reason for one in LISTED if one.change is not Mutation.SWAPPED},
    )


@pytest.mark.parametrize(
    ("reason", "following"),
    [(Reason.HEALTHY, Reason.WRITER_SUSPECTED), (Reason.DISARMED, Reason.COOLDOWN)],
)
def test_false_equivalent_is_refuted(reason: Reason, following: Reason) -> None:
    """The check returns the case that refutes the equivalence."""
    (mutant,) = [
        one
        for one in mutants()
        if (one.reason, one.following, one.change) == (reason, following, "swapped with the next")
    ]
    assert why_equivalent(mutant) is None
    assert refuted(mutant) is not None


def test_inputs_of_a_row_are_recorded() -> None:
    """Inputs that are read only for certain values of other inputs are recorded too."""
    partition = inputs_read((ROW_OF[Reason.NETWORK_PARTITION],))
    assert partition == ("dead_since", "heartbeat", "heartbeat_seen_at", "peer", "peer_port")


def test_each_row_has_every_mutant() -> None:
    """Dropped, negated, with the opposite action and, except for the last row, swapped with the next."""
    assert 4 * len(DECISION_TABLE) - 1 == len(list(mutants()))


def test_first_failing_test_is_named_and_the_table_restored() -> None:
    """A mutant does not outlive its run."""
    from functions.failover_controller import decide

    def fails() -> None:
        assert len(decide.DECISION_TABLE) == len(DECISION_TABLE)

    tests = [
        CollectedTest(name="passes", call=lambda: None, module=decide),
        CollectedTest(name="fails", call=fails, module=decide),
    ]
    assert ("fails", None) == (first_failing(tests, DECISION_TABLE[1:]), first_failing(tests, DECISION_TABLE))
    assert decide.DECISION_TABLE is DECISION_TABLE
