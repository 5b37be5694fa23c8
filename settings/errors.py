"""The words for what is wrong with a configuration.

Owns: the error that lists every mistake, and a line for each kind that pydantic finds. Does not own: the checks.
Invariant: a line is `setting: what is wrong; what would do`.
"""

import difflib
import types
import typing
from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails


class SettingsError(ValueError):
    """Every mistake in a stack's settings, a line each: `setting: what is wrong; what would do`."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(mistakes))


def section_of(annotation: object) -> type[BaseModel] | None:
    """Return the model that a field holds, also when it may be left out; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next((found for part in typing.get_args(annotation) if (found := section_of(part))), None)
    return None


def depth_in_sections(model: type[BaseModel], place: tuple[int | str, ...]) -> int:
    """Return how many steps of a place lead through sections to a setting: the rest is inside a list or a map."""
    section: type[BaseModel] | None = model
    for depth, part in enumerate(place, start=1):
        field = section.model_fields.get(str(part)) if section else None
        section = section_of(field.annotation) if field else None
        if section is None:
            return depth
    return len(place)


def path(detail: ErrorDetails) -> str:
    """Return a setting's name as people write it."""
    return ".".join(str(part) for part in detail["loc"] if part != "[key]")


def describe_error(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what is wrong with a setting of this model, and what would do."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown(detail, model)
    if kind == "missing":
        return f"missing; give {_description(detail, model)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        limit, direction = (context["ge"], "more") if "ge" in context else (context["le"], "less")
        return f"{given} is out of range; give {limit:g} or {direction}"
    if kind == "too_long":
        return f"{len(given)} are too many; give {context['max_length']} or fewer"
    if kind == "literal_error":
        return f"{given!r} won't do; give {context['expected']}"
    if kind in ("model_type", "dict_type"):
        return f"{given!r} isn't an object; give its settings below it (pulumi config set --path)"
    if kind in ("tuple_type", "list_type"):
        return f"{given!r} isn't a list; give a list"
    wanted = {"string": "a text", "int": "a whole number", "float": "a number", "bool": "true or false"}
    return f"{given!r} has the wrong type; give {wanted.get(kind.split('_')[0], detail['msg'].lower())}"


def _section_at(model: type[BaseModel], parents: list[str]) -> type[BaseModel]:
    for parent in parents:
        field = model.model_fields.get(parent)
        model = (section_of(field.annotation) if field else None) or model
    return model


def _description(detail: ErrorDetails, model: type[BaseModel]) -> str:
    *parents, name = [str(part) for part in detail["loc"]]
    return _section_at(model, parents).model_fields[name].description or "it"


def _unknown(detail: ErrorDetails, model: type[BaseModel]) -> str:
    *parents, name = [str(part) for part in detail["loc"]]
    section = _section_at(model, parents)
    near = difflib.get_close_matches(name.split(".")[0], section.model_fields, n=1, cutoff=0.5)
    known = ", ".join(section.model_fields)
    hint = f"did you mean {'.'.join([*parents, near[0]])}?" if near else f"give one of {known}"
    return f"no such setting; {hint}"


def drop_paths(
    config: Mapping[str, object], wrong: list[tuple[int | str, ...]], model: type[BaseModel]
) -> dict[str, object]:
    """Return a copy of the configuration in which the settings at the given places are left out.

    A mistake inside a list or a map of texts drops the whole of it: its neighbours mean nothing alone. One in a setting that
    its section can't do without drops the section.
    """
    clean = _copied(config)
    for place in wrong:
        *parents, last = [str(part) for part in place[: depth_in_sections(model, place)]]
        field = _section_at(model, parents).model_fields.get(last)
        if field and field.is_required():
            *parents, last = parents
        _remove(clean, parents, last)
    return clean


def _copied(value: Mapping[str, object]) -> dict[str, object]:
    return {key: _copied(item) if isinstance(item, Mapping) else item for key, item in value.items()}


def _remove(config: dict[str, object], parents: list[str], name: str) -> None:
    section: object = config
    for parent in parents:
        section = section.get(parent) if isinstance(section, dict) else None
    if isinstance(section, dict):
        section.pop(name, None)
