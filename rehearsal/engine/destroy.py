"""Deletes a stack through the API, in reverse order of the dependencies.

A deleted resource leaves the state at once: a second run continues where the first one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.engine.plan import PlanStep, plan_deletion
from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.provider import Provider
from rehearsal.provider.resources import registry
from rehearsal.provider.resources.handler import Handler, HandlerError
from rehearsal.support.clients import ClientFactory

THREADS = 16
CLUSTER = "aws:rds/cluster:Cluster"
GLOBAL_CLUSTER = "aws:rds/globalCluster:GlobalCluster"


class DestroyRefusedError(Exception):
    """A destroy that was refused before the first deletion. The text contains the reason and a hint."""


class DestroyError(Exception):
    """A destroy in which deletions failed; the text lists each failed deletion and the number of remaining resources."""


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """One deleted resource."""

    urn: str
    type: str
    name: str
    region: str
    id: str
    seconds: float
    was_gone: bool | None
    """Whether AWS had no such resource; None if the engine does not report it."""


@dataclass(frozen=True, kw_only=True)
class Destruction:
    """The result of a destroy, in the order of the deletions."""

    deleted: tuple[Deleted, ...]
    seconds: float


def deletion_waves(resources: Iterable[KeptResource]) -> list[list[KeptResource]]:
    """Return the resources in waves: no remaining resource depends on those of a wave.

    Raises: ValueError for circular dependencies.
    """
    remaining = {each.urn: each for each in resources}
    waves: list[list[KeptResource]] = []
    while remaining:
        needed = {urn for each in remaining.values() for urn in each.dependencies if urn != each.urn}
        wave = [each for each in remaining.values() if each.urn not in needed]
        if not wave:
            raise ValueError(f"circular dependencies: {', '.join(sorted(remaining))}")
        waves.append(wave)
        for each in wave:
            del remaining[each.urn]
    return waves


def destroy(
    state: StackState,
    clients: ClientFactory,
    *,
    only: Sequence[KeptResource] | None = None,
    handlers: Mapping[str, Handler] = registry.HANDLERS,
    on_deleted: Callable[[Deleted], None] | None = None,
) -> Destruction:
    """Delete all resources of the state, or `only` some, and remove each from the state.

    `on_deleted` is called once for each resource, in one thread.

    Raises:
        DestroyRefusedError: a resource is protected, or AWS would reject a deletion; no resource was deleted.
        DestroyError: a deletion failed; the resources that are left stay in the state.
    """
    resources = list(state.resources.values()) if only is None else list(only)
    _refuse_protected([plan_deletion(each) for each in resources])
    waves = deletion_waves(resources)
    refuse_writer_before_standby([each for wave in waves for each in wave], clients)
    started = time.monotonic()
    deleted: list[Deleted] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="destroy") as pool:
        for wave in waves:
            failures: list[str] = []
            for outcome in pool.map(lambda each: _delete(each, clients, handlers), wave):
                if isinstance(outcome, str):
                    failures.append(outcome)
                    continue
                state.forget(outcome.urn)
                deleted.append(outcome)
                if on_deleted is not None:
                    on_deleted(outcome)
            if failures:
                left = len(resources) - len(deleted)
                raise DestroyError(
                    "\n".join([*failures, f"{len(deleted)} resources are deleted, {left} are left. Try again."])
                )
    return Destruction(deleted=tuple(deleted), seconds=time.monotonic() - started)


def _refuse_protected(steps: Sequence[PlanStep]) -> None:
    refused = [step for step in steps if step.refusal]
    if refused:
        lines = [f"{step.urn}\n  {step.type}: {step.refusal}" for step in refused]
        first = (
            f"refused: {len(refused)} of {len(steps)} resources are protected from deletion. No resource was deleted."
        )
        hint = (
            "To destroy a production stack: move the data, run `pulumi state unprotect --all`, "
            "set deletion_protection to off, run `pulumi up`, then destroy."
        )
        raise DestroyRefusedError("\n".join([first, *lines, hint]))


def refuse_writer_before_standby(in_order: Sequence[KeptResource], clients: ClientFactory) -> None:
    """Raise DestroyRefusedError if the order deletes the writer before the standby, which AWS would reject.

    Source: "Removing a cluster from an Amazon Aurora global database": remove the secondary clusters first.
    """
    clusters = {
        each.outputs["arn"]: each
        for each in in_order
        if each.type == CLUSTER and each.inputs.get("globalClusterIdentifier")
    }
    if len(clusters) < 2:
        return
    *earlier, last = clusters
    for global_cluster in clients("rds", clusters[last].region).describe_global_clusters()["GlobalClusters"]:
        for member in global_cluster["GlobalClusterMembers"]:
            if member["IsWriter"] and member["DBClusterArn"] in earlier:
                writer, standby = clusters[member["DBClusterArn"]], clusters[last]
                raise DestroyRefusedError(
                    f"refused: {writer.id} in {writer.region} is the writer, and AWS does not delete the writer before "
                    f"{standby.id} in {standby.region}. No resource was deleted.\n"
                    f"Switch back first: `python -m operations switchover --to {standby.region} --outputs FILE` with the stack's "
                    "saved outputs, then destroy."
                )


def _delete(kept: KeptResource, clients: ClientFactory, handlers: Mapping[str, Handler]) -> Deleted | str:
    """Delete one resource. Return the deleted resource, or the error message."""
    started = time.monotonic()
    # Deleting needs no file of the program.
    provider = Provider(region=kept.region, clients=clients, program_directory=Path(), handlers=handlers)
    try:
        existed = provider.delete(kept.type, id=kept.id, inputs=kept.inputs, outputs=kept.values)
    except (HandlerError, ClientError, BotoCoreError) as error:
        return f"{kept.urn}\n  {kept.type}: {error}"
    except Exception as error:  # noqa: BLE001 (an error in a handler must name its resource)
        return f"{kept.urn}\n  {kept.type}: {type(error).__name__}: {error}"
    return Deleted(
        urn=kept.urn,
        type=kept.type,
        name=kept.name,
        region=kept.region,
        id=kept.id,
        seconds=time.monotonic() - started,
        was_gone=not existed,
    )
