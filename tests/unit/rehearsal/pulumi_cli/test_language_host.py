"""The language host starts policy packs as the official one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import language_pb2

from rehearsal.pulumi_cli.language_host import LanguageHost

SERVER = "import sys, threading\nsys.stdout.buffer.write(b'4711\\n')\nthreading.Event().wait()\n"


class Call:
    """A call that the engine may cancel, or has cancelled."""

    def __init__(self, *, is_active: bool = True) -> None:
        self._is_active = is_active
        self.on_end: list[Callable[[], Any]] = []

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        """Remember what ends the plugin, unless the call has ended."""
        self.on_end.append(callback)
        return self._is_active


def run_plugin(folder: Path, program: str, host: LanguageHost, call: Call) -> Any:
    """Start a plugin; return its messages."""
    (folder / "__main__.py").write_text(program)
    info = language_pb2.ProgramInfo(program_directory=str(folder), entry_point=".")
    request = language_pb2.RunPluginRequest(pwd=str(folder), args=["engine"], env=["NAME=value"], info=info)
    return host.RunPlugin(request, call)


@pytest.mark.parametrize("is_killed", [False, True], ids=["cancelled", "killed"])
def test_plugin_runs_until_the_engine_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool) -> None:
    """A policy pack writes its port without flushing it, and then serves. A killed engine does not cancel the call."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    host, call = LanguageHost(), Call()
    messages = run_plugin(tmp_path, SERVER, host, call)
    assert next(messages).stdout == b"4711\n"
    if is_killed:
        host.kill_plugins()
    else:
        call.on_end[0]()
    assert [each.exitcode for each in messages] == [-9]


def test_plugin_of_a_call_that_has_ended_is_killed(tmp_path: Path) -> None:
    """gRPC calls no callback then."""
    *_, last = run_plugin(tmp_path, SERVER, LanguageHost(), Call(is_active=False))
    assert last.exitcode == -9


def test_output_errors_and_exit_code_are_passed_on(tmp_path: Path) -> None:
    """The plugin has the engine's arguments and variables."""
    program = "import os, sys\nprint(sys.argv[1], os.environ['NAME'])\nprint('wrong', file=sys.stderr)\nsys.exit(3)\n"
    messages = list(run_plugin(tmp_path, program, LanguageHost(), Call()))
    assert b"engine value\n" == b"".join(each.stdout for each in messages)
    assert b"wrong\n" == b"".join(each.stderr for each in messages)
    assert messages[-1].exitcode == 3
