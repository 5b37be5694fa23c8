"""Global cluster, clusters, controllers and probe results of both regions, read before a move.

Invariant: a part that could not be read is None, with its reason in `failures`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from functions.failover_controller.model import State, Switch
from operations.aws.move_ports import ClusterInfo, GlobalClusterInfo, ProbeResult, ProbeTarget
from operations.aws.table_items import STATE, SWITCH, ParsedItem, parse_state, parse_switch
from operations.commands.context import CommandContext
from operations.stack.deployment import DeployedRegion
from operations.support.deadlines import call_concurrently
from operations.support.errors import AwsError, OperationError

_PARTS = ("RDS", "cluster", "table", "controller")


@dataclass(frozen=True, kw_only=True)
class RegionSnapshot:
    """State of one region."""

    region: DeployedRegion
    global_cluster: GlobalClusterInfo | None
    cluster: ClusterInfo | None
    state: ParsedItem[State] | None
    switch: ParsedItem[Switch] | None
    environment: Mapping[str, str] | None
    """Environment variables of the controller."""
    failures: Mapping[str, str]
    own_probe: ProbeResult | None = None
    """Result of this region's health_check for its own cluster."""
    peer_probe: ProbeResult | None = None
    """Result of this region's health_check for the other region's cluster, over the peering connection."""

    @property
    def controller_state(self) -> State | None:
        """The controller's state, if it could be parsed."""
        return None if self.state is None else self.state.value


@dataclass(frozen=True, kw_only=True)
class Topology:
    """State of the writer's and the standby's region, with the roles that RDS reports."""

    writer: RegionSnapshot
    standby: RegionSnapshot
    global_cluster: GlobalClusterInfo
    """Read from the standby's region, which survives the writer's outage; from the writer's region if that fails."""


def cluster_id(region: DeployedRegion) -> str:
    """Return the identifier in the cluster's ARN."""
    return region.cluster_arn.rpartition(":")[2]


def read_topology(context: CommandContext, *, with_probes: bool = False) -> Topology:
    """Read both regions in parallel; `with_probes` also invokes their health_check functions.

    Raises:
        AwsError: neither region's RDS API names the writer.
    """
    snapshots = _read_regions(context)
    if with_probes:
        snapshots = _add_probes(context, snapshots)
    for reporting in snapshots:
        for writer in snapshots:
            info = reporting.global_cluster
            if info is not None and writer.region.cluster_arn == info.writer_arn:
                standby = next(each for each in snapshots if each is not writer)
                return Topology(writer=writer, standby=standby, global_cluster=standby.global_cluster or info)
    reasons = [f"{each.region.name}: {each.failures.get('RDS', 'names no single writer')}" for each in snapshots]
    raise AwsError(f"the writer is unknown: {'; '.join(reasons)}", hint="No changes were made. Try again.")


def _read_regions(context: CommandContext) -> list[RegionSnapshot]:
    regions = context.deployment.regions
    calls: list[Callable[[], Any]] = []
    for region in regions:
        move_api, api = context.move_api(region), context.connect(region)
        calls += [
            move_api.read_global,
            partial(move_api.read_cluster, cluster_id(region)),
            partial(api.read_items, [STATE, SWITCH]),
            api.read_environment,
        ]
    answers = iter(call_concurrently(calls))
    return [_snapshot(region, {part: next(answers) for part in _PARTS}) for region in regions]


def _snapshot(region: DeployedRegion, answers: Mapping[str, Any]) -> RegionSnapshot:
    failures = {part: answer.message for part, answer in answers.items() if isinstance(answer, OperationError)}
    results = {part: answer for part, answer in answers.items() if part not in failures}
    table = results.get("table")
    return RegionSnapshot(
        region=region,
        global_cluster=results.get("RDS"),
        cluster=results.get("cluster"),
        state=None if table is None else parse_state(table[STATE]),
        switch=None if table is None else parse_switch(table[SWITCH]),
        environment=results.get("controller"),
        failures=failures,
    )


def _add_probes(context: CommandContext, snapshots: list[RegionSnapshot]) -> list[RegionSnapshot]:
    targets = {
        (index, name): target
        for index, snapshot in enumerate(snapshots)
        if snapshot.environment is not None
        for name, target in (
            ("own_probe", ProbeTarget.own(snapshot.region, snapshot.environment)),
            ("peer_probe", ProbeTarget.peer(snapshot.environment)),
        )
    }
    calls = [partial(context.move_api(snapshots[index].region).probe, target) for (index, _), target in targets.items()]
    probed = list(snapshots)
    for (index, name), answer in zip(targets, call_concurrently(calls), strict=True):
        if isinstance(answer, OperationError):
            probed[index] = replace(probed[index], failures={**probed[index].failures, name: answer.message})
        else:
            changes: dict[str, Any] = {name: answer}
            probed[index] = replace(probed[index], **changes)
    return probed
