"""The machine's own Chromium for tests of pages, driven by playwright.

Without a Chromium these tests are skipped; with REQUIRE_CHROMIUM set, as in CI, they fail instead.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET = "no Chromium on this machine. Run `apt-get install chromium` (Debian), or set CHROMIUM to its path"
PATIENCE_MS = 120_000.0
QUIET = (
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-quic",
)
"""Flags that stop background requests."""


def chromium() -> str:
    """Return the path of this machine's Chromium; skip without one, or fail with REQUIRE_CHROMIUM."""
    named = os.environ.get("CHROMIUM", "")
    path = shutil.which(named) if named else next((path for name in NAMES if (path := shutil.which(name))), None)
    if path is None:
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail(f"REQUIRE_CHROMIUM is set, but there is {HOW_TO_GET}")
        pytest.skip(HOW_TO_GET)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a headless Chromium for one module: playwright's event loop would disturb others."""
    path = chromium()
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()  # Chromium's sandbox refuses root
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*QUIET, *as_root], timeout=PATIENCE_MS)
        yield launched
        launched.close()
