"""Tests of changed settings of a deployed stack: the embedded AWS makes each change in place that AWS makes in place.

Each test deploys the stack's own settings with its changes, and so also undoes the changes of the test before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from rehearsal.engine.deploy import DeploymentError, DeployResult, deploy
from rehearsal.engine.plan import PlannedChange
from rehearsal.engine.refresh import refresh
from rehearsal.environment import PROGRAM_DIRECTORY, Environment
from rehearsal.provider.resources.handler import wait_until
from rehearsal.support.clients import ACCOUNT_ID
from settings.model import Settings
from tests.support.two_engines import changed_config

Changes = Mapping[str, Any]
REGIONS = ("primary", "secondary")
READER = f"arn:aws:iam::{ACCOUNT_ID}:role/deployer"

IN_PLACE: Mapping[str, Changes] = {
    "tags": {
        "tags": {"DataClass": "secret", "Level": "1"},
        "team": "ledger",
        "cost_center": "4711",
        "owner": "ann",
    },
    "other tags and other rules": {
        "tags": {"Contact": "bob", "Level": "2"},
        "dns": {"record_ttl_seconds": 15},
        "alarms": {
            "replication_lag_ms": 2000,
            "cpu_percent": 65,
            "free_memory_percent": 10,
            "connections_percent": 50,
            "deadlocks_per_second": 1,
            "failed_logins_per_second": 1,
            "volume_left_tib": 20,
        },
    },
    "parameters": {
        "database": {
            "cluster_parameters": {"time_zone": "UTC", "server_audit_events": "CONNECT"},
            "instance_parameters": {"max_connections": 500, "slow_query_log": 0},
        },
        "logs": {"exports": ["audit", "error", "general", "iam-db-auth-error", "instance"]},
    },
    "cluster and instances": {
        "database": {
            "backup_retention_days": 14,
            "storage_type": "aurora-iopt1",
            "write_forwarding": True,
            "ca_certificate": "rds-ca-ecc384-g1",
            "performance_insights_retention_days": 465,
            "database_insights": "advanced",
            "monitoring_interval_seconds": 30,
        },
        "rewind": {"window_hours": 12},
    },
    "port": {"database": {"port": 3307, "performance_insights": False}},
    "people": {
        "database": {"iam_users": {"ann": "read_only"}, "master_password_readers": [READER]},
        "notifications": {"emails": ["oncall@example.com"]},
        "logs": {"retention_days": 14, "audit_retention_days": 90, "flow_logs": True},
    },
    "other people": {"database": {"iam_users": {"ann": "read_write", "bob": "read_only"}}},
    "regions": {
        "primary": {
            "instance_class": "db.r6g.2xlarge",
            "instance_count": 3,
            "client_cidrs": ["10.50.0.0/16"],
            "client_security_groups": ["sg-0123456789abcdef0"],
            "maintenance_window": "sun:04:00-sun:05:00",
            "backup_window": "02:00-02:45",
        },
        "secondary": {"instance_count": 1, "serverless": {"min_acu": 8, "max_acu": 32}},
    },
    "other regions": {
        "primary": {"client_cidrs": ["10.51.0.0/16"], "serverless": {"min_acu": 8, "max_acu": 32}},
        "secondary": {
            "instance_class": "db.r6g.xlarge",
            "client_cidrs": ["10.60.0.0/16"],
            "client_security_groups": ["sg-0123456789abcdef0"],
            "maintenance_window": "sun:04:00-sun:05:00",
            "backup_window": "02:00-02:45",
        },
    },
    "failover": {
        "failover": {
            "mode": "approve",
            "interval_seconds": 2.0,
            "failure_threshold": 4,
            "in_region_grace_seconds": 60,
            "cooldown_seconds": 600,
            "max_data_loss_seconds": 30,
            "reserved_concurrency": 3,
        }
    },
    "no reserved concurrency": {
        "failover": {"reserved_concurrency": None},
        "aws": {"account_id": None, "ignored_tags": ["map-*"]},
    },
    "nothing": {},
}
"""Changes that AWS makes in place."""

NEWER_ENGINE: Changes = {"database": {"engine_version": "8.0.mysql_aurora.3.10.4"}}
"""AWS upgrades in place and refuses the way back. Source: "Upgrading the minor version or patch level", Aurora User Guide."""

BACKTRACK: Changes = {"rewind": {"method": "backtrack"}}
"""AWS refuses it."""

ELSEWHERE = frozenset(
    {
        # They replace resources, or belong to the first deployment: tests/unit/program/test_updates.py.
        *("environment", "project", "dns.zone_name", "database.name", "database.master_username"),
        *(f"{label}.{name}" for label in REGIONS for name in ("region", "vpc_cidr", "availability_zones")),
        # They name networks that exist before the deployment.
        *(f"{label}.existing_vpc" for label in REGIONS),
        "existing_peering",
        # The rehearsal uses credentials of its own.
        *("aws.profile", "aws.assume_role_arn"),
    }
)
"""Settings that no test here changes."""


class ChangingStack:
    """A deployed stack whose settings change."""

    def __init__(self, world: Environment) -> None:
        self._world = world
        self.base = changed_config(world.config, {"database": {"engine_version": "8.0.mysql_aurora.3.10.3"}})
        world.config = self.base
        world.deploy()
        self._state = world.state

    def run(self, changes: Changes, *, preview: bool = False) -> DeployResult:
        """Deploy or preview the stack's own settings with changes."""
        return deploy(
            PROGRAM_DIRECTORY,
            changed_config(self.base, changes),
            self._world.control_plane.url,
            stack=self._world.stack,
            preview=preview,
            state=self._state,
        )

    def switch_over(self) -> None:
        """Move the writer to the secondary region."""
        world = self._world
        world.clients("rds", world.primary.name).switchover_global_cluster(
            GlobalClusterIdentifier=world.global_cluster_id, TargetDbClusterIdentifier=world.secondary.cluster_arn
        )
        wait_until(lambda: world.control_plane.is_idle, what="the switchover has ended")

    def left_to_do(self, changes: Changes) -> list[str]:
        """Refresh, and return the steps that a further deployment would take."""
        self._state = refresh(self._state, self._world.clients)
        again = self.run(changes, preview=True)
        return [str(step) for step in again.steps if step.change is not PlannedChange.SAME]


@pytest.fixture(scope="module")
def stack() -> Iterator[ChangingStack]:
    """Deploy the stack dev with an older engine. No controller runs."""
    with Environment(stack="dev", interval_seconds=1.0, operation_seconds=0.1) as world:
        yield ChangingStack(world)


def setting_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the full name of each setting."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def changed_names(changes: Changes) -> Iterator[str]:
    """Yield the full name of each changed setting."""
    for section, value in changes.items():
        is_setting = section not in Settings.model_fields or section == "tags" or not isinstance(value, Mapping)
        yield from [section] if is_setting else (f"{section}.{name}" for name in value)


def test_every_setting_is_changed_here_or_elsewhere() -> None:
    """A new setting needs a change here, or the reason why it has none."""
    changed = {name for changes in (*IN_PLACE.values(), NEWER_ENGINE, BACKTRACK) for name in changed_names(changes)}
    assert set(setting_names(Settings)) == changed | ELSEWHERE
    assert set() == changed & ELSEWHERE


@pytest.mark.parametrize("changes", IN_PLACE.values(), ids=IN_PLACE)
def test_changed_setting_is_applied_in_place(stack: ChangingStack, changes: Changes) -> None:
    """After the deployment and a refresh nothing is left to do."""
    done = stack.run(changes)
    assert PlannedChange.REPLACE not in {step.change for step in done.steps}
    assert stack.left_to_do(changes) == []


def test_newer_engine_is_installed_in_place(stack: ChangingStack) -> None:
    """The next test deploys it too."""
    done = stack.run(NEWER_ENGINE)
    assert PlannedChange.UPDATE in {step.change for step in done.steps}
    assert stack.left_to_do(NEWER_ENGINE) == []


def test_change_that_aws_refuses_is_an_error(stack: ChangingStack) -> None:
    """The error is AWS's own, and the state keeps the old value."""
    with pytest.raises(DeploymentError, match="Backtrack is not supported for global databases"):
        stack.run({**NEWER_ENGINE, **BACKTRACK})
    assert stack.left_to_do(NEWER_ENGINE) == []


def test_changed_setting_is_applied_without_a_refresh_after_a_switchover(stack: ChangingStack) -> None:
    """Last test of this module. The state still describes the old roles."""
    changes = {"database": {**NEWER_ENGINE["database"], "backup_retention_days": 9}}
    stack.switch_over()
    updated = [step for step in stack.run(changes).steps if step.change is PlannedChange.UPDATE]
    assert [step.properties for step in updated] == [("backupRetentionPeriod",)] * 2
    assert stack.left_to_do(changes) == []
