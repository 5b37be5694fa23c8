"""What happens in AWS when a setting is taken back: an input that the program no longer registers sends nothing by itself."""

from collections.abc import Iterator

import pytest

from settings import RegionSettings
from settings.errors import section_of
from tests.support.policy.variations import Packed, packed
from tests.support.program.harness import Run, run_program

pytestmark = pytest.mark.slow

CLUSTER, INSTANCE = "aws:rds/cluster:Cluster", "aws:rds/clusterInstance:ClusterInstance"

REVERTED_BY_THE_PROVIDER = {
    (CLUSTER, "backtrackWindow"): "optional and not computed: the provider sends 0",
    (CLUSTER, "enableGlobalWriteForwarding"): "its default is false, which the provider sends",
    (CLUSTER, "finalSnapshotIdentifier"): "read by the provider at the deletion only",
    (CLUSTER, "performanceInsightsKmsKeyId"): "the provider sends that Performance Insights is off",
    (CLUSTER, "performanceInsightsRetentionPeriod"): "the provider sends that Performance Insights is off",
    ("aws:lambda/function:Function", "reservedConcurrentExecutions"): "its default is -1: the reservation is deleted",
}
"""(type, input) -> why AWS gets the old state back. Source: the schemas of Terraform's AWS provider."""

KEPT = {
    (CLUSTER, "preferredBackupWindow"): "backup_window",
    (CLUSTER, "preferredMaintenanceWindow"): "maintenance_window",
    (INSTANCE, "preferredMaintenanceWindow"): "maintenance_window",
    (CLUSTER, "serverlessv2ScalingConfiguration"): "serverless",
}
"""(type, input) -> the setting, for inputs that the provider also computes: left out, AWS keeps what was set last.

The windows have no state "chosen by AWS" to return to, and a capacity without serverless instances has no effect. The
description of each setting says so.
"""


def disappearing(before: Run, after: Run) -> Iterator[tuple[str, str]]:
    """Yield (type, input) of each input that `before` registers, and `after` does not, for the same resource."""
    later = {each.urn: each for each in after.resources}
    for each in before.resources:
        if each.urn in later and each.type.startswith("aws:"):
            for name in set(each.inputs) - set(later[each.urn].inputs):
                yield each.type, name


@pytest.mark.parametrize("stack", packed(), ids=str)
def test_every_input_that_a_setting_removes_has_a_known_effect(stack: Packed, dev: Run) -> None:
    """In both directions: the setting is taken back, or set to a value for which the program leaves an input out."""
    there = run_program(stack.config)
    assert there.error is None
    found = {*disappearing(there, dev), *disappearing(dev, there)}
    assert found - {*REVERTED_BY_THE_PROVIDER, *KEPT} == set()


def test_taken_back_storage_type_is_sent(dev: Run) -> None:
    """The provider ignores a storage type that is left out, and the price would stay that of `aurora-iopt1`."""
    assert [each.inputs["storageType"] for each in dev.of("rds/cluster:Cluster")] == ["aurora", "aurora"]
    optimised = run_program({"database": {"storage_type": "aurora-iopt1"}})
    assert [each.inputs["storageType"] for each in optimised.of("rds/cluster:Cluster")] == ["aurora-iopt1"] * 2


@pytest.mark.parametrize("setting", sorted(set(KEPT.values())))
def test_setting_that_aws_keeps_says_so(setting: str) -> None:
    """An operator who removes it must not expect a change."""
    field = RegionSettings.model_fields[setting]
    section = section_of(field.annotation)
    text = field.description or (section.__doc__ if section else "")
    assert "if removed, AWS keeps the last" in " ".join(str(text).split())
