"""The replay of an incident: cycles, phases, notices, requests and the call."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from benchmarks.controller import POLICY
from benchmarks.incidents.catalogue import INCIDENTS
from benchmarks.incidents.model import Incident, Outcome, Stage
from benchmarks.incidents.paths import (
    API_ERRORS,
    EVERY_PATH_CUT,
    PEERING_CUT,
    WRITER_DOWN,
    WRITER_DOWN_API_ERRORS,
)
from benchmarks.incidents.replay import PHASES, observations, replay, replays
from benchmarks.simulated_regions import HEALTHY, REGION_LOST, Cause, Paths
from functions.failover_controller.model import Mode, Peer, Port, Reason, Records, Side


def incident(
    seconds: float,
    paths: Paths,
    *,
    on_seconds: float | None = None,
    off_seconds: float = 0.0,
    changes: Mapping[str, object] | None = None,
) -> Incident:
    """Return an incident of one stage."""
    stage = Stage(
        seconds=seconds, paths=paths, on_seconds=on_seconds, off_seconds=off_seconds, changes=dict(changes or {})
    )
    return Incident(
        name="one",
        on=date(2026, 1, 1),
        title="",
        cause=Cause.REGION_LOSS,
        source_title="",
        source_url="",
        documented="",
        reconstructed="",
        stages=(stage,),
        wanted=Outcome.HOLDS,
        why="",
    )


def test_lost_region_is_called_once_its_silence_lasts() -> None:
    """The call comes after the threshold's cycles, later with a later first cycle, and nothing follows it."""
    results = replays(incident(600, REGION_LOST))
    assert {(each.outcome, each.reason, each.notices) for each in results} == {
        (Outcome.FAILS_OVER, Reason.REGION_LOST, (Reason.REGION_LOST,))
    }
    seconds = [each.seconds for each in results if each.seconds is not None]
    expected = (POLICY.failure_threshold - 1) * POLICY.interval_seconds
    assert seconds == sorted(set(seconds))
    assert all(at > expected + phase * POLICY.interval_seconds for at, phase in zip(seconds, PHASES, strict=True))


def test_higher_threshold_holds_through_a_short_cut() -> None:
    """The real policy decides: with a threshold of 7 no phase of a cut of 43 s leads to a call."""
    cut = incident(43, EVERY_PATH_CUT)
    patient = replace(POLICY, failure_threshold=7)
    assert {replay(cut, phase, patient).outcome for phase in PHASES} == {Outcome.HOLDS}


@pytest.mark.parametrize(
    ("seconds", "paths", "outcome", "notices"),
    [
        (600, HEALTHY, Outcome.HOLDS, ()),
        (20, WRITER_DOWN, Outcome.HOLDS, ()),
        (90, WRITER_DOWN, Outcome.NOTIFIES, (Reason.IN_REGION_GRACE,)),
        (600, PEERING_CUT, Outcome.NOTIFIES, (Reason.NETWORK_PARTITION,)),
        (600, API_ERRORS, Outcome.NOTIFIES, (Reason.PEER_UNKNOWN,)),
        (600, WRITER_DOWN_API_ERRORS, Outcome.REQUESTS_APPROVAL, (Reason.PEER_UNKNOWN, Reason.REGION_UNCLEAR)),
    ],
)
def test_outcome_and_notices(seconds: float, paths: Paths, outcome: Outcome, notices: tuple[Reason, ...]) -> None:
    """The end of an episode is not listed."""
    result = replay(incident(seconds, paths), 0.0)
    assert (result.outcome, result.notices) == (outcome, notices)


def test_mode_approve_requests_instead_of_calling() -> None:
    """The request stays unanswered."""
    result = replay(incident(600, REGION_LOST), 0.0, replace(POLICY, mode=Mode.APPROVE))
    assert (result.outcome, result.reason) == (Outcome.REQUESTS_APPROVAL, Reason.APPROVAL_NEEDED)


def test_alternating_stage_is_healthy_in_between() -> None:
    """The pattern begins with the fault."""
    seen = observations(incident(120, PEERING_CUT, on_seconds=20, off_seconds=40), 0.0)
    assert [each.peer_port is Port.DEAD for each in seen] == [
        False,
        *([True] * 2 + [False] * 4) * 2,
    ]


def test_changes_apply_in_their_stage_only() -> None:
    """The observation before the incident is healthy."""
    failures = {"state": "unreadable"}
    seen = observations(incident(30, HEALTHY, changes={"records": Records(failures=failures)}), 0.0)
    assert [dict(each.records.failures) for each in seen] == [{}, failures, failures, failures]


@pytest.mark.parametrize("one", INCIDENTS, ids=lambda one: one.name)
def test_observations_begin_with_a_healthy_one(one: Incident) -> None:
    """The controller knows a working writer, its lag and a heartbeat when the incident begins."""
    first, *rest = observations(one, 0.0)
    assert (first.writer, first.peer_port, first.peer) == (Side.PEER, Port.ALIVE, Peer.FINE)
    assert (first.heartbeat is not None, first.lag_ms is not None) == (True, True)
    assert len(rest) == -(-one.seconds // POLICY.interval_seconds)
