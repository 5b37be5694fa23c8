"""Deployment packages of the Lambda functions.

An archive mirrors the repository's `functions/` folder: the function's package, `shared` and, for functions that use
MySQL, PyMySQL and AWS's CA certificates. It is identical on every machine, so its hash can be compared with the code that
Lambda runs.
"""

import base64
import hashlib
import importlib.metadata
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"
CERTIFICATES = "certificates/rds-global-bundle.pem"
ARCHIVES = FUNCTIONS.parent / ".archives"
"""The directory of the built archives; Pulumi uploads a file as it is."""


@dataclass(frozen=True, kw_only=True)
class LambdaPackage:
    """Lambda deployment package: handler and archive."""

    handler: str
    """The function's entry point, in Lambda's notation."""
    archive: pulumi.FileArchive
    sha256: str
    """The archive's SHA-256 in Base64, as Lambda describes a function's code (`CodeSha256`)."""


def lambda_package(
    name: str, *, speaks_mysql: bool = False, functions: Path = FUNCTIONS, archives: Path = ARCHIVES
) -> LambdaPackage:
    """Return the deployment package of the function in `functions/<name>`.

    Raises:
        FileNotFoundError: the function, `shared` or the certificates are missing.
    """
    modules = [functions / "__init__.py", *(functions / "shared").rglob("*.py"), *(functions / name).rglob("*.py")]
    files = {f"functions/{path.relative_to(functions)}": path for path in modules}
    for required in (f"functions/{name}/handler.py", "functions/shared/__init__.py"):
        if required not in files:
            raise FileNotFoundError(f"{name}: {required} is missing. Use a complete checkout.")
    if speaks_mysql:
        files |= _mysql_client() | {f"functions/{CERTIFICATES}": functions / CERTIFICATES}
    files = {inside: path for inside, path in files.items() if "tests" not in Path(inside).parts}
    # The engine would report a missing file only after the first resources have changed.
    if missing := [inside for inside, path in files.items() if not path.is_file()]:
        raise FileNotFoundError(f"{name}: {', '.join(missing)} missing. Use a complete checkout.")
    content = _zip(files)
    path = archives / f"{name}.zip"
    _write(path, content)
    return LambdaPackage(
        handler=f"functions.{name}.handler.handler",
        # A relative path keeps the deploying machine's paths out of the state.
        archive=pulumi.FileArchive(os.path.relpath(path)),
        sha256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
    )


def _zip(files: Mapping[str, Path]) -> bytes:
    """Return a zip with the same bytes on every machine: sorted, uncompressed, with a fixed date and mode.

    Compressed bytes would depend on the version of the compression library.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for inside, path in sorted(files.items()):
            entry = zipfile.ZipInfo(inside, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            target.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step: another run of the program may be reading it."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def _mysql_client() -> dict[str, Path]:
    """Return PyMySQL's modules by path in the archive. PyMySQL is pure Python, so the modules run on any processor."""
    installed = importlib.metadata.files("PyMySQL") or ()
    return {
        str(file): Path(str(file.locate())) for file in installed if file.suffix == ".py" and file.parts[0] == "pymysql"
    }
