"""Text of each notice: what happened and what the operator should do, in the first sentence.

Reasons that cause no notice have no text.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .model import Evidence, Reason


@dataclass(frozen=True, kw_only=True)
class NoticeText:
    """The parts of a notice's text; `{decision_id}` in `wanted` is the pending decision."""

    happened: str
    wanted: str
    more: str = ""
    """Further sentences."""

    def text(self, evidence: Evidence) -> str:
        """Return the sentences, with values from the evidence."""
        return f"{self.happened}: {self.wanted_text(evidence)}.{' ' if self.more else ''}{self.more}"

    def wanted_text(self, evidence: Evidence) -> str:
        """Return what is wanted, with values from the evidence."""
        return self.wanted.replace("{decision_id}", str(evidence.get("decision_id")))


_CALLED = "wait for failover-completed, usually within minutes, and start no other failover"
_APPROVE = "approve the failover with `python -m operations approve {decision_id}`"
_APPROVAL = "No cluster is promoted without your approval, which is valid only while the outage lasts."

NOTICE_TEXTS: Mapping[Reason, NoticeText] = {
    Reason.STATE_UNREADABLE: NoticeText(
        happened="The controller cannot read its state and will not fail over",
        wanted="restore its access to the DynamoDB table, or repair the malformed item",
    ),
    Reason.SWITCH_UNREADABLE: NoticeText(
        happened="The controller cannot read whether it is armed and will not fail over",
        wanted="restore its access to the DynamoDB table, or write the switch again with `python -m operations disarm --reason REASON`",
    ),
    Reason.LEASE_UNREADABLE: NoticeText(
        happened="The controller cannot read its lease and will not fail over",
        wanted="restore its access to the DynamoDB table, or delete the malformed item",
    ),
    Reason.LOCK_UNREADABLE: NoticeText(
        happened="The controller cannot read its lock and will not fail over",
        wanted="restore its access to the DynamoDB table, or delete the malformed item",
    ),
    Reason.RDS_UNREADABLE: NoticeText(
        happened="This region's RDS API does not answer the controller, which will not fail over",
        wanted="find the cause with the error in the evidence, the controller's permissions and the AWS Health Dashboard",
    ),
    Reason.WRITER_UNKNOWN: NoticeText(
        happened="RDS names no writer, or more than one, and the controller will not fail over",
        wanted="find out who changed the global cluster, and change nothing until RDS names one writer",
    ),
    Reason.OPERATION_UNDER_WAY: NoticeText(
        happened="RDS shows a switchover or failover that this controller did not start",
        wanted="find out who started it, and let it end",
    ),
    Reason.PROBE_UNUSABLE: NoticeText(
        happened="This region's health_check gives no usable answer, and the controller cannot judge the writer",
        wanted="repair health_check, starting with its log",
    ),
    Reason.WRITER_LOCKED_OUT: NoticeText(
        happened="The writer's database runs but accepts no connections from either region",
        wanted="restart it or fail over inside its cluster, and do not fail over to the other region",
    ),
    Reason.NETWORK_PARTITION: NoticeText(
        happened="This region cannot reach the writer, but the writer works",
        wanted="repair the network between the regions, and do not fail over",
    ),
    Reason.WRITER_READ_ONLY: NoticeText(
        happened="The writer answers but accepts no writes",
        wanted="find the cause in the cluster's events, and switch over if the writer stays read-only",
    ),
    Reason.WRITER_UNVERIFIED: NoticeText(
        happened="The writer's server refuses the probe, and the controller cannot judge the writer",
        wanted="check that clients can write, and repair the probe's log-in, TLS or grants",
    ),
    Reason.PEER_UNKNOWN: NoticeText(
        happened="The other region's health_check returns errors, and one of the three paths is unusable",
        wanted="find the cause with the error in the evidence, and be ready to decide on a failover",
    ),
    Reason.PEER_SILENT: NoticeText(
        happened="The writer serves, but its region's Lambda API is silent, and one of the three paths is lost",
        wanted="watch that region in the AWS Health Dashboard, and be ready to act",
    ),
    Reason.PEER_PROBE_FAILS: NoticeText(
        happened="The writer serves this region, but its own region's health_check cannot reach it",
        wanted="repair that health_check's network or log-in",
    ),
    Reason.STANDBY_NOT_READY: NoticeText(
        happened="The writer works, but the standby could not take over now",
        wanted="repair the standby as the evidence says",
    ),
    Reason.HEALTHY: NoticeText(happened="The reported condition has ended", wanted="no action is needed"),
    Reason.IN_REGION_GRACE: NoticeText(
        happened="The writer is down, and Aurora is recovering it inside its region",
        wanted="watch, and be ready for a failover at the end of the grace period",
    ),
    Reason.STANDBY_NOT_AVAILABLE: NoticeText(
        happened="A failover is due, but the standby cluster is not available",
        wanted="bring its status to `available`, after which the controller acts",
    ),
    Reason.STANDBY_WITHOUT_INSTANCE: NoticeText(
        happened="A failover is due, but the standby has no instance that could serve",
        wanted="add an instance, after which the controller acts",
    ),
    Reason.STANDBY_UNREACHABLE: NoticeText(
        happened="A failover is due, but this region cannot use its own standby either",
        wanted="check this region's network and health_check first, because the fault may be here",
    ),
    Reason.HEARTBEAT_UNKNOWN: NoticeText(
        happened="A failover is due, but no heartbeat of the writer arrived shortly before the outage",
        wanted=f"check the writer on an independent path, and if it is lost {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.HEARTBEAT_STOPPED: NoticeText(
        happened="The writer works, but its heartbeats no longer arrive on the standby",
        wanted="repair the heartbeat's event or the replication, because a failover would need your approval meanwhile",
    ),
    Reason.RDS_UNCLEAR: NoticeText(
        happened="The writer is unreachable, and this region's RDS API is unreadable",
        wanted=f"check the writer's region and the standby on an independent path, and if the region is lost {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.WRITER_UNUSABLE: NoticeText(
        happened="The writer answers but has served no one for longer than the grace period",
        wanted=f"check its storage and events, and if it does not recover {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.STANDBY_MISSING: NoticeText(
        happened="The other region's cluster is no member of the global database, so there is no standby and no failover",
        wanted="add a cluster of the other region again, or correct the stack",
    ),
    Reason.TWO_WRITERS: NoticeText(
        happened="This region's cluster takes writes although RDS names the other region's cluster as the writer",
        wanted="let clients write to one cluster only, and find out who promoted or detached the other",
    ),
    Reason.CLUSTER_DETACHED: NoticeText(
        happened="This region's cluster is no member of the global database, so it has no standby and no automatic failover",
        wanted="find out who detached it, and add a cluster of the other region to a global database of this one",
    ),
    Reason.WRITER_ELSEWHERE: NoticeText(
        happened="The writer may be a third member of the global database, which the controller does not watch",
        wanted="switch over to one of the two clusters of this stack, or remove the third",
    ),
    Reason.MEMBER_ADDED: NoticeText(
        happened="A third cluster is a member of the global database",
        wanted="remove it, or expect that a failover asks for an approval, because the third cluster may be the better target",
    ),
    Reason.TARGET_UNCLEAR: NoticeText(
        happened="A failover is due, but a third member of the global database may be the better target",
        wanted=f"fail over to the third cluster by hand, or {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.DISARMED: NoticeText(
        happened="A failover is due, but an operator disarmed the controller",
        wanted="run `python -m operations arm --reason REASON` if the outage is real, or do nothing if it belongs to the maintenance",
    ),
    Reason.COOLDOWN: NoticeText(
        happened="A failover is due, but the roles changed or a failover failed too recently",
        wanted="find out why, then fail over by hand or wait for the end of the cooldown",
    ),
    Reason.OBSERVE_ONLY: NoticeText(
        happened="A failover is due, but the controller only observes (`mode: observe`)",
        wanted="check the writer's region on an independent path, and fail over by hand if it is lost",
    ),
    Reason.REGION_UNCLEAR: NoticeText(
        happened="The writer is unreachable, and its region's answers are inconclusive",
        wanted=f"check that region on an independent path, and if it is lost {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.STANDBY_NOT_SYNCHRONIZED: NoticeText(
        happened="A failover is due, but RDS does not report the standby as synchronized",
        wanted=f"decide whether the possible loss of data is acceptable, and if it is {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.LAG_UNKNOWN: NoticeText(
        happened="A failover is due, but the loss of data that it would cause is unknown",
        wanted=f"decide whether an unknown loss is acceptable, and if it is {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.LAG_TOO_HIGH: NoticeText(
        happened="A failover is due, but it would lose more data than `max_data_loss_seconds` allows",
        wanted=f"decide whether the loss in `lag_before_outage_ms` is acceptable, and if it is {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.APPROVAL_NEEDED: NoticeText(
        happened="A failover is due and needs your approval (`mode: approve`)",
        wanted=f"check the writer's region on an independent path, and if it is lost {_APPROVE}",
        more=_APPROVAL,
    ),
    Reason.REGION_IMPAIRED: NoticeText(
        happened="The writer's region is impaired, and the controller is calling the approved failover now",
        wanted=_CALLED,
    ),
    Reason.WRITER_DOWN: NoticeText(
        happened="The writer did not recover inside its region, and the controller is calling the failover now",
        wanted=_CALLED,
    ),
    Reason.REGION_LOST: NoticeText(
        happened="The writer's region is lost, and the controller is calling the failover now", wanted=_CALLED
    ),
    Reason.UNDECIDED: NoticeText(
        happened="The controller observes a state that no rule covers and will not fail over",
        wanted="check the writer, decide yourself, and keep the evidence",
    ),
    Reason.STATE_UNWRITABLE: NoticeText(
        happened="A failover is due, but its intent could not be recorded, and it was not called",
        wanted="restore the access to the DynamoDB table, or fail over by hand",
    ),
    Reason.FAILOVER_REFUSED: NoticeText(
        happened="RDS rejected the failover call",
        wanted="repair what the error in the evidence names",
        more="The controller repeats the call while the outage lasts.",
    ),
    Reason.FAILOVER_NOT_SENT: NoticeText(
        happened="The failover call was throttled or did not reach RDS",
        wanted="wait, because the controller repeats the call in the next cycle",
    ),
    Reason.FAILOVER_UNCERTAIN: NoticeText(
        happened="The result of the failover call is unknown",
        wanted="wait, and start no other failover",
        more="The controller waits until RDS would show the effect, and then calls again if necessary.",
    ),
    Reason.FAILOVER_OVERDUE: NoticeText(
        happened="The failover was called but has not completed in its time",
        wanted="check FailoverState and the cluster's events in this region, and open a case with AWS Support",
        more="Do not start a second failover before the first has ended.",
    ),
    Reason.FAILOVER_FAILED: NoticeText(
        happened="The failover has failed, and the other region's cluster is still the writer",
        wanted="check that the writer works, and fail over by hand if it does not",
        more="RDS no longer shows an operation. The controller does not try again before the cooldown has ended.",
    ),
    Reason.FAILOVER_ABANDONED: NoticeText(
        happened="The failover call had no effect, and the writer is reachable again",
        wanted="no action is needed, because no cluster was promoted",
    ),
    Reason.FAILOVER_COMPLETED: NoticeText(
        happened="The failover is complete, and this region's cluster is the writer",
        wanted="check that clients write",
        more=(
            "writer.<zone> resolves to it one to two minutes after the promotion. When the old region returns, AWS keeps its "
            "old volume as a system snapshot named rds:unplanned-global-failover-...: copy this snapshot before its retention "
            "ends, as it holds the lost writes. The old cluster rejoins as standby automatically. There is no automatic "
            "failback: run a switchover when you want to go back."
        ),
    ),
    Reason.ROLES_CHANGED: NoticeText(
        happened="A switchover or failover that this controller did not start has changed the writer",
        wanted="find out who started it, unless your team did",
        more="The cooldown starts now.",
    ),
}
