"""The choice of three availability zones, for a stack whose settings name none.

The choice uses zone ids: in accounts from before November 2025 AWS maps zone names to zones independently in its oldest
regions. Source: AWS Availability Zones, Regions and Availability Zones reference.
"""

from collections.abc import Mapping

ZONES = 3
_LAST = frozenset({"use1-az3"})
"""Zones that are used last. RDS Proxy, Fargate on ARM64 and MSK do not run in this zone of us-east-1, and it lacks current
instance classes. Lambda refuses a function if one of its subnets is in an unsupported zone ("The provided subnets contain
availability zone Lambda doesn't support", keboola/developer-portal issue 81).
"""


def chosen_zones(ids: Mapping[str, str]) -> list[str]:
    """Return up to three zone names in the order of the subnets; `ids` maps zone names to zone ids."""
    return sorted(sorted(ids, key=lambda name: (ids[name] in _LAST, name))[:ZONES])
