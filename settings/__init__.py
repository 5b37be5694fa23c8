"""The stack's configuration as a typed, frozen model."""

from settings.errors import SettingsError
from settings.load import load_settings, load_stack_settings, parse_stack_config
from settings.model import (
    PROJECT_NAMESPACE,
    AlarmSettings,
    DatabaseSettings,
    ExistingVpcSettings,
    FailoverSettings,
    RegionSettings,
    Settings,
)
from settings.rules import warnings

__all__ = [
    "PROJECT_NAMESPACE",
    "AlarmSettings",
    "DatabaseSettings",
    "ExistingVpcSettings",
    "FailoverSettings",
    "RegionSettings",
    "Settings",
    "SettingsError",
    "load_settings",
    "load_stack_settings",
    "parse_stack_config",
    "warnings",
]
