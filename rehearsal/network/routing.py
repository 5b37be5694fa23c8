"""Which record Route 53 answers with, and when it takes a resource for healthy.

Owns: the choice among records (simple, failover, latency) and the status of a health check, given an alarm's state or
its children's statuses.
Does not own: reading records, checks and metric data (route53.py), or an alarm's state (cloudwatch.py). Pure.
Invariant: a name that has records always has an answer, however unhealthy all of them are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rehearsal.network.alarms import AlarmRule, AlarmState, MissingData, UnsupportedAlarm

STANDARD_RESOLUTION_SECONDS = 60
MOST_CHILDREN = 255


class HealthStatus(StrEnum):
    """What Route 53 takes a record's resource for."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"

    def inverted(self) -> HealthStatus:
        """Return the opposite."""
        return HealthStatus.UNHEALTHY if self is HealthStatus.HEALTHY else HealthStatus.HEALTHY


class UnsupportedRecord(ValueError):
    """A record or health check of a kind that isn't covered here: an error, never a guess."""


class RefusedHealthCheck(ValueError):
    """A health check that Route 53 would not have created."""


# --- Records ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DnsRecord:
    """A record set. `failover` is PRIMARY or SECONDARY, `latency_region` the region of a latency record."""

    name: str
    type: str
    values: tuple[str, ...]
    ttl_seconds: int
    id: str = ""
    failover: str | None = None
    latency_region: str | None = None
    health_check_id: str | None = None

    @classmethod
    def from_description(cls, record: Mapping[str, Any]) -> DnsRecord:
        """Read one that ListResourceRecordSets answers.

        Raises:
            UnsupportedRecord: an alias, or a routing policy other than simple, failover and latency.
        """
        other = {
            "AliasTarget",
            "Weight",
            "GeoLocation",
            "MultiValueAnswer",
            "CidrRoutingConfig",
            "GeoProximityLocation",
        }
        found = sorted(other & set(record))
        if found:
            raise UnsupportedRecord(f"{record['Name']} {record['Type']}: {', '.join(found)} is not covered")
        return cls(
            name=canonical(record["Name"]),
            type=record["Type"],
            values=tuple(value["Value"] for value in record["ResourceRecords"]),
            ttl_seconds=int(record["TTL"]),
            id=record.get("SetIdentifier", ""),
            failover=record.get("Failover"),
            latency_region=record.get("Region"),
            health_check_id=record.get("HealthCheckId"),
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The record that answers, and why this one."""

    record: DnsRecord
    reason: str


def choose(records: Sequence[DnsRecord], health: Mapping[str, HealthStatus], *, from_region: str) -> Choice:
    """Choose among all records of one name and type; a record without a check counts as healthy.

    Source: "How Amazon Route 53 chooses records when health checking is configured".
    Raises: UnsupportedRecord for several simple records, or failover records that aren't one pair.
    """
    if all(record.failover for record in records):
        return _choose_failover(records, health)
    if all(record.latency_region for record in records):
        return _choose_latency(records, health, from_region)
    if len(records) == 1:
        # A health check changes nothing here: when no record is healthy, all of them count as healthy.
        return Choice(record=records[0], reason="simple record")
    raise UnsupportedRecord(f"{records[0].name}: records of different kinds under one name")


def _is_healthy(record: DnsRecord, health: Mapping[str, HealthStatus]) -> bool:
    return record.health_check_id is None or health[record.health_check_id] is HealthStatus.HEALTHY


def _choose_failover(records: Sequence[DnsRecord], health: Mapping[str, HealthStatus]) -> Choice:
    pair = {record.failover: record for record in records}
    if set(pair) != {"PRIMARY", "SECONDARY"} or len(records) != 2:
        raise UnsupportedRecord(f"{records[0].name}: failover records must be one primary and one secondary")
    primary, secondary = pair["PRIMARY"], pair["SECONDARY"]
    if _is_healthy(primary, health):
        return Choice(record=primary, reason="primary is healthy")
    if _is_healthy(secondary, health):
        return Choice(record=secondary, reason="primary is unhealthy, secondary is not")
    return Choice(record=primary, reason="primary and secondary are unhealthy: the primary answers")


def _choose_latency(records: Sequence[DnsRecord], health: Mapping[str, HealthStatus], from_region: str) -> Choice:
    healthy = [record for record in records if _is_healthy(record, health)]
    # The own region is the nearest; beyond it only AWS's measurements know, and the order of names stands in for them.
    nearest = min(
        healthy or records, key=lambda record: (record.latency_region != from_region, record.latency_region or "")
    )
    if not healthy:
        return Choice(record=nearest, reason="no record is healthy: all count as healthy")
    return Choice(record=nearest, reason=f"lowest latency from {from_region} among the healthy")


def canonical(name: str) -> str:
    """Return a DNS name in small letters and without the dot at its end."""
    return name.lower().rstrip(".")


# --- Health ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Route53HealthCheck:
    """A health check on a CloudWatch metric, or one that counts others (`children`, of which `threshold` must be healthy)."""

    id: str
    alarm_name: str | None = None
    alarm_region: str | None = None
    insufficient_data: str = "LastKnownStatus"
    inverted: bool = False
    disabled: bool = False
    children: tuple[str, ...] = ()
    threshold: int = 0

    @property
    def is_calculated(self) -> bool:
        """Whether it counts other checks."""
        return self.alarm_name is None

    @classmethod
    def from_description(cls, check: Mapping[str, Any]) -> Route53HealthCheck:
        """Read one that GetHealthCheck answers.

        Raises:
            UnsupportedRecord: it watches an endpoint or a routing control: neither exists in a rehearsal.
        """
        config = check["HealthCheckConfig"]
        if config["Type"] not in ("CLOUDWATCH_METRIC", "CALCULATED"):
            raise UnsupportedRecord(f"health check {check['Id']}: type {config['Type']} is not covered")
        alarm = config.get("AlarmIdentifier") or {}
        return cls(
            id=check["Id"],
            alarm_name=alarm.get("Name"),
            alarm_region=alarm.get("Region"),
            insufficient_data=config.get("InsufficientDataHealthStatus") or "LastKnownStatus",
            inverted=bool(config.get("Inverted")),
            disabled=bool(config.get("Disabled")),
            children=tuple(config.get("ChildHealthChecks", ())),
            threshold=int(config.get("HealthThreshold", 0)),
        )


def health_of_alarm(check: Route53HealthCheck, state: AlarmState, last_known: HealthStatus | None) -> HealthStatus:
    """Return a check's status before `Inverted` and `Disabled`. `last_known` is that of the last sufficient data.

    Source: "How Amazon Route 53 determines whether a health check is healthy"; "HealthCheckConfig" in the API reference.
    """
    if state is AlarmState.OK:
        return HealthStatus.HEALTHY
    if state is AlarmState.ALARM:
        return HealthStatus.UNHEALTHY
    match check.insufficient_data:
        case "Healthy":
            return HealthStatus.HEALTHY
        case "Unhealthy":
            return HealthStatus.UNHEALTHY
        case _:
            # A new check that never had data counts as healthy.
            return last_known or HealthStatus.HEALTHY


def health_of_children(check: Route53HealthCheck, children: Iterable[HealthStatus]) -> HealthStatus:
    """Return a calculated check's status before `Inverted` and `Disabled`, from the final statuses of its children.

    A threshold of 0 is always reached, and one above the number of children never is.
    Source: "How Amazon Route 53 determines whether a health check is healthy"; "HealthCheckConfig" in the API reference.
    """
    healthy_count = sum(status is HealthStatus.HEALTHY for status in children)
    return HealthStatus.HEALTHY if healthy_count >= check.threshold else HealthStatus.UNHEALTHY


def require_supported_children(check: Route53HealthCheck, children: Iterable[Route53HealthCheck]) -> None:
    """Refuse a calculated check that Route 53 doesn't take.

    Raises: RefusedHealthCheck. Source: "Values that you specify when you create or update health checks": a calculated
    check can't monitor other calculated checks; "How Amazon Route 53 determines ...": up to 255 children.
    """
    if len(check.children) > MOST_CHILDREN:
        raise RefusedHealthCheck(f"health check {check.id}: {len(check.children)} children, {MOST_CHILDREN} at most")
    calculated = sorted(child.id for child in children if child.is_calculated)
    if calculated:
        raise RefusedHealthCheck(
            f"health check {check.id} can't watch calculated health checks: {', '.join(calculated)}"
        )


def final_status(check: Route53HealthCheck, status: HealthStatus) -> HealthStatus:
    """Apply `Disabled` (then it counts as healthy, whatever the data) and, after it, `Inverted`."""
    if check.disabled:
        status = HealthStatus.HEALTHY
    return status.inverted() if check.inverted else status


def require_supported_alarm(rule: AlarmRule) -> None:
    """Refuse an alarm (not scaled) on which Route 53 takes no health check.

    Raises: UnsupportedAlarm. Source: "Values that you specify when you create or update health checks": standard-resolution
    metrics only, and no "M out of N". "CloudWatchAlarmConfiguration" in the API reference: how the alarm treats missing
    data is not among what a check takes over. "Setting up the Route 53 health check for EventBridge global endpoints"
    reads as if it were: so it must make no difference.
    """
    if rule.period_seconds < STANDARD_RESOLUTION_SECONDS:
        raise UnsupportedAlarm(f"{rule.name}: Route 53 takes periods of 60 s or more, not {rule.period_seconds:g} s")
    if rule.datapoints_to_alarm != rule.evaluation_periods:
        raise UnsupportedAlarm(
            f"{rule.name}: Route 53 takes no M out of N ({rule.datapoints_to_alarm} of {rule.evaluation_periods})"
        )
    if rule.missing_data is not MissingData.MISSING:
        raise UnsupportedAlarm(
            f"{rule.name}: whether a health check takes missing data for {rule.missing_data} is not documented; leave it"
            " missing, and say at the check what it means"
        )
