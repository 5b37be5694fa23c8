"""The client's outage in a lost region: detection, call, promotion, DNS and the client's next try, for several set-ups.

The calls are those of the simulated region losses. DNS follows the deployed alarm's rule; the client follows docs/connecting.md.
Unknown details are assumed in favour of the other set-ups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor
from random import Random

from benchmarks.controller import POLICY, Controller
from benchmarks.simulate import SimulationResult
from benchmarks.statistics import KINDS, BenchmarkTarget, percentile, seconds_text
from components.alarms import WRITER_ROLE
from rehearsal.client_pool import LONGEST_PAUSE_SECONDS
from rehearsal.network.alarms import AlarmRule, AlarmState, MissingData, Sample, evaluate

CLOUDWATCH = "CloudWatch"
"""The detector whose calls the set-ups with an alarm make."""
TRIALS = 2_000
PROMOTION_SECONDS = (60.0, 300.0)
"""AWS's promotion: an assumption, uniform. AWS documents minutes, but no number."""
PROMOTIONS = (60.0, 120.0, 180.0, 300.0)
"""Promotions of the second table, in seconds."""
ROUTE_53_READS_SECONDS = 60.0
"""Route 53 reads the metric within this time after the end of a period, uniform: an assumption, as AWS names no number."""
TTL_SECONDS = 5.0
RECORD_CHANGE_SECONDS = 60.0
"""An edited record reaches all name servers, uniform up to this time. Source: Editing records, Route 53 Developer Guide."""
ON_CALL_SECONDS = (300.0, 1800.0)
"""From the alarm to an engineer's call: an assumption, uniform."""
CONNECT_SECONDS = 5.0
"""The client's connect timeout, which a name of the lost region costs."""
REFUSAL_SECONDS = 0.05
"""The time in which a database that is read-only refuses a client, or accepts its write."""
PERIOD_SECONDS = 60.0
TARGET_P50_SECONDS = 5.0
"""Most that DNS may add after the promotion, at the median."""


class Setup(StrEnum):
    """Who calls the failover, and how clients follow."""

    WITH_CALL = "this project"
    WITH_PROMOTION = "this project, if the name followed the promotion"
    MANUAL = "alarm and engineer, global writer endpoint"
    RECORD_EDIT = "alarm, Lambda that fails over and edits the record"
    REGION_SWITCH = "alarm, ARC Region switch"


ROLE_RULE = AlarmRule(
    name=WRITER_ROLE.name,
    namespace="AuroraFailover",
    metric_name=WRITER_ROLE.metric,
    dimensions={},
    statistic=WRITER_ROLE.statistic,
    period_seconds=WRITER_ROLE.minutes * PERIOD_SECONDS,
    evaluation_periods=1,
    datapoints_to_alarm=1,
    threshold=WRITER_ROLE.threshold,
    comparison=WRITER_ROLE.comparison,
    missing_data=MissingData.MISSING,
)
"""The deployed alarm whose data Route 53 reads."""


@dataclass(frozen=True, kw_only=True)
class ClientOutage:
    """One outage. Times in seconds since the region's loss."""

    called_at: float
    promoted_at: float
    named_at: float
    """When the client's resolver returns the new writer."""
    written_at: float
    """The first acknowledged write."""

    @property
    def dns_seconds(self) -> float:
        """What DNS adds after the promotion."""
        return max(0.0, self.named_at - self.promoted_at)

    @property
    def after_promotion_seconds(self) -> float:
        """From the promotion to the first acknowledged write."""
        return self.written_at - self.promoted_at


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Median of each part, and the whole, in seconds."""

    setup: str
    call_p50: float
    promotion_p50: float
    dns_p50: float
    client_p50: float
    after_promotion_p50: float
    after_promotion_p99: float
    outage_p50: float
    outage_p99: float


def budgets(outcome: SimulationResult, seed: int, *, trials: int = TRIALS) -> list[Budget]:
    """Return the budget of every set-up, from the region losses of a simulation; empty without any."""
    calls = _calls(outcome)
    return [_budget(setup, _outages(setup, calls, seed, trials)) for setup in Setup] if calls else []


def dns_by_promotion(outcome: SimulationResult, seed: int, *, trials: int = TRIALS) -> list[tuple[float, list[float]]]:
    """Return for each length of the promotion the median of what DNS adds: see the header of the table."""
    calls = _calls(outcome)
    if not calls:
        return []
    return [
        (
            promotion,
            [
                *(
                    _p(_outages(setup, calls, seed, trials, promotion=promotion), "dns_seconds", 50)
                    for setup in (Setup.WITH_CALL, Setup.WITH_PROMOTION)
                ),
                _percentile(_dns_seconds_home(seed, trials, promotion), 50),
            ],
        )
        for promotion in PROMOTIONS
    ]


def _dns_seconds_home(seed: int, trials: int, promotion: float) -> list[float]:
    """Return what DNS adds to switchovers to the primary region: the demoted secondary region publishes 0 from the call on."""
    rng = Random(f"{seed}/home/{promotion}")
    moved = (
        role_shows_at(0.0, phase=rng.uniform(-PERIOD_SECONDS, 0), role=0.0)
        + rng.uniform(0, ROUTE_53_READS_SECONDS)
        + rng.uniform(0, TTL_SECONDS)
        for _ in range(trials)
    )
    return [max(0.0, named_at - promotion) for named_at in moved]


def _calls(outcome: SimulationResult) -> dict[str, list[float]]:
    """Return the seconds from a region's loss to the call, by detector; empty if a detector has none."""
    found = {
        name: [second for cause in KINDS["region loss"] for second in counts.seconds.get(str(cause), ())]
        for name, counts in outcome.counts_by_detector.items()
        if name in (Controller.name, CLOUDWATCH)
    }
    return found if all(found.values()) else {}


def _outages(
    setup: Setup, calls: dict[str, list[float]], seed: int, trials: int, *, promotion: float | None = None
) -> list[ClientOutage]:
    rng = Random(f"{seed}/{setup}/{promotion}")
    is_ours = setup in (Setup.WITH_CALL, Setup.WITH_PROMOTION)
    seconds = calls[Controller.name if is_ours else CLOUDWATCH]
    outages: list[ClientOutage] = []
    for _ in range(trials):
        called_at = rng.choice(seconds) + (rng.uniform(*ON_CALL_SECONDS) if setup is Setup.MANUAL else 0.0)
        promoted_at = called_at + (rng.uniform(*PROMOTION_SECONDS) if promotion is None else promotion)
        named_at = _name_moves(setup, called_at, promoted_at, rng) + rng.uniform(0, TTL_SECONDS)
        outages.append(
            ClientOutage(
                called_at=called_at,
                promoted_at=promoted_at,
                named_at=named_at,
                written_at=first_write(promoted_at, named_at, rng),
            )
        )
    return outages


def _name_moves(setup: Setup, called_at: float, promoted_at: float, rng: Random) -> float:
    """Return when the authoritative answer changes."""
    if setup is Setup.WITH_CALL:
        return role_shows_at(called_at, phase=rng.uniform(0, PERIOD_SECONDS)) + rng.uniform(0, ROUTE_53_READS_SECONDS)
    if setup is Setup.WITH_PROMOTION:
        observed_at = promoted_at + rng.uniform(0, POLICY.interval_seconds)
        return role_shows_at(observed_at, phase=rng.uniform(0, PERIOD_SECONDS)) + rng.uniform(0, ROUTE_53_READS_SECONDS)
    if setup is Setup.RECORD_EDIT:
        return promoted_at + rng.uniform(0, RECORD_CHANGE_SECONDS)
    return promoted_at  # in favour of AWS's own endpoint and of Region switch's health check


def role_shows_at(published_at: float, *, phase: float, role: float = 1.0) -> float:
    """Return the end of the first period in which the alarm's rule shows the role that is published from a moment on.

    A cycle publishes the role each interval; `phase` is the start of a period, in seconds. A role of 0 needs a whole period.
    """
    interval, wanted = POLICY.interval_seconds, AlarmState.ALARM if role else AlarmState.OK
    cycles = floor(4 * PERIOD_SECONDS / interval)
    samples = [
        Sample.of(at=published_at + interval * cycle - phase, value=role if cycle >= 0 else 1 - role)
        for cycle in range(-cycles, cycles)
    ]
    end = (floor((published_at - phase) / PERIOD_SECONDS) + 1) * PERIOD_SECONDS
    while evaluate(ROLE_RULE.datapoints(samples, end), ROLE_RULE, AlarmState.OK) is not wanted:
        end += PERIOD_SECONDS
    return end + phase


def first_write(promoted_at: float, named_at: float, rng: Random) -> float:
    """Return the first acknowledged write of a client that tries again with the advised pauses and timeouts."""
    at = min(promoted_at, named_at) - rng.uniform(0, CONNECT_SECONDS + LONGEST_PAUSE_SECONDS)
    while True:
        if at < named_at:
            at += CONNECT_SECONDS
        elif at < promoted_at:
            at += REFUSAL_SECONDS
        else:
            return at + REFUSAL_SECONDS
        at += rng.uniform(0, LONGEST_PAUSE_SECONDS)


def _budget(setup: Setup, outages: Sequence[ClientOutage]) -> Budget:
    return Budget(
        setup=str(setup),
        call_p50=_p(outages, "called_at", 50),
        promotion_p50=_percentile([one.promoted_at - one.called_at for one in outages], 50),
        dns_p50=_p(outages, "dns_seconds", 50),
        client_p50=_percentile([one.written_at - max(one.promoted_at, one.named_at) for one in outages], 50),
        after_promotion_p50=_p(outages, "after_promotion_seconds", 50),
        after_promotion_p99=_p(outages, "after_promotion_seconds", 99),
        outage_p50=_p(outages, "written_at", 50),
        outage_p99=_p(outages, "written_at", 99),
    )


def _p(outages: Sequence[ClientOutage], name: str, per_cent: float) -> float:
    return _percentile([getattr(one, name) for one in outages], per_cent)


def _percentile(values: Sequence[float], per_cent: float) -> float:
    found = percentile(sorted(values), per_cent)
    assert found is not None
    return round(found, 1)


def budget_target(found: Sequence[Budget]) -> BenchmarkTarget:
    """Return the target of what DNS adds."""
    seconds = found[0].dns_p50 if found else None
    return BenchmarkTarget(
        text=f"DNS adds at most {TARGET_P50_SECONDS:g} s after the promotion, at the median",
        measured=seconds_text(seconds),
        is_met=seconds is not None and seconds <= TARGET_P50_SECONDS,
    )


def budget_tables(
    found: Sequence[Budget], by_promotion: Sequence[tuple[float, list[float]]]
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return the tables of the page: title, header, rows."""
    header = [
        "set-up",
        "call",
        "promotion",
        "DNS adds",
        "client adds",
        "promotion to write, p50",
        "p99",
        "outage, p50",
        "p99",
    ]
    rows = [
        [
            one.setup,
            *(
                seconds_text(seconds)
                for seconds in (
                    one.call_p50,
                    one.promotion_p50,
                    one.dns_p50,
                    one.client_p50,
                    one.after_promotion_p50,
                    one.after_promotion_p99,
                    one.outage_p50,
                    one.outage_p99,
                )
            ),
        ]
        for one in found
    ]
    lengths = [
        "promotion",
        str(Setup.WITH_CALL),
        str(Setup.WITH_PROMOTION),
        "this project, switchover to the primary region",
    ]
    by_length = [[seconds_text(promotion), *map(seconds_text, added)] for promotion, added in by_promotion]
    return [
        ("The client's outage when the writer's region is lost", header, rows),
        ("What DNS adds after the promotion, by its length (median)", lengths, by_length),
    ]
