"""Preflight --destroy: roles, protection, snapshots, other users, and the commands to run next."""

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from operations.aws.ports import RdsRoles
from operations.checks.finding import Verdict
from operations.support.errors import AwsError, ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, WEST, WEST_REGION, FakeEnvironment, outputs

DESTROY = "pulumi destroy --stack dev"
DISARM = 'python -m operations disarm --reason "destroy" --confirm payments-global-dev'
AGAIN = "python -m operations preflight --destroy"


def checked(environment: FakeEnvironment) -> dict[str, Any]:
    """Run `preflight --destroy`; return its JSON result."""
    result = environment.run("preflight", "--destroy", "--json")
    found = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found


def verdicts(found: dict[str, Any], verdict: Verdict) -> set[tuple[str, str]]:
    """Return the check and place of each finding with a verdict."""
    return {(each["check"], each["where"]) for each in found["findings"] if each["verdict"] == verdict}


def test_stack_with_writer_in_primary_region_can_be_destroyed(environment: FakeEnvironment) -> None:
    """The controller is disarmed first, because it could mistake a deletion for an outage."""
    found = checked(environment)
    assert (found["exit_code"], found["writer"], found["commands"]) == (ExitCode.DONE, EAST, [DISARM, DESTROY])
    assert verdicts(found, Verdict.PASSED) == {(each["check"], each["where"]) for each in found["findings"]}


def test_commands_follow_the_table_in_order(environment: FakeEnvironment) -> None:
    """The heading is followed by the disarm command and the destroy command."""
    text = environment.run("preflight", "--destroy").stdout
    assert text.index("Run next, in this order") < text.index("disarm --reason") < text.index(DESTROY)


def test_writer_in_secondary_region_must_switch_back_first(environment: FakeEnvironment) -> None:
    """AWS refuses to remove the writer while the other member exists."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    found = checked(environment)
    assert verdicts(found, Verdict.FAILED) == {("writer in primary region", "both")}
    assert found["commands"] == ["python -m operations switchover --confirm payments-global-dev", DISARM, DESTROY]
    assert found["exit_code"] == ExitCode.FAILED


def test_operation_in_progress_comes_first(environment: FakeEnvironment) -> None:
    """The commands wait for the operation and run preflight again."""
    environment.roles = RdsRoles(writer_arn=environment.roles.writer_arn, operation="switching-over")
    found = checked(environment)
    assert ("no operation", "both") in verdicts(found, Verdict.FAILED)
    assert found["commands"] == ["python -m operations status --watch", AGAIN]


def test_production_protection_is_listed(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The findings are of clusters, tables and Pulumi, whose protection is not visible to preflight."""
    environment.outputs = {**outputs(), "environment": "prod", "stack_name": "payments"}
    for region in (EAST, WEST):
        aws.change(region, "rds", "describe_db_clusters", lambda a: a["DBClusters"][0].update(DeletionProtection=True))
        aws.change(region, "dynamodb", "describe_table", lambda a: a["Table"].update(DeletionProtectionEnabled=True))
    aws.change(
        EAST, "rds", "describe_global_clusters", lambda a: a["GlobalClusters"][0].update(DeletionProtection=True)
    )
    found = checked(environment)
    protected = {("global protection", "both")} | {
        (what, where) for what in ("deletion protection", "table protection") for where in (EAST, WEST)
    }
    assert verdicts(found, Verdict.FAILED) == protected
    assert verdicts(found, Verdict.UNKNOWN) == {("pulumi's protection", "both")}
    words = [
        "disarm",
        "modify-global-cluster --region us-east-1",
        "modify-db-cluster --region eu-west-1",
        "update-table --region eu-west-1",
    ]
    words += ["modify-db-cluster --region us-east-1", "update-table --region us-east-1"]
    words += ["pulumi state unprotect --all --stack payments", "pulumi destroy --stack payments"]
    assert [word in command for word, command in zip(words, found["commands"], strict=True)] == [True] * len(words)
    assert not any("`" in command for command in found["commands"])


def test_outputs_of_an_older_program_name_the_environment(environment: FakeEnvironment) -> None:
    """They have no stack's name, and in this repository's settings both are the same."""
    environment.outputs = {name: value for name, value in outputs().items() if name != "stack_name"}
    assert checked(environment)["commands"] == [DISARM, DESTROY]


def snapshot(name: str, kind: str = "manual") -> Callable[[Any], None]:
    """Return a change that adds a snapshot."""

    def change(answer: Any) -> None:
        answer["DBClusterSnapshots"].append({"DBClusterSnapshotIdentifier": name, "SnapshotType": kind})

    return change


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("payments-us-east-1-final-dev", "would fail"),
        ("rds:unplanned-global-failover-payments-1", "holds writes that a failover lost"),
    ],
)
def test_snapshot_that_needs_a_decision_hides_the_destroy(
    environment: FakeEnvironment, aws: FakeAws, name: str, text: str
) -> None:
    """The command is not offered before it is resolved."""
    aws.change(
        EAST, "rds", "describe_db_cluster_snapshots", snapshot(name, "manual" if "final" in name else "automated")
    )
    found = checked(environment)
    (one,) = [each for each in found["findings"] if each["verdict"] == Verdict.FAILED]
    assert (one["check"], one["where"], text in one["evidence"]) == ("snapshots", EAST, True)
    assert found["commands"] == [AGAIN]


def test_remaining_snapshots_are_named(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The key of the snapshots is deleted with the stack."""
    aws.change(EAST, "rds", "describe_db_cluster_snapshots", snapshot("before-upgrade"))
    found = checked(environment)
    (one,) = [each for each in found["findings"] if (each["check"], each["where"]) == ("snapshots", EAST)]
    assert (one["verdict"], "once the key is deleted: before-upgrade" in one["evidence"]) == (Verdict.PASSED, True)


def test_copy_of_a_rewind_hides_the_destroy(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The copy uses the stack's subnet group and key."""

    def rewound(answer: Any) -> None:
        own = answer["DBClusters"][0]
        answer["DBClusters"].append({"DBClusterIdentifier": "payments-rewind", "KmsKeyId": own["KmsKeyId"]})
        answer["DBClusters"].append({"DBClusterIdentifier": "unrelated", "KmsKeyId": "arn:other", "DBSubnetGroup": "o"})

    aws.change(WEST, "rds", "describe_db_clusters", rewound)
    found = checked(environment)
    (one,) = [each for each in found["findings"] if each["verdict"] == Verdict.FAILED]
    assert (one["check"], one["evidence"]) == ("other users", "payments-rewind uses this stack's network or key")
    assert found["commands"] == [AGAIN]


def test_deleted_cluster_is_not_a_blocker(environment: FakeEnvironment, aws: FakeAws) -> None:
    """An interrupted destroy can continue."""
    aws.set(WEST, "rds", "describe_db_clusters", {"DBClusters": []})
    assert checked(environment)["commands"] == [DISARM, DESTROY]


def test_check_that_fails_to_run_hides_the_destroy(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The finding is unknown, and preflight must run again."""
    aws.fail(WEST, "dynamodb", error=AwsError("throttled", hint="Try again."))
    found = checked(environment)
    assert verdicts(found, Verdict.UNKNOWN) == {("table protection", WEST)}
    assert (found["commands"], found["exit_code"]) == ([AGAIN], ExitCode.DONE)


def test_unknown_roles_hide_the_destroy(environment: FakeEnvironment) -> None:
    """The checks of the writer and of operations are unknown."""
    for region in (EAST, WEST):
        environment.fail(region, "read_roles")
    found = checked(environment)
    assert {("writer in primary region", "both"), ("no operation", "both")} <= verdicts(found, Verdict.UNKNOWN)
    assert found["commands"] == [AGAIN]


@pytest.mark.parametrize(
    "options", [("--outputs", "saved outputs.json"), ("--stack", "org/payments/dev")], ids=["outputs", "stack"]
)
def test_commands_select_the_same_stack(environment: FakeEnvironment, options: tuple[str, str]) -> None:
    """The commands and the hints can be run as they are shown; those of AWS and Pulumi are left alone."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    found = json.loads(environment.run("preflight", "--destroy", "--json", *options).stdout)
    selected = shlex.join(options)
    assert found["commands"] == [
        f"python -m operations switchover {selected} --confirm payments-global-dev",
        f'python -m operations disarm {selected} --reason "destroy" --confirm payments-global-dev',
        DESTROY,
    ]
    (hint,) = [each["hint"] for each in found["findings"] if each["check"] == "writer in primary region"]
    assert f"`python -m operations switchover {selected}`" in hint


def test_no_answer_from_aws_is_not_success(environment: FakeEnvironment, aws: FakeAws) -> None:
    """What the program itself knows of Pulumi's protection is no answer."""
    for region in (EAST, WEST):
        environment.fail(region)
    aws.fail()
    assert checked(environment)["exit_code"] == ExitCode.AWS


def test_one_region_is_enough_for_the_roles(environment: FakeEnvironment) -> None:
    """The other region's RDS API does not respond."""
    environment.fail(EAST, "read_roles")
    assert checked(environment)["writer"] == EAST
