"""How long the program itself takes: beside the bare import of the SDK that it uses, and for several databases at once.

`python -m benchmarks.program` prints both. Owns: the measurement, in processor time (others use the machine too), of fresh
processes. Does not own: the limits' enforcement (tests/unit/program/test_benchmark.py), nor the run under mocks (the tests'
harness, the one place that knows Pulumi's internals).
Invariant: what is compared is compared in one run, side by side; the program is the unchanged `__main__.py`.
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
MOST_TIMES_THE_IMPORT = 1.6
PAIRS = 5
COUNTS = (1, 2, 4)
TOLERANCE = 1.4
"""By how much processor time may grow faster than resources: what a busy machine adds to one of two measurements."""


@dataclass(frozen=True, kw_only=True)
class BesideTheImport:
    """Processor seconds of one pair of fresh processes."""

    program_seconds: float
    """Interpreter, imports and program."""
    import_seconds: float
    """Interpreter, and the import of the same SDK modules."""

    @property
    def ratio(self) -> float:
        """How many times the bare import the whole takes."""
        return self.program_seconds / self.import_seconds


@dataclass(frozen=True, kw_only=True)
class Several:
    """Some databases made by one program."""

    databases: int
    resources: int
    seconds: float


def beside_the_import(pairs: int = PAIRS) -> list[BesideTheImport]:
    """Measure pairs of fresh processes, one after the other. Raises subprocess.CalledProcessError if one fails."""
    found: list[BesideTheImport] = []
    for _ in range(pairs):
        whole = _fresh("program")
        bare = _fresh("import", json.dumps(whole["modules"]))
        found.append(BesideTheImport(program_seconds=whole["seconds"], import_seconds=bare["seconds"]))
    return found


def typical(pairs: Sequence[BesideTheImport]) -> float:
    """Return the median of the pairs' ratios."""
    return median(pair.ratio for pair in pairs)


def several(counts: Sequence[int] = COUNTS) -> list[Several]:
    """Measure programs of some databases, in a fresh process that has imported everything before."""
    return [Several(**each) for each in _fresh("several", json.dumps(list(counts)))["measured"]]


def growth(measured: Sequence[Several]) -> float:
    """Return by how much time grows faster than resources from the first to the last; 1 is in step."""
    first, last = measured[0], measured[-1]
    return (last.seconds / first.seconds) / (last.resources / first.resources)


def _fresh(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.program", "measure", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(what: str, given: str = "") -> dict:
    """Return what a fresh process measures of itself; `process_time` counts from its start."""
    if what == "import":
        for name in json.loads(given):
            importlib.import_module(name)
        return {"seconds": time.process_time()}
    if what == "several":
        return {"measured": [vars(_several(count)) for count in (1, *json.loads(given))][1:]}
    from tests.support.program.harness import run_program

    run = run_program({}, imported_before=False)
    if run.error is not None:
        raise run.error
    modules = [name for name in sys.modules if name.split(".")[0] in SDK]
    return {"seconds": run.ended_at_cpu_seconds, "modules": modules}


def _several(count: int) -> Several:
    from tests.support.program.harness import run_program

    gc.collect()
    run = run_program({}, program=databases(count))
    if run.error is not None:
        raise run.error
    return Several(databases=count, resources=len(run.resources), seconds=run.cpu_seconds)


def databases(count: int) -> Callable[[], None]:
    """Return a program that is `__main__.py` some times over, each time for another project.

    Within one program the engine wants names that differ: each round's are prefixed, in the one place where every resource
    gets its name.
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

    without = pulumi.Resource.__init__

    def with_prefix(self: pulumi.Resource, t: str, name: str, *others: object, **named: object) -> None:
        without(self, t, name if t == "pulumi:pulumi:Stack" else f"{prefix}{name}", *others, **named)  # pyright: ignore

    pulumi.Resource.__init__ = with_prefix
    try:
        yield
    finally:
        pulumi.Resource.__init__ = without


def _report() -> str:
    pairs = beside_the_import()
    measured = several()
    lines = [
        "The program beside the bare import of the same SDK modules (processor time, fresh processes):",
        *(f"  {p.program_seconds:.2f} s beside {p.import_seconds:.2f} s: {p.ratio:.2f} times" for p in pairs),
        f"  median {typical(pairs):.2f} times; at most {MOST_TIMES_THE_IMPORT} wanted",
        "Databases made by one program:",
        *(
            f"  {m.databases}: {m.resources} resources, {m.seconds:.2f} s, {m.seconds / m.resources * 1000:.2f} ms a resource"
            for m in measured
        ),
        f"  time grows {growth(measured):.2f} times as fast as resources; at most {TOLERANCE} wanted",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        sys.stdout.write(json.dumps(_measure(*sys.argv[2:])) + "\n")
    else:
        sys.stdout.write(_report())
