"""Drift is what no maintenance window explains."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.drift import differences, main, report

INSTANCE, CLUSTER = "aws:rds/clusterInstance:ClusterInstance", "aws:rds/cluster:Cluster"


def step(op: str = "update", *, type_: str = INSTANCE, name: str = "instance-1", **wanted: Any) -> dict[str, Any]:
    """Return a step of `pulumi preview --json` that changes the given properties."""
    arn = f"arn:aws:rds:eu-west-1:123456789012:db:{name}"
    return {
        "op": op,
        "urn": f"urn:pulumi:prod::p::{type_}::{name}",
        "oldState": {"type": type_, "id": name, "outputs": {"arn": arn}},
        "newState": {"type": type_, "inputs": {**wanted, "tags": {"Name": name}}},
        "detailedDiff": {path: {"kind": "update"} for path in wanted},
        "diffReasons": list(wanted),
    }


def judged(*steps: Mapping[str, Any], pending: Mapping[str, Any] | None = None) -> tuple[list[str], bool]:
    """Return the report on a preview with these steps, while RDS has these pending values for each resource."""
    asked: list[tuple[str, str, str]] = []

    def pending_of(type_: str, region: str, id_: str) -> Mapping[str, Any]:
        asked.append((type_, region, id_))
        return pending or {}

    result = report(list(differences({"steps": steps})), pending_of)
    assert {region for _, region, _ in asked} <= {"eu-west-1"}
    return result


def test_preview_without_changes_has_no_drift() -> None:
    """Steps that read or keep a resource are no differences."""
    assert judged(step("same"), step("refresh"), step("read")) == ([], False)


@pytest.mark.parametrize(
    ("change", "pending"),
    [
        (step(instanceClass="db.r6g.4xlarge"), {"DBInstanceClass": "db.r6g.4xlarge"}),
        (step(caCertIdentifier="rds-ca-rsa4096-g1"), {"CACertificateIdentifier": "rds-ca-rsa4096-g1"}),
        (step(type_=CLUSTER, backupRetentionPeriod=35), {"BackupRetentionPeriod": 35}),
    ],
)
def test_change_that_waits_for_its_window_is_no_drift(change: Mapping[str, Any], pending: Mapping[str, Any]) -> None:
    """RDS has it as a pending value: the next window makes it."""
    lines, is_drift = judged(change, pending=pending)
    assert not is_drift
    assert lines[0].startswith("waits for the maintenance window: update instance-1")


@pytest.mark.parametrize(
    ("change", "pending"),
    [
        (step(instanceClass="db.r6g.4xlarge"), {}),
        (step(instanceClass="db.r6g.4xlarge"), {"DBInstanceClass": "db.r6g.2xlarge"}),
        (step(instanceClass="db.r6g.4xlarge", tags={}), {"DBInstanceClass": "db.r6g.4xlarge"}),
        (step("delete", instanceClass="db.r6g.4xlarge"), {"DBInstanceClass": "db.r6g.4xlarge"}),
        (step(type_="aws:sns/topic:Topic", name="topic"), {}),
        (step("create", type_="aws:sns/topic:Topic", name="topic"), {}),
    ],
)
def test_other_change_is_drift(change: Mapping[str, Any], pending: Mapping[str, Any]) -> None:
    """Another value, another property beside it, another operation or another type."""
    lines, is_drift = judged(change, pending=pending)
    assert is_drift
    assert [line.partition(":")[0] for line in lines] == ["drift"]


def test_drift_is_not_hidden_by_a_waiting_change() -> None:
    """Both are listed, the drift first."""
    lines, is_drift = judged(
        step(instanceClass="db.r6g.4xlarge"),
        step(type_="aws:sns/topic:Topic", name="topic", displayName="x"),
        pending={"DBInstanceClass": "db.r6g.4xlarge"},
    )
    assert is_drift
    assert lines == [
        "drift: update topic (aws:sns/topic:Topic): displayName",
        f"waits for the maintenance window: update instance-1 ({INSTANCE}): instanceClass",
    ]


@pytest.mark.parametrize(("steps", "code"), [([], 0), ([step("create", type_="aws:sns/topic:Topic")], 7)])
def test_exit_code_is_that_of_an_unexpected_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], steps: list[Any], code: int
) -> None:
    """As of `pulumi preview --expect-no-changes`."""
    preview = tmp_path / "preview.json"
    preview.write_text(json.dumps({"steps": steps}))
    assert main([str(preview)]) == code
    assert capsys.readouterr().out.startswith("drift: create" if code else "no difference")
