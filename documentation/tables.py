"""Markdown tables, as every generated page writes them.

Owns: their form. Does not own: what stands in them.
"""

from collections.abc import Iterable


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a table; a cell's bars are escaped, and names like writer.<zone> are kept from being HTML."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(_cell(text) for text in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    # What is inside code is shown as it is.
    return "`".join(
        part if index % 2 else part.replace("<", "&lt;").replace(">", "&gt;")
        for index, part in enumerate(text.replace("|", "\\|").split("`"))
    )
