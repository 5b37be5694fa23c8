"""Killed `pulumi up` and `pulumi destroy` on the real engine, recovered by the commands of the runbook page.

`python -m benchmarks.interrupted_up` does this at twenty random points each; two of each run here.
tests/integration/test_killed_runs.py kills every creation and deletion, on the in-process engine.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.interrupted_up import InterruptedStack, interruptions, points_of, workspace
from tests.support.pulumi_cli import require_pulumi

SEED = 7


@pytest.fixture(scope="module")
def stack() -> Iterator[InterruptedStack]:
    """Start an embedded AWS with an empty stack; skip without a Pulumi CLI, or fail with REQUIRE_PULUMI."""
    with workspace(require_pulumi()) as stack:
        yield stack


def test_killed_up_and_destroy_continue(stack: InterruptedStack) -> None:
    """Each ends with a preview without changes, and at least one lost creation was found."""
    done = list(interruptions(stack, points_of(SEED, 2)))
    assert [each.failure for each in done] == [""] * 4
    assert any("adopt" in each.pending for each in done)
