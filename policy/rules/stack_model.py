"""A stack as the rules see it: plain resources, however they came to be known.

Owns: the view and the ways through it. Does not own: the rules, nor where the resources come from: a run of the program
under mocks, or the engine by way of a policy pack (`policy`).
Invariant: a value that nobody knows yet is `UNKNOWN`, and never looks like one that is known.
"""

import enum
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final


class Unknown(enum.Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = Unknown.UNKNOWN
"""A value that only a deployment will tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One resource, as the program registers it."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    region: str = ""
    """Its provider's region; empty without a provider of its own."""
    provider: str = ""
    """The provider's URN; empty for a default one."""
    parent: str = ""
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    secret_inputs: frozenset[str] = frozenset()
    """Inputs that the engine keeps secret; empty, too, where the source doesn't tell."""
    dependencies: frozenset[str] = frozenset()
    """URNs: what it waits for."""
    property_dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Input -> the URNs of what its value comes from."""

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    def get(self, name: str) -> Any:
        """Return an input, None if it isn't set (empty texts and lists count as not set), `UNKNOWN` if it isn't known."""
        value = self.inputs.get(name)
        return None if value in ("", [], {}) else value

    def says(self, name: str) -> bool:
        """Return whether an input is set, known or not."""
        return self.get(name) is not None

    def json(self, name: str) -> Any:
        """Return an input that is a JSON text, parsed; `UNKNOWN` while it isn't known, None if it isn't set."""
        value = self.get(name)
        return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What breaks a rule: which resource, which of its inputs, and what is wrong with it."""

    resource: Resource | None
    """None: the stack as a whole."""
    property: str
    problem: str

    def __str__(self) -> str:
        where = f"{self.resource}" if self.resource else "stack"
        return f"{where}{f' {self.property}' if self.property else ''}: {self.problem}"


@dataclass(frozen=True)
class Stack:
    """Every resource of a stack, and the ways between them."""

    resources: tuple[Resource, ...]

    def of(self, kind: str, region: str | None = None) -> list[Resource]:
        """Return the resources of one of AWS's types, such as `rds/cluster:Cluster`, in a region or all."""
        return [r for r in self._by_type.get(f"aws:{kind}", ()) if region in (None, r.region)]

    @functools.cached_property
    def cloud(self) -> tuple[Resource, ...]:
        """Every resource of AWS."""
        return tuple(r for r in self.resources if r.type.startswith("aws:"))

    @functools.cached_property
    def providers(self) -> tuple[Resource, ...]:
        """The providers of AWS."""
        return tuple(r for r in self.resources if r.type == "pulumi:providers:aws")

    @functools.cached_property
    def default_tags(self) -> Mapping[str, Any]:
        """The tags that the first provider adds to everything; empty if it adds none."""
        return next(iter(tags_of(provider) for provider in self.providers), {})

    @functools.cached_property
    def environment(self) -> str:
        """The environment that the tags name."""
        return str(self.default_tags.get("Environment", ""))

    @property
    def is_production(self) -> bool:
        """Whether what holds data must be protected."""
        return self.environment == "prod"

    def behind(self, resource: Resource, name: str, kind: str) -> list[Resource]:
        """Return the resources of a type from which an input's value comes."""
        urns = resource.property_dependencies.get(name, frozenset())
        return [r for r in self.of(kind) if r.urn in urns]

    def waits_for(self, later: Resource, earlier: Resource) -> bool:
        """Return whether one resource is made after another, through any number of steps."""
        return earlier.urn in self._needs(later.urn)

    @functools.cached_property
    def secondaries(self) -> list[Resource]:
        """The clusters that join a global database whose first member is elsewhere."""
        return [r for r in self.of("rds/cluster:Cluster") if r.says("sourceRegion")]

    @functools.cached_property
    def primaries(self) -> list[Resource]:
        """The clusters that a global database begins with."""
        return [r for r in self.of("rds/cluster:Cluster") if not r.says("sourceRegion")]

    @functools.cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.type, []).append(resource)
        return found

    @functools.cached_property
    def _dependencies(self) -> Mapping[str, frozenset[str]]:
        return {r.urn: r.dependencies for r in self.resources}

    @functools.cached_property
    def _known_needs(self) -> dict[str, frozenset[str]]:
        return {}

    def _needs(self, urn: str) -> frozenset[str]:
        if urn not in self._known_needs:
            found: set[str] = set()
            waiting = list(self._dependencies.get(urn, ()))
            while waiting:
                next_urn = waiting.pop()
                if next_urn not in found:
                    found.add(next_urn)
                    waiting += self._dependencies.get(next_urn, ())
            self._known_needs[urn] = frozenset(found)
        return self._known_needs[urn]


def tags_of(provider: Resource) -> Mapping[str, Any]:
    """Return the default tags of a provider; the engine hands nested values to providers as JSON texts."""
    default_tags = provider.get("defaultTags")
    if isinstance(default_tags, str):
        default_tags = json.loads(default_tags)
    return default_tags.get("tags", {}) if isinstance(default_tags, Mapping) else {}


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from texts(item)


def is_known(value: Any) -> bool:
    """Return whether a value is set and holds nothing that only a deployment will tell."""
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(is_known(item) for item in value)
    return value is not None and value is not UNKNOWN


def as_list(value: Any) -> list[Any]:
    """Return what may be one thing or a list of them as a list."""
    if value is None or value is UNKNOWN:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
