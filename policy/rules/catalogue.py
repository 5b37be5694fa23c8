"""Every rule of the policy pack: all rules in the modules below."""

from policy.rules import (
    availability,
    data_protection,
    database,
    keys_secrets_and_logs,
    network,
    tags,
)
from policy.rules.rule import PolicyRule

_MODULES = (
    tags,
    database,
    network,
    keys_secrets_and_logs,
    data_protection,
    availability,
)

RULES: tuple[PolicyRule, ...] = tuple(
    each for module in _MODULES for each in vars(module).values() if isinstance(each, PolicyRule)
)
