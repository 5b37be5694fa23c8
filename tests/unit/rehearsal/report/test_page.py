"""Tests of the report page as text: complete, escaped, with valid references."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

from rehearsal.report.dashboards import PUBLISHED_BY_AWS, AlarmHistory, Dashboard, Level, Series, Widget
from rehearsal.report.files import render_html
from rehearsal.report.formatting import format_measurement
from rehearsal.report.model import Assertion, Commit, DnsSpan, DrillResult, EventKind
from tests.support.rehearsal.sample_report import NAME, at, region_lost, sample_report, steady, switchover_home

VOID = {"meta", "link", "wbr", "br"}


class Page(HTMLParser):
    """A strict parser of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag and that it is open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Require that it closes the last open tag."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Record text outside styles; `wbr` and `nb` do not separate words."""
        if self.open and self.open[-1] != "style":
            is_joined = self.tags[-1] in (("wbr", {}), ("span", {"class": "nb"}))
            self.texts.append(("" if is_joined else " ") + data)

    @property
    def text(self) -> str:
        """The whole text."""
        return " ".join("".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        """Return all values of an attribute."""
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def html() -> str:
    """Return the page of the sample report."""
    return render_html(sample_report())


def svgs(html: str) -> list[ET.Element]:
    """Return the outermost SVGs of the page."""
    elements: list[ET.Element] = []
    depth = start = at = 0
    while True:
        opening, closing = html.find("<svg", at), html.find("</svg>", at)
        if closing < 0:
            return elements
        if 0 <= opening < closing:
            start = opening if depth == 0 else start
            depth, at = depth + 1, opening + 4
            continue
        depth, at = depth - 1, closing + 6
        if depth == 0:
            elements.append(ET.fromstring(html[start:at]))


def timelines(html: str) -> list[ET.Element]:
    """Return the timelines."""
    return [svg for svg in svgs(html) if "timeline" in (svg.get("class") or "").split()]


def test_page_is_well_formed(html: str) -> None:
    """Each tag closes the last open one."""
    assert Page(html).open == []


def test_every_svg_is_well_formed_xml(html: str) -> None:
    """Each of the four drills has three well-formed layouts."""
    assert len(timelines(html)) == 12


def test_ids_are_unique_and_references_have_targets(html: str) -> None:
    """Links, labels and patterns refer to existing ids, and each id occurs once."""
    page = Page(html)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.values("href") if link.startswith("#")]
    targets += [one for label in page.values("aria-labelledby") for one in label.split()]
    targets += [part.split(")")[0] for part in html.split("url(#")[1:]]
    assert sorted(set(targets) - set(ids)) == []


def test_page_needs_no_network(html: str) -> None:
    """The page has no script, external style, image, font or link."""
    page = Page(html)
    assert [
        value for name in ("src", "href") for value in page.values(name) if not value.startswith(("#", "data:,"))
    ] == []
    assert ("http:" in html, "https:" in html, "@import" in html, "<script" in html) == (False, False, False, False)


def test_page_shows_every_drill_event_assertion_and_measurement(html: str) -> None:
    """The page omits no part of a drill."""
    text = Page(html).text
    wanted = [drill.title for drill in sample_report().drills]
    for drill in sample_report().drills:
        wanted += [event.event for event in drill.timeline]
        wanted += [" ".join(words.split()) for one in drill.assertions for words in (one.text, one.detail)]
        wanted += [format_measurement(name, value)[0] for name, value in drill.measurements.items()]
    assert [words for words in wanted if words not in text] == []


def test_page_shows_settings_versions_resources_and_limits(html: str) -> None:
    """The page shows the conditions of the rehearsal."""
    text = Page(html).text
    wanted = ["failure_threshold 3", "3.272.0", "aws:rds/globalCluster:GlobalCluster", *sample_report().notes]
    wanted += ["24 November 2026, 02:43 UTC", "18 resources in 12.3 s", "payments-global-dev", "4f7c2a90d1b3"]
    wanted += ["Linux x86_64, 2 processors", "failover.interval_seconds 10 s 1 s"]
    wanted += ["databaseInsightsMode a cluster of the embedded AWS has no such field"]
    assert [words for words in wanted if words not in text] == []


def test_page_marks_commit_with_uncommitted_changes() -> None:
    """The rehearsed code differs from the commit."""
    report = replace(sample_report(), commit=Commit(id="ab" * 20, modified=True))
    assert "abababababab, with uncommitted changes" in Page(render_html(report)).text


def test_page_draws_every_widget_of_both_dashboards(html: str) -> None:
    """The page shows titles, lines, levels, texts, alarms, and the reasons for missing data."""
    text = Page(html).text
    for words in (
        "Cycles and decisions every 6 s",
        "Cycles (sum)",
        "one cycle per second",
        "Read the *runbook* first.",
        "Not drawn here: legend.",
    ):
        assert 2 == text.count(words), words
    assert text.count(PUBLISHED_BY_AWS) >= 4
    assert 2 == text.count("payments-no-writer-dev No region has a writer that accepts writes. OK")
    assert 2 == text.count(
        "payments-cpu-dev An instance has a high CPU load. OK without data published by AWS, not by the rehearsal"
    )


def test_widgets_are_placed_on_the_grid(html: str) -> None:
    """Widgets are placed on a grid of 24 columns, as in CloudWatch."""
    places = [value for value in Page(html).values("style") if value.startswith("grid-column")]
    assert [
        "grid-column: 1 / span 12; grid-row: 1 / span 6",
        "grid-column: 13 / span 12; grid-row: 1 / span 6",
    ] == places[:2]
    assert 8 == len(places)


def test_dashboard_texts_are_escaped() -> None:
    """Dashboard texts come from an API, so the page escapes them."""
    evil = "</svg><script>alert(1)</script>"
    alarm = AlarmHistory(name=evil, says=evil, rule=evil, spans=(), absent=evil)
    series = Series(label=evil, namespace=evil, statistic=evil, points=(), absent=evil)
    widget = Widget(
        kind="metric", title=evil, x=0, y=0, width=6, height=6, text=evil, series=(series,), alarms=(alarm,),
        levels=(Level(label=evil, value=1),), undrawn=(evil,),
    )  # fmt: skip
    board = Dashboard(name=evil, region=evil, start_seconds=0, end_seconds=9, widgets=(widget,))
    html = render_html(replace(sample_report(), dashboards=(board,)))
    assert (False, []) == ("<script" in html, Page(html).open)


def test_page_shows_start_in_utc() -> None:
    """The start is in UTC, whatever the report's time zone is."""
    zone = timezone(timedelta(hours=2))
    report = replace(sample_report(), started_at=datetime(2026, 11, 24, 1, 5, tzinfo=zone))
    assert "23 November 2026, 23:05 UTC" in Page(render_html(report)).text


def test_texts_of_drills_are_escaped() -> None:
    """A database's error message may contain markup."""
    evil = "<script>alert('x')</script>&\"><svg"
    drill = replace(
        region_lost(),
        title=evil,
        name='"><b>',
        description=evil,
        zero=evil,
        error=evil,
        timeline=(at(0, EventKind.NOTE, evil, evil, evil), at(1, EventKind.CALL, evil)),
        dns=(DnsSpan(name=evil, region=evil, start_seconds=0, end_seconds=1),),
        assertions=(Assertion(text=evil, passed=False, detail=evil),),
    )
    report = replace(
        sample_report(), drills=(drill,), notes=(evil,), errors=(evil,), settings={evil: evil}, versions={evil: evil}
    )
    html = render_html(report)
    page = Page(html)
    assert ("<script" in html, page.open, len(timelines(html))) == (False, [], 3)
    assert page.text.count(evil) >= 10


def test_failed_drill_is_named_at_the_top_and_in_its_section() -> None:
    """The section has the evidence as text."""
    report = replace(sample_report(), drills=(steady(), switchover_home(passed=False)))
    text = Page(render_html(report)).text
    assert "Failed 1 of 2 drills failed: Switchover to the primary region . 1 of 5 assertions failed." in text
    assert (
        "Switchover to the primary region Failed: the switchover lost no acknowledged row 70 of 70 rows read back"
        in text
    )
    assert "Failed the switchover lost no acknowledged row 70 of 70 rows read back" in text


def test_drill_that_ended_early_shows_its_error() -> None:
    """The error is in the drill's section."""
    report = replace(sample_report(), drills=(replace(steady(), error="TimeoutError: no cycle in 30 s"),))
    assert "Ended early. TimeoutError: no cycle in 30 s" in Page(render_html(report)).text


def test_report_without_drills_has_a_page() -> None:
    """A failed deployment is reported."""
    report = replace(sample_report(), drills=(), errors=("aws:rds/cluster:Cluster: unknown property x",))
    text = Page(render_html(report)).text
    assert "Failed No drill ran. aws:rds/cluster:Cluster: unknown property x" in text


def test_drill_without_records_has_a_section() -> None:
    """The section of a drill without records has no timeline."""
    drill = DrillResult(name="bare", title="Bare", assertions=(), timeline=())
    html = render_html(replace(sample_report(), drills=(drill,), resources={}, notes=(), versions={}, settings={}))
    assert "The drill checked no assertion. Events No events." in Page(html).text
    assert timelines(html) == []


def test_timelines_have_a_title_and_a_description(html: str) -> None:
    """The description contains roles, DNS answers and writes."""
    drawn = timelines(html)[3]
    assert [element.tag for element in list(drawn)[:2]] == ["title", "desc"]
    words = drawn[1].text or ""
    for part in (
        "us-east-1 is unreachable from 0 to 12 s",
        f"{NAME} resolves to eu-west-1 from 9 to 12 s",
        "44 acknowledged",
    ):
        assert part in words


def test_page_has_styles_for_dark_mode_print_and_phones(html: str) -> None:
    """The style has a part for dark mode, for print and for phones."""
    for condition in ("prefers-color-scheme: dark", "@media print", "max-width", 'name="viewport"'):
        assert condition in html
