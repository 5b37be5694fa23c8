"""What cfn-lint's published copies of AWS's own schemas know: properties that force a replacement, zones, classes, versions.

Owns: reading that data. Does not own: what is concluded from it (`rules.replacement`, `rules.offered`).
cfn-lint is a development dependency: neither the program nor the functions import this.
"""

import functools
import json
from importlib import resources
from typing import Any

SCHEMAS = "cfnlint.data.schemas"
ANY_REGION = "us-east-1"
"""The region that has every resource type; a schema says the same in all regions that have it."""


@functools.cache
def schema(resource_type: str) -> dict[str, Any]:
    """Return AWS's schema of a CloudFormation type such as `AWS::RDS::DBCluster`.

    Raises: KeyError, if there is no such type.
    """
    return _read("resources", f"{_files_of_types()[resource_type]}.json")


@functools.cache
def extension(folder: str, name: str) -> dict[str, Any]:
    """Return what cfn-lint adds to a schema from AWS's APIs, such as the instance classes of each region."""
    return _read(f"extensions.{folder}", f"{name}.json")


@functools.cache
def _files_of_types() -> dict[str, str]:
    return _read("providers", f"{ANY_REGION}.json")


def _read(folder: str, name: str) -> dict[str, Any]:
    return json.loads(resources.files(f"{SCHEMAS}.{folder}").joinpath(name).read_text(encoding="utf-8"))
