"""Values that the controller's modules exchange. Unknown is `None` or an `UNKNOWN` member."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

EXTRA_CYCLES = 2
"""The benchmark's operating curve compares this with a fixed threshold."""
SETTLING_CYCLES = 90
"""Cycles after a silence that healed until the region counts as settled."""

Evidence = Mapping[str, str | int | float | bool | None]


class Side(StrEnum):
    """The cluster that is the writer: this region's or the other region's."""

    OWN = "own"
    PEER = "peer"
    UNKNOWN = "unknown"


class Port(StrEnum):
    """Result of a probe of a cluster's endpoint over the MySQL protocol."""

    ALIVE = "alive"
    DEAD = "dead"  # unreachable: time-out, refused, reset, name not resolved
    UNUSABLE = "unusable"  # the server answers, but refuses log-in, TLS, protocol or query
    UNKNOWN = "unknown"


class Peer(StrEnum):
    """The other region's report on its own cluster, over its Lambda API; silent only if its RDS API is silent as well."""

    FINE = "fine"
    DOWN = "down"
    SILENT = "silent"  # no answer of either API: time-out or no connection
    UNKNOWN = "unknown"  # inconclusive: throttled, denied, failed, malformed, or only the RDS API answers


class Members(StrEnum):
    """The members of the global database, compared with the two clusters of the deployment."""

    EXPECTED = "expected"
    OWN_MISSING = "own-missing"
    PEER_MISSING = "peer-missing"
    OTHERS = "others"  # both, and a cluster that someone added


class Mode(StrEnum):
    """Permission of the controller to act without an operator."""

    AUTOMATIC = "automatic"
    APPROVE = "approve"
    OBSERVE = "observe"


class Action(StrEnum):
    """Result of a decision."""

    HOLD = "hold"
    NOTIFY = "notify"
    REQUEST_APPROVAL = "request-approval"
    FAIL_OVER = "fail-over"


class Reason(StrEnum):
    """Reason of a decision or notice, used in the log, the audit trail and the runbook's headings."""

    # Rows of the decision table, in order.
    FAILOVER_UNDER_WAY = "failover-under-way"
    STANDBY_MISSING = "standby-missing"
    ALREADY_WRITER = "already-writer"
    STATE_UNREADABLE = "state-unreadable"
    SWITCH_UNREADABLE = "switch-unreadable"
    LEASE_UNREADABLE = "lease-unreadable"
    LOCK_UNREADABLE = "lock-unreadable"
    RDS_UNREADABLE = "rds-unreadable"
    CLUSTER_DETACHED = "cluster-detached"
    WRITER_ELSEWHERE = "writer-elsewhere"
    WRITER_UNKNOWN = "writer-unknown"
    OPERATION_UNDER_WAY = "operation-under-way"
    TWO_WRITERS = "two-writers"
    PROBE_UNUSABLE = "probe-unusable"
    WRITER_LOCKED_OUT = "writer-locked-out"
    NETWORK_PARTITION = "network-partition"
    WRITER_READ_ONLY = "writer-read-only"
    WRITER_UNVERIFIED = "writer-unverified"
    PEER_UNKNOWN = "peer-unknown"
    PEER_SILENT = "peer-silent"
    PEER_PROBE_FAILS = "peer-probe-fails"
    STANDBY_NOT_READY = "standby-not-ready"
    HEARTBEAT_STOPPED = "heartbeat-stopped"
    MEMBER_ADDED = "member-added"
    HEALTHY = "healthy"
    WRITER_SUSPECTED = "writer-suspected"
    IN_REGION_GRACE = "in-region-grace"
    STANDBY_NOT_AVAILABLE = "standby-not-available"
    STANDBY_WITHOUT_INSTANCE = "standby-without-instance"
    STANDBY_UNREACHABLE = "standby-unreachable"
    DISARMED = "disarmed"
    COOLDOWN = "cooldown"
    LOCK_HELD = "lock-held"
    OBSERVE_ONLY = "observe-only"
    RDS_UNCLEAR = "rds-unclear"
    WRITER_UNUSABLE = "writer-unusable"
    REGION_UNCLEAR = "region-unclear"
    HEARTBEAT_UNKNOWN = "heartbeat-unknown"
    TARGET_UNCLEAR = "target-unclear"
    STANDBY_NOT_SYNCHRONIZED = "standby-not-synchronized"
    LAG_UNKNOWN = "lag-unknown"
    LAG_TOO_HIGH = "lag-too-high"
    APPROVAL_NEEDED = "approval-needed"
    REGION_IMPAIRED = "region-impaired"
    WRITER_DOWN = "writer-down"
    REGION_LOST = "region-lost"
    UNDECIDED = "undecided"
    # Outcomes between a decision and the end of its failover.
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
    # Events of RDS; recorded, never an input of a decision.
    RDS_EVENT = "rds-event"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Limits from the stack's settings."""

    target: str
    """ARN of this region's cluster, the only one that this controller promotes."""
    mode: Mode
    interval_seconds: float
    failure_threshold: int
    in_region_grace_seconds: float
    cooldown_seconds: float
    max_data_loss_seconds: float
    completion_bound_seconds: float
    extra_cycles: int = EXTRA_CYCLES
    """Additional failing cycles that a loss needs soon after a silence that healed."""

    @property
    def observation_deadline_seconds(self) -> float:
        """Time limit of each path of an observation."""
        return min(3.0, 0.35 * self.interval_seconds)

    @property
    def pause_seconds(self) -> float:
        """Time between the decision to act and the observation that must confirm it."""
        return 0.35 * self.interval_seconds

    @property
    def settling_seconds(self) -> float:
        """Time after a silence that healed in which a loss needs `extra_cycles` more."""
        return SETTLING_CYCLES * self.interval_seconds

    @property
    def rds_deadline_seconds(self) -> float:
        """Time limit of a read of this region's RDS API, whose answer a later observation may use."""
        return max(self.observation_deadline_seconds, 0.9 * self.interval_seconds)

    @property
    def late_answer_seconds(self) -> float:
        """Maximum age of an answer that a later observation uses, from its request: to the end of the next cycle."""
        return 2 * self.interval_seconds

    @property
    def quiet_seconds(self) -> float:
        """Time without a new heartbeat after which it counts as stopped, by this controller's clock."""
        return (self.failure_threshold - 1) * self.interval_seconds * 0.9

    @property
    def silence_fresh_seconds(self) -> float:
        """Maximum time from the other region's last answer to the writer's last sign of life, for a silence that is evidence."""
        return 3 * self.interval_seconds

    @property
    def heartbeat_overdue_seconds(self) -> float:
        """Time without a heartbeat after which the replication of heartbeats is at fault, whatever the writer does."""
        return self.lag_fresh_seconds

    @property
    def lag_fresh_seconds(self) -> float:
        """Maximum age of the last measured lag at the start of an outage."""
        return max(60.0, 6 * self.interval_seconds)


@dataclass(frozen=True, kw_only=True)
class GlobalOperation:
    """A switchover or failover that RDS reports in `FailoverState`."""

    status: str
    to_own: bool | None
    allows_data_loss: bool | None


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Arm state of the controller, set by an operator; disarming ends at `expires_at`."""

    armed: bool
    reason: str
    by: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Holder of the lease or the lock, and the version of its item."""

    holder: str
    until: datetime | None
    version: int


@dataclass(frozen=True, kw_only=True)
class Approval:
    """An operator's answer to a pending decision."""

    id: str
    approved: bool
    by: str


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A decision that waits for an operator's approval."""

    id: str
    verdict: Reason
    asked_at: datetime


class AttemptStatus(StrEnum):
    """Progress of a failover call."""

    INTENDED = "intended"  # recorded before the call; no other call is made until its result is known
    UNDER_WAY = "under-way"  # RDS accepted the call or shows the operation


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A failover by this controller, from its intent to its end."""

    id: str
    status: AttemptStatus
    verdict: Reason
    started_at: datetime
    """When the first call was decided."""
    touched_at: datetime
    """Last call, or last cycle in which RDS showed the operation. The attempt is neither repeated nor ended soon after."""
    outage_at: datetime
    """First cycle in which the writer's port was unreachable."""
    lag_ms: float | None
    heartbeat: str | None
    calls: int
    overdue: bool = False
    """Whether failover-overdue was sent."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One line for subscribers, the log and the audit trail; kept in the state until delivered."""

    id: str
    at: datetime
    reason: Reason
    action: Action
    line: str


@dataclass(frozen=True, kw_only=True)
class State:
    """State between cycles: one item of the table, written on the condition of `version` (0: not yet written)."""

    version: int = 0
    cycle_at: datetime | None = None
    writer: Side = Side.UNKNOWN
    writer_since: datetime | None = None
    """When this controller first saw the present writer in its role."""
    leads: bool = False
    """Whether this region's cluster, detached from the global database, took over from a writer that had stopped serving."""
    roles_changed_at: datetime | None = None
    silent_cycles: int = 0
    """Consecutive cycles in which the writer's port was unreachable and the other region silent."""
    dead_cycles: int = 0
    """Consecutive cycles in which the port was unreachable and the other region silent or reporting its writer as down."""
    dead_since: datetime | None = None
    """First cycle since either region last found the writer working."""
    heartbeats: tuple[str, ...] = ()
    """Last heartbeats seen, newest last. Several are kept, as the readers behind one endpoint may differ."""
    heartbeat_seen_at: datetime | None = None
    """When a new heartbeat was last seen, by this controller's clock."""
    lag_ms: float | None = None
    """Last replication lag measured while the writer served, or an upper bound of the loss from the first failing cycle."""
    lag_at: datetime | None = None
    calm_silence_at: datetime | None = None
    """When the other region was last silent while this region reached its writer."""
    served_at: datetime | None = None
    """When the writer was last reached from either region, or a heartbeat of it arrived."""
    serving_since: datetime | None = None
    """First cycle since which every cycle reached a serving writer."""
    silence_healed_at: datetime | None = None
    """When the writer last served after a cycle in which it was unreachable and the other region silent."""
    peer_answered_at: datetime | None = None
    """When the other region last answered, with an error too."""
    unhealthy_cycles: int = 0
    healthy_cycles: int = 0
    notified: tuple[Reason, ...] = ()
    """Reasons of the notices queued in this episode."""
    pending: Pending | None = None
    attempt: Attempt | None = None
    outbox: tuple[Notice, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Records:
    """One consistent read of the table. A missing item is `None`; an unreadable item is in `failures`."""

    state: State | None = None
    switch: Switch | None = None
    lease: Claim | None = None
    lock: Claim | None = None
    approval: Approval | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    """Reason why an item is unreadable, by item name (state, switch, lease, lock, approval)."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything observed in one cycle."""

    at: datetime
    records: Records
    rds_failure: str | None = None
    """Why this region's RDS API is unreadable; `None` if it was read."""
    writer: Side = Side.UNKNOWN
    members: Members = Members.EXPECTED
    operation: GlobalOperation | None = None
    synchronization: str | None = None
    standby_status: str | None = None
    standby_instances: int | None = None
    own_function_failure: str | None = None
    """Why this region's health_check gave no usable answer; `None` if it answered."""
    own_port: Port = Port.UNKNOWN
    own_read_only: bool | None = None
    peer_port: Port = Port.UNKNOWN
    peer_port_refused: bool = False
    """Whether the unreachable port gave more than silence: refused or closed the connection, or its name does not resolve."""
    peer_read_only: bool | None = None
    peer: Peer = Peer.UNKNOWN
    heartbeat: str | None = None
    heartbeat_age_ms: float | None = None
    lag_ms: float | None = None
    own_probe_ms: float | None = None
    peer_probe_ms: float | None = None
    peer_function_ms: float | None = None
    details: tuple[str, ...] = ()
    """Errors of the observation, one line each."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An action with its reason and evidence."""

    action: Action
    reason: Reason
    target: str | None
    evidence: Evidence
    held: bool = False
    """Whether a guard blocked a failover that was otherwise due."""

    def same_as(self, other: "Decision") -> bool:
        """Return whether action, reason and target are equal; the evidence may differ."""
        return (self.action, self.reason, self.target) == (other.action, other.reason, other.target)


@dataclass(frozen=True, kw_only=True)
class Event:
    """An occurrence for subscribers and the audit trail."""

    reason: Reason
    action: Action
    evidence: Evidence
