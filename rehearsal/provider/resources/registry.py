"""Every resource type that the rehearsal can create."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.provider.resources import (
    credentials,
    database,
    dns,
    encryption,
    functions,
    identity,
    messaging,
    network,
    observability,
    storage,
)
from rehearsal.provider.resources.handler import Handler

HANDLERS: Mapping[str, Handler] = {
    **network.HANDLERS,
    **encryption.HANDLERS,
    **credentials.HANDLERS,
    **database.HANDLERS,
    **identity.HANDLERS,
    **functions.HANDLERS,
    **observability.HANDLERS,
    **messaging.HANDLERS,
    **storage.HANDLERS,
    **dns.HANDLERS,
}
"""Handlers by type token."""
