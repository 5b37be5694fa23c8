"""The words of the controller: what it sees, what it remembers, what it may do, and why.

Owns the frozen values that the other modules pass around. Does not own any rule (`decide.py`), any counting
(`follow.py`) or any AWS type (`aws.py`). Invariant: what is not known is `None` or an `UNKNOWN` member, never a good
or a bad value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Evidence = Mapping[str, str | int | float | bool | None]


class Side(StrEnum):
    """Which of the two clusters is the writer, seen from this controller."""

    OWN = "own"
    PEER = "peer"
    UNKNOWN = "unknown"


class Port(StrEnum):
    """What a probe over the MySQL protocol found at one cluster's endpoint."""

    ALIVE = "alive"
    DEAD = "dead"  # nobody serves: time-out, refused, reset, name not resolved
    UNUSABLE = "unusable"  # something answers, but refuses us: log-in, TLS, protocol, query. Says nothing about writes
    UNKNOWN = "unknown"


class Peer(StrEnum):
    """What the other region says of its own cluster, asked over its Lambda API."""

    FINE = "fine"
    DOWN = "down"
    SILENT = "silent"  # no answer at all: time-out or no connection
    UNKNOWN = "unknown"  # an answer that tells nothing: throttled, denied, failed, malformed


class Mode(StrEnum):
    """How far the controller may go on its own."""

    AUTOMATIC = "automatic"
    APPROVE = "approve"
    OBSERVE = "observe"


class Action(StrEnum):
    """What a decision leads to."""

    HOLD = "hold"
    NOTIFY = "notify"
    REQUEST_APPROVAL = "request-approval"
    FAIL_OVER = "fail-over"


class Reason(StrEnum):
    """Why: one word for the log, the notice, the metric, the audit trail and the runbook's heading."""

    # Rows of the decision table, in its order.
    FAILOVER_UNDER_WAY = "failover-under-way"
    ALREADY_WRITER = "already-writer"
    STATE_UNREADABLE = "state-unreadable"
    SWITCH_UNREADABLE = "switch-unreadable"
    LEASE_UNREADABLE = "lease-unreadable"
    LOCK_UNREADABLE = "lock-unreadable"
    RDS_BLIND = "rds-blind"
    WRITER_UNKNOWN = "writer-unknown"
    OPERATION_UNDER_WAY = "operation-under-way"
    PROBE_BLIND = "probe-blind"
    WRITER_LOCKED_OUT = "writer-locked-out"
    NETWORK_PARTITION = "network-partition"
    WRITER_READ_ONLY = "writer-read-only"
    WRITER_UNJUDGED = "writer-unjudged"
    PEER_UNKNOWN = "peer-unknown"
    PEER_SILENT = "peer-silent"
    PEER_PROBE_FAILS = "peer-probe-fails"
    STANDBY_NOT_READY = "standby-not-ready"
    HEALTHY = "healthy"
    WRITER_SUSPECTED = "writer-suspected"
    IN_REGION_GRACE = "in-region-grace"
    STANDBY_NOT_AVAILABLE = "standby-not-available"
    STANDBY_WITHOUT_INSTANCE = "standby-without-instance"
    STANDBY_UNREACHABLE = "standby-unreachable"
    HEARTBEAT_UNKNOWN = "heartbeat-unknown"
    DISARMED = "disarmed"
    COOLDOWN = "cooldown"
    LOCK_HELD = "lock-held"
    OBSERVE_ONLY = "observe-only"
    REGION_UNCLEAR = "region-unclear"
    STANDBY_NOT_SYNCHRONIZED = "standby-not-synchronized"
    LAG_UNKNOWN = "lag-unknown"
    LAG_TOO_HIGH = "lag-too-high"
    APPROVAL_NEEDED = "approval-needed"
    REGION_IMPAIRED = "region-impaired"
    WRITER_DOWN = "writer-down"
    REGION_LOST = "region-lost"
    UNDECIDED = "undecided"
    # What the cycle meets on the way from a decision to its end.
    DECISIONS_DIFFER = "decisions-differ"
    STATE_CONFLICT = "state-conflict"
    STATE_UNWRITABLE = "state-unwritable"
    FAILOVER_REFUSED = "failover-refused"
    FAILOVER_NOT_SENT = "failover-not-sent"
    FAILOVER_UNCERTAIN = "failover-uncertain"
    FAILOVER_OVERDUE = "failover-overdue"
    FAILOVER_FAILED = "failover-failed"
    FAILOVER_ABANDONED = "failover-abandoned"
    FAILOVER_COMPLETED = "failover-completed"
    ROLES_CHANGED = "roles-changed"
    # What RDS itself says; recorded, never decided on.
    RDS_EVENT = "rds-event"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the stack's settings allow. Durations in seconds."""

    target: str
    """ARN of this region's cluster: the only cluster that this controller ever promotes."""
    mode: Mode
    interval_seconds: float
    failure_threshold: int
    in_region_grace_seconds: float
    cooldown_seconds: float
    max_data_loss_seconds: float
    completion_bound_seconds: float

    @property
    def observation_deadline_seconds(self) -> float:
        """How long one path of an observation may take."""
        return min(3.0, 0.35 * self.interval_seconds)

    @property
    def quiet_seconds(self) -> float:
        """How long no new heartbeat must have come before it counts as stopped, by this controller's own clock."""
        return (self.failure_threshold - 1) * self.interval_seconds * 0.9

    @property
    def lag_fresh_seconds(self) -> float:
        """How old the last measurement of the lag may be at the outage; an older one is no measurement."""
        return max(60.0, 6 * self.interval_seconds)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A switchover or failover that RDS reports (`FailoverState`), whoever started it."""

    status: str
    to_own: bool | None
    allows_data_loss: bool | None


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The off-switch that operators set. `expires_at` ends a maintenance window by itself."""

    armed: bool
    reason: str
    by: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who holds the lease or the lock, and which version of the item says so."""

    holder: str
    until: datetime | None
    version: int


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A person's answer to one pending decision."""

    id: str
    approved: bool
    by: str


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A decision that waits for a person's approval."""

    id: str
    verdict: Reason
    asked_at: datetime


class AttemptStatus(StrEnum):
    """How much is known of a failover call."""

    INTENDED = "intended"  # recorded before the call: nobody may call again until it is known what became of it
    UNDER_WAY = "under-way"  # RDS took the call, or shows the operation


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One failover by this controller, from the record of its intent to its end."""

    id: str
    status: AttemptStatus
    verdict: Reason
    started_at: datetime
    """When the first call was decided."""
    touched_at: datetime
    """The last call, or the last cycle at which RDS showed it: nothing is called again, or given up, soon after it."""
    outage_at: datetime
    """First cycle at which the writer's port was dead."""
    lag_ms: float | None
    heartbeat: str | None
    calls: int
    overdue: bool = False
    """Whether people were told that it does not complete."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One line for people, the log and the audit trail; kept in the state until it was delivered."""

    id: str
    at: datetime
    reason: Reason
    action: Action
    line: str


@dataclass(frozen=True, kw_only=True)
class State:
    """What outlives a cycle: one item of the table, written with a condition on `version` (0: not written yet)."""

    version: int = 0
    cycle_at: datetime | None = None
    writer: Side = Side.UNKNOWN
    roles_changed_at: datetime | None = None
    silent_cycles: int = 0
    """Consecutive cycles in which the writer's port was dead and the other region silent."""
    dead_cycles: int = 0
    """Consecutive cycles in which the port was dead and the other region silent or saying that its writer is down."""
    dead_since: datetime | None = None
    """First cycle since which nobody saw the writer alive."""
    heartbeats: tuple[str, ...] = ()
    """The last values that arrived, newest last. Several, as readers behind one endpoint may answer in turns."""
    heartbeat_seen_at: datetime | None = None
    """When a new heartbeat value was last seen, by this controller's clock."""
    lag_ms: float | None = None
    lag_at: datetime | None = None
    unhealthy_cycles: int = 0
    healthy_cycles: int = 0
    notified: tuple[Reason, ...] = ()
    """What people were told in this episode of trouble."""
    pending: Pending | None = None
    attempt: Attempt | None = None
    outbox: tuple[Notice, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Records:
    """One consistent read of the table. An absent item is `None`; one that can't be read is named in `failures`."""

    state: State | None = None
    switch: Switch | None = None
    lease: Claim | None = None
    lock: Claim | None = None
    approval: Approval | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    """Item name (state, switch, lease, lock, approval) -> why it can't be read."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one round of looking found. Times in milliseconds where the name says so."""

    at: datetime
    records: Records
    rds_failure: str | None = None
    """Why the own region's RDS API can't be read; `None` when it was."""
    writer: Side = Side.UNKNOWN
    operation: Operation | None = None
    synchronization: str | None = None
    standby_status: str | None = None
    standby_instances: int | None = None
    own_function_failure: str | None = None
    """Why the own region's health_check gave nothing; `None` when it answered."""
    own_port: Port = Port.UNKNOWN
    own_read_only: bool | None = None
    peer_port: Port = Port.UNKNOWN
    peer_read_only: bool | None = None
    peer: Peer = Peer.UNKNOWN
    heartbeat: str | None = None
    heartbeat_age_ms: float | None = None
    lag_ms: float | None = None
    own_probe_ms: float | None = None
    peer_probe_ms: float | None = None
    peer_function_ms: float | None = None
    details: tuple[str, ...] = ()
    """What went wrong on the way, a line each."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do now, and what it rests on."""

    action: Action
    reason: Reason
    target: str | None
    evidence: Evidence
    held: bool = False
    """Whether a verdict wanted to act and a guard stood in its way."""

    def same_as(self, other: "Decision") -> bool:
        """Whether both lead to the same act for the same reason; the evidence may differ."""
        return (self.action, self.reason, self.target) == (other.action, other.reason, other.target)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, for people and for the audit trail."""

    reason: Reason
    action: Action
    evidence: Evidence
