"""Which mysqld the tests use, and the launcher of an unpacked one."""

import os
import subprocess
from pathlib import Path

import pytest

from tools.fetch_mysql import FetchError, find, installed, launcher, mirror_of


@pytest.fixture(autouse=True)
def no_server_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for servers on the given PATH only."""
    monkeypatch.setattr("tools.fetch_mysql.DIRECTORIES", ())


def program(path: Path, output: str) -> Path:
    """Create an executable that prints its arguments after a line of output."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{output}"\necho "$@"\n')
    path.chmod(0o755)
    return path


def test_named_server_comes_first(tmp_path: Path) -> None:
    """MYSQLD wins over the PATH."""
    named, other = program(tmp_path / "a" / "mysqld", "named"), program(tmp_path / "b" / "mysqld", "Ver 8.0.42")
    assert str(named) == installed({"MYSQLD": str(named), "PATH": str(other.parent)})
    assert str(other) == installed({"PATH": str(other.parent)})


def test_named_server_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """Another server would be a surprise."""
    with pytest.raises(FetchError, match=r"^MYSQLD: .*nothing is not an executable file\. Set it"):
        installed({"MYSQLD": str(tmp_path / "nothing"), "PATH": os.defpath})


def test_mariadb_is_not_used(tmp_path: Path) -> None:
    """It has other privileges and error numbers."""
    server = program(tmp_path / "mysqld", "Ver 10.11.4-MariaDB")
    assert installed({"PATH": str(server.parent)}) is None


def test_launcher_starts_the_server_with_its_own_loader(tmp_path: Path) -> None:
    """The first argument stays the first, because --no-defaults must be."""
    root = tmp_path / "a root"
    libraries = root / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
    server = program(root / "usr" / "sbin" / "mysqld", "the server")
    loader = program(libraries / "ld-linux-any.so.2", "the loader")
    script = tmp_path / "mysqld"
    script.write_text(launcher(root))
    started = subprocess.run(
        ["sh", str(script), "--no-defaults", "--port=1"], capture_output=True, text=True, check=True
    )
    options = f"--library-path {libraries} {server} --no-defaults --basedir={root / 'usr'} --port=1"
    assert ["the loader", options] == started.stdout.splitlines(), loader


def test_unpacked_root_without_a_server_is_an_error(tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(FetchError, match=r"Install MySQL and set MYSQLD\."):
        launcher(tmp_path)


def test_launcher_in_the_cache_is_found(tmp_path: Path) -> None:
    """A second run downloads nothing, and an installed server comes first."""
    environ = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert find(environ) is None
    script = program(tmp_path / "aurora-global-database" / "mysql" / "mysqld", "cached")
    assert str(script) == find(environ)
    server = program(tmp_path / "bin" / "mysqld", "Ver 8.0.42")
    assert str(server) == find({**environ, "PATH": str(server.parent)})


def test_mirror_is_the_one_of_this_release() -> None:
    """Security updates and other vendors have mirrors of their own."""
    addresses = (
        "'http://vendor.example/apt/dists/stable/InRelease' a 0\n"
        "'http://mirror.example/debian-security/dists/bookworm-security/InRelease' b 0\n"
        "'http://mirror.example/debian/dists/bookworm/InRelease' c 0\n"
    )
    assert "http://mirror.example/debian" == mirror_of("bookworm", addresses)
    with pytest.raises(FetchError, match="no source has the release 'trixie'"):
        mirror_of("trixie", addresses)
