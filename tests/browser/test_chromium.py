"""Tests of the choice of a Chromium."""

from pathlib import Path

import pytest

from tests.browser.conftest import chromium


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only directory of an empty search path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("REQUIRE_CHROMIUM", raising=False)
    return tmp_path


def executable(path: Path) -> str:
    """Create an executable file."""
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_missing_chromium_skips_with_a_hint(bare: Path) -> None:
    """The other tests can still run."""
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        chromium()


def test_missing_chromium_fails_if_required(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI must not pass without the tests."""
    monkeypatch.setenv("REQUIRE_CHROMIUM", "1")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE_CHROMIUM is set"):
        chromium()


def test_named_chromium_takes_precedence(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHROMIUM names the executable; without it the usual names are searched."""
    usual, named = executable(bare / "chromium"), executable(bare / "my-browser")
    assert usual == chromium()
    monkeypatch.setenv("CHROMIUM", named)
    assert named == chromium()
