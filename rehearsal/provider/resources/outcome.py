"""The results of a deployment, resource by resource: created, failed, skipped, or created with a dropped property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GLOBAL = "global"
"""The region of resources without one: IAM, Route 53, and types of other providers than AWS's."""


@dataclass(frozen=True, kw_only=True)
class ProviderResource:
    """A resource that was created or changed; secrets are masked."""

    urn: str
    type: str
    name: str
    region: str
    """The provider's region, or "global"."""
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    seconds: float
    """How long the creation took, with waiting and reading back."""


@dataclass(frozen=True, kw_only=True, order=True)
class ResourceError:
    """Why one registration failed."""

    urn: str
    type: str
    message: str
    property: str = ""

    def __str__(self) -> str:
        subject = f"{self.type}, property {self.property}" if self.property else self.type
        return f"{self.urn}\n  {subject}: {self.message}"


@dataclass(frozen=True, kw_only=True, order=True)
class NotHeld:
    """A property that was sent and that the embedded AWS drops: the rehearsal does not show whether AWS accepts it."""

    type: str
    property: str
    reason: str

    def __str__(self) -> str:
        return f"{self.type}, {self.property}: {self.reason}"


@dataclass(kw_only=True)
class ResourceRecord:
    """The results of a run so far; changed only under the monitor's lock."""

    resources: list[ProviderResource] = field(default_factory=list)
    errors: list[ResourceError] = field(default_factory=list)
    not_held: set[NotHeld] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    """URNs of resources that were not tried because one of their dependencies failed."""
    exports: dict[str, Any] = field(default_factory=dict)
    secret_exports: frozenset[str] = frozenset()
