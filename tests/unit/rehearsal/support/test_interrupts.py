"""Tests of Ctrl-C, each in a process of its own."""

import subprocess
import sys

import pytest

from tests.support.interrupted_import import INTERRUPTED_IMPORT

pytestmark = pytest.mark.slow

BEGIN = """
import asyncio, os, signal, sys, threading, weakref
from rehearsal.support.interrupts import keep_interrupts

class Thing:
    pass

def press(_reference=None):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass

async def swallow():
    try:
        press()
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        pass

keep_interrupts()
try:
"""
END = """
    threading.Event().wait(30)
except KeyboardInterrupt:
    sys.exit(130)
sys.exit("the interrupt was lost")
"""


@pytest.mark.parametrize(
    "body",
    [
        "press()",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "thing = Thing(); reference = weakref.ref(thing, press); del thing",
        "thing = Thing(); thing.self = thing; Thing.__del__ = press; del thing; import gc; gc.collect()",
        "asyncio.run(swallow())",
    ],
    ids=["plain", "sigterm", "weak-reference", "finalizer", "asyncio"],
)
def test_interrupt_is_raised_wherever_it_comes(body: str) -> None:
    """The process ends with exit code 130 and prints nothing."""
    done = subprocess.run(
        [sys.executable, "-c", f"{BEGIN}    {body}\n{END}"], check=False, capture_output=True, text=True
    )
    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)


def test_other_unraisable_errors_are_still_reported() -> None:
    """Only an interrupt is raised again."""
    body = "def fail(_reference): raise ValueError('lost')\nthing = Thing(); reference = weakref.ref(thing, fail); del thing"
    code = BEGIN.removesuffix("try:\n") + body
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (0, True) == (done.returncode, "ValueError: lost" in done.stderr)


@pytest.mark.parametrize(
    ("package", "arguments", "module"),
    [
        ("rehearsal", ["--list"], "typer"),
        ("rehearsal", ["--list"], "rehearsal.run"),
        ("rehearsal.sandbox", ["--help"], "typer"),
        ("rehearsal.sandbox", ["up"], "rehearsal.engine.deploy"),
        ("benchmarks", ["--help"], "typer"),
        ("benchmarks.limits", [], "benchmarks.program"),
        ("benchmarks.rehearsal", ["--help"], "typer"),
    ],
)
def test_interrupt_while_modules_are_imported_prints_one_line(package: str, arguments: list[str], module: str) -> None:
    """The process ends with exit code 130 and without a traceback."""
    code = INTERRUPTED_IMPORT.format(module=module, package=package, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (130, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "interrupted" in done.stderr
