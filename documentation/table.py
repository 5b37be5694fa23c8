"""Tables in Markdown, for every generated page."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, one line a row."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(text) for text in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    # A name like writer.<zone> would be taken for HTML.
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
