"""Reading a stack's state from the Pulumi CLI."""

import json
from collections.abc import Sequence

import pytest

from operations.stack.exported_state import load_export, read_export
from operations.support.errors import UsageProblemError

HEAD = "urn:pulumi:prod::aurora-global-database::"
PROVIDER = f"{HEAD}pulumi:providers:aws::primary"
INPUTS = {"region": "us-east-1", "defaultTags": '{"tags":{"Project":"payments"}}'}
VPC = {
    "urn": f"{HEAD}aws:ec2/vpc:Vpc::primary-vpc",
    "type": "aws:ec2/vpc:Vpc",
    "provider": f"{PROVIDER}::an-id",
    "inputs": {"tags": {"Name": "vpc"}},
}
STATE = {
    "version": 3,
    "deployment": {
        "resources": [
            {"urn": f"{HEAD}pulumi:pulumi:Stack::aurora-prod", "type": "pulumi:pulumi:Stack"},
            {"urn": PROVIDER, "type": "pulumi:providers:aws", "inputs": INPUTS, "id": "an-id"},
            VPC,
        ],
        "pending_operations": [{"type": "creating", "resource": VPC}],
    },
}


def test_resources_belong_to_the_region_of_their_provider() -> None:
    """Components and providers belong to none."""
    asked: list[list[str]] = []

    def pulumi(arguments: Sequence[str], timeout_seconds: float) -> str:
        del timeout_seconds
        asked.append([*arguments])
        return json.dumps(STATE)

    exported = load_export("acme/aurora/prod", pulumi)
    assert asked == [["stack", "export", "--stack", "acme/aurora/prod"]]
    assert (exported.stack, exported.regions) == ("prod", ["us-east-1"])
    assert [each.name for each in exported.in_region("us-east-1")] == ["primary-vpc"]


def test_pending_resource_has_the_region_and_the_tags_of_its_provider() -> None:
    """Its own tags are added to those of the provider."""
    (pending,) = read_export(STATE).pending
    assert (pending.kind, pending.resource.region) == ("creating", "us-east-1")
    assert pending.resource.tags == {"Project": "payments", "Name": "vpc"}


def test_state_without_a_provider_has_no_region() -> None:
    """The stack was made, and not deployed."""
    assert read_export({"version": 3, "deployment": {"manifest": {}}}).regions == []


@pytest.mark.parametrize("answer", [None, [], {}, {"deployment": None}, {"deployment": []}])
def test_answer_that_is_no_export_is_rejected(answer: object) -> None:
    """The hint names the command that makes one."""
    with pytest.raises(UsageProblemError, match="the state has no `deployment`") as raised:
        read_export(answer)
    assert "pulumi stack export" in raised.value.hint
