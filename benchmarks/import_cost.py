"""Cost of a cold import relative to `import boto3`, measured robustly on a busy machine.

Both imports are measured alternately. Noise only adds time, so more rounds approach the true ratio from above.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).parents[1]
ROUNDS = 5
MOST_ROUNDS = 25


def import_ratio(module: str, *, enough: float) -> float:
    """Return the cost of a cold import of `module` divided by that of `import boto3`.

    The ratio is the smaller of two: between the shortest times, and the median over all pairs. Measures until it is
    at most `enough`, or for MOST_ROUNDS.
    """
    pairs: list[tuple[float, float]] = []
    ratio = float("inf")
    while ratio > enough and len(pairs) < MOST_ROUNDS:
        pairs += [_pair(module, swapped=number % 2 == 1) for number in range(ROUNDS)]
        own, boto3 = zip(*pairs, strict=True)
        ratio = min(
            min(own) / min(boto3), median(module_seconds / boto3_seconds for module_seconds, boto3_seconds in pairs)
        )
    return ratio


def _pair(module: str, *, swapped: bool) -> tuple[float, float]:
    if swapped:
        boto3_seconds = _cost_seconds("boto3")
        return _cost_seconds(module), boto3_seconds
    return _cost_seconds(module), _cost_seconds("boto3")


def _cost_seconds(module: str) -> float:
    """Return the processor time of one import in a new process."""
    program = f"import time; start = time.process_time(); import {module}; print(time.process_time() - start)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    return float(run.stdout)
