"""The exceptions that docstrings promise exist."""

import ast
import builtins
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TRACKED = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
FILES = [ROOT / name for name in TRACKED.splitlines() if not name.startswith("tests/")]


def defined() -> set[str]:
    """Return the names of all classes and imports of the project, and of Python's own exceptions."""
    found = set(dir(builtins))
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name for alias in node.names}
    return found


def promised(path: Path) -> Iterator[str]:
    """Yield each exception after the word `Raises` in a docstring, as it is written."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            _, _, raises = text.partition("Raises")
            yield from re.findall(r"(?<![\w.])(?:[a-z_]+\.)*[A-Z]\w*(?:Error|Refused)\b", raises)


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Return the names that a docstring may use without a module."""
    return defined()


def exists(name: str, known: set[str]) -> bool:
    """Return whether a name is one of the project's, or a dotted name that can be imported."""
    module, _, short = name.rpartition(".")
    return hasattr(importlib.import_module(module), short) if module else short in known


def test_promised_exceptions_exist(known: set[str]) -> None:
    """A renamed exception is renamed in every docstring."""
    wrong = {
        f"{path.relative_to(ROOT)}: {name}" for path in FILES for name in promised(path) if not exists(name, known)
    }
    assert wrong == set()
