"""Rewind: restore, resume, check and drop of a point-in-time copy; and the backtrack that AWS refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from operations.aws.move_ports import AwsRefusedError
from operations.aws.ports import RdsRoles
from operations.commands.rewind_plan import copy_id, differences_of, instance_id
from operations.support.errors import AwsError, ExitCode
from operations.support.times import utc_text
from tests.support.operations.fake_move_api import FakeMoveEnvironment
from tests.support.operations.fakes import EAST, GLOBAL_CLUSTER, ME, NOW, WEST, WEST_REGION, after, outputs

TO = "2026-11-23T10:15:00Z"
AT = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
LIVE, COPY = "payments-us-east-1-dev", "payments-us-east-1-dev-rewind-20261123-101500"
GO = ("rewind", "--to", TO, "--reason", "INC-9", "--confirm", GLOBAL_CLUSTER)
DROP = ("rewind", "--drop", COPY, "--confirm", GLOBAL_CLUSTER)


@pytest.fixture
def environment() -> FakeMoveEnvironment:
    """Two healthy regions with the writer in us-east-1."""
    return FakeMoveEnvironment()


def interrupt() -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def test_copy_is_restored_beside_the_live_cluster(environment: FakeMoveEnvironment) -> None:
    """The copy is restored in the writer's region with one instance; the live cluster does not change."""
    before = environment.moving[EAST].clusters[LIVE]
    result = environment.run(*GO, "--json")
    assert result.exit_code == ExitCode.DONE
    ((source, copy, at, settings),) = environment.moving[EAST].restored
    assert (source, copy, at) == (LIVE, COPY, AT)
    assert [each.identifier for each in environment.moving[EAST].instances[COPY]] == [f"{COPY}-1"]
    assert environment.moving[EAST].clusters[LIVE] == before
    found = json.loads(result.stdout)
    assert (found["copy"], found["as_of"], found["differences"]) == (COPY, TO, [])
    limits = (before.earliest_restorable, before.latest_restorable)
    assert list(found["restorable"].values()) == [utc_text(at) for at in limits if at is not None]
    assert list(found["seconds"]) == ["restore", "instance"]
    assert settings["DeletionProtection"] is True


def test_copy_has_the_settings_of_the_live_cluster_and_own_tags(environment: FakeMoveEnvironment) -> None:
    """Network, key, parameter groups and login are those of the live cluster."""
    environment.run(*GO)
    ((_, _, _, settings),) = environment.moving[EAST].restored
    live = environment.moving[EAST].clusters[LIVE]
    assert {name: settings[name] for name in live.settings} == live.settings
    assert environment.moving[EAST].clusters[COPY].tags == {
        "Environment": "dev",
        "RewindOf": LIVE,
        "RewindTo": TO,
        "ManagedBy": "operations rewind",
        "Name": COPY,
    }
    (instance,) = environment.moving[EAST].instances[COPY]
    assert instance.settings["DBInstanceClass"] == "db.r6g.large"
    assert instance.settings["DBParameterGroupName"] == "payments-instance-dev"


def test_cluster_of_the_current_writer_is_restored(environment: FakeMoveEnvironment) -> None:
    """After a change of roles, the other region's cluster is restored."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert environment.run(*GO).exit_code == ExitCode.DONE
    assert environment.called("restore") == [WEST]


def test_missing_confirmation_shows_the_plan_only(environment: FakeMoveEnvironment) -> None:
    """The result shows how to compare, promote and drop the copy."""
    result = environment.run(*GO[:-2])
    assert result.exit_code == ExitCode.REFUSED
    assert f"copy       {COPY}" in result.stderr
    assert "range      2026-11-17T12:00:00Z to 2026-11-24T11:58:00Z" in result.stderr
    assert environment.called("restore") == []
    done = environment.run(*GO).stdout
    for words in ("Compare:", "Promote:", f"Drop: python -m operations rewind --drop {COPY}"):
        assert words in done


def test_rewind_is_recorded_before_the_call(environment: FakeMoveEnvironment) -> None:
    """The entry is in the writer's region."""
    environment.run(*GO)
    (trace,) = environment.east.traces()
    assert (trace["reason"], trace["evidence"]) == (
        "operator-rewind",
        {"by": ME, "why": "INC-9", "to": TO, "copy": COPY},
    )


@pytest.mark.parametrize(
    ("to", "hint"),
    [
        ("2026-11-17T11:59:59Z", "Give a time between the two"),
        ("2026-11-24T11:59:00Z", "run the command again in a few minutes"),
    ],
)
def test_time_outside_the_restorable_range_is_refused(environment: FakeMoveEnvironment, to: str, hint: str) -> None:
    """The error names both limits."""
    result = environment.run("rewind", "--to", to, "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.REFUSED
    assert (
        f"{to} can't be restored: the earliest is 2026-11-17T12:00:00Z, the latest 2026-11-24T11:58:00Z"
        in result.stderr
    )
    assert hint in result.stderr
    assert environment.called("restore") == []


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda environment: environment.begin(WEST_REGION, allows_data_loss=False), "a switchover is in progress"),
        (lambda environment: environment.moving[EAST].set_cluster(status="backing-up"), "is backing-up"),
        (
            lambda environment: environment.moving[EAST].set_cluster(earliest_restorable=None),
            "reports no restorable time range",
        ),
    ],
)
def test_blocker_is_refused(
    environment: FakeMoveEnvironment, arrange: Callable[[FakeMoveEnvironment], None], words: str
) -> None:
    """The blocker is an operation in progress, a busy cluster, or a missing restorable time range."""
    arrange(environment)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert words in result.stderr
    assert environment.called("restore") == []


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--to", TO, "--drop", COPY),
        ("--to", "yesterday"),
        ("--to", "2026-11-24T12:00:00Z"),
        ("--to", TO, "--timeout", "soon"),
    ],
)
def test_invalid_options_are_refused(environment: FakeMoveEnvironment, options: tuple[str, ...]) -> None:
    """The exit code is 2, and nothing is called."""
    assert environment.run("rewind", *options, "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.USAGE
    assert environment.calls == []


def test_same_command_resumes_after_ctrl_c(environment: FakeMoveEnvironment) -> None:
    """The cluster is restored once, and the instance is added once."""
    environment.on_sleep = interrupt
    stopped = environment.run(*GO)
    assert stopped.exit_code == 130
    assert f"AWS continues the steps already started for {COPY}" in stopped.stderr
    assert "Follow it: python -m operations rewind --to 2026-11-23T10:15:00Z" in stopped.stderr
    environment.on_sleep = lambda: None
    again = environment.run(*GO)
    assert again.exit_code == ExitCode.DONE
    assert f"{COPY} exists already, creating: resuming" in again.stderr
    assert len(environment.moving[EAST].restored) == 1
    finished = environment.run(*GO[:-2])
    assert finished.exit_code == ExitCode.DONE
    assert len(environment.called("create_instance")) == 1


def test_timeout_reports_the_last_status(environment: FakeMoveEnvironment) -> None:
    """The exit code is 7."""
    result = environment.run(*GO, "--timeout", "1m")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert f"{COPY}: creating" in result.stderr


def test_same_command_resumes_after_a_refused_instance(environment: FakeMoveEnvironment) -> None:
    """The error names the step that failed."""

    def refuse() -> None:
        raise AwsRefusedError("RDS API of us-east-1: InstanceQuotaExceeded", hint="Ask for more.")

    environment.on(EAST, "create_instance", refuse)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "creating instance" in result.stderr
    assert "InstanceQuotaExceeded" in result.stderr
    assert "Earlier steps stay in effect; run the command again to resume." in result.stderr
    environment.on(EAST, "create_instance", lambda: None)
    assert environment.run(*GO).exit_code == ExitCode.DONE
    assert len(environment.moving[EAST].restored) == 1


def test_unanswered_restore_is_found_by_the_next_run(environment: FakeMoveEnvironment) -> None:
    """The exit code is 4, then 0."""
    environment.fail(EAST, "restoring")
    assert environment.run(*GO).exit_code == ExitCode.AWS
    assert environment.run(*GO).exit_code == ExitCode.DONE
    assert len(environment.moving[EAST].restored) == 1


def test_cluster_with_the_copy_name_but_other_tags_is_refused(environment: FakeMoveEnvironment) -> None:
    """A name alone does not make a copy."""
    live = environment.moving[EAST].clusters[LIVE]
    environment.moving[EAST].clusters[COPY] = replace(live, identifier=COPY)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "it is not a copy of payments-us-east-1-dev" in result.stderr


def test_copy_that_differs_is_a_failure(environment: FakeMoveEnvironment) -> None:
    """The exit code is 6, with each difference."""
    environment.run(*GO)
    environment.now += timedelta(hours=1)
    found = environment.moving[EAST].clusters[COPY]
    environment.moving[EAST].clusters[COPY] = replace(
        found, is_encrypted=False, settings={**found.settings, "VpcSecurityGroupIds": ["sg-default"]}
    )
    result = environment.run(*GO, "--json")
    assert result.exit_code == ExitCode.FAILED
    assert json.loads(result.stdout)["differences"] == [
        "it is not encrypted",
        "its security groups are ['sg-default'], not ['sg-1']",
    ]


def test_every_difference_is_found(environment: FakeMoveEnvironment) -> None:
    """The comparison is of status, engine, encryption, network, key, parameters, login and instance."""
    live = environment.moving[EAST].clusters[LIVE]
    bad = replace(live, status="stopped", engine_version="old", is_encrypted=False, settings={})
    assert len(list(differences_of(bad, live, []))) == 9
    assert list(differences_of(live, live, list(environment.moving[EAST].instances[LIVE]))) == []


def test_failed_restore_is_reported(environment: FakeMoveEnvironment) -> None:
    """The exit code is 6, with the status."""
    region = environment.moving[EAST]

    def give_up() -> None:
        del region.ready_at[COPY]
        region.clusters[COPY] = replace(region.clusters[COPY], status="restore-failed")

    environment.on(EAST, "restoring", give_up)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.FAILED
    assert f"{COPY} is restore-failed" in result.stderr


def test_copy_names_are_within_the_limit() -> None:
    """A name has at most 63 characters with the instance suffix, and no double hyphen."""
    name = copy_id("p" * 40 + "-" * 5 + "x" * 18, AT)
    assert len(instance_id(name)) <= 63
    assert "--" not in name
    assert name.endswith("-rewind-20261123-101500")


def with_copy(environment: FakeMoveEnvironment) -> FakeMoveEnvironment:
    """Run a rewind to its end; return the environment."""
    assert environment.run(*GO).exit_code == ExitCode.DONE
    return environment


def test_drop_deletes_the_copy_only(environment: FakeMoveEnvironment) -> None:
    """The command removes the protection, the instance and the cluster, in this order."""
    with_copy(environment).calls.clear()
    assert environment.run(*DROP[:-2]).exit_code == ExitCode.REFUSED
    assert COPY in environment.moving[EAST].clusters
    result = environment.run(*DROP)
    assert result.exit_code == ExitCode.DONE
    assert sorted(environment.moving[EAST].clusters) == [LIVE]
    acts = [call for _, call in environment.calls if call in ("unprotect", "delete_instance", "delete_cluster")]
    assert acts == ["unprotect", "delete_instance", "delete_cluster"]
    assert [trace["evidence"]["dropped"] for trace in environment.east.traces() if "dropped" in trace["evidence"]] == [
        COPY
    ]


@pytest.mark.parametrize("name", [LIVE, "payments-eu-west-1-dev"])
def test_drop_refuses_members_of_the_global_cluster(environment: FakeMoveEnvironment, name: str) -> None:
    """The tags of a copy do not override this."""
    region = environment.moving[EAST if name == LIVE else WEST]
    for tags in ({}, {"RewindOf": LIVE, "RewindTo": TO}):
        region.clusters[name] = replace(region.clusters[name], tags=tags)
        result = environment.run("rewind", "--drop", name, "--confirm", GLOBAL_CLUSTER)
        assert result.exit_code == ExitCode.REFUSED
        assert "is not a copy made by `rewind`" in result.stderr
    assert [call for _, call in environment.calls if call.startswith(("delete", "unprotect"))] == []


def test_drop_of_a_missing_copy_is_refused(environment: FakeMoveEnvironment) -> None:
    """An unreachable region is reported as such."""
    assert environment.run(*DROP).exit_code == ExitCode.REFUSED
    environment.fail(EAST, "read_cluster")
    assert environment.run(*DROP).exit_code == ExitCode.AWS


def test_drop_resumes_after_an_unanswered_deletion(environment: FakeMoveEnvironment) -> None:
    """The instance is deleted once."""
    with_copy(environment)
    environment.fail(EAST, "delete_cluster")
    stopped = environment.run(*DROP)
    assert stopped.exit_code == ExitCode.AWS
    assert "Follow it: python -m operations rewind --drop" in stopped.stderr
    environment.on(EAST, "delete_cluster", lambda: None)
    assert environment.run(*DROP).exit_code == ExitCode.DONE
    assert len(environment.called("delete_instance")) == 1


@pytest.fixture
def backtracking(environment: FakeMoveEnvironment) -> FakeMoveEnvironment:
    """A stack with `rewind.method: backtrack` and a window of one day."""
    environment.outputs = {**outputs(), "rewind_method": "backtrack", "backtrack_window": 86_400}
    environment.moving[EAST].set_cluster(backtrack_window_seconds=86_400)
    return environment


RECENT = ("rewind", "--to", "2026-11-24T09:00:00Z", "--confirm", GLOBAL_CLUSTER)


def test_backtrack_shows_its_effects_and_runs_in_place(backtracking: FakeMoveEnvironment) -> None:
    """The plan names connections, readers and AWS's refusal."""
    plan = backtracking.run(*RECENT[:-2]).stderr
    for words in (
        "all connections are closed",
        "readers restart",
        "will refuse the call",
        "are removed from the live",
    ):
        assert words in plan
    assert backtracking.moving[EAST].backtracked == []
    result = backtracking.run(*RECENT)
    assert result.exit_code == ExitCode.DONE
    assert backtracking.moving[EAST].backtracked == [(LIVE, NOW - timedelta(hours=3))]
    assert backtracking.called("restore") == []


def test_backtrack_refused_by_aws_shows_the_setting_to_change(backtracking: FakeMoveEnvironment) -> None:
    """AWS refuses it in every global database."""

    def refuse() -> None:
        raise AwsRefusedError("Backtrack is not supported for global databases", hint="")

    backtracking.on(EAST, "backtrack", refuse)
    result = backtracking.run(*RECENT)
    assert result.exit_code == ExitCode.REFUSED
    assert "not supported for global databases. AWS refused: no changes were made" in result.stderr
    assert "`rewind.method: point-in-time`" in result.stderr


def test_backtrack_outside_its_window_is_refused(backtracking: FakeMoveEnvironment) -> None:
    """A cluster without a backtrack window is refused too."""
    result = backtracking.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "the earliest is 2026-11-23T12:00:00Z, the latest 2026-11-24T12:00:00Z" in result.stderr
    backtracking.moving[EAST].set_cluster(backtrack_window_seconds=0)
    assert "has no backtrack window" in backtracking.run(*RECENT).stderr
    assert backtracking.called("backtrack") == []


def test_unreadable_writer_cluster_stops_a_rewind(environment: FakeMoveEnvironment) -> None:
    """The exit code is 4, and nothing is called."""

    def fail() -> None:
        raise AwsError("RDS API of us-east-1: no answer", hint="")

    environment.on(EAST, "read_cluster", fail)
    assert environment.run(*GO).exit_code == ExitCode.AWS
    assert environment.called("restore") == []
    assert after(0) == NOW
