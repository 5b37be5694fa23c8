"""Which Chromium the browser tests take, and what they do without one."""

from pathlib import Path

import pytest

from tests.browser.conftest import chromium


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty search path; return the only directory on it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("REQUIRE_CHROMIUM", raising=False)
    return tmp_path


def executable(path: Path) -> str:
    """Something that can be run."""
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_without_a_chromium_the_tests_are_skipped_and_say_how_to_get_one(bare: Path) -> None:
    """A laptop without one can still run the rest."""
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        chromium()


def test_where_it_is_required_a_missing_one_is_a_failure(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI must not pass because it looked at nothing."""
    monkeypatch.setenv("REQUIRE_CHROMIUM", "1")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE_CHROMIUM is set"):
        chromium()


def test_the_one_that_is_named_is_taken_before_any_other(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHROMIUM names it; else it is found by its usual names."""
    usual, named = executable(bare / "chromium"), executable(bare / "my-browser")
    assert usual == chromium()
    monkeypatch.setenv("CHROMIUM", named)
    assert named == chromium()
