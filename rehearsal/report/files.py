"""Writes report.json for machines and report.html for people; templates and style are in `page/`."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from rehearsal.report.axis import LAYOUTS
from rehearsal.report.dashboard_charts import PATH_WIDTH, STATE_LABELS, draw_boards
from rehearsal.report.formatting import format_clock, format_duration, format_measurement, format_number, format_setting
from rehearsal.report.model import Report
from rehearsal.report.phases import phases
from rehearsal.report.summary import key_figures, summary_sentences
from rehearsal.report.timeline import draw

JSON_NAME = "report.json"
HTML_NAME = "report.html"


@dataclass(frozen=True, kw_only=True)
class ReportPaths:
    """Paths of the written report."""

    json: Path
    html: Path


def write_report(report: Report, directory: Path) -> ReportPaths:
    """Write report.json and report.html, each atomically, after both are rendered.

    Raises:
        TypeError, ValueError: a setting isn't JSON.
        OSError: the directory can't be created or written to.
    """
    contents = json.dumps(report.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    page = render_html(report)
    directory.mkdir(parents=True, exist_ok=True)
    paths = ReportPaths(json=directory / JSON_NAME, html=directory / HTML_NAME)
    _replace_file(paths.json, contents)
    _replace_file(paths.html, page)
    return paths


def render_html(report: Report) -> str:
    """Return the page: one self-contained file, with all data escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": format_number,
        "duration": format_duration,
        "setting": format_setting,
        "clock": format_clock,
        "breakable": lambda words: Markup("<wbr>").join(re.split(r"(?<=[:/._])", words)),  # long names on a phone
        "unbroken": _unbroken,
        "timestamp": lambda moment: f"{moment.day} {moment:%B %Y, %H:%M} UTC",
    }
    environment.globals |= {"measurement": format_measurement, "path_width": PATH_WIDTH, "state_words": STATE_LABELS}
    drawings = [[drawing for layout in LAYOUTS if (drawing := draw(drill, layout))] for drill in report.drills]
    return environment.get_template(f"{HTML_NAME}.j2").render(
        report=report,
        started_at=report.started_at.astimezone(UTC),
        sentences=summary_sentences(report),
        figures=key_figures(report),
        drills=[(drill, drawn, phases(drill)) for drill, drawn in zip(report.drills, drawings, strict=True)],
        boards=draw_boards(report),
        settings=_grouped(report.settings),
        resources=ResourceTable.of(report.resources),
    )


HYPHENATED = re.compile(r"[A-Za-z0-9.]+(?:-[A-Za-z0-9.]+)+")
LONGEST_UNBROKEN = 26
"""Longest name that fits on a phone."""


def _unbroken(text: str) -> Markup:
    """Keep names such as eu-west-1 on one line: browsers break after hyphens."""
    parts: list[Markup] = []
    at = 0
    for match in HYPHENATED.finditer(text):
        if len(match[0]) <= LONGEST_UNBROKEN:
            parts += [escape(text[at : match.start()]), Markup('<span class="nb">{}</span>').format(match[0])]
            at = match.end()
    return Markup("").join([*parts, escape(text[at:])])


def _grouped(settings: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    """Group the settings by section; settings without a section come first, under the empty name."""
    sections: dict[str, dict[str, object]] = {
        name: dict(_flattened(value)) for name, value in settings.items() if value and isinstance(value, Mapping)
    }
    own: dict[str, object] = {
        name: () if value == {} else value for name, value in settings.items() if name not in sections
    }
    return ({"": own} if own else {}) | sections


def _flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@dataclass(frozen=True, kw_only=True)
class ResourceTable:
    """Resource counts with a column per region ("global" last) and a row per type."""

    regions: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    totals: tuple[int, ...]

    @classmethod
    def of(cls, resources: Mapping[str, Mapping[str, int]]) -> "ResourceTable":
        """Return the counts as a table: one row per type, one column per region."""
        regions = tuple(sorted(resources, key=lambda region: (region == "global", region)))
        types = sorted({token for counts in resources.values() for token in counts})
        return cls(
            regions=regions,
            rows=tuple((token, tuple(resources[region].get(token, 0) for region in regions)) for token in types),
            totals=tuple(sum(resources[region].values()) for region in regions),
        )


def _replace_file(path: Path, contents: str) -> None:
    """Replace a file atomically."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(contents, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
