"""Interfaces of the controller to AWS, and the only errors that cross them."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol, TypeVar

from .model import Claim, Notice, Records, State

Result = TypeVar("Result")
Answer = Mapping[str, object]


class PortError(Exception):
    """A call to AWS failed."""


class SilentError(PortError):
    """No answer: a time-out, or no connection."""


class UnusableError(PortError):
    """An inconclusive answer: an error, a refusal or malformed data. The service that sent it is reachable."""


class StateConflictError(PortError):
    """A conditional write failed: another process wrote first."""


class CheckFailedError(PortError):
    """A condition on another item failed; the item was not written."""


class DisarmedError(PortError):
    """The state was not written, because the controller is disarmed."""


class UnavailableError(PortError):
    """The service did not respond or returned an error; a write may have taken effect."""


class CallRefusedError(PortError):
    """RDS rejected the failover call. The cluster is unchanged."""


class CallNotSentError(PortError):
    """The failover call was throttled or not sent. The cluster is unchanged."""


class CallUncertainError(PortError):
    """The failover call may have taken effect."""


class HealthChecks(Protocol):
    """The health_check functions of both regions. Raises SilentError or UnusableError."""

    def ask_own(self, request: Answer) -> object:
        """Invoke this region's function and return its parsed JSON answer."""
        ...

    def ask_peer(self, request: Answer) -> object:
        """Invoke the other region's function and return its parsed JSON answer."""
        ...


class Rds(Protocol):
    """RDS APIs of both regions. Reads raise SilentError or UnusableError."""

    def read_global_cluster(self) -> object:
        """Return the global cluster in the form of DescribeGlobalClusters."""
        ...

    def read_own_cluster(self) -> object:
        """Return this region's cluster in the form of DescribeDBClusters."""
        ...

    def read_peer_cluster(self) -> object:
        """Return the other region's cluster from that region's RDS API, a second sign of life of the region."""
        ...

    def fail_over(self, target: str) -> None:
        """Call FailoverGlobalCluster with data loss allowed, once.

        Raises:
            CallRefusedError, CallNotSentError, CallUncertainError.
        """
        ...


class Store(Protocol):
    """State table of this region. Methods raise UnavailableError, conditional writes also StateConflictError."""

    def read(self, approval_id: str | None) -> Records:
        """Read state, switch, lease, lock and the approval of a pending decision in one consistent read."""
        ...

    def write_state(self, state: State, *, if_armed_at: datetime | None = None) -> State:
        """Write if the table holds `state.version`; return the state with its new version.

        With `if_armed_at`, write only if the switch is absent, armed or expired at this time. Raises also DisarmedError.
        """
        ...

    def take_lease(self, holder: str, at: datetime, previous: Claim | None) -> Claim:
        """Take the lease if its item is still `previous`."""
        ...

    def take_lock(self, holder: str, at: datetime, until: datetime) -> None:
        """Take the lock if it is free, expired at `at` or held by `holder`."""
        ...

    def release_lock(self, holder: str) -> None:
        """Release the lock if `holder` holds it."""
        ...

    def record(self, notice: Notice) -> None:
        """Add a notice to the audit trail; repeating the call changes nothing."""
        ...


class Topic(Protocol):
    """The SNS topic."""

    def publish(self, notice: Notice) -> None:
        """Publish one notice; raises UnavailableError."""
        ...


class Metrics(Protocol):
    """CloudWatch metrics."""

    def put(self, values: Mapping[str, tuple[float, str]]) -> None:
        """Send the metrics of one cycle in one call. `values` maps a metric name to its number and unit. Raises UnavailableError."""
        ...


class Threads(Protocol):
    """Executor of parallel calls."""

    def submit(self, call: Callable[[], Result], /) -> "Future[Result]":
        """Start `call` without waiting for it."""
        ...
