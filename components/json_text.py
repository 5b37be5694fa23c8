"""JSON text from plain values with outputs somewhere among them.

Owns: the one way in which this program writes JSON. Why not `pulumi.Output.json_dumps`: it makes outputs of every
constant, list and mapping on its way, some thousands for our policies, and the runtime looks at all of them each time
that one is done: a fifth of the program's time (0.93 s against 0.74). Here it is one output a text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi


def json_text(value: Any) -> pulumi.Output[str]:
    """Return a value as JSON text; secret if one of its outputs is, unknown while one of them is."""
    outputs: list[pulumi.Output[Any]] = []
    plan = _plan(value, outputs)
    return pulumi.Output.all(*outputs).apply(lambda known: json.dumps(_fill(plan, cast("list[Any]", known))))


class _Slot:
    """Where an output's value goes."""

    def __init__(self, index: int) -> None:
        self.index = index


def _plan(value: Any, outputs: list[pulumi.Output[Any]]) -> Any:
    if isinstance(value, pulumi.Output):
        outputs.append(value)
        return _Slot(len(outputs) - 1)
    if isinstance(value, Mapping):
        return {key: _plan(item, outputs) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plan(item, outputs) for item in value]
    return value


def _fill(plan: Any, known: list[Any]) -> Any:
    if isinstance(plan, _Slot):
        return known[plan.index]
    if isinstance(plan, dict):
        return {key: _fill(item, known) for key, item in plan.items()}
    if isinstance(plan, list):
        return [_fill(item, known) for item in plan]
    return plan
