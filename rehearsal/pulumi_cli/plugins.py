"""The folder of executables that the Pulumi CLI finds on its PATH: the providers and, if it has none, the language host."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

LANGUAGE_HOST = "pulumi-language-python"
PLUGINS = {
    "pulumi-resource-aws": "rehearsal.provider.service",
    "pulumi-resource-random": "rehearsal.provider.service",
    LANGUAGE_HOST: "rehearsal.pulumi_cli.language_host",
}
"""Module by executable."""
REPOSITORY = Path(__file__).resolve().parents[2]


def write_plugins(directory: Path, cli: Path) -> None:
    """Write the executables that `cli` needs, and remove a language host that it does not need.

    A running engine starts plugins from the folder: an executable that is up to date stays, and another one is replaced at once.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, module in PLUGINS.items():
        path = directory / name
        if name == LANGUAGE_HOST and has_language_host(cli):
            path.unlink(missing_ok=True)
            continue
        content = (
            f"#!{sys.executable}\nimport sys\n\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
            f"from {module} import main\n\nmain()\n"
        )
        if not path.is_file() or path.read_text() != content:
            written = path.with_name(f".{name}.{os.getpid()}")
            written.write_text(content)
            written.chmod(0o755)
            written.replace(path)


def has_language_host(cli: Path) -> bool:
    """Return whether a CLI brings its Python language host: beside it, as the official one does, or on the PATH."""
    if (cli.resolve().parent / LANGUAGE_HOST).is_file():
        return True
    found = shutil.which(LANGUAGE_HOST)
    return found is not None and not _is_own(Path(found))


def _is_own(script: Path) -> bool:
    with script.open("rb") as file:
        return PLUGINS[LANGUAGE_HOST].encode() in file.read(1000)
