"""Cycles on fakes, from an outage to a new writer, and their failures."""

import json
from concurrent.futures import Future
from typing import Any

import pytest

from functions.failover_controller.ports import SilentError, StateConflictError, UnusableError
from functions.failover_controller.store import LEASE, LOCK, STATE, SWITCH
from tests.support.failover_controller.builders import NOW, OWN_ARN, PEER_ARN, after
from tests.support.failover_controller.fakes import THROTTLED, Crash, Steps, as_stored
from tests.support.failover_controller.rig import Rig

OWN, PEER = "payments-eu-west-1-dev", "payments-us-east-1-dev"


def outage(**variables: str) -> Rig:
    """Return a rig after three healthy cycles whose other region is then lost."""
    rig = Rig(variables=variables).start()
    rig.run_cycles(3)
    rig.world.region_is_lost = True
    return rig


def put(rig: Rig, key: tuple[str, str], **attributes: object) -> None:
    """Write an item as an operator or another process would."""
    rig.table.items[key] = as_stored({"item": key[0], "sort": key[1], **attributes})


def line(rig: Rig, index: int) -> dict[str, Any]:
    """Return a published notice."""
    return json.loads(rig.world.published[index].line)


def hang_the_call(rig: Rig) -> None:
    """Make the failover call, which is the next call after the intent, hang."""

    def hangs() -> bool:
        is_the_call = rig.steps.names[-1] == "after write state" and "attempt" in rig.table.items[STATE]
        if is_the_call:
            rig.threads.hangs = lambda: False
        return is_the_call

    rig.threads.hangs = hangs


def test_third_failing_cycle_fails_over() -> None:
    """There is one call and one notice."""
    rig = outage()
    assert rig.run_cycles(3) == ["writer-suspected", "writer-suspected", "region-lost"]
    assert ([after(5)], ["region-lost"]) == (rig.world.calls, rig.world.notified())


def test_completed_failover_is_reported_with_its_figures() -> None:
    """The notice gives duration, estimated data loss and next step."""
    rig = outage()
    rig.run_cycles(8)
    notice = line(rig, -1)
    assert ["region-lost", "failover-completed"] == rig.world.notified() == rig.table.reasons()
    assert (notice["evidence"]["elapsed_seconds"], notice["evidence"]["estimated_loss_seconds"]) == (3.0, 0.08)
    assert "rds:unplanned-global-failover-" in notice["summary"]


def test_returning_region_causes_no_failback() -> None:
    """The return of the old region causes neither a call nor a notice."""
    rig = outage()
    rig.run_cycles(10)
    rig.world.region_is_lost = False
    assert rig.run_cycles(5) == ["already-writer"] * 5
    assert (len(rig.world.calls), rig.world.notified()) == (1, ["region-lost", "failover-completed"])


def test_outage_below_the_threshold_is_ignored() -> None:
    """Two failing cycles cause neither a call nor a notice."""
    rig = outage()
    rig.run_cycles(2)
    rig.world.region_is_lost = False
    rig.run_cycles(5)
    assert (rig.world.calls, rig.world.notified()) == ([], [])


def test_network_partition_is_reported_once_and_causes_no_call() -> None:
    """A second notice reports its end."""
    rig = Rig().start()
    rig.world.peering_is_cut = True
    rig.run_cycles(20)
    rig.world.peering_is_cut = False
    rig.run_cycles(5)
    assert (rig.world.calls, rig.world.notified()) == ([], ["network-partition", "healthy"])


def test_heartbeat_detects_a_partition_of_two_paths() -> None:
    """New heartbeats show a working writer when peering and Lambda API fail."""
    rig = Rig().start()
    rig.world.peering_is_cut, rig.world.peer_lambda = True, SilentError("timed out")
    rig.run_cycles(30)
    assert (rig.world.calls, rig.world.notified()) == ([], ["network-partition"])


def test_flapping_region_is_reported_once() -> None:
    """Alternating failing and healthy cycles are one episode without a failover."""
    rig = Rig().start()
    for _ in range(10):
        rig.world.peering_is_cut = True
        rig.run_cycles(2)
        rig.world.peering_is_cut = False
        rig.run_cycles(1)
    assert (rig.world.calls, rig.world.notified()) == ([], ["network-partition"])


def test_writer_down_fails_over_after_the_grace_period() -> None:
    """The controller waits 20 s for Aurora's recovery within the region."""
    rig = Rig().start()
    rig.run_cycles(2)
    rig.world.writer_is_down = True
    rig.run_cycles(20)
    before = len(rig.world.calls)
    rig.run_cycles(3)
    assert (before, len(rig.world.calls), rig.world.notified()) == (0, 1, ["in-region-grace", "writer-down"])


@pytest.mark.parametrize("call", ["timed out, took effect", "accepted"])
def test_effective_call_is_never_repeated(call: str) -> None:
    """The next cycle recognizes the operation if the answer to the call is lost."""
    rig = outage()
    rig.world.call = call
    rig.run_cycles(40)
    assert (len(rig.world.calls), rig.world.effects) == (1, 1)
    assert rig.world.notified()[-1] == "failover-completed"


def test_uncertain_call_is_reported() -> None:
    """Notices report the lost answer and the result."""
    rig = outage()
    rig.world.call = "timed out, took effect"
    rig.run_cycles(20)
    assert rig.world.notified() == ["region-lost", "failover-uncertain", "failover-completed"]


def test_lost_call_is_repeated_after_25_seconds() -> None:
    """The repetition belongs to the same attempt."""
    rig = outage()
    rig.world.call = "timed out, lost"
    rig.run_cycles(10)
    rig.world.call = "accepted"
    rig.run_cycles(30)
    assert [after(5), after(30)] == rig.world.calls
    assert (rig.world.effects, line(rig, -1)["evidence"]["calls"]) == (1, 2)


def test_refused_repetition_keeps_the_attempt() -> None:
    """RDS may refuse the repeated call because the first call took effect."""
    rig = outage()
    rig.world.call = "timed out, lost"
    rig.run_cycles(10)
    rig.world.call = "refused"
    rig.run_cycles(20)
    attempt: Any = rig.table.items[STATE]["attempt"]
    assert (len(rig.world.calls), attempt["calls"], attempt["status"]) == (2, 2, "intended")


def test_throttled_call_is_repeated_in_the_next_cycle() -> None:
    """One notice is sent."""
    rig = outage()
    rig.world.call = "throttled"
    rig.run_cycles(6)
    rig.world.call = "accepted"
    rig.run_cycles(6)
    assert (len(rig.world.calls), rig.world.effects) == (5, 1)
    assert rig.world.notified() == ["region-lost", "failover-not-sent", "failover-completed"]


def test_refused_call_is_reported_with_its_error() -> None:
    """The evidence contains RDS's error."""
    rig = outage()
    rig.world.call = "refused"
    rig.run_cycles(5)
    assert rig.world.notified() == ["region-lost", "failover-refused"]
    assert "InvalidGlobalClusterStateFault" in line(rig, -1)["evidence"]["error"]


def test_unexpected_error_of_the_call_is_uncertain() -> None:
    """A bug must neither stop the cycles nor cause a second call."""
    rig = outage()
    rig.world.call = "broken"
    rig.run_cycles(10)
    assert (len(rig.world.calls), rig.world.notified()[-1]) == (1, "failover-uncertain")


def test_hanging_call_does_not_stop_the_cycles() -> None:
    """Cycles hold until the answer arrives."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    assert rig.run_cycles(1) == ["region-lost"]
    assert rig.run_cycles(3) == ["failover-under-way"] * 3
    late = rig.threads.hanging[0]
    assert rig.world.calls == []
    rig.threads.run(*late)
    assert rig.run_cycles(1) == ["region-lost"]
    assert ([after(9)], ["region-lost", "failover-not-sent"]) == (rig.world.calls, rig.world.notified())


def test_no_second_call_while_the_first_hangs() -> None:
    """The first call still blocks a second one after its time limit."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run_cycles(1)
    rig.run_cycles(30)
    assert (rig.world.calls, rig.run_cycles(1)) == ([], ["failover-under-way"])


def test_finish_takes_the_answer_of_the_call() -> None:
    """The execution environment is not frozen during a call."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run()
    rig.threads.run(*rig.threads.hanging[0])
    rig.cycle.finish(0.0)
    attempt: Any = rig.table.items[STATE]["attempt"]
    assert (len(rig.world.calls), attempt["status"]) == (1, "under-way")


def test_finish_without_an_answer_keeps_the_intent() -> None:
    """The next invocation continues the attempt."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run()
    rig.cycle.finish(0.0)
    attempt: Any = rig.table.items[STATE]["attempt"]
    assert attempt["status"] == "intended"


def test_overdue_failover_is_reported_once() -> None:
    """There is no second call."""
    rig = outage(COMPLETION_BOUND_SECONDS="30")
    rig.world.operation_never_ends = True
    rig.run_cycles(60)
    assert (rig.world.notified(), len(rig.world.calls)) == (["region-lost", "failover-overdue"], 1)
    assert line(rig, -1)["runbook"] == "failover-overdue"


def test_cancelled_failover_is_reported_and_starts_the_cooldown() -> None:
    """The next attempt waits for the end of the cooldown."""
    rig = outage()
    rig.world.operation_never_ends = True
    rig.run_cycles(5)
    rig.world.cancel_operation()
    rig.run_cycles(60)
    assert (rig.world.notified(), len(rig.world.calls)) == (["region-lost", "failover-failed", "cooldown"], 1)


def test_manual_switchover_is_reported_and_starts_the_cooldown() -> None:
    """The time of the switchover is recorded as a change of roles."""
    rig = Rig().start()
    rig.run_cycles(2)
    rig.world.writer = "arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-dev"
    rig.run_cycles(3)
    assert (["roles-changed"], after(2).isoformat()) == (
        rig.world.notified(),
        rig.table.items[STATE]["roles_changed_at"],
    )


def test_disarmed_controller_holds_until_armed() -> None:
    """Every cycle reads the switch."""
    rig = outage()
    put(rig, SWITCH, armed=False, reason="maintenance", by="ada")
    rig.run_cycles(10)
    held = rig.world.metrics[-1]["Held"]
    assert (rig.world.calls, rig.world.notified(), held) == ([], ["disarmed"], (1.0, "Count"))
    put(rig, SWITCH, armed=True, by="ada")
    rig.run_cycles(1)
    assert rig.world.effects == 1


def test_disarming_between_the_observations_holds() -> None:
    """The second observation reads the switch again."""
    rig = outage()
    rig.run_cycles(2)

    def disarm(count: int, name: str) -> None:
        if name == "after write lock":
            put(rig, SWITCH, armed=False)

    rig.steps.interrupt = disarm
    assert (rig.run_cycles(1), rig.world.calls) == (["disarmed"], [])


@pytest.mark.parametrize("step", ["after own health_check", "before write state"])
def test_disarming_before_the_intent_prevents_the_call(step: str) -> None:
    """The second observation has already read the switch; the write of the intent checks it again."""
    rig = outage()
    rig.run_cycles(2)

    def disarm(count: int, name: str) -> None:
        if name == "after write lock":
            rig.steps.names.clear()
        elif name == step and "after read" in rig.steps.names:
            put(rig, SWITCH, armed=False, reason="wait", by="ada")

    rig.steps.interrupt = disarm
    assert (rig.run_cycles(1), rig.world.calls) == (["disarmed"], [])
    assert "attempt" not in rig.table.items[STATE]


@pytest.mark.parametrize(
    "switch",
    [{"armed": True}, {"armed": False, "expires_at": round(NOW.timestamp()) - 1}],
)
def test_armed_or_expired_switch_lets_the_intent_be_written(switch: dict[str, Any]) -> None:
    """The condition is that of the decision."""
    rig = outage()
    put(rig, SWITCH, **switch)
    rig.run_cycles(3)
    assert rig.world.effects == 1


def test_error_texts_of_any_length_leave_the_state_writable() -> None:
    """DynamoDB's items have at most 400 KB."""
    rig = Rig().start()
    rig.world.rds = UnusableError("x" * 400_000)
    rig.run_cycles(5)
    assert rig.world.notified() == ["rds-unreadable"]
    assert len(json.dumps(rig.table.items[STATE], default=str)) < 20_000


def test_second_observation_follows_after_a_pause() -> None:
    """An interruption of 43 s, as at GitHub in 2018, ends before it."""
    rig = Rig(variables={"INTERVAL_SECONDS": "10"}).start()
    for _ in range(3):
        rig.run()
        rig.clock.advance(10)
    rig.world.region_is_lost = True
    for _ in range(3):
        rig.run()
        rig.clock.advance(10)
    names = rig.steps.names
    assert (rig.pauses, len(rig.world.calls)) == ([3.5], 1)
    assert "after own health_check" in names[names.index("after write lock") : names.index("before fail over")]


def test_recovery_between_the_observations_holds() -> None:
    """The second decision differs from the first."""
    rig = outage()
    rig.run_cycles(2)

    def come_back(count: int, name: str) -> None:
        rig.world.region_is_lost &= name != "after write lock"

    rig.steps.interrupt = come_back
    assert (rig.run_cycles(1), rig.world.calls) == (["healthy"], [])


def test_reachable_writer_in_second_observation_resets_the_count() -> None:
    """The silence has healed, so five more failing cycles are then required."""
    rig = outage()
    rig.run_cycles(2)
    ask_peer, calls = rig.world.ask_peer, iter(range(1, 100))

    def fine_in_the_second_observation(request: Any) -> object:
        if next(calls) == 2:
            return {"probes": [{**rig.world.probe(OWN, from_peer=True), "cluster": PEER, "read_only": False}]}
        return ask_peer(request)

    rig.world.ask_peer = fine_in_the_second_observation  # type: ignore[method-assign]
    assert rig.run_cycles(1) == ["network-partition"]
    assert rig.run_cycles(5) == ["writer-suspected"] * 4 + ["region-lost"]


def test_events_of_the_second_observation_are_reported() -> None:
    """Here an attempt becomes overdue between the two observations."""
    rig = outage(COMPLETION_BOUND_SECONDS="27")
    rig.world.call = "timed out, lost"
    rig.run_cycles(27)

    def let_the_bound_pass(count: int, name: str) -> None:
        if name == "after write lock":
            rig.clock.advance(3)

    rig.steps.interrupt = let_the_bound_pass
    rig.run_cycles(2)
    assert "failover-overdue" in rig.world.notified()


def test_different_verdicts_in_one_cycle_hold() -> None:
    """The region is silent in the first observation and its writer down in the second."""
    rig = outage(IN_REGION_GRACE_SECONDS="0")
    rig.run_cycles(2)

    def answer_again(count: int, name: str) -> None:
        if name == "after write lock":
            rig.world.region_is_lost, rig.world.writer_is_down = False, True

    rig.steps.interrupt = answer_again
    assert (rig.run_cycles(1), rig.world.calls) == (["decisions-differ"], [])


def test_mode_approve_requests_once_and_acts_on_approval() -> None:
    """The approval lets the next cycle fail over."""
    rig = outage(MODE="approve")
    rig.run_cycles(6)
    assert (rig.world.notified(), rig.world.calls) == (["approval-needed"], [])
    decision_id = line(rig, 0)["evidence"]["decision_id"]
    assert decision_id in line(rig, 0)["summary"]
    put(rig, ("approval", decision_id), approved=True, by="ada")
    rig.run_cycles(1)
    assert rig.world.effects == 1


def half_lost(**variables: str) -> Rig:
    """Return a rig whose writer is down and whose other region's Lambda API returns errors."""
    rig = outage(**variables)
    rig.world.region_is_lost, rig.world.writer_is_down, rig.world.peer_lambda = False, True, THROTTLED
    return rig


def test_inconclusive_region_requests_approval_after_the_grace() -> None:
    """The approval then causes the failover."""
    rig = half_lost()
    rig.run_cycles(19)
    assert (rig.world.notified(), rig.world.calls) == (["peer-unknown"], [])
    rig.run_cycles(10)
    assert (rig.world.notified(), rig.world.calls) == (["peer-unknown", "region-unclear"], [])
    pending: Any = rig.table.items[STATE]["pending"]
    assert pending["verdict"] == "region-impaired"
    put(rig, ("approval", pending["id"]), approved=True, by="ada")
    assert rig.run_cycles(1) == ["region-impaired"]
    assert rig.world.effects == 1


def test_alternating_errors_and_silence_request_approval() -> None:
    """The approval causes the failover within a few cycles."""
    rig = half_lost()

    def flicker(count: int, name: str) -> None:
        if name == "before peer health_check":
            rig.world.peer_lambda = None if rig.world.peer_lambda else THROTTLED
            rig.world.region_is_lost = rig.world.peer_lambda is None

    rig.steps.interrupt = flicker
    rig.run_cycles(30)
    assert (rig.world.notified()[-1], rig.world.calls) == ("region-unclear", [])
    pending: Any = rig.table.items[STATE]["pending"]
    put(rig, ("approval", pending["id"]), approved=True, by="ada")
    rig.run_cycles(3)
    assert rig.world.effects == 1


def test_pending_decision_ends_with_its_episode() -> None:
    """The approval of an earlier request does not apply to a new one."""
    rig = outage(MODE="approve")
    rig.run_cycles(4)
    old = line(rig, 0)["evidence"]["decision_id"]
    put(rig, ("approval", old), approved=True, by="ada")
    rig.world.region_is_lost = False
    rig.run_cycles(5)
    rig.world.region_is_lost = True
    rig.run_cycles(5)
    assert (rig.world.notified(), rig.world.calls) == (["approval-needed", "healthy", "approval-needed"], [])


def test_approval_ends_when_the_writer_is_reachable() -> None:
    """The next outage makes a new request."""
    rig = outage(MODE="approve")
    rig.run_cycles(4)
    old = line(rig, 0)["evidence"]["decision_id"]
    put(rig, SWITCH, armed=False, reason="wait", by="ada")
    put(rig, ("approval", old), approved=True, by="ada")
    rig.run_cycles(2)
    rig.world.region_is_lost = False
    rig.run_cycles(1)
    del rig.table.items[SWITCH]
    rig.world.region_is_lost = True
    rig.run_cycles(6)
    assert (rig.world.notified(), rig.world.calls) == (["approval-needed", "disarmed", "approval-needed"], [])
    new = line(rig, -1)["evidence"]["decision_id"]
    assert new != old
    put(rig, ("approval", new), approved=True, by="ada")
    rig.run_cycles(1)
    assert rig.world.effects == 1


def test_unanswered_request_survives_a_reachable_writer() -> None:
    """A flapping region causes one request only."""
    rig = outage(MODE="approve")
    rig.run_cycles(4)
    for _ in range(3):
        rig.world.region_is_lost = False
        rig.run_cycles(1)
        rig.world.region_is_lost = True
        rig.run_cycles(4)
    assert (rig.world.notified(), rig.world.calls) == (["approval-needed"], [])


def test_mode_observe_reports_once_and_does_not_act() -> None:
    """The notice contains the action that the controller would take."""
    rig = outage(MODE="observe")
    rig.run_cycles(10)
    assert (rig.world.notified(), rig.world.calls) == (["observe-only"], [])


def test_lag_above_the_limit_requires_an_approval() -> None:
    """The approval is required in mode automatic too."""
    rig = Rig().start()
    rig.world.lag_ms = 60_000.0
    rig.run_cycles(2)
    rig.world.region_is_lost = True
    rig.run_cycles(5)
    assert (rig.world.notified(), rig.world.calls) == (["lag-too-high"], [])
    put(rig, ("approval", line(rig, 0)["evidence"]["decision_id"]), approved=True, by="ada")
    rig.run_cycles(8)
    assert (rig.world.effects, line(rig, -1)["evidence"]["estimated_loss_seconds"]) == (1, 60.0)


@pytest.mark.parametrize("path", ["rds", "own_lambda"])
@pytest.mark.parametrize("error", [THROTTLED, SilentError("timed out"), KeyError("a bug")])
def test_unreadable_path_holds_and_is_reported_once(path: str, error: Exception) -> None:
    """The cycle holds after any error of this region's probe or RDS API."""
    rig = outage()
    setattr(rig.world, path, error)
    rig.run_cycles(10)
    unreadable = {"rds": "rds-unreadable", "own_lambda": "probe-unusable"}[path]
    assert ([], [unreadable], (1.0, "Count")) == (rig.world.calls, rig.world.notified(), rig.world.metrics[-1]["Error"])
    setattr(rig.world, path, None)
    rig.run_cycles(4)
    assert rig.world.effects == 1


def test_throttled_peer_is_not_silent() -> None:
    """A throttled Lambda API returns an answer."""
    rig = Rig().start()
    rig.run_cycles(2)
    rig.world.writer_is_down, rig.world.peer_lambda = True, THROTTLED
    rig.run_cycles(10)
    assert (rig.world.calls, rig.world.notified()) == ([], ["peer-unknown"])


def test_first_run_with_an_empty_table() -> None:
    """The first cycle decides and writes the state."""
    rig = Rig().start()
    assert (rig.run_cycles(1), rig.table.items[STATE]["version"]) == (["healthy"], 1)


@pytest.mark.parametrize("key", [STATE, SWITCH, LEASE, LOCK])
def test_malformed_item_holds_and_is_not_overwritten(key: tuple[str, str]) -> None:
    """One notice is sent."""
    rig = outage()
    rig.run_cycles(1)
    put(rig, key, version="x", armed="x", holder=7, until="x")
    broken = dict(rig.table.items[key])
    reasons = set(rig.run_cycles(10))
    assert (broken, []) == (rig.table.items[key], rig.world.calls)
    assert ({f"{key[0]}-unreadable"}, [f"{key[0]}-unreadable"]) == (reasons, rig.world.notified())


def test_unreadable_table_holds_and_is_reported_once() -> None:
    """Failing cycles are counted in memory meanwhile."""
    rig = outage()
    rig.table.fails_to_read = True
    rig.table.fails_to_write = lambda key: True
    rig.run_cycles(10)
    assert rig.world.calls == []
    rig.table.fails_to_read = False
    rig.table.fails_to_write = lambda key: False
    rig.run_cycles(1)
    assert (rig.world.effects, rig.world.notified()) == (1, ["state-unreadable", "region-lost"])


def test_unprocessed_items_are_unreadable() -> None:
    """A throttled part of a batch is unknown, not absent."""
    rig = outage()
    rig.table.throttles = lambda key: key == SWITCH
    rig.run_cycles(5)
    assert (rig.world.calls, rig.world.notified()) == ([], ["switch-unreadable"])


def test_unwritable_state_is_kept_in_memory() -> None:
    """The failover waits for a successful write."""
    rig = outage()
    rig.table.fails_to_write = lambda key: key == STATE
    rig.run_cycles(6)
    assert (rig.world.calls, rig.world.notified()) == ([], ["state-unwritable"])
    rig.table.fails_to_write = lambda key: False
    rig.run_cycles(1)
    assert (rig.world.effects, rig.world.notified()) == (1, ["state-unwritable", "region-lost"])


def test_notices_are_sent_once_while_the_state_is_unwritable() -> None:
    """The outbox is kept in memory."""
    rig = Rig().start()
    rig.run_cycles(1)
    rig.world.peering_is_cut = True
    rig.table.fails_to_write = lambda key: key == STATE
    rig.run_cycles(10)
    assert [str(notice.reason) for notice in rig.world.published] == ["network-partition"]


def test_no_call_after_an_uncertain_write_of_the_intent() -> None:
    """The next cycles find the intent and continue the attempt."""
    rig = outage()
    rig.run_cycles(2)
    rig.table.loses_answer_of = lambda key: key == STATE and bool(rig.table.items[STATE].get("attempt"))
    assert (rig.run_cycles(1), rig.world.calls) == (["state-unwritable"], [])
    rig.table.loses_answer_of = lambda key: False
    rig.run_cycles(35)
    assert (len(rig.world.calls), rig.world.notified()[-1]) == (1, "failover-completed")


@pytest.mark.parametrize(("failing", "expected"), [("lock", "lock-unreadable"), ("lease", "writer-suspected")])
def test_unavailable_lock_holds(failing: str, expected: str) -> None:
    """The controller makes no call if it cannot take the lock."""
    rig = outage()
    rig.table.fails_to_write = lambda key: key[0] == failing
    rig.run_cycles(2)
    reasons = rig.run_cycles(1)
    assert (0 if failing == "lock" else 1) == rig.world.effects
    assert expected in (*reasons, "writer-suspected")


def test_lock_taken_by_another_process_holds() -> None:
    """The conditional write decides."""
    rig = outage()
    rig.run_cycles(2)

    def other(count: int, name: str) -> None:
        if name == "before write lock":
            put(rig, LOCK, holder="other", until=round(after(60).timestamp() * 1000), version=0)

    rig.steps.interrupt = other
    assert (rig.run_cycles(1), rig.world.calls) == (["lock-held"], [])


def test_unreleased_lock_is_a_problem_only() -> None:
    """The failover is not affected, and the lock expires."""
    rig = outage()
    rig.run_cycles(2)
    rig.table.loses_answer_of = lambda key: key == LOCK and rig.table.items[LOCK]["until"] == 0
    result = rig.run()
    assert (rig.world.effects, any("lock" in problem for problem in result.problems)) == (1, True)


def test_state_is_read_again_after_a_conflict() -> None:
    """A lost write costs one cycle."""
    rig = Rig().start()
    rig.run_cycles(1)

    def overtake(count: int, name: str) -> None:
        if name == "before write state":
            rig.table.items[STATE]["version"] = 6
            rig.steps.interrupt = None

    rig.steps.interrupt = overtake
    result = rig.run()
    rig.clock.advance(1)
    assert (bool(result.problems), rig.run_cycles(1), rig.table.items[STATE]["version"]) == (True, ["healthy"], 7)


def test_cycles_without_the_lease_hold() -> None:
    """The lease is unreadable."""
    rig = Rig()
    put(rig, LEASE, holder=7)
    rig.start()
    rig.world.region_is_lost = True
    rig.run_cycles(10)
    assert (rig.cycle.has_lease, rig.world.calls, rig.world.notified()) == (False, [], ["lease-unreadable"])


@pytest.mark.parametrize("fault", ["read", "write"])
def test_lease_is_not_taken_from_an_unavailable_table(fault: str) -> None:
    """Reads or writes of the table fail."""
    rig = Rig()
    rig.table.fails_to_read = fault == "read"
    rig.table.fails_to_write = lambda key: fault == "write"
    assert False is rig.start().cycle.has_lease


def test_concurrent_start_loses_the_lease() -> None:
    """One of two invocations wins the conditional write."""
    rig = Rig()

    def other(count: int, name: str) -> None:
        if name == "before write lease":
            put(rig, LEASE, holder="other", version=1)

    rig.steps.interrupt = other
    with pytest.raises(StateConflictError):
        rig.start()


def test_failing_reports_do_not_stop_the_failover() -> None:
    """The notices are sent once when the topic works again."""
    rig = outage()
    rig.world.topic_fails = rig.world.metrics_fail = True
    rig.run_cycles(5)
    assert (rig.world.effects, rig.world.notified()) == (1, [])
    rig.world.topic_fails = rig.world.metrics_fail = False
    rig.run_cycles(5)
    assert [str(notice.reason) for notice in rig.world.published] == ["region-lost", "failover-completed"]


def test_hanging_report_does_not_stop_the_cycles() -> None:
    """A later cycle takes its result."""
    rig = Rig().start()
    rig.world.peering_is_cut = True
    rig.run_cycles(2)
    result = rig.cycle.run(0.0)
    rig.threads.hangs = lambda: True
    rig.cycle.report(result, 0.0)
    rig.threads.hangs = lambda: False
    rig.clock.advance(1)
    rig.run_cycles(1)
    for call, future in rig.threads.hanging:
        rig.threads.run(call, future)
    rig.cycle.finish(0.0)
    assert (rig.world.notified(), rig.table.items[STATE]["outbox"]) == (["network-partition"], [])


def test_unexpected_error_of_a_report_is_a_problem() -> None:
    """The cycles continue."""
    rig = Rig().start()
    rig.world.peering_is_cut = True
    rig.run_cycles(2)
    result = rig.cycle.run(0.0)
    rig.threads.hangs = lambda: True
    rig.cycle.report(result, 0.0)
    rig.threads.hangs = lambda: False
    rig.threads.hanging[1][1].set_exception(KeyError("a bug"))
    rig.cycle.finish(0.0)
    rig.clock.advance(1)
    assert "notices: 'a bug'" in rig.run().problems


def test_cycle_duration_includes_the_observation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle longer than the interval delays the next one."""
    rig = Rig().start()
    rig.run()
    ask_own = rig.world.ask_own

    def answer_late(request: Any) -> object:
        rig.clock.advance(0.4)
        return ask_own(request)

    monkeypatch.setattr(rig.world, "ask_own", answer_late)
    rig.clock.advance(10)
    rig.run()
    durations = [values["CycleDuration"] for values in rig.world.metrics]
    assert durations == [(0.0, "Milliseconds"), (400.0, "Milliseconds")]


def test_no_report_before_the_call() -> None:
    """No notice and no metric is sent between the decision and the call."""
    rig = outage()
    rig.run_cycles(2)
    rig.steps.names.clear()
    rig.run_cycles(1)
    before_call = rig.steps.names[: rig.steps.names.index("before fail over")]
    assert [name for name in before_call if "publish" in name or "metrics" in name or "history" in name] == []


def test_only_lock_and_intent_are_written_before_the_call() -> None:
    """Other writes would delay the failover."""
    rig = outage()
    rig.run_cycles(2)
    rig.steps.names.clear()
    rig.run_cycles(1)
    before_call = rig.steps.names[: rig.steps.names.index("before fail over")]
    assert [name for name in before_call if name.startswith("after write")] == ["after write lock", "after write state"]


def test_stalled_process_does_not_call_late() -> None:
    """The process was frozen between the intent and the call."""
    rig = outage()
    rig.run_cycles(2)

    def freeze(count: int, name: str) -> None:
        if name == "after write state" and rig.table.items[STATE].get("attempt"):
            rig.clock.advance(3.1)
            rig.steps.interrupt = None

    rig.steps.interrupt = freeze
    rig.run_cycles(1)
    assert (rig.world.calls, rig.world.notified()[-1]) == ([], "failover-not-sent")


def silent_before(rig: Rig) -> None:
    """Let the writer fail after an hour in which the other region's APIs were silent."""
    rig.run_cycles(3)
    rig.world.peer_lambda = rig.world.peer_rds = SilentError("timed out")
    rig.run_cycles(3600)
    rig.world.writer_is_down = True


def test_crash_during_an_old_silence_is_no_lost_region() -> None:
    """Aurora restarts the writer within the grace period, as in any other region."""
    rig = Rig(variables={"IN_REGION_GRACE_SECONDS": "120"}).start()
    silent_before(rig)
    rig.run_cycles(45)
    rig.world.writer_is_down = False
    rig.run_cycles(10)
    assert rig.world.calls == []


def test_loss_during_an_old_silence_is_called_after_the_grace() -> None:
    """The silence is no evidence, the grace period without a sign of the writer is."""
    rig = Rig().start()
    silent_before(rig)
    assert rig.run_cycles(20)[-1] == "in-region-grace"
    assert "region-lost" in rig.run_cycles(2)


def test_silent_lambda_api_is_no_silent_region_while_its_rds_api_answers() -> None:
    """A zone dies with the writer in it, and the invocations of health_check hang for 60 s."""
    rig = Rig(variables={"IN_REGION_GRACE_SECONDS": "120"}).start()
    rig.run_cycles(3)
    rig.world.writer_is_down, rig.world.peer_lambda = True, SilentError("timed out")
    assert (set(rig.run_cycles(60)), rig.world.calls) == ({"peer-unknown"}, [])


def test_writer_that_cannot_commit_requests_approval_after_the_grace() -> None:
    """A storage outage: log-ins work, no commit returns, no heartbeat arrives. The approval starts the failover."""
    rig = Rig().start()
    rig.run_cycles(3)
    rig.world.writer_cannot_commit = True
    assert set(rig.run_cycles(20)) == {"writer-unverified"}
    assert rig.run_cycles(3) == ["writer-unusable"] * 3
    assert rig.world.metrics[-1]["NoWriter"] == (1.0, "None")
    pending: Any = rig.table.items[STATE]["pending"]
    assert (rig.world.calls, pending["verdict"]) == ([], "region-impaired")
    put(rig, ("approval", pending["id"]), approved=True, by="ada")
    assert rig.run_cycles(1) == ["region-impaired"]


def test_no_writer_is_reported_while_the_region_is_unclear() -> None:
    """The metric has a value in every outage that lasts longer than the grace period."""
    rig = half_lost()
    rig.run_cycles(30)
    assert rig.world.metrics[-1]["NoWriter"] == (1.0, "None")


def stop_the_heartbeat(rig: Rig) -> None:
    """Let the standby show the same heartbeat for ever, as a row from the future does."""
    rig.world.settle = lambda: None  # type: ignore[method-assign]


def test_stopped_heartbeat_is_reported_in_calm() -> None:
    """One of three paths has failed."""
    rig = Rig().start()
    rig.run_cycles(3)
    stop_the_heartbeat(rig)
    assert set(rig.run_cycles(59)) == {"healthy"}
    rig.run_cycles(10)
    assert rig.world.notified() == ["heartbeat-stopped"]


def test_heartbeat_that_never_arrives_is_reported() -> None:
    """The time runs from the first cycle that sees this writer."""
    rig = Rig().start()
    stop_the_heartbeat(rig)
    assert (set(rig.run_cycles(61)), rig.run_cycles(1)) == ({"healthy"}, ["heartbeat-stopped"])


def test_wide_partition_after_a_stopped_heartbeat_requests_approval() -> None:
    """The heartbeat had stopped an hour before, so its silence is no evidence."""
    rig = Rig().start()
    rig.run_cycles(3)
    stop_the_heartbeat(rig)
    rig.run_cycles(3600)
    rig.world.region_is_lost = True
    assert (rig.run_cycles(10)[-1], rig.world.calls) == ("heartbeat-unknown", [])


THIRD_ARN = "arn:aws:rds:ap-southeast-2:123456789012:cluster:payments-ap-southeast-2-dev"


def writer_roles(rig: Rig) -> list[float]:
    """Return the published values of WriterRole."""
    return [values["WriterRole"][0] for values in rig.world.metrics if "WriterRole" in values]


def test_role_is_published_in_the_cycle_of_the_accepted_call() -> None:
    """DNS moves while AWS promotes, and the role stays when the promotion has ended."""
    rig = outage()
    assert rig.run_cycles(3)[-1] == "region-lost"
    rig.run_cycles(10)
    roles = writer_roles(rig)
    assert roles == [0.0] * (len(roles) - 11) + [1.0] * 11
    assert rig.world.writer == OWN_ARN


@pytest.mark.parametrize("call", ["refused", "throttled", "timed out, lost"])
def test_role_is_not_published_without_an_accepted_call(call: str) -> None:
    """A call that RDS refused or that may be lost moves no client."""
    rig = outage()
    rig.world.call = call
    rig.run_cycles(8)
    assert set(writer_roles(rig)) == {0.0}


def test_role_of_an_uncertain_call_follows_rds() -> None:
    """The call's answer was lost, but RDS shows the operation in the next cycle."""
    rig = outage()
    rig.world.call = "timed out, took effect"
    reasons = rig.run_cycles(8)
    called = reasons.index("region-lost")
    since_call = writer_roles(rig)[len(writer_roles(rig)) - (len(reasons) - called) :]
    assert since_call == [0.0] + [1.0] * (len(since_call) - 1)


def test_role_falls_back_when_the_operation_is_cancelled() -> None:
    """The writer's region returns: 0 from the next cycle. It stays lost: 0 within the time in which a call may show."""
    for returns, cycles in ((True, 1), (False, 26)):
        rig = outage()
        rig.world.operation_never_ends = True
        rig.run_cycles(6)
        assert writer_roles(rig)[-1] == 1.0
        rig.world.cancel_operation()
        rig.world.region_is_lost = not returns
        rig.run_cycles(cycles)
        assert writer_roles(rig)[-1] == 0.0


def test_detached_and_promoted_cluster_gets_the_clients_and_keeps_them() -> None:
    """What AWS documents when a managed failover is refused; the old writer returns later."""
    rig = outage(MODE="observe")
    rig.run_cycles(5)
    rig.world.own_is_detached = rig.world.own_is_writable = True
    assert set(rig.run_cycles(5)) == {"cluster-detached"}
    assert (writer_roles(rig)[-1], rig.world.metrics[-1]["NoWriter"]) == (1.0, (0.0, "None"))
    rig.world.region_is_lost = False
    rig.run_cycles(5)
    rig.world.rds = THROTTLED
    rig.run_cycles(1)
    assert writer_roles(rig)[-1] == 1.0
    rig.world.rds, rig.world.own_is_detached, rig.world.own_is_writable = None, False, None
    rig.run_cycles(1)
    assert (writer_roles(rig)[-1], rig.world.calls) == (0.0, [])


def test_cluster_that_is_detached_in_calm_attracts_no_clients() -> None:
    """Someone removed the standby while the writer serves."""
    rig = Rig().start()
    rig.run_cycles(3)
    rig.world.own_is_detached = rig.world.own_is_writable = True
    assert set(rig.run_cycles(10)) == {"cluster-detached"}
    assert (set(writer_roles(rig)), rig.world.notified()) == ({0.0}, ["cluster-detached"])


def test_standby_that_takes_writes_is_reported_and_never_promoted() -> None:
    """RDS names the other cluster."""
    rig = Rig().start()
    rig.run_cycles(3)
    rig.world.own_is_writable = True
    rig.run_cycles(5)
    rig.world.region_is_lost = True
    rig.run_cycles(30)
    assert (rig.world.notified(), rig.world.calls) == (["two-writers"], [])


def test_third_member_is_reported_and_needs_an_approval() -> None:
    """It may be the better target."""
    rig = Rig().start()
    rig.world.third_member = THIRD_ARN
    rig.run_cycles(5)
    rig.world.region_is_lost = True
    rig.run_cycles(10)
    assert (rig.world.notified(), rig.world.calls) == (["member-added", "target-unclear"], [])


def test_third_member_as_writer_is_reported() -> None:
    """The probes do not watch it."""
    rig = Rig().start()
    rig.world.third_member = rig.world.writer = THIRD_ARN
    assert set(rig.run_cycles(5)) == {"writer-elsewhere"}


def test_region_loss_after_missed_starts_fails_over() -> None:
    """The controller did not run for two minutes: the silence may be old, and the age of the newest heartbeat bounds the loss."""
    rig = Rig().start()
    rig.run_cycles(3)
    rig.clock.advance(120)
    rig.world.settle()
    rig.world.region_is_lost = True
    assert set(rig.run_cycles(20)) == {"writer-suspected", "in-region-grace"}
    assert rig.run_cycles(8)[0] == "region-lost"
    assert line(rig, -1)["evidence"]["estimated_loss_seconds"] == 0.4


def test_flapping_region_is_not_failed_over() -> None:
    """After a silence that healed, the next ones must last longer."""
    rig = Rig().start()
    rig.run_cycles(3)
    for seconds in (2, 4, 4, 4):
        rig.world.region_is_lost = True
        rig.run_cycles(seconds)
        rig.world.region_is_lost = False
        rig.run_cycles(2)
    assert rig.world.calls == []
    rig.world.region_is_lost = True
    assert rig.run_cycles(5)[-2:] == ["writer-suspected", "region-lost"]


def test_controller_of_the_writers_region_holds() -> None:
    """WriterRole is 1."""
    rig = Rig().start()
    rig.world.writer = "arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-dev"
    rig.world.region_is_lost = True
    assert rig.run_cycles(10) == ["already-writer"] * 10
    assert (rig.world.metrics[-1]["WriterRole"], rig.world.calls) == ((1.0, "None"), [])


def test_cut_off_old_region_requests_approval_after_the_cooldown() -> None:
    """The old writer's region returns as standby, but sees neither its new writer nor a heartbeat of it: no ping-pong."""
    rig = Rig(variables={"COOLDOWN_SECONDS": "5"})
    rig.world.writer = OWN_ARN
    rig.start()
    rig.run_cycles(5)
    rig.world.writer, rig.world.region_is_lost = PEER_ARN, True
    reasons = rig.run_cycles(30)
    assert (rig.world.calls, reasons[-1]) == ([], "heartbeat-unknown")
    pending: Any = rig.table.items[STATE]["pending"]
    put(rig, ("approval", pending["id"]), approved=True, by="ada")
    assert rig.run_cycles(1) == ["region-lost"]


def test_superseded_cycle_neither_decides_nor_reports() -> None:
    """A successor holds the lease."""
    rig = Rig().start()
    rig.run_cycles(1)
    rig.successor("invocation-2")
    written, metrics = rig.table.items[STATE]["version"], len(rig.world.metrics)
    assert (["superseded"], written, metrics) == (
        rig.run_cycles(1),
        rig.table.items[STATE]["version"],
        len(rig.world.metrics),
    )


@pytest.mark.parametrize("delivery_hangs", [False, True])
def test_superseded_invocation_delivers_notices_that_the_table_lacks(delivery_hangs: bool) -> None:
    """Its region was unreachable, so its successor starts from the table's older state and does not know them."""
    rig = Rig().start()
    rig.run_cycles(3)
    rig.table.fails_to_read = rig.world.topic_fails = True
    rig.table.fails_to_write = lambda key: True
    rig.run_cycles(5)
    if delivery_hangs:
        rig.threads.hangs = lambda: rig.steps.names[-1] == "after metrics"
        rig.run_cycles(1)
        rig.threads.hangs = lambda: False
        assert len(rig.threads.hanging) == 1
    for call in rig.threads.hanging:
        rig.threads.run(*call)
    rig.table.fails_to_read = rig.world.topic_fails = False
    rig.table.fails_to_write = lambda key: False
    second = rig.successor("invocation-2")
    second.run_cycles(1)
    before = rig.world.notified()
    assert rig.run_cycles(1) == ["superseded"]
    rig.cycle.finish(0.0)

    assert (before, rig.world.notified()) == ([], ["state-unreadable"])
    assert (len(rig.world.published), rig.table.reasons()) == (1, ["state-unreadable"])


def test_successor_between_the_observations_stops_the_failover() -> None:
    """The second observation reads the lease again."""
    rig = outage()
    rig.run_cycles(2)

    def take_over(count: int, name: str) -> None:
        if name == "after write lock":
            rig.steps.interrupt = None
            rig.successor("invocation-2", Steps())

    rig.steps.interrupt = take_over
    assert (rig.run_cycles(1), rig.world.calls) == (["state-conflict"], [])


def test_held_failover_sets_the_held_metric() -> None:
    """Held is 1 if a guard held back a failover, else 0."""
    rig = outage(MODE="observe")
    rig.run_cycles(3)
    assert [values["Held"][0] for values in rig.world.metrics[-3:]] == [0.0, 0.0, 1.0]


def test_finish_reports_an_uncertain_call() -> None:
    """The answer arrives at the end of the invocation."""
    rig = outage()
    rig.run_cycles(2)
    rig.world.call = "timed out, lost"
    hang_the_call(rig)
    rig.run()
    rig.threads.run(*rig.threads.hanging[0])
    rig.cycle.finish(0.0)
    assert rig.world.notified() == ["region-lost", "failover-uncertain"]


def test_finish_after_a_conflict_writes_no_state() -> None:
    """The next invocation reads the state of the other process."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run()
    rig.steps.interrupt = lambda count, name: put(rig, STATE, version=count) if name == "before write state" else None
    rig.clock.advance(1)
    rig.run()
    rig.steps.interrupt = None
    written = dict(rig.table.items[STATE])
    rig.threads.run(*rig.threads.hanging[0])
    rig.cycle.finish(0.0)
    assert written == rig.table.items[STATE]


def test_answer_of_an_ended_attempt_is_ignored() -> None:
    """RDS showed the end before the call answered."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run_cycles(1)
    rig.table.items[STATE].pop("attempt")
    rig.threads.run(*rig.threads.hanging[0])
    rig.world.region_is_lost = False
    assert rig.run_cycles(1) == ["operation-under-way"]
    assert not [reason for reason in rig.world.notified() if reason.startswith("failover")]


def test_base_exception_in_a_report_is_raised() -> None:
    """A BaseException is raised; an Exception is reported as a problem."""
    rig = Rig().start()
    result = rig.cycle.run(0.0)
    crashed: Future[Any] = Future()
    crashed.set_exception(Crash())
    rig.threads.submit = lambda call, /: crashed  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Crash):
        rig.cycle.report(result, 0.0)
