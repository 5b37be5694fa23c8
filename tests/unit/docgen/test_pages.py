"""The generated pages are current and complete."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from docgen import decision_table as decisions
from docgen import pages
from docgen import settings as settings_page
from functions.failover_controller.decide import DECISION_TABLE
from functions.failover_controller.model import Reason
from settings import Settings


@pytest.mark.parametrize("path", pages.PAGES)
def test_generated_page_is_current(path: str) -> None:
    """The page in the repository is what the code generates."""
    current = (pages.ROOT / path).read_text(encoding="utf-8")
    assert pages.PAGES[path]() == current, f"{path} is outdated: run `python -m docgen` (or `make docs`)"


def test_page_has_every_reason_once() -> None:
    """The reasons have the order and conditions of the decision table."""
    conditions = decisions.decisions_page().partition("## Texts of the notices")[0]
    rows = [line for line in conditions.splitlines() if line.startswith("| ") and "`" in line]
    assert list(Reason) == [Reason(line.split("`")[1]) for line in rows]
    assert [rule.when for rule in DECISION_TABLE] == [line.split(" | ")[4] for line in rows[: len(DECISION_TABLE)]]


def test_undescribed_reason_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason without a description, or with two, is an error."""
    described: Mapping[Reason, str] = decisions.FROM_THE_CYCLE
    fewer = {reason: when for reason, when in described.items() if reason is not Reason.RDS_EVENT}
    monkeypatch.setattr(decisions, "FROM_THE_CYCLE", {**fewer, Reason.HEALTHY: "again"})
    with pytest.raises(ValueError, match="without a description: rds-event; described twice: healthy"):
        decisions.decisions_page()


def test_write_updates_only_outdated_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run writes no page."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    every: list[Any] = list(pages.PAGES)
    assert (every, []) == (pages.write(), pages.write())
    (tmp_path / every[0]).write_text("old")
    assert [every[0]] == pages.write()


def settings_rows() -> list[str]:
    """Return the names in the tables of the settings page, in order."""
    page = settings_page.settings_page()
    return [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every setting below a model by its key, from the JSON schema."""
    schema = model.model_json_schema()

    def below(node: dict[str, Any], path: str) -> Iterator[str]:
        for name, child in node["properties"].items():
            (reference,) = [one["$ref"] for one in [child, *child.get("anyOf", [])] if "$ref" in one] or [None]
            if reference:
                yield from below(schema["$defs"][reference.rsplit("/", 1)[-1]], f"{path}{name}.")
            else:
                yield path + name

    yield from below(schema, prefix)


def test_page_has_every_setting_once() -> None:
    """The page includes the settings of optional sections in both regions."""
    assert sorted(keys(Settings)) == sorted(settings_rows())
    assert {"primary.serverless.min_acu", "secondary.existing_vpc.route_table_ids"} <= set(settings_rows())


def test_undescribed_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting."""
    monkeypatch.setattr(Settings.model_fields["team"], "description", None)
    with pytest.raises(ValueError, match="team: has no description"):
        settings_page.settings_page()
