"""Attribute docstrings, read from the source because Python discards them."""

import ast
import inspect
import textwrap
from collections.abc import Mapping


def attribute_docstrings(kind: type) -> Mapping[str, str]:
    """Return the docstring of each annotated attribute of a class; empty for an attribute without a docstring.

    Raises:
        OSError: the class has no source file.
    """
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"{kind.__name__} is not a class")
    following = [*definition.body[1:], None]
    return {
        line.target.id: _text(after)
        for line, after in zip(definition.body, following, strict=True)
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }


def _text(line: ast.stmt | None) -> str:
    if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str):
        return " ".join(line.value.value.split())
    return ""
