"""A stack's settings and the resource names that follow from them, from Pulumi.<stack>.yaml or the Pulumi CLI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from operations.stack.pulumi_cli import RunPulumi, read_json
from operations.support.errors import UsageProblemError
from settings import PROJECT_NAMESPACE, Settings, SettingsError, parse_stack_config
from settings.stack_file import StackFileError, read_stack_file

PROGRAM = Path(__file__).resolve().parents[2]


def read_settings(stack: str, directory: Path = PROGRAM) -> Settings:
    """Return the validated settings of a stack.

    Raises:
        UsageProblemError: the file is missing or malformed, or has an encrypted value or an invalid setting.
    """
    try:
        return parse_stack_config(read_stack_file(directory, stack))
    except StackFileError as error:
        raise UsageProblemError(f"--stack: {error.message}", hint=error.hint) from error
    except SettingsError as error:
        mistakes = "\n  ".join(("invalid settings:", *error.mistakes))
        raise UsageProblemError(f"Pulumi.{stack}.yaml: {mistakes}", hint="Correct these settings.") from error


def load_config(stack: str | None, pulumi: RunPulumi) -> Settings:
    """Return the validated settings of a stack as the Pulumi CLI has them: also those of another `--config-file`.

    Raises:
        UsageProblemError: Pulumi cannot show them, or a setting is invalid.
    """
    arguments = ["config", "--json", "--non-interactive", *(["--stack", stack] if stack else [])]
    config = read_json(arguments, pulumi)
    entries = config if isinstance(config, Mapping) else {}
    stored = {str(key): each.get("value") for key, each in entries.items() if isinstance(each, Mapping)}
    try:
        return parse_stack_config(stored)
    except SettingsError as error:
        mistakes = "\n  ".join(("invalid settings:", *error.mistakes))
        raise UsageProblemError(f"`pulumi config`: {mistakes}", hint="Correct these settings.") from error


@dataclass(frozen=True, kw_only=True)
class RegionLookup:
    """What the program asks AWS about a region, if the settings do not say it."""

    zones: Sequence[str]
    """The availability zones, in the order of the subnets."""
    route_tables: Sequence[str] = ()
    """The route tables of an existing VPC's subnets; empty for a VPC of the program."""


def settings_to_add(settings: Settings, account: str | None, found: Mapping[str, RegionLookup]) -> list[str]:
    """Return the lines of Pulumi.<stack>.yaml with which a deployment asks AWS nothing; empty if the settings have all.

    `account` is None and a region of `found` (`primary`, `secondary`) missing if it is unknown: its lines are left out.
    """
    sections: dict[str, list[str]] = {}
    if account and not settings.aws.account_id:
        sections["aws"] = [f'account_id: "{account}"']
    for label, region in (("primary", settings.primary), ("secondary", settings.secondary)):
        lookup, lines = found.get(label), []
        if lookup and not region.availability_zones:
            lines.append(f"availability_zones: [{', '.join(lookup.zones)}]")
        if lookup and region.existing_vpc and not region.existing_vpc.route_table_ids:
            lines += ["existing_vpc:", f"  route_table_ids: [{', '.join(lookup.route_tables)}]"]
        if lines:
            sections[label] = lines
    return [
        line
        for section, lines in sections.items()
        for line in (f"{PROJECT_NAMESPACE}:{section}:", *(f"  {each}" for each in lines))
    ]


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

    def functions(self, *, is_primary: bool) -> tuple[str, ...]:
        """Return the names of a region's functions, without project and environment."""
        return ("health-check", "failover-controller", *(("database-setup",) if is_primary else ()))

    def roles(self, *, is_primary: bool, has_flow_logs: bool) -> tuple[str, ...]:
        """Return the names of a region's roles, without project, region and environment."""
        optional = ("flow-logs",) if has_flow_logs else ()
        return (*self.functions(is_primary=is_primary), "failover-schedule", "monitoring", *optional)

    def tags(self) -> Mapping[str, str]:
        """Return the tags that identify the resources of this stack."""
        return {"Project": self._project, "Environment": self._environment, "ManagedBy": "Pulumi"}
