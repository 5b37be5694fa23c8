"""The mutation check of the decision table (`python -m tests.mutation`): its proofs hold, and it can tell a wrong one."""

import pytest

from functions.failover_controller.decide import DECISION_TABLE
from functions.failover_controller.model import Reason
from tests.mutation.behaviour import CollectedTest, first_failing
from tests.mutation.equivalents import EXCLUSIVE, NEVER_REACHED, ROW_OF, inputs_read, refuted, why_equivalent
from tests.mutation.mutants import Change, Mutant, mutants

LISTED = [mutant for mutant in mutants() if why_equivalent(mutant) is not None]


@pytest.mark.parametrize("mutant", LISTED, ids=lambda mutant: f"{mutant.change} {mutant.name}")
def test_a_change_on_the_list_of_equivalents_changes_no_decision(mutant: Mutant) -> None:
    """Proven over every combination of all that its rows read."""
    assert refuted(mutant) is None


def test_every_entry_of_the_list_is_used() -> None:
    """Rows that were moved apart leave no claim behind."""
    swaps = {(one.reason, one.following) for one in LISTED if one.change is Change.SWAPPED}
    assert (set(EXCLUSIVE), set(NEVER_REACHED)) == (
        swaps,
        {one.reason for one in LISTED if one.change is not Change.SWAPPED},
    )


@pytest.mark.parametrize(
    ("reason", "following"),
    [(Reason.HEALTHY, Reason.WRITER_SUSPECTED), (Reason.DISARMED, Reason.COOLDOWN)],
)
def test_rows_that_may_both_apply_are_found_out(reason: Reason, following: Reason) -> None:
    """A false claim would not pass: the case that refutes it is shown."""
    (mutant,) = [
        one
        for one in mutants()
        if (one.reason, one.following, one.change) == (reason, following, "swapped with the next")
    ]
    assert why_equivalent(mutant) is None
    assert refuted(mutant) is not None


def test_what_a_row_reads_is_watched_and_not_declared() -> None:
    """Also what it reads only after something else had a certain value."""
    partition = inputs_read((ROW_OF[Reason.NETWORK_PARTITION],))
    assert partition == ("dead_since", "heartbeat", "heartbeat_seen_at", "peer", "peer_port")


def test_each_row_is_changed_in_every_way() -> None:
    """Dropped, negated and given the opposite action; swapped with the next but for the last."""
    assert 4 * len(DECISION_TABLE) - 1 == len(list(mutants()))


def test_the_first_test_that_fails_is_named_and_the_table_put_back() -> None:
    """A mutant never outlives its run."""
    from functions.failover_controller import decide

    def fails() -> None:
        assert len(decide.DECISION_TABLE) == len(DECISION_TABLE)

    tests = [
        CollectedTest(name="passes", call=lambda: None, module=decide),
        CollectedTest(name="fails", call=fails, module=decide),
    ]
    assert ("fails", None) == (first_failing(tests, DECISION_TABLE[1:]), first_failing(tests, DECISION_TABLE))
    assert decide.DECISION_TABLE is DECISION_TABLE
