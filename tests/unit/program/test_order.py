"""What exists before what, and so what is removed after what."""

import pytest

from tests.support.program.harness import Registered, Run


def comes_before(run: Run, first: Registered, then: Registered) -> bool:
    """Return whether the engine must finish one resource before it begins another."""
    return first.urn in run.needs(then)


def instances(run: Run, where: str) -> list[Registered]:
    """Return a region's instances, in their order."""
    return [r for r in run.of("rds/clusterInstance:ClusterInstance") if r.name.startswith(where)]


def test_point_4_one_run_deploys_both_regions_in_the_order_that_aurora_needs(any_run: Run) -> None:
    """Global cluster, primary, its instances, secondary, its instances: no step by hand, and the reverse on destroy."""
    world = any_run.one("rds/globalCluster:GlobalCluster")
    primary, secondary = any_run.named("primary-database-cluster"), any_run.named("secondary-database-cluster")
    assert comes_before(any_run, world, primary)
    for instance in instances(any_run, "primary"):
        assert comes_before(any_run, primary, instance)
        assert comes_before(any_run, instance, secondary)
    for instance in instances(any_run, "secondary"):
        assert comes_before(any_run, secondary, instance)


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_first_instance_comes_up_before_the_others(dev: Run, where: str) -> None:
    """Aurora makes the first one the writer: with all at once, chance would choose."""
    first, *others = instances(dev, where)
    assert others
    assert first.inputs["promotionTier"] == 0
    assert [comes_before(dev, first, other) for other in others] == [True] * len(others)


def test_the_database_is_set_up_once_the_writer_can_be_reached(any_run: Run) -> None:
    """The invocation waits for the primary's instances and the rules to reach them; of the other region it wants a name.

    That name is where the writer may be on a later day. Neither its instances nor the peering are waited for.
    """
    invocation = any_run.one("lambda/invocation:Invocation")
    rules = [any_run.named(f"primary-network-database-from-{whose}") for whose in ("own", "peer")]
    needed = [*instances(any_run, "primary"), *rules]
    assert [str(r) for r in needed if not comes_before(any_run, r, invocation)] == []
    assert not comes_before(any_run, any_run.one("ec2/vpcPeeringConnection:VpcPeeringConnection"), invocation)
    assert [str(r) for r in instances(any_run, "secondary") if comes_before(any_run, r, invocation)] == []


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_the_controllers_start_when_all_that_they_watch_is_there(any_run: Run, where: str) -> None:
    """A first cycle before the users exist, or before the networks hear each other, would find a disaster."""
    schedule = _schedule(any_run, where)
    needed = [
        any_run.one("lambda/invocation:Invocation"),
        *instances(any_run, "primary"),
        *instances(any_run, "secondary"),
        *any_run.of("ec2/route:Route"),
        *any_run.of("lambda/function:Function"),
    ]
    missing = [str(r) for r in needed if not comes_before(any_run, r, schedule)]
    other = "secondary" if where == "primary" else "primary"
    assert missing == [f"aws:lambda/function:Function {other}-watch-controller-function"]


def _schedule(run: Run, where: str) -> Registered:
    (schedule,) = [r for r in run.of("scheduler/schedule:Schedule") if r.name.startswith(where)]
    return schedule


def test_options_and_routes_wait_for_the_accepted_peering(dev: Run) -> None:
    """AWS refuses both while the connection is pending."""
    accepted = dev.one("ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter")
    waiting = [*dev.of("ec2/peeringConnectionOptions:PeeringConnectionOptions"), *dev.of("ec2/route:Route")]
    assert len(waiting) == 4
    assert [str(r) for r in waiting if not comes_before(dev, accepted, r)] == []


def test_log_groups_exist_before_those_who_would_make_them_unencrypted(any_run: Run) -> None:
    """RDS and Lambda make a missing log group themselves: without a key, kept for ever."""
    for cluster in any_run.of("rds/cluster:Cluster"):
        groups = [
            r
            for r in any_run.of("cloudwatch/logGroup:LogGroup", cluster.region)
            if r.inputs["name"].startswith(f"/aws/rds/cluster/{cluster.inputs['clusterIdentifier']}/")
        ]
        assert len(groups) == len(cluster.inputs["enabledCloudwatchLogsExports"])
        assert all(comes_before(any_run, group, cluster) for group in groups)
    for function in any_run.of("lambda/function:Function"):
        name = f"/aws/lambda/{function.inputs['name']}"
        (group,) = [r for r in any_run.of("cloudwatch/logGroup:LogGroup", function.region) if r.inputs["name"] == name]
        assert comes_before(any_run, group, function)


def test_on_destroy_the_roles_right_to_remove_network_interfaces_goes_last(dev: Run) -> None:
    """Lambda removes them with the function's role; with the right gone first the group and the network stay for ever."""
    for where in ("primary-health-check", "secondary-health-check", "database-setup"):
        permission, group = dev.named(f"{where}-network-permission"), dev.named(f"{where}-group")
        function = dev.named(f"{where}-function")
        assert comes_before(dev, permission, group)
        assert comes_before(dev, group, function)


def test_a_function_is_made_after_it_may_do_its_work(any_run: Run) -> None:
    """A function whose policy comes later fails its first minute."""
    for function in any_run.of("lambda/function:Function"):
        permissions = any_run.named(function.name.removesuffix("-function") + "-permissions")
        assert comes_before(any_run, permissions, function)
