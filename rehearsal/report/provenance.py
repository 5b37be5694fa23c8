"""Under which conditions a rehearsal ran: the code, the settings, the versions, the machine, and what was shorter.

Owns: asking for them. Does not own: how they are shown. Invariant: nothing is guessed: without git there is no commit.
"""

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
    """The commit that a directory is at, and whether a file that git knows, or should know, differs from it.

    None when there is no git, or no repository that has a commit.
    """
    head = _git(directory, "rev-parse", "HEAD")
    changes = _git(directory, "status", "--porcelain")
    return None if head is None or changes is None else Commit(id=head, modified=bool(changes))


def _git(directory: Path, *arguments: str) -> str | None:
    """What git says, without taking a lock; None when it can't. In CI the checkout may be another user's: reading is safe."""
    trust = ("-c", f"safe.directory={directory}")
    command = ["git", "--no-optional-locks", *trust, "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """The interpreter and the packages that a rehearsal stands on."""
    return {"python": platform.python_version(), **{package: version(package) for package in VERSIONED_PACKAGES}}


def machine() -> str:
    """The machine in a few words: what it runs, and how many processors this process may use."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{platform.system()} {platform.machine()}, {processors} processor{'' if processors == 1 else 's'}"


def shortened(
    *, deployed: FailoverSettings, here: FailoverSettings, periods: Mapping[str, tuple[float, float]]
) -> tuple[Shortened, ...]:
    """Every setting in seconds that was shorter here, and the further `periods` (deployed, here) that were."""

    def pairs() -> Iterator[tuple[str, float, float]]:
        for name in FailoverSettings.model_fields:
            if name.endswith("_seconds"):
                yield f"failover.{name}", float(getattr(deployed, name)), float(getattr(here, name))
        for what, (long, short) in periods.items():
            yield what, long, short

    return tuple(
        Shortened(what=what, deployed_seconds=long, here_seconds=short) for what, long, short in pairs() if short < long
    )
