"""What AWS's service models say of a call's parameters, and botocore doesn't check: words, patterns, ends of ranges.

Owns: the check. Does not own: types and required parameters, which botocore checks of every call, and rules between
parameters, which no model holds.
Invariant: a call that is beyond the model is an error where it is made, as AWS's answer to it would be.
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

_IN_PYTHON = {
    # As near as `re` comes: `\\w` holds digits and the underscore, too.
    "\\p{L}": "\\w",
    "\\p{Z}": "\\s",
    "\\p{N}": "\\d",
    "\\p{Print}": "[ -~]",
    "\\p{ASCII}": "[\\x00-\\x7f]",
    "\\w-_": "\\w\\-_",
    "\\uD800\\uDC00-\\uDBFF\\uDFFF": "\\U00010000-\\U0010ffff",
}
"""What AWS's models write -> what Python reads."""


class ModelCheck:
    """Checks every call of the clients whose events it hears, and counts them."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        """`service:Operation` -> how many calls were checked."""

    def listen(self, events: BaseEventHooks) -> None:
        """Hear of every call before it is made."""
        events.register("provide-client-params", self._check)

    def _check(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        self.checked[f"{model.service_model.service_name}:{model.name}"] += 1
        found = beyond_the_model(model, params)
        if found:
            raise ParamValidationError(report="\n".join(found))


def beyond_the_model(model: Any, params: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a call's parameters, a line each: where, what was sent, what the model takes.

    `model` is botocore's model of the operation.
    """
    return list(_beyond(model.input_shape, params, model.name)) if model.input_shape is not None else []


def _beyond(shape: Any, value: Any, where: str) -> Iterator[str]:
    limits: Mapping[str, Any] = shape.metadata
    if shape.type_name == "structure" and isinstance(value, Mapping):
        members: Mapping[str, Any] = getattr(shape, "members", {})
        for name, item in value.items():
            if name in members:
                yield from _beyond(members[name], item, f"{where}.{name}")
    elif shape.type_name == "map" and isinstance(value, Mapping):
        yield from _outside(len(value), limits, where, "entries")
        for name, item in value.items():
            yield from _beyond(shape.key, name, f"{where} key")
            yield from _beyond(shape.value, item, f"{where}.{name}")
    elif shape.type_name == "list" and isinstance(value, list | tuple):
        yield from _outside(len(value), limits, where, "entries")
        for number, item in enumerate(value):
            yield from _beyond(shape.member, item, f"{where}[{number}]")
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _beyond_text(limits, value, where)
    elif shape.type_name in ("integer", "long", "float", "double") and isinstance(value, int | float):
        yield from _outside(value, limits, where, "")
    elif shape.type_name == "blob" and isinstance(value, bytes | bytearray | str):
        yield from _outside(len(value), limits, where, "bytes")


def _beyond_text(limits: Mapping[str, Any], value: str, where: str) -> Iterator[str]:
    yield from _outside(len(value), limits, where, "characters")
    if "enum" in limits and value not in limits["enum"]:
        yield f"{where}: {value!r} is none of {', '.join(limits['enum'])}"
    pattern = limits.get("pattern")
    if pattern and not in_python(pattern).fullmatch(value):
        yield f"{where}: {value!r} doesn't match {pattern}"


def _outside(value: float, limits: Mapping[str, Any], where: str, unit: str) -> Iterator[str]:
    least, most = limits.get("min"), limits.get("max")
    if (least is not None and value < least) or (most is not None and value > most):
        yield f"{where}: {value} {unit}".rstrip() + f" is outside {least} to {most}"


@functools.cache
def in_python(pattern: str) -> re.Pattern[str]:
    r"""Return a model's pattern as Python has it: classes of Unicode such as `\p{L}` under another name.

    Raises: re.error, for a pattern that Python can't read: it would check nothing.
    """
    for theirs, ours in _IN_PYTHON.items():
        pattern = pattern.replace(theirs, ours)
    return re.compile(pattern, re.DOTALL)
