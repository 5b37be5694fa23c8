"""Lambda archives: their files, their stability, and that each runs alone."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from components.lambda_function import RUNTIME
from components.lambda_package import LambdaPackage, lambda_package

pytestmark = pytest.mark.slow

SPEAKS_MYSQL = {"health_check": True, "database_setup": True, "failover_controller": False}
AWS_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")
"""Packages that Lambda's runtime provides: the SDK and its dependencies."""


def inside(package: LambdaPackage) -> list[str]:
    """Return the names of the files in a package."""
    with zipfile.ZipFile(package.archive.path) as archive:
        return archive.namelist()


def lambda_python() -> str:
    """Return the path of the Python version that Lambda runs, or of this interpreter if it is not installed."""
    version = RUNTIME.removeprefix("python")
    installed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    found = [str(path) for path in installed] or [path for path in [shutil.which(RUNTIME)] if path]
    for python in found:
        run = subprocess.run([python, "-c", "import sys; print(sys.version)"], capture_output=True, text=True)
        if run.returncode == 0 and run.stdout.startswith(f"{version}."):
            return python
    return sys.executable


PYTHON = lambda_python()
PYTHON_ID = "this-python" if PYTHON == sys.executable else RUNTIME


def unpack(package: LambdaPackage, folder: Path) -> None:
    """Write the files of an archive into a folder, as Lambda does."""
    shutil.unpack_archive(package.archive.path, folder, "zip")


def import_handler(package: LambdaPackage, archive: Path, sdk: Path) -> subprocess.CompletedProcess[str]:
    """Import a handler in an isolated interpreter that finds the archive, the AWS SDK and the standard library only."""
    module, _, name = package.handler.rpartition(".")
    program = (
        f"import sys; sys.path[:] = [{str(archive)!r}, {str(sdk)!r}, *(p for p in sys.path if 'site-packages' not in p)]; "
        f"import importlib; handler = getattr(importlib.import_module({module!r}), {name!r}); "
        "import functions.shared.environment, functions.shared.iam_token; "
        f"assert callable(handler) and handler.__code__.co_filename.startswith({str(archive)!r})"
    )
    command = [PYTHON, "-I", "-S", "-B", "-c", program]
    return subprocess.run(command, cwd=archive, capture_output=True, text=True, timeout=60, env={})


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the AWS SDK and its dependencies only."""
    import boto3

    folder, installed = tmp_path_factory.mktemp("sdk"), Path(boto3.__file__).parents[1]
    for name in AWS_SDK:
        os.symlink(installed / name, folder / name)
    return folder


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """A functions folder with `shared`, one function, and files that do not belong into an archive."""
    for file in ("handler.py", "__pycache__/handler.cpython-311.pyc", "tests/test_handler.py", "part.py", "notes.md"):
        path = tmp_path / "example" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    (tmp_path / "shared").mkdir()
    for file in ("__init__.py", "shared/__init__.py"):
        (tmp_path / file).write_text("")
    return tmp_path


@pytest.mark.parametrize("name", SPEAKS_MYSQL)
def test_package_is_the_same_every_time(name: str) -> None:
    """A preview must not show a change when no file has changed."""
    first, second = (lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name]) for _ in range(2))
    assert first.sha256 == second.sha256
    assert inside(first) == inside(second) == sorted(inside(first))


def test_archive_contains_no_absolute_path() -> None:
    """Otherwise the state would change with the machine that deploys."""
    package = lambda_package("health_check", speaks_mysql=True)
    assert not Path(package.archive.path).is_absolute()
    assert [name for name in inside(package) if Path(name).is_absolute()] == []


@pytest.mark.parametrize("name", SPEAKS_MYSQL)
def test_hash_is_that_of_the_uploaded_file(name: str) -> None:
    """Lambda describes the SHA-256 of the zip in Base64, and `verify` compares it."""
    package = lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name])
    content = Path(package.archive.path).read_bytes()
    assert package.sha256 == base64.b64encode(hashlib.sha256(content).digest()).decode()


def test_archive_is_the_same_on_every_machine(functions: Path, tmp_path: Path) -> None:
    """Its bytes depend on names and contents only: not on dates, modes, the system or a compression library."""
    package = lambda_package("example", functions=functions, archives=tmp_path / "one")
    for path in functions.rglob("*.py"):
        os.utime(path, (2_000_000_000, 2_000_000_000))
        path.chmod(0o600)
    assert lambda_package("example", functions=functions, archives=tmp_path / "two").sha256 == package.sha256
    with zipfile.ZipFile(package.archive.path) as archive:
        found = {(e.compress_type, e.create_system, e.external_attr >> 16, e.date_time) for e in archive.infolist()}
    assert found == {(zipfile.ZIP_STORED, 3, 0o644, (1980, 1, 1, 0, 0, 0))}


def test_archive_of_unchanged_code_is_not_written_again(functions: Path, tmp_path: Path) -> None:
    """A second run of the program may read it at the same time."""
    path = Path(lambda_package("example", functions=functions, archives=tmp_path / "built").archive.path)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    lambda_package("example", functions=functions, archives=tmp_path / "built")
    assert path.stat().st_mtime == 1_000_000_000


@pytest.mark.parametrize("name", SPEAKS_MYSQL)
def test_package_contains_only_sources_and_certificates(name: str) -> None:
    """The handler, its modules, `shared`, and for MySQL the client and the certificates."""
    files = inside(lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name]))
    assert {f"functions/{name}/handler.py", "functions/shared/environment.py"} <= set(files)
    assert ("pymysql/connections.py" in files) == SPEAKS_MYSQL[name]
    assert ("functions/certificates/rds-global-bundle.pem" in files) == SPEAKS_MYSQL[name]
    assert [file for file in files if "__pycache__" in file or not file.endswith((".py", ".pem"))] == []
    others = [other for other in SPEAKS_MYSQL if other != name]
    assert [file for file in files if any(f"/{other}/" in file for other in others)] == []


@pytest.mark.parametrize("name", [pytest.param(name, id=f"{name}-{PYTHON_ID}") for name in SPEAKS_MYSQL])
def test_archive_imports_alone_and_needs_shared(name: str, tmp_path: Path, sdk: Path) -> None:
    """The unpacked archive and the AWS SDK suffice to import the handler; without `shared` the import fails."""
    package = lambda_package(name, speaks_mysql=SPEAKS_MYSQL[name])
    unpack(package, tmp_path)
    complete = import_handler(package, tmp_path, sdk)
    assert (complete.returncode, complete.stderr) == (0, "")
    shutil.rmtree(tmp_path / "functions" / "shared")
    incomplete = import_handler(package, tmp_path, sdk)
    assert "No module named 'functions.shared'" in incomplete.stderr


@pytest.mark.parametrize("name", ["health_check", "database_setup"])
def test_archive_contains_the_certificates_at_the_functions_path(name: str, tmp_path: Path) -> None:
    """`PACKAGED_BUNDLE` exists in the unpacked archive."""
    unpack(lambda_package(name, speaks_mysql=True), tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from functions.shared.tls import PACKAGED_BUNDLE; "
        f"assert PACKAGED_BUNDLE.is_file() and PACKAGED_BUNDLE.is_relative_to({str(tmp_path)!r})"
    )
    subprocess.run([PYTHON, "-I", "-B", "-c", program], check=True, timeout=60)


def test_compiled_files_tests_and_notes_are_left_out(functions: Path) -> None:
    """`FileArchive` of the folder would include them and change with every test run."""
    assert inside(lambda_package("example", functions=functions, archives=functions / "built")) == [
        "functions/__init__.py",
        "functions/example/handler.py",
        "functions/example/part.py",
        "functions/shared/__init__.py",
    ]


def test_package_changes_with_a_module_and_not_with_compiled_files(functions: Path) -> None:
    """The digest covers what is sent to Lambda."""
    built = functions / "built"
    before = lambda_package("example", functions=functions, archives=built).sha256
    (functions / "example" / "__pycache__" / "part.cpython-313.pyc").write_text("compiled")
    assert lambda_package("example", functions=functions, archives=built).sha256 == before
    (functions / "example" / "part.py").write_text("changed")
    assert lambda_package("example", functions=functions, archives=built).sha256 != before


@pytest.mark.parametrize("missing", ["functions/other/handler.py", "functions/shared/__init__.py"])
def test_missing_handler_or_shared_is_an_error(functions: Path, missing: str) -> None:
    """An archive without them would deploy and fail at its first invocation."""
    if "shared" in missing:
        shutil.rmtree(functions / "shared")
    name = "example" if "shared" in missing else "other"
    with pytest.raises(FileNotFoundError, match=missing):
        lambda_package(name, functions=functions)


def test_missing_certificates_are_an_error_before_the_deployment(functions: Path) -> None:
    """The engine would find the missing file only when it creates the function."""
    with pytest.raises(FileNotFoundError, match=r"example: functions/certificates/rds-global-bundle\.pem missing"):
        lambda_package("example", speaks_mysql=True, functions=functions)
