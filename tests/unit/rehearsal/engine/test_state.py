"""Tests of the state: JSON, renames, copies and comparable inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from rehearsal.engine.state import KeptResource, StackState, changed_settings, comparable


def kept(urn: str, **changes: object) -> KeptResource:
    """Return a resource of the state."""
    values: dict[str, object] = {"type": "t", "name": "n", "region": "r", "id": "i", "inputs": {}, "outputs": {}}
    return KeptResource(**{"urn": urn, **values, **changes})  # pyright: ignore[reportArgumentType]


def test_state_is_restored_from_json() -> None:
    """Order, configuration, secret names and dependencies are kept."""
    state = StackState(config={"p:a": "1"})
    state.keep(kept("b", inputs={"x": [1, {"y": None}]}, secret_outputs=frozenset({"result"}), protect=True))
    state.keep(kept("a", dependencies=("b",), ignore_changes=("x",)))
    again = StackState.from_json(json.loads(json.dumps(state.to_json())))
    assert (state.resources, list(state.resources), state.config) == (
        again.resources,
        list(again.resources),
        again.config,
    )


def test_state_of_another_version_is_rejected() -> None:
    """The version is named."""
    with pytest.raises(ValueError, match="version 99"):
        StackState.from_json({"version": 99, "config": {}, "resources": []})


def test_renamed_resource_keeps_its_position() -> None:
    """A renamed resource is found by its earlier URN and keeps its position."""
    state = StackState()
    for urn in ("a", "b", "c"):
        state.keep(kept(urn))
    assert state.find("new", ("x", "b")) == kept("b")
    state.keep(kept("new"), instead_of="b")
    assert ["a", "new", "c"] == list(state.resources)


def test_copy_is_independent() -> None:
    """A resource that is removed from a copy stays in the original."""
    state = StackState()
    state.keep(kept("a"))
    copy = state.copy()
    copy.forget("a")
    assert (["a"], []) == (list(state.resources), list(copy.resources))


def test_repr_of_a_state_has_no_values() -> None:
    """The state holds the master password."""
    state = StackState()
    state.keep(kept("a", inputs={"password": "correct horse"}, outputs={"result": "correct horse"}))
    assert "correct horse" not in repr(state)


def archive(directory: Path, text: str) -> pulumi.AssetArchive:
    """Return an archive of one file and one text."""
    directory.mkdir(exist_ok=True)
    (directory / "f.py").write_text(text)
    return pulumi.AssetArchive({"f.py": pulumi.FileAsset("f.py"), "g": pulumi.StringAsset("g")})


def test_archive_is_compared_by_content(tmp_path: Path) -> None:
    """The directory does not matter, one changed character does."""
    first, moved, changed = (
        comparable({"code": archive(tmp_path / place, text)}, base=tmp_path / place)
        for place, text in (("a", "x = 1"), ("b", "x = 1"), ("c", "x = 2"))
    )
    assert (True, False) == (first == moved, first == changed)
    assert json.dumps(first)


def test_changed_settings_have_dotted_names() -> None:
    """Settings are added, removed, or changed inside an object; equal ones are left out."""
    before = {"p:primary": '{"region": "us-east-1", "count": 2}', "p:team": "a", "p:same": "x"}
    after = {"p:primary": '{"region": "us-west-2", "count": 2}', "p:owner": "b", "p:same": "x"}
    assert [
        ("owner", "not set", "b"),
        ("primary.region", "us-east-1", "us-west-2"),
        ("team", "a", "not set"),
    ] == changed_settings(before, after)
