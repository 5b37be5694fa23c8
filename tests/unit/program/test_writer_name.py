"""The answer of `writer.<zone>` by Route 53's rules, in every state of both regions.

The metric is each region's `WriterRole`: 1, 0, or None without data.
"""

from itertools import product

import pytest

from tests.support.program.harness import Run
from tests.support.program.writer_name import PRIMARY, SECONDARY, WriterName

VALUES = (0, 1, None)


# (the secondary region's metric, its last value) -> the answers while the primary region's metric is 0, 1, None.
# P is primary, S is secondary.
TRUTH = {
    (0, 0): "PPP",
    (0, 1): "PPP",  # a switchover to the primary region
    (0, None): "PPP",
    (1, 0): "SSS",  # a failover: the old region is back (0), isolated (1) or lost
    (1, 1): "SSS",
    (1, None): "SSS",
    (None, 0): "PPP",  # the standby region reports nothing: no change
    (None, 1): "SPS",  # the writer's region reports nothing: only a promotion changes the answer
    (None, None): "PPP",  # a new stack
}


@pytest.mark.parametrize(("before", "primary_before"), list(product(VALUES, VALUES)))
@pytest.mark.parametrize(("secondary", "primary"), list(product(VALUES, VALUES)))
def test_truth_table(
    dev: Run, secondary: int | None, primary: int | None, before: int | None, primary_before: int | None
) -> None:
    """All 81 states; the primary region's earlier value never matters."""
    name = WriterName(dev)
    name.resolves_to({PRIMARY: primary_before, SECONDARY: before})

    expected = {"P": PRIMARY, "S": SECONDARY}[TRUTH[secondary, before][VALUES.index(primary)]]
    assert expected == name.resolves_to({PRIMARY: primary, SECONDARY: secondary})


START = (0, 1, "S")
"""After a failover: the secondary region is the writer, the primary region is back as a reader."""
SEQUENCES: dict[str, list[tuple[int | None, int | None, str]]] = {
    # Each step: the primary region's metric, the secondary region's metric, the answer.
    "a failover, after which the old region returns as a reader": [
        (1, 0, "P"),
        (None, 0, "P"),
        (None, 1, "S"),
        (0, 1, "S"),
    ],
    "a switchover and the switchover back": [(1, 0, "P"), (0, 0, "P"), (0, 1, "S"), (0, 0, "P"), (1, 0, "P")],
    "the secondary region is lost as the writer, and the primary region takes over": [
        START,
        (0, None, "S"),
        (1, None, "P"),
        (1, 0, "P"),
    ],
    # A limit: without data from both regions, Route 53 does not know which one reported last. If it kept the primary region's
    # last report, the name would leave a writer in the secondary region that only loses its telemetry.
    "the primary region takes over and then reports nothing": [
        START,
        (1, None, "P"),
        (None, None, "S"),
        (1, None, "P"),
    ],
    "the standby region reports nothing for a while": [(1, 0, "P"), (1, None, "P"), (None, None, "P"), (1, 0, "P")],
    "the writer in the secondary region loses its telemetry": [START, (0, None, "S"), (None, None, "S"), START],
    "both report that they are the writer, after a promotion while the primary region was isolated": [
        (1, 0, "P"),
        (1, 1, "S"),
        (1, 1, "S"),
        START,
    ],
    "a new stack, before its first cycle": [(None, None, "P"), (0, None, "P"), (1, None, "P"), (1, 0, "P")],
}


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_name_follows_a_sequence_of_states(dev: Run, sequence: str) -> None:
    """Each step keeps Route 53's last known statuses."""
    name = WriterName(dev)
    steps = SEQUENCES[sequence]

    expected = [{"P": PRIMARY, "S": SECONDARY}[answer] for _primary, _secondary, answer in steps]
    assert expected == [
        name.resolves_to({PRIMARY: primary, SECONDARY: secondary}) for primary, secondary, _answer in steps
    ]
