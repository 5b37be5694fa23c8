"""Validation of API parameters against AWS's service models: enum, pattern, length and range.

botocore already validates types and required parameters. Rules between parameters are not part of the models.
Source: the service models in botocore; "Smithy constraint traits".
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ParamValidationError
from botocore.hooks import BaseEventHooks

_PYTHON_SYNTAX = {
    # The nearest class of `re`: `\\w` also matches digits and the underscore.
    "\\p{L}": "\\w",
    "\\p{Z}": "\\s",
    "\\p{N}": "\\d",
    "\\p{Print}": "[ -~]",
    "\\p{ASCII}": "[\\x00-\\x7f]",
    "\\w-_": "\\w\\-_",
    "\\uD800\\uDC00-\\uDBFF\\uDFFF": "\\U00010000-\\U0010ffff",
}
"""Regular expression syntax of AWS's models, and its Python equivalent."""


class ModelCheck:
    """Validates and counts the API calls of boto3 clients."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        """The number of validated calls by `service:Operation`."""

    def listen(self, events: BaseEventHooks) -> None:
        """Validate each call of a session's clients before it is sent."""
        events.register("provide-client-params", self._check)

    def _check(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        self.checked[f"{model.service_model.service_name}:{model.name}"] += 1
        violations = model_violations(model, params)
        if violations:
            raise ParamValidationError(report="\n".join(violations))


def model_violations(model: Any, params: Mapping[str, Any]) -> list[str]:
    """Return one line for each invalid parameter of a call. `model` is botocore's OperationModel."""
    return list(_violations(model.input_shape, params, model.name)) if model.input_shape is not None else []


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    limits: Mapping[str, Any] = shape.metadata
    if shape.type_name == "structure" and isinstance(value, Mapping):
        members: Mapping[str, Any] = getattr(shape, "members", {})
        for name, item in value.items():
            if name in members:
                yield from _violations(members[name], item, f"{path}.{name}")
    elif shape.type_name == "map" and isinstance(value, Mapping):
        yield from _range_violations(len(value), limits, path, "entries")
        for name, item in value.items():
            yield from _violations(shape.key, name, f"{path} key")
            yield from _violations(shape.value, item, f"{path}.{name}")
    elif shape.type_name == "list" and isinstance(value, list | tuple):
        yield from _range_violations(len(value), limits, path, "entries")
        for number, item in enumerate(value):
            yield from _violations(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _text_violations(limits, value, path)
    elif shape.type_name in ("integer", "long", "float", "double") and isinstance(value, int | float):
        yield from _range_violations(value, limits, path, "")
    elif shape.type_name == "blob" and isinstance(value, bytes | bytearray | str):
        yield from _range_violations(len(value), limits, path, "bytes")


def _text_violations(limits: Mapping[str, Any], value: str, path: str) -> Iterator[str]:
    yield from _range_violations(len(value), limits, path, "characters")
    if "enum" in limits and value not in limits["enum"]:
        yield f"{path}: {value!r} is not one of {', '.join(limits['enum'])}"
    pattern = limits.get("pattern")
    if pattern and not compile_pattern(pattern).fullmatch(value):
        yield f"{path}: {value!r} doesn't match {pattern}"


def _range_violations(value: float, limits: Mapping[str, Any], path: str, unit: str) -> Iterator[str]:
    least, most = limits.get("min"), limits.get("max")
    if (least is not None and value < least) or (most is not None and value > most):
        yield f"{path}: {value} {unit}".rstrip() + f" is outside {least} to {most}"


@functools.cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    r"""Compile a model's pattern, with Unicode classes such as `\p{L}` replaced.

    Raises:
        re.error: Python can't compile the pattern.
    """
    for model_syntax, python_syntax in _PYTHON_SYNTAX.items():
        pattern = pattern.replace(model_syntax, python_syntax)
    return re.compile(pattern, re.DOTALL)
