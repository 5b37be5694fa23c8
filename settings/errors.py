"""The error that lists every mistake in a configuration, and the text of each kind of mistake."""

import difflib
import types
import typing
from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails


class SettingsError(ValueError):
    """All mistakes in a stack's settings, one line each: `<setting>: <what is wrong>. <what to do>.`"""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(mistakes))


def section_of(annotation: object) -> type[BaseModel] | None:
    """Return the model of a field that is a section, optional or not; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next((found for part in typing.get_args(annotation) if (found := section_of(part))), None)
    return None


def _depth_in_sections(model: type[BaseModel], location: tuple[int | str, ...]) -> int:
    """Return the number of parts that lead to a setting; the other parts are inside a list or map."""
    section: type[BaseModel] | None = model
    for depth, part in enumerate(location, start=1):
        field = section.model_fields.get(str(part)) if section else None
        section = section_of(field.annotation) if field else None
        if section is None:
            return depth
    return len(location)


def path(detail: ErrorDetails) -> str:
    """Return a setting's path, such as `primary.region`."""
    return ".".join(str(part) for part in detail["loc"] if part != "[key]")


def describe_error(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Return the text of one mistake: what is wrong and what to do."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown(detail, model)
    if kind == "missing":
        return f"missing. Set {_description(detail, model)}."
    if kind in ("greater_than_equal", "less_than_equal"):
        limit, direction = (context["ge"], "more") if "ge" in context else (context["le"], "less")
        return f"{given} is out of range. Use {limit:g} or {direction}."
    if kind == "too_long":
        return f"{len(given)} entries are too many. Use {context['max_length']} or fewer."
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "")
        unquoted = f" Remove the quotes of {given!r}." if isinstance(given, str) and given.isdecimal() else ""
        return f"{given!r} is not allowed. Use {allowed}.{unquoted}"
    if kind in ("model_type", "dict_type"):
        return f"{given!r} is not an object. Set the settings below it (pulumi config set --path)."
    if kind in ("tuple_type", "list_type"):
        return f"{given!r} is not a list. Use a list."
    expected = {
        "string": "a string",
        "int": "a whole number",
        "float": "a number",
        "finite": "a number",
        "bool": "true or false",
    }
    return f"{given!r} has the wrong type. Use {expected.get(kind.split('_')[0], detail['msg'].lower())}."


def _section_at(model: type[BaseModel], parents: list[str]) -> type[BaseModel]:
    for parent in parents:
        field = model.model_fields.get(parent)
        model = (section_of(field.annotation) if field else None) or model
    return model


def _description(detail: ErrorDetails, model: type[BaseModel]) -> str:
    *parents, name = [str(part) for part in detail["loc"]]
    return _section_at(model, parents).model_fields[name].description or "a value"


def _unknown(detail: ErrorDetails, model: type[BaseModel]) -> str:
    *parents, name = [str(part) for part in detail["loc"]]
    section = _section_at(model, parents)
    near = difflib.get_close_matches(name.split(".")[0], section.model_fields, n=1, cutoff=0.5)
    known = ", ".join(section.model_fields)
    hint = f"Did you mean {'.'.join([*parents, near[0]])}?" if near else f"Use one of {known}."
    return f"no such setting. {hint}"


def drop_paths(
    config: Mapping[str, object], wrong: list[tuple[int | str, ...]], model: type[BaseModel]
) -> dict[str, object]:
    """Return a copy of the configuration without the settings at the given locations.

    A mistake inside a list or map drops the whole list or map. A mistake in a required setting drops its section.
    """
    clean = _copied(config)
    for location in wrong:
        *parents, last = [str(part) for part in location[: _depth_in_sections(model, location)]]
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
