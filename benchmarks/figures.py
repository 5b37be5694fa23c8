"""From tallies to the figures that are shown: percentiles, rates, targets, and the ratio to the fastest baseline that is as careful.

Owns their definitions. Does not own any layout. Invariant: a percentile is the smallest measured value that so many per cent
of the values do not exceed; nothing is interpolated.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from benchmarks.simulate import Outcome
from benchmarks.tally import LOSSES, Tally
from benchmarks.world import Cause

TARGET_P99_SECONDS = 45.0
TARGET_DECIDE_MICROSECONDS = 50.0
NEVER = (Cause.BLIP, Cause.CRASH, Cause.PARTITION, Cause.WIDE_PARTITION)
"""Troubles in which ours must never fail over."""
_UNTELLABLE = (*LOSSES, Cause.HALF_LOSS, Cause.FLAPPING, Cause.ISOLATION)
"""Where one of these is among the troubles of a call, the call is theirs."""
KINDS: dict[str, tuple[Cause, ...]] = {
    "region loss": LOSSES,
    "in-region failure": (Cause.IN_REGION_FAILURE,),
    "half-lost region": (Cause.HALF_LOSS,),
}


@dataclass(frozen=True, kw_only=True)
class Times:
    """How outages of one kind ended, for one detector. Seconds from the outage to the call."""

    outages: int
    """Longer than five minutes, and not after an earlier call in the same episode."""
    missed: int
    asked: int
    """Of the missed ones: a person was asked in time."""
    p50: float | None
    p99: float | None
    longest: float | None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is shown of one detector. `wrong` is per 1,000 region-years, by the troubles at the call."""

    name: str
    times: dict[str, Times]
    wrong: dict[str, float]
    wrong_calls: dict[str, int]
    right_calls: int
    vain_questions: dict[str, float]
    """Episodes with a question whose yes would have been wrong, per 1,000 region-years, by the troubles at the question."""

    @property
    def wrong_in_all(self) -> float:
        """Wrong failovers per 1,000 region-years."""
        return sum(self.wrong.values())


@dataclass(frozen=True, kw_only=True)
class Target:
    """One thing that was promised, and what was measured."""

    text: str
    measured: str
    is_met: bool


def percentile(values: Sequence[float], per_cent: float) -> float | None:
    """Return the smallest of the sorted values that `per_cent` of them do not exceed; `None` when there are none."""
    return values[max(0, ceil(len(values) * per_cent / 100) - 1)] if values else None


def figures(outcome: Outcome) -> list[Figures]:
    """Return the figures of every detector, ours first."""
    return [_figures(name, tally, outcome.years) for name, tally in outcome.tallies.items()]


def _figures(name: str, tally: Tally, years: int) -> Figures:
    calls: Counter[str] = Counter()
    for (label, _), count in tally.wrong.items():
        calls[label] += count
    by_weight = dict(calls.most_common())
    return Figures(
        name=name,
        times={kind: _times(tally, causes) for kind, causes in KINDS.items()},
        wrong={label: 1000 * count / years for label, count in by_weight.items()},
        wrong_calls=by_weight,
        right_calls=tally.right,
        vain_questions={label: 1000 * count / years for label, count in tally.vain.most_common()},
    )


def _times(tally: Tally, causes: Iterable[Cause]) -> Times:
    names = [str(cause) for cause in causes]
    seconds = sorted(value for name in names for value in tally.seconds.get(name, ()))
    missed = sum(tally.missed[name] for name in names)
    return Times(
        outages=len(seconds) + missed,
        missed=missed,
        asked=sum(tally.asked[name] for name in names),
        p50=percentile(seconds, 50),
        p99=percentile(seconds, 99),
        longest=seconds[-1] if seconds else None,
    )


def fastest_as_careful(all_figures: Sequence[Figures]) -> Figures | None:
    """Return the baseline with the shortest p99 of those that make no more wrong failovers than ours; `None` when none does."""
    ours, *baselines = all_figures
    careful = [
        (p99, index)
        for index, baseline in enumerate(baselines)
        if baseline.wrong_in_all <= ours.wrong_in_all and (p99 := baseline.times["region loss"].p99) is not None
    ]
    return baselines[min(careful)[1]] if careful else None


def ratio(ours: Figures, baseline: Figures) -> float | None:
    """Return our p99 from region loss to call as a share of the baseline's."""
    mine, theirs = ours.times["region loss"].p99, baseline.times["region loss"].p99
    return None if mine is None or theirs is None else mine / theirs


def calls_that_must_not_be(ours: Figures) -> dict[str, int]:
    """Return our wrong calls in troubles in which there must be none, by the troubles at the call."""
    return {
        label: count
        for label, count in ours.wrong_calls.items()
        if (causes := label.split(" + ")) and set(causes) & set(NEVER) and not set(causes) & set(_UNTELLABLE)
    }


def targets(ours: Figures, decide_microseconds: float) -> list[Target]:
    """Return every target with what was measured."""
    never, loss = calls_that_must_not_be(ours), ours.times["region loss"]
    unasked = loss.missed - loss.asked
    return [
        Target(
            text="no failover in blips, self-healing crashes and partitions",
            measured="none" if not never else "; ".join(f"{count} in {label}" for label, count in never.items()),
            is_met=not never,
        ),
        Target(
            text="no region loss missed; a person is asked where the policy wants it",
            measured=f"{loss.missed} of {loss.outages}" + (f", {loss.asked} of them asked" if loss.missed else ""),
            is_met=unasked == 0,
        ),
        Target(
            text=f"p99 from region loss to call at most {TARGET_P99_SECONDS:g} s",
            measured=seconds_text(loss.p99),
            is_met=loss.p99 is not None and loss.p99 <= TARGET_P99_SECONDS,
        ),
        Target(
            text=f"one decide under {TARGET_DECIDE_MICROSECONDS:g} microseconds",
            measured=f"{decide_microseconds:.1f}",
            is_met=decide_microseconds < TARGET_DECIDE_MICROSECONDS,
        ),
    ]


def seconds_text(seconds: float | None) -> str:
    """Return seconds for a table."""
    return "-" if seconds is None else f"{seconds:,.1f} s"
