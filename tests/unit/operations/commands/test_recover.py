"""Recover: created resources return to the state, and what is unclear stops the command."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from operations.aws.resource_lookup import SCHEDULED_FOR_DELETION, FoundResource, Repeated
from operations.commands.recover_plan import LookupAnswer, PlannedStep, Step, exit_code, plan_steps, repaired_state
from operations.stack.exported_state import ExportedState, read_export
from operations.support.errors import AwsError, ExitCode, FailedError, OperationError, TimedOutError
from tests.support.operations.fake_aws import FakeAws, missing
from tests.support.operations.fakes import EAST, FakeEnvironment

PREFIX = "urn:pulumi:dev::aurora-global-database::"
PROVIDER_URN = f"{PREFIX}pulumi:providers:aws::primary"
PROVIDER = f"{PROVIDER_URN}::provider-id"
TAGS = {"Project": "payments"}
TABLE, RULE = "aws:dynamodb/table:Table", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def resource(name: str, type_: str = TABLE, **fields: Any) -> dict[str, Any]:
    """Return a resource of the state."""
    return {
        "urn": f"{PREFIX}{type_}::{name}",
        "custom": True,
        "type": type_,
        "provider": PROVIDER,
        "inputs": {"name": "payments-failover-dev", "tags": {"Name": "failover"}},
        **fields,
    }


def export(resources: Sequence[Mapping[str, Any]] = (), **pending: Mapping[str, Any]) -> dict[str, Any]:
    """Return an export with a provider, these resources, and pending operations by kind."""
    inputs = {"region": EAST, "defaultTags": json.dumps({"tags": TAGS})}
    provider = {
        "urn": PROVIDER_URN,
        "custom": True,
        "id": "provider-id",
        "type": "pulumi:providers:aws",
        "inputs": inputs,
    }
    operations = [{"type": kind, "resource": each} for kind, each in pending.items()]
    return {"version": 3, "deployment": {"resources": [provider, *resources], "pending_operations": operations}}


def exists(id: str, status: str = "", **tags: str) -> FoundResource:
    """Return a resource in AWS with this stack's tags."""
    return FoundResource(id=id, tags={**TAGS, "Name": "failover", **tags}, status=status)


def planned(values: Mapping[str, Any], answer: LookupAnswer) -> tuple[ExportedState, PlannedStep]:
    """Return the state, and the step of its only pending operation."""
    exported = read_export(values)
    (step,) = plan_steps(exported, [answer])
    return exported, step


def repaired(exported: ExportedState, step: PlannedStep) -> list[dict[str, Any]]:
    """Return the repaired resources without the provider."""
    deployment = repaired_state(exported, [step])["deployment"]
    assert "pending_operations" not in deployment
    return deployment["resources"][1:]


def test_created_resource_is_adopted_with_the_inputs_of_the_program() -> None:
    """The engine keeps a created resource so; the refresh reads the other outputs."""
    new = resource("state", parent="p", dependencies=[], propertyDependencies={"name": []})
    exported, step = planned(export(creating=new), [exists("payments-failover-dev")])
    assert (step.step, step.id) == (Step.ADOPT, "payments-failover-dev")
    assert repaired(exported, step) == [{**new, "id": "payments-failover-dev", "outputs": new["inputs"]}]


def test_marks_of_the_provider_are_no_outputs() -> None:
    """The bridge marks the inputs that it added."""
    inputs = {
        "name": "t",
        "__defaults": [],
        "ttl": {"enabled": True, "__defaults": ["a"]},
        "keys": [{"__defaults": []}],
    }
    exported, step = planned(export(creating=resource("state", inputs=inputs)), [FoundResource(id="t")])
    (adopted,) = repaired(exported, step)
    assert adopted["outputs"] == {"name": "t", "ttl": {"enabled": True}, "keys": [{}]}
    assert adopted["inputs"] == inputs


def test_answer_that_reached_the_state_needs_no_lookup() -> None:
    """The engine adds id and outputs to the pending operation before it ends it."""
    new = resource("state", id="payments-failover-dev", outputs={"arn": "a"})
    exported, step = planned(export(creating=new), AwsError("no answer", hint=""))
    assert step.step is Step.ADOPT
    assert repaired(exported, step) == [new]


def test_absent_resource_is_created_by_the_next_up() -> None:
    """Only the pending operation is removed."""
    exported, step = planned(export(creating=resource("state")), [])
    assert (step.step, repaired(exported, step)) == (Step.CREATE, [])


def test_resource_of_another_entry_is_not_adopted() -> None:
    """The group has another rule of the same kind, which the state knows."""
    other = resource("from-own", RULE, id="sgr-1")
    exported, step = planned(export([other], creating=resource("from-peer", RULE)), [exists("sgr-1")])
    assert (step.step, repaired(exported, step)) == (Step.CREATE, [other])


def test_name_in_the_other_region_is_another_resource() -> None:
    """Both regions have a table of this name; their providers differ."""
    other = resource("secondary-state", id="payments-failover-dev", provider=f"{PREFIX}secondary::x")
    _, step = planned(export([other], creating=resource("primary-state")), [exists("payments-failover-dev")])
    assert step.step is Step.ADOPT


def test_operation_of_a_resource_in_the_state_is_dropped() -> None:
    """An `up` after the interruption created it, and the engine kept the pending operation."""
    present = resource("state", id="payments-failover-dev")
    exported, step = planned(export([present], creating=resource("state")), [exists("payments-failover-dev")])
    assert (step.step, repaired(exported, step)) == (Step.KNOWN, [present])


@pytest.mark.parametrize(
    ("answer", "step", "code", "said"),
    [
        ([exists("a"), exists("b")], Step.AMBIGUOUS, ExitCode.REFUSED, "exists 2 times: a and b"),
        ([exists("a", Project="other")], Step.FOREIGN, ExitCode.REFUSED, "a exists without this stack's tags"),
        ([exists("a", "DELETING")], Step.BEING_DELETED, ExitCode.REFUSED, "a has the status DELETING"),
        (AwsError("no answer", hint=""), Step.UNKNOWN, ExitCode.AWS, "no answer"),
    ],
)
def test_unclear_resource_stops_the_recovery(answer: LookupAnswer, step: Step, code: ExitCode, said: str) -> None:
    """To guess could delete or duplicate a resource."""
    _, found = planned(export(creating=resource("state")), answer)
    assert (found.step, found.evidence, exit_code([found])) == (step, said, code)


def test_second_resource_beside_the_one_in_the_state_is_named() -> None:
    """`up` ran again before the recovery and created another one."""
    present = resource("vpc", id="vpc-2")
    _, step = planned(export([present], creating=resource("vpc")), [exists("vpc-1"), exists("vpc-2")])
    assert (step.step, step.evidence) == (Step.AMBIGUOUS, "exists twice: vpc-2 in the state, and vpc-1")


def test_replacement_marks_the_old_resource_for_deletion() -> None:
    """Create before delete: the new one was created, and the old one is still there."""
    old = resource("state", id="old", inputs={"name": "old"})
    dependent = resource("dependent", id="d", dependencies=[old["urn"]])
    exported, step = planned(export([old, dependent], creating=resource("state")), [exists("old"), exists("new")])
    assert step.id == "new"
    result = repaired(exported, step)
    assert [(each["id"], each.get("delete", False)) for each in result] == [("new", False), ("old", True), ("d", False)]


def test_replacement_follows_what_it_depends_on() -> None:
    """Pulumi refuses a state in which a resource comes before its dependency."""
    old = resource("state", id="old", inputs={"name": "old"})
    needed = resource("needed", id="n")
    new = resource("state", dependencies=[needed["urn"]])
    exported, step = planned(export([old, needed], creating=new), [exists("new")])
    assert [each["id"] for each in repaired(exported, step)] == ["old", "n", "new"]


def test_replacement_after_the_deletion_takes_the_entry_s_place() -> None:
    """Delete before create: the state has the old entry, pending replacement, perhaps with the same name."""
    old = resource("state", id="payments-failover-dev", pendingReplacement=True)
    exported, step = planned(export([old], creating=resource("state")), [exists("payments-failover-dev")])
    result = repaired(exported, step)
    assert (step.step, len(result), "pendingReplacement" in result[0]) == (Step.ADOPT, 1, False)


def test_deleted_resource_is_removed_by_the_refresh() -> None:
    """The state keeps it until then."""
    exported, step = planned(export([resource("t", id="t")], deleting=resource("t", id="t")), [])
    assert (step.step, len(repaired(exported, step))) == (Step.GONE, 1)


def test_deletion_that_goes_on_is_shown() -> None:
    """It is no blocker: nothing is lost."""
    _, step = planned(export(deleting=resource("t", id="t")), [exists("t", "DELETING")])
    assert (step.step, step.evidence) == (Step.DELETE, "t exists, status DELETING: wait until it is gone")
    assert exit_code([step]) is ExitCode.DONE


def test_secret_in_its_recovery_window_is_deleted_but_keeps_its_name() -> None:
    """The refresh drops such a secret at once. A new one cannot have its name."""
    found = exists("t", SCHEDULED_FOR_DELETION)
    _, deletion = planned(export(deleting=resource("t", id="t")), [found])
    _, creation = planned(export(creating=resource("t")), [found])
    evidence = "t is scheduled for deletion, which the refresh treats as deleted"
    assert (deletion.step, deletion.evidence, creation.step) == (Step.GONE, evidence, Step.BEING_DELETED)


def test_interrupted_update_is_refreshed() -> None:
    """The state has the old inputs, and the refresh reads what AWS has."""
    present = resource("t", id="t")
    exported, step = planned(export([present], updating=resource("t", id="t")), [])
    assert (step.step, repaired(exported, step)) == (Step.REFRESH, [present])


def test_overwriting_creation_is_repeated() -> None:
    """A topic's policy exists always, so AWS does not tell whether it was set."""
    _, step = planned(export(creating=resource("t")), Repeated(reason="it overwrites the topic's policy"))
    assert (step.step, "it overwrites the topic's policy" in step.evidence) == (Step.CREATE, True)


class FakePulumi:
    """A Pulumi CLI with one stack."""

    def __init__(self, exported: dict[str, Any]) -> None:
        self.exported = exported
        self.commands: list[str] = []
        self.saved: list[Path] = []

    def __call__(self, arguments: Sequence[str], timeout_seconds: float) -> str:
        """Run a command."""
        assert timeout_seconds > 0
        self.commands.append(" ".join(arguments[:2]))
        if arguments[:2] == ["stack", "import"]:
            file = Path(arguments[-1])
            self.saved.append(file.with_name("before.json"))
            self.exported = json.loads(file.read_text(encoding="utf-8"))
        return json.dumps(self.exported) if arguments[:2] == ["stack", "export"] else ""


@pytest.fixture
def pulumi(environment: FakeEnvironment, aws: FakeAws) -> FakePulumi:
    """A stack whose `up` was killed while it created a table that exists."""
    described = {"TableStatus": "ACTIVE", "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/t"}
    aws.set(EAST, "dynamodb", "describe_table", {"Table": described})
    tags = [{"Key": "Project", "Value": "payments"}, {"Key": "Name", "Value": "failover"}]
    aws.set(EAST, "dynamodb", "list_tags_of_resource", {"Tags": tags})
    environment.run_pulumi = FakePulumi(export(creating=resource("state")))
    return environment.run_pulumi


def test_plan_is_shown_and_nothing_is_changed(environment: FakeEnvironment, pulumi: FakePulumi) -> None:
    """Without --run the command only exports the state."""
    result = environment.run("recover", "--json")
    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["exit_code"], shown["is_repaired"]) == (0, 0, False)
    (operation,) = shown["operations"]
    assert (operation["step"], operation["id"], operation["region"]) == ("adopt", "payments-failover-dev", EAST)
    assert "Repair the state: python -m operations recover --stack dev --run" in shown["next"]
    assert pulumi.commands == ["stack export"]


def test_run_imports_the_repaired_state_and_refreshes_it(environment: FakeEnvironment, pulumi: FakePulumi) -> None:
    """The state before is saved, and no operation is pending afterwards."""
    before = pulumi.exported
    result = environment.run("recover", "--run", "--json")
    assert (result.exit_code, json.loads(result.stdout)["is_repaired"]) == (0, True)
    assert pulumi.commands == ["stack export", "stack export", "stack import", "refresh --stack", "stack export"]
    assert pulumi.exported["deployment"]["resources"][-1]["id"] == "payments-failover-dev"
    (saved,) = pulumi.saved
    assert str(saved) in result.stderr
    assert json.loads(saved.read_text(encoding="utf-8")) == before


@pytest.mark.parametrize("error", [FailedError, TimedOutError])
def test_failed_refresh_is_repeated_with_pulumi(
    environment: FakeEnvironment, pulumi: FakePulumi, error: type[OperationError]
) -> None:
    """The import has removed the pending operations: a second run has nothing to repair."""

    def fail_to_refresh(arguments: Sequence[str], timeout_seconds: float) -> str:
        if arguments[0] == "refresh":
            raise error("AWS throttles", hint="Then run this again.")
        return pulumi(arguments, timeout_seconds)

    environment.run_pulumi = fail_to_refresh
    result = environment.run("recover", "--run")
    assert (result.exit_code, "Run `pulumi refresh --stack dev`." in result.stderr) == (ExitCode.FAILED, True)
    assert json.loads(environment.run("recover", "--run", "--json").stdout)["is_repaired"] is False


def test_run_changes_nothing_if_a_resource_is_unclear(
    environment: FakeEnvironment, aws: FakeAws, pulumi: FakePulumi
) -> None:
    """The exit code is 3, and the next step is the decision."""
    aws.set(EAST, "dynamodb", "list_tags_of_resource", {"Tags": []})
    result = environment.run("recover", "--run")
    assert (result.exit_code, pulumi.commands) == (ExitCode.REFUSED, ["stack export"])
    assert "exists without this stack's tags" in result.stdout


def test_run_refuses_a_state_that_another_update_changes(environment: FakeEnvironment, pulumi: FakePulumi) -> None:
    """To import the older state would lose the other update's resources."""

    def export_differently(arguments: Sequence[str], timeout_seconds: float) -> str:
        text = pulumi(arguments, timeout_seconds)
        pulumi.exported = {**pulumi.exported, "version": len(pulumi.commands)}
        return text

    environment.run_pulumi = export_differently
    result = environment.run("recover", "--run")
    assert (result.exit_code, "stack import" in pulumi.commands) == (ExitCode.REFUSED, False)
    assert "the state changed meanwhile" in result.stderr


@pytest.mark.parametrize(
    ("last", "code"), [("stack export", ExitCode.USAGE), ("refresh --stack", ExitCode.FAILED)], ids=["before", "after"]
)
def test_exit_code_says_whether_the_state_was_changed(
    environment: FakeEnvironment, pulumi: FakePulumi, last: str, code: ExitCode
) -> None:
    """Pulumi's backend is lost before the import, or after the refresh."""

    def lose_backend(arguments: Sequence[str], timeout_seconds: float) -> str:
        if last in pulumi.commands:
            raise FailedError("no backend", hint="")
        return pulumi(arguments, timeout_seconds)

    environment.run_pulumi = lose_backend
    result = environment.run("recover", "--run")
    assert (result.exit_code, pulumi.commands[-1]) == (code, last)
    assert "no backend" in result.stderr


def test_state_without_pending_operations_needs_no_repair(environment: FakeEnvironment, pulumi: FakePulumi) -> None:
    """The command ends with 0 and imports nothing."""
    pulumi.exported = export([resource("state", id="t")])
    result = environment.run("recover", "--run")
    assert (result.exit_code, pulumi.commands) == (0, ["stack export"])
    assert "0 pending operations" in result.stdout


def test_absent_resource_is_found_absent_in_its_region(
    environment: FakeEnvironment, aws: FakeAws, pulumi: FakePulumi
) -> None:
    """AWS is asked in the region of the resource's provider."""
    aws.set(EAST, "dynamodb", "describe_table", missing("t"))
    shown = json.loads(environment.run("recover", "--json").stdout)
    assert [each["step"] for each in shown["operations"]] == ["create"]
    assert (EAST, "dynamodb", "describe_table") in aws.asked


def test_type_of_another_program_is_refused(environment: FakeEnvironment, pulumi: FakePulumi) -> None:
    """The command does not know how to find it."""
    pulumi.exported = export(creating=resource("bucket", "aws:s3/bucket:Bucket"))
    result = environment.run("recover")
    assert result.exit_code == ExitCode.USAGE
    assert "the program creates no aws:s3/bucket:Bucket" in result.stderr


def test_interrupted_provider_and_component_are_repeated(environment: FakeEnvironment, pulumi: FakePulumi) -> None:
    """They exist only in the state."""
    component = resource("c", "aurora:network:Network", custom=False)
    provider = resource("secondary", "pulumi:providers:aws")
    pulumi.exported = export(creating=component, reading=provider)
    shown = json.loads(environment.run("recover", "--json").stdout)
    assert [each["step"] for each in shown["operations"]] == ["create", "refresh"]


def test_saved_state_is_shown_and_not_repaired(
    environment: FakeEnvironment, pulumi: FakePulumi, tmp_path: Path
) -> None:
    """--run reads the state itself, so that it is the newest."""
    file = tmp_path / "state.json"
    file.write_text(json.dumps(pulumi.exported), encoding="utf-8")
    assert "adopt" in environment.run("recover", "--state", str(file)).stdout
    assert environment.run("recover", "--state", str(file), "--run").exit_code == ExitCode.USAGE
    assert pulumi.commands == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"deployment": []}'])
def test_file_that_is_no_export_is_a_usage_error(
    environment: FakeEnvironment, pulumi: FakePulumi, tmp_path: Path, text: str
) -> None:
    """The hint names the command that makes one."""
    file = tmp_path / "state.json"
    file.write_text(text, encoding="utf-8")
    result = environment.run("recover", "--state", str(file))
    assert (result.exit_code, pulumi.commands) == (ExitCode.USAGE, [])
    assert "pulumi stack export" in result.stderr
