"""What is wrong, right, missed and void; percentiles, targets and the ratio."""

from collections import Counter

from benchmarks.controller import Watch
from benchmarks.figures import Figures, calls_that_must_not_be, fastest_as_careful, figures, percentile, ratio, targets
from benchmarks.simulate import Outcome
from benchmarks.tally import Tally, is_right
from benchmarks.world import DARK, Cause, Effect, Outage
from tests.support.benchmarks.builders import START, effect, episode

LOSS = effect(Cause.REGION_LOSS, 600, **DARK._asdict())


def _tally(*effects: Effect, called_after: float | None = None, asked_after: tuple[float, ...] = ()) -> Tally:
    seen, tally = episode(*effects), Tally()
    called_at = None if called_after is None else START + called_after
    asked_at = tuple(START + asked for asked in asked_after)
    tally.take(seen, Watch(called_at=called_at, reason="why", asked_at=asked_at), 45)
    return tally


def test_a_call_is_right_only_in_an_outage_that_outlasts_the_grace() -> None:
    """Not before it, not after it, and not in one that heals within 120 s."""
    long, healing = Outage(100, 221, Cause.REGION_LOSS), Outage(300, 420, Cause.CRASH)
    assert [is_right((long, healing), moment) for moment in (99, 100, 220, 221, 350)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_a_call_in_a_loss_is_timed() -> None:
    """From the outage's start."""
    tally = _tally(LOSS, called_after=31)
    assert (tally.right, tally.seconds, sum(tally.wrong.values())) == (1, {"region loss": [31]}, 0)


def test_a_wrong_call_names_the_troubles_and_the_reason() -> None:
    """In the order of the table, whichever began first."""
    troubles = effect(Cause.BROWN_OUT, 900, api_silent=1), effect(Cause.PARTITION, 900, after=60, peering_cut=1)
    tally = _tally(*troubles, called_after=95)
    assert tally.wrong == Counter({("peering partition + API brown-out", "why"): 1})


def test_a_loss_without_a_call_is_missed_and_a_question_in_it_counts() -> None:
    """A question before the outage is none."""
    unasked, asked = _tally(LOSS), _tally(LOSS, asked_after=(28,))
    early = _tally(LOSS, effect(Cause.BLIP, 5, after=-20), asked_after=(-5,))
    assert [(tally.missed["region loss"], tally.asked["region loss"]) for tally in (unasked, asked, early)] == [
        (1, 0),
        (1, 1),
        (1, 0),
    ]


def test_a_question_is_in_vain_when_a_yes_would_have_been_wrong() -> None:
    """Once an episode, by the troubles at the first such question; one in a loss is not."""
    troubles = effect(Cause.BROWN_OUT, 900, api_errors=1), effect(Cause.PARTITION, 900, after=60, peering_cut=1)
    partition, loss = _tally(*troubles, asked_after=(200, 300)), _tally(LOSS, asked_after=(28,))
    partition.add(loss)
    assert partition.vain == Counter({"peering partition + API brown-out": 1})
    assert figures(Outcome(2000, 2, 0, {"ours": partition}))[0].vain_questions == {
        "peering partition + API brown-out": 0.5
    }


def test_a_call_that_came_after_the_outage_missed_it_and_was_wrong() -> None:
    """The database serves again."""
    tally = _tally(LOSS, effect(Cause.BLIP, 5, after=700), called_after=640)
    assert (tally.missed["region loss"], sum(tally.wrong.values())) == (1, 1)


def test_an_outage_after_an_earlier_call_counts_for_nothing() -> None:
    """What the detector would have done then is not known."""
    tally = _tally(
        effect(Cause.CRASH, 60, writer_down=1),
        effect(Cause.REGION_LOSS, 600, after=200, **DARK._asdict()),
        called_after=30,
    )
    assert (tally.void["region loss"], tally.missed["region loss"], tally.seconds) == (1, 0, {})


def test_an_outage_of_five_minutes_is_not_missed() -> None:
    """Only a longer one can be."""
    assert _tally(effect(Cause.IN_REGION_FAILURE, 300, writer_down=1)).missed == Counter()


def test_a_percentile_is_a_measured_value() -> None:
    """The smallest that so many per cent do not exceed."""
    values = [float(value) for value in range(1, 201)]
    assert [percentile(values, share) for share in (50, 99, 100)] == [100.0, 198.0, 200.0]
    assert percentile([], 50) is None


def _figures(name: str, p99: float, wrong: dict[str, int]) -> Figures:
    tally = Tally(seconds={"region loss": [p99]}, wrong=Counter({(label, ""): count for label, count in wrong.items()}))
    return figures(Outcome(2000, 1, 0, {name: tally}))[0]


def test_wrong_failovers_are_per_thousand_region_years() -> None:
    """Six in 2,000 years are three."""
    assert _figures("ours", 30, {"blip": 6}).wrong == {"blip": 3.0}


def test_the_ratio_is_to_the_fastest_that_is_as_careful() -> None:
    """A faster baseline that is wrong more often does not count, nor does a slower careful one."""
    ours = _figures("ours", 36, {"flapping region": 5})
    others = [_figures("hasty", 20, {"blip": 9}), _figures("careful", 360, {"blip": 5}), _figures("slow", 3600, {})]
    best = fastest_as_careful([ours, *others])
    assert best is not None
    assert (best.name, ratio(ours, best)) == ("careful", 0.1)


def test_without_a_careful_baseline_there_is_no_ratio() -> None:
    """Then the report says so."""
    assert fastest_as_careful([_figures("ours", 36, {}), _figures("hasty", 20, {"blip": 1})]) is None


def test_a_partition_beside_another_fault_still_counts_against_us() -> None:
    """Only where a loss, an isolation or a flapping region is among the troubles is the call theirs."""
    ours = _figures(
        "ours", 36, {"peering partition + API brown-out": 2, "blip + full isolation": 1, "saturated writer": 4}
    )
    assert calls_that_must_not_be(ours) == {"peering partition + API brown-out": 2}


def test_targets_say_what_was_measured() -> None:
    """Each is met or not by its own figure."""
    good, bad = _figures("ours", 44, {}), _figures("ours", 46, {"blip": 1})
    assert [[target.is_met for target in targets(ours, time)] for ours, time in ((good, 49.0), (bad, 51.0))] == [
        [True, True, True, True],
        [False, True, False, False],
    ]
