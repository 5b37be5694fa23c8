"""Types of a rehearsal's report, and their JSON (`report.schema.json`)."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rehearsal.report.dashboards import Dashboard
from rehearsal.report.formatting import format_number


class EventKind(StrEnum):
    """Kind of an event, as the page and the terminal show it."""

    OUTAGE = "outage"  # the drill injects a fault
    RECOVERY = "recovery"  # the drill clears a fault
    VERDICT = "verdict"  # a controller's verdict of a cycle
    HELD = "held"  # a guard held a verdict that wanted to act
    CALL = "call"  # an accepted failover or switchover call
    REFUSED = "refused"  # a refused failover or switchover call
    PROMOTION = "promotion"  # a cluster became the writer
    REJOIN = "rejoin"  # a cluster came back as a reader
    DNS = "dns"  # a name resolves differently
    CLIENT = "client"  # an event of the writing client
    NOTICE = "notice"  # a message to the topic's subscribers
    NOTE = "note"  # anything else

    @property
    def label(self) -> str:
        """Display form of the kind."""
        return "DNS" if self is EventKind.DNS else str(self)


class Role(StrEnum):
    """Role of a cluster at a moment."""

    WRITER = "writer"
    STANDBY = "standby"
    UNREACHABLE = "unreachable"
    REJOINING = "rejoining"


class WriteOutcome(StrEnum):
    """Outcome of one client write."""

    ACKNOWLEDGED = "acknowledged"  # acknowledged, and the row still exists at the end
    FAILED = "failed"  # an error or no response
    LOST = "lost"  # acknowledged, but the row is gone


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """A checked condition, its result and the evidence.

    A `timed` condition holds only on a machine that keeps up: it limits seconds, or requires that no request timed out.
    """

    text: str
    passed: bool
    detail: str = ""
    timed: bool = False


@dataclass(frozen=True, kw_only=True)
class TimelineEvent:
    """An event of a drill, in seconds since the drill's zero (negative before it).

    `label` is the text beside its marker in the drawing; the default is the kind.
    """

    seconds: float
    event: str
    kind: EventKind = EventKind.NOTE
    region: str | None = None
    label: str = ""

    @property
    def marker(self) -> str:
        """Text beside the marker: the label, the kind, or empty for a note."""
        return self.label or ("" if self.kind is EventKind.NOTE else self.kind.label)


@dataclass(frozen=True, kw_only=True)
class RoleSpan:
    """A cluster's role over a period."""

    cluster_id: str
    region: str
    role: Role
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class DnsSpan:
    """The region that a name resolved to over a period; None without an answer."""

    name: str
    region: str | None
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class WriteSpan:
    """The client's writes in a period; `acknowledged` includes rows lost later."""

    start_seconds: float
    end_seconds: float
    acknowledged: int = 0
    failed: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        if self.lost > self.acknowledged:
            raise ValueError(f"{self.lost} rows lost of {self.acknowledged} acknowledged at {self.start_seconds} s")


@dataclass(frozen=True, kw_only=True)
class TimeScale:
    """Interval between cycles, in this rehearsal and when deployed. Every period is scaled by their ratio."""

    interval_seconds: float
    deployed_interval_seconds: float = 10.0

    @property
    def factor(self) -> float:
        """How many times shorter every period was than deployed."""
        return self.deployed_interval_seconds / self.interval_seconds

    @property
    def description(self) -> str:
        """The time scale as a sentence."""
        here, deployed = format_number(self.interval_seconds), format_number(self.deployed_interval_seconds)
        if math.isclose(self.factor, 1.0):
            return f"Periods as deployed: the interval is {here} s."
        if self.factor < 1.0:
            return f"Periods as deployed, except the interval: {here} s instead of {deployed} s."
        return (
            f"Periods shortened by a factor of {format_number(self.factor)} (interval {here} s instead of {deployed} s): "
            f"60 s when deployed are {format_number(60 / self.factor)} s here."
        )


@dataclass(frozen=True, kw_only=True)
class DrillResult:
    """Result of one drill.

    `unadvised_writes` are those of the client without the advice of docs/connecting.md.

    `zero` describes second 0. `zero_seconds` and `started_seconds` are counted from the rehearsal's start. `key_measurements`
    name the numbers of the summary (default: the first three). `error` is the reason for an early end. `repeated` is the reason
    why the drill was played again; the result does not count then.

    Raises:
        ValueError: a measurement isn't finite.
    """

    name: str
    title: str
    assertions: tuple[Assertion, ...]
    timeline: tuple[TimelineEvent, ...]
    measurements: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    started_seconds: float = 0.0
    zero_seconds: float = 0.0
    zero: str = "the start of the drill"
    description: str = ""
    roles: tuple[RoleSpan, ...] = ()
    dns: tuple[DnsSpan, ...] = ()
    writes: tuple[WriteSpan, ...] = ()
    unadvised_writes: tuple[WriteSpan, ...] = ()
    key_measurements: tuple[str, ...] = ()
    error: str | None = None
    interval_seconds: float = 0.0
    repeated: str = ""

    def __post_init__(self) -> None:
        for name, value in self.measurements.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"drill {self.name}: measurement {name} is {value}. Omit measurements that have no value."
                )

    @property
    def passed(self) -> bool:
        """Whether the drill ran to its end and every assertion passed; False without assertions."""
        return self.error is None and bool(self.assertions) and all(one.passed for one in self.assertions)

    @property
    def failures(self) -> tuple[Assertion, ...]:
        """The failed assertions."""
        return tuple(one for one in self.assertions if not one.passed)

    @property
    def clusters(self) -> list[tuple[str, str]]:
        """The clusters with known roles and their regions, in order of appearance."""
        return list(dict.fromkeys((span.cluster_id, span.region) for span in self.roles))

    @property
    def key_numbers(self) -> dict[str, float]:
        """The key measurements that have a value, by name."""
        names = self.key_measurements or tuple(self.measurements)[:3]
        return {name: self.measurements[name] for name in names if name in self.measurements}

    def to_json(self) -> dict[str, Any]:
        """Return the drill as in report.json."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "passed": self.passed,
            "error": self.error,
            "repeated": self.repeated,
            "interval_seconds": self.interval_seconds,
            "seconds": self.seconds,
            "started_seconds": self.started_seconds,
            "zero_seconds": self.zero_seconds,
            "zero": self.zero,
            "assertions": [asdict(one) for one in self.assertions],
            "timeline": [_event_json(one) for one in sorted(self.timeline, key=lambda event: event.seconds)],
            "measurements": dict(self.measurements),
            "key_measurements": list(self.key_numbers),
            "lanes": _lanes_json(self),
        }


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The git commit that was rehearsed, and whether files differed from it."""

    id: str
    modified: bool

    @property
    def label(self) -> str:
        """Display form of the commit."""
        return f"{self.id[:12]}, with uncommitted changes" if self.modified else self.id[:12]


@dataclass(frozen=True, kw_only=True)
class Shortened:
    """A period that was shorter than deployed."""

    what: str
    deployed_seconds: float
    here_seconds: float


@dataclass(frozen=True, kw_only=True, order=True)
class UnverifiedProperty:
    """A property that the embedded AWS accepts but does not store, so the rehearsal does not verify it."""

    type: str
    property: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Report of a whole rehearsal.

    `subject` is the global cluster. `started_at` is aware. `settings` include the defaults. `resources` are counted by region
    (or "global") and type. `not_held` are the properties that the embedded AWS does not store. `commit` is None without git.
    `errors` ended the rehearsal outside a drill.

    Raises:
        ValueError: `started_at` isn't aware.
    """

    started_at: datetime
    seconds: float
    subject: str = ""
    time_scale: TimeScale
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    resources: Mapping[str, Mapping[str, int]]
    deployment_seconds: float
    drills: tuple[DrillResult, ...]
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    commit: Commit | None = None
    machine: str = ""
    shortened: tuple[Shortened, ...] = ()
    not_held: tuple[UnverifiedProperty, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()

    def __post_init__(self) -> None:
        if self.started_at.tzinfo is None:
            raise ValueError("started_at must be an aware datetime")

    @property
    def passed(self) -> bool:
        """Whether drills ran, all that count passed, and no other error occurred."""
        return not self.errors and bool(self.counted) and all(drill.passed for drill in self.counted)

    @property
    def counted(self) -> tuple[DrillResult, ...]:
        """The results that count: all without those of drills that were played again."""
        return tuple(drill for drill in self.drills if not drill.repeated)

    @property
    def resource_count(self) -> int:
        """Number of created resources in all regions."""
        return sum(sum(types.values()) for types in self.resources.values())

    def to_json(self) -> dict[str, Any]:
        """Return the report as in report.json. Raises TypeError if a setting isn't JSON."""
        record = {
            "passed": self.passed,
            "subject": self.subject,
            "started_at": self.started_at.isoformat(),
            "seconds": self.seconds,
            "time_scale": {
                "factor": self.time_scale.factor,
                "interval_seconds": self.time_scale.interval_seconds,
                "deployed_interval_seconds": self.time_scale.deployed_interval_seconds,
                "description": self.time_scale.description,
            },
            "commit": None if self.commit is None else asdict(self.commit),
            "machine": self.machine,
            "shortened": [asdict(one) for one in self.shortened],
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "resources": {region: dict(types) for region, types in self.resources.items()},
            "deployment": {"seconds": self.deployment_seconds, "resources": self.resource_count},
            "drills": [drill.to_json() for drill in self.drills],
            "dashboards": [one.to_json() for one in self.dashboards],
            "not_held": [asdict(one) for one in self.not_held],
            "notes": list(self.notes),
            "errors": list(self.errors),
        }
        return json.loads(json.dumps(record))


def _event_json(event: TimelineEvent) -> dict[str, Any]:
    record: dict[str, Any] = {"seconds": event.seconds, "event": event.event, "kind": str(event.kind)}
    return record | {name: text for name, text in (("region", event.region), ("label", event.label)) if text}


def _lanes_json(drill: DrillResult) -> list[dict[str, Any]]:
    lanes: list[dict[str, Any]] = []
    for cluster_id, region in drill.clusters:
        spans = [_span_json(span, role=str(span.role)) for span in drill.roles if span.cluster_id == cluster_id]
        lanes.append({"lane": "role", "cluster_id": cluster_id, "region": region, "spans": spans})
    for name in dict.fromkeys(span.name for span in drill.dns):
        spans = [_span_json(span, region=span.region) for span in drill.dns if span.name == name]
        lanes.append({"lane": "dns", "name": name, "spans": spans})
    for lane, writes in (("writes", drill.writes), ("unadvised-writes", drill.unadvised_writes)):
        if writes:
            spans = [_span_json(one, acknowledged=one.acknowledged, failed=one.failed, lost=one.lost) for one in writes]
            lanes.append({"lane": lane, "spans": spans})
    return lanes


def _span_json(span: RoleSpan | DnsSpan | WriteSpan, **what: str | int | None) -> dict[str, Any]:
    return {"start_seconds": span.start_seconds, "end_seconds": span.end_seconds, **what}
