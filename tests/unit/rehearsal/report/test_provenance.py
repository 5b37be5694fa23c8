"""Tests of what the report says of its own conditions: the commit, and the periods that were shorter."""

import subprocess
from pathlib import Path

import pytest

from rehearsal.report.model import Shortened
from rehearsal.report.provenance import commit_of, shortened
from settings import FailoverSettings


def git(directory: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.internal", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, "-C", str(directory), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


def test_the_commit_is_the_one_that_is_checked_out(repository: Path) -> None:
    """Nothing differs from it."""
    commit = commit_of(repository)
    assert commit is not None
    assert (git(repository, "rev-parse", "HEAD"), False) == (commit.id, commit.modified)


@pytest.mark.parametrize("name", ["file", "new"])
def test_a_changed_or_a_new_file_modifies_it(repository: Path, name: str) -> None:
    """What was rehearsed isn't what the commit holds."""
    (repository / name).write_text("two")
    commit = commit_of(repository)
    assert commit is not None and commit.modified


def test_without_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    """An unpacked archive."""
    assert commit_of(tmp_path / "nowhere") is None


def test_without_git_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has none."""
    monkeypatch.setenv("PATH", str(repository))
    assert commit_of(repository) is None


def test_only_what_was_shorter_is_named() -> None:
    """Settings in seconds by their key, further periods by their words; what stayed or grew is left out."""
    here = FailoverSettings(
        interval_seconds=1, cooldown_seconds=900, in_region_grace_seconds=12, max_data_loss_seconds=600
    )
    assert (
        Shortened(what="failover.interval_seconds", deployed_seconds=10, here_seconds=1),
        Shortened(what="failover.in_region_grace_seconds", deployed_seconds=120, here_seconds=12),
        Shortened(what="alarms", deployed_seconds=60, here_seconds=6),
    ) == shortened(deployed=FailoverSettings(), here=here, periods={"alarms": (60, 6), "names": (5, 5)})
