"""Killed `pulumi up` and `pulumi destroy` on the real engine, recovered by the commands of the runbook page.

`python -m benchmarks.interrupted_up` does this at twenty random points each; two of each run here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.interrupted_up import InterruptedStack, interruptions, points_of, workspace
from tools import fetch_pulumi

SEED = 7


@pytest.fixture(scope="module")
def stack() -> Iterator[InterruptedStack]:
    """Start an embedded AWS with an empty stack; skip without a Pulumi CLI, or fail with REQUIRE_PULUMI."""
    cli = fetch_pulumi.find(os.environ)
    if cli is None:
        if os.environ.get("REQUIRE_PULUMI"):
            pytest.fail(f"REQUIRE_PULUMI is set, but there is no Pulumi CLI. {fetch_pulumi.INSTALL}")
        pytest.skip(f"There is no Pulumi CLI. {fetch_pulumi.INSTALL}")
    with workspace(Path(cli)) as stack:
        yield stack


def test_killed_up_and_destroy_continue(stack: InterruptedStack) -> None:
    """Each ends with a preview without changes, and at least one lost creation was found."""
    done = list(interruptions(stack, points_of(SEED, 2)))
    assert [each.failure for each in done] == [""] * 4
    assert any("adopt" in each.pending for each in done)
