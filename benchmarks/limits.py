"""Limits on durations: `python -m benchmarks.limits` (part of `make benchmark`).

A duration depends on the machine, so no test asserts one. This command measures each, prints it beside its limit, and ends with
exit code 1 if one is exceeded.
"""

from rehearsal.support.interrupts import end_on_interrupt, keep_interrupts

if __name__ == "__main__":
    end_on_interrupt()

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.import_cost import import_ratio
from benchmarks.program import ROOT, compare_with_import, growth, measure_scaling, median_ratio
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY

HANDLERS = ("functions.failover_controller.handler", "functions.health_check.handler")
MAX_HANDLER_RATIO = 1.3
ROUNDS = 3
"""Repetitions of a measurement; the least counts, because other processes only add time."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A measured duration or ratio, and the most that is allowed."""

    what: str
    measured: float
    most: float
    unit: str

    @property
    def is_met(self) -> bool:
        """Whether the limit holds."""
        return self.measured <= self.most

    @property
    def line(self) -> str:
        """The limit as a line of the report."""
        verdict = "met" if self.is_met else "EXCEEDED"
        return f"{self.measured:8.2f} {self.unit:<8} at most {self.most:g}: {self.what} ({verdict})"


def measure_limits() -> Iterator[Limit]:
    """Measure one limit after the other."""
    yield Limit(
        what="processor time of the program, compared with the import of its SDK modules",
        measured=median_ratio(compare_with_import()),
        most=1.6,
        unit="times",
    )
    yield Limit(
        what="growth of the program's time from one to four databases, compared with that of its resources",
        measured=growth(measure_scaling()),
        most=1.4,
        unit="times",
    )
    for handler in HANDLERS:
        yield Limit(
            what=f"cold import of {handler}, compared with that of boto3",
            measured=import_ratio(handler, enough=MAX_HANDLER_RATIO),
            most=MAX_HANDLER_RATIO,
            unit="times",
        )
    yield Limit(
        what="processor time of all policy rules over all variations of the settings",
        measured=_seconds_of_rules(),
        most=30.0,
        unit="seconds",
    )
    yield Limit(
        what="processor time of `python -m operations --help`",
        measured=min(_processor_seconds_of("--help") for _ in range(ROUNDS)),
        most=0.5,
        unit="seconds",
    )
    yield from _limits_of_a_deployment()


def _seconds_of_rules() -> float:
    from tests.support.policy.program_rules.catalogue import violations_by_rule
    from tests.support.policy.variations import tested_stacks

    started = time.process_time()
    for stack in tested_stacks().values():
        violations_by_rule(stack)
    return time.process_time() - started


def _processor_seconds_of(*arguments: str, environment: Mapping[str, str] | None = None) -> float:
    """Return the processor seconds of an operator command. Its exit code may name a degraded system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "operations", *arguments],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _limits_of_a_deployment() -> Iterator[Limit]:
    from rehearsal.environment import OPERATION_SECONDS, OUTSIDE, Environment

    with (
        Environment(stack="dev", interval_seconds=1.0, operation_seconds=OPERATION_SECONDS) as environment,
        tempfile.TemporaryDirectory() as directory,
    ):
        yield Limit(
            what="deployment of the whole program on the embedded AWS",
            measured=environment.deploy().seconds,
            most=20.0,
            unit="seconds",
        )
        outputs = Path(directory) / "outputs.json"
        outputs.write_text(json.dumps(dict(environment.outputs)), encoding="utf-8")
        variables = {
            "AWS_ENDPOINT_URL": environment.faults.endpoint(OUTSIDE),
            "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        }
        arguments = ("status", "--outputs", str(outputs))
        yield Limit(
            what="processor time of `python -m operations status`",
            measured=min(_processor_seconds_of(*arguments, environment=variables) for _ in range(ROUNDS)),
            most=2.0,
            unit="seconds",
        )


def report(limits: Iterator[Limit], write: Callable[[str], object]) -> int:
    """Write a line for each limit as soon as it is measured; return the exit code."""
    is_met = True
    for limit in limits:
        write(f"{limit.line}\n")
        is_met = is_met and limit.is_met
    return 0 if is_met else 1


if __name__ == "__main__":
    keep_interrupts()
    try:
        sys.exit(report(measure_limits(), sys.stdout.write))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
