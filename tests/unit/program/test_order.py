"""The order of creation, which is the reverse of the order of removal."""

import pytest

from tests.support.program.harness import Registered, Run

pytestmark = pytest.mark.slow


def comes_before(run: Run, first: Registered, then: Registered) -> bool:
    """Return whether one resource must exist before another."""
    return first.urn in run.needs(then)


def instances(run: Run, label: str) -> list[Registered]:
    """Return a region's instances in order."""
    return [r for r in run.of("rds/clusterInstance:ClusterInstance") if r.name.startswith(label)]


def test_point_4_one_run_deploys_both_regions_in_auroras_order(any_run: Run) -> None:
    """Global cluster, primary cluster, its instances, secondary cluster, its instances."""
    global_cluster = any_run.one("rds/globalCluster:GlobalCluster")
    primary, secondary = any_run.named("primary-database-cluster"), any_run.named("secondary-database-cluster")
    assert comes_before(any_run, global_cluster, primary)
    for instance in instances(any_run, "primary"):
        assert comes_before(any_run, primary, instance)
        assert comes_before(any_run, instance, secondary)
    for instance in instances(any_run, "secondary"):
        assert comes_before(any_run, secondary, instance)


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_first_instance_is_created_before_the_others(dev: Run, label: str) -> None:
    """Aurora makes the first available instance the writer."""
    first, *others = instances(dev, label)
    assert others
    assert first.inputs["promotionTier"] == 0
    assert [comes_before(dev, first, other) for other in others] == [True] * len(others)


def test_database_setup_waits_for_the_primary_instances_and_rules(any_run: Run) -> None:
    """The setup needs only the endpoint of the secondary cluster, so it does not wait for the secondary instances or the peering."""
    invocation = any_run.one("lambda/invocation:Invocation")
    rules = [any_run.named(f"primary-network-database-from-{source}") for source in ("own", "peer")]
    needed = [*instances(any_run, "primary"), *rules]
    assert [str(r) for r in needed if not comes_before(any_run, r, invocation)] == []
    assert not comes_before(any_run, any_run.one("ec2/vpcPeeringConnection:VpcPeeringConnection"), invocation)
    assert [str(r) for r in instances(any_run, "secondary") if comes_before(any_run, r, invocation)] == []


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_schedule_starts_after_everything_that_the_controller_watches(any_run: Run, label: str) -> None:
    """A cycle without the database users or the routes would report an outage."""
    schedule = _schedule(any_run, label)
    needed = [
        any_run.one("lambda/invocation:Invocation"),
        *instances(any_run, "primary"),
        *instances(any_run, "secondary"),
        *any_run.of("ec2/route:Route"),
        *any_run.of("lambda/function:Function"),
    ]
    missing = [str(r) for r in needed if not comes_before(any_run, r, schedule)]
    other = "secondary" if label == "primary" else "primary"
    assert missing == [f"aws:lambda/function:Function {other}-watch-controller-function"]


def _schedule(run: Run, label: str) -> Registered:
    (schedule,) = [r for r in run.of("scheduler/schedule:Schedule") if r.name.startswith(label)]
    return schedule


def test_options_and_routes_wait_for_the_accepted_peering(dev: Run) -> None:
    """AWS refuses both while the connection is pending."""
    accepted = dev.one("ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter")
    waiting = [*dev.of("ec2/peeringConnectionOptions:PeeringConnectionOptions"), *dev.of("ec2/route:Route")]
    assert len(waiting) == 4
    assert [str(r) for r in waiting if not comes_before(dev, accepted, r)] == []


def test_log_groups_are_created_before_their_clusters_and_functions(any_run: Run) -> None:
    """RDS and Lambda create a missing log group unencrypted and never expiring."""
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


def test_network_permission_is_removed_after_the_security_group(dev: Run) -> None:
    """Lambda needs it to remove the interfaces; otherwise the group and the network could not be deleted."""
    for name in ("primary-health-check", "secondary-health-check", "database-setup"):
        permission, group = dev.named(f"{name}-network-permission"), dev.named(f"{name}-group")
        function = dev.named(f"{name}-function")
        assert comes_before(dev, permission, group)
        assert comes_before(dev, group, function)


def test_function_is_created_after_its_permissions(any_run: Run) -> None:
    """A function without its policy fails at first."""
    for function in any_run.of("lambda/function:Function"):
        permissions = any_run.named(function.name.removesuffix("-function") + "-permissions")
        assert comes_before(any_run, permissions, function)
