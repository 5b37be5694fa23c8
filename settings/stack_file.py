"""The configuration of a stack in Pulumi.yaml and Pulumi.<stack>.yaml, without the Pulumi CLI."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


class StackFileError(ValueError):
    """A file that cannot be used; `message` is the reason, `hint` the next step."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(f"{message}. {hint}")
        self.message = message
        self.hint = hint


def project_name(directory: Path) -> str:
    """Return the project's name from Pulumi.yaml. Raises StackFileError."""
    name = _read(directory / "Pulumi.yaml").get("name")
    if not isinstance(name, str) or not name:
        raise StackFileError("Pulumi.yaml: the project has no name", hint="Add `name`.")
    return name


def read_stack_file(directory: Path, stack: str) -> dict[str, object]:
    """Return a stack's configuration over the project's defaults, with full keys.

    Raises:
        StackFileError: a file is missing or malformed, or has an encrypted value.
    """
    project, file = project_name(directory), directory / f"Pulumi.{stack}.yaml"
    found: dict[str, object] = {}
    for key, value in (_read(directory / "Pulumi.yaml").get("config") or {}).items():
        default = value.get("value", value.get("default")) if isinstance(value, Mapping) else value
        if default is not None:
            found[full_key(project, key)] = default
    found |= {full_key(project, key): value for key, value in (_read(file).get("config") or {}).items()}
    if encrypted := sorted(_encrypted(found)):
        raise StackFileError(
            f"{file.name}: {', '.join(encrypted)} is encrypted, and only the Pulumi CLI can read it",
            hint="No setting of this program is a secret: set it again without --secret.",
        )
    return found


def full_key(project: str, key: str) -> str:
    """Return a key with its namespace; a key without one belongs to the project."""
    return key if ":" in key else f"{project}:{key}"


class _RepeatedKeyError(Exception):
    """A mapping has a key twice: Pulumi refuses the file, YAML's own reader takes the last value."""


class _StackFileLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # Not a setting; the reader refuses a key that cannot be one.
            if key.value in seen:
                raise _RepeatedKeyError(f"line {key.start_mark.line + 1}: {key.value} is set twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, _StackFileLoader)
    except OSError as error:
        stacks = ", ".join(sorted(each.name.split(".")[1] for each in path.parent.glob("Pulumi.*.yaml"))) or "none"
        raise StackFileError(f"{path.name}: {error.strerror}", hint=f"Use one of the stacks: {stacks}.") from error
    except UnicodeDecodeError as error:
        raise StackFileError(f"{path.name}: not UTF-8 text", hint="Save the file in UTF-8.") from error
    except _RepeatedKeyError as error:
        raise StackFileError(f"{path.name}, {error}", hint="Remove one of the two.") from error
    except yaml.MarkedYAMLError as error:
        # At the end of the text the mark is after the last line.
        number = min(error.problem_mark.line + 1 if error.problem_mark else 1, max(1, len(text.splitlines())))
        raise StackFileError(
            f"{path.name}, line {number}: not YAML: {(text.splitlines() or [''])[number - 1].strip()!r}",
            hint="Correct the indentation (spaces, no tabs), the colons, brackets and quotes of this line and those before it.",
        ) from error
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise StackFileError(
            f"{path.name}, line {number}: not YAML: it contains a control character", hint="Delete that character."
        ) from error
    if not isinstance(content, dict):
        raise StackFileError(f"{path.name}: not a mapping of settings", hint="Copy Pulumi.dev.yaml and adapt it.")
    return content


def _encrypted(value: object, key: str = "") -> Iterator[str]:
    """Yield the keys of encrypted values (`secure: v1:...`) at any depth."""
    if isinstance(value, Mapping):
        if set(value) == {"secure"}:
            yield key
            return
        for name, inner in value.items():
            yield from _encrypted(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _encrypted(inner, key)
