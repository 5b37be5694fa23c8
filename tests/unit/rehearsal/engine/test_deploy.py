"""Tests of a stack's configuration and of the resource counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.engine.deploy import DeploymentError, DeployResult, stack_config
from rehearsal.engine.state import StackState
from rehearsal.provider.resources.outcome import ProviderResource

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes the settings of the project and a stack."""

    def files(project: str, stack: str) -> None:
        (tmp_path / "Pulumi.yaml").write_text(f"name: tiny\n{project}")
        (tmp_path / "Pulumi.dev.yaml").write_text(stack)

    return files


def test_values_become_strings_and_objects_json(tmp_path: Path, write: Write) -> None:
    """The format is the one that Pulumi.Config expects."""
    write("", "config:\n  tiny:n: 3306\n  tiny:b: true\n  tiny:s: text\n  tiny:o: {x: 1}\n  pulumi:l: [aws]\n")
    assert stack_config(tmp_path, "dev") == {
        "tiny:n": "3306",
        "tiny:b": "true",
        "tiny:s": "text",
        "tiny:o": '{"x": 1}',
        "pulumi:l": '["aws"]',
    }


def test_overrides_are_merged_setting_by_setting(tmp_path: Path, write: Write) -> None:
    """An override inside an object keeps the object's other settings."""
    write("", "config:\n  tiny:failover: {mode: automatic, interval_seconds: 10}\n")
    overrides: dict[str, object] = {"failover": {"interval_seconds": 1.5}, "other:flag": False}
    assert stack_config(tmp_path, "dev", overrides) == {
        "tiny:failover": '{"mode": "automatic", "interval_seconds": 1.5}',
        "other:flag": "false",
    }


def test_stack_values_override_project_defaults(tmp_path: Path, write: Write) -> None:
    """Pulumi.yaml has a value or a default."""
    write("config:\n  a: {default: 1}\n  b: {value: 2}\n  c: 3\n  d: {type: string}\n", "config:\n  tiny:a: 9\n")
    assert stack_config(tmp_path, "dev") == {"tiny:a": "9", "tiny:b": "2", "tiny:c": "3"}


def test_stack_without_configuration_is_empty(tmp_path: Path, write: Write) -> None:
    """An empty `config:` is valid."""
    write("", "config:\n")
    assert stack_config(tmp_path, "dev") == {}


@pytest.mark.parametrize("stack", ["config:\n  tiny:p: {secure: v1:abc}\n", "- a list\n", "{ not yaml"])
def test_encrypted_or_malformed_value_is_an_error(tmp_path: Path, write: Write, stack: str) -> None:
    """An encrypted or malformed value raises DeploymentError instead of being omitted."""
    write("", stack)
    with pytest.raises(DeploymentError, match=r"tiny:p is encrypted|not a mapping|Pulumi\.dev\.yaml"):
        stack_config(tmp_path, "dev")


def test_missing_stack_file_is_an_error(tmp_path: Path) -> None:
    """The stack is named."""
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\n")
    with pytest.raises(DeploymentError, match=r"Pulumi\.nowhere\.yaml"):
        stack_config(tmp_path, "nowhere")


def test_project_without_name_is_an_error(tmp_path: Path) -> None:
    """The name is the namespace of all settings."""
    (tmp_path / "Pulumi.yaml").write_text("runtime: python\n")
    with pytest.raises(DeploymentError, match="no name"):
        stack_config(tmp_path, "dev")


def test_resources_are_counted_by_region_and_type() -> None:
    """Resources without region count as `global`."""

    def resource(type_: str, region: str) -> ProviderResource:
        return ProviderResource(urn="", type=type_, name="", region=region, id="", inputs={}, outputs={}, seconds=0.0)

    deployment = DeployResult(
        project="tiny",
        stack="dev",
        exports={},
        secret_exports=frozenset(),
        resources=(
            resource("b", "eu-west-1"),
            resource("a", "eu-west-1"),
            resource("b", "eu-west-1"),
            resource("z", "global"),
        ),
        steps=(),
        state=StackState(),
        not_held=(),
        warnings=(),
        seconds=0.0,
        preview=False,
    )
    assert deployment.counts() == {"eu-west-1": {"a": 1, "b": 2}, "global": {"z": 1}}


def test_missing_stack_file_names_the_stacks(tmp_path: Path, write: Write) -> None:
    """The error has the file's name without its folder, and the stacks that exist."""
    write("", "config: {}\n")
    with pytest.raises(DeploymentError) as raised:
        stack_config(tmp_path, "nosuch")
    assert "Pulumi.nosuch.yaml: No such file or directory. Use one of the stacks: dev." == str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"config: [", r"^Pulumi\.dev\.yaml, line 1: not YAML: "),
        (b"config: {team: \xfc}", r"^Pulumi\.dev\.yaml: not UTF-8 text"),
    ],
)
def test_file_that_is_not_yaml_in_utf8_is_an_error(tmp_path: Path, write: Write, content: bytes, said: str) -> None:
    """A syntax error, and a file saved in Latin-1."""
    write("", "")
    (tmp_path / "Pulumi.dev.yaml").write_bytes(content)
    with pytest.raises(DeploymentError, match=said):
        stack_config(tmp_path, "dev")
