"""What the controller needs of the outside, as Protocols, and the errors that cross them.

Owns the borders. Does not own any client (`aws.py`) or any fake (the tests'). Invariant: an adapter raises one of the
errors named here, and nothing of botocore passes them.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol, TypeVar

from .model import Claim, Notice, Records, State

Result = TypeVar("Result")
Answer = Mapping[str, object]


class PortError(Exception):
    """Something outside did not do what it was asked."""


class SilentError(PortError):
    """No answer at all: a time-out, or no connection."""


class UnusableError(PortError):
    """An answer that tells nothing: an error, a refusal, something malformed. Whoever gave it is alive."""


class ConflictError(PortError):
    """A conditional write lost: somebody else wrote first."""


class UnavailableError(PortError):
    """The table did not answer, or refused; a write may or may not have taken effect."""


class CallRefusedError(PortError):
    """RDS refused the failover: it did not take effect."""


class CallNotSentError(PortError):
    """The failover call was throttled or never got through: it did not take effect."""


class CallUncertainError(PortError):
    """The failover call may or may not have taken effect."""


class HealthChecks(Protocol):
    """The two health_check functions. Both raise SilentError or UnusableError."""

    def ask_own(self, request: Answer) -> object:
        """Invoke this region's function; return its answer as parsed JSON."""
        ...

    def ask_peer(self, request: Answer) -> object:
        """Invoke the other region's function over that region's Lambda API."""
        ...


class Rds(Protocol):
    """This region's RDS API. Reads raise SilentError or UnusableError."""

    def read_global_cluster(self) -> object:
        """Return the global cluster as DescribeGlobalClusters gives it."""
        ...

    def read_own_cluster(self) -> object:
        """Return this region's cluster as DescribeDBClusters gives it."""
        ...

    def fail_over(self, target: str) -> None:
        """Call FailoverGlobalCluster with data loss allowed, once.

        Raises:
            CallRefusedError, CallNotSentError, CallUncertainError.
        """
        ...


class Store(Protocol):
    """The table of this region. Everything raises UnavailableError; conditional writes also ConflictError."""

    def read(self, approval_id: str | None) -> Records:
        """Read state, switch, lease, lock and the approval of a pending decision, consistently and at once."""
        ...

    def write_state(self, state: State) -> State:
        """Write if the table still holds `state.version`; return the state with the version now written."""
        ...

    def take_lease(self, holder: str, at: datetime, previous: Claim | None) -> Claim:
        """Take the lease if it is still `previous`."""
        ...

    def take_lock(self, holder: str, at: datetime, until: datetime) -> None:
        """Take the lock if it is free, has expired at `at`, or is the holder's own."""
        ...

    def release_lock(self, holder: str) -> None:
        """Free the lock if it is the holder's."""
        ...

    def record(self, notice: Notice) -> None:
        """Add to the audit trail; recording the same notice again changes nothing."""
        ...


class Topic(Protocol):
    """The SNS topic that people listen to."""

    def publish(self, notice: Notice) -> None:
        """Publish one notice; raises UnavailableError."""
        ...


class Metrics(Protocol):
    """CloudWatch's metrics."""

    def put(self, values: Mapping[str, tuple[float, str]]) -> None:
        """Put all values (name -> number, unit) of one cycle at once; raises UnavailableError."""
        ...


class Threads(Protocol):
    """Where calls run side by side."""

    def submit(self, call: Callable[[], Result], /) -> "Future[Result]":
        """Start `call` and return at once."""
        ...
