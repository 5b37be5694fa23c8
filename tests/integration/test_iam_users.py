"""Changed `database.iam_users` change the users of a deployed stack."""

from __future__ import annotations

import json

from rehearsal.environment import Environment

DATABASE = "aurora-global-database:database"


def test_later_deployment_changes_and_removes_users() -> None:
    """A user who is removed from the settings has no account any more."""
    with Environment(stack="dev", interval_seconds=10, operation_seconds=1) as environment:
        _deploy(environment, {"ann": "read_write", "bob": "read_only"})
        assert {"ann", "bob"} == _users(environment)
        _deploy(environment, {"bob": "read_only", "cleo": "read_only"})
        assert {"bob", "cleo"} == _users(environment)
        _deploy(environment, {})
        assert set() == _users(environment)


def _deploy(environment: Environment, users: dict[str, str]) -> None:
    settings = json.loads(environment.config.get(DATABASE, "{}"))
    environment.config = {**environment.config, DATABASE: json.dumps({**settings, "iam_users": users})}
    environment.deploy()


def _users(environment: Environment) -> set[str]:
    cluster = environment.cluster(environment.primary)
    return {name for name in ("ann", "bob", "cleo") if cluster.account(name) is not None}
