"""Both engines make the same resources of the same settings: inputs, dependencies, providers, protection, ignored changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.deploy import deploy
from rehearsal.environment import PROGRAM_DIRECTORY, Environment, shortened_config
from tests.support.pulumi_cli import require_pulumi
from tests.support.rehearsal.existing_vpc import create_vpc
from tests.support.two_engines import (
    INTERVAL_SECONDS,
    CliEngine,
    changed_config,
    differences,
    embedded_aws,
    registered_by_cli,
    registered_in_process,
)

Settings = Mapping[str, Any]
"""Changes of a stack's settings, by section."""


def as_they_are(world: Environment) -> Settings:
    """The stack's own file."""
    del world
    return {}


def minimal(world: Environment) -> Settings:
    """One instance a region, nothing watched closely, no IAM users."""
    del world
    return {
        "primary": {"instance_count": 1},
        "secondary": {"instance_count": 1, "client_cidrs": ["10.98.0.0/24"]},
        "database": {"performance_insights": False, "name": "other", "port": 3307},
        "logs": {"exports": []},
    }


def serverless(world: Environment) -> Settings:
    """Serverless instances, flow logs, IAM users, and every log."""
    del world
    return {
        "primary": {"serverless": {"min_acu": 8, "max_acu": 32.5}, "backup_window": "02:00-02:45"},
        "database": {
            "iam_users": {"ann": "read_only", "bob": "read_write"},
            "storage_type": "aurora-iopt1",
            "write_forwarding": True,
            "cluster_parameters": {"time_zone": "UTC"},
            "instance_parameters": {"max_connections": 500},
            "performance_insights_retention_days": 465,
            "database_insights": "advanced",
        },
        "logs": {
            "flow_logs": True,
            "exports": ["audit", "error", "general", "iam-db-auth-error", "instance", "slowquery"],
        },
    }


def surrounded(world: Environment) -> Settings:
    """Names, addresses, tags and readers from outside the stack."""
    del world
    return {
        "project": "ledger",
        "owner": "ledger-oncall@bank.internal",
        "dns": {"zone_name": "database.bank.internal", "record_ttl_seconds": 15},
        "notifications": {"emails": ["one@bank.internal", "two@bank.internal"]},
        "tags": {"DataClass": "confidential"},
        "aws": {"ignored_tags": ["CreatedBy", "map-*"]},
        "primary": {"client_security_groups": ["sg-0a1b2c3d4e5f60718"]},
        "database": {"master_password_readers": ["arn:aws:iam::123456789012:role/deployer"]},
        "alarms": {"cpu_percent": 65, "replication_lag_ms": 2500},
    }


def by_hand(world: Environment) -> Settings:
    """No automatic failover, other limits, and the zones in the settings, so that the program asks AWS for none."""
    del world
    return {
        "failover": {"mode": "approve", "reserved_concurrency": 10, "failure_threshold": 4},
        "rewind": {"method": "backtrack"},
        "primary": {"availability_zones": ["us-east-1a", "us-east-1c", "us-east-1d"], "instance_class": "db.r5.large"},
        "secondary": {
            "availability_zones": ["eu-west-1c", "eu-west-1b", "eu-west-1a"],
            "instance_class": "db.r5.large",
        },
    }


def other_regions(world: Environment) -> Settings:
    """Two other regions, with small networks."""
    del world
    return {
        "primary": {"region": "ap-southeast-1", "vpc_cidr": "10.0.0.0/22"},
        "secondary": {"region": "eu-central-1", "vpc_cidr": "192.168.0.0/16"},
    }


def existing_vpc(world: Environment) -> Settings:
    """An existing VPC; the program reads it."""
    return {"secondary": create_vpc(world).settings()}


@pytest.fixture(scope="module")
def world() -> Iterator[Environment]:
    """Start an embedded AWS, which stays empty: both engines only preview."""
    require_pulumi()
    with embedded_aws("dev") as world:
        yield world


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the CLI's two stacks, which stay empty."""
    return tmp_path_factory.mktemp("pulumi")


@pytest.mark.parametrize(
    ("stack", "settings"),
    [
        ("dev", as_they_are),
        ("prod", as_they_are),
        ("dev", minimal),
        ("dev", serverless),
        ("dev", surrounded),
        ("prod", by_hand),
        ("dev", other_regions),
        ("dev", existing_vpc),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_same_resources(
    world: Environment, directory: Path, stack: str, settings: Callable[[Environment], Settings]
) -> None:
    """Also the same values of the inputs, with the same unknown ones."""
    config = changed_config(shortened_config(stack, INTERVAL_SECONDS), settings(world))
    with ThreadPoolExecutor(1) as pool:
        previewing = pool.submit(CliEngine(directory, stack, world.control_plane.url).preview, config)
        planned = deploy(PROGRAM_DIRECTORY, config, world.control_plane.url, stack=stack, preview=True)
        preview = previewing.result()
    assert preview.errors == []
    own = registered_in_process(planned)
    assert len(own) > 150
    assert differences(own, registered_by_cli(preview)) == []
