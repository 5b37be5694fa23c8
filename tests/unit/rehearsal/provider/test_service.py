"""The texts of errors for the engine, and the end of a plugin whose engine was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.provider.provider import ReadBackError
from rehearsal.provider.resources.handler import HandlerError
from rehearsal.provider.service import error_text
from tests.support.waiting import wait_until

PLUGIN = """
import os, sys
from pathlib import Path
from rehearsal.provider.service import new_server, serve

serve(*new_server(), on_end=lambda: Path(sys.argv[1]).write_text(str(os.getpid())))
"""
ENGINE = f"""
import subprocess, sys
plugin = subprocess.Popen([sys.executable, "-c", {PLUGIN!r}, sys.argv[1]], stdout=subprocess.PIPE)
assert plugin.stdout.readline()
"""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ReadBackError(
                [("secretString", "sent 'hunter22', but SecretString reads back as ''"), ("tags", "sent {}")]
            ),
            "secretString: does not read back as it was sent; tags: does not read back as it was sent",
        ),
        (HandlerError("too short", property="length"), "length: too short"),
        (HandlerError("no such type"), "no such type"),
        (ValueError("the state has only the hash"), "the state has only the hash"),
    ],
)
def test_error_names_the_property_and_quotes_no_value(error: Exception, text: str) -> None:
    """The engine prints the text, and a provider does not know which inputs are secrets."""
    assert error_text(error) == text


def test_plugin_of_a_killed_engine_cleans_up(tmp_path: Path) -> None:
    """Then it ends by itself."""
    ended = tmp_path / "ended"
    subprocess.run([sys.executable, "-c", ENGINE, str(ended)], check=True)
    assert wait_until(lambda: ended.is_file() and ended.read_text(), pause_seconds=0.1)
