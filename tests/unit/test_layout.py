"""The tree: class names are unique, and tests are where the code is."""

import ast
import subprocess
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "audit",
    "benchmarks",
    "components",
    "docgen",
    "functions",
    "operations",
    "policy",
    "rehearsal",
    "settings",
    "tools",
)


def source_files() -> list[Path]:
    """Return the tracked Python files outside the tests."""
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name and not name.startswith("tests/")]


def test_each_public_class_name_exists_once() -> None:
    """A class name leads to one file."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in source_files():
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(file))
    assert {} == {name: files for name, files in found.items() if len(files) > 1}


def test_each_package_has_an_init_file() -> None:
    """No folder with modules is a namespace package by accident; a folder on PYTHONPATH is no package."""
    folders = {file.parent for file in source_files() if file.parts[0] in PACKAGES}
    missing = [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()]
    assert ["rehearsal/network/lambda_site"] == missing


def test_unit_tests_mirror_the_tree() -> None:
    """Each folder of unit tests is named after a folder of the code."""
    tests = ROOT / "tests" / "unit"
    own = {"docs", "github", "program"}  # documents, workflows, and the program as a whole: __main__.py and components/
    folders = {
        folder.relative_to(tests) for folder in tests.rglob("*") if folder.is_dir() and folder.name != "__pycache__"
    }
    assert [] == sorted(
        str(folder) for folder in folders if folder.parts[0] not in own and not (ROOT / folder).is_dir()
    )
