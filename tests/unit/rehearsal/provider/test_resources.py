"""Tests of the handlers' tables, the comparison of sent and stored values, archives and conversions."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws
import pulumi_random
import pytest
from pulumi import _types

from rehearsal.provider.resources.archives import zip_archive
from rehearsal.provider.resources.convert import pascal
from rehearsal.provider.resources.credentials import HANDLERS as CREDENTIALS
from rehearsal.provider.resources.handler import HandlerError, Request, Treatment, agrees, wait_until
from rehearsal.provider.resources.identity import policy_document
from rehearsal.provider.resources.registry import HANDLERS

PASSWORD = "random:index/randomPassword:RandomPassword"
SDK_MODULES = {"lambda": "lambda_"}


def sdk_inputs(token: str) -> set[str]:
    """Return the names of the inputs that the SDK's class of a type has."""
    package, module, type_ = token.split(":")
    folder = module.split("/")[0]
    # By attribute, never by importing a submodule: the SDK's packages load themselves at first use, and whole.
    classes: Any = pulumi_random if package == "random" else getattr(pulumi_aws, SDK_MODULES.get(folder, folder))
    # Where another type of the SDK already has the name, the class is called ...InitArgs.
    arguments = getattr(classes, f"{type_}InitArgs", None) or getattr(classes, f"{type_}Args")
    return set(_types.input_type_py_to_pulumi_names(arguments).values())


@pytest.mark.parametrize("token", sorted(HANDLERS))
def test_handler_properties_exist_in_the_sdk(token: str) -> None:
    """A misspelt property would have no effect."""
    assert set(HANDLERS[token].properties) - sdk_inputs(token) == set()


@pytest.mark.parametrize("token", sorted(HANDLERS))
def test_no_handler_has_a_region_property(token: str) -> None:
    """A resource's region is its provider's."""
    assert "region" not in HANDLERS[token].properties


@pytest.mark.parametrize("token", sorted(HANDLERS))
def test_property_that_is_not_sent_or_not_held_has_a_reason(token: str) -> None:
    """Every exception has a reason."""
    silent = {
        name
        for name, account in HANDLERS[token].properties.items()
        if account.treatment in (Treatment.NOT_HELD, Treatment.PROVIDER_ONLY) and not account.reason
    }
    assert silent == set()


@pytest.mark.parametrize(
    ("sent", "held", "expected"),
    [
        ("x", "x", True),
        (1, 1.0, True),
        (True, False, False),
        (1, "1", False),
        ("1", 1, False),
        ("x", None, False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ([1, 2], [2, 1], True),
        ([1], [1, 2], False),
        ([1, 1], [1, 2], False),
        ([{"Key": "a"}], [{"Key": "a", "more": 1}], True),
        ('{"a": [1]}', '{"a":[1]}', True),
        ('{"a": 1}', {"a": 1}, True),
        ('{"a": 1}', {"a": 2}, False),
        ('{"a": 1}', "not json", False),
    ],
)
def test_description_agrees_if_it_contains_what_was_sent(sent: Any, held: Any, expected: bool) -> None:
    """A description may contain more; JSON texts agree by value."""
    assert agrees(sent, held) is expected


def test_pascal_capitalises_nested_keys_and_drops_none() -> None:
    """`roleArn` becomes `RoleArn` at every depth."""
    assert pascal({"roleArn": "r", "retryPolicy": {"maximumRetryAttempts": 0}, "input": None}) == {
        "RoleArn": "r",
        "RetryPolicy": {"MaximumRetryAttempts": 0},
    }


@pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"Statement": []}'])
def test_policy_without_statements_is_rejected(text: str) -> None:
    """An empty policy is always a mistake."""
    with pytest.raises(HandlerError):
        policy_document(text)


def test_timeout_names_the_awaited_condition() -> None:
    """The error names the resource that does not become ready."""
    with pytest.raises(HandlerError, match=r"expected: the table is active\. The condition did not hold within 0 s"):
        wait_until(lambda: False, timeout_seconds=0, what="the table is active")


def archive_of(directory: Path) -> pulumi.AssetArchive:
    """Return an archive with a text, a file, a directory and a nested archive."""
    (directory / "b.py").write_text("b")
    (directory / "folder").mkdir(exist_ok=True)
    (directory / "folder" / "c.py").write_text("c")
    return pulumi.AssetArchive(
        {
            "z/b.py": pulumi.FileAsset("b.py"),
            "a.txt": pulumi.StringAsset("a"),
            "f": pulumi.FileArchive("folder"),
            "n": pulumi.AssetArchive({"d.txt": pulumi.StringAsset("d")}),
        }
    )


def test_archive_is_zipped_reproducibly(tmp_path: Path) -> None:
    """The entries are sorted and have a fixed date: the hash changes only with the code."""
    first = zip_archive(archive_of(tmp_path), base=tmp_path)
    second = zip_archive(archive_of(tmp_path), base=tmp_path)
    with zipfile.ZipFile(io.BytesIO(first)) as content:
        entries = {entry.filename: content.read(entry).decode() for entry in content.infolist()}
        dates = {entry.date_time for entry in content.infolist()}
    assert first == second
    assert list(entries.items()) == [("a.txt", "a"), ("f/c.py", "c"), ("n/d.txt", "d"), ("z/b.py", "b")]
    assert dates == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    "archive",
    [
        pulumi.AssetArchive({"a": pulumi.FileAsset("missing.py")}),
        pulumi.FileArchive("missing"),
        pulumi.RemoteArchive("https://example.com/a.zip"),
    ],
)
def test_unreadable_archive_is_an_error(tmp_path: Path, archive: pulumi.Archive) -> None:
    """A function is never uploaded with missing files."""
    with pytest.raises(HandlerError) as raised:
        zip_archive(archive, base=tmp_path)
    assert raised.value.property == "code"


def password(**inputs: Any) -> str:
    """Generate a password with these inputs."""
    handler = CREDENTIALS[PASSWORD]

    def no_client(service: str, region: str) -> Any:
        raise AssertionError(service + region)

    request = Request(
        urn="",
        type=PASSWORD,
        name="",
        region="",
        inputs=inputs,
        properties=handler.properties,
        clients=no_client,
        program_directory=Path(),
    )
    return handler.create(request).outputs["result"]


def test_password_has_its_length_and_only_allowed_characters() -> None:
    """Only the program's special characters are used, because RDS rejects others."""
    drawn = [password(length=32, overrideSpecial="!#", minSpecial=3, minNumeric=2) for _ in range(50)]
    assert {len(each) for each in drawn} == {32}
    assert {letter for each in drawn for letter in each if not letter.isalnum()} <= {"!", "#"}
    assert all(sum(letter in "!#" for letter in each) >= 3 for each in drawn)
    assert all(sum(letter.isdigit() for letter in each) >= 2 for each in drawn)
    assert len(set(drawn)) == 50


def test_disabled_character_class_is_not_generated() -> None:
    """`special: false` generates no special characters."""
    assert all(password(length=32, special=False).isalnum() for _ in range(20))


def test_password_too_short_for_its_minimums_is_an_error() -> None:
    """Four characters of each class don't fit into eight."""
    with pytest.raises(HandlerError, match="no password of 8 characters"):
        password(length=8, minLower=4, minUpper=4, minNumeric=4)
