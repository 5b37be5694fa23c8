"""XML documents of AWS's query protocol, from dictionaries."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any


def document(name: str, content: Mapping[str, Any], *, namespace: str) -> bytes:
    """Return a document; a list becomes repeated elements."""
    root = ElementTree.Element(name, {"xmlns": namespace} if namespace else {})
    _append(root, content)
    return ElementTree.tostring(root, encoding="utf-8")


def _append(parent: ElementTree.Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        for each in value if isinstance(value, list) else [value]:
            child = ElementTree.SubElement(parent, name)
            if isinstance(each, Mapping):
                _append(child, each)
            else:
                child.text = str(each)
