"""List of the generated pages, each made from the code alone."""

from collections.abc import Callable, Mapping
from pathlib import Path

from docgen.commands import commands_page
from docgen.cost import cost_page
from docgen.decision_table import decisions_page
from docgen.incidents import incidents_page
from docgen.outputs import outputs_page
from docgen.resources import resources_page
from docgen.rules import rules_page
from docgen.security import security_page
from docgen.settings import settings_page

ROOT = Path(__file__).resolve().parents[1]

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/cost.md": cost_page,
    "docs/incidents.md": incidents_page,
    "docs/security.md": security_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/decision-table.md": decisions_page,
    "docs/reference/outputs.md": outputs_page,
    "docs/reference/resources.md": resources_page,
    "docs/reference/rules.md": rules_page,
    "docs/reference/settings.md": settings_page,
}
"""The function that returns a page's text, by path in the repository."""


def outdated() -> list[str]:
    """Return the pages whose files differ from the code."""
    return [path for path, make in PAGES.items() if _read(ROOT / path) != make()]


def write() -> list[str]:
    """Write the outdated pages; return their paths."""
    changed = outdated()
    for path in changed:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(PAGES[path](), encoding="utf-8")
    return changed


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
