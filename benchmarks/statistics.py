"""Percentiles, rates and targets from the counts of each detector.

A percentile is a measured value: the smallest one that the given share of values does not exceed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from benchmarks.controller import Controller
from benchmarks.counts import LOSSES, CallCounts
from benchmarks.simulate import DEFAULT_LABEL, SimulationResult
from benchmarks.simulated_regions import Cause

TARGET_P99_SECONDS = 60.0
TARGET_WRONG = 20.0
"""Maximum wrong failovers per 1,000 region-years."""
TARGET_DECIDE_MICROSECONDS = 50.0
FORBIDDEN_CAUSES = (
    Cause.BLIP,
    Cause.CRASH,
    Cause.ZONE_FAILURE,
    Cause.CRASH_IN_API_OUTAGE,
    Cause.PARTITION,
    Cause.WIDE_PARTITION,
)
"""Faults in which the controller must never fail over."""
_INDISTINGUISHABLE = (*LOSSES, Cause.LOSS_IN_API_OUTAGE, Cause.HALF_LOSS, Cause.FLAPPING, Cause.ISOLATION)
"""Faults that justify a call even if other faults are active at the same time."""
KINDS: dict[str, tuple[Cause, ...]] = {
    "region loss": LOSSES,
    "region loss in an API outage": (Cause.LOSS_IN_API_OUTAGE,),
    "in-region failure": (Cause.IN_REGION_FAILURE,),
    "half-lost region": (Cause.HALF_LOSS,),
}


@dataclass(frozen=True, kw_only=True)
class OutageTimes:
    """Results of the outages of one kind for one detector, in seconds from the outage to the call."""

    outages: int
    """Outages longer than five minutes, without those after an earlier call in the same episode."""
    missed: int
    requested: int
    """Missed outages in which approval was requested in time."""
    p50: float | None
    p99: float | None
    longest: float | None


@dataclass(frozen=True, kw_only=True)
class DetectorStatistics:
    """Results of one detector. `wrong` is per 1,000 region-years, by the faults at the call."""

    name: str
    times: dict[str, OutageTimes]
    wrong: dict[str, float]
    wrong_calls: dict[str, int]
    right_calls: int
    unnecessary_requests: dict[str, float]
    """Episodes with a request whose approval would have been wrong, per 1,000 region-years, by the faults at the request."""

    @property
    def label(self) -> str:
        """The detector's name in tables and the chart."""
        return "controller" if self.name == Controller.name else self.name

    @property
    def total_wrong(self) -> float:
        """Wrong failovers per 1,000 region-years."""
        return sum(self.wrong.values())


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """One setting of a detector on the operating curve."""

    label: str
    is_default: bool
    is_controller: bool
    p50: float | None
    p99: float | None
    """Seconds from region loss to call."""
    missed: int
    wrong: float
    """Wrong failovers per 1,000 region-years."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkTarget:
    """One target and the measured value."""

    text: str
    measured: str
    is_met: bool


def percentile(values: Sequence[float], per_cent: float) -> float | None:
    """Return the smallest of the sorted values that `per_cent` of them do not exceed; None without values."""
    return values[max(0, ceil(len(values) * per_cent / 100) - 1)] if values else None


def statistics(outcome: SimulationResult) -> list[DetectorStatistics]:
    """Return the statistics of every detector, the controller first."""
    return [_statistics(name, counts, outcome.years) for name, counts in outcome.counts_by_detector.items()]


def operating_curve(outcome: SimulationResult, all_statistics: Sequence[DetectorStatistics]) -> list[OperatingPoint]:
    """Return the controller at several thresholds, then the detectors of the tables, the controller's default first."""
    variants = [
        (_statistics(name, counts, outcome.curve_years), False) for name, counts in outcome.curve_by_variant.items()
    ]
    default, *baselines = all_statistics
    points = [*variants, (default, True), *((baseline, False) for baseline in baselines)]
    names = {DEFAULT_LABEL} | set(outcome.curve_by_variant)
    labels = [
        (DEFAULT_LABEL if is_default else detector.label, detector, is_default) for detector, is_default in points
    ]
    return [
        OperatingPoint(
            label=label,
            is_default=is_default,
            is_controller=label in names,
            p50=detector.times["region loss"].p50,
            p99=detector.times["region loss"].p99,
            missed=detector.times["region loss"].missed,
            wrong=detector.total_wrong,
        )
        for label, detector, is_default in labels
    ]


def _statistics(name: str, counts: CallCounts, years: int) -> DetectorStatistics:
    calls: Counter[str] = Counter()
    for (label, _), count in counts.wrong.items():
        calls[label] += count
    by_weight = dict(calls.most_common())
    return DetectorStatistics(
        name=name,
        times={kind: _times(counts, causes) for kind, causes in KINDS.items()},
        wrong={label: 1000 * count / years for label, count in by_weight.items()},
        wrong_calls=by_weight,
        right_calls=counts.right,
        unnecessary_requests={label: 1000 * count / years for label, count in counts.unnecessary.most_common()},
    )


def _times(counts: CallCounts, causes: Iterable[Cause]) -> OutageTimes:
    names = [str(cause) for cause in causes]
    seconds = sorted(value for name in names for value in counts.seconds.get(name, ()))
    missed = sum(counts.missed[name] for name in names)
    return OutageTimes(
        outages=len(seconds) + missed,
        missed=missed,
        requested=sum(counts.requested[name] for name in names),
        p50=percentile(seconds, 50),
        p99=percentile(seconds, 99),
        longest=seconds[-1] if seconds else None,
    )


def fastest_careful_baseline(all_statistics: Sequence[DetectorStatistics]) -> DetectorStatistics | None:
    """Return the baseline with the shortest p99 that has no more wrong failovers than the controller; None if there is none."""
    controller, *baselines = all_statistics
    candidates = [
        (p99, index)
        for index, baseline in enumerate(baselines)
        if baseline.total_wrong <= controller.total_wrong and (p99 := baseline.times["region loss"].p99) is not None
    ]
    return baselines[min(candidates)[1]] if candidates else None


def ratio(controller: DetectorStatistics, baseline: DetectorStatistics) -> float | None:
    """Return the controller's p99 from region loss to call as a share of the baseline's."""
    controller_p99, baseline_p99 = controller.times["region loss"].p99, baseline.times["region loss"].p99
    return None if controller_p99 is None or baseline_p99 is None else controller_p99 / baseline_p99


def forbidden_calls(controller: DetectorStatistics) -> dict[str, int]:
    """Return the controller's wrong calls in forbidden faults, by the faults at the call."""
    return {
        label: count
        for label, count in controller.wrong_calls.items()
        if (causes := label.split(" + "))
        and set(causes) & set(FORBIDDEN_CAUSES)
        and not set(causes) & set(_INDISTINGUISHABLE)
    }


def targets(controller: DetectorStatistics, decide_microseconds: float) -> list[BenchmarkTarget]:
    """Return every target with the measured value."""
    never, loss = forbidden_calls(controller), controller.times["region loss"]
    losses = (loss, controller.times["region loss in an API outage"])
    missed, requested = sum(times.missed for times in losses), sum(times.requested for times in losses)
    return [
        BenchmarkTarget(
            text="no failover in blips, crashes (during API outages and zone failures too) and partitions with working replication",
            measured="none" if not never else "; ".join(f"{count} in {label}" for label, count in never.items()),
            is_met=not never,
        ),
        BenchmarkTarget(
            text="no region loss is missed; approval is requested where the policy demands it",
            measured=f"{missed:,} of {sum(times.outages for times in losses):,}"
            + (f", {requested} with approval requested" if missed else ""),
            is_met=missed == requested,
        ),
        BenchmarkTarget(
            text=f"at most {TARGET_WRONG:g} wrong failovers per 1,000 region-years",
            measured=f"{controller.total_wrong:.1f}",
            is_met=controller.total_wrong <= TARGET_WRONG,
        ),
        BenchmarkTarget(
            text=f"p99 from region loss to call at most {TARGET_P99_SECONDS:g} s",
            measured=seconds_text(loss.p99),
            is_met=loss.p99 is not None and loss.p99 <= TARGET_P99_SECONDS,
        ),
        BenchmarkTarget(
            text=f"one `decide` call in less than {TARGET_DECIDE_MICROSECONDS:g} microseconds",
            measured=f"{decide_microseconds:.1f}",
            is_met=decide_microseconds < TARGET_DECIDE_MICROSECONDS,
        ),
    ]


def seconds_text(seconds: float | None) -> str:
    """Return a number of seconds as text with its unit, or `-` for None."""
    return "-" if seconds is None else f"{seconds:,.1f} s"
