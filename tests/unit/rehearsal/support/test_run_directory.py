"""Tests of a run's temporary directories."""

import subprocess
import sys
from pathlib import Path

from rehearsal.support.run_directory import PREFIX, RunDirectory, remove_abandoned

KILLED = """
import os, signal, sys
from pathlib import Path
from rehearsal.support.run_directory import RunDirectory
directory = RunDirectory(Path(sys.argv[1]))
(directory.path / "key.pem").write_text("private")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_directory_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    """Its private keys go with it."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    (abandoned,) = tmp_path.glob(f"{PREFIX}*")
    assert (abandoned / "key.pem").exists()
    with RunDirectory(tmp_path) as directory:
        assert [directory.path] == list(tmp_path.iterdir())


def test_directory_of_a_live_process_stays(tmp_path: Path) -> None:
    """Two runs at the same time do not disturb each other."""
    with RunDirectory(tmp_path) as first, RunDirectory(tmp_path) as second:
        assert [] == remove_abandoned(tmp_path)
        assert {first.path, second.path} == set(tmp_path.iterdir())
    assert [] == list(tmp_path.iterdir())


def test_directory_without_a_lock_stays(tmp_path: Path) -> None:
    """It may belong to a process that has just created it."""
    (tmp_path / f"{PREFIX}new").mkdir()
    assert [] == remove_abandoned(tmp_path)
    assert (tmp_path / f"{PREFIX}new").exists()


def test_directory_is_removed_once(tmp_path: Path) -> None:
    """A second call has no effect."""
    directory = RunDirectory(tmp_path)
    directory.remove()
    directory.remove()
    assert [] == list(tmp_path.iterdir())
