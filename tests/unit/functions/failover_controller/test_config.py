"""The configuration from environment variables."""

import pytest

from functions.failover_controller.config import load
from functions.failover_controller.model import Mode
from functions.shared.environment import EnvironmentProblemError
from tests.support.failover_controller.builders import ENVIRONMENT, OWN_ARN, config


def test_complete_environment_gives_typed_values() -> None:
    """The target is the own cluster, and the completion bound has a default."""
    loaded = config()
    policy = loaded.policy
    assert (loaded.own.region, loaded.peer.region, loaded.database_port) == ("eu-west-1", "us-east-1", 3306)
    assert (
        policy.target,
        policy.mode,
        policy.interval_seconds,
        policy.failure_threshold,
        policy.completion_bound_seconds,
    ) == (OWN_ARN, Mode.AUTOMATIC, 1.0, 3, 600.0)


@pytest.mark.parametrize(("interval", "deadline", "quiet"), [("1", 0.35, 1.8), ("10", 3.0, 18.0), ("5", 1.75, 9.0)])
def test_deadline_and_quiet_time_follow_the_interval(interval: str, deadline: float, quiet: float) -> None:
    """The deadline is 0.35 intervals and at most 3 s; a heartbeat has stopped after 0.9 of two intervals."""
    policy = config(INTERVAL_SECONDS=interval).policy
    assert (deadline, quiet) == (policy.observation_deadline_seconds, pytest.approx(policy.quiet_seconds))


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_missing_variable_is_named(name: str) -> None:
    """An empty variable counts as missing."""
    for value in ({}, {name: "  "}):
        with pytest.raises(EnvironmentProblemError, match=f"^{name}: is missing"):
            load({**{key: text for key, text in ENVIRONMENT.items() if key != name}, **value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_PORT", "0"),
        ("DATABASE_PORT", "mysql"),
        ("MODE", "yolo"),
        ("INTERVAL_SECONDS", "0"),
        ("INTERVAL_SECONDS", "nan"),
        ("INTERVAL_SECONDS", "inf"),
        ("FAILURE_THRESHOLD", "1"),
        ("FAILURE_THRESHOLD", "2.5"),
        ("IN_REGION_GRACE_SECONDS", "-1"),
        ("COOLDOWN_SECONDS", "inf"),
        ("MAX_DATA_LOSS_SECONDS", "x"),
        ("COMPLETION_BOUND_SECONDS", "soon"),
    ],
)
def test_malformed_variable_is_named_with_the_allowed_values(name: str, value: str) -> None:
    """A controller with a wrong limit must not start."""
    with pytest.raises(EnvironmentProblemError, match=f"^{name}: '{value}' is not allowed. Set it to "):
        config(**{name: value})


def test_one_error_names_every_variable() -> None:
    """The error has one line for each variable."""
    with pytest.raises(EnvironmentProblemError) as error:
        load({})
    assert {line.split(":")[0] for line in str(error.value).splitlines()} == set(ENVIRONMENT)
