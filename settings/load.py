"""Loads a stack's settings: parses Pulumi's configuration, validates it and lists every mistake at once."""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi.runtime.config as pulumi_config
from pulumi.runtime.settings import get_stack
from pydantic import ValidationError

from settings.errors import SettingsError, describe_error, drop_paths, path, section_of
from settings.model import PRODUCTION, PROJECT_NAMESPACE, Settings
from settings.rules import violations


def load_settings(config: Mapping[str, object]) -> Settings:
    """Return the settings of a configuration; nested settings are mappings, as Pulumi parses them.

    Raises: SettingsError, which lists every mistake.
    """
    try:
        settings, mistakes = Settings.model_validate(dict(config)), {}
    except ValidationError as error:
        mistakes = {path(detail): describe_error(detail, Settings) for detail in error.errors()}
        # The rules over several settings run on the valid settings, with defaults for the invalid ones.
        settings = Settings.model_validate(drop_paths(config, [detail["loc"] for detail in error.errors()], Settings))
    for reads, text in violations(settings):
        if not any(_touches(setting, wrong) for setting in reads for wrong in tuple(mistakes)):
            mistakes[reads[0]] = text
    if mistakes:
        raise SettingsError([f"{setting}: {text}" for setting, text in mistakes.items()])
    return settings


def load_stack_settings() -> Settings:
    """Return the settings of the stack that is being deployed.

    Raises: SettingsError, also for a stack named prod in another environment: Pulumi replaces a resource in the same run
    that removes its protection.
    """
    settings = parse_stack_config({**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()})
    if get_stack() == PRODUCTION and not settings.is_production:
        wrong = f"{settings.environment!r} in a stack named {PRODUCTION} would replace every resource that holds data"
        raise SettingsError([f"environment: {wrong}. Use {PRODUCTION}, or deploy another stack."])
    return settings


def parse_stack_config(stored: Mapping[str, Any]) -> Settings:
    """Return the settings of a stored stack configuration: full keys, objects as JSON strings.

    Raises: SettingsError, also for a key of Pulumi's AWS provider, which reaches no explicit provider.
    """
    ignored = [_ignored_by_the_providers(key) for key in stored if key.startswith("aws:")]
    try:
        settings = load_settings(dict(_of_this_project(stored)))
    except SettingsError as error:
        raise SettingsError([*ignored, *error.mistakes]) from None
    if ignored:
        raise SettingsError(ignored)
    return settings


_INSTEAD_OF_PROVIDER_KEYS: Mapping[str, str] = {
    "allowedAccountIds": "aws.account_id",
    "assumeRole": "aws.assume_role_arn",
    "assumeRoles": "aws.assume_role_arn",
    "defaultTags": "tags",
    "forbiddenAccountIds": "aws.account_id",
    "ignoreTags": "aws.ignored_tags",
    "profile": "aws.profile",
    "region": "primary.region and secondary.region",
}
"""The settings that replace keys of Pulumi's AWS provider."""


def _ignored_by_the_providers(key: str) -> str:
    setting = _INSTEAD_OF_PROVIDER_KEYS.get(re.split(r"\W", key.partition(":")[2])[0])
    instead = f" and set {setting} of {PROJECT_NAMESPACE}" if setting else ""
    return f"{key}: the providers of both regions do not read this key. Remove it{instead}."


def _of_this_project(stored: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    nested = {name for name, field in Settings.model_fields.items() if name == "tags" or section_of(field.annotation)}
    for key, value in stored.items():
        namespace, _, name = key.partition(":")
        if namespace != PROJECT_NAMESPACE:
            continue
        if name in nested and isinstance(value, str):
            with contextlib.suppress(ValueError):  # The model then reports that the value is not an object.
                value = json.loads(value)
        yield name, value


def _touches(setting: str, other: str) -> bool:
    return f"{setting}.".startswith(f"{other}.") or f"{other}.".startswith(f"{setting}.")
