"""The pool that docs/connecting.md advises."""

import inspect
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from rehearsal import client_pool

PAGE = Path(__file__).parents[3] / "docs" / "connecting.md"


@pytest.mark.parametrize("part", [client_pool.writer_pool, client_pool.back_off])
def test_page_shows_the_code_of_the_rehearsed_client(part: Callable[..., object]) -> None:
    """The page's advice is what the drills carry through an outage."""
    assert inspect.getsource(part) in PAGE.read_text(encoding="utf-8")


def test_pauses_grow_to_their_limit_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause is drawn between zero and twice the previous limit."""
    limits: list[float] = []
    monkeypatch.setattr(random, "uniform", lambda low, high: [limits.append(high), low][1])
    pauses = list(islice(client_pool.back_off(first_seconds=0.1, longest_seconds=1.0), 6))
    assert ([0.1, 0.2, 0.4, 0.8, 1.0, 1.0], [0.0] * 6) == (limits, [float(each) for each in pauses])
