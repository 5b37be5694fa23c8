"""Tests of the report page in Chromium: requests, layout, contrast, print, keyboard."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from rehearsal.report.files import write_report
from rehearsal.report.model import Assertion, EventKind, Report
from tests.browser.conftest import PATIENCE_MS
from tests.support.rehearsal.sample_report import SECONDARY, at, region_lost, sample_report, steady, switchover_home

PHONE, TABLET, DESK = 390, 768, 1200
A4_HEIGHT_PX = (297 - 14 - 16) / 25.4 * 96
"""Height of a printed page without margins."""
ARN = f"arn:aws:rds:eu-west-1:123456789012:cluster:{'name' * 30}"
"""Wider than a phone, without a break opportunity."""


def crowded() -> Report:
    """Return a failed rehearsal with long names, many events and an error."""
    events = tuple(
        at(index * 0.31 % 11, kind, f"{ARN} {kind}", SECONDARY) for index, kind in enumerate([*EventKind] * 4)
    )
    lost = replace(
        region_lost(),
        timeline=(*region_lost().timeline, *events),
        assertions=(Assertion(text=f"{ARN} holds", passed=False, detail=f"{ARN}\n{ARN}"),),
        error=f"ClientError: {ARN}",
    )
    return replace(
        sample_report(),
        subject=ARN,
        drills=(steady(), lost, switchover_home(passed=False)),
        settings={"tags": {"Owner": ARN}, "name": ARN},
        errors=(f"the dashboards could not be read: {ARN}",),
    )


REPORTS: dict[str, Callable[[], Report]] = {"passed": sample_report, "crowded": crowded}
Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a report's page; fail on console messages and external requests."""
    said: list[str] = []
    contexts: list[Any] = []

    def opened(
        report: Report,
        *,
        width: int = DESK,
        scheme: Literal["light", "dark"] = "light",
        motion: Literal["reduce", "no-preference"] = "no-preference",
    ) -> Page:
        path = write_report(report, tmp_path).html
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion=motion
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if request.url == path.as_uri() else said.append(request.url[:80]))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [] == [one for one in said if not one.startswith("data:,")]


@pytest.mark.parametrize("name", REPORTS)
def test_page_is_silent_and_shows_every_drill(open_page: Open, name: str) -> None:
    """Each drill's heading and timeline are visible, and the list links to them."""
    report = REPORTS[name]()
    page = open_page(report)
    for drill in report.drills:
        section = page.locator(f"section[aria-labelledby='drill-{drill.name}']")
        assert drill.title == section.locator("h2").inner_text()
        assert section.locator("svg.timeline:visible").count() == 1
        page.locator(f"table.summary a[href='#drill-{drill.name}']").click()
        assert page.url.endswith(f"#drill-{drill.name}")
    assert 2 == page.locator(".board:visible").count()


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [320, PHONE, TABLET, DESK])
def test_page_is_not_wider_than_the_screen(open_page: Open, name: str, width: int) -> None:
    """No text or drawing exceeds the screen on either side."""
    page = open_page(REPORTS[name](), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        """width => [...document.querySelectorAll('main *, header *, footer *')]
            .map(one => [one.getBoundingClientRect(), one])
            .filter(([box, one]) => box.width && box.height && (box.right > width + 1 || box.left < -1))
            .filter(([box, one]) => getComputedStyle(one).clipPath === 'none' && !one.closest('thead'))
            .map(([box, one]) => `${one.tagName} ${one.className.baseVal ?? one.className} ${box.left} ${box.right}`)""",
        width,
    )
    assert [] == beyond


@pytest.mark.parametrize(
    ("width", "layout"), [(PHONE, "narrow"), (TABLET, "wide"), (DESK, "broad")], ids=["phone", "tablet", "desk"]
)
def test_each_screen_width_has_its_layout(open_page: Open, width: int, layout: str) -> None:
    """No text leaves the drawing."""
    page = open_page(sample_report(), width=width)
    timelines = page.locator("svg.timeline:visible")
    assert {f"timeline {layout}"} == {one.get_attribute("class") for one in timelines.all()}
    outside = page.evaluate(
        """() => [...document.querySelectorAll('.drawing')].flatMap(drawing => {
            const frame = drawing.getBoundingClientRect();
            return [...drawing.querySelectorAll('svg.timeline text')]
                .map(text => [text.getBoundingClientRect(), text.textContent])
                .filter(([box, words]) => box.width && (box.left < frame.left || box.right > frame.right))
                .map(([box, words]) => words);
        })"""
    )
    assert [] == outside


CONTRASTS = """() => {
    const channels = color => color.match(/[\\d.]+/g).map(Number);
    const luminance = color => channels(color).slice(0, 3)
        .map(one => one / 255).map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, index) => sum + one * [0.2126, 0.7152, 0.0722][index], 0);
    const contrast = (one, other) => {
        const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const behind = element => {
        for (let one = element; one; one = one.parentElement) {
            const color = getComputedStyle(one).backgroundColor;
            if ((channels(color)[3] ?? 1) === 1) return color;
        }
        return getComputedStyle(document.documentElement).backgroundColor;
    };
    const found = [];
    const look = (words, color, background, style) => {
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        found.push([words.trim().slice(0, 40), contrast(color, background), isLarge ? 3 : 4.5]);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement, style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        if (!node.textContent.trim() || !box.width || element.matches('title, desc, style')) continue;
        const svg = element.closest('text');
        if (!svg) { look(node.textContent, style.color, behind(element), style); continue; }
        const around = getComputedStyle(svg);
        const circle = svg.matches('.number') ? getComputedStyle(svg.parentElement.querySelector('circle')).fill : null;
        const halo = around.stroke === 'none' ? behind(svg.closest('figure, article')) : around.stroke;
        look(node.textContent, style.fill, circle ?? halo, style);
    }
    return found;
}"""


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(open_page: Open, name: str, scheme: Literal["light", "dark"]) -> None:
    """4.5 to 1, or 3 to 1 for large letters, in the page and in the drawings. Source: WCAG 2.2, success criterion 1.4.3."""
    page = open_page(REPORTS[name](), scheme=scheme)
    assert page.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
    found: list[tuple[str, float, float]] = page.evaluate(CONTRASTS)
    assert len(found) > 400
    assert [] == [(words, round(contrast, 2)) for words, contrast, least in found if contrast < least]


def test_dark_scheme_changes_the_page_background(open_page: Open) -> None:
    """The page background changes, not only the browser's controls."""
    papers = [
        open_page(sample_report(), scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    light, dark = (sum(int(one) for one in re.findall(r"\d+", paper)[:3]) for paper in papers)
    assert light > 3 * 230 and dark < 3 * 40


@pytest.mark.parametrize("name", REPORTS)
def test_print_does_not_split_drawings(open_page: Open, name: str) -> None:
    """Each drill starts a page; every drawing fits on a sheet."""
    report = REPORTS[name]()
    page = open_page(report, width=703)
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    assert paper.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert len(report.drills) + 3 <= pages <= 60
    page.emulate_media(media="print")
    heights = page.evaluate(
        """() => [...document.querySelectorAll('.drawing, .tile:has(svg.chart)')]
            .map(one => [one.getBoundingClientRect().height, getComputedStyle(one).breakInside])"""
    )
    assert len(heights) == len(report.drills) + 4
    assert [] == [(height, rule) for height, rule in heights if height > A4_HEIGHT_PX or rule != "avoid"]
    breaks = page.evaluate(
        "[...document.querySelectorAll('section.drill')].map(one => getComputedStyle(one).breakBefore)"
    )
    assert ["page"] * len(report.drills) == breaks


def test_first_tab_stop_skips_to_the_drills(open_page: Open) -> None:
    """The link is visible when focused."""
    page = open_page(sample_report())
    page.keyboard.press("Tab")
    focused = page.evaluate("[document.activeElement.textContent, document.activeElement.getBoundingClientRect().left]")
    assert ("Skip to the drills", True) == (focused[0], focused[1] >= 0)
    page.keyboard.press("Enter")
    assert page.url.endswith("#drills")


@pytest.mark.parametrize(("motion", "behavior"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_reduced_motion_disables_smooth_scrolling(
    open_page: Open, motion: Literal["reduce", "no-preference"], behavior: str
) -> None:
    """The page has no other motion."""
    page = open_page(sample_report(), motion=motion)
    assert behavior == page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")


def test_drawings_are_accessible(open_page: Open) -> None:
    """Each drawing has a role and a name; headings descend one level at a time."""
    page = open_page(sample_report())
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('svg:not([aria-hidden=true])')]
            .filter(one => !one.parentElement.closest('svg'))
            .filter(one => one.getAttribute('role') !== 'img'
                || !(one.getAttribute('aria-label') || document.getElementById(one.getAttribute('aria-labelledby').split(' ')[0])))
            .length"""
    )
    assert 0 == unnamed
    levels: list[int] = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map(one => Number(one.tagName[1]))"
    )
    assert 1 == levels[0] and 1 == levels.count(1)
    assert [] == [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1]
