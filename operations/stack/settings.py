"""A stack's settings and resource names before it is deployed, from Pulumi.<stack>.yaml."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from operations.support.errors import UsageProblemError
from settings import PROJECT_NAMESPACE, Settings, SettingsError, parse_stack_config

PROGRAM = Path(__file__).resolve().parents[2]


def read_settings(stack: str, directory: Path = PROGRAM) -> Settings:
    """Return the validated settings of a stack.

    Raises:
        UsageProblemError: the file is missing or malformed, or has an encrypted value or an invalid setting.
    """
    file = directory / f"Pulumi.{stack}.yaml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        stacks = ", ".join(sorted(each.name.split(".")[1] for each in directory.glob("Pulumi.*.yaml"))) or "none"
        raise UsageProblemError(
            f"--stack: cannot read {file.name}: {error.strerror}", hint=f"Use one of the stacks: {stacks}."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageProblemError(f"{file.name}: not YAML in UTF-8: {error}", hint="Correct the file.") from error
    config = content.get("config") if isinstance(content, Mapping) else None
    if not isinstance(config, Mapping):
        raise UsageProblemError(f"{file.name}: `config` is missing", hint="Copy Pulumi.dev.yaml and adapt it.")
    full = {key if ":" in str(key) else f"{PROJECT_NAMESPACE}:{key}": value for key, value in config.items()}
    if encrypted := sorted(_encrypted(full)):
        raise UsageProblemError(
            f"{file.name}: {', '.join(encrypted)} is encrypted, and only the Pulumi CLI can read it",
            hint="No setting of this program is a secret: set it again without --secret.",
        )
    try:
        return parse_stack_config(full)
    except SettingsError as error:
        raise UsageProblemError(f"{file.name}: {'; '.join(error.mistakes)}", hint="Correct these settings.") from error


def _encrypted(value: object, key: str = "") -> Iterator[str]:
    """Yield the keys of encrypted values (`secure: v1:...`) at any depth."""
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            yield key
            return
        for name, inner in value.items():
            yield from _encrypted(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _encrypted(inner, key)


def names_of(settings: Settings) -> "StackNames":
    """Return the resource names of a stack with these settings."""
    return StackNames(project=settings.project, environment=settings.environment)


class StackNames:
    """The resource names that the program gives; a test compares them with the registered resources."""

    def __init__(self, *, project: str, environment: str) -> None:
        self._project, self._environment = project, environment

    def of(self, resource: str) -> str:
        """Return a name that is unique in a region."""
        return f"{self._project}-{resource}-{self._environment}"

    def global_name(self, resource: str, region: str) -> str:
        """Return a name that is unique in all regions."""
        return f"{self._project}-{resource}-{region}-{self._environment}"

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
        """Return the names of a region's functions, without project and environment."""
        return ("health-check", "failover-controller", *(("database-setup",) if is_primary else ()))

    def roles(self, *, is_primary: bool) -> tuple[str, ...]:
        """Return the names of a region's roles, without project, region and environment."""
        return (*self.functions(is_primary=is_primary), "failover-schedule", "monitoring")

    def tags(self) -> Mapping[str, str]:
        """Return the tags that identify the resources of this stack."""
        return {"Project": self._project, "Environment": self._environment, "ManagedBy": "Pulumi"}
