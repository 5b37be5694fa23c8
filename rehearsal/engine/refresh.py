"""Reads AWS's current values into the state, as `pulumi refresh` does.

The program must ignore changes of the properties that AWS manages, otherwise the next deployment would undo a failover.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.provider import Provider
from rehearsal.provider.resources import registry
from rehearsal.provider.resources.handler import Handler
from rehearsal.support.clients import ClientFactory

THREADS = 16


def refresh(
    state: StackState, clients: ClientFactory, handlers: Mapping[str, Handler] = registry.HANDLERS
) -> StackState:
    """Return a copy of the state with AWS's current values, without the resources that are gone and dependencies on them.

    Raises: HandlerError, ClientError, BotoCoreError.
    """
    refreshed = state.copy()

    def read(kept: KeptResource) -> None:
        # Reading needs no file of the program.
        provider = Provider(region=kept.region, clients=clients, program_directory=Path(), handlers=handlers)
        found = provider.read(kept.type, id=kept.id, inputs=kept.inputs, outputs=kept.values)
        if found is None:
            refreshed.forget(kept.urn)
        else:
            refreshed.keep(replace(kept, inputs=found.inputs, outputs=found.outputs))

    with ThreadPoolExecutor(THREADS, thread_name_prefix="refresh") as pool:
        list(pool.map(read, state.resources.values()))
    gone = state.resources.keys() - refreshed.resources.keys()
    for kept in list(refreshed.resources.values()):
        if not gone.isdisjoint(kept.dependencies):
            refreshed.keep(replace(kept, dependencies=tuple(urn for urn in kept.dependencies if urn not in gone)))
    return refreshed
