"""What comes of a deployment, resource by resource: made, failed, skipped, or made but partly forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GLOBAL = "global"
"""The region of what has none: IAM, Route 53, and what no AWS provider makes."""


@dataclass(frozen=True, kw_only=True)
class ProviderResource:
    """A resource that was created; secrets are masked."""

    urn: str
    type: str
    name: str
    region: str
    """The provider's region, or "global"."""
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    seconds: float
    """How long the creation took, its waiting and reading back included."""


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
    """A property that was sent, and that the emulator forgets: right or wrong on AWS, it is unproven here."""

    type: str
    property: str
    reason: str

    def __str__(self) -> str:
        return f"{self.type}, {self.property}: {self.reason}"


@dataclass(kw_only=True)
class ResourceRecord:
    """What the monitor has seen so far; every change is made under the monitor's lock."""

    resources: list[ProviderResource] = field(default_factory=list)
    errors: list[ResourceError] = field(default_factory=list)
    not_held: set[NotHeld] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    """URNs that were not tried, because something that they depend on failed."""
    components: list[str] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    secret_exports: frozenset[str] = frozenset()
