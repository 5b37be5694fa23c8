"""What a rehearsal found, as frozen facts, and their JSON.

Owns: the report's types, what follows from them (passed or not), and how report.json spells them (`report.schema.json`
says it to others). Does not own: what is measured or asserted (`drills`), how lanes come of changes (`report_lanes`), the
dashboards' facts (`report_dashboards`), any drawing, the files (`report_files`).
Invariant: nothing here says "passed" by itself; it follows from the assertions alone, and no assertions is not passed.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rehearsal.report.dashboards import Dashboard
from rehearsal.report.formatting import shown


class EventKind(StrEnum):
    """What sort of thing happened; the page and the terminal show this word."""

    OUTAGE = "outage"  # the rehearsal breaks something
    RECOVERY = "recovery"  # the rehearsal mends it
    VERDICT = "verdict"  # a controller's decision of a cycle
    HELD = "held"  # a rule wanted to act, a guard held it
    CALL = "call"  # a failover or switchover call that the RDS API accepted
    REFUSED = "refused"  # one that it refused
    PROMOTION = "promotion"  # a cluster became the writer
    REJOIN = "rejoin"  # a cluster came back as a reader
    DNS = "dns"  # a name answers something else
    CLIENT = "client"  # what the writing client met
    NOTICE = "notice"  # a message to people
    NOTE = "note"  # anything else

    @property
    def words(self) -> str:
        """The kind for people."""
        return "DNS" if self is EventKind.DNS else str(self)


class Role(StrEnum):
    """What a cluster is at a moment, as its lane shows it."""

    WRITER = "writer"
    STANDBY = "standby"
    DARK = "dark"
    REJOINING = "rejoining"


class WriteOutcome(StrEnum):
    """What became of one write of the client; each write has exactly one outcome."""

    ACKNOWLEDGED = "acknowledged"  # the client got its answer and the row is still there at the end
    FAILED = "failed"  # the client got an error or no answer
    LOST = "lost"  # the client got its answer, and the row is gone


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """One thing that must hold, whether it did, and the evidence."""

    text: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class TimelineEvent:
    """One moment of a drill, in seconds since the drill's zero (negative before it).

    `label` is a word or two beside its marker in the drawing ("first write"); without it the kind stands there.
    """

    seconds: float
    event: str
    kind: EventKind = EventKind.NOTE
    region: str | None = None
    label: str = ""

    @property
    def marker(self) -> str:
        """What stands beside the marker: the label, the kind, or nothing for a plain note."""
        return self.label or ("" if self.kind is EventKind.NOTE else self.kind.words)


@dataclass(frozen=True, kw_only=True)
class RoleSpan:
    """A cluster's role over a stretch of time."""

    cluster_id: str
    region: str
    role: Role
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class DnsSpan:
    """The region that a name answered over a stretch of time; None when it answered nothing."""

    name: str
    region: str | None
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class LedgerSpan:
    """The client's writes in a stretch of time: `acknowledged` includes the ones that were lost afterwards."""

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
    """The cycle of this rehearsal against the cycle that is deployed; every period shrinks by the same factor."""

    interval_seconds: float
    deployed_interval_seconds: float = 10.0

    @property
    def factor(self) -> float:
        """How many times shorter every period was here than it is when deployed."""
        return self.deployed_interval_seconds / self.interval_seconds

    @property
    def words(self) -> str:
        """The time scale as a sentence for people."""
        here, deployed = shown(self.interval_seconds), shown(self.deployed_interval_seconds)
        if math.isclose(self.factor, 1.0):
            return f"No period was shrunk: the cycle of {here} s is the deployed one."
        if self.factor < 1.0:
            return f"No period was shrunk: the cycle was {here} s, longer than the deployed {deployed} s."
        return (
            f"Periods shrunk by factor {shown(self.factor)} because the cycle was shortened "
            f"from {deployed} s to {here} s: what takes 60 s when deployed took {shown(60 / self.factor)} s here."
        )


@dataclass(frozen=True, kw_only=True)
class DrillResult:
    """One drill: what happened, what was measured, what had to hold.

    `zero` says in words what second 0 is, `zero_seconds` when that was, `started_seconds` when the drill began: both since
    the rehearsal's start. `key_measurements` name the numbers for the summary (else the first three). `error` is what ended
    the drill before its assertions were all checked.

    Raises:
        ValueError: a measurement isn't a finite number (leave out what was never reached), or a key names none.
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
    writes: tuple[LedgerSpan, ...] = ()
    key_measurements: tuple[str, ...] = ()
    error: str | None = None

    def __post_init__(self) -> None:
        for name, value in self.measurements.items():
            if not math.isfinite(value):
                raise ValueError(f"drill {self.name}: measurement {name} is {value}; leave out what was never reached")

    @property
    def passed(self) -> bool:
        """Whether the drill ran to its end and every assertion held; a drill without assertions proves nothing."""
        return self.error is None and bool(self.assertions) and all(one.passed for one in self.assertions)

    @property
    def failures(self) -> tuple[Assertion, ...]:
        """The assertions that did not hold."""
        return tuple(one for one in self.assertions if not one.passed)

    @property
    def clusters(self) -> list[tuple[str, str]]:
        """The clusters whose roles are known, each with its region, in the order in which they appear."""
        return list(dict.fromkeys((span.cluster_id, span.region) for span in self.roles))

    @property
    def key_numbers(self) -> dict[str, float]:
        """The measurements for the summary; a key that this run never reached is left out."""
        names = self.key_measurements or tuple(self.measurements)[:3]
        return {name: self.measurements[name] for name in names if name in self.measurements}

    def to_json(self) -> dict[str, Any]:
        """The drill as report.json holds it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "passed": self.passed,
            "error": self.error,
            "seconds": self.seconds,
            "started_seconds": self.started_seconds,
            "zero_seconds": self.zero_seconds,
            "zero": self.zero,
            "assertions": [{"text": one.text, "passed": one.passed, "detail": one.detail} for one in self.assertions],
            "timeline": [_event_json(one) for one in sorted(self.timeline, key=lambda event: event.seconds)],
            "measurements": dict(self.measurements),
            "key_measurements": list(self.key_numbers),
            "lanes": _lanes_json(self),
        }


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The code that was rehearsed: a git commit, and whether files differed from it."""

    id: str
    modified: bool

    @property
    def words(self) -> str:
        """The commit for people."""
        return f"{self.id[:12]}, with changes that are not committed" if self.modified else self.id[:12]


@dataclass(frozen=True, kw_only=True)
class Shortened:
    """A period that was shorter here than it is when deployed."""

    what: str
    deployed_seconds: float
    here_seconds: float


@dataclass(frozen=True, kw_only=True, order=True)
class Unproven:
    """A property that was sent, and that the emulator does not hold: right or wrong on AWS, nothing here proves it."""

    type: str
    property: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole rehearsal.

    `subject` names what was rehearsed (the global cluster). `started_at` is aware. `settings` are all that were in force,
    defaults too. `resources` counts by region (or "global") and type. `notes` say what a rehearsal can't show, `not_held`
    which properties the emulator forgets. `dashboards` are those that were deployed, with the data that they would show.
    `commit` is None where no git can tell. `errors` are what ended the rehearsal outside a drill, such as a failed deployment.

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
    not_held: tuple[Unproven, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()

    def __post_init__(self) -> None:
        if self.started_at.tzinfo is None:
            raise ValueError("started_at must be an aware datetime")

    @property
    def passed(self) -> bool:
        """Whether there were drills, all passed, and nothing else went wrong."""
        return not self.errors and bool(self.drills) and all(drill.passed for drill in self.drills)

    @property
    def resource_count(self) -> int:
        """How many resources were created, in all regions."""
        return sum(sum(types.values()) for types in self.resources.values())

    def to_json(self) -> dict[str, Any]:
        """The report as report.json holds it: plain JSON types only."""
        return {
            "passed": self.passed,
            "subject": self.subject,
            "started_at": self.started_at.isoformat(),
            "seconds": self.seconds,
            "time_scale": {
                "factor": self.time_scale.factor,
                "interval_seconds": self.time_scale.interval_seconds,
                "deployed_interval_seconds": self.time_scale.deployed_interval_seconds,
                "words": self.time_scale.words,
            },
            "commit": None if self.commit is None else {"id": self.commit.id, "modified": self.commit.modified},
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


# JSON


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
    if drill.writes:
        spans = [
            _span_json(one, acknowledged=one.acknowledged, failed=one.failed, lost=one.lost) for one in drill.writes
        ]
        lanes.append({"lane": "writes", "spans": spans})
    return lanes


def _span_json(span: RoleSpan | DnsSpan | LedgerSpan, **what: str | int | None) -> dict[str, Any]:
    return {"start_seconds": span.start_seconds, "end_seconds": span.end_seconds, **what}
