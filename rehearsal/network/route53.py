"""Route 53's DNS answers for private zones, from the deployed zones, records and health checks.

The embedded AWS stores zones, records and health checks, but does not answer queries or evaluate health. Health follows metric
data, not alarm states. Route 53 reacts to a change within seconds; this module reacts at once.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.network.alarms import AlarmReader, AlarmRule, AlarmState, Sample, evaluate
from rehearsal.network.route53_routing import (
    DnsRecord,
    HealthStatus,
    Route53HealthCheck,
    canonical,
    choose,
    final_status,
    health_of_alarm,
    health_of_children,
    require_supported_alarm,
    require_supported_children,
)
from rehearsal.support.clients import ClientFactory

ROUTE_53_REGION = "us-east-1"

_RDS_ENDPOINT_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com\.?$")


@dataclass(frozen=True, kw_only=True)
class DnsAnswer:
    """The answer to a query. Without `values` the DNS name does not exist, for the given `reason`."""

    values: tuple[str, ...] = ()
    ttl_seconds: int = 0
    record_id: str | None = None
    region: str | None = None
    """The region of the RDS endpoint in the first value, or None."""
    health: Mapping[str, HealthStatus] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class _Zone:
    """A private hosted zone; `vpcs` are pairs of region and VPC id."""

    name: str
    vpcs: frozenset[tuple[str, str]]
    records: tuple[DnsRecord, ...]
    checks: Mapping[str, Route53HealthCheck]
    alarms: Mapping[str, AlarmRule]


class PrivateDns:
    """Route 53 for private zones, read through boto3. Thread-safe.

    `time_scale` divides alarm periods (see AlarmReader). Metric data of the `failed_regions` counts as missing from the time
    of the failure on. Zones, records, checks and alarm definitions are cached for `cache_seconds`. With `metric_writes`, which
    counts the writes of metric data in a region, data are read again only after a write.
    """

    def __init__(
        self,
        clients: ClientFactory,
        *,
        time_scale: float = 1.0,
        failed_regions: Callable[[], Collection[str]] = lambda: (),
        metric_writes: Callable[[str], int] | None = None,
        cache_seconds: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._alarms = AlarmReader(clients, time_scale=time_scale)
        self._failed_regions = failed_regions
        self._metric_writes = metric_writes
        self._samples: dict[str, tuple[int, list[Sample]]] = {}
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._zones: tuple[_Zone, ...] = ()
        self._read_at: float | None = None
        self._failed_since: dict[str, float] = {}
        self._last_known: dict[str, HealthStatus] = {}
        self._alarm_states: dict[str, AlarmState] = {}
        self._lock = threading.RLock()

    def resolve(
        self, name: str, record_type: str = "CNAME", *, from_region: str, from_vpc: str | None = None
    ) -> DnsAnswer:
        """Answer a query from `from_vpc`, or by default from any associated VPC of the region.

        Raises:
            UnsupportedRecord, UnsupportedAlarm, RefusedHealthCheck, LookupError: the zone has a record, alarm or health check
                that is not supported or does not exist.
        """
        with self._lock:
            self._refresh()
            host_name = canonical(name)
            zone = self._zone_of(host_name)
            if zone is None:
                return DnsAnswer(reason=f"no private zone for {host_name}")
            if not _is_associated(zone, from_region, from_vpc):
                return DnsAnswer(
                    reason=f"zone {zone.name} is not associated with {from_vpc or f'a VPC in {from_region}'}"
                )
            records = [record for record in zone.records if record.name == host_name and record.type == record_type]
            if not records:
                return DnsAnswer(reason=f"no {record_type} record {host_name} in zone {zone.name}")
            health = self._health(zone, [record.health_check_id for record in records if record.health_check_id])
            choice = choose(records, health, from_region=from_region)
            return DnsAnswer(
                values=choice.record.values,
                ttl_seconds=choice.record.ttl_seconds,
                record_id=choice.record.id or None,
                region=_region_of(choice.record.values),
                health=health,
                reason=choice.reason,
            )

    def health(self) -> dict[str, HealthStatus]:
        """Evaluate the health checks that records of all zones use, by id."""
        with self._lock:
            self._refresh()
            found: dict[str, HealthStatus] = {}
            for zone in self._zones:
                found.update(self._health(zone, [r.health_check_id for r in zone.records if r.health_check_id]))
            return found

    def change_time_scale(self, time_scale: float) -> None:
        """Divide alarm periods by another factor from now on."""
        with self._lock:
            self._alarms.time_scale = time_scale
            self.forget()

    def forget(self) -> None:
        """Clear the cache of zones, records, checks, alarms and samples. Last known statuses stay."""
        with self._lock:
            self._read_at = None
            self._samples.clear()

    def _zone_of(self, name: str) -> _Zone | None:
        # Only the most specific zone answers.
        matching = [zone for zone in self._zones if name == zone.name or name.endswith(f".{zone.name}")]
        return max(matching, key=lambda zone: len(zone.name), default=None)

    def _health(self, zone: _Zone, check_ids: Iterable[str]) -> dict[str, HealthStatus]:
        now = self._clock()
        failed = set(self._failed_regions())
        self._failed_since = {region: self._failed_since.get(region, now) for region in failed}
        return {check_id: self._status(zone, check_id, now) for check_id in dict.fromkeys(check_ids)}

    def _status(self, zone: _Zone, check_id: str, now: float) -> HealthStatus:
        check = zone.checks[check_id]
        if check.is_calculated:
            children = [self._status(zone, child, now) for child in check.children]
            return final_status(check, health_of_children(check, children))
        state = self._alarm_state(check, zone.alarms[check_id], now)
        status = health_of_alarm(check, state, self._last_known.get(check_id))
        if state is not AlarmState.INSUFFICIENT_DATA:
            self._last_known[check_id] = status
        return final_status(check, status)

    def _alarm_state(self, check: Route53HealthCheck, rule: AlarmRule, now: float) -> AlarmState:
        region = check.alarm_region or ""
        failed_since = self._failed_since.get(region, now + 1)
        samples = [sample for sample in self._read_samples(check.id, rule, region, now) if sample.at < failed_since]
        previous = self._alarm_states.get(check.id, AlarmState.INSUFFICIENT_DATA)
        state = evaluate(rule.datapoints(samples, now), rule, previous)
        self._alarm_states[check.id] = state
        return state

    def _read_samples(self, check_id: str, rule: AlarmRule, region: str, now: float) -> list[Sample]:
        if self._metric_writes is None:
            return self._alarms.samples(rule, region, now)
        writes = self._metric_writes(region)  # before reading: a write in between causes one more read
        if self._samples.get(check_id, (-1,))[0] != writes:
            self._samples[check_id] = writes, self._alarms.samples(rule, region, now)
        return self._samples[check_id][1]

    def _refresh(self) -> None:
        now = self._clock()
        if self._read_at is not None and now - self._read_at < self._cache_seconds:
            return
        client = self._clients("route53", ROUTE_53_REGION)
        found = [zone for page in client.get_paginator("list_hosted_zones").paginate() for zone in page["HostedZones"]]
        private = [zone for zone in found if zone.get("Config", {}).get("PrivateZone")]
        self._zones = tuple(self._read_zone(client, zone["Id"]) for zone in private)
        self._read_at = now

    def _read_zone(self, client: Any, zone_id: str) -> _Zone:
        response = client.get_hosted_zone(Id=zone_id)
        pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        described = [record for page in pages for record in page["ResourceRecordSets"]]
        records = tuple(
            DnsRecord.from_description(record) for record in described if record["Type"] not in ("NS", "SOA")
        )
        checks = self._read_checks(client, [record.health_check_id for record in records if record.health_check_id])
        return _Zone(
            name=canonical(response["HostedZone"]["Name"]),
            vpcs=frozenset((vpc["VPCRegion"], vpc["VPCId"]) for vpc in response.get("VPCs", [])),
            records=records,
            checks=checks,
            alarms={
                check.id: self._read_alarm(check.alarm_name, check.alarm_region or "")
                for check in checks.values()
                if check.alarm_name is not None
            },
        )

    def _read_checks(self, client: Any, check_ids: Iterable[str]) -> dict[str, Route53HealthCheck]:
        checks: dict[str, Route53HealthCheck] = {}
        pending = list(check_ids)
        while pending:
            check_id = pending.pop()
            if check_id not in checks:
                check = Route53HealthCheck.from_description(
                    client.get_health_check(HealthCheckId=check_id)["HealthCheck"]
                )
                checks[check_id] = check
                pending.extend(check.children)
        for check in checks.values():
            require_supported_children(check, (checks[child] for child in check.children))
        return checks

    def _read_alarm(self, name: str, region: str) -> AlarmRule:
        rule = self._alarms.definition(name, region)
        require_supported_alarm(rule)
        return rule.scaled(self._alarms.time_scale)


def _is_associated(zone: _Zone, region: str, vpc_id: str | None) -> bool:
    if vpc_id is not None:
        return (region, vpc_id) in zone.vpcs
    return any(vpc_region == region for vpc_region, _vpc_id in zone.vpcs)


def _region_of(values: Sequence[str]) -> str | None:
    match = _RDS_ENDPOINT_REGION.search(values[0]) if values else None
    return match[1] if match is not None else None
