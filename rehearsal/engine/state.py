"""The state of a stack between two runs: each resource's inputs and outputs, as JSON.

A state holds secrets in plain text, because updates and deletions need them. A state is never printed, and is
written only to files and ports that only the owner can read.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from rehearsal.provider.resources.archives import content_hash

ARCHIVE_KEY = "sha256 of the files"
STATE_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class ResourceGoal:
    """The program's goal state for one resource."""

    urn: str
    type: str
    name: str
    region: str
    """The provider's region, or "global" for types of other providers than AWS's."""
    inputs: Mapping[str, Any] = field(repr=False)
    """The inputs after the provider's check: secrets unwrapped, archives replaced by hashes. May contain unknowns."""
    provider: str = ""
    """URN of the explicit provider; empty for types of other providers than AWS's."""
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    """URNs of the explicit dependencies, and of the resources whose outputs the inputs use."""


@dataclass(frozen=True, kw_only=True)
class KeptResource(ResourceGoal):
    """A resource as the last run left it; ignored properties keep the values of its creation."""

    id: str
    outputs: Mapping[str, Any] = field(repr=False)
    secret_outputs: frozenset[str] = frozenset()

    @property
    def values(self) -> dict[str, Any]:
        """The inputs and the outputs, as the real engine sends a resource's state: some handlers use old inputs."""
        return {**self.inputs, **self.outputs}

    def to_json(self) -> dict[str, Any]:
        """Return the resource as plain JSON types."""
        return {**asdict(self), "secret_outputs": sorted(self.secret_outputs)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> KeptResource:
        """Return the resource from the JSON types of `to_json`."""
        lists = {name: tuple(kept[name]) for name in ("ignore_changes", "dependencies")}
        return cls(**{**kept, **lists, "secret_outputs": frozenset(kept["secret_outputs"])})


@dataclass(kw_only=True)
class StackState:
    """All resources of a stack in the order of their creation. Thread-safe."""

    resources: dict[str, KeptResource] = field(default_factory=dict)
    """By URN."""
    config: Mapping[str, str] = field(default_factory=dict)
    """The configuration of the last run, in the CLI's format."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def find(self, urn: str, aliases: Iterable[str] = ()) -> KeptResource | None:
        """Return a resource by its URN, otherwise by one of its earlier URNs."""
        with self._lock:
            return next((self.resources[each] for each in (urn, *aliases) if each in self.resources), None)

    def keep(self, resource: KeptResource, *, instead_of: str | None = None) -> None:
        """Store a resource; `instead_of` is its earlier URN, whose entry it replaces."""
        with self._lock:
            if instead_of is not None and instead_of != resource.urn:
                self.resources = {
                    resource.urn if urn == instead_of else urn: resource if urn == instead_of else kept
                    for urn, kept in self.resources.items()
                }
            self.resources[resource.urn] = resource

    def forget(self, urn: str) -> None:
        """Remove a resource from the state, if the state has it."""
        with self._lock:
            self.resources.pop(urn, None)

    def copy(self) -> StackState:
        """Return a copy of the state; later changes of one do not affect the other."""
        with self._lock:
            return StackState(resources=dict(self.resources), config=dict(self.config))

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON types, secrets included."""
        with self._lock:
            return {
                "version": STATE_VERSION,
                "config": dict(self.config),
                "resources": [resource.to_json() for resource in self.resources.values()],
            }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> StackState:
        """Return the state from the JSON types of `to_json`. Raises ValueError for another version."""
        if kept.get("version") != STATE_VERSION:
            raise ValueError(
                f"state: version {kept.get('version')!r} is not supported. Deploy again to write version {STATE_VERSION}."
            )
        resources = (KeptResource.from_json(each) for each in kept["resources"])
        return cls(resources={each.urn: each for each in resources}, config=dict(kept["config"]))


def comparable(inputs: Mapping[str, Any], *, base: Path) -> dict[str, Any]:
    """Return the inputs with each archive replaced by the hash of its files. Raises the same errors as `content_hash`."""
    return {name: _comparable(value, base) for name, value in inputs.items()}


def _comparable(value: Any, base: Path) -> Any:
    if isinstance(value, pulumi.Archive):
        return {ARCHIVE_KEY: content_hash(value, base=base)}
    if isinstance(value, Mapping):
        return {key: _comparable(element, base) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(element, base) for element in value]
    return value


def changed_settings(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (dotted name, old value, new value) of each setting that differs between two configurations."""
    old, new = _flat_config(before), _flat_config(after)
    return [
        (name, old.get(name, "not set"), new.get(name, "not set"))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def _flat_config(config: Mapping[str, str]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, text in config.items():
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        flat.update(_flat(key.rpartition(":")[2] if not key.startswith("pulumi:") else key, value, text))
    return flat


def _flat(name: str, value: Any, text: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {
            inner: shown
            for key, element in value.items()
            for inner, shown in _flat(f"{name}.{key}", element, _text(element)).items()
        }
    return {name: text}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
