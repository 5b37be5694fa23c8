"""One run of the program for each set of settings; the tests check the registered resources."""

import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.program.harness import EXISTING_VPC, Run, run_program, stack_file


@pytest.fixture(scope="session", autouse=True)
def collected() -> Iterator[None]:
    """Collect the coroutines that failed programs leave behind before pytest imports anything for its summary.

    CPython 3.11 fails to parse a module while a collection inside the parser warns about them (pytest issue 10763).
    """
    yield
    gc.collect()


def _succeeded(run: Run) -> Run:
    assert run.error is None, run.error
    return run


@pytest.fixture(scope="session")
def dev() -> Run:
    """The dev stack, deployed."""
    return _succeeded(run_program(stack_file("dev")))


@pytest.fixture(scope="session")
def dev_preview() -> Run:
    """The dev stack, previewed: AWS's outputs are unknown."""
    return _succeeded(run_program(stack_file("dev"), preview=True))


@pytest.fixture(scope="session")
def prod() -> Run:
    """The production stack, deployed."""
    return _succeeded(run_program(stack_file("prod")))


@pytest.fixture(scope="session")
def prod_preview() -> Run:
    """The production stack, previewed."""
    return _succeeded(run_program(stack_file("prod"), preview=True))


@pytest.fixture(scope="session")
def backtrack() -> Run:
    """A stack with the rewind method backtrack."""
    return _succeeded(run_program({"rewind": {"window_hours": 24, "method": "backtrack"}}))


@pytest.fixture(scope="session")
def elsewhere() -> Run:
    """The longest allowed names, in two regions other than us-east-1."""
    return _succeeded(
        run_program(
            {
                "project": "p" * 16,
                "environment": "e" * 12,
                "primary": {"region": "ap-southeast-1", "instance_count": 15},
                "secondary": {"region": "ap-northeast-1"},
            }
        )
    )


VARIED: dict[str, object] = {
    "primary": {
        "serverless": {"min_acu": 8, "max_acu": 64},
        "maintenance_window": "sun:04:00-sun:05:00",
        "backup_window": "02:00-02:45",
        "client_cidrs": ["10.50.0.0/16"],
        "client_security_groups": ["sg-0123456789abcdef0"],
    },
    "secondary": {
        "vpc_cidr": "10.99.0.0/20",
        "existing_vpc": {**EXISTING_VPC, "route_table_ids": ["rtb-0000000a"]},
        "instance_class": "db.x2g.4xlarge",
        "maintenance_window": "tue:04:00-tue:05:00",
    },
    "database": {
        "iam_users": {"bob": "read_write", "ann": "read_only"},
        "storage_type": "aurora-iopt1",
        "write_forwarding": True,
        "cluster_parameters": {"time_zone": "UTC", "innodb_autoinc_lock_mode": 2, "server_audit_events": "QUERY"},
        "instance_parameters": {"max_connections": 500, "long_query_time": 0.5, "slow_query_log": True},
        "ca_certificate": "rds-ca-ecc384-g1",
        "performance_insights_retention_days": 465,
        "database_insights": "advanced",
    },
    "logs": {"exports": ["audit", "error", "general", "slowquery"]},
    "dns": {"record_ttl_seconds": 15},
    "alarms": {"replication_lag_ms": 500, "cpu_percent": 70, "connections_percent": 50, "free_memory_percent": 10},
}
"""Every setting that changes the resource graph or is unset by default."""


@pytest.fixture(scope="session")
def varied() -> Run:
    """The stack with the varied settings, deployed."""
    return _succeeded(run_program(VARIED))


@pytest.fixture(scope="session")
def varied_preview() -> Run:
    """The stack with the varied settings, previewed."""
    return _succeeded(run_program(VARIED, preview=True))


@pytest.fixture(
    scope="session",
    params=["dev", "dev_preview", "prod", "prod_preview", "backtrack", "elsewhere", "varied", "varied_preview"],
)
def any_run(request: pytest.FixtureRequest) -> Run:
    """Each run in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session", params=["dev", "prod", "backtrack", "elsewhere", "varied"])
def any_deployment(request: pytest.FixtureRequest) -> Run:
    """Each deployment in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def policy_of() -> Callable[[Run, str], list[dict[str, Any]]]:
    """Return the statements of the policy of a resource, by its logical name."""

    def statements(run: Run, name: str) -> list[dict[str, Any]]:
        return json.loads(run.named(name).inputs["policy"])["Statement"]

    return statements
