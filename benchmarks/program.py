"""Processor time of the program, compared with the import of its SDK, and for several databases."""

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
PAIRS = 5
COUNTS = (1, 2, 4)


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
    command = [sys.executable, "-m", "benchmarks.program", *arguments]
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


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(*sys.argv[1:])) + "\n")
