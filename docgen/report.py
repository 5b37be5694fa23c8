"""docs/reference/report.md: every key of report.json, from its JSON Schema."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).resolve().parent.parent / "rehearsal" / "report" / "report.schema.json"

HEAD = """\
# report.json

Generated from `rehearsal/report/report.schema.json` by `python -m docgen` (`make docs`); do not edit.

`python -m rehearsal` writes it beside `report.html`, and prints it with `--json`.
The tests validate every report against this JSON Schema (draft 2020-12), which allows no other keys.
{description}

```console
$ jq -r '.drills[] | select(.passed | not) | .name' rehearsal-report/report.json
$ jq '.drills[] | select(.name == "region-lost") | .measurements' rehearsal-report/report.json
```

## The report

"""


def report_page() -> str:
    """Return the page.

    Raises:
        ValueError: a definition of the schema is unused.
    """
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    definitions: Mapping[str, Any] = schema["$defs"]
    used = {name for one in (schema, *definitions.values()) for name in _references(one)}
    if unused := sorted(set(definitions) - used):
        raise ValueError(f"unused definitions in the schema: {', '.join(unused)}. Remove or reference them.")
    parts = [HEAD.format(description=schema["description"]), *_table(schema)]
    for name, definition in definitions.items():
        parts += [f"\n## {name}\n\n", *_table(definition)]
        for key, one in definition["properties"].items():
            if "properties" in one.get("items", {}):
                parts += [f"\nEach of `{key}`:\n\n", *_table(one["items"])]
    return "".join(parts)


def _table(part: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | type | description |\n| --- | --- | --- |\n"
    for name, one in part["properties"].items():
        optional = "" if name in part["required"] else " (may be missing)"
        yield f"| `{name}`{optional} | {_type(one)} | {_cell(one['description'])} |\n"


def _type(one: Mapping[str, Any]) -> str:
    """Return the type, linked to its description."""
    if "$ref" in one:
        name = one["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name})"
    if "oneOf" in one:
        return " or ".join(_type(each) for each in one["oneOf"])
    if "enum" in one:
        return " or ".join(f"`{json.dumps(value)}`" for value in one["enum"])
    if "const" in one:
        return f"`{json.dumps(one['const'])}`"
    kind = one["type"]
    if kind == "array":
        items = one["items"]
        return "list of objects" if "properties" in items else f"list of {_type(items)}"
    if kind == "object" and isinstance(one.get("additionalProperties"), dict):
        return f"object of {_type(one['additionalProperties'])}"
    return " or ".join(kind) if isinstance(kind, list) else kind


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rsplit("/", 1)[-1]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
