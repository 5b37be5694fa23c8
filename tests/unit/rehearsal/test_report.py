"""Tests of the report: what passed means, what the JSON holds, what the page shows and how the timeline is drawn."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from rehearsal.report import (
    Assertion,
    DnsSpan,
    DrillResult,
    EventKind,
    LedgerSpan,
    Report,
    Role,
    RoleSpan,
    TimelineEvent,
    TimeScale,
    WriteOutcome,
    bucket_writes,
    dns_spans,
    role_spans,
)
from rehearsal.report_files import ResourceTable, render_html, write_report
from rehearsal.timeline import LAYOUTS, Axis, draw
from rehearsal.wording import measurement_words

HOME, AWAY = "us-east-1", "eu-west-1"
NAME = "writer.payments.internal"


def lanes(home: list[tuple[float, Role]], away: list[tuple[float, Role]], end_seconds: float) -> tuple[RoleSpan, ...]:
    """The lanes of both clusters."""
    return tuple(
        span
        for region, changes in ((HOME, home), (AWAY, away))
        for span in role_spans(
            cluster_id=f"payments-{region}-dev", region=region, changes=changes, end_seconds=end_seconds
        )
    )


def held(text: str, detail: str = "") -> Assertion:
    """An assertion that held."""
    return Assertion(text=text, passed=True, detail=detail)


def at(seconds: float, kind: EventKind, event: str, region: str | None = None, label: str = "") -> TimelineEvent:
    """An event."""
    return TimelineEvent(seconds=seconds, event=event, kind=kind, region=region, label=label)


def steady() -> DrillResult:
    """Twenty calm beats."""
    return DrillResult(
        name="steady",
        title="Steady state",
        description="Twenty beats of calm: nothing may move.",
        seconds=20.4,
        timeline=(
            at(0, EventKind.NOTE, "The client starts to write through writer.payments.internal"),
            at(0.6, EventKind.VERDICT, "healthy", AWAY),
            at(0.9, EventKind.VERDICT, "healthy", HOME),
            at(20, EventKind.NOTE, "20 beats are over"),
        ),
        roles=lanes([(0, Role.WRITER)], [(0, Role.STANDBY)], 20),
        dns=dns_spans(name=NAME, changes=[(0, HOME)], end_seconds=20),
        writes=bucket_writes([(i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(200)], width_seconds=0.5),
        measurements={"beats": 20, "acknowledged_rows": 200, "replication_lag_ms": 51.4},
        assertions=(
            held("No failover or switchover was called", "0 calls seen by the control plane"),
            held("writer.payments.internal answers the primary throughout", "40 answers, all us-east-1"),
            held("Every beat of both controllers said healthy", "us-east-1: 20 of 20\neu-west-1: 20 of 20"),
        ),
    )


def region_lost() -> DrillResult:
    """The writer's region goes dark under a writing client."""
    writes = [(-2 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(17)]
    writes += [(-0.3 + i * 0.1, WriteOutcome.LOST) for i in range(3)]
    writes += [(0.1 + i * 0.4, WriteOutcome.FAILED) for i in range(24)]
    writes += [(9.6 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(24)]
    return DrillResult(
        name="region-lost",
        title="The writer's region is lost",
        description="The writer's region goes dark (databases, Lambda and AWS API) under a client that keeps writing.",
        zero="the outage",
        seconds=14.2,
        timeline=(
            at(0, EventKind.OUTAGE, "us-east-1 goes dark: databases, Lambda and AWS API", HOME),
            at(0.4, EventKind.CLIENT, "First write without an answer", label="first failure"),
            at(1.0, EventKind.VERDICT, "region-lost, 1 of 3: port dead, other region silent", AWAY),
            at(2.0, EventKind.VERDICT, "region-lost, 2 of 3: heartbeat 2.1 s old", AWAY),
            at(3.0, EventKind.VERDICT, "region-lost, 3 of 3: fail over", AWAY),
            at(3.3, EventKind.CALL, "FailoverGlobalCluster(AllowDataLoss=true) to payments-eu-west-1-dev", AWAY),
            at(5.4, EventKind.PROMOTION, "payments-eu-west-1-dev is the writer", AWAY),
            at(9.0, EventKind.DNS, "writer.payments.internal answers eu-west-1"),
            at(9.6, EventKind.CLIENT, "First acknowledged write in eu-west-1", AWAY, "first write"),
        ),
        roles=lanes(
            [(-2, Role.WRITER), (0, Role.DARK)],
            [(-2, Role.STANDBY), (5.4, Role.WRITER)],
            12,
        ),
        dns=dns_spans(name=NAME, changes=[(-2, HOME), (9.0, AWAY)], end_seconds=12),
        writes=bucket_writes(writes),
        measurements={
            "detection_seconds": 3.0,
            "outage_to_call_seconds": 3.3,
            "promotion_seconds": 2.1,
            "dns_moved_seconds": 9.0,
            "first_write_seconds": 9.6,
            "lost_rows": 3,
            "lag_set_ms": 300.0,
        },
        key_measurements=("outage_to_call_seconds", "first_write_seconds", "lost_rows"),
        assertions=(
            held("From the outage to the call, at most 4 beats", "3.3 beats of 1 s"),
            held("Exactly one failover was called, in eu-west-1", "1 call: FailoverGlobalCluster at 3.30 s, accepted"),
            held(
                "Only rows younger than the lag were lost",
                "3 rows lost, acknowledged 0.30, 0.20 and 0.10 s before the outage; the lag was set to 300 ms",
            ),
            held("DNS moved after the promotion, not before", "promotion at 5.40 s, DNS at 9.00 s"),
        ),
    )


def old_region_returns() -> DrillResult:
    """The dark region comes back as a reader."""
    return DrillResult(
        name="old-region-returns",
        title="The old region returns",
        zero="the region's return",
        seconds=10.0,
        timeline=(
            at(0, EventKind.RECOVERY, "us-east-1 answers again", HOME),
            at(0.8, EventKind.REJOIN, "payments-us-east-1-dev rejoins on a new volume", HOME),
            at(2.0, EventKind.VERDICT, "healthy", AWAY),
            at(2.1, EventKind.VERDICT, "healthy", HOME),
            at(2.1, EventKind.HELD, "in cooldown", HOME),
        ),
        roles=lanes(
            [(-1, Role.DARK), (0.8, Role.REJOINING), (3, Role.STANDBY)],
            [(-1, Role.WRITER)],
            9,
        ),
        dns=dns_spans(name=NAME, changes=[(-1, AWAY)], end_seconds=9),
        writes=bucket_writes([(-1 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(100)]),
        measurements={"rejoin_seconds": 0.8, "calls_count": 0},
        assertions=(held("No second failover", "0 calls"), held("DNS stays", "20 answers, all eu-west-1")),
    )


def switchover_home(*, passed: bool = True) -> DrillResult:
    """The planned way home."""
    return DrillResult(
        name="switchover-home",
        title="Switchover home",
        zero="the call",
        seconds=11.0,
        timeline=(
            at(0, EventKind.CALL, "SwitchoverGlobalCluster to payments-us-east-1-dev", AWAY),
            at(1.2, EventKind.PROMOTION, "payments-us-east-1-dev is the writer", HOME),
            at(4.5, EventKind.DNS, "writer.payments.internal answers us-east-1"),
            at(5.0, EventKind.CLIENT, "First acknowledged write in us-east-1", HOME, "first write"),
        ),
        roles=lanes(
            [(-1, Role.STANDBY), (1.2, Role.WRITER)],
            [(-1, Role.WRITER), (1.2, Role.STANDBY)],
            10,
        ),
        dns=dns_spans(name=NAME, changes=[(-1, AWAY), (4.5, HOME)], end_seconds=10),
        writes=bucket_writes(
            [(-1 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(20)]
            + [(1.0 + i * 0.2, WriteOutcome.FAILED) for i in range(20)]
            + [(5.0 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(50)]
        ),
        measurements={"switchover_seconds": 1.2, "dns_moved_seconds": 4.5, "lost_rows": 0},
        assertions=(
            Assertion(text="No acknowledged row is lost", passed=passed, detail="70 of 70 rows read back"),
            held("DNS returns to us-east-1", "at 4.50 s"),
        ),
    )


def sample_report() -> Report:
    """A rehearsal in which all four drills passed."""
    return Report(
        started_at=datetime(2026, 11, 24, 2, 43, 7, tzinfo=UTC),
        seconds=71.3,
        subject="payments-global-dev",
        time_scale=TimeScale(beat_seconds=1.0),
        settings={
            "environment": "dev",
            "project": "payments",
            "primary": {"region": HOME, "vpc_cidr": "10.10.0.0/16", "instance_count": 2},
            "secondary": {"region": AWAY, "vpc_cidr": "10.20.0.0/16", "instance_count": 2},
            "database": {"engine_version": "8.0.mysql_aurora.3.10.1", "log_exports": ["audit", "error", "slowquery"]},
            "failover": {"mode": "automatic", "beat_seconds": 1.0, "failures_to_act": 3, "approver": None},
            "deletion_protection": False,
        },
        versions={"python": "3.11.7", "pulumi": "3.272.0", "pulumi-aws": "7.51.1", "ministack": "1.5.33"},
        resources={
            HOME: {"aws:rds/cluster:Cluster": 1, "aws:rds/clusterInstance:ClusterInstance": 2, "aws:ec2/vpc:Vpc": 1},
            "global": {"aws:rds/globalCluster:GlobalCluster": 1, "aws:route53/zone:Zone": 1, "aws:iam/role:Role": 8},
            AWAY: {"aws:rds/cluster:Cluster": 1, "aws:rds/clusterInstance:ClusterInstance": 2, "aws:ec2/vpc:Vpc": 1},
        },
        deployment_seconds=12.3,
        drills=(steady(), region_lost(), old_region_returns(), switchover_home()),
        notes=(
            "The databases are MySQL-protocol stand-ins: a promotion here says nothing about how long Aurora takes.",
            "Route 53's answers are computed from the records and checks as deployed, not asked from Route 53.",
            "Performance Insights and enhanced monitoring are accepted by the emulator and not held.",
        ),
    )


# What passed means


def test_a_drill_whose_assertions_all_held_passed() -> None:
    """Every assertion held and nothing ended the drill early: passed."""
    assert region_lost().passed


def test_one_assertion_that_did_not_hold_fails_the_drill() -> None:
    """A single failure is enough, and it is the one that `failures` names."""
    drill = switchover_home(passed=False)
    assert (drill.passed, [one.text for one in drill.failures]) == (False, ["No acknowledged row is lost"])


def test_a_drill_without_assertions_is_not_passed() -> None:
    """Nothing asserted proves nothing."""
    assert not replace(steady(), assertions=()).passed


def test_a_drill_that_ended_early_is_not_passed() -> None:
    """Assertions that held before an error don't make up for the ones never checked."""
    assert not replace(steady(), error="TimeoutError: no beat in 30 s").passed


def test_a_report_passes_when_all_its_drills_do() -> None:
    """The sample's four drills passed."""
    assert sample_report().passed


@pytest.mark.parametrize(
    "changes",
    [{"drills": ()}, {"drills": (steady(), switchover_home(passed=False))}, {"errors": ("the deployment failed",)}],
    ids=["no drills", "a failed drill", "an error outside the drills"],
)
def test_a_report_does_not_pass_otherwise(changes: dict[str, tuple[object, ...]]) -> None:
    """No drills, a failed drill, or an error outside the drills: not passed."""
    assert not replace(sample_report(), **changes).passed


# Bad input


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measurement_that_is_no_number_is_refused_by_name(value: float) -> None:
    """What was never reached is left out; NaN would make the JSON unreadable."""
    with pytest.raises(ValueError, match=r"drill steady: measurement detection_seconds is .*leave out"):
        replace(steady(), measurements={"detection_seconds": value})


def test_a_naive_start_is_refused() -> None:
    """An auditor must not guess the time zone."""
    with pytest.raises(ValueError, match="aware"):
        replace(sample_report(), started_at=datetime(2026, 11, 24))  # noqa: DTZ001


def test_more_rows_lost_than_acknowledged_are_refused() -> None:
    """Only an acknowledged row can be lost."""
    with pytest.raises(ValueError, match="2 rows lost of 1 acknowledged at 3 s"):
        LedgerSpan(start_seconds=3, end_seconds=4, acknowledged=1, lost=2)


# From what drills record to spans


def test_role_spans_merge_repeats_and_drop_what_lasted_no_time() -> None:
    """Changes in any order become spans; the last one lasts to the end."""
    changes = [(5.0, Role.WRITER), (0.0, Role.STANDBY), (2.0, Role.STANDBY), (5.0, Role.DARK), (9.0, Role.STANDBY)]
    spans = role_spans(cluster_id="c", region=HOME, changes=changes, end_seconds=9.0)
    assert [(span.role, span.start_seconds, span.end_seconds) for span in spans] == [
        (Role.STANDBY, 0.0, 5.0),
        (Role.DARK, 5.0, 9.0),
    ]


def test_dns_spans_know_a_name_without_an_answer() -> None:
    """A name that answers nothing has a span of its own."""
    spans = dns_spans(name=NAME, changes=[(0, HOME), (2, None), (3, AWAY)], end_seconds=4)
    assert [span.region for span in spans] == [HOME, None, AWAY]


def test_bucket_writes_counts_a_lost_row_as_acknowledged_too() -> None:
    """The client did get its answer; buckets without a write are left out; negative seconds count down properly."""
    writes = [(-0.1, WriteOutcome.LOST), (0.0, WriteOutcome.ACKNOWLEDGED), (2.9, WriteOutcome.FAILED)]
    assert bucket_writes(writes, width_seconds=1.0) == (
        LedgerSpan(start_seconds=-1.0, end_seconds=0.0, acknowledged=1, lost=1),
        LedgerSpan(start_seconds=0.0, end_seconds=1.0, acknowledged=1),
        LedgerSpan(start_seconds=2.0, end_seconds=3.0, failed=1),
    )


# The JSON


class Strict(BaseModel):
    """The contract's JSON: nothing missing, nothing unknown."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AssertionJson(Strict):
    """An assertion."""

    text: str
    passed: bool
    detail: str


class EventJson(Strict):
    """An event; its region may be left out."""

    seconds: float
    event: str
    kind: str
    label: str | None = None
    region: str | None = None


class DrillJson(Strict):
    """A drill."""

    name: str
    title: str
    description: str
    passed: bool
    error: str | None
    seconds: float
    zero: str
    assertions: list[AssertionJson]
    timeline: list[EventJson]
    measurements: dict[str, float]
    lanes: list[dict[str, object]]


class ReportJson(Strict):
    """The report."""

    passed: bool
    subject: str
    started_at: str
    seconds: float
    time_scale: dict[str, float | str]
    settings: dict[str, object]
    versions: dict[str, str]
    resources: dict[str, dict[str, int]]
    deployment: dict[str, float]
    drills: list[DrillJson]
    notes: list[str]
    errors: list[str]


def test_the_json_follows_the_contract() -> None:
    """Every key of the contract with its type, and no other."""
    ReportJson.model_validate_json(json.dumps(sample_report().to_json()))


def test_the_json_survives_a_round_trip() -> None:
    """The file holds plain JSON types only: what is read back equals what was written."""
    contents = replace(sample_report(), drills=(region_lost(), switchover_home(passed=False))).to_json()
    assert json.loads(json.dumps(contents)) == contents


def test_the_json_says_which_drills_and_assertions_failed() -> None:
    """`passed` stands on the report, the drill and the assertion."""
    report = replace(sample_report(), drills=(steady(), switchover_home(passed=False))).to_json()
    assert (
        report["passed"],
        [drill["passed"] for drill in report["drills"]],
        [one["passed"] for one in report["drills"][1]["assertions"]],
    ) == (False, [True, False], [False, True])


def test_the_json_timeline_is_in_order_of_time() -> None:
    """Events come from several threads in any order."""
    drill = replace(region_lost(), timeline=tuple(reversed(region_lost().timeline)))
    seconds = [event["seconds"] for event in drill.to_json()["timeline"]]
    assert seconds == sorted(seconds)


def test_the_json_lanes_hold_roles_dns_and_writes() -> None:
    """One lane a cluster, one a name, one for the writes, each with its spans."""
    drill = region_lost().to_json()
    assert [(lane["lane"], len(lane["spans"])) for lane in drill["lanes"]][:3] == [("role", 2), ("role", 2), ("dns", 2)]
    writes = drill["lanes"][3]["spans"]
    assert {what: sum(span[what] for span in writes) for what in ("acknowledged", "failed", "lost")} == {
        "acknowledged": 44,
        "failed": 24,
        "lost": 3,
    }


# The two files


def test_write_report_writes_both_files_and_nothing_else(tmp_path: Path) -> None:
    """The directory is made; no temporary file stays."""
    paths = write_report(sample_report(), tmp_path / "rehearsal-report")
    assert sorted(path.name for path in paths.json.parent.iterdir()) == ["report.html", "report.json"]
    assert json.loads(paths.json.read_text(encoding="utf-8"))["passed"] is True
    assert "Failover rehearsal" in paths.html.read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """Both files are rendered before either is touched."""
    paths = write_report(sample_report(), tmp_path)
    before = paths.json.read_bytes()
    with pytest.raises(TypeError):
        write_report(replace(sample_report(), settings={"broken": object()}), tmp_path)
    assert (paths.json.read_bytes(), len(list(tmp_path.iterdir()))) == (before, 2)


# The page

VOID = {"meta", "link", "wbr"}


class Page(HTMLParser):
    """A strict reader of the page: every tag closed in order, all ids, links, tags and text kept."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it, and remember that it is open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """It must close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text of the page, not of its style; a possible line break (wbr) doesn't part a word."""
        if self.open and self.open[-1] != "style":
            after_break = self.tags[-1][0] == "wbr"
            self.texts.append(("" if after_break else " ") + data)

    @property
    def text(self) -> str:
        """All text."""
        return " ".join("".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def html() -> str:
    """The page of the sample."""
    return render_html(sample_report())


def svgs(html: str) -> list[ET.Element]:
    """The outermost SVGs of the page, parsed as XML."""
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
    """The drawn timelines."""
    return [svg for svg in svgs(html) if svg.get("role") == "img"]


def test_the_page_is_well_formed(html: str) -> None:
    """Each tag closes what was opened last, and nothing stays open."""
    assert Page(html).open == []


def test_every_svg_is_well_formed_xml(html: str) -> None:
    """Two timelines (wide and narrow) for each of the four drills."""
    assert len(timelines(html)) == 8


def test_ids_are_unique_and_every_reference_has_its_target(html: str) -> None:
    """Links within the page, labels and patterns point at something that is there."""
    page = Page(html)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.values("href") if link.startswith("#")]
    targets += [one for label in page.values("aria-labelledby") for one in label.split()]
    targets += [part.split(")")[0] for part in html.split("url(#")[1:]]
    assert sorted(set(targets) - set(ids)) == []


def test_the_page_asks_the_network_for_nothing(html: str) -> None:
    """No script, no external style, image, font or link."""
    page = Page(html)
    assert [
        value for name in ("src", "href") for value in page.values(name) if not value.startswith(("#", "data:,"))
    ] == []
    assert ("http:" in html, "https:" in html, "@import" in html, "<script" in html) == (False, False, False, False)


def test_the_page_shows_every_drill_event_assertion_and_measurement(html: str) -> None:
    """Nothing of the report is left out."""
    text = Page(html).text
    wanted = [drill.title for drill in sample_report().drills]
    for drill in sample_report().drills:
        wanted += [event.event for event in drill.timeline]
        wanted += [" ".join(words.split()) for one in drill.assertions for words in (one.text, one.detail)]
        wanted += [measurement_words(name, value)[0] for name, value in drill.measurements.items()]
    assert [words for words in wanted if words not in text] == []


def test_the_page_shows_settings_versions_resources_and_limits(html: str) -> None:
    """Under which conditions it ran, and what it can't show."""
    text = Page(html).text
    wanted = ["failover.failures_to_act", "3.272.0", "aws:rds/globalCluster:GlobalCluster", *sample_report().notes]
    wanted += ["24 November 2026, 02:43 UTC", "18 resources in 12.3 s", "payments-global-dev"]
    assert [words for words in wanted if words not in text] == []


def test_the_page_says_the_start_in_utc() -> None:
    """Whatever zone the clock was in."""
    zone = timezone(timedelta(hours=2))
    report = replace(sample_report(), started_at=datetime(2026, 11, 24, 1, 5, tzinfo=zone))
    assert "23 November 2026, 23:05 UTC" in Page(render_html(report)).text


def test_text_from_outside_is_escaped() -> None:
    """A database's error message can't become part of the page."""
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
    assert ("<script" in html, page.open, len(timelines(html))) == (False, [], 2)
    assert page.text.count(evil) >= 10


def test_a_failed_drill_is_seen_at_the_top_and_at_its_place() -> None:
    """Verdict, failed drill and evidence stand in the page, told by words and not by colour alone."""
    report = replace(sample_report(), drills=(steady(), switchover_home(passed=False)))
    text = Page(render_html(report)).text
    assert "Failed 1 of 2 drills failed: Switchover home . 1 of 5 assertions did not hold." in text
    assert "Failed No acknowledged row is lost 70 of 70 rows read back" in text


def test_a_drill_that_ended_early_says_why() -> None:
    """The error stands at the drill."""
    report = replace(sample_report(), drills=(replace(steady(), error="TimeoutError: no beat in 30 s"),))
    assert "Ended early. TimeoutError: no beat in 30 s" in Page(render_html(report)).text


def test_a_report_without_drills_still_makes_a_page() -> None:
    """A deployment that failed is reported too."""
    report = replace(sample_report(), drills=(), errors=("aws:rds/cluster:Cluster: unknown property x",))
    text = Page(render_html(report)).text
    assert "Failed No drill was played. aws:rds/cluster:Cluster: unknown property x" in text


def test_a_bare_drill_makes_a_page() -> None:
    """Without events, spans, measurements or assertions there is nothing to draw, and the page says so."""
    drill = DrillResult(name="bare", title="Bare", assertions=(), timeline=())
    html = render_html(replace(sample_report(), drills=(drill,), resources={}, notes=(), versions={}, settings={}))
    assert (
        "Nothing was asserted, so nothing is proved. Events No. Seconds What happened Nothing happened."
        in Page(html).text
    )
    assert timelines(html) == []


def test_each_timeline_has_a_title_and_tells_itself_in_words(html: str) -> None:
    """Who can't see the drawing hears roles, DNS and writes."""
    drawn = timelines(html)[2]
    assert [element.tag for element in list(drawn)[:2]] == ["title", "desc"]
    words = drawn[1].text or ""
    for part in ("us-east-1 is dark from 0 to 12 s", f"{NAME} answers eu-west-1 from 9 to 12 s", "44 acknowledged"):
        assert part in words


def test_the_page_adapts_to_dark_mode_print_and_phones(html: str) -> None:
    """The style has a part for each."""
    for condition in ("prefers-color-scheme: dark", "@media print", "max-width", 'name="viewport"'):
        assert condition in html


# The drawing

WIDE, NARROW = LAYOUTS


def test_the_drawing_is_to_scale() -> None:
    """Region lost runs from -2 to 12 s: the outage stands at 2/14, the promotion at 7.4/14 of the plot."""
    drawing = draw(region_lost(), WIDE)
    assert drawing is not None
    places = {flag.event.kind: flag.left for flag in drawing.flags}
    assert (places[EventKind.OUTAGE], places[EventKind.PROMOTION]) == (
        pytest.approx(100 * 2 / 14, abs=0.001),
        pytest.approx(100 * 7.4 / 14, abs=0.001),
    )
    away = drawing.lanes[1].bars
    assert away[1].left == places[EventKind.PROMOTION]


def test_markers_never_touch_nor_sit_on_an_earlier_line() -> None:
    """Forty crowded events: in a row no two touch, and no line runs through an earlier marker's words."""
    timeline = tuple(at(index * 0.37 % 11, EventKind.PROMOTION, "x") for index in range(40))
    for layout in LAYOUTS:
        drawing = draw(replace(region_lost(), timeline=timeline), layout)
        assert drawing is not None
        words_px = 6.6 * len("promotion") + 6 if layout.words else 0
        placed = [(flag.left / 100 * layout.plot_px, flag.y) for flag in drawing.flags if flag.y is not None]
        for index, (x, y) in enumerate(placed):
            for later_x, later_y in placed[index + 1 :]:
                if later_y == y:
                    assert later_x - 9 > x + 9 + words_px
                if later_y < y:
                    assert later_x >= x + 9 + words_px


def test_a_crowd_of_events_does_not_push_the_lanes_off_the_page() -> None:
    """Markers take nine rows at most; what finds none keeps its line and its place in the list."""
    timeline = tuple(at(index * 0.01, EventKind.VERDICT, "x") for index in range(60))
    drawing = draw(replace(region_lost(), timeline=timeline), WIDE)
    assert drawing is not None
    assert (drawing.lanes_y < 210, sum(flag.y is None for flag in drawing.flags) > 0) == (True, True)


@pytest.mark.parametrize(
    ("start", "end", "most", "labels"),
    [
        (-2, 12, 12, ["\u22122", "0", "2", "4", "6", "8", "10", "12"]),
        (0, 20, 6, ["0", "5", "10", "15", "20"]),
        (0, 0.9, 6, ["0", "0.2", "0.4", "0.6", "0.8"]),
        (3, 1000, 6, ["200", "400", "600", "800", "1,000"]),
    ],
)
def test_the_axis_has_round_seconds(start: float, end: float, most: int, labels: list[str]) -> None:
    """Steps of 1, 2 or 5, never more than fit, with a true minus sign."""
    assert [label for _, label in Axis(start_seconds=start, end_seconds=end).ticks(most)] == labels


def test_a_label_that_does_not_fit_is_shortened_then_left_out() -> None:
    """The span keeps its pattern and its title; the legend and the description name it."""
    spans = role_spans(
        cluster_id="c", region=HOME, changes=[(0, Role.WRITER), (1, Role.DARK), (1.05, Role.STANDBY)], end_seconds=14
    )
    drawing = draw(replace(steady(), roles=spans, timeline=(), writes=(), dns=()), NARROW)
    assert drawing is not None
    assert [bar.label for bar in drawing.lanes[0].bars] == ["W", "", "standby"]


def test_one_lost_row_among_hundreds_is_drawn() -> None:
    """A count above zero is at least 3 px high."""
    writes = (LedgerSpan(start_seconds=0, end_seconds=1, acknowledged=900, lost=1),)
    drawing = draw(replace(steady(), writes=writes), WIDE)
    assert drawing is not None and drawing.writes is not None
    assert (drawing.writes.bars[0].lost_px, drawing.writes.lost) == (3.0, 1)


def test_the_answers_of_two_regions_have_different_patterns() -> None:
    """Where DNS points is not told by colour alone; no answer looks different again."""
    dns = dns_spans(name=NAME, changes=[(0, HOME), (2, None), (3, AWAY)], end_seconds=20)
    drawing = draw(replace(steady(), dns=dns), WIDE)
    assert drawing is not None
    assert [bar.style for bar in drawing.lanes[2].bars] == ["answer-0", "answer-none", "answer-1"]


# Words


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        (
            TimeScale(beat_seconds=1.0),
            "Periods shrunk by factor 10 because the beat was shortened from 10 s to 1 s: "
            "what takes 60 s when deployed took 6 s here.",
        ),
        (TimeScale(beat_seconds=10.0), "No period was shrunk: the beat of 10 s is the deployed one."),
        (TimeScale(beat_seconds=20.0), "No period was shrunk: the beat was 20 s, longer than the deployed 10 s."),
    ],
)
def test_the_time_scale_is_said_in_words(scale: TimeScale, words: str) -> None:
    """Nobody has to work out what was shrunk."""
    assert scale.words == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("detection_seconds", 3.0, ("Detection", "3", "s")),
        ("dns_moved_seconds", 9.126, ("DNS moved", "9.13", "s")),
        ("replication_lag_ms", 0.051, ("Replication lag", "0.051", "ms")),
        ("lost_rows", 1, ("Lost", "1", "row")),
        ("acknowledged_rows", 12345, ("Acknowledged", "12,345", "rows")),
        ("calls_count", 0, ("Calls", "0", "")),
        ("beats", 20, ("Beats", "20", "")),
    ],
)
def test_measurements_carry_their_unit(name: str, value: float, words: tuple[str, str, str]) -> None:
    """The last word of a measurement's name is its unit."""
    assert measurement_words(name, value) == words


def test_key_numbers_are_the_named_ones_that_were_reached() -> None:
    """Without names the first three; a name that this run never reached is left out."""
    drill = replace(steady(), key_measurements=("first_write_seconds", "beats"))
    assert (drill.key_numbers, list(steady().key_numbers)) == (
        {"beats": 20},
        ["beats", "acknowledged_rows", "replication_lag_ms"],
    )


def test_the_resource_table_puts_global_last() -> None:
    """Regions in order, then what has none; totals a column."""
    table = ResourceTable.of(sample_report().resources)
    assert (table.regions, table.totals) == ((AWAY, HOME, "global"), (4, 4, 10))
