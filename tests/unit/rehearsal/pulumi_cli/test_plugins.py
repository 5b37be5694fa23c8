"""The executables for the CLI's PATH."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from rehearsal.pulumi_cli.plugins import LANGUAGE_HOST, write_plugins


def executable(path: Path) -> Path:
    """Create an empty executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def names(folder: Path) -> list[str]:
    """Return the executables of a folder."""
    return sorted(each.name for each in folder.iterdir())


def test_cli_without_language_host_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run finds the own host on the PATH, and keeps it."""
    cli, plugins = executable(tmp_path / "built" / "pulumi"), tmp_path / "plugins"
    monkeypatch.setenv("PATH", f"{plugins}{os.pathsep}{os.defpath}")
    for _ in range(2):
        write_plugins(plugins, cli)
        assert names(plugins) == [LANGUAGE_HOST, "pulumi-resource-aws", "pulumi-resource-random"]


def test_only_a_changed_plugin_is_replaced(tmp_path: Path) -> None:
    """A running engine may start one meanwhile: it finds the old or the new file, complete and executable."""
    cli, plugins = executable(tmp_path / "built" / "pulumi"), tmp_path / "plugins"
    write_plugins(plugins, cli)
    changed = plugins / "pulumi-resource-aws"
    content = changed.read_text()
    with changed.open("a") as file:
        file.write("# of another checkout\n")
    before = {each.name: each.stat().st_ino for each in plugins.iterdir()}
    with changed.open() as opened:
        write_plugins(plugins, cli)
        assert opened.read() == f"{content}# of another checkout\n"
    assert (changed.read_text(), os.access(changed, os.X_OK)) == (content, True)
    replaced = [each.name for each in plugins.iterdir() if each.stat().st_ino != before.get(each.name)]
    assert replaced == [changed.name]


@pytest.mark.parametrize("folder", ["bin", "elsewhere"])
def test_official_language_host_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """It lies beside the official CLI, or on the PATH."""
    cli, plugins = executable(tmp_path / "bin" / "pulumi"), tmp_path / "plugins"
    host = executable(tmp_path / folder / LANGUAGE_HOST)
    monkeypatch.setenv("PATH", str(host.parent))
    write_plugins(plugins, cli)
    assert names(plugins) == ["pulumi-resource-aws", "pulumi-resource-random"]


def test_provider_without_an_endpoint_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must never reach AWS."""
    write_plugins(tmp_path, executable(tmp_path / "built" / "pulumi"))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    ended = subprocess.run([tmp_path / "pulumi-resource-aws"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert 'serves only the embedded AWS. Run: eval "$(python -m rehearsal.sandbox env)"' in ended.stderr


@pytest.mark.parametrize("name", ["pulumi-resource-aws", LANGUAGE_HOST])
def test_engine_ends_a_plugin_with_sigint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A plugin that goes on delays the end of every command by 5 s, and is killed then."""
    write_plugins(tmp_path, executable(tmp_path / "built" / "pulumi"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with subprocess.Popen([tmp_path / name], stdout=subprocess.PIPE, text=True) as plugin:
        assert plugin.stdout is not None
        assert int(plugin.stdout.readline()) > 0
        plugin.send_signal(signal.SIGINT)
        try:
            assert plugin.wait(timeout=60) == 0
        finally:
            plugin.kill()
