"""A stack's settings from its file, as `pulumi up` would hand them to the program: for what is asked before the stack is up.

Owns reading Pulumi.yaml and Pulumi.<stack>.yaml. Does not own what the settings may be (`settings/model.py`). Invariant: an
encrypted value is refused with its key, never guessed: only the Pulumi CLI can read it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from operations.support.errors import UsageProblemError
from settings import PROJECT_NAMESPACE, Settings, SettingsError, parse_stack_config

PROGRAM = Path(__file__).resolve().parents[2]


def read_settings(stack: str, directory: Path = PROGRAM) -> Settings:
    """Return the validated settings of a stack.

    Raises:
        UsageProblemError: the file is missing, malformed, holds an encrypted value, or its settings won't do.
    """
    file = directory / f"Pulumi.{stack}.yaml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        stacks = ", ".join(sorted(each.name.split(".")[1] for each in directory.glob("Pulumi.*.yaml"))) or "none"
        raise UsageProblemError(
            f"--stack: {file.name} can't be read: {error.strerror}", hint=f"There are settings of: {stacks}."
        ) from error
    except yaml.YAMLError as error:
        raise UsageProblemError(f"{file.name} is no YAML: {error}", hint="Mend it.") from error
    config = content.get("config") if isinstance(content, Mapping) else None
    if not isinstance(config, Mapping):
        raise UsageProblemError(f"{file.name} has no `config`", hint="Copy Pulumi.dev.yaml, and change what differs.")
    full = {key if ":" in str(key) else f"{PROJECT_NAMESPACE}:{key}": value for key, value in config.items()}
    if encrypted := sorted(_encrypted(full)):
        raise UsageProblemError(
            f"{file.name}: {', '.join(encrypted)} is encrypted, and only the Pulumi CLI can read it",
            hint="No setting of this program is a secret: set it anew without --secret.",
        )
    try:
        return parse_stack_config(full)
    except SettingsError as error:
        raise UsageProblemError(f"{file.name}: {'; '.join(error.mistakes)}", hint="Mend the settings named.") from error


def _encrypted(value: object, key: str = "") -> Iterator[str]:
    """Yield the keys of encrypted values, at whatever depth: `secure: v1:...`."""
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            yield key
            return
        for name, inner in value.items():
            yield from _encrypted(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _encrypted(inner, key)


def names_of(settings: Settings) -> "Names":
    """Return how a stack with these settings calls its things."""
    return Names(project=settings.project, environment=settings.environment)


class Names:
    """How the program calls things (components/region.py): a test compares every one with what the program registers."""

    def __init__(self, *, project: str, environment: str) -> None:
        self._project, self._environment = project, environment

    def of(self, thing: str) -> str:
        """Return the name of a thing that is unique in a region."""
        return f"{self._project}-{thing}-{self._environment}"

    def everywhere(self, thing: str, region: str) -> str:
        """Return the name of a thing whose names are shared by all regions."""
        return f"{self._project}-{thing}-{region}-{self._environment}"

    def cluster(self, region: str) -> str:
        """Return the identifier of a region's cluster."""
        return f"{self._project}-{region}-{self._environment}"

    def instance(self, region: str, number: int) -> str:
        """Return the identifier of a cluster's n-th instance, counted from 1."""
        return f"{self._project}-{region}-{number}-{self._environment}"

    def final_snapshot(self, region: str) -> str:
        """Return the name of the snapshot that a destroy takes in production."""
        return f"{self._project}-{region}-final-{self._environment}"

    def functions(self, *, is_primary: bool) -> tuple[str, ...]:
        """Return what the functions of a region are called, without project and environment."""
        return ("health-check", "failover-controller", *(("database-setup",) if is_primary else ()))

    def roles(self, *, is_primary: bool) -> tuple[str, ...]:
        """Return what the roles of a region are called, without project, region and environment."""
        return (*self.functions(is_primary=is_primary), "failover-schedule", "monitoring")

    def tags(self) -> Mapping[str, str]:
        """Return the tags by which a thing is known as this stack's."""
        return {"Project": self._project, "Environment": self._environment, "ManagedBy": "Pulumi"}
