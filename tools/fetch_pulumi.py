"""Find a Pulumi CLI for the tests or build one, and print its path: `python3 tools/fetch_pulumi.py`.

A CLI on the PATH is used if it is not older than the SDK. Otherwise Go builds the version in tools/pulumi/go.mod into a cache
folder: minutes the first time. A second run, and the tests, find it there; nothing is installed into the system.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

MODULE = Path(__file__).resolve().parent / "pulumi"
"""The Go module that pins the CLI and everything it is built from."""
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
MINIMUM = (3, 272, 0)
"""The version of the SDK in requirements.txt."""
BUILD_SECONDS = 1800
INSTALL = "Install the Pulumi CLI (https://www.pulumi.com/docs/iac/download-install/) or Go, and run `make pulumi`."


class CliMissingError(RuntimeError):
    """There is no Pulumi CLI, and none can be built."""


def pinned_version(module: Path = MODULE) -> str:
    """Return the version of the CLI in go.mod, such as 3.276.0. Raises CliMissingError if there is none."""
    found = re.search(r"github\.com/pulumi/pulumi/pkg/v3 v(\d+\.\d+\.\d+)", (module / "go.mod").read_text())
    if found is None:
        raise CliMissingError(f"{module / 'go.mod'}: does not name {PACKAGE}. Restore the file.")
    return found[1]


def find(environ: Mapping[str, str]) -> str | None:
    """Return the path of a CLI that fits, from the PATH or else from the cache folder, or None."""
    installed = shutil.which("pulumi", path=environ.get("PATH", os.defpath))
    if installed and fits(version_of(installed)):
        return installed
    cached = cached_path(environ)
    return str(cached) if cached.is_file() else None


def version_of(path: str) -> str:
    """Return what a CLI prints as its version, such as v3.276.0; empty if it prints none."""
    command = [path, "version"]
    environ = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environ, timeout=60
    )
    return ended.stdout.strip()


def fits(version: str) -> bool:
    """Return whether a version of the CLI runs this program's SDK."""
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if numbers is None:
        return False
    major, minor, patch = (int(each) for each in numbers.groups())
    return major == MINIMUM[0] and (major, minor, patch) >= MINIMUM


def cached_path(environ: Mapping[str, str]) -> Path:
    """Return the path of the CLI that this tool builds."""
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aurora-global-database"
    return cache / f"pulumi-{pinned_version()}" / "pulumi"


def build(target: Path, environ: Mapping[str, str]) -> str:
    """Build the CLI, and return its path. Raises CliMissingError without Go, or if the build fails."""
    go = shutil.which("go", path=environ.get("PATH", os.defpath))
    if go is None:
        raise CliMissingError(
            f"pulumi: not found, or older than {'.'.join(map(str, MINIMUM))}, and Go is missing. {INSTALL}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        built = Path(work, "pulumi")
        flags = f"-s -w -X {VERSION_VARIABLE}={pinned_version()}"
        # GOTOOLCHAIN: without it, an older Go would download a newer one.
        ended = subprocess.run(
            [go, "build", "-mod=readonly", "-ldflags", flags, "-o", str(built), PACKAGE],
            cwd=MODULE,
            env={**environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=BUILD_SECONDS,
        )
        if ended.returncode:
            last = " ".join(ended.stderr.strip().splitlines()[-3:])
            raise CliMissingError(f"go build: {last}. {INSTALL}")
        built.replace(target)
    return str(target)


def main() -> int:
    """Print the path, or the reason why there is none. Return the exit code."""
    try:
        path = find(os.environ)
        if path is None:
            sys.stderr.write(f"Building Pulumi {pinned_version()} from its Go module; the first time takes minutes.\n")
            path = build(cached_path(os.environ), os.environ)
    except CliMissingError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
