"""Deleting a stack: everything in the reverse of the order in which it had to be made, through the API.

Owns: the order, what is refused before anything is deleted, and what came of it.
Does not own: how a type is deleted (resources/), or whether a region is empty afterwards (inventory.py).
Invariant: a resource is deleted only when everything that depended on it is gone; what is deleted leaves the state, so
that a second try goes on where the first one stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.engine.plan import PlanStep, plan_deletion
from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.resources import registry
from rehearsal.provider.resources.handler import DeleteRequest, Handler, HandlerError
from rehearsal.support.clients import ClientFactory

THREADS = 16
CLUSTER = "aws:rds/cluster:Cluster"
GLOBAL_CLUSTER = "aws:rds/globalCluster:GlobalCluster"
_GONE = ("NotFound", "NoSuch", "ResourceNotFoundException", "NotFoundException")


class DestroyRefusedError(Exception):
    """Nothing was deleted; the text names what refuses, and the hint."""


class DestroyError(Exception):
    """Something could not be deleted; the text names each, and what is left."""


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """One resource that is gone."""

    urn: str
    type: str
    name: str
    region: str
    id: str
    seconds: float
    was_gone: bool
    """AWS did not know it any more."""


@dataclass(frozen=True, kw_only=True)
class Destruction:
    """What a destroy did, in the order in which it was done."""

    deleted: tuple[Deleted, ...]
    seconds: float


def deletion_waves(resources: Iterable[KeptResource]) -> list[list[KeptResource]]:
    """Return the resources in the order of their deletion: in each wave those on which nothing depends any more.

    Raises: ValueError when resources depend on each other in a circle.
    """
    remaining = {each.urn: each for each in resources}
    waves: list[list[KeptResource]] = []
    while remaining:
        needed = {urn for each in remaining.values() for urn in each.dependencies if urn != each.urn}
        wave = [each for each in remaining.values() if each.urn not in needed]
        if not wave:
            raise ValueError(f"these depend on each other in a circle: {', '.join(sorted(remaining))}")
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
    """Delete every resource of the state, or `only` some, and forget each in the state as it goes.

    `on_deleted` is called for each resource, never by two threads at once.

    Raises:
        DestroyRefusedError: something is protected, or AWS would refuse half-way; nothing was deleted.
        DestroyError: a deletion failed; what depended on nothing else is gone, the rest is still in the state.
    """
    doomed = list(state.resources.values()) if only is None else list(only)
    _refuse_protected([plan_deletion(each) for each in doomed])
    waves = deletion_waves(doomed)
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
                left = len(doomed) - len(deleted)
                raise DestroyError("\n".join([*failures, f"{len(deleted)} are deleted, {left} are left: try again"]))
    return Destruction(deleted=tuple(deleted), seconds=time.monotonic() - started)


def _refuse_protected(steps: Sequence[PlanStep]) -> None:
    refused = [step for step in steps if step.refusal]
    if refused:
        lines = [f"{step.urn}\n  {step.type}: {step.refusal}" for step in refused]
        raise DestroyRefusedError(
            "\n".join(
                [
                    f"refused: {len(refused)} of {len(steps)} resources are kept from deletion, and nothing was deleted",
                    *lines,
                    "A production stack is not meant to be destroyed. To do it all the same: take the data elsewhere, then "
                    "`pulumi state unprotect --all`, set deletion_protection off with one `pulumi up`, and destroy.",
                ]
            )
        )


def refuse_writer_before_standby(in_order: Sequence[KeptResource], clients: ClientFactory) -> None:
    """Refuse as AWS would, but before anything is deleted: the writer can't leave while the other member is there.

    Raises: DestroyRefusedError.
    Source: "Removing a cluster from an Amazon Aurora global database": remove the secondary clusters first.
    """
    clusters = {
        each.outputs["arn"]: each
        for each in in_order
        if each.type == CLUSTER and each.inputs.get("globalClusterIdentifier")
    }
    if len(clusters) < 2:
        return
    *sooner, last = clusters
    asked = clients("rds", clusters[last].region).describe_global_clusters()["GlobalClusters"]
    for global_cluster in asked:
        for member in global_cluster["GlobalClusterMembers"]:
            if member["IsWriter"] and member["DBClusterArn"] in sooner:
                away = clusters[member["DBClusterArn"]]
                raise DestroyRefusedError(
                    f"refused: {away.id} in {away.region} is the writer now, and would be deleted before "
                    f"{clusters[last].id} in {clusters[last].region}: AWS doesn't let the writer go while the other "
                    "member is there, and nothing was deleted.\n"
                    f"Switch home first: `python -m operations switchover` to {clusters[last].region}, then destroy."
                )


def _delete(kept: KeptResource, clients: ClientFactory, handlers: Mapping[str, Handler]) -> Deleted | str:
    """Delete one resource; return what was deleted, or why it could not be."""
    started = time.monotonic()
    handler = handlers.get(kept.type)
    was_gone = False
    try:
        if handler is None or handler.delete is None:
            raise HandlerError("the rehearsal does not know how to delete this type")
        handler.delete(
            DeleteRequest(
                type=kept.type,
                region=kept.region,
                id=kept.id,
                inputs=kept.inputs,
                outputs=kept.outputs,
                clients=clients,
            )
        )
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if not any(word in code for word in _GONE):
            return f"{kept.urn}\n  {kept.type}: {error}"
        was_gone = True
    except (HandlerError, BotoCoreError) as error:
        return f"{kept.urn}\n  {kept.type}: {error}"
    except Exception as error:  # noqa: BLE001 (a mistake in a handler must not lose the name of its resource)
        return f"{kept.urn}\n  {kept.type}: {type(error).__name__}: {error}"
    return Deleted(
        urn=kept.urn,
        type=kept.type,
        name=kept.name,
        region=kept.region,
        id=kept.id,
        seconds=time.monotonic() - started,
        was_gone=was_gone,
    )
