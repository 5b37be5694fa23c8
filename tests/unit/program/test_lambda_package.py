"""The files of a deployment package."""

import hashlib
from pathlib import Path

import pulumi
import pytest

from components.lambda_package import LambdaPackage, lambda_package

SPEAKS_MYSQL = {"health_check": True, "database_setup": True, "failover_controller": False}


def inside(package: LambdaPackage) -> list[str]:
    """Return the file names in a package."""
    return list(package.archive.assets)


def digest(package: LambdaPackage) -> str:
    """Return a hash of names and contents in order."""
    found = hashlib.sha256()
    for name, asset in package.archive.assets.items():
        assert isinstance(asset, pulumi.FileAsset)
        found.update(name.encode() + b"\0" + Path(asset.path).read_bytes() + b"\0")
    return found.hexdigest()


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """A folder with one function, a compiled file, a test and notes."""
    for file in ("handler.py", "__pycache__/handler.cpython-311.pyc", "tests/test_handler.py", "part.py", "notes.md"):
        path = tmp_path / "local" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    return tmp_path


@pytest.mark.parametrize("name", SPEAKS_MYSQL)
def test_package_is_deterministic(name: str) -> None:
    """A preview shows no change without a change of the sources."""
    first, second = (lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name]) for _ in range(2))
    assert digest(first) == digest(second)
    assert inside(first) == inside(second) == sorted(inside(first))


def test_archive_has_relative_paths_only() -> None:
    """The state must not depend on the machine."""
    for asset in lambda_package("health_check", speaks_mysql=True).archive.assets.values():
        assert isinstance(asset, pulumi.FileAsset)
        assert not Path(asset.path).is_absolute()


@pytest.mark.parametrize("name", SPEAKS_MYSQL)
def test_package_contains_sources_and_certificates_only(name: str) -> None:
    """Functions that use MySQL include the client and the certificates."""
    files = inside(lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name]))
    assert f"{name}/handler.py" in files
    assert ("pymysql/connections.py" in files) == SPEAKS_MYSQL[name]
    assert ("certificates/rds-global-bundle.pem" in files) == SPEAKS_MYSQL[name]
    assert [file for file in files if "__pycache__" in file or not file.endswith((".py", ".pem"))] == []


def test_compiled_files_tests_and_notes_are_left_out(functions: Path) -> None:
    """A `FileArchive` of the folder would include them."""
    assert inside(lambda_package("local", functions=functions)) == ["local/handler.py", "local/part.py"]


def test_only_a_module_changes_the_package(functions: Path) -> None:
    """A compiled file does not."""
    before = digest(lambda_package("local", functions=functions))
    (functions / "local" / "__pycache__" / "part.cpython-313.pyc").write_text("compiled")
    assert digest(lambda_package("local", functions=functions)) == before
    (functions / "local" / "part.py").write_text("changed")
    assert digest(lambda_package("local", functions=functions)) != before


def test_function_without_a_handler_is_refused(functions: Path) -> None:
    """An empty archive would fail at runtime."""
    with pytest.raises(FileNotFoundError, match=r"functions/other/handler\.py"):
        lambda_package("other", functions=functions)


def test_missing_certificates_are_refused(functions: Path) -> None:
    """Pulumi would read the files only when it creates the function."""
    with pytest.raises(FileNotFoundError, match=r"local: certificates/rds-global-bundle\.pem missing"):
        lambda_package("local", speaks_mysql=True, functions=functions)
