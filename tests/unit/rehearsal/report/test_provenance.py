"""Tests of the recorded conditions: the commit and the shortened periods."""

import subprocess
from pathlib import Path

import pytest

from rehearsal.report.model import Shortened
from rehearsal.report.provenance import commit_of, shortened
from settings import FailoverSettings


def git(directory: Path, *arguments: str) -> str:
    """Run git as a test user."""
    who = ["-c", "user.name=test", "-c", "user.email=test@example.internal", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, "-C", str(directory), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


def test_commit_is_the_checked_out_one(repository: Path) -> None:
    """A clean checkout reports its commit as unmodified."""
    commit = commit_of(repository)
    assert commit is not None
    assert (git(repository, "rev-parse", "HEAD"), False) == (commit.id, commit.modified)


@pytest.mark.parametrize("name", ["file", "new"])
def test_changed_or_new_file_marks_commit_as_modified(repository: Path, name: str) -> None:
    """The rehearsed code differs from the commit."""
    (repository / name).write_text("two")
    commit = commit_of(repository)
    assert commit is not None and commit.modified


def test_no_repository_gives_no_commit(tmp_path: Path) -> None:
    """A directory without a repository, such as an unpacked archive, has no commit."""
    assert commit_of(tmp_path / "nowhere") is None


def test_no_git_gives_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without git reports no commit."""
    monkeypatch.setenv("PATH", str(repository))
    assert commit_of(repository) is None


def test_only_shorter_periods_are_listed() -> None:
    """Settings are listed by key, other periods by description."""
    here = FailoverSettings(
        interval_seconds=1, cooldown_seconds=900, in_region_grace_seconds=12, max_data_loss_seconds=600
    )
    assert (
        Shortened(what="failover.interval_seconds", deployed_seconds=10, here_seconds=1),
        Shortened(what="failover.in_region_grace_seconds", deployed_seconds=120, here_seconds=12),
        Shortened(what="alarms", deployed_seconds=60, here_seconds=6),
    ) == shortened(deployed=FailoverSettings(), here=here, periods={"alarms": (60, 6), "names": (5, 5)})
