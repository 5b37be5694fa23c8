"""A stack's resources as the rules read them.

The resources come from a program run under mocks or from the engine through the policy pack.
A value that is not known before the deployment is `UNKNOWN`.
"""

import enum
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final


class Unknown(enum.Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = Unknown.UNKNOWN
"""A value that is known only after the deployment."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RegisteredResource:
    """One resource, as the program registers it."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    region: str = ""
    """The provider's region; empty for the default provider."""
    provider: str = ""
    """The provider's URN; empty for the default provider."""
    parent: str = ""
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    secret_inputs: frozenset[str] = frozenset()
    """Inputs that the engine keeps secret; empty if the source does not report them."""
    dependencies: frozenset[str] = frozenset()
    """URNs of the resources that it depends on."""
    property_dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """URNs of the resources that an input's value comes from, by input."""

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    def get(self, name: str) -> Any:
        """Return an input; None if it is missing or empty, `UNKNOWN` if it is not known."""
        value = self.inputs.get(name)
        return None if value in ("", [], {}) else value

    def is_set(self, name: str) -> bool:
        """Return whether an input is set, known or not."""
        return self.get(name) is not None

    def json(self, name: str) -> Any:
        """Return a parsed JSON input; None if it is missing, `UNKNOWN` if it is not known."""
        value = self.get(name)
        return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A resource and input that violate a rule, and why."""

    resource: RegisteredResource | None
    """None for the whole stack."""
    property: str
    message: str

    def __str__(self) -> str:
        where = f"{self.resource}" if self.resource else "stack"
        return f"{where}{f' {self.property}' if self.property else ''}: {self.message}"


@dataclass(frozen=True)
class Stack:
    """Every resource of a stack and its references."""

    resources: tuple[RegisteredResource, ...]

    def of_type(self, kind: str, region: str | None = None) -> list[RegisteredResource]:
        """Return the resources of an AWS type such as `rds/cluster:Cluster`, in one region or all."""
        return [r for r in self._by_type.get(f"aws:{kind}", ()) if region in (None, r.region)]

    @functools.cached_property
    def aws_resources(self) -> tuple[RegisteredResource, ...]:
        """Every AWS resource."""
        return tuple(r for r in self.resources if r.type.startswith("aws:"))

    @functools.cached_property
    def providers(self) -> tuple[RegisteredResource, ...]:
        """The AWS providers."""
        return tuple(r for r in self.resources if r.type == "pulumi:providers:aws")

    @functools.cached_property
    def default_tags(self) -> Mapping[str, Any]:
        """The default tags of the first provider."""
        return next(iter(tags_of(provider) for provider in self.providers), {})

    @functools.cached_property
    def environment(self) -> str:
        """The value of the default tag Environment."""
        return str(self.default_tags.get("Environment", ""))

    @property
    def is_production(self) -> bool:
        """Whether the stack's data must be protected."""
        return self.environment == "prod"

    def references(self, resource: RegisteredResource, name: str, kind: str) -> list[RegisteredResource]:
        """Return the resources of a type that an input's value comes from."""
        urns = resource.property_dependencies.get(name, frozenset())
        return [r for r in self.of_type(kind) if r.urn in urns]

    @functools.cached_property
    def _by_type(self) -> Mapping[str, list[RegisteredResource]]:
        found: dict[str, list[RegisteredResource]] = {}
        for resource in self.resources:
            found.setdefault(resource.type, []).append(resource)
        return found


def tags_of(provider: RegisteredResource) -> Mapping[str, Any]:
    """Return the default tags of a provider; the engine passes nested values of providers as JSON."""
    default_tags = provider.get("defaultTags")
    if isinstance(default_tags, str):
        default_tags = json.loads(default_tags)
    return default_tags.get("tags", {}) if isinstance(default_tags, Mapping) else {}


def is_known(value: Any) -> bool:
    """Return whether a value is set and contains no unknown value."""
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(is_known(item) for item in value)
    return value is not None and value is not UNKNOWN


def as_list(value: Any) -> list[Any]:
    """Return a list of one or more values; empty if unset or unknown."""
    if value is None or value is UNKNOWN:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
