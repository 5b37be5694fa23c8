"""Both engines plan the same for changed settings, and have the same state after a deployment and after each drill.

Each engine deploys on an embedded AWS of its own. The tests of the drills build on each other, in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from rehearsal.engine.plan import PlannedChange
from rehearsal.environment import Environment, RegionFacts
from tests.support.two_engines import TwoStacks, two_stacks
from tests.support.waiting import wait_until

Changes = Mapping[str, Any]
CREATE, UPDATE, REPLACE, DELETE = (
    PlannedChange.CREATE,
    PlannedChange.UPDATE,
    PlannedChange.REPLACE,
    PlannedChange.DELETE,
)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoStacks]:
    """Deploy the stack dev with both engines."""
    with two_stacks("dev", tmp_path_factory.mktemp("dev")) as stacks:
        yield stacks


def test_state_is_the_same_after_the_deployment(dev: TwoStacks) -> None:
    """Ids, inputs, outputs, secret outputs, and the graph; only the generated names differ, each in the same way everywhere."""
    assert dev.state_differences() == []


@pytest.mark.parametrize(
    ("changes", "planned"),
    [
        pytest.param({"alarms": {"cpu_percent": 65}}, {UPDATE}, id="an alarm"),
        pytest.param({"logs": {"retention_days": 14}}, {UPDATE}, id="the retention of logs"),
        pytest.param({"failover": {"failure_threshold": 4}}, {UPDATE}, id="the controllers"),
        pytest.param({"tags": {"DataClass": "confidential"}}, {UPDATE}, id="tags of everything"),
        pytest.param(
            {"database": {"engine_version": "8.0.mysql_aurora.3.10.0", "master_username": "other"}},
            {UPDATE},
            id="ignored and the engine's version",
        ),
        pytest.param({"database": {"port": 3307}}, {UPDATE}, id="the port"),
        pytest.param({"secondary": {"instance_count": 3}}, {CREATE}, id="an instance more"),
        pytest.param({"secondary": {"instance_count": 1}}, {DELETE}, id="an instance less"),
        pytest.param({"logs": {"flow_logs": True}}, {CREATE}, id="flow logs"),
        pytest.param({"database": {"iam_users": {"ann": "read_only"}}}, {CREATE, UPDATE}, id="an IAM user"),
        pytest.param({"dns": {"zone_name": "other.internal"}}, {REPLACE, UPDATE}, id="another zone"),
        pytest.param({"primary": {"vpc_cidr": "10.77.0.0/16"}}, {REPLACE, UPDATE}, id="another network"),
        pytest.param({"project": "other"}, {REPLACE, UPDATE}, id="other names"),
    ],
)
def test_plan_is_the_same(dev: TwoStacks, changes: Changes, planned: set[str]) -> None:
    """The same steps, because of the same inputs."""
    plan, differences = dev.plan_differences(changes)
    assert differences == []
    assert ({change for change, _, _ in plan.steps.values()}, plan.refused) == (planned, frozenset())


def test_state_is_the_same_after_a_change(dev: TwoStacks) -> None:
    """Changed in place, created and deleted; then both engines have nothing left to do."""
    dev.change(
        {
            "alarms": {"cpu_percent": 65},
            "logs": {"retention_days": 14, "exports": ["audit", "error", "slowquery", "iam-db-auth-error"]},
            "failover": {"failure_threshold": 4},
            "tags": {"DataClass": "confidential"},
            "dns": {"record_ttl_seconds": 15},
            "database": {
                "iam_users": {"ann": "read_only"},
                "backup_retention_days": 14,
                "port": 3307,
                "cluster_parameters": {"time_zone": "UTC"},
                "instance_parameters": {"max_connections": 500},
            },
            "primary": {"instance_class": "db.r6g.2xlarge", "maintenance_window": "sun:04:00-sun:05:00"},
            "secondary": {"instance_count": 3},
        }
    )
    assert dev.state_differences() == []
    plan, differences = dev.plan_differences({})
    assert (plan.steps, differences) == ({}, [])


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoStacks]:
    """Deploy the stack prod with both engines."""
    with two_stacks("prod", tmp_path_factory.mktemp("prod")) as stacks:
        yield stacks


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"dns": {"zone_name": "other.internal"}}, id="another zone"),
        pytest.param({"primary": {"vpc_cidr": "10.77.0.0/16"}}, id="another network"),
        pytest.param(
            {
                "secondary": {
                    "region": "eu-central-1",
                    "availability_zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
                }
            },
            id="another region",
        ),
    ],
)
def test_refusal_is_the_same(prod: TwoStacks, changes: Changes) -> None:
    """The protected resources that would be replaced, and the rest of the plan."""
    plan, differences = prod.plan_differences(changes)
    assert differences == []
    assert plan.refused


def test_protected_state_is_the_same_after_the_deployment(prod: TwoStacks) -> None:
    """Production has three instances a region, flow logs, IAM users, and protection."""
    assert prod.state_differences() == []


def in_both(stacks: TwoStacks, action: Callable[[Environment], None]) -> None:
    """Run an action in both embedded AWS."""
    for world in (stacks.own, stacks.cli_world):
        action(world)


def wait_in_both(stacks: TwoStacks, condition: Callable[[Environment], bool]) -> None:
    """Wait for a condition in both embedded AWS."""
    for world in (stacks.own, stacks.cli_world):
        assert wait_until(lambda world=world: condition(world), pause_seconds=0.1)


def members(world: Environment) -> dict[str, bool]:
    """Return whether a cluster writes, for each member of the global database, if nothing is under way."""
    (found,) = world.clients("rds", world.secondary.name).describe_global_clusters()["GlobalClusters"]
    if found["Status"] != "available":
        return {}
    return {each["DBClusterArn"]: each["IsWriter"] for each in found["GlobalClusterMembers"]}


def roles(writer: RegionFacts, reader: RegionFacts) -> dict[str, bool]:
    """Return what `members` returns with these roles."""
    return {writer.cluster_arn: True, reader.cluster_arn: False}


def has_seen_the_writer(world: Environment) -> bool:
    """Return whether the standby's controller could act: it has measured the writer."""
    table = world.clients("dynamodb", world.secondary.name)
    key = {"item": {"S": "state"}, "sort": {"S": "current"}}
    return "lag_at" in table.get_item(TableName=world.secondary.table_name, Key=key).get("Item", {})


def test_state_is_the_same_after_a_failover(dev: TwoStacks) -> None:
    """The writer's region fails, the standby's controller fails over, and the region returns as the standby."""
    in_both(dev, lambda world: world.start_controllers())
    wait_in_both(dev, has_seen_the_writer)
    in_both(dev, lambda world: world.network.fail(world.primary.name))
    wait_in_both(dev, lambda world: members(world).get(world.secondary.cluster_arn, False))
    in_both(dev, lambda world: world.network.restore(world.primary.name))
    wait_in_both(dev, lambda world: members(world) == roles(world.secondary, world.primary))
    dev.refresh()
    assert dev.state_differences() == []
    plan, differences = dev.plan_differences({})
    assert (plan.steps, differences) == ({}, [])


def test_state_is_the_same_after_a_switchover(dev: TwoStacks) -> None:
    """An operator makes the primary region the writer again."""

    def switch_over(world: Environment) -> None:
        world.clients("rds", world.secondary.name).switchover_global_cluster(
            GlobalClusterIdentifier=world.global_cluster_id, TargetDbClusterIdentifier=world.primary.cluster_arn
        )

    in_both(dev, switch_over)
    wait_in_both(dev, lambda world: members(world) == roles(world.primary, world.secondary))
    dev.refresh()
    assert dev.state_differences() == []


def test_state_is_the_same_after_a_lost_instance(dev: TwoStacks) -> None:
    """A deleted instance leaves both states, and both engines plan it again."""

    def delete_instance(world: Environment) -> None:
        rds = world.clients("rds", world.secondary.name)
        instances = rds.describe_db_instances()["DBInstances"]
        rds.delete_db_instance(
            DBInstanceIdentifier=max(each["DBInstanceIdentifier"] for each in instances), SkipFinalSnapshot=True
        )

    in_both(dev, delete_instance)
    dev.refresh()
    assert dev.state_differences() == []
    plan, differences = dev.plan_differences({})
    assert differences == []
    assert [change for change, _, _ in plan.steps.values()] == [CREATE]


def test_state_is_the_same_after_detaching_the_standby(dev: TwoStacks) -> None:
    """RDS promotes the detached cluster, which no longer belongs to the global database."""

    def detach(world: Environment) -> None:
        for region in world.regions:
            disarmed = {"item": {"S": "switch"}, "sort": {"S": "current"}, "armed": {"BOOL": False}}
            world.clients("dynamodb", region.name).put_item(TableName=region.table_name, Item=disarmed)
        world.clients("rds", world.secondary.name).remove_from_global_cluster(
            GlobalClusterIdentifier=world.global_cluster_id, DbClusterIdentifier=world.secondary.cluster_arn
        )

    in_both(dev, detach)
    wait_in_both(dev, lambda world: members(world) == {world.primary.cluster_arn: True})
    dev.refresh()
    assert dev.state_differences() == []
    _, differences = dev.plan_differences({})
    assert differences == []
