"""IAM actions and their resource types, from the Service Authorization Reference in cfn-lint."""

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

ALLOWED_ON_ALL_RESOURCES: Mapping[str, str] = {
    "cloudwatch:PutMetricData": "metrics have no ARN; narrowed by the key cloudwatch:namespace instead "
    "(Using condition keys to limit access to CloudWatch namespaces)",
    "ec2:AssignPrivateIpAddresses": "Lambda's interfaces have no known ids; the function's own code is denied this action",
    "ec2:CreateNetworkInterface": "as above (Giving Lambda functions access to resources in an Amazon VPC)",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DescribeNetworkInterfaces": "a list call without a resource",
    "ec2:DescribeSubnets": "a list call without a resource",
    "ec2:UnassignPrivateIpAddresses": "as above",
    "rds:DescribeDBClusters": "read-only. The reference has cluster ARNs for it, but it is not verified that AWS accepts them during a "
    "failover, and a denied call prevents a failover (docs/decisions.md)",
    "rds:DescribeGlobalClusters": "as rds:DescribeDBClusters",
}
"""The reasons for the resource `*`, by action. Source: Actions, resources, and condition keys, Service Authorization Reference."""


def exists(action: str) -> bool:
    """Return whether IAM knows an action such as `rds:FailoverGlobalCluster`."""
    service, _, name = action.partition(":")
    return name.lower() in _services().get(service, {}).get("Actions", {})


def resources_of(action: str) -> frozenset[str]:
    """Return the types of resources that an action can be limited to; empty if only `*` is possible."""
    service, _, name = action.partition(":")
    return frozenset(_services()[service]["Actions"][name.lower()].get("Resources", ()))


@functools.cache
def _services() -> dict[str, Any]:
    text = resources.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text(encoding="utf-8")
    return json.loads(text)
