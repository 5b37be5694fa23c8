"""The tables of docs/rehearsal-database.md: what the stand-in refuses, and where its answers differ from MySQL's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rehearsal-database.md"


@dataclass(frozen=True)
class Difference:
    """Two answers to one statement; `...` stands for any text."""

    mysql: str
    stand_in: str


def documented_differences() -> dict[str, Difference]:
    """Return the differences by statement."""
    return {row[0]: Difference(mysql=row[1], stand_in=row[2]) for row in _rows(columns=4)}


def documented_refusals() -> dict[str, str]:
    """Return what the stand-in names in its refusal, by statement."""
    return {row[0]: row[1] for row in _rows(columns=2)}


def _rows(*, columns: int) -> Iterator[list[str]]:
    """Yield the cells of each table with this number of columns; code spans are unquoted."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == columns and cells[0].startswith("`"):
            yield [cell.strip("`").strip() for cell in cells]
