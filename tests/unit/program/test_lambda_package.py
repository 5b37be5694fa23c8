"""What Lambda is sent: the right files, always the same."""

import hashlib
from pathlib import Path

import pulumi
import pytest

from components.lambda_package import LambdaPackage, lambda_package

SPEAKS_MYSQL = {"health_check": True, "database_setup": True, "failover_controller": False}


def inside(package: LambdaPackage) -> list[str]:
    """Return the names of the files in a package."""
    return list(package.archive.assets)


def digest(package: LambdaPackage) -> str:
    """Return a hash over names and contents, in their order."""
    found = hashlib.sha256()
    for name, asset in package.archive.assets.items():
        assert isinstance(asset, pulumi.FileAsset)
        found.update(name.encode() + b"\0" + Path(asset.path).read_bytes() + b"\0")
    return found.hexdigest()


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """A folder of functions with one in it, and the litter that a working machine leaves."""
    for file in ("handler.py", "__pycache__/handler.cpython-311.pyc", "tests/test_handler.py", "part.py", "notes.md"):
        path = tmp_path / "ours" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    return tmp_path


@pytest.mark.parametrize("name", SPEAKS_MYSQL)
def test_a_package_is_the_same_every_time(name: str) -> None:
    """A preview shows no change that nobody made."""
    first, second = (lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name]) for _ in range(2))
    assert digest(first) == digest(second)
    assert inside(first) == inside(second) == sorted(inside(first))


def test_an_archive_names_no_path_of_this_machine() -> None:
    """The state would otherwise change with whoever deploys."""
    for asset in lambda_package("health_check", speaks_mysql=True).archive.assets.values():
        assert isinstance(asset, pulumi.FileAsset)
        assert not Path(asset.path).is_absolute()


@pytest.mark.parametrize("name", SPEAKS_MYSQL)
def test_a_package_holds_sources_and_nothing_else(name: str) -> None:
    """The handler, its modules, and for those that speak MySQL the client and the certificates."""
    files = inside(lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name]))
    assert f"{name}/handler.py" in files
    assert ("pymysql/connections.py" in files) == SPEAKS_MYSQL[name]
    assert ("certificates/rds-global-bundle.pem" in files) == SPEAKS_MYSQL[name]
    assert [file for file in files if "__pycache__" in file or not file.endswith((".py", ".pem"))] == []


def test_compiled_files_tests_and_notes_are_left_out(functions: Path) -> None:
    """`FileArchive` of the folder would take them, and change whenever somebody runs the tests."""
    assert inside(lambda_package("ours", functions=functions)) == ["ours/handler.py", "ours/part.py"]


def test_litter_does_not_change_a_package_but_a_module_does(functions: Path) -> None:
    """The digest is of what is sent."""
    before = digest(lambda_package("ours", functions=functions))
    (functions / "ours" / "__pycache__" / "part.cpython-313.pyc").write_text("compiled")
    assert digest(lambda_package("ours", functions=functions)) == before
    (functions / "ours" / "part.py").write_text("changed")
    assert digest(lambda_package("ours", functions=functions)) != before


def test_a_function_without_a_handler_is_refused_by_name(functions: Path) -> None:
    """An empty archive would deploy, and fail in the night."""
    with pytest.raises(FileNotFoundError, match=r"functions/theirs/handler\.py"):
        lambda_package("theirs", functions=functions)


def test_missing_certificates_are_refused_before_anything_is_made(functions: Path) -> None:
    """The engine would look at the files only when it comes to the function."""
    with pytest.raises(FileNotFoundError, match=r"ours: certificates/rds-global-bundle\.pem missing"):
        lambda_package("ours", speaks_mysql=True, functions=functions)
