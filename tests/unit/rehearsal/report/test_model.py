"""Tests of the report: what passed means, what the JSON holds, how the files are written, how numbers are worded."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rehearsal.report import model as report_module
from rehearsal.report.files import ResourceTable, write_report
from rehearsal.report.formatting import measurement_words
from rehearsal.report.lanes import bucket_writes, dns_spans, role_spans
from rehearsal.report.model import EventKind, LedgerSpan, Role, TimeScale, WriteOutcome
from tests.support.rehearsal.sample_report import AWAY, HOME, NAME, region_lost, sample_report, steady, switchover_home

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
    assert not replace(steady(), error="TimeoutError: no cycle in 30 s").passed


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


SCHEMA = json.loads((Path(report_module.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))


def mistakes(contents: dict[str, Any]) -> list[str]:
    """What the schema says against a report."""
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(contents)]


def objects(schema: object) -> Iterator[dict[str, Any]]:
    """Every part of the schema that describes an object with keys of its own."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_the_json_follows_its_schema() -> None:
    """Every key of the contract with its type, and no other: of a rehearsal that passed, one that failed, one that had no drill."""
    failed = replace(sample_report(), drills=(steady(), replace(switchover_home(passed=False), error="ended")))
    bare = replace(sample_report(), drills=(), dashboards=(), commit=None, errors=("nothing was deployed",))
    assert [] == [one for report in (sample_report(), failed, bare) for one in mistakes(report.to_json())]


def test_the_schema_is_one_and_explains_every_key() -> None:
    """It is valid itself, takes no key that it doesn't know, needs each that it does, and says what each is for."""
    Draft202012Validator.check_schema(SCHEMA)
    parts = list(objects(SCHEMA))
    optional = {"region", "label"}
    assert len(parts) > 10
    assert [] == [part for part in parts if part["additionalProperties"] is not False]
    assert [] == [part for part in parts if set(part["properties"]) - set(part["required"]) - optional]
    assert [] == [name for part in parts for name, one in part["properties"].items() if "description" not in one]


@pytest.mark.parametrize("key", ["passed", "resources", "drills", "assertions", "timeline", "measurements"])
def test_a_report_without_a_promised_key_breaks_the_schema(key: str) -> None:
    """The keys that others rely on can't go unnoticed."""
    contents = sample_report().to_json()
    holder = contents if key in contents else contents["drills"][0]
    del holder[key]
    assert [f"'{key}' is a required property"] == mistakes(contents)


def test_the_schema_knows_every_kind_and_role() -> None:
    """A word that the code may write is one that the schema takes."""
    definitions = SCHEMA["$defs"]
    assert [str(kind) for kind in EventKind] == definitions["event"]["properties"]["kind"]["enum"]
    assert [str(role) for role in Role] == definitions["role_lane"]["properties"]["spans"]["items"]["properties"][
        "role"
    ]["enum"]


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


# Words


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        (
            TimeScale(interval_seconds=1.0),
            "Periods shrunk by factor 10 because the cycle was shortened from 10 s to 1 s: "
            "what takes 60 s when deployed took 6 s here.",
        ),
        (TimeScale(interval_seconds=10.0), "No period was shrunk: the cycle of 10 s is the deployed one."),
        (TimeScale(interval_seconds=20.0), "No period was shrunk: the cycle was 20 s, longer than the deployed 10 s."),
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
        ("cycles", 20, ("Cycles", "20", "")),
    ],
)
def test_measurements_carry_their_unit(name: str, value: float, words: tuple[str, str, str]) -> None:
    """The last word of a measurement's name is its unit."""
    assert measurement_words(name, value) == words


def test_key_numbers_are_the_named_ones_that_were_reached() -> None:
    """Without names the first three; a name that this run never reached is left out."""
    drill = replace(steady(), key_measurements=("first_write_seconds", "cycles"))
    assert (drill.key_numbers, list(steady().key_numbers)) == (
        {"cycles": 20},
        ["cycles", "acknowledged_rows", "replication_lag_ms"],
    )


def test_the_resource_table_puts_global_last() -> None:
    """Regions in order, then what has none; totals a column."""
    table = ResourceTable.of(sample_report().resources)
    assert (table.regions, table.totals) == ((AWAY, HOME, "global"), (4, 4, 10))
