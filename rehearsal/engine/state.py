"""The state of a stack: what was registered and what came of it, as the engine keeps it between two runs.

Owns: what is kept of a resource, its comparable inputs (an archive is its content's hash), and the state as JSON.
Does not own: how it is compared (plan.py), changed (monitor.py) or taken down (destruction.py).
Invariant: a state holds secrets in plain text, as whoever updates and deletes needs them: it is never shown, and never
written anywhere but to a file or port that only its owner reads.
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
STATE_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class KeptResource:
    """One resource of the program, as the last run left it."""

    urn: str
    type: str
    name: str
    region: str
    """The provider's region, or "global" for what no AWS provider makes."""
    id: str
    inputs: Mapping[str, Any] = field(repr=False)
    """Comparable, secrets unwrapped, default tags merged; ignored properties as they were when the resource was made."""
    outputs: Mapping[str, Any] = field(repr=False)
    secret_outputs: frozenset[str] = frozenset()
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    """URNs of what it was told to depend on, and of what its inputs come from."""

    def to_json(self) -> dict[str, Any]:
        """Return it with plain JSON types."""
        return {**asdict(self), "secret_outputs": sorted(self.secret_outputs)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> KeptResource:
        """Read what `to_json` wrote."""
        lists = {name: tuple(kept[name]) for name in ("ignore_changes", "dependencies")}
        return cls(**{**kept, **lists, "secret_outputs": frozenset(kept["secret_outputs"])})


@dataclass(kw_only=True)
class StackState:
    """All resources of a stack, in the order in which they were made. Thread-safe."""

    resources: dict[str, KeptResource] = field(default_factory=dict)
    """By URN."""
    config: Mapping[str, str] = field(default_factory=dict)
    """The configuration of the last run, as the CLI would hand it over."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def find(self, urn: str, aliases: Iterable[str] = ()) -> KeptResource | None:
        """Return a resource by its URN, or else by one that it had before."""
        with self._lock:
            return next((self.resources[each] for each in (urn, *aliases) if each in self.resources), None)

    def keep(self, resource: KeptResource, *, instead_of: str | None = None) -> None:
        """Keep a resource; `instead_of` is the URN under which it stood before."""
        with self._lock:
            if instead_of is not None and instead_of != resource.urn:
                self.resources = {
                    resource.urn if urn == instead_of else urn: resource if urn == instead_of else kept
                    for urn, kept in self.resources.items()
                }
            self.resources[resource.urn] = resource

    def forget(self, urn: str) -> None:
        """Forget a resource that is deleted."""
        with self._lock:
            self.resources.pop(urn, None)

    def copy(self) -> StackState:
        """Return a state that can be changed without this one."""
        with self._lock:
            return StackState(resources=dict(self.resources), config=dict(self.config))

    def to_json(self) -> dict[str, Any]:
        """Return it with plain JSON types; with its secrets (see the module)."""
        with self._lock:
            return {
                "version": STATE_VERSION,
                "config": dict(self.config),
                "resources": [resource.to_json() for resource in self.resources.values()],
            }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> StackState:
        """Read what `to_json` wrote. Raises ValueError for another version's."""
        if kept.get("version") != STATE_VERSION:
            raise ValueError(f"a state of version {kept.get('version')!r}, not {STATE_VERSION}")
        resources = (KeptResource.from_json(each) for each in kept["resources"])
        return cls(resources={each.urn: each for each in resources}, config=dict(kept["config"]))


def comparable(inputs: Mapping[str, Any], *, base: Path) -> dict[str, Any]:
    """Return inputs in which an archive stands as the hash of what is in it, wherever its files lie.

    Raises: HandlerError for an archive that can't be read.
    """
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
    """Return (setting, what it was, what it is) of each that differs between two configurations, by its dotted name."""
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
