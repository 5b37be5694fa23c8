"""Tests of the handlers' tables, the comparison of sent and stored values, archives and conversions."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pulumi_aws
import pulumi_random
import pytest
from pulumi import _types

from rehearsal.provider.resources.archives import zip_archive
from rehearsal.provider.resources.convert import pascal
from rehearsal.provider.resources.credentials import HANDLERS as CREDENTIALS
from rehearsal.provider.resources.database import log_export_change
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


@pytest.mark.parametrize("token", sorted(token for token, handler in HANDLERS.items() if "tags" in handler.properties))
def test_handler_with_tags_can_change_them(token: str) -> None:
    """The setting `tags` changes all of them."""
    assert HANDLERS[token].retag is not None
    assert HANDLERS[token].read is not None


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
    with pytest.raises(HandlerError, match="the table is active: not reached within 0 s"):
        wait_until(lambda: False, timeout_seconds=0, what="the table is active")


def archive_of(directory: Path) -> pulumi.AssetArchive:
    """Return an archive with a text, a file and a nested archive."""
    (directory / "b.py").write_text("b")
    return pulumi.AssetArchive(
        {
            "z/b.py": pulumi.FileAsset("b.py"),
            "a.txt": pulumi.StringAsset("a"),
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
    assert list(entries.items()) == [("a.txt", "a"), ("n/d.txt", "d"), ("z/b.py", "b")]
    assert dates == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    "archive",
    [
        pulumi.AssetArchive({"a": pulumi.FileAsset("missing.py")}),
        pulumi.FileArchive("folder"),
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


def test_password_too_short_for_its_minimums_is_an_error() -> None:
    """Four characters of each class don't fit into eight."""
    with pytest.raises(HandlerError, match="a password of 8 characters is too short"):
        password(length=8, minLower=4, minUpper=4, minNumeric=4)


def test_changed_log_exports_are_sent_as_a_difference() -> None:
    """ModifyDBCluster has no list of all exports."""
    change = log_export_change(["audit", "error"], ["slowquery", "error", "general"])
    assert change == {"EnableLogTypes": ["general", "slowquery"], "DisableLogTypes": ["audit"]}


class ParameterGroup:
    """A client of RDS with one cluster parameter group."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def modify_db_cluster_parameter_group(self, **request: Any) -> None:
        """Record the names."""
        self.calls.append(("modify", [each["ParameterName"] for each in request["Parameters"]]))

    def reset_db_cluster_parameter_group(self, **request: Any) -> None:
        """Record the names."""
        assert {"ParameterName", "ApplyMethod"} == {name for each in request["Parameters"] for name in each}
        self.calls.append(("reset", [each["ParameterName"] for each in request["Parameters"]]))

    def describe_db_cluster_parameter_groups(self, **_group: str) -> dict[str, Any]:
        """Return the group."""
        return {"DBClusterParameterGroups": [{"DBClusterParameterGroupArn": "arn"}]}

    def list_tags_for_resource(self, **_group: str) -> dict[str, Any]:
        """Return no tags."""
        return {"TagList": []}

    def get_paginator(self, _operation: str) -> Any:
        """Return a paginator without parameters."""
        return SimpleNamespace(paginate=lambda **_group: [{"Parameters": []}])


def test_changed_parameters_are_modified_and_missing_ones_reset() -> None:
    """RDS takes at most 20 parameters in a call; a parameter with its old value is not sent."""

    def parameters(numbers: range, value: str) -> list[dict[str, str]]:
        return [{"name": f"p{number}", "value": value} for number in numbers]

    def names(numbers: range) -> list[str]:
        return [f"p{number}" for number in numbers]

    kind, rds = "aws:rds/clusterParameterGroup:ClusterParameterGroup", ParameterGroup()
    update = HANDLERS[kind].update
    assert update is not None
    update(
        Request(
            urn="",
            type=kind,
            name="",
            region="us-east-1",
            inputs={"parameters": [*parameters(range(2), "old"), *parameters(range(2, 47), "new")]},
            properties=HANDLERS[kind].properties,
            clients=lambda _service, _region: rds,
            program_directory=Path(),
            id="group",
            outputs={"parameters": parameters(range(70), "old")},
            changed=frozenset({"parameters"}),
        )
    )
    assert rds.calls == [
        ("modify", names(range(2, 22))),
        ("modify", names(range(22, 42))),
        ("modify", names(range(42, 47))),
        ("reset", names(range(47, 67))),
        ("reset", names(range(67, 70))),
    ]


def test_vpcs_of_a_zone_are_sorted_by_region() -> None:
    """AWS has no order, and ids are different in each account."""
    attached = [
        {"VPCId": "vpc-2", "VPCRegion": "eu-west-1"},
        {"VPCId": "vpc-3", "VPCRegion": "us-east-1"},
        {"VPCId": "vpc-1", "VPCRegion": "us-east-1"},
    ]

    class Route53:
        """A zone with three VPCs."""

        def get_hosted_zone(self, **_zone: str) -> dict[str, Any]:
            return {"HostedZone": {"Name": "db.internal."}, "VPCs": attached}

        def list_tags_for_resource(self, **_zone: str) -> dict[str, Any]:
            return {"ResourceTagSet": {"Tags": []}}

    handler = HANDLERS["aws:route53/zone:Zone"]
    assert handler.read is not None
    read = handler.read(
        Request(
            urn="",
            type="aws:route53/zone:Zone",
            name="",
            region="us-east-1",
            id="Z1",
            inputs={},
            properties=handler.properties,
            clients=lambda _service, _region: Route53(),
            program_directory=Path(),
        )
    )
    assert [each["vpcId"] for each in read.held["AssociatedVpcs"]] == ["vpc-2", "vpc-1", "vpc-3"]
