"""Markdown tables with escaped cells."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with escaped cells."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(text) for text in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    # A name such as writer.<zone> is not HTML.
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
