"""AWS resource schemas and API data as cfn-lint publishes them.

cfn-lint is a development dependency: neither the program nor the functions import this module.
"""

import functools
import json
from importlib import resources
from typing import Any

SCHEMAS = "cfnlint.data.schemas"
ANY_REGION = "us-east-1"
"""A region with every resource type; a schema is the same in all regions."""


@functools.cache
def schema(resource_type: str) -> dict[str, Any]:
    """Return AWS's schema of a CloudFormation type such as `AWS::RDS::DBCluster`.

    Raises:
        KeyError: the type does not exist.
    """
    return _read("resources", f"{_files_of_types()[resource_type]}.json")


@functools.cache
def extension(folder: str, name: str) -> dict[str, Any]:
    """Return data that cfn-lint adds from AWS APIs, such as the instance classes of each region."""
    return _read(f"extensions.{folder}", f"{name}.json")


@functools.cache
def _files_of_types() -> dict[str, str]:
    return _read("providers", f"{ANY_REGION}.json")


def _read(folder: str, name: str) -> dict[str, Any]:
    return json.loads(resources.files(f"{SCHEMAS}.{folder}").joinpath(name).read_text(encoding="utf-8"))
