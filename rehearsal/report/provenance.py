"""Conditions of a rehearsal: commit, versions, machine, and shortened periods."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from rehearsal.report.model import Commit, Shortened
from settings import FailoverSettings

GIT_SECONDS = 10
VERSIONED_PACKAGES = ("pulumi", "pulumi-aws", "ministack", "microburst", "mysql-mimic", "boto3")


def commit_of(directory: Path) -> Commit | None:
    """Return a directory's commit and whether files differ from it; None without git or a commit."""
    head = _git(directory, "rev-parse", "HEAD")
    changes = _git(directory, "status", "--porcelain")
    return None if head is None or changes is None else Commit(id=head, modified=bool(changes))


def _git(directory: Path, *arguments: str) -> str | None:
    """Return git's output without taking a lock; None on failure. In CI another user may own the checkout: reading is safe."""
    trust = ("-c", f"safe.directory={directory}")
    command = ["git", "--no-optional-locks", *trust, "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions(engine: str) -> dict[str, str]:
    """Return the engine that deployed, and the versions of Python and the main packages."""
    packages = {package: version(package) for package in VERSIONED_PACKAGES}
    return {"engine": engine, "python": platform.python_version(), **packages}


def machine() -> str:
    """Return the operating system, the architecture and the number of usable processors."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{platform.system()} {platform.machine()}, {processors} processor{'' if processors == 1 else 's'}"


def shortened(
    *, deployed: FailoverSettings, here: FailoverSettings, periods: Mapping[str, tuple[float, float]]
) -> tuple[Shortened, ...]:
    """Return the settings and `periods` (deployed, rehearsed), in seconds, that were shorter than deployed."""

    def pairs() -> Iterator[tuple[str, float, float]]:
        for name in FailoverSettings.model_fields:
            if name.endswith("_seconds"):
                yield f"failover.{name}", float(getattr(deployed, name)), float(getattr(here, name))
        for what, (long, short) in periods.items():
            yield what, long, short

    return tuple(
        Shortened(what=what, deployed_seconds=long, here_seconds=short) for what, long, short in pairs() if short < long
    )
