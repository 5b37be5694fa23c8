"""Reader for a function's environment variables that reports all problems in one error."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


class EnvironmentProblemError(ValueError):
    """Environment variables are missing or malformed; one line for each."""


class EnvironmentReader:
    """Reads variables and collects the problems until `raise_problems`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def text(self, name: str, *, default: str = "", pattern: str = ".+", allowed: str = "a value") -> str:
        """Return the variable's text, without surrounding white space."""
        value = self._environ.get(name, default).strip()
        if not value:
            self._problems.append(f"{name}: is missing. Set it to {allowed}.")
        elif not re.fullmatch(pattern, value, re.DOTALL):
            self._problems.append(f"{name}: {value!r} is not allowed. Set it to {allowed}.")
        return value

    def parse(
        self, name: str, parser: Callable[[str], Value], *, fallback: Value, allowed: str, default: str = ""
    ) -> Value:
        """Return the parsed variable; `fallback` if it is missing or the parser raises ValueError, TypeError or KeyError."""
        value = self.text(name, default=default, allowed=allowed)
        if not value:
            return fallback
        try:
            return parser(value)
        except (ValueError, TypeError, KeyError):
            self._problems.append(f"{name}: {value!r} is not allowed. Set it to {allowed}.")
            return fallback

    def file(self, name: str, default: Path) -> Path:
        """Return the path of an existing file."""
        path = Path(self._environ.get(name) or default)
        if not path.is_file():
            self._problems.append(f"{name}: {path} does not exist. Set it to the path of an existing file.")
        return path

    def raise_problems(self) -> None:
        """Raise EnvironmentProblemError if any variable was missing or malformed."""
        if self._problems:
            raise EnvironmentProblemError("\n".join(self._problems))
