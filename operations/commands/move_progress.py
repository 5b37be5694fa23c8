"""Progress of a switchover or failover: roles in RDS, first heartbeat on the new writer, DNS, replication.

All reads use the target's region, because it survives an outage of the other region.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from operations.aws.move_ports import ProbeResult, ProbeTarget
from operations.aws.table_items import STATE, parse_state
from operations.commands.context import CommandContext
from operations.commands.status_environment import read_dns
from operations.commands.waiting import PollResult, Waiter
from operations.stack.deployment import DeployedRegion
from operations.stack.resources import read_resources
from operations.support.errors import AwsError, FailedError, OperationError

NO_OPERATION_SECONDS = 120.0
"""Maximum time for which RDS may show neither an operation nor the new roles before the move counts as failed.

The two regions show the start and the end of an operation at different times."""
CONTROLLERS_SECONDS = 60.0
"""Maximum wait for the controllers to see the new writer serve. `verify` reports the one that still does not."""


@dataclass(kw_only=True)
class MoveProgress:
    """Progress of one move that AWS has accepted."""

    context: CommandContext
    target: DeployedRegion
    waiter: Waiter
    started_at: datetime
    """Time of the call, or when the running operation was found."""
    _last_heartbeat: str | None = field(default=None)
    """The newest heartbeat of the old writer that the target has received."""
    _first_heartbeat: str | None = field(default=None)
    """The first heartbeat that a probe committed on the target."""
    _no_operation_since: float | None = field(default=None)
    _environment: Mapping[str, str] | None = field(default=None)

    def wait_for_promotion(self) -> None:
        """Wait until RDS has ended the operation and names the target as the writer.

        Raises:
            FailedError: RDS no longer shows an operation, and another cluster is the writer.
        """
        self.waiter.wait("promotion", self._poll_promotion)

    def wait_for_first_write(self) -> None:
        """Wait until the target's health_check has committed a heartbeat there."""
        self.waiter.wait("first heartbeat", self._poll_heartbeat)

    def wait_for_dns(self) -> None:
        """Wait until `writer.<zone>` and the metric that controls it name the target."""
        self.waiter.wait("DNS", self._poll_dns)

    def outage_seconds(self) -> float | None:
        """Return how long no write was possible through `writer.<zone>`, at most; None if it was not observed.

        From the old writer's last heartbeat to the first one on the target, and to the DNS change if that was waited for and
        came later.
        """
        if self._last_heartbeat is None or self._first_heartbeat is None:
            return None
        last, first = (datetime.fromisoformat(text) for text in (self._last_heartbeat, self._first_heartbeat))
        seconds = self.waiter.seconds
        dns_seconds = seconds.get("DNS", 0.0) - seconds["first heartbeat"]
        return round((first - last).total_seconds() + max(0.0, dns_seconds), 2)

    def wait_for_replication(self) -> None:
        """Wait until RDS reports that the former writer replicates from the new one."""
        self.waiter.wait("replication back", self._poll_replication)

    def wait_for_controllers(self) -> None:
        """Wait until neither controller counts the writer as unreachable, or 60 s have passed."""
        until = self.context.stopwatch() + CONTROLLERS_SECONDS
        self.waiter.wait("controllers", lambda: self._poll_controllers(until))

    def _poll_promotion(self) -> PollResult:
        info = self.context.move_api(self.target).read_global()
        region = self.target.name
        if info.writer_arn != self.target.cluster_arn:
            self._observe_heartbeat()
        if info.operation is not None:
            self._no_operation_since = None
            return PollResult(done=False, text=f"{region}: RDS reports {info.operation.status}")
        if info.writer_arn == self.target.cluster_arn:
            return PollResult(done=True, text=f"{region}: RDS names this region as the writer")
        now = self.context.stopwatch()
        self._no_operation_since = now if self._no_operation_since is None else self._no_operation_since
        if now - self._no_operation_since >= NO_OPERATION_SECONDS:
            raise FailedError(
                f"RDS no longer shows an operation, and {info.writer_arn or 'no single cluster'} is the writer",
                hint="The cluster events give the reason: "
                f"aws rds describe-events --source-type db-cluster --region {region}. Then check `status` and decide again.",
            )
        return PollResult(done=False, text=f"{region}: RDS shows no operation and no change of roles yet")

    def _poll_heartbeat(self) -> PollResult:
        probe = self._probe()
        if probe.takes_writes:
            self._first_heartbeat = probe.heartbeat
            return PollResult(done=True, text=f"{self.target.name}: accepts writes, heartbeat {probe.heartbeat}")
        reason = probe.problem or ("read-only" if probe.read_only else "no heartbeat yet")
        return PollResult(done=False, text=f"{self.target.name}: does not accept writes yet: {reason}")

    def _observe_heartbeat(self) -> None:
        """Keep the newest heartbeat of the old writer. The move does not depend on it, so a failed probe is not an error."""
        try:
            probe = self._probe()
        except AwsError:
            return
        if probe.read_only and probe.heartbeat is not None:
            self._last_heartbeat = probe.heartbeat

    def _probe(self) -> ProbeResult:
        if self._environment is None:
            self._environment = self.context.connect(self.target).read_environment()
        return self.context.move_api(self.target).probe(ProbeTarget.own(self.target, self._environment))

    def _poll_dns(self) -> PollResult:
        region = self.target.name
        if self.context.move_api(self.target).writer_role(self.started_at) != 1:
            return PollResult(done=False, text=f"DNS: {region} does not report itself as the writer yet")
        # The record answers with the primary region by default: the secondary's metric must clear first.
        if self.target.label == "primary":
            other = self.context.deployment.other(self.target)
            try:
                role = self.context.move_api(other).writer_role(self.started_at)
            except AwsError:
                role = None  # unreachable: the primary region's metric alone decides
            if role == 1:
                return PollResult(done=False, text=f"DNS: {other.name} still reports itself as the writer this minute")
        resolved = self._resolved_region()
        if resolved not in (None, region):
            return PollResult(
                done=False,
                text=f"DNS: {region} reports itself as the writer; writer.<zone> still resolves to {resolved}",
            )
        return PollResult(
            done=True, text=f"DNS: writer.<zone> resolves to {region}; clients follow within the record's TTL"
        )

    def _resolved_region(self) -> str | None:
        """Return the region that `writer.<zone>` resolves to in the target's VPC; None if unknown."""
        try:
            resources = read_resources(self.context.outputs)
            return read_dns(resources, resources.in_region(self.target.name), self.context.read_api_for).region
        except OperationError:
            return None

    def _poll_controllers(self, until: float) -> PollResult:
        counting = [region.name for region in self.context.deployment.regions if self._counts_unreachable(region)]
        if not counting:
            return PollResult(done=True, text="both controllers see the writer serve")
        text = f"{' and '.join(counting)}: the controller still counts the writer as unreachable"
        return PollResult(done=self.context.stopwatch() >= until, text=text)

    def _counts_unreachable(self, region: DeployedRegion) -> bool:
        state = parse_state(self.context.connect(region).read_items([STATE])[STATE]).value
        return state is not None and state.dead_since is not None

    def _poll_replication(self) -> PollResult:
        other = self.context.deployment.other(self.target)
        status = self.context.move_api(self.target).read_global().synchronization.get(other.cluster_arn, "unknown")
        return PollResult(done=status == "connected", text=f"{other.name}: synchronization status {status}")
