"""Loads a stack's settings: parses Pulumi's configuration, validates it and lists every mistake at once."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi.runtime.config as pulumi_config
from pulumi.runtime.settings import get_stack
from pydantic import ValidationError

from settings.errors import SettingsError, describe_error, drop_paths, path, section_of
from settings.model import PRODUCTION, PROJECT_NAMESPACE, Settings
from settings.rules import violations


def load_settings(config: Mapping[str, object]) -> Settings:
    """Return the settings that a configuration means; nested settings are mappings, as Pulumi parses them.

    Raises: SettingsError, whose text lists every mistake, a line each.
    """
    try:
        settings, mistakes = Settings.model_validate(dict(config)), {}
    except ValidationError as error:
        mistakes = {path(detail): describe_error(detail, Settings) for detail in error.errors()}
        # The rules over several settings run on what did parse: what is wrong is left out, and its default stands in.
        settings = Settings.model_validate(drop_paths(config, [detail["loc"] for detail in error.errors()], Settings))
    for reads, text in violations(settings):
        if not any(_touches(setting, wrong) for setting in reads for wrong in tuple(mistakes)):
            mistakes[reads[0]] = text
    if mistakes:
        raise SettingsError([f"{setting}: {text}" for setting, text in mistakes.items()])
    return settings


def load_stack_settings() -> Settings:
    """Return the settings of the stack that is being deployed, from Pulumi's configuration of this project.

    Raises: SettingsError, also for a nested setting that isn't an object, and for a stack named prod that isn't production:
    the engine allows to replace in the same run that takes the protection away.
    """
    settings = parse_stack_config({**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()})
    if get_stack() == PRODUCTION and not settings.is_production:
        wrong = (
            f"{settings.environment!r}, but the stack is named {PRODUCTION}, and all that holds data would be replaced"
        )
        raise SettingsError([f"environment: {wrong}; give {PRODUCTION}, or deploy another stack"])
    return settings


def parse_stack_config(stored: Mapping[str, Any]) -> Settings:
    """Return the settings in a stack's configuration as Pulumi stores it: full keys, objects as JSON texts.

    Raises: SettingsError.
    """
    return load_settings(dict(_of_this_project(stored)))


def _of_this_project(stored: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    nested = {name for name, field in Settings.model_fields.items() if name == "tags" or section_of(field.annotation)}
    for key, value in stored.items():
        namespace, _, name = key.partition(":")
        if namespace != PROJECT_NAMESPACE:
            continue
        if name in nested and isinstance(value, str):
            with contextlib.suppress(ValueError):  # Left as it is: the model then says that it must be an object.
                value = json.loads(value)
        yield name, value


def _touches(setting: str, other: str) -> bool:
    return f"{setting}.".startswith(f"{other}.") or f"{other}.".startswith(f"{setting}.")
