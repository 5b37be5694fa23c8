"""The generated pages are current, and say everything."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from docgen import decisions, pages, report
from docgen import settings as settings_page
from functions.failover_controller.decide import DECISION_TABLE
from functions.failover_controller.model import Reason
from settings import Settings


@pytest.mark.parametrize("path", pages.PAGES)
def test_a_generated_page_says_what_the_code_says(path: str) -> None:
    """Whoever changes the code makes the page anew."""
    current = (pages.ROOT / path).read_text(encoding="utf-8")
    assert pages.PAGES[path]() == current, f"{path} is outdated: run `python -m docgen` (or `make docs`)"


def test_every_reason_stands_on_the_page_once() -> None:
    """In the order of the table, with its row's words."""
    rows = [line for line in decisions.decisions_page().splitlines() if line.startswith("| ") and "`" in line]
    assert list(Reason) == [Reason(line.split("`")[1]) for line in rows]
    assert [rule.when for rule in DECISION_TABLE] == [line.split(" | ")[4] for line in rows[: len(DECISION_TABLE)]]


def test_a_reason_that_nobody_described_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be told to people who find it nowhere."""
    described: Mapping[Reason, str] = decisions.FROM_THE_CYCLE
    fewer = {reason: when for reason, when in described.items() if reason is not Reason.RDS_EVENT}
    monkeypatch.setattr(decisions, "FROM_THE_CYCLE", {**fewer, Reason.HEALTHY: "again"})
    with pytest.raises(ValueError, match="described nowhere: rds-event; described twice: healthy"):
        decisions.decisions_page()


def test_a_page_that_is_missing_or_old_is_written_and_a_current_one_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in a row: the second time there is nothing to do."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    every: list[Any] = list(pages.PAGES)
    assert (every, []) == (pages.write(), pages.write())
    (tmp_path / every[0]).write_text("old")
    assert [every[0]] == pages.write()


def test_a_definition_that_nothing_uses_stops_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be shown as a part of the report that no report has."""
    schema = json.loads(report.SCHEMA.read_text(encoding="utf-8"))
    schema["$defs"]["forgotten"] = {"properties": {}, "required": []}
    changed = tmp_path / "schema.json"
    changed.write_text(json.dumps(schema), encoding="utf-8")
    monkeypatch.setattr(report, "SCHEMA", changed)
    with pytest.raises(ValueError, match="unused definitions in the schema: forgotten"):
        report.report_page()


def settings_rows() -> list[str]:
    """Return the names in the tables of the settings' page, in their order."""
    page = settings_page.settings_page()
    return [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every setting below a model by its key, found through the JSON schema and not as the page finds it."""
    schema = model.model_json_schema()

    def below(node: dict[str, Any], path: str) -> Iterator[str]:
        for name, child in node["properties"].items():
            (reference,) = [one["$ref"] for one in [child, *child.get("anyOf", [])] if "$ref" in one] or [None]
            if reference:
                yield from below(schema["$defs"][reference.rsplit("/", 1)[-1]], f"{path}{name}.")
            else:
                yield path + name

    yield from below(schema, prefix)


def test_every_setting_stands_on_the_page_once() -> None:
    """Also those of sections that may be left out, in both regions."""
    assert sorted(keys(Settings)) == sorted(settings_rows())
    assert {"primary.serverless.min_acu", "secondary.existing_vpc.route_table_ids"} <= set(settings_rows())


def test_a_setting_that_nobody_described_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """People would have to guess what it is."""
    monkeypatch.setattr(Settings.model_fields["team"], "description", None)
    with pytest.raises(ValueError, match="team: has no description"):
        settings_page.settings_page()
