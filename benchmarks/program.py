"""Processor time of the program, compared with the import of its SDK, and for several databases.

`python -m benchmarks.program` (part of `make benchmark`) prints both and ends with exit code 1 when a limit is exceeded.
"""

import gc
import importlib
import json
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
SDK = ("pulumi", "pulumi_aws", "pulumi_random")
MAX_IMPORT_RATIO = 1.6
PAIRS = 5
COUNTS = (1, 2, 4)
TOLERANCE = 1.4
"""Tolerated growth of processor time per resource, for a busy machine."""


@dataclass(frozen=True, kw_only=True)
class ImportComparison:
    """Processor seconds of one pair of fresh processes."""

    program_seconds: float
    """Interpreter, imports and program."""
    import_seconds: float
    """Interpreter, and the import of the same SDK modules."""

    @property
    def ratio(self) -> float:
        """Program time as a multiple of the import time."""
        return self.program_seconds / self.import_seconds


@dataclass(frozen=True, kw_only=True)
class DatabaseScaling:
    """Several databases made by one program."""

    databases: int
    resources: int
    seconds: float


def compare_with_import(pairs: int = PAIRS) -> list[ImportComparison]:
    """Measure pairs of fresh processes in sequence.

    Raises:
        subprocess.CalledProcessError: a process failed.
    """
    comparisons: list[ImportComparison] = []
    for _ in range(pairs):
        program = _in_fresh_process("program")
        imports = _in_fresh_process("import", json.dumps(program["modules"]))
        comparisons.append(ImportComparison(program_seconds=program["seconds"], import_seconds=imports["seconds"]))
    return comparisons


def median_ratio(pairs: Sequence[ImportComparison]) -> float:
    """Return the median ratio."""
    return median(pair.ratio for pair in pairs)


def measure_scaling(counts: Sequence[int] = COUNTS) -> list[DatabaseScaling]:
    """Measure programs with several databases in a fresh process with warm imports."""
    return [
        DatabaseScaling(**each) for each in _in_fresh_process("measure_scaling", json.dumps(list(counts)))["measured"]
    ]


def growth(measured: Sequence[DatabaseScaling]) -> float:
    """Return the growth of time relative to resources from the first to the last measurement; 1 is proportional."""
    first, last = measured[0], measured[-1]
    return (last.seconds / first.seconds) / (last.resources / first.resources)


def _in_fresh_process(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.program", "measure", *arguments]
    completed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(completed.stdout.splitlines()[-1])


def _measure(what: str, given: str = "") -> dict:
    """Return the measurement of a fresh process; `process_time` counts from its start."""
    if what == "import":
        for name in json.loads(given):
            importlib.import_module(name)
        return {"seconds": time.process_time()}
    if what == "measure_scaling":
        return {"measured": [vars(_measure_databases(count)) for count in (1, *json.loads(given))][1:]}
    from tests.support.program.harness import run_program

    run = run_program({}, imported_before=False)
    if run.error is not None:
        raise run.error
    modules = [name for name in sys.modules if name.split(".")[0] in SDK]
    return {"seconds": run.ended_at_cpu_seconds, "modules": modules}


def _measure_databases(count: int) -> DatabaseScaling:
    from tests.support.program.harness import run_program

    gc.collect()
    run = run_program({}, program=databases(count))
    if run.error is not None:
        raise run.error
    return DatabaseScaling(databases=count, resources=len(run.resources), seconds=run.cpu_seconds)


def databases(count: int) -> Callable[[], None]:
    """Return a program that runs `__main__.py` several times, each time for another project.

    Each run prefixes its resource names, because the engine requires unique names.
    """
    from pulumi.runtime.config import set_all_config

    from settings import PROJECT_NAMESPACE

    def program() -> None:
        sys.path.insert(0, str(ROOT))
        try:
            for number in range(count):
                set_all_config({f"{PROJECT_NAMESPACE}:project": f"payments-{number}"})
                with _prefixed(f"database-{number}-"):
                    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
        finally:
            sys.path.remove(str(ROOT))

    return program


@contextmanager
def _prefixed(prefix: str) -> Iterator[None]:
    import pulumi

    original = pulumi.Resource.__init__

    def with_prefix(self: pulumi.Resource, t: str, name: str, *others: object, **named: object) -> None:
        original(self, t, name if t == "pulumi:pulumi:Stack" else f"{prefix}{name}", *others, **named)  # pyright: ignore

    pulumi.Resource.__init__ = with_prefix
    try:
        yield
    finally:
        pulumi.Resource.__init__ = original


def exceeded_limits(ratio: float, time_growth: float) -> list[str]:
    """Return a sentence for each limit that the measurements exceed."""
    limits = (
        (ratio, MAX_IMPORT_RATIO, "times the import of the SDK modules"),
        (time_growth, TOLERANCE, "times the growth of the resources"),
    )
    return [
        f"The program takes {value:.2f} {what}; at most {most} is allowed."
        for value, most, what in limits
        if value > most
    ]


def _report() -> int:
    pairs, measured = compare_with_import(), measure_scaling()
    ratio, time_growth = median_ratio(pairs), growth(measured)
    lines = [
        "The program compared with the import of the same SDK modules (processor time, fresh processes):",
        *(f"  {p.program_seconds:.2f} s compared with {p.import_seconds:.2f} s: {p.ratio:.2f} times" for p in pairs),
        f"  median {ratio:.2f} times",
        "Databases made by one program:",
        *(
            f"  {m.databases}: {m.resources} resources, {m.seconds:.2f} s, {m.seconds / m.resources * 1000:.2f} ms a resource"
            for m in measured
        ),
        f"  time grows {time_growth:.2f} times as fast as resources",
        *exceeded_limits(ratio, time_growth),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if exceeded_limits(ratio, time_growth) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        sys.stdout.write(json.dumps(_measure(*sys.argv[2:])) + "\n")
    else:
        sys.exit(_report())
