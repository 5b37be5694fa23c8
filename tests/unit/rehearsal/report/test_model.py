"""Tests of the report's types, JSON, files and formatting."""

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
from rehearsal.report.formatting import format_measurement
from rehearsal.report.lanes import bucket_writes, dns_spans, role_spans
from rehearsal.report.model import EventKind, Role, TimeScale, WriteOutcome, WriteSpan
from tests.support.rehearsal.sample_report import (
    NAME,
    PRIMARY,
    SECONDARY,
    region_lost,
    sample_report,
    steady,
    switchover_home,
)


def test_drill_with_only_passed_assertions_passes() -> None:
    """A drill passes if every assertion passed and it did not end early."""
    assert region_lost().passed


def test_one_failed_assertion_fails_the_drill() -> None:
    """`failures` contains the failed assertion."""
    drill = switchover_home(passed=False)
    assert (drill.passed, [one.text for one in drill.failures]) == (False, ["the switchover lost no acknowledged row"])


def test_drill_without_assertions_does_not_pass() -> None:
    """A drill without assertions proves nothing, so it does not pass."""
    assert not replace(steady(), assertions=()).passed


def test_drill_that_ended_early_does_not_pass() -> None:
    """Some assertions were never checked."""
    assert not replace(steady(), error="TimeoutError: no cycle in 30 s").passed


def test_report_with_only_passed_drills_passes() -> None:
    """The sample report has four passed drills."""
    assert sample_report().passed


@pytest.mark.parametrize(
    "changes",
    [{"drills": ()}, {"drills": (steady(), switchover_home(passed=False))}, {"errors": ("the deployment failed",)}],
    ids=["no drills", "a failed drill", "an error outside the drills"],
)
def test_report_does_not_pass(changes: dict[str, tuple[object, ...]]) -> None:
    """A report without drills, with a failed drill, or with an error outside the drills does not pass."""
    assert not replace(sample_report(), **changes).passed


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_measurement_that_is_not_finite_is_refused(value: float) -> None:
    """NaN would make the JSON invalid."""
    with pytest.raises(ValueError, match=r"drill steady: measurement detection_seconds is .*Omit"):
        replace(steady(), measurements={"detection_seconds": value})


def test_naive_start_is_refused() -> None:
    """The time zone must be known."""
    with pytest.raises(ValueError, match="aware"):
        replace(sample_report(), started_at=datetime(2026, 11, 24))  # noqa: DTZ001


def test_more_lost_than_acknowledged_rows_are_refused() -> None:
    """A span with more lost than acknowledged rows is rejected."""
    with pytest.raises(ValueError, match="2 rows lost of 1 acknowledged at 3 s"):
        WriteSpan(start_seconds=3, end_seconds=4, acknowledged=1, lost=2)


def test_role_spans_merge_repeats_and_drop_empty_ones() -> None:
    """Changes may come in any order; the last one lasts to the end."""
    changes = [
        (5.0, Role.WRITER),
        (0.0, Role.STANDBY),
        (2.0, Role.STANDBY),
        (5.0, Role.UNREACHABLE),
        (9.0, Role.STANDBY),
    ]
    spans = role_spans(cluster_id="c", region=PRIMARY, changes=changes, end_seconds=9.0)
    assert [(span.role, span.start_seconds, span.end_seconds) for span in spans] == [
        (Role.STANDBY, 0.0, 5.0),
        (Role.UNREACHABLE, 5.0, 9.0),
    ]


def test_dns_spans_include_missing_answers() -> None:
    """A period without an answer has its own span."""
    spans = dns_spans(name=NAME, changes=[(0, PRIMARY), (2, None), (3, SECONDARY)], end_seconds=4)
    assert [span.region for span in spans] == [PRIMARY, None, SECONDARY]


def test_bucket_writes_counts_lost_row_as_acknowledged() -> None:
    """Empty buckets are left out; negative seconds have their own buckets."""
    writes = [(-0.1, WriteOutcome.LOST), (0.0, WriteOutcome.ACKNOWLEDGED), (2.9, WriteOutcome.FAILED)]
    assert bucket_writes(writes, width_seconds=1.0) == (
        WriteSpan(start_seconds=-1.0, end_seconds=0.0, acknowledged=1, lost=1),
        WriteSpan(start_seconds=0.0, end_seconds=1.0, acknowledged=1),
        WriteSpan(start_seconds=2.0, end_seconds=3.0, failed=1),
    )


SCHEMA = json.loads((Path(report_module.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))


def mistakes(contents: dict[str, Any]) -> list[str]:
    """Return the schema's errors for a report."""
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(contents)]


def objects(schema: object) -> Iterator[dict[str, Any]]:
    """Yield every object definition of the schema."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_json_is_valid_against_its_schema() -> None:
    """The JSON of a passed rehearsal, a failed one and one without drills is valid."""
    failed = replace(sample_report(), drills=(steady(), replace(switchover_home(passed=False), error="ended")))
    bare = replace(sample_report(), drills=(), dashboards=(), commit=None, errors=("nothing was deployed",))
    assert [] == [one for report in (sample_report(), failed, bare) for one in mistakes(report.to_json())]


def test_schema_is_strict_and_describes_every_key() -> None:
    """The schema allows no other keys, and requires all keys except the optional ones."""
    Draft202012Validator.check_schema(SCHEMA)
    parts = list(objects(SCHEMA))
    optional = {"region", "label"}
    assert len(parts) > 10
    assert [] == [part for part in parts if part["additionalProperties"] is not False]
    assert [] == [part for part in parts if set(part["properties"]) - set(part["required"]) - optional]
    assert [] == [name for part in parts for name, one in part["properties"].items() if "description" not in one]


@pytest.mark.parametrize("key", ["passed", "resources", "drills", "assertions", "timeline", "measurements"])
def test_report_without_a_required_key_is_invalid(key: str) -> None:
    """Readers rely on the keys."""
    contents = sample_report().to_json()
    holder = contents if key in contents else contents["drills"][0]
    del holder[key]
    assert [f"'{key}' is a required property"] == mistakes(contents)


def test_schema_lists_every_kind_and_role() -> None:
    """The schema lists kinds and roles in the order of the enumerations."""
    definitions = SCHEMA["$defs"]
    assert [str(kind) for kind in EventKind] == definitions["event"]["properties"]["kind"]["enum"]
    assert [str(role) for role in Role] == definitions["role_lane"]["properties"]["spans"]["items"]["properties"][
        "role"
    ]["enum"]


def test_json_survives_a_round_trip() -> None:
    """The JSON form contains only plain JSON types."""
    contents = replace(sample_report(), drills=(region_lost(), switchover_home(passed=False))).to_json()
    assert json.loads(json.dumps(contents)) == contents


def test_json_marks_failed_drills_and_assertions() -> None:
    """`passed` is set on the report, the drill and the assertion."""
    report = replace(sample_report(), drills=(steady(), switchover_home(passed=False))).to_json()
    assert (
        report["passed"],
        [drill["passed"] for drill in report["drills"]],
        [one["passed"] for one in report["drills"][1]["assertions"]],
    ) == (False, [True, False], [False, True])


def test_json_timeline_is_ordered_by_time() -> None:
    """Events come from several threads."""
    drill = replace(region_lost(), timeline=tuple(reversed(region_lost().timeline)))
    seconds = [event["seconds"] for event in drill.to_json()["timeline"]]
    assert seconds == sorted(seconds)


def test_json_has_lanes_for_roles_dns_and_writes() -> None:
    """The JSON has one lane per cluster, one per DNS name and one for the writes."""
    drill = region_lost().to_json()
    assert [(lane["lane"], len(lane["spans"])) for lane in drill["lanes"]][:3] == [("role", 2), ("role", 2), ("dns", 2)]
    writes = drill["lanes"][3]["spans"]
    assert {what: sum(span[what] for span in writes) for what in ("acknowledged", "failed", "lost")} == {
        "acknowledged": 44,
        "failed": 24,
        "lost": 3,
    }


def test_write_report_writes_two_files(tmp_path: Path) -> None:
    """`write_report` creates the directory and leaves no temporary file."""
    paths = write_report(sample_report(), tmp_path / "rehearsal-report")
    assert sorted(path.name for path in paths.json.parent.iterdir()) == ["report.html", "report.json"]
    assert json.loads(paths.json.read_text(encoding="utf-8"))["passed"] is True
    assert "Failover rehearsal" in paths.html.read_text(encoding="utf-8")


def test_failed_write_keeps_the_old_report(tmp_path: Path) -> None:
    """The report's two files are rendered before the first one is written."""
    paths = write_report(sample_report(), tmp_path)
    before = paths.json.read_bytes()
    with pytest.raises(TypeError):
        write_report(replace(sample_report(), settings={"broken": object()}), tmp_path)
    assert (paths.json.read_bytes(), len(list(tmp_path.iterdir()))) == (before, 2)


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        (
            TimeScale(interval_seconds=1.0),
            "Periods shortened by a factor of 10 (interval 1 s instead of 10 s): 60 s when deployed are 6 s here.",
        ),
        (TimeScale(interval_seconds=10.0), "Periods as deployed: the interval is 10 s."),
        (TimeScale(interval_seconds=20.0), "Periods as deployed, except the interval: 20 s instead of 10 s."),
    ],
)
def test_time_scale_is_described(scale: TimeScale, words: str) -> None:
    """The description covers intervals shorter, equal and longer than deployed."""
    assert scale.description == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("detection_seconds", 3.0, ("Detection", "3", "s")),
        ("dns_moved_seconds", 9.126, ("DNS changed", "9.13", "s")),
        ("replication_lag_ms", 0.051, ("Replication lag", "0.051", "ms")),
        ("lost_rows", 1, ("Lost", "1", "row")),
        ("acknowledged_rows", 12345, ("Acknowledged", "12,345", "rows")),
        ("calls_count", 0, ("Calls", "0", "")),
        ("cycles", 20, ("Cycles", "20", "")),
    ],
)
def test_measurements_are_formatted_with_their_unit(name: str, value: float, words: tuple[str, str, str]) -> None:
    """The last part of a measurement's name is the unit."""
    assert format_measurement(name, value) == words


def test_key_numbers_are_the_named_and_reached_ones() -> None:
    """The key numbers are the named measurements that have a value; by default the first three."""
    drill = replace(steady(), key_measurements=("first_write_seconds", "cycles"))
    assert (drill.key_numbers, list(steady().key_numbers)) == (
        {"cycles": 20},
        ["cycles", "acknowledged_rows", "replication_lag_ms"],
    )


def test_resource_table_has_global_last() -> None:
    """The global column is last, and each column has a total."""
    table = ResourceTable.of(sample_report().resources)
    assert (table.regions, table.totals) == ((SECONDARY, PRIMARY, "global"), (4, 4, 10))
