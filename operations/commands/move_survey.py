"""What both regions say before a move: the global cluster, their clusters, their controllers, what their probes find.

Owns the reading, side by side, each region under the deadline. Does not judge (`switchover.py`, `failover.py`).
Invariant: what could not be read is named in `failures` and is `None`; a dead region costs its deadline, once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from functions.failover_controller.model import State, Switch
from operations.aws.move_ports import ClusterInfo, GlobalClusterInfo, ProbeResult, ProbeTarget
from operations.aws.table_items import STATE, SWITCH, ParsedItem, parse_state, parse_switch
from operations.commands.session import Session
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.deadlines import call_concurrently
from operations.support.errors import AwsError, OperationError


@dataclass(frozen=True, kw_only=True)
class RegionSurvey:
    """What one region says."""

    region: DeployedRegion
    world: GlobalClusterInfo | None
    cluster: ClusterInfo | None
    state: ParsedItem[State] | None
    switch: ParsedItem[Switch] | None
    environment: Mapping[str, str] | None
    """The environment variables of its controller."""
    failures: Mapping[str, str]
    own_probe: ProbeResult | None = None
    """What its health_check finds at its own cluster."""
    peer_probe: ProbeResult | None = None
    """What its health_check finds at the other region's cluster, across the peering."""

    @property
    def remembered(self) -> State | None:
        """What its controller remembers."""
        return None if self.state is None else self.state.value


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What both regions say, and who is who by RDS."""

    writer: RegionSurvey
    standby: RegionSurvey
    world: GlobalClusterInfo
    """From the standby's region, or else the writer's: it is the standby's that outlives an outage."""


def cluster_id(region: DeployedRegion) -> str:
    """Return the identifier in a cluster's ARN."""
    return region.cluster_arn.rpartition(":")[2]


def survey(session: Session, *, probing: bool = False) -> Topology:
    """Read both regions at once; with `probing`, ask their health_checks too.

    Raises:
        AwsError: neither region's RDS API says who is the writer.
    """
    deployment = session.deployment
    found = [_region(session, region, answers) for region, answers in _answers(session, deployment).items()]
    if probing:
        found = _probed(session, found)
    worlds = [region_name.world for region_name in found if region_name.world is not None]
    for world in worlds:
        for region_name in found:
            if region_name.region.cluster_arn == world.writer_arn:
                standby = next(each for each in found if each is not region_name)
                return Topology(writer=region_name, standby=standby, world=standby.world or world)
    said = [
        f"{region_name.region.name}: {region_name.failures.get('RDS', 'names no single writer')}"
        for region_name in found
    ]
    raise AwsError(f"who is the writer can't be told: {'; '.join(said)}", hint="Nothing was changed. Try again.")


def _answers(session: Session, deployment: StackDeployment) -> dict[DeployedRegion, dict[str, Any]]:
    parts = ("RDS", "cluster", "table", "controller")
    calls: list[Callable[[], Any]] = []
    for region in deployment.regions:
        moves, api = session.moves(region), session.connect(region)
        calls += [
            moves.read_global,
            partial(moves.read_cluster, cluster_id(region)),
            partial(api.read_items, [STATE, SWITCH]),
            api.read_policy,
        ]
    answers = iter(call_concurrently(calls))
    return {region: {part: next(answers) for part in parts} for region in deployment.regions}


def _region(session: Session, region: DeployedRegion, answers: Mapping[str, Any]) -> RegionSurvey:
    failures = {part: answer.message for part, answer in answers.items() if isinstance(answer, OperationError)}
    good = {part: answer for part, answer in answers.items() if part not in failures}
    table = good.get("table")
    return RegionSurvey(
        region=region,
        world=good.get("RDS"),
        cluster=good.get("cluster"),
        state=None if table is None else parse_state(table[STATE]),
        switch=None if table is None else parse_switch(table[SWITCH]),
        environment=good.get("controller"),
        failures=failures,
    )


def _probed(session: Session, found: list[RegionSurvey]) -> list[RegionSurvey]:
    asked: list[tuple[RegionSurvey, str, ProbeTarget]] = []
    for region in found:
        if region.environment is not None:
            asked.append((region, "own_probe", ProbeTarget.own(region.region, region.environment)))
            asked.append((region, "peer_probe", ProbeTarget.peer(region.environment)))
    calls = [partial(session.moves(region.region).probe, target) for region, _, target in asked]
    probed = {id(region): region for region in found}
    for (region, name, _), answer in zip(asked, call_concurrently(calls), strict=True):
        now = probed[id(region)]
        if isinstance(answer, OperationError):
            probed[id(region)] = replace(now, failures={**now.failures, name: answer.message})
        else:
            changes: dict[str, Any] = {name: answer}
            probed[id(region)] = replace(now, **changes)
    return [probed[id(region)] for region in found]
