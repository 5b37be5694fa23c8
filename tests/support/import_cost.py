"""What a cold import costs, as a ratio to `import boto3`, on a machine that has other work to do.

Owns the measuring; the tests say what may be imported. Invariant: the two are measured in turns, so that a load which
comes and goes meets both; noise only ever adds time, so more rounds come closer to the truth, and never flatter it.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median

FUNCTIONS = Path(__file__).parents[2] / "functions"
ROUNDS = 5
MOST_ROUNDS = 25


def import_ratio(module: str, *, enough: float) -> float:
    """Return how many times the cost of `import boto3` a cold import of `module` costs, on either of two scales.

    The scales are the least time of each, and the median of the pairs' ratios. Measures until one of them is at most
    `enough`, or for MOST_ROUNDS.
    """
    pairs: list[tuple[float, float]] = []
    ratio = float("inf")
    while ratio > enough and len(pairs) < MOST_ROUNDS:
        pairs += [_pair(module, swapped=number % 2 == 1) for number in range(ROUNDS)]
        own, boto3 = zip(*pairs, strict=True)
        ratio = min(min(own) / min(boto3), median(mine / theirs for mine, theirs in pairs))
    return ratio


def _pair(module: str, *, swapped: bool) -> tuple[float, float]:
    if swapped:
        boto3_seconds = _cost_seconds("boto3")
        return _cost_seconds(module), boto3_seconds
    return _cost_seconds(module), _cost_seconds("boto3")


def _cost_seconds(module: str) -> float:
    """Processor time of one cold import, in a process of its own."""
    program = f"import time; start = time.process_time(); import {module}; print(time.process_time() - start)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=FUNCTIONS, capture_output=True, text=True, check=True, timeout=60
    )
    return float(run.stdout)
