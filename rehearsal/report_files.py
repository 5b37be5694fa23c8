"""The two files that say what a rehearsal found: report.json for machines, report.html for people.

Owns: their writing, and the page's rendering. Does not own: the facts (`report`), the drawing's geometry (`timeline`).
Invariant: a reader finds the old pair or the new one, never a part of one.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rehearsal.report import Report
from rehearsal.timeline import LAYOUTS, draw
from rehearsal.wording import clock_words, duration_words, measurement_words, setting_words, shown

JSON_NAME = "report.json"
HTML_NAME = "report.html"


@dataclass(frozen=True, kw_only=True)
class ReportPaths:
    """Where the report was written."""

    json: Path
    html: Path


def write_report(report: Report, directory: Path) -> ReportPaths:
    """Write report.json and report.html, each at once: a reader finds the old file or the new one, never half of one.

    Both are rendered before either is written, so a report that can't be rendered leaves the old pair as it was.

    Raises:
        TypeError, ValueError: a setting isn't JSON.
        OSError: the directory can't be made or written to.
    """
    contents = json.dumps(report.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    page = render_html(report)
    directory.mkdir(parents=True, exist_ok=True)
    paths = ReportPaths(json=directory / JSON_NAME, html=directory / HTML_NAME)
    _write_at_once(paths.json, contents)
    _write_at_once(paths.html, page)
    return paths


def render_html(report: Report) -> str:
    """The page: one self-contained file, everything from outside escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": shown,
        "duration": duration_words,
        "settled": setting_words,
        "clock": clock_words,
        "breakable": lambda words: Markup("<wbr>").join(re.split(r"(?<=[:/._])", words)),  # long names on a phone
        "moment": lambda moment: f"{moment.day} {moment:%B %Y, %H:%M} UTC",
    }
    drawings = [[drawing for layout in LAYOUTS if (drawing := draw(drill, layout))] for drill in report.drills]
    return environment.get_template(f"{HTML_NAME}.j2").render(
        report=report,
        started_at=report.started_at.astimezone(UTC),
        drills=list(zip(report.drills, drawings, strict=True)),
        settings=dict(_flattened(report.settings)),
        resources=ResourceTable.of(report.resources),
        measured=measurement_words,
    )


def _flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@dataclass(frozen=True, kw_only=True)
class ResourceTable:
    """The counts of resources with a column a region ("global" last) and a row a type."""

    regions: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    totals: tuple[int, ...]

    @classmethod
    def of(cls, resources: Mapping[str, Mapping[str, int]]) -> "ResourceTable":
        """Arrange the counts."""
        regions = tuple(sorted(resources, key=lambda region: (region == "global", region)))
        types = sorted({token for counts in resources.values() for token in counts})
        return cls(
            regions=regions,
            rows=tuple((token, tuple(resources[region].get(token, 0) for region in regions)) for token in types),
            totals=tuple(sum(resources[region].values()) for region in regions),
        )


def _write_at_once(path: Path, contents: str) -> None:
    """Write beside the file, then put it in its place; a write that fails leaves nothing behind."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(contents, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
