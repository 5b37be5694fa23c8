"""WriterRole in every state of an operation. DNS follows this metric."""

from dataclasses import replace
from itertools import product

import pytest

from functions.failover_controller.metrics import cycle_metrics
from functions.failover_controller.model import (
    Action,
    Decision,
    GlobalOperation,
    Observation,
    Peer,
    Port,
    Reason,
    Side,
)
from tests.support.failover_controller.builders import healthy

DECISION = Decision(action=Action.HOLD, reason=Reason.OPERATION_UNDER_WAY, target=None, evidence={})
STATUSES = ("pending", "failing-over", "switching-over", "cancelling", "malformed")
MOVING = ("pending", "failing-over", "switching-over")
READ_ONLY = (True, False, None)

STANDBY = healthy(peer=Peer.UNKNOWN, peer_port=Port.DEAD, peer_read_only=None)
"""The standby's view of a writer that serves no one."""
SERVING = healthy()
"""The standby's view of a writer that serves."""
WRITER = healthy(writer=Side.OWN, own_read_only=False, peer_read_only=True)


def role(seen: Observation, *, has_called: bool = False, leads: bool = False) -> float | None:
    """Return the published value of WriterRole; None if it is left out."""
    values = cycle_metrics(seen, DECISION, heartbeat_stopped=None, met_error=False, has_called=has_called, leads=leads)
    return values["WriterRole"][0] if "WriterRole" in values else None


def under(seen: Observation, status: str, *, to_own: bool | None) -> Observation:
    """Return the observation with an operation."""
    return replace(seen, operation=GlobalOperation(status=status, to_own=to_own, allows_data_loss=None))


@pytest.mark.parametrize(("status", "read_only"), list(product(STATUSES, READ_ONLY)))
def test_target_has_the_role_once_the_old_writer_serves_no_one(status: str, read_only: bool | None) -> None:
    """Whatever the own probe finds: during the operation no cluster takes writes. A cancelled one moves nothing."""
    seen = under(replace(STANDBY, own_read_only=read_only), status, to_own=True)
    assert role(seen) == (1.0 if status in MOVING else 0.0)


@pytest.mark.parametrize(("status", "read_only"), list(product(STATUSES, READ_ONLY)))
def test_target_waits_while_the_old_writer_serves(status: str, read_only: bool | None) -> None:
    """New connections would reach a reader while the writer still takes writes."""
    assert role(under(replace(SERVING, own_read_only=read_only), status, to_own=True)) == 0.0


@pytest.mark.parametrize(
    "sign", [{"peer": Peer.FINE}, {"peer_port": Port.ALIVE, "peer_read_only": False}], ids=["api", "port"]
)
def test_either_path_to_the_old_writer_keeps_the_name(sign: dict[str, object]) -> None:
    """The gate needs all paths to be without a sign of a working writer."""
    assert role(under(replace(STANDBY, **sign), "switching-over", to_own=True)) == 0.0


def test_demoted_writer_releases_the_role() -> None:
    """It answers, and is read-only."""
    demoted = healthy(peer=Peer.UNKNOWN, peer_read_only=True)
    assert role(under(demoted, "switching-over", to_own=True)) == 1.0


@pytest.mark.parametrize(("status", "read_only"), list(product(STATUSES, READ_ONLY)))
def test_source_gives_the_role_up_once_it_takes_no_writes(status: str, read_only: bool | None) -> None:
    """A database that refuses connections during the operation is no writer; without one, it is unknown."""
    seen = under(replace(WRITER, own_read_only=read_only), status, to_own=False)
    without_operation = {True: 0.0, False: 1.0, None: None}[read_only]
    assert role(seen) == (0.0 if status in MOVING and read_only is None else without_operation)


@pytest.mark.parametrize("status", MOVING)
def test_promoted_target_keeps_the_role_until_it_takes_writes(status: str) -> None:
    """RDS names the new writer before the operation ends; the old region's answer is then no sign of a writer."""
    seen = replace(WRITER, own_read_only=True, peer=Peer.FINE)
    assert role(under(seen, status, to_own=True)) == 1.0


@pytest.mark.parametrize("read_only", READ_ONLY)
def test_operation_without_a_target_changes_nothing(read_only: bool | None) -> None:
    """RDS omits the target: the role is the one without an operation."""
    for seen in (replace(STANDBY, own_read_only=read_only), replace(WRITER, own_read_only=read_only)):
        assert role(under(seen, "failing-over", to_own=None)) == role(seen)


def test_accepted_call_counts_before_rds_shows_the_operation() -> None:
    """RDS still names the old writer, or is unreadable; a writer that serves or a cancelled operation ends it."""
    unreadable = replace(STANDBY, writer=Side.UNKNOWN, rds_failure="ThrottlingException")
    assert (role(STANDBY, has_called=True), role(unreadable, has_called=True)) == (1.0, 1.0)
    assert (role(SERVING, has_called=True), role(under(STANDBY, "cancelling", to_own=True), has_called=True)) == (
        0.0,
        0.0,
    )


@pytest.mark.parametrize(("read_only", "expected"), [(True, 0.0), (False, 1.0), (None, None)])
def test_cluster_that_leads_ignores_operations(read_only: bool | None, expected: float | None) -> None:
    """It is outside the global database."""
    seen = under(replace(STANDBY, own_read_only=read_only), "failing-over", to_own=True)
    assert role(seen, leads=True) == expected


@pytest.mark.parametrize(
    ("writer", "read_only", "expected"),
    [
        (Side.PEER, True, 0.0),
        (Side.PEER, False, 0.0),
        (Side.PEER, None, 0.0),
        (Side.OWN, True, 0.0),
        (Side.OWN, False, 1.0),
        (Side.OWN, None, None),
        (Side.UNKNOWN, False, None),
    ],
)
def test_role_without_an_operation(writer: Side, read_only: bool | None, expected: float | None) -> None:
    """RDS and the database must agree; an unknown value is left out."""
    assert role(replace(STANDBY, writer=writer, own_read_only=read_only)) == expected
