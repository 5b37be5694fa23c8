"""Find a MySQL server for the tests or unpack one, and print its path: `python3 tools/fetch_mysql.py`.

A server that is installed (`MYSQLD`, or `mysqld` on the PATH) is used as it is. On a Debian release without MySQL, the
packages of Debian's development release are unpacked into a cache folder, and a launcher starts the server with the C
library that belongs to it. Nothing is installed into the system: apt works with its own lists and an empty package
database. A second run, and the tests, find the launcher; delete the folder to fetch a newer server.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

SUITE = "sid"
"""Debian's development release: the only one that has MySQL's own server."""
PACKAGE = "mysql-server-core"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DIRECTORIES = ("/usr/sbin", "/usr/libexec")
"""Folders of mysqld that are not on everyone's PATH."""


class FetchError(RuntimeError):
    """There is no MySQL server, and none can be fetched."""


def installed(environ: Mapping[str, str]) -> str | None:
    """Return the path of the installed MySQL server, or None.

    Raises:
        FetchError: `MYSQLD` names no executable file.
    """
    named = environ.get("MYSQLD")
    if named:
        if found := shutil.which(named):
            return found
        raise FetchError(f"MYSQLD: {named} is not an executable file. Set it to the path of mysqld, or unset it.")
    found = shutil.which("mysqld", path=os.pathsep.join([environ.get("PATH", os.defpath), *DIRECTORIES]))
    return found if found and "MariaDB" not in _output(found, "--version") else None


def find(environ: Mapping[str, str]) -> str | None:
    """Return the path of the installed server, else of the launcher in the cache folder, or None.

    Raises:
        FetchError: `MYSQLD` names no executable file.
    """
    cached = cache_folder(environ) / "mysql" / "mysqld"
    return installed(environ) or (str(cached) if cached.is_file() else None)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for the unpacked server."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aurora-global-database"


def launcher(root: Path, machine: str = os.uname().machine) -> str:
    """Return a shell script that starts the server of an unpacked `root` with its own loader and libraries."""
    libraries = root / "usr" / "lib" / f"{machine}-linux-gnu"
    loader = next(libraries.glob("ld-linux*.so.*"), None)
    server = root / "usr" / "sbin" / "mysqld"
    if loader is None or not server.is_file():
        raise FetchError(f"{PACKAGE}: {root} has no mysqld or no loader for {machine}. Install MySQL and set MYSQLD.")
    command = shlex.join([str(loader), "--library-path", str(libraries), str(server)])
    base = shlex.quote(f"--basedir={root / 'usr'}")
    return (
        f'#!/bin/sh\nfirst="$1"; shift  # --no-defaults must be the first option\nexec {command} "$first" {base} "$@"\n'
    )


def fetch(cache: Path) -> str:
    """Download and unpack the packages, and return the path of the launcher.

    Raises:
        FetchError: this is not Debian, or a command of apt fails.
    """
    target = cache / "mysql"
    if not shutil.which("apt-get") or not KEYRING.is_file():
        raise FetchError("mysqld: not found, and this is not Debian. Install MySQL 8.0 or later, or set MYSQLD.")
    cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="mysql-", dir=cache))
    try:
        archives = _download(work, _mirror())
        root = work / "unpacked" / "root"
        root.mkdir(parents=True)
        for archive in archives:
            _run("dpkg-deb", "--extract", str(archive), str(root))
        final = target / "root"
        script = launcher(root).replace(str(root), str(final))
        path = work / "unpacked" / "mysqld"
        path.write_text(script)
        path.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        (work / "unpacked").rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return str(target / "mysqld")


def _mirror() -> str:
    """Return the address of the Debian mirror in this machine's own apt configuration."""
    release = _release()
    # The addresses come from the sources alone: a fresh image has no package lists.
    addresses = _run("apt-get", "update", "--print-uris", "-o", "Debug::NoLocking=true")
    return mirror_of(release, addresses)


def mirror_of(release: str, addresses: str) -> str:
    """Return the mirror of a release of Debian, from the output of `apt-get update --print-uris`.

    Raises:
        FetchError: no source has the release.
    """
    if found := re.search(rf"^'(\S+)/dists/{re.escape(release)}/InRelease'", addresses, re.MULTILINE):
        return found[1]
    raise FetchError(
        f"apt: no source has the release {release!r} of Debian. Install MySQL 8.0 or later, or set MYSQLD."
    )


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values.get("VERSION_CODENAME", "").strip('"')


def _download(work: Path, mirror: str) -> list[Path]:
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {SUITE} main\n")
    (work / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "{work}/etc";\n'
        f'Dir::Etc::preferences "{work}/etc/none";\nDir::Etc::preferencesparts "{work}/etc";\n'
        f'Dir::State "{work}";\nDir::State::status "{work}/status";\nDir::Cache "{work}/cache";\n'
        'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\n'
    )
    environ = {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}
    _run("apt-get", "update", environ=environ)
    # Debug::NoLocking: apt locks the package database of the system, which only root may, and which it does not use here.
    _run("apt-get", "install", "--yes", "--download-only", "-o", "Debug::NoLocking=true", PACKAGE, environ=environ)
    return sorted((work / "cache" / "archives").glob("*.deb"))


def _run(*command: str, environ: Mapping[str, str] | None = None) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environ)
    if ended.returncode:
        last = " ".join((ended.stderr.strip() or ended.stdout.strip()).splitlines()[-3:])
        raise FetchError(f"{' '.join(command[:2])}: {last}. Install MySQL 8.0 or later, or set MYSQLD.")
    return ended.stdout


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout


def main() -> int:
    """Print the path, or the reason why there is none. Return the exit code."""
    try:
        path = find(os.environ) or fetch(cache_folder(os.environ))
    except FetchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
