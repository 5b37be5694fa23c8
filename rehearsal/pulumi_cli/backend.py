"""What a local backend of the Pulumi CLI knows of a stack.

Source: pkg/backend/diy, pulumi/pulumi.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.aliases import STACK_TYPE
from rehearsal.provider.resources.values import MASKED, SECRET_SIGNATURE, SIGNATURE_KEY


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A stack as its last operation left it."""

    resources: int
    outputs: Mapping[str, Any]
    """The stack's outputs with secrets masked; empty while the program has not ended once."""
    is_locked: bool
    """Whether an operation is in progress, or was killed."""


def read_checkpoint(backend: Path, project: str, stack: str) -> Checkpoint | None:
    """Return a stack's checkpoint, None if there is no such stack."""
    try:
        content = json.loads((backend / ".pulumi" / "stacks" / project / f"{stack}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    resources = (content["checkpoint"].get("latest") or {}).get("resources") or []
    outputs = next((each.get("outputs", {}) for each in resources if each["type"] == STACK_TYPE), {})
    locks = backend / ".pulumi" / "locks" / "organization" / project / stack
    return Checkpoint(
        resources=len(resources),
        outputs={name: _masked(value) for name, value in outputs.items()},
        is_locked=any(locks.glob("*.json")),
    )


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        is_secret = value.get(SIGNATURE_KEY) == SECRET_SIGNATURE
        return MASKED if is_secret else {key: _masked(element) for key, element in value.items()}
    return [_masked(element) for element in value] if isinstance(value, list) else value
