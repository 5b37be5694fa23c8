"""Validation of calls against the constraints in AWS's service models that botocore does not check.

These are enums, patterns, lengths and ranges. botocore itself checks types and required parameters.
Source: the service models that botocore ships; "Smithy constraint traits": enum, length, pattern, range.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ParamValidationError
from botocore.hooks import BaseEventHooks

_PYTHON_PATTERNS = {
    # An approximation: `\\w` also matches digits and the underscore.
    "\\p{L}": "\\w",
    "\\p{Z}": "\\s",
    "\\p{N}": "\\d",
    "\\p{Print}": "[ -~]",
    "\\p{ASCII}": "[\\x00-\\x7f]",
    "\\w-_": "\\w\\-_",
    "\\uD800\\uDC00-\\uDBFF\\uDFFF": "\\U00010000-\\U0010ffff",
}
"""Python's equivalents of expressions in the models' patterns."""


class ModelCheck:
    """Checks and counts all calls of the clients of a session."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        """The number of checked calls by `service:Operation`."""

    def listen(self, events: BaseEventHooks) -> None:
        """Register for all calls of a session."""
        events.register("provide-client-params", self._check)

    def _check(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        self.checked[f"{model.service_model.service_name}:{model.name}"] += 1
        found = violations(model, params)
        if found:
            raise ParamValidationError(report="\n".join(found))


def violations(model: Any, params: Mapping[str, Any]) -> list[str]:
    """Return one line for each parameter that violates botocore's model of the operation."""
    return list(_violations(model.input_shape, params, model.name)) if model.input_shape is not None else []


def _violations(shape: Any, value: Any, where: str) -> Iterator[str]:
    limits: Mapping[str, Any] = shape.metadata
    if shape.type_name == "structure" and isinstance(value, Mapping):
        members: Mapping[str, Any] = getattr(shape, "members", {})
        for name, item in value.items():
            if name in members:
                yield from _violations(members[name], item, f"{where}.{name}")
    elif shape.type_name == "map" and isinstance(value, Mapping):
        yield from _range_violations(len(value), limits, where, "entries")
        for name, item in value.items():
            yield from _violations(shape.key, name, f"{where} key")
            yield from _violations(shape.value, item, f"{where}.{name}")
    elif shape.type_name == "list" and isinstance(value, list | tuple):
        yield from _range_violations(len(value), limits, where, "entries")
        for number, item in enumerate(value):
            yield from _violations(shape.member, item, f"{where}[{number}]")
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _text_violations(limits, value, where)
    elif shape.type_name in ("integer", "long", "float", "double") and isinstance(value, int | float):
        yield from _range_violations(value, limits, where, "")
    elif shape.type_name == "blob" and isinstance(value, bytes | bytearray | str):
        yield from _range_violations(len(value), limits, where, "bytes")


def _text_violations(limits: Mapping[str, Any], value: str, where: str) -> Iterator[str]:
    yield from _range_violations(len(value), limits, where, "characters")
    if "enum" in limits and value not in limits["enum"]:
        yield f"{where}: {value!r} is not one of {', '.join(limits['enum'])}"
    pattern = limits.get("pattern")
    if pattern and not python_pattern(pattern).fullmatch(value):
        yield f"{where}: {value!r} doesn't match {pattern}"


def _range_violations(value: float, limits: Mapping[str, Any], where: str, unit: str) -> Iterator[str]:
    least, most = limits.get("min"), limits.get("max")
    if (least is not None and value < least) or (most is not None and value > most):
        yield f"{where}: {value} {unit}".rstrip() + f" is outside {least} to {most}"


@functools.cache
def python_pattern(pattern: str) -> re.Pattern[str]:
    r"""Return a model's pattern for Python, with Unicode classes such as `\p{L}` replaced.

    Raises: re.error for a pattern that Python can't compile.
    """
    for expression, equivalent in _PYTHON_PATTERNS.items():
        pattern = pattern.replace(expression, equivalent)
    return re.compile(pattern, re.DOTALL)
