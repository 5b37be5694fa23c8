"""README.md: its picture of who asks whom, put where the marks are.

Owns: the picture's place. Does not own: the rest of the README, which people write. Invariant: only what stands between the
marks is changed.
"""

from pathlib import Path

from docgen.calls import calls
from docgen.graph import drawn_graph

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- made by `python -m docgen` from the roles as deployed -->\n", "<!-- until here -->\n"


def readme_page() -> str:
    """Return the README with its picture as the program has it now.

    Raises:
        ValueError: a mark is missing.
    """
    return with_picture(README.read_text(encoding="utf-8"), calls(drawn_graph()))


def with_picture(text: str, picture: str) -> str:
    """Put a picture between the marks.

    Raises:
        ValueError: a mark is missing.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks a mark: {BEGIN.strip()} or {END.strip()}")
    return head + begin + picture + end + tail
