"""The cycle, on fakes: the way from an outage to a new writer, and what can go wrong on it."""

import json
from concurrent.futures import Future
from typing import Any

import pytest

from functions.failover_controller.ports import SilentError, StateConflictError
from functions.failover_controller.store import LEASE, LOCK, STATE, SWITCH
from tests.support.failover_controller.builders import after
from tests.support.failover_controller.fakes import THROTTLED, Crash, Steps, as_stored
from tests.support.failover_controller.rig import Rig

OWN, PEER = "payments-eu-west-1-dev", "payments-us-east-1-dev"


def outage(**variables: str) -> Rig:
    """Three calm cycles, then the other region goes dark."""
    rig = Rig(variables=variables).start()
    rig.run_cycles(3)
    rig.world.region_is_lost = True
    return rig


def put(rig: Rig, key: tuple[str, str], **attributes: object) -> None:
    """Write an item as a person or another program would."""
    rig.table.items[key] = as_stored({"item": key[0], "sort": key[1], **attributes})


def line(rig: Rig, index: int) -> dict[str, Any]:
    """A notice as people got it."""
    return json.loads(rig.world.published[index].line)


def hang_the_call(rig: Rig) -> None:
    """Let the next thing that begins right after the intent, which is the call, have no answer for now."""

    def hangs() -> bool:
        is_the_call = rig.steps.names[-1] == "after write state" and "attempt" in rig.table.items[STATE]
        if is_the_call:
            rig.threads.hangs = lambda: False
        return is_the_call

    rig.threads.hangs = hangs


def test_the_third_failing_cycle_acts() -> None:
    """From the outage to the call: three cycles, one call, one notice."""
    rig = outage()
    assert rig.run_cycles(3) == ["writer-suspected", "writer-suspected", "region-lost"]
    assert ([after(5)], ["region-lost"]) == (rig.world.calls, rig.world.notified())


def test_a_failover_is_confirmed_by_later_cycles_and_told_with_its_account() -> None:
    """It ends when the own cluster takes writes; the notice says how long it took, what may be lost and what to do."""
    rig = outage()
    rig.run_cycles(8)
    notice = line(rig, -1)
    assert ["region-lost", "failover-completed"] == rig.world.notified() == rig.table.reasons()
    assert (notice["evidence"]["elapsed_seconds"], notice["evidence"]["estimated_loss_seconds"]) == (3.0, 0.08)
    assert "rds:unplanned-global-failover-" in notice["next"]


def test_after_a_failover_the_return_of_the_old_region_moves_nothing() -> None:
    """There is no failback by itself, and nobody is told of calm."""
    rig = outage()
    rig.run_cycles(10)
    rig.world.region_is_lost = False
    assert rig.run_cycles(5) == ["already-writer"] * 5
    assert (len(rig.world.calls), rig.world.notified()) == (1, ["region-lost", "failover-completed"])


def test_a_blip_shorter_than_the_threshold_is_nobodys_business() -> None:
    """Two failing cycles: no call, no notice."""
    rig = outage()
    rig.run_cycles(2)
    rig.world.region_is_lost = False
    rig.run_cycles(5)
    assert (rig.world.calls, rig.world.notified()) == ([], [])


def test_a_partition_never_acts_and_is_told_once() -> None:
    """The other region says that its writer is fine: told at the third cycle, and once more when it is over."""
    rig = Rig().start()
    rig.world.peering_is_cut = True
    rig.run_cycles(20)
    rig.world.peering_is_cut = False
    rig.run_cycles(5)
    assert (rig.world.calls, rig.world.notified()) == ([], ["network-partition", "healthy"])


def test_a_partition_of_two_paths_is_seen_by_the_heartbeat() -> None:
    """Peering cut and the other Lambda API unreachable: the replication stream still shows the writer's life."""
    rig = Rig().start()
    rig.world.peering_is_cut, rig.world.peer_lambda = True, SilentError("timed out")
    rig.run_cycles(30)
    assert (rig.world.calls, rig.world.notified()) == ([], ["network-partition"])


def test_a_flapping_region_is_told_of_once() -> None:
    """Two failing cycles, one good one, again and again: one episode, no failover, no storm of notices."""
    rig = Rig().start()
    for _ in range(10):
        rig.world.peering_is_cut = True
        rig.run_cycles(2)
        rig.world.peering_is_cut = False
        rig.run_cycles(1)
    assert (rig.world.calls, rig.world.notified()) == ([], ["network-partition"])


def test_a_writer_down_in_a_live_region_gets_its_grace() -> None:
    """Nothing within the grace (20 s here), the failover after it."""
    rig = Rig().start()
    rig.run_cycles(2)
    rig.world.writer_is_down = True
    rig.run_cycles(20)
    before = len(rig.world.calls)
    rig.run_cycles(3)
    assert (before, len(rig.world.calls), rig.world.notified()) == (0, 1, ["in-region-grace", "writer-down"])


@pytest.mark.parametrize("call", ["timed out, took effect", "accepted"])
def test_a_call_that_took_effect_is_never_made_twice(call: str) -> None:
    """Also when its answer was lost: the next cycle sees the operation and recognises it."""
    rig = outage()
    rig.world.call = call
    rig.run_cycles(40)
    assert (len(rig.world.calls), rig.world.effects) == (1, 1)
    assert rig.world.notified()[-1] == "failover-completed"


def test_an_uncertain_call_is_told() -> None:
    """People hear that the answer was lost, and how it went on."""
    rig = outage()
    rig.world.call = "timed out, took effect"
    rig.run_cycles(20)
    assert rig.world.notified() == ["region-lost", "failover-uncertain", "failover-completed"]


def test_a_call_that_was_lost_is_repeated_when_it_can_not_show_any_more() -> None:
    """No effect to be seen for 25 s: made again, under the same attempt."""
    rig = outage()
    rig.world.call = "timed out, lost"
    rig.run_cycles(10)
    rig.world.call = "accepted"
    rig.run_cycles(30)
    assert [after(5), after(30)] == rig.world.calls
    assert (rig.world.effects, line(rig, -1)["evidence"]["calls"]) == (1, 2)


def test_a_repeated_call_that_is_refused_waits_for_what_rds_shows() -> None:
    """A refusal of a repeated call may mean that the first took effect: the attempt is kept."""
    rig = outage()
    rig.world.call = "timed out, lost"
    rig.run_cycles(10)
    rig.world.call = "refused"
    rig.run_cycles(20)
    attempt: Any = rig.table.items[STATE]["attempt"]
    assert (len(rig.world.calls), attempt["calls"], attempt["status"]) == (2, 2, "intended")


def test_a_throttled_call_holds_and_the_next_cycle_tries_again() -> None:
    """Throttled means not done: told once, tried at each cycle."""
    rig = outage()
    rig.world.call = "throttled"
    rig.run_cycles(6)
    rig.world.call = "accepted"
    rig.run_cycles(6)
    assert (len(rig.world.calls), rig.world.effects) == (5, 1)
    assert rig.world.notified() == ["region-lost", "failover-not-sent", "failover-completed"]


def test_a_refused_call_is_told_with_its_error() -> None:
    """RDS's own words are in the evidence."""
    rig = outage()
    rig.world.call = "refused"
    rig.run_cycles(5)
    assert rig.world.notified() == ["region-lost", "failover-refused"]
    assert "InvalidGlobalClusterStateFault" in line(rig, -1)["evidence"]["error"]


def test_an_unexpected_error_of_the_call_counts_as_unclear() -> None:
    """A bug of ours must neither end the watch nor call twice."""
    rig = outage()
    rig.world.call = "broken"
    rig.run_cycles(10)
    assert (len(rig.world.calls), rig.world.notified()[-1]) == (1, "failover-uncertain")


def test_a_call_that_hangs_does_not_stop_the_cycles() -> None:
    """The cycles go on while the call has no answer, and hold; its answer is taken in when it comes."""
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


def test_while_a_call_of_this_process_has_no_answer_it_makes_no_other() -> None:
    """Even after the time in which it should have ended."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run_cycles(1)
    rig.run_cycles(30)
    assert (rig.world.calls, rig.run_cycles(1)) == ([], ["failover-under-way"])


def test_the_end_of_an_invocation_takes_in_the_answer_to_its_call() -> None:
    """A sandbox is not frozen with a call on its way."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run()
    rig.threads.run(*rig.threads.hanging[0])
    rig.cycle.finish(0.0)
    attempt: Any = rig.table.items[STATE]["attempt"]
    assert (len(rig.world.calls), attempt["status"]) == (1, "under-way")


def test_an_invocation_that_ends_before_the_answer_leaves_the_intent() -> None:
    """The next invocation finds it, and looks."""
    rig = outage()
    rig.run_cycles(2)
    hang_the_call(rig)
    rig.run()
    rig.cycle.finish(0.0)
    attempt: Any = rig.table.items[STATE]["attempt"]
    assert attempt["status"] == "intended"


def test_a_failover_that_does_not_complete_is_told_once() -> None:
    """After the bound, with the runbook's heading; then silence, and no second call."""
    rig = outage(COMPLETION_BOUND_SECONDS="30")
    rig.world.operation_never_ends = True
    rig.run_cycles(60)
    assert (rig.world.notified(), len(rig.world.calls)) == (["region-lost", "failover-overdue"], 1)
    assert line(rig, -1)["runbook"] == "failover-overdue"


def test_a_failover_that_aws_cancels_is_told_and_cools_down() -> None:
    """No operation, no new writer: failed. A new attempt only after the cooldown (300 s)."""
    rig = outage()
    rig.world.operation_never_ends = True
    rig.run_cycles(5)
    rig.world.cancel_operation()
    rig.run_cycles(60)
    assert (rig.world.notified(), len(rig.world.calls)) == (["region-lost", "failover-failed", "cooldown"], 1)


def test_a_switchover_by_a_person_is_recognised_and_told() -> None:
    """Roles that this controller did not change are recorded, and start the cooldown."""
    rig = Rig().start()
    rig.run_cycles(2)
    rig.world.writer = "arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-dev"
    rig.run_cycles(3)
    assert (["roles-changed"], after(2).isoformat()) == (
        rig.world.notified(),
        rig.table.items[STATE]["roles_changed_at"],
    )


def test_disarmed_holds_and_is_told_once_and_acts_when_armed() -> None:
    """The off-switch is read at every cycle."""
    rig = outage()
    put(rig, SWITCH, armed=False, reason="maintenance", by="ada")
    rig.run_cycles(10)
    held = rig.world.metrics[-1]["Held"]
    assert (rig.world.calls, rig.world.notified(), held) == ([], ["disarmed"], (1.0, "Count"))
    put(rig, SWITCH, armed=True, by="ada")
    rig.run_cycles(1)
    assert rig.world.effects == 1


def test_disarming_between_the_two_looks_is_obeyed() -> None:
    """The second look reads the switch again."""
    rig = outage()
    rig.run_cycles(2)

    def disarm(count: int, name: str) -> None:
        if name == "after write lock":
            put(rig, SWITCH, armed=False)

    rig.steps.interrupt = disarm
    assert (rig.run_cycles(1), rig.world.calls) == (["disarmed"], [])


def test_a_region_that_comes_back_between_the_two_looks_is_left_alone() -> None:
    """Equal twice, or nothing."""
    rig = outage()
    rig.run_cycles(2)

    def come_back(count: int, name: str) -> None:
        rig.world.region_is_lost &= name != "after write lock"

    rig.steps.interrupt = come_back
    assert (rig.run_cycles(1), rig.world.calls) == (["healthy"], [])


def test_a_sign_of_life_at_the_second_look_begins_the_count_anew() -> None:
    """Three failing cycles in a row act; a writer that the second look found fine was not dead in a row, whatever was before."""
    rig = outage()
    rig.run_cycles(2)
    ask_peer, looks = rig.world.ask_peer, iter(range(1, 100))

    def fine_at_the_second_look(request: Any) -> object:
        if next(looks) == 2:
            return {"probes": [{**rig.world.probe(OWN, from_peer=True), "cluster": PEER, "read_only": False}]}
        return ask_peer(request)

    rig.world.ask_peer = fine_at_the_second_look  # type: ignore[method-assign]
    assert rig.run_cycles(1) == ["network-partition"]
    assert rig.run_cycles(3) == ["writer-suspected", "writer-suspected", "region-lost"]


def test_what_the_second_look_finds_out_is_told() -> None:
    """A bound that passes between the two looks of one cycle: nobody would say so later."""
    rig = outage(COMPLETION_BOUND_SECONDS="27")
    rig.world.call = "timed out, lost"
    rig.run_cycles(27)

    def let_the_bound_pass(count: int, name: str) -> None:
        if name == "after write lock":
            rig.clock.advance(3)

    rig.steps.interrupt = let_the_bound_pass
    rig.run_cycles(2)
    assert "failover-overdue" in rig.world.notified()


def test_two_different_verdicts_to_act_in_one_cycle_hold() -> None:
    """Silent at the first look, down at the second: both would act, but they differ."""
    rig = outage(IN_REGION_GRACE_SECONDS="0")
    rig.run_cycles(2)

    def answer_again(count: int, name: str) -> None:
        if name == "after write lock":
            rig.world.region_is_lost, rig.world.writer_is_down = False, True

    rig.steps.interrupt = answer_again
    assert (rig.run_cycles(1), rig.world.calls) == (["decisions-differ"], [])


def test_mode_approve_asks_once_and_acts_on_the_approval() -> None:
    """One pending decision with an id; the yes to it lets the next cycle act."""
    rig = outage(MODE="approve")
    rig.run_cycles(6)
    assert (rig.world.notified(), rig.world.calls) == (["approval-needed"], [])
    decision_id = line(rig, 0)["evidence"]["decision_id"]
    assert decision_id in line(rig, 0)["next"]
    put(rig, ("approval", decision_id), approved=True, by="ada")
    rig.run_cycles(1)
    assert rig.world.effects == 1


def half_lost(**variables: str) -> Rig:
    """After calm, the database is gone, and the other region's Lambda API answers with errors."""
    rig = outage(**variables)
    rig.world.region_is_lost, rig.world.writer_is_down, rig.world.peer_lambda = False, True, THROTTLED
    return rig


def test_a_region_that_errs_for_longer_than_the_grace_is_asked_about_once_and_acted_on_when_approved() -> None:
    """Told at first, asked after the grace, with the verdict that a yes means; the yes acts."""
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


def test_a_region_that_errs_in_some_cycles_is_acted_on_when_approved() -> None:
    """Errors in every other cycle, silence in between, at the first look and at the second: the yes acts within a few cycles."""
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


def test_a_pending_decision_ends_with_its_episode() -> None:
    """The yes to an old question is no yes to a new one."""
    rig = outage(MODE="approve")
    rig.run_cycles(4)
    old = line(rig, 0)["evidence"]["decision_id"]
    put(rig, ("approval", old), approved=True, by="ada")
    rig.world.region_is_lost = False
    rig.run_cycles(5)
    rig.world.region_is_lost = True
    rig.run_cycles(5)
    assert (rig.world.notified(), rig.world.calls) == (["approval-needed", "healthy", "approval-needed"], [])


def test_a_yes_ends_with_a_sign_of_life_and_the_next_outage_is_a_new_question() -> None:
    """Approved, but held by the off-switch; the writer is back for one cycle, and lost again: a yes to the past is none."""
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


def test_a_question_without_an_answer_outlasts_a_sign_of_life() -> None:
    """A flapping region asks once, not at every absence."""
    rig = outage(MODE="approve")
    rig.run_cycles(4)
    for _ in range(3):
        rig.world.region_is_lost = False
        rig.run_cycles(1)
        rig.world.region_is_lost = True
        rig.run_cycles(4)
    assert (rig.world.notified(), rig.world.calls) == (["approval-needed"], [])


def test_mode_observe_says_once_what_it_would_do() -> None:
    """And does nothing."""
    rig = outage(MODE="observe")
    rig.run_cycles(10)
    assert (rig.world.notified(), rig.world.calls) == (["observe-only"], [])


def test_a_lag_above_the_limit_is_held_told_and_acted_on_after_approval() -> None:
    """Also in mode automatic, losing more than allowed is a person's decision."""
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
@pytest.mark.parametrize("error", [THROTTLED, SilentError("timed out"), KeyError("a bug of ours")])
def test_blind_never_acts_and_is_told_once(path: str, error: Exception) -> None:
    """Own probe or own RDS API blind, for whatever reason: hold, tell, go on."""
    rig = outage()
    setattr(rig.world, path, error)
    rig.run_cycles(10)
    blind = {"rds": "rds-blind", "own_lambda": "probe-blind"}[path]
    assert ([], [blind], (1.0, "Count")) == (rig.world.calls, rig.world.notified(), rig.world.metrics[-1]["Error"])
    setattr(rig.world, path, None)
    rig.run_cycles(4)
    assert rig.world.effects == 1


def test_a_peer_that_is_throttled_is_not_silent() -> None:
    """Its Lambda API answers: that region lives."""
    rig = Rig().start()
    rig.run_cycles(2)
    rig.world.writer_is_down, rig.world.peer_lambda = True, THROTTLED
    rig.run_cycles(10)
    assert (rig.world.calls, rig.world.notified()) == ([], ["peer-unknown"])


def test_a_first_run_finds_an_empty_table() -> None:
    """No item is there: sensible beginnings, and the state is written."""
    rig = Rig().start()
    assert (rig.run_cycles(1), rig.table.items[STATE]["version"]) == (["healthy"], 1)


@pytest.mark.parametrize("key", [STATE, SWITCH, LEASE, LOCK])
def test_a_malformed_item_holds_says_why_and_is_left_as_it_is(key: tuple[str, str]) -> None:
    """A person has to look; the cycles go on."""
    rig = outage()
    rig.run_cycles(1)
    put(rig, key, version="x", armed="x", holder=7, until="x")
    broken = dict(rig.table.items[key])
    reasons = set(rig.run_cycles(10))
    assert (broken, []) == (rig.table.items[key], rig.world.calls)
    assert ({f"{key[0]}-unreadable"}, [f"{key[0]}-unreadable"]) == (reasons, rig.world.notified())


def test_a_table_that_can_not_be_read_holds_and_is_told_once() -> None:
    """Its cycles are counted in memory: once it answers again, the outage is not started over."""
    rig = outage()
    rig.table.fails_to_read = True
    rig.table.fails_to_write = lambda key: True
    rig.run_cycles(10)
    assert rig.world.calls == []
    rig.table.fails_to_read = False
    rig.table.fails_to_write = lambda key: False
    rig.run_cycles(1)
    assert (rig.world.effects, rig.world.notified()) == (1, ["state-unreadable", "region-lost"])


def test_items_that_dynamodb_did_not_get_to_are_unreadable() -> None:
    """A throttled part of a batch is unknown, not absent."""
    rig = outage()
    rig.table.throttles = lambda key: key == SWITCH
    rig.run_cycles(5)
    assert (rig.world.calls, rig.world.notified()) == ([], ["switch-unreadable"])


def test_a_state_that_can_not_be_written_is_carried_on_in_memory_and_told_of_once() -> None:
    """Counting and telling go on; acting needs the write, and waits for it."""
    rig = outage()
    rig.table.fails_to_write = lambda key: key == STATE
    rig.run_cycles(6)
    assert (rig.world.calls, rig.world.notified()) == ([], ["state-unwritable"])
    rig.table.fails_to_write = lambda key: False
    rig.run_cycles(1)
    assert (rig.world.effects, rig.world.notified()) == (1, ["state-unwritable", "region-lost"])


def test_notices_are_told_once_though_the_state_can_not_be_written() -> None:
    """People hear of trouble also while the table takes no writes of the state."""
    rig = Rig().start()
    rig.run_cycles(1)
    rig.world.peering_is_cut = True
    rig.table.fails_to_write = lambda key: key == STATE
    rig.run_cycles(10)
    assert [str(notice.reason) for notice in rig.world.published] == ["network-partition"]


def test_an_intent_whose_write_is_unclear_is_not_called() -> None:
    """It may be in the table or not: the next cycles find out, and finish it."""
    rig = outage()
    rig.run_cycles(2)
    rig.table.loses_answer_of = lambda key: key == STATE and bool(rig.table.items[STATE].get("attempt"))
    assert (rig.run_cycles(1), rig.world.calls) == (["state-unwritable"], [])
    rig.table.loses_answer_of = lambda key: False
    rig.run_cycles(35)
    assert (len(rig.world.calls), rig.world.notified()[-1]) == (1, "failover-completed")


@pytest.mark.parametrize(("failing", "expected"), [("lock", "lock-unreadable"), ("lease", "writer-suspected")])
def test_a_lock_that_can_not_be_taken_holds(failing: str, expected: str) -> None:
    """No lock, no act."""
    rig = outage()
    rig.table.fails_to_write = lambda key: key[0] == failing
    rig.run_cycles(2)
    reasons = rig.run_cycles(1)
    assert (0 if failing == "lock" else 1) == rig.world.effects
    assert expected in (*reasons, "writer-suspected")


def test_a_lock_taken_by_another_in_between_holds() -> None:
    """The conditional write decides, not the look before it."""
    rig = outage()
    rig.run_cycles(2)

    def other(count: int, name: str) -> None:
        if name == "before write lock":
            put(rig, LOCK, holder="other", until=round(after(60).timestamp() * 1000), version=0)

    rig.steps.interrupt = other
    assert (rig.run_cycles(1), rig.world.calls) == (["lock-held"], [])


def test_a_lock_that_can_not_be_released_expires_by_itself() -> None:
    """It is a problem for the metric, not for the failover."""
    rig = outage()
    rig.run_cycles(2)
    rig.table.loses_answer_of = lambda key: key == LOCK and rig.table.items[LOCK]["until"] == 0
    result = rig.run()
    assert (rig.world.effects, any("lock" in problem for problem in result.problems)) == (1, True)


def test_a_state_that_somebody_else_wrote_is_read_again() -> None:
    """A lost write costs one cycle; nothing is acted on from a stale state."""
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


def test_without_the_lease_it_cycles_but_holds() -> None:
    """An unreadable lease: the cycles go on, nothing is done."""
    rig = Rig()
    put(rig, LEASE, holder=7)
    rig.start()
    rig.world.region_is_lost = True
    rig.run_cycles(10)
    assert (rig.cycle.has_lease, rig.world.calls, rig.world.notified()) == (False, [], ["lease-unreadable"])


@pytest.mark.parametrize("fault", ["read", "write"])
def test_a_lease_that_the_table_does_not_give_is_not_taken(fault: str) -> None:
    """An error of the table is no lease."""
    rig = Rig()
    rig.table.fails_to_read = fault == "read"
    rig.table.fails_to_write = lambda key: fault == "write"
    assert False is rig.start().cycle.has_lease


def test_a_lease_taken_at_the_same_moment_is_lost() -> None:
    """Of two that start together one wins the conditional write."""
    rig = Rig()

    def other(count: int, name: str) -> None:
        if name == "before write lease":
            put(rig, LEASE, holder="other", version=1)

    rig.steps.interrupt = other
    with pytest.raises(StateConflictError):
        rig.start()


def test_metrics_and_notices_that_fail_stop_nothing() -> None:
    """The failover is made; the notices are told when the topic takes them again, once."""
    rig = outage()
    rig.world.topic_fails = rig.world.metrics_fail = True
    rig.run_cycles(5)
    assert (rig.world.effects, rig.world.notified()) == (1, [])
    rig.world.topic_fails = rig.world.metrics_fail = False
    rig.run_cycles(5)
    assert [str(notice.reason) for notice in rig.world.published] == ["region-lost", "failover-completed"]


def test_a_report_that_hangs_does_not_stop_the_cycles() -> None:
    """The next cycles go on; what was delivered in the meantime is taken in then."""
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


def test_an_unexpected_error_of_a_report_is_a_problem_not_an_end() -> None:
    """A bug in the telling must not end the watch."""
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


def test_how_long_a_cycle_took_is_reported_from_the_first_look_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cycle that takes longer than its period costs the next one: people must be able to see it coming."""
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


def test_acting_comes_before_reporting() -> None:
    """No notice and no metric is sent between the decision and the call."""
    rig = outage()
    rig.run_cycles(2)
    rig.steps.names.clear()
    rig.run_cycles(1)
    before_call = rig.steps.names[: rig.steps.names.index("before fail over")]
    assert [name for name in before_call if "publish" in name or "metrics" in name or "history" in name] == []


def test_between_the_two_looks_and_the_call_there_are_two_writes_and_nothing_else() -> None:
    """The lock and the intent: everything else waits, so that acting is quick."""
    rig = outage()
    rig.run_cycles(2)
    rig.steps.names.clear()
    rig.run_cycles(1)
    before_call = rig.steps.names[: rig.steps.names.index("before fail over")]
    assert [name for name in before_call if name.startswith("after write")] == ["after write lock", "after write state"]


def test_a_call_is_not_made_late_after_its_intent() -> None:
    """A process that was frozen between the intent and the call does not wake up to fail over."""
    rig = outage()
    rig.run_cycles(2)

    def freeze(count: int, name: str) -> None:
        if name == "after write state" and rig.table.items[STATE].get("attempt"):
            rig.clock.advance(3.1)
            rig.steps.interrupt = None

    rig.steps.interrupt = freeze
    rig.run_cycles(1)
    assert (rig.world.calls, rig.world.notified()[-1]) == ([], "failover-not-sent")


def test_the_writers_own_controller_says_so_and_does_nothing() -> None:
    """In the writer's region: WriterRole 1, no act, whatever happens elsewhere."""
    rig = Rig().start()
    rig.world.writer = "arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-dev"
    rig.world.region_is_lost = True
    assert rig.run_cycles(10) == ["already-writer"] * 10
    assert (rig.world.metrics[-1]["WriterRole"], rig.world.calls) == ((1.0, "None"), [])


def test_a_superseded_cycle_decides_and_reports_nothing() -> None:
    """Who sees a successor's lease is done."""
    rig = Rig().start()
    rig.run_cycles(1)
    rig.successor("invocation-2")
    written, metrics = rig.table.items[STATE]["version"], len(rig.world.metrics)
    assert (["superseded"], written, metrics) == (
        rig.run_cycles(1),
        rig.table.items[STATE]["version"],
        len(rig.world.metrics),
    )


def test_a_successor_that_takes_over_between_the_two_looks_stops_the_act() -> None:
    """The second look reads the lease again."""
    rig = outage()
    rig.run_cycles(2)

    def take_over(count: int, name: str) -> None:
        if name == "after write lock":
            rig.steps.interrupt = None
            rig.successor("invocation-2", Steps())

    rig.steps.interrupt = take_over
    assert (rig.run_cycles(1), rig.world.calls) == (["state-conflict"], [])


def test_a_held_act_shows_in_the_metric() -> None:
    """Held is 1 when a verdict wanted to act and was held, else 0."""
    rig = outage(MODE="observe")
    rig.run_cycles(3)
    assert [values["Held"][0] for values in rig.world.metrics[-3:]] == [0.0, 0.0, 1.0]


def test_the_end_of_an_invocation_tells_of_a_call_that_went_wrong() -> None:
    """An unclear answer that comes at the very end is told all the same."""
    rig = outage()
    rig.run_cycles(2)
    rig.world.call = "timed out, lost"
    hang_the_call(rig)
    rig.run()
    rig.threads.run(*rig.threads.hanging[0])
    rig.cycle.finish(0.0)
    assert rig.world.notified() == ["region-lost", "failover-uncertain"]


def test_an_invocation_that_lost_its_state_ends_without_writing_one() -> None:
    """Somebody else wrote: what becomes of the call is for the next one to see."""
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


def test_an_answer_to_a_call_whose_attempt_has_ended_changes_nothing() -> None:
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


def test_an_exit_inside_a_report_ends_the_process() -> None:
    """What is no Exception is not kept."""
    rig = Rig().start()
    result = rig.cycle.run(0.0)
    dead: Future[Any] = Future()
    dead.set_exception(Crash())
    rig.threads.submit = lambda call, /: dead  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Crash):
        rig.cycle.report(result, 0.0)
