"""Which three of a region's availability zones a stack takes, if its settings name none.

Owns: the choice, for the program that makes subnets in them and for the preflight that asks what can be had there.
Does not own: what AWS is asked (`components/account`, `operations/preflight_offers`).
Invariant: names say nothing across accounts: in accounts from before November 2025 AWS maps them to zones independently, in
its oldest regions. Only a zone's id does. Source: AWS Availability Zones, Regions and Availability Zones reference.
"""

from collections.abc import Mapping

ZONES = 3
_LAST = frozenset({"use1-az3"})
"""Taken where there is nothing else. RDS Proxy, Fargate on ARM64 and MSK name it as the zone of us-east-1 in which they don't
run, and current instance classes aren't to be had there. Lambda refuses a function whole for one subnet in a zone that it
doesn't support ("The provided subnets contain availability zone Lambda doesn't support", keboola/developer-portal issue 81).
"""


def chosen_zones(ids: Mapping[str, str]) -> list[str]:
    """Return the names of the zones to take, in the order of the subnets, from name -> id; fewer if there are fewer."""
    return sorted(sorted(ids, key=lambda name: (ids[name] in _LAST, name))[:ZONES])
