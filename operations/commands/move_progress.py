"""Following a move to its end: RDS's operation, the roles, the first heartbeat on the new writer, the name of the writer.

Owns what counts as arrived at each leg. Does not own the waiting (`journey.py`) or the call (`switchover.py`,
`failover.py`). Invariant: everything is read in the target's region, which outlives an outage; the other region is
asked only where its word decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from operations.aws.move_ports import ProbeTarget
from operations.commands.session import Session
from operations.commands.status_environment import read_dns
from operations.commands.waiting import PollResult, Waiter
from operations.stack.deployment import DeployedRegion
from operations.stack.resources import read_resources
from operations.support.errors import AwsError, FailedError, OperationError

UNSEEN_SECONDS = 120.0
"""For so long RDS may show neither an operation nor the new roles before the move counts as given up: an operation, or
its end, is seen later in one region than in the other."""
PROMOTED, WRITES, NAME, FOLLOWS = "promotion", "first heartbeat", "DNS", "replication back"
HOME = "primary"
"""The configured region whose cluster the writer's name leads to at rest (components/failover_dns.py)."""


@dataclass(kw_only=True)
class MoveProgress:
    """One move that was accepted, or is found under way."""

    session: Session
    target: DeployedRegion
    journey: Waiter
    started_at: datetime
    """When the call was made, or the move was found."""
    _unseen_since: float | None = field(default=None)
    _environment: Mapping[str, str] | None = field(default=None)

    def wait_for_promotion(self) -> None:
        """Wait until RDS has ended the operation and names the target the writer.

        Raises:
            FailedError: RDS shows no operation any more, and another cluster is the writer.
        """
        self.journey.wait(PROMOTED, self._promotion)

    def until_it_writes(self) -> None:
        """Wait until the target's health_check has committed a heartbeat there."""
        self.journey.wait(WRITES, self._heartbeat)

    def wait_for_dns(self) -> None:
        """Wait until the metric that `writer.<zone>` follows says so, and the name leads there in the target's VPC."""
        self.journey.wait(NAME, self._name)

    def until_the_other_follows(self) -> None:
        """Wait until RDS says that the former writer replicates from the new one."""
        self.journey.wait(FOLLOWS, self._replication)

    def _promotion(self) -> PollResult:
        world = self.session.moves(self.target).read_global()
        region = self.target.name
        if world.operation is not None:
            self._unseen_since = None
            return PollResult(done=False, words=f"{region}: RDS says {world.operation.status}")
        if world.writer_arn == self.target.cluster_arn:
            return PollResult(done=True, words=f"{region}: RDS names it the writer")
        now = self.session.stopwatch()
        self._unseen_since = now if self._unseen_since is None else self._unseen_since
        if now - self._unseen_since >= UNSEEN_SECONDS:
            raise FailedError(
                f"RDS shows no operation any more, and {world.writer_arn or 'no single cluster'} is the writer",
                hint=f"The events of the clusters say why: aws rds describe-events --source-type db-cluster --region {region}. "
                "Look at `status`, then decide anew.",
            )
        return PollResult(done=False, words=f"{region}: RDS shows no operation and no change of roles yet")

    def _heartbeat(self) -> PollResult:
        if self._environment is None:
            self._environment = self.session.connect(self.target).read_policy()
        probe = self.session.moves(self.target).probe(ProbeTarget.own(self.target, self._environment))
        if probe.takes_writes:
            return PollResult(done=True, words=f"{self.target.name}: takes writes, heartbeat {probe.heartbeat}")
        why = probe.problem or ("read-only" if probe.read_only else "no heartbeat yet")
        return PollResult(done=False, words=f"{self.target.name}: does not take writes yet: {why}")

    def _name(self) -> PollResult:
        region = self.target.name
        if self.session.moves(self.target).writer_role(self.started_at) != 1:
            return PollResult(done=False, words=f"DNS: {region} does not report itself as the writer yet")
        if self.target.label == HOME:
            other = self.session.deployment.other(self.target)
            try:
                theirs = self.session.moves(other).writer_role(self.started_at)
            except AwsError:
                theirs = None  # silent: then home's own word decides
            if theirs == 1:
                return PollResult(done=False, words=f"DNS: {other.name} still reports itself as the writer this minute")
        leads = self._leads_to()
        if leads not in (None, region):
            return PollResult(
                done=False, words=f"DNS: {region} reports itself as the writer; the name still leads to {leads}"
            )
        return PollResult(done=True, words=f"DNS: the writer's name follows to {region}, and clients within its TTL")

    def _leads_to(self) -> str | None:
        """Return the region that the writer's name leads to in the target's VPC; None when nobody says: the metric decides then."""
        try:
            resources = read_resources(self.session.outputs)
            return read_dns(resources, resources.in_region(self.target.name), self.session.read_api_for).region
        except OperationError:
            return None

    def _replication(self) -> PollResult:
        other = self.session.deployment.other(self.target)
        state = self.session.moves(self.target).read_global().synchronization.get(other.cluster_arn, "unknown")
        return PollResult(done=state == "connected", words=f"{other.name}: as a standby it is {state}")
