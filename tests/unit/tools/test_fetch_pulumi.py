"""Which Pulumi CLI the tests use."""

import os
from pathlib import Path

import pytest

from tools.fetch_pulumi import MINIMUM, CliMissingError, build, cached_path, find, fits, pinned_version


def cli(folder: Path, version: str) -> Path:
    """Create an executable that prints a version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pulumi"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_cli_on_the_path_comes_first(tmp_path: Path) -> None:
    """A CLI of the SDK's version or later is used as it is."""
    environ = {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path)}
    installed = cli(tmp_path / "bin", "v3.300.0")
    cli(cached_path(environ).parent, "v3.276.0")
    assert find(environ) == str(installed)


def test_old_cli_on_the_path_gives_way_to_the_built_one(tmp_path: Path) -> None:
    """An older CLI does not know what the SDK asks for."""
    environ = {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path)}
    cli(tmp_path / "bin", "v3.100.0")
    assert find(environ) is None
    built = cli(cached_path(environ).parent, "v3.276.0")
    assert find(environ) == str(built)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("v3.272.0", True), ("3.276.1", True), ("v3.271.9", False), ("v4.0.0", False), ("", False), ("dev", False)],
)
def test_version_fits(version: str, expected: bool) -> None:
    """The CLI has the SDK's major version and is not older than it."""
    assert fits(version) is expected


def test_pinned_version_fits() -> None:
    """The CLI that is built is one that is used."""
    assert fits(pinned_version())


def test_minimum_is_the_version_of_the_sdk() -> None:
    """An update of the SDK raises the minimum."""
    requirements = Path(__file__).parents[3] / "requirements.txt"
    assert f"pulumi=={'.'.join(map(str, MINIMUM))}\n" in requirements.read_text()


def test_without_cli_and_go_the_error_says_how_to_install_one(tmp_path: Path) -> None:
    """One sentence says what is missing, and one what to do."""
    with pytest.raises(
        CliMissingError, match=r"Go is missing\. Install the Pulumi CLI .* or Go, and run `make pulumi`\.$"
    ):
        build(tmp_path / "pulumi", {"PATH": str(tmp_path)})


def test_failed_build_leaves_no_cli(tmp_path: Path) -> None:
    """A build that fails is tried again the next time."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'no network' >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(CliMissingError, match=r"^go build: no network"):
        build(tmp_path / "cache" / "pulumi", {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"})
    assert not list((tmp_path / "cache").iterdir())
