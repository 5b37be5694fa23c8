"""The settings of an explicit provider of the program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from rehearsal.provider.resources.handler import HandlerError
from rehearsal.support.clients import ACCOUNT_ID

SUPPORTED = frozenset(
    {
        "region",
        "defaultTags",
        "allowedAccountIds",
        "ignoreTags",
        "profile",
        "assumeRoles",
        "version",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
    }
)
"""The supported settings. The SDK itself sets the `skip...` ones.

`profile` and `assumeRoles` choose credentials; the rehearsal always uses its own. No tag but the program's exists here, so
`ignoreTags` has no effect: the settings refuse a tag that the program sets.
"""


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """Region and default tags of a provider."""

    region: str
    default_tags: Mapping[str, str]

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Self:
        """Return the settings of a provider's inputs; those that are no strings are JSON texts.

        Raises: HandlerError for another account, or for a setting that the rehearsal does not support.
        """
        for name, reason in cls.failures(inputs):
            raise HandlerError(reason, property=name)
        return cls(region=inputs.get("region", ""), default_tags=_parsed(inputs, "defaultTags", {}).get("tags", {}))

    @staticmethod
    def failures(inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return (setting, reason) of each setting that is refused."""
        failures = [
            (name, "the rehearsal's provider does not support this setting") for name in sorted(set(inputs) - SUPPORTED)
        ]
        allowed = _parsed(inputs, "allowedAccountIds", [])
        if allowed and ACCOUNT_ID not in allowed:
            failures.append(("allowedAccountIds", f"AWS account ID not allowed: {ACCOUNT_ID}"))
        return failures


def _parsed(inputs: Mapping[str, Any], name: str, default: Any) -> Any:
    value = inputs.get(name, default)
    return json.loads(value) if isinstance(value, str) else value
