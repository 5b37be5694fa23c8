"""Preflight --destroy: who writes, what protects what, what is in the way, and the commands that follow from it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from operations.aws.ports import RdsRoles
from operations.checks.finding import Verdict
from operations.support.errors import AwsError, ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, WEST, WEST_REGION, World, outputs

DESTROY = "pulumi destroy --stack dev"
DISARM = 'python -m operations disarm --reason "destroy" --confirm payments-global-dev'
AGAIN = "python -m operations preflight --destroy"


def checked(world: World) -> dict[str, Any]:
    """Run it; return its result."""
    result = world.run("preflight", "--destroy", "--json")
    found = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found


def verdicts(found: dict[str, Any], verdict: Verdict) -> set[tuple[str, str]]:
    """Return which findings have a verdict."""
    return {(each["check"], each["where"]) for each in found["findings"] if each["verdict"] == verdict}


def test_a_stack_at_home_can_be_destroyed(world: World) -> None:
    """Nothing is in the way; the controller is disarmed first, or it would take the removal for an outage."""
    found = checked(world)
    assert (found["exit_code"], found["writer"], found["commands"]) == (ExitCode.DONE, EAST, [DISARM, DESTROY])
    assert verdicts(found, Verdict.PASSED) == {(each["check"], each["where"]) for each in found["findings"]}


def test_people_see_the_commands_too(world: World) -> None:
    """After the table, in their order."""
    text = world.run("preflight", "--destroy").stdout
    assert text.index("Run next, in this order") < text.index("disarm --reason") < text.index(DESTROY)


def test_a_writer_away_from_home_must_come_home_first(world: World) -> None:
    """AWS refuses to remove the present writer while the other member exists."""
    world.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    found = checked(world)
    assert verdicts(found, Verdict.FAILED) == {("writer at home", "both")}
    assert found["commands"] == ["python -m operations switchover --confirm payments-global-dev", DISARM, DESTROY]
    assert found["exit_code"] == ExitCode.FAILED


def test_an_operation_under_way_is_waited_for(world: World) -> None:
    """Then everything is looked at again."""
    world.roles = RdsRoles(writer_arn=world.roles.writer_arn, operation="switching-over")
    found = checked(world)
    assert ("no operation", "both") in verdicts(found, Verdict.FAILED)
    assert found["commands"] == ["python -m operations status --watch", AGAIN]


def test_production_says_everything_that_protects_it(world: World, aws: FakeAws) -> None:
    """The clusters, the tables, and Pulumi's own protection, which can't be seen from here."""
    world.outputs = {**outputs(), "environment": "prod"}
    for region in (EAST, WEST):
        aws.change(region, "rds", "describe_db_clusters", lambda a: a["DBClusters"][0].update(DeletionProtection=True))
        aws.change(region, "dynamodb", "describe_table", lambda a: a["Table"].update(DeletionProtectionEnabled=True))
    aws.change(
        EAST, "rds", "describe_global_clusters", lambda a: a["GlobalClusters"][0].update(DeletionProtection=True)
    )
    found = checked(world)
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
    words += ["pulumi state unprotect --all --stack prod", "pulumi destroy --stack prod"]
    assert [word in command for word, command in zip(words, found["commands"], strict=True)] == [True] * len(words)
    assert not any("`" in command for command in found["commands"])


def snapshot(name: str, kind: str = "manual") -> Callable[[Any], None]:
    """Return a change by which there is a snapshot."""

    def change(answer: Any) -> None:
        answer["DBClusterSnapshots"].append({"DBClusterSnapshotIdentifier": name, "SnapshotType": kind})

    return change


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("payments-us-east-1-final-dev", "would fail"),
        ("rds:unplanned-global-failover-payments-1", "holds what a failover lost"),
    ],
)
def test_a_snapshot_that_needs_a_decision_stops_the_way(world: World, aws: FakeAws, name: str, said: str) -> None:
    """The destroy is not offered before somebody has decided."""
    aws.change(
        EAST, "rds", "describe_db_cluster_snapshots", snapshot(name, "manual" if "final" in name else "automated")
    )
    found = checked(world)
    (one,) = [each for each in found["findings"] if each["verdict"] == Verdict.FAILED]
    assert (one["check"], one["where"], said in one["evidence"]) == ("snapshots", EAST, True)
    assert found["commands"] == [AGAIN]


def test_snapshots_that_stay_are_named_with_their_fate(world: World, aws: FakeAws) -> None:
    """Their key goes with the stack."""
    aws.change(EAST, "rds", "describe_db_cluster_snapshots", snapshot("before-upgrade"))
    found = checked(world)
    (one,) = [each for each in found["findings"] if (each["check"], each["where"]) == ("snapshots", EAST)]
    assert (one["verdict"], "once the key is deleted: before-upgrade" in one["evidence"]) == (Verdict.PASSED, True)


def test_a_cluster_that_a_rewind_left_is_in_the_way(world: World, aws: FakeAws) -> None:
    """It stands on the stack's subnet group and key."""

    def rewound(answer: Any) -> None:
        own = answer["DBClusters"][0]
        answer["DBClusters"].append({"DBClusterIdentifier": "payments-rewind", "KmsKeyId": own["KmsKeyId"]})
        answer["DBClusters"].append({"DBClusterIdentifier": "unrelated", "KmsKeyId": "arn:other", "DBSubnetGroup": "o"})

    aws.change(WEST, "rds", "describe_db_clusters", rewound)
    found = checked(world)
    (one,) = [each for each in found["findings"] if each["verdict"] == Verdict.FAILED]
    assert (one["check"], one["evidence"]) == ("other users", "payments-rewind stands on this stack's network or key")
    assert found["commands"] == [AGAIN]


def test_a_cluster_that_is_gone_already_is_no_obstacle(world: World, aws: FakeAws) -> None:
    """A destroy that was interrupted goes on."""
    aws.set(WEST, "rds", "describe_db_clusters", {"DBClusters": []})
    assert checked(world)["commands"] == [DISARM, DESTROY]


def test_an_error_in_the_middle_offers_no_destroy(world: World, aws: FakeAws) -> None:
    """What could not be seen is unknown, and is looked at again before anything is removed."""
    aws.fail(WEST, "dynamodb", error=AwsError("throttled", hint="Try again."))
    found = checked(world)
    assert verdicts(found, Verdict.UNKNOWN) == {("table protection", WEST)}
    assert (found["commands"], found["exit_code"]) == ([AGAIN], ExitCode.DONE)


def test_without_a_word_of_rds_nothing_is_offered(world: World) -> None:
    """Nobody knows who writes, or whether something is under way."""
    for region in (EAST, WEST):
        world.fail(region, "read_roles")
    found = checked(world)
    assert {("writer at home", "both"), ("no operation", "both")} <= verdicts(found, Verdict.UNKNOWN)
    assert found["commands"] == [AGAIN]


def test_one_regions_word_is_enough(world: World) -> None:
    """The other one's RDS does not answer."""
    world.fail(EAST, "read_roles")
    assert checked(world)["writer"] == EAST
