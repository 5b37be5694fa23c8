"""What Lambda is sent: a function's own modules and, for those that speak MySQL, the client library and Amazon's
certificates.

Owns: which files go into an archive, and under which names. Does not own: the functions.
Invariant: an archive is the same on every machine: the files are listed and sorted, compiled ones and tests left out;
so a preview shows no change that nobody made.
"""

import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path

import pulumi

FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"
CERTIFICATES = "certificates/rds-global-bundle.pem"


@dataclass(frozen=True, kw_only=True)
class LambdaPackage:
    """A deployment package."""

    name: str
    """The function's Python package; its handler is `<name>.handler.handler`."""
    archive: pulumi.AssetArchive


def lambda_package(name: str, *, speaks_mysql: bool = False, functions: Path = FUNCTIONS) -> LambdaPackage:
    """Return the deployment package of the function in `functions/<name>`.

    Raises: FileNotFoundError if there is no such function, or no certificates.
    """
    files = {f"{name}/{path.relative_to(functions / name)}": path for path in (functions / name).rglob("*.py")}
    if f"{name}/handler.py" not in files:
        raise FileNotFoundError(f"functions/{name}/handler.py: a function's package begins with its handler")
    if speaks_mysql:
        files |= _mysql_client() | {CERTIFICATES: functions / CERTIFICATES}
    return _package(name, {inside: path for inside, path in files.items() if "tests" not in Path(inside).parts})


def _mysql_client() -> dict[str, Path]:
    """Return PyMySQL's modules as they are installed here: pure Python, so they run on any processor."""
    installed = importlib.metadata.files("PyMySQL") or ()
    return {
        str(file): Path(str(file.locate())) for file in installed if file.suffix == ".py" and file.parts[0] == "pymysql"
    }


def _package(name: str, files: dict[str, Path]) -> LambdaPackage:
    missing = [inside for inside, path in files.items() if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{name}: {', '.join(missing)} missing; the engine would only say so after the first changes"
        )
    # Relative to the program, so that the state names no path of the machine that deployed.
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        inside: pulumi.FileAsset(os.path.relpath(path)) for inside, path in sorted(files.items())
    }
    return LambdaPackage(name=name, archive=pulumi.AssetArchive(assets))
