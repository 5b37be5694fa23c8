"""A real Chromium for tests of pages: the machine's own, driven by playwright, which is never asked to download one.

Without a Chromium these tests are skipped with a reason that says how to get one; where REQUIRE_CHROMIUM is set, as in CI, they
fail instead.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET = "no Chromium on this machine: `apt-get install chromium` (Debian), or set CHROMIUM to the path of one"
PATIENCE_MS = 120_000.0
QUIET = (
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-quic",
)
"""A browser that calls nobody by itself."""


def chromium() -> str:
    """The path of this machine's Chromium. Without one the test is skipped, or fails where REQUIRE_CHROMIUM is set."""
    named = os.environ.get("CHROMIUM", "")
    path = shutil.which(named) if named else next((path for name in NAMES if (path := shutil.which(name))), None)
    if path is None:
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail(f"REQUIRE_CHROMIUM is set, and there is {HOW_TO_GET}")
        pytest.skip(HOW_TO_GET)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, for one module: playwright's event loop would be in the way of others."""
    path = chromium()
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()  # Chromium's sandbox refuses root, as in a container
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*QUIET, *as_root], timeout=PATIENCE_MS)
        yield launched
        launched.close()
