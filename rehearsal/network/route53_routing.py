"""Route 53's choice among records (simple, failover, latency) and the status of health checks. Pure functions.

A name with records always has an answer, even if no record is healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rehearsal.network.alarms import AlarmRule, AlarmState, MissingData, UnsupportedAlarm

STANDARD_RESOLUTION_SECONDS = 60
MAX_CHILDREN = 255
_UNSUPPORTED_KEYS = frozenset(
    ("AliasTarget", "Weight", "GeoLocation", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation")
)


class HealthStatus(StrEnum):
    """The status of a health check."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class UnsupportedRecord(ValueError):
    """A kind of record or health check that is not supported."""


class RefusedHealthCheck(ValueError):
    """A health check that Route 53 refuses to create."""


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
        """Convert a record set of ListResourceRecordSets.

        Raises:
            UnsupportedRecord: an alias, or a routing policy other than simple, failover and latency.
        """
        unsupported = sorted(_UNSUPPORTED_KEYS & set(record))
        if unsupported:
            raise UnsupportedRecord(f"{record['Name']} {record['Type']}: {', '.join(unsupported)} is not supported")
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
    """The chosen record and the reason."""

    record: DnsRecord
    reason: str


def choose(records: Sequence[DnsRecord], health: Mapping[str, HealthStatus], *, from_region: str) -> Choice:
    """Choose among all records of one name and type. A record without a health check counts as healthy.

    Raises:
        UnsupportedRecord: several simple records, or failover records other than one pair.

    Source: "How Amazon Route 53 chooses records when health checking is configured".
    """
    if all(record.failover for record in records):
        return _choose_failover(records, health)
    if all(record.latency_region for record in records):
        return _choose_latency(records, health, from_region)
    if len(records) == 1:
        # Its health has no effect: if no record is healthy, all count as healthy.
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
    return Choice(record=primary, reason="primary and secondary are unhealthy, so the primary answers")


def _choose_latency(records: Sequence[DnsRecord], health: Mapping[str, HealthStatus], from_region: str) -> Choice:
    healthy = [record for record in records if _is_healthy(record, health)]
    # The client's own region has the lowest latency. Other regions are ordered by name, for lack of AWS's measurements.
    nearest = min(
        healthy or records, key=lambda record: (record.latency_region != from_region, record.latency_region or "")
    )
    if not healthy:
        return Choice(record=nearest, reason="no record is healthy, so all count as healthy")
    return Choice(record=nearest, reason=f"lowest latency from {from_region} among the healthy records")


def canonical(name: str) -> str:
    """Return a DNS name in lower case without the final dot."""
    return name.lower().rstrip(".")


@dataclass(frozen=True, kw_only=True)
class Route53HealthCheck:
    """A health check on a CloudWatch alarm, or a calculated one (`threshold` of the `children` must be healthy)."""

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
        """Whether the health check is a calculated one."""
        return self.alarm_name is None

    @classmethod
    def from_description(cls, check: Mapping[str, Any]) -> Route53HealthCheck:
        """Convert the health check of GetHealthCheck.

        Raises:
            UnsupportedRecord: the health check is neither CLOUDWATCH_METRIC nor CALCULATED.
        """
        config = check["HealthCheckConfig"]
        if config["Type"] not in ("CLOUDWATCH_METRIC", "CALCULATED"):
            raise UnsupportedRecord(f"health check {check['Id']}: type {config['Type']} is not supported")
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
    """Return a check's status before `Inverted` and `Disabled`. `last_known` is the status with the last sufficient data.

    Source: "How Amazon Route 53 determines whether a health check is healthy"; "HealthCheckConfig" in the API reference.
    """
    if state is AlarmState.OK:
        return HealthStatus.HEALTHY
    if state is AlarmState.ALARM:
        return HealthStatus.UNHEALTHY
    if check.insufficient_data == "LastKnownStatus":
        return last_known or HealthStatus.HEALTHY  # a new check without data counts as healthy
    return HealthStatus(check.insufficient_data.lower())


def health_of_children(check: Route53HealthCheck, children: Iterable[HealthStatus]) -> HealthStatus:
    """Return a calculated check's status before `Inverted` and `Disabled`, from the final statuses of its children.

    Source: "How Amazon Route 53 determines whether a health check is healthy"; "HealthCheckConfig" in the API reference.
    """
    healthy_count = sum(status is HealthStatus.HEALTHY for status in children)
    return HealthStatus.HEALTHY if healthy_count >= check.threshold else HealthStatus.UNHEALTHY


def require_supported_children(check: Route53HealthCheck, children: Iterable[Route53HealthCheck]) -> None:
    """Check that Route 53 accepts the children of a calculated check.

    Raises:
        RefusedHealthCheck: the check has more than 255 children or a calculated child.

    Source: "Values that you specify when you create or update health checks" (no calculated children); "How Amazon Route 53
    determines whether a health check is healthy" (255 children).
    """
    if len(check.children) > MAX_CHILDREN:
        raise RefusedHealthCheck(
            f"health check {check.id}: {len(check.children)} children, at most {MAX_CHILDREN} allowed"
        )
    calculated = sorted(child.id for child in children if child.is_calculated)
    if calculated:
        raise RefusedHealthCheck(
            f"health check {check.id} can't watch calculated health checks: {', '.join(calculated)}"
        )


def final_status(check: Route53HealthCheck, status: HealthStatus) -> HealthStatus:
    """Apply `Disabled` (always healthy) and then `Inverted`."""
    is_healthy = check.disabled or status is HealthStatus.HEALTHY
    return HealthStatus.HEALTHY if is_healthy != check.inverted else HealthStatus.UNHEALTHY


def require_supported_alarm(rule: AlarmRule) -> None:
    """Check that a Route 53 health check can use an alarm (not scaled).

    Raises:
        UnsupportedAlarm: high resolution, "M out of N", or a treatment of missing data other than missing.

    Source: "Values that you specify when you create or update health checks": standard-resolution metrics only, and no
    "M out of N". AWS's pages disagree on whether a check applies the alarm's treatment of missing data
    ("CloudWatchAlarmConfiguration"; "Setting up the Route 53 health check for EventBridge global endpoints").
    """
    if rule.period_seconds < STANDARD_RESOLUTION_SECONDS:
        raise UnsupportedAlarm(f"{rule.name}: Route 53 supports periods of 60 s or more, not {rule.period_seconds:g} s")
    if rule.datapoints_to_alarm != rule.evaluation_periods:
        raise UnsupportedAlarm(
            f"{rule.name}: Route 53 supports no M out of N ({rule.datapoints_to_alarm} of {rule.evaluation_periods})"
        )
    if rule.missing_data is not MissingData.MISSING:
        raise UnsupportedAlarm(
            f"{rule.name}: AWS does not document that a health check treats missing data as {rule.missing_data}."
            " Use missing, and set InsufficientDataHealthStatus on the health check."
        )
