"""Deployment packages of the Lambda functions.

An archive mirrors the repository's `functions/` folder: the function's package, `shared` and, for functions that use
MySQL, PyMySQL and AWS's CA certificates. It is identical on every machine.
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
    """Lambda deployment package: handler and archive."""

    handler: str
    """The function's entry point, in Lambda's notation."""
    archive: pulumi.AssetArchive


def lambda_package(name: str, *, speaks_mysql: bool = False, functions: Path = FUNCTIONS) -> LambdaPackage:
    """Return the deployment package of the function in `functions/<name>`.

    Raises:
        FileNotFoundError: the function, `shared` or the certificates are missing.
    """
    modules = [functions / "__init__.py", *(functions / "shared").rglob("*.py"), *(functions / name).rglob("*.py")]
    files = {f"functions/{path.relative_to(functions)}": path for path in modules}
    for required in (f"functions/{name}/handler.py", "functions/shared/__init__.py"):
        if required not in files:
            raise FileNotFoundError(f"{name}: {required} is missing.")
    if speaks_mysql:
        files |= _mysql_client() | {f"functions/{CERTIFICATES}": functions / CERTIFICATES}
    files = {inside: path for inside, path in files.items() if "tests" not in Path(inside).parts}
    # The engine would report a missing file only after the first resources have changed.
    if missing := [inside for inside, path in files.items() if not path.is_file()]:
        raise FileNotFoundError(f"{name}: {', '.join(missing)} missing.")
    # Relative paths keep the deploying machine's paths out of the state.
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        inside: pulumi.FileAsset(os.path.relpath(path)) for inside, path in sorted(files.items())
    }
    return LambdaPackage(handler=f"functions.{name}.handler.handler", archive=pulumi.AssetArchive(assets))


def _mysql_client() -> dict[str, Path]:
    """Return PyMySQL's modules by path in the archive. PyMySQL is pure Python, so the modules run on any processor."""
    installed = importlib.metadata.files("PyMySQL") or ()
    return {
        str(file): Path(str(file.locate())) for file in installed if file.suffix == ".py" and file.parts[0] == "pymysql"
    }
