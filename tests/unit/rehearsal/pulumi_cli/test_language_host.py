"""The language host starts policy packs as the official one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import language_pb2

from rehearsal.pulumi_cli.language_host import LanguageHost


class Call:
    """A call that the engine may cancel."""

    def __init__(self) -> None:
        self.on_end: list[Callable[[], Any]] = []

    def add_callback(self, callback: Callable[[], Any]) -> None:
        """Remember what ends the plugin."""
        self.on_end.append(callback)


def run_plugin(folder: Path, program: str) -> tuple[Any, Call]:
    """Start a plugin; return its messages and the call."""
    (folder / "__main__.py").write_text(program)
    info = language_pb2.ProgramInfo(program_directory=str(folder), entry_point=".")
    call = Call()
    request = language_pb2.RunPluginRequest(pwd=str(folder), args=["engine"], env=["NAME=value"], info=info)
    return LanguageHost().RunPlugin(request, call), call


def test_port_arrives_before_the_plugin_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy pack writes its port without flushing it, and then serves until the engine ends it."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    program = "import sys, threading\nsys.stdout.buffer.write(b'4711\\n')\nthreading.Event().wait()\n"
    messages, call = run_plugin(tmp_path, program)
    assert next(messages).stdout == b"4711\n"
    call.on_end[0]()
    assert [each.exitcode for each in messages] == [-9]


def test_output_errors_and_exit_code_are_passed_on(tmp_path: Path) -> None:
    """The plugin has the engine's arguments and variables."""
    program = "import os, sys\nprint(sys.argv[1], os.environ['NAME'])\nprint('wrong', file=sys.stderr)\nsys.exit(3)\n"
    messages = list(run_plugin(tmp_path, program)[0])
    assert b"engine value\n" == b"".join(each.stdout for each in messages)
    assert b"wrong\n" == b"".join(each.stderr for each in messages)
    assert messages[-1].exitcode == 3
