"""Rules on hosted zones and DNS records."""

import re
from collections.abc import Iterator

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, Stack, Violation, as_list

RECORD, ZONE = "route53/record:Record", "route53/zone:Zone"

MAX_TTL_SECONDS = 60
POLICIES = (
    "failoverRoutingPolicies",
    "latencyRoutingPolicies",
    "weightedRoutingPolicies",
    "geolocationRoutingPolicies",
)


@rule("Best practices for Route 53 health checks and DNS failover: TTL of 60 seconds or less, Route 53 Developer Guide")
def failover_record_ttls_are_short(stack: Stack) -> Iterator[Violation]:
    """Records with a routing policy have a TTL of at most 60 seconds."""
    for r in stack.of_type(RECORD):
        ttl = r.get("ttl")
        if any(r.is_set(policy) for policy in POLICIES) and (not isinstance(ttl, int) or ttl > MAX_TTL_SECONDS):
            yield violation(r, "ttl", f"{ttl} s is too long. Use at most 60 s.")


@rule("Supported DNS record types; DNS domain name format, Route 53 Developer Guide")
def record_names_match_zone(stack: Stack) -> Iterator[Violation]:
    """A record's name is in its zone, and a CNAME has exactly one value."""
    for r in stack.of_type(RECORD):
        for zone in stack.references(r, "zoneId", ZONE):
            apex, name = zone.get("name"), r.get("name")
            if isinstance(name, str) and isinstance(apex, str) and not name.endswith(f".{apex}"):
                yield violation(r, "name", f"{name} is not in {apex}. Choose a name in the zone.")
        if r.get("type") == "CNAME" and r.get("records") is not UNKNOWN and len(as_list(r.get("records"))) != 1:
            yield violation(r, "records", "The CNAME does not have exactly one value. Set one.")


@rule("CreateHostedZone: reserved domains; Working with private hosted zones, Route 53 Developer Guide")
def hosted_zones_are_private(stack: Stack) -> Iterator[Violation]:
    """Every hosted zone belongs to a VPC and has a valid name that is not reserved."""
    for zone in stack.of_type(ZONE):
        if not zone.is_set("vpcs"):
            yield violation(zone, "vpcs", "The zone is public. Attach it to a VPC.")
        name = str(zone.get("name"))
        if re.fullmatch(r"(.+\.)?example\.(com|net|org)\.?", name) or not re.fullmatch(r"[a-z0-9.-]{1,255}", name):
            yield violation(zone, "name", f"{name} is reserved or invalid. Choose another name.")
