"""What generated pages are made of: tables, and text that Markdown takes as it stands.

Owns: escaping. Does not own: what a page says.
"""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; every cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(text) for text in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    # A name like writer.<zone> would be taken for HTML.
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
