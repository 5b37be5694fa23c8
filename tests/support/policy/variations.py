"""Every tested value of every setting, packed into few configurations.

The values come from the settings model: the limits of each range, each choice, both booleans. `EXAMPLES` has the others;
a setting without values fails a test.
"""

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from policy.rules.stack_model import Stack
from settings import Settings, SettingsError, load_settings
from tests.support.policy.stacks import registered_stack
from tests.support.program.harness import run_program, stack_file

EXAMPLES: Mapping[str, Sequence[Any]] = {
    "environment": ["e" * 12, "prod"],
    "project": ["p" * 16],
    "team": ["payments and ledgers"],
    "cost_center": ["CC-1042"],
    "owner": ["payments-oncall@bank.internal"],
    "aws.account_id": ["123456789012"],
    "aws.profile": ["payments"],
    "aws.assume_role_arn": ["arn:aws:iam::123456789012:role/deployer"],
    "aws.ignored_tags": [["CreatedBy", "map-*"]],
    "primary.region": ["us-west-2", "ap-southeast-1"],
    "primary.vpc_cidr": ["172.16.0.0/16", "10.0.0.0/22"],
    "primary.availability_zones": [["us-east-1a", "us-east-1c", "us-east-1d"]],
    "primary.instance_class": ["db.r5.large", "db.r6g.16xlarge", "db.x2g.large"],
    "secondary.region": ["eu-central-1", "ap-northeast-1"],
    "secondary.vpc_cidr": ["192.168.0.0/16", "10.200.0.0/20"],
    "secondary.availability_zones": [["eu-west-1c", "eu-west-1b", "eu-west-1a"]],
    "secondary.instance_class": ["db.r5.large", "db.r6i.4xlarge"],
    "primary.serverless": [{"min_acu": 8, "max_acu": 64}],
    "secondary.serverless": [{"min_acu": 8.5, "max_acu": 256}],
    "primary.client_cidrs": [["10.99.0.0/24", "192.168.7.1/32"]],
    "secondary.client_cidrs": [["10.98.0.0/24"]],
    "primary.client_security_groups": [["sg-0a1b2c3d4e5f60718"]],
    "secondary.client_security_groups": [["sg-0a1b2c3d4e5f60719"]],
    "primary.maintenance_window": ["sun:04:00-sun:04:30"],
    "secondary.maintenance_window": ["sat:23:45-sun:00:45"],
    "primary.backup_window": ["23:50-00:30"],
    "secondary.backup_window": ["03:00-03:30"],
    "database.iam_users": [{"reporting": "read_only", "app": "read_write"}],
    "database.cluster_parameters": [{"time_zone": "UTC"}],
    "database.instance_parameters": [{"max_connections": "2000"}],
    "database.master_password_readers": [["arn:aws:iam::123456789012:role/deployer"]],
    "logs.exports": [["audit"], ["audit", "error", "general", "slowquery"]],
    "database.engine_version": ["8.0.mysql_aurora.3.10.0"],
    "database.name": ["L" * 64],
    "database.master_username": ["A" * 16],
    "database.performance_insights_retention_days": [31, 713, 731],
    "failover.reserved_concurrency": [None, 10],
    "dns.zone_name": ["database.bank.internal"],
    "notifications.emails": [["one@bank.internal", "two@bank.internal"]],
    "tags": [{"DataClass": "confidential"}, {f"tag-{n}": "v" * 256 for n in range(3)}],
}
"""Values that do not follow from the model's types."""

NOT_TESTED: Mapping[str, str] = {
    path: "AWS has to describe the VPC: covered by the tests of existing VPCs"
    for path in ("primary.existing_vpc", "secondary.existing_vpc", "existing_peering")
}
"""Settings that a run under mocks cannot have, and the tests that cover them."""

REQUIRED: Mapping[str, dict[str, Any]] = {
    "environment=prod": {"owner": "payments-oncall@bank.internal", "aws": {"account_id": "123456789012"}},
    "database.database_insights=advanced": {"database": {"performance_insights_retention_days": 465}},
}
"""The settings that a variation requires, by variation."""

MAX_STACKS = 30


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One setting with a value other than its default."""

    path: str
    value: Any

    def __str__(self) -> str:
        return f"{self.path}={str(self.value)[:24]}"


@dataclass(kw_only=True)
class Packed:
    """A configuration with several variations."""

    config: dict[str, Any] = field(default_factory=dict)
    variations: list[Variation] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{len(self.variations)} settings, {self.variations[0]} first" if self.variations else "nothing set"

    def takes(self, variation: Variation) -> bool:
        """Add a variation if its setting is new and the settings stay valid; return whether it was added."""
        if any(_overlap(variation.path, taken.path) for taken in self.variations):
            return False
        config = _with(self.config, variation)
        try:
            load_settings(config)
        except SettingsError:
            return False
        self.config = config
        self.variations.append(variation)
        return True


def variations() -> list[Variation]:
    """Return every variation in the order of the settings."""
    return [Variation(path=path, value=value) for path, values in values_of(Settings) for value in values]


def packed() -> list[Packed]:
    """Return configurations that together contain every variation.

    Raises:
        AssertionError: a variation is invalid alone.
    """
    stacks: list[Packed] = []
    for variation in variations():
        if not any(stack.takes(variation) for stack in stacks):
            stacks.append(Packed(config=_required_by(variation)))
            assert stacks[-1].takes(variation), f"{variation}: the settings refuse it"
    assert len(stacks) <= MAX_STACKS, "too many stacks: remove examples"
    return stacks


def settable() -> list[str]:
    """Return the path of every setting."""
    return [path for path, _ in _leaves(Settings)]


def values_of(model: type[BaseModel]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each setting's path and test values."""
    for path, field_info in _leaves(model):
        if path in NOT_TESTED:
            continue
        yield path, [*EXAMPLES[path]] if path in EXAMPLES else _derived(field_info)


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        # An optional section is set as a whole or not at all.
        section = None if _is_union(info.annotation) else _section(info.annotation)
        if section is not None:
            yield from _leaves(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", info


def _section(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _derived(info: FieldInfo) -> list[Any]:
    """Return the values that follow from a field's type, without its default."""
    annotation = info.annotation
    if _is_union(annotation):
        annotation = next(option for option in typing.get_args(annotation) if option is not type(None))
    if typing.get_origin(annotation) is typing.Literal:
        choices = list(typing.get_args(annotation))
        # For numbers, the limits are enough.
        values = choices if all(isinstance(choice, str) for choice in choices) else [min(choices), max(choices)]
    elif annotation is bool:
        values = [True, False]
    else:
        values = [
            limit
            for constraint in info.metadata
            for limit in (
                constraint.ge if isinstance(constraint, annotated_types.Ge) else None,
                constraint.le if isinstance(constraint, annotated_types.Le) else None,
            )
            if limit is not None
        ]
    return [value for value in values if value != info.default]


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _required_by(variation: Variation) -> dict[str, Any]:
    """Return the settings that a variation requires."""
    return REQUIRED.get(str(variation), {})


def _with(config: Mapping[str, Any], variation: Variation) -> dict[str, Any]:
    section, _, rest = variation.path.partition(".")
    if not rest:
        return {**config, section: variation.value}
    inner = _with(config.get(section, {}), Variation(path=rest, value=variation.value))
    return {**config, section: inner}


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def tested_stacks() -> dict[str, Stack]:
    """Run the program for dev, prod and every packed configuration, deployed and previewed; return the stacks by name."""
    configurations = {
        "dev": stack_file("dev"),
        "prod": stack_file("prod"),
        **{str(pack): pack.config for pack in packed()},
    }
    return {
        f"{name}{', previewed' if preview else ''}": registered_stack(run_program(config, preview=preview))
        for name, config in configurations.items()
        for preview in (False, True)
    }
