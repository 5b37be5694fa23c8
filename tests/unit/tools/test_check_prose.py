"""The wording check finds wording in prose and ignores code."""

from pathlib import Path

import pytest

from tools import check_prose


def test_docstrings_and_messages_are_checked_and_names_are_not(tmp_path: Path) -> None:
    """Strings and comments of Python are prose; identifiers are not."""
    file = tmp_path / "module.py"
    file.write_text('"""One."""\nword = 1\nraise ValueError(f"two {word}")  # three\n', encoding="utf-8")
    assert [(1, '"""One."""'), (3, "# three")] == [line for line in check_prose.prose(file) if "two" not in line[1]]
    assert any("two" in line for _, line in check_prose.prose(file))


def test_each_line_of_a_document_is_checked(tmp_path: Path) -> None:
    """A Markdown file is prose from its first line to its last."""
    file = tmp_path / "page.md"
    file.write_text("# Title\n\nA sentence.\n", encoding="utf-8")
    assert [(1, "# Title"), (2, ""), (3, "A sentence.")] == list(check_prose.prose(file))


def test_finding_names_file_line_and_suggestion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1, and the line says what to write instead."""
    rules = tmp_path / "rules.yml"
    rules.write_text("swap:\n  foo(s|ed)?: bar\n", encoding="utf-8")
    monkeypatch.setattr(check_prose, "ROOT", tmp_path)
    monkeypatch.setattr(check_prose, "RULES", rules)
    file = tmp_path / "page.md"
    file.write_text("The first line.\nIt was fooed.\n", encoding="utf-8")
    assert 1 == check_prose.main([str(file)])
    assert "page.md:2: 'fooed' -> bar\n" == capsys.readouterr().out


def test_plain_text_has_no_finding(tmp_path: Path) -> None:
    """The exit code is 0."""
    file = tmp_path / "page.md"
    file.write_text("The controller notifies the subscribers.\n", encoding="utf-8")
    assert 0 == check_prose.main([str(file)])


def test_unresolved_conflict_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merged page that still has both sides is not published."""
    monkeypatch.setattr(check_prose, "ROOT", tmp_path)
    file = tmp_path / "page.md"
    file.write_text("<<<<<<< HEAD\nOne side.\n=======\nThe other one.\n>>>>>>> other\n", encoding="utf-8")
    assert 1 == check_prose.main([str(file)])
