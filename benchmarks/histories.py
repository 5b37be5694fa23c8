"""Random faults of region-years, from the rates and durations in `assumptions.py`.

The same generator state gives the same history.
"""

from collections.abc import Callable, Mapping
from math import exp, log
from random import Random

from benchmarks.assumptions import RATES
from benchmarks.simulated_regions import REGION_LOST, Cause, Effect, Episode, Paths, combined

YEAR_SECONDS = 365.25 * 86_400
GAP_SECONDS = 960.0
"""Faults with a shorter gap belong to one episode. Every detector forgets a fault within that time: the controller's cooldown and
its time of a higher threshold are 900 s."""


def year_of_episodes(rng: Random, rates: Mapping[Cause, float] = RATES) -> list[Episode]:
    """Return one region-year's faults as episodes in chronological order."""
    effects: list[Effect] = []
    windows: list[tuple[float, float]] = []
    for start in _arrivals(rng, rates.get(Cause.SWITCHOVER, 0.0)):
        drawn = draw(Cause.SWITCHOVER, rng, start)
        effects += drawn
        windows += [(effect.start, effect.end) for effect in drawn if effect.paths.swapped]
    for cause in Cause:
        if cause is Cause.SWITCHOVER:
            continue
        for start in _arrivals(rng, rates.get(cause, 0.0)):
            drawn = draw(cause, rng, start)
            if not any(begin <= start < end for begin, end in windows):
                effects += drawn
    return _episodes(effects)


def draw(cause: Cause, rng: Random, start: float) -> list[Effect]:
    """Return the effects of one fault that begins at `start` (seconds)."""
    return _DRAWS[cause](rng, start)


def _arrivals(rng: Random, per_year: float) -> list[float]:
    moments: list[float] = []
    moment = 0.0
    while per_year > 0:
        moment += rng.expovariate(per_year) * YEAR_SECONDS
        if moment >= YEAR_SECONDS:
            break
        moments.append(moment)
    return moments


def _episodes(effects: list[Effect]) -> list[Episode]:
    groups: list[list[Effect]] = []
    reach = float("-inf")
    for effect in sorted(effects, key=lambda effect: (effect.start, effect.end)):
        if effect.start > reach + GAP_SECONDS:
            groups.append([])
        groups[-1].append(effect)
        reach = max(reach, effect.end)
    return [Episode(group) for group in groups]


def _lognormal(rng: Random, median: float, sigma: float, shortest: float, longest: float) -> float:
    while True:
        value = median * exp(rng.gauss(0, sigma))
        if shortest <= value <= longest:
            return value


def _loguniform(rng: Random, low: float, high: float) -> float:
    return exp(rng.uniform(log(low), log(high)))


def _blip(rng: Random, start: float) -> list[Effect]:
    everywhere = Paths(peering_cut=1, stream_cut=1, api_unreachable=1)
    paths = rng.choice((Paths(peering_cut=1), Paths(peering_cut=1), Paths(writer_down=1), everywhere))
    return [Effect(start=start, end=start + min(15.0, rng.expovariate(1 / 4)), cause=Cause.BLIP, paths=paths)]


def _packet_loss(rng: Random, start: float) -> list[Effect]:
    loss = _loguniform(rng, 0.01, 0.5)
    paths = Paths(loss=loss) if rng.random() < 0.5 else Paths(backbone_loss=loss)
    return [Effect(start=start, end=start + _lognormal(rng, 40, 1, 1, 900), cause=Cause.PACKET_LOSS, paths=paths)]


def _slow_probe(rng: Random, start: float) -> list[Effect]:
    chance = rng.uniform(0.3, 1)
    paths = Paths(slow_peering=chance) if rng.random() < 0.5 else Paths(slow_function=chance)
    return [Effect(start=start, end=start + rng.uniform(5, 60), cause=Cause.SLOW_PROBE, paths=paths)]


def _saturated_writer(rng: Random, start: float) -> list[Effect]:
    chance = rng.uniform(0.2, 1)
    paths = Paths(slow_login=chance) if rng.random() < 0.5 else Paths(slow_query=chance)
    end = start + _lognormal(rng, 90, 1, 5, 3600)
    return [Effect(start=start, end=end, cause=Cause.SATURATED_WRITER, paths=paths)]


def _crash(rng: Random, start: float) -> list[Effect]:
    end = start + _crash_seconds(rng)
    return [Effect(start=start, end=end, cause=Cause.CRASH, paths=Paths(writer_down=1))]


def _crash_seconds(rng: Random) -> float:
    return _lognormal(rng, 28, 0.5, 3, 120)


def _zone_failure(rng: Random, start: float) -> list[Effect]:
    hangs = Effect(
        start=start,
        end=start + rng.uniform(30, 60),
        cause=Cause.ZONE_FAILURE,
        paths=Paths(api_silent=1, rds_api_silent=1 / 3),
    )
    down = Effect(start=start, end=start + _crash_seconds(rng), cause=Cause.ZONE_FAILURE, paths=Paths(writer_down=1))
    return [hangs, down]


def _api_outage(rng: Random, start: float, cause: Cause) -> Effect:
    paths = Paths(api_silent=rng.uniform(0.5, 1), rds_api_silent=rng.choice((0.0, 1.0)))
    if rng.random() < 0.5:
        paths = paths._replace(api_silent=1)
    return Effect(start=start, end=start + _lognormal(rng, 1800, 1, 300, 12 * 3600), cause=cause, paths=paths)


def _crash_in_api_outage(rng: Random, start: float) -> list[Effect]:
    outage = _api_outage(rng, start, Cause.CRASH_IN_API_OUTAGE)
    # An earlier crash cannot be told from a region loss; a zone failure is that case.
    crash = rng.uniform(outage.start + 60, outage.end - 120)
    paths = Paths(writer_down=1)
    down = Effect(start=crash, end=crash + _crash_seconds(rng), cause=Cause.CRASH_IN_API_OUTAGE, paths=paths)
    return [outage, down]


def _loss_in_api_outage(rng: Random, start: float) -> list[Effect]:
    outage = _api_outage(rng, start, Cause.LOSS_IN_API_OUTAGE)
    loss = rng.uniform(outage.start, outage.end - 120)
    gone = Effect(start=loss, end=loss + _loss_seconds(rng), cause=Cause.LOSS_IN_API_OUTAGE, paths=REGION_LOST)
    return [outage, gone]


def _in_region_failure(rng: Random, start: float) -> list[Effect]:
    end = start + _lognormal(rng, 600, 1, 150, 6 * 3600)
    return [Effect(start=start, end=end, cause=Cause.IN_REGION_FAILURE, paths=Paths(writer_down=1))]


def _partition(rng: Random, start: float) -> list[Effect]:
    end = start + _partition_seconds(rng)
    return [Effect(start=start, end=end, cause=Cause.PARTITION, paths=Paths(peering_cut=1))]


def _wide_partition(rng: Random, start: float) -> list[Effect]:
    end, paths = start + _partition_seconds(rng), Paths(peering_cut=1, api_unreachable=1)
    return [Effect(start=start, end=end, cause=Cause.WIDE_PARTITION, paths=paths)]


def _partition_seconds(rng: Random) -> float:
    return _lognormal(rng, 600, 1.5, 60, 12 * 3600)


def _brown_out(rng: Random, start: float) -> list[Effect]:
    chance = rng.uniform(0.3, 1)
    paths = Paths(api_silent=chance) if rng.random() < 0.4 else Paths(api_errors=chance)
    if paths.api_silent and rng.random() < 0.25:
        paths = paths._replace(rds_api_silent=chance)
    end = start + _lognormal(rng, 1800, 1, 60, 12 * 3600)
    return [Effect(start=start, end=end, cause=Cause.BROWN_OUT, paths=paths)]


def _observer_fault(rng: Random, start: float) -> list[Effect]:
    network, function, rds = Paths(own_network_down=1), Paths(own_function_down=1), Paths(rds_unreachable=1)
    everything = combined((network, function, rds, Paths(peering_cut=1, api_unreachable=1)))
    end = start + _lognormal(rng, 600, 1, 30, 6 * 3600)
    paths = rng.choice((network, function, rds, everything))
    return [Effect(start=start, end=end, cause=Cause.OBSERVER_FAULT, paths=paths)]


def _replication_lag(rng: Random, start: float) -> list[Effect]:
    end = start + _lognormal(rng, 300, 1, 5, 7200)
    return [
        Effect(start=start, end=end, cause=Cause.REPLICATION_LAG, paths=Paths(lag_seconds=_loguniform(rng, 1, 120)))
    ]


def _switchover(rng: Random, start: float) -> list[Effect]:
    away_end = start + rng.uniform(60, 180)
    back_start = away_end + rng.uniform(1800, 4 * 3600)
    back_end = back_start + rng.uniform(60, 180)
    swapped = Effect(start=away_end, end=back_end, cause=Cause.SWITCHOVER, paths=Paths(swapped=1))
    return [*_operation(rng, start, away_end), swapped, *_operation(rng, back_start, back_end)]


def _operation(rng: Random, start: float, end: float) -> list[Effect]:
    refused = min(rng.uniform(10, 90), end - start - 10)
    return [
        Effect(start=start, end=end, cause=Cause.SWITCHOVER, paths=Paths(operation=1)),
        # RDS reports the operation before the databases refuse connections.
        Effect(start=start + 5, end=start + 5 + refused, cause=Cause.SWITCHOVER, paths=Paths(writer_down=1)),
    ]


def _loss_seconds(rng: Random) -> float:
    return _lognormal(rng, 3600, 1.2, 150, 48 * 3600)


def _region_loss(rng: Random, start: float) -> list[Effect]:
    return [Effect(start=start, end=start + _loss_seconds(rng), cause=Cause.REGION_LOSS, paths=REGION_LOST)]


def _gradual_loss(rng: Random, start: float) -> list[Effect]:
    warning = rng.uniform(10, 180)
    paths = Paths(
        backbone_loss=rng.uniform(0.01, 0.3), api_errors=rng.uniform(0, 0.8), lag_seconds=_loguniform(rng, 0.2, 30)
    )
    loss_start = start + warning
    return [
        Effect(start=start, end=loss_start, cause=Cause.GRADUAL_LOSS, paths=paths),
        Effect(start=loss_start, end=loss_start + _loss_seconds(rng), cause=Cause.GRADUAL_LOSS, paths=REGION_LOST),
    ]


def _half_loss(rng: Random, start: float) -> list[Effect]:
    errors = 1.0 if rng.random() < 0.5 else rng.uniform(0.1, 0.9)
    paths = Paths(
        writer_down=1, peering_cut=1, stream_cut=1, api_errors=errors, api_silent=1, rds_api_silent=1 - errors
    )
    return [Effect(start=start, end=start + _loss_seconds(rng), cause=Cause.HALF_LOSS, paths=paths)]


def _flapping(rng: Random, start: float) -> list[Effect]:
    effects: list[Effect] = []
    moment, end = start, start + rng.uniform(300, 1800)
    while moment < end:
        unreachable_seconds = rng.uniform(5, 60)
        effects.append(Effect(start=moment, end=moment + unreachable_seconds, cause=Cause.FLAPPING, paths=REGION_LOST))
        moment += unreachable_seconds + rng.uniform(5, 60)
    return effects


def _isolation(rng: Random, start: float) -> list[Effect]:
    paths = Paths(peering_cut=1, stream_cut=1, api_unreachable=1, isolated=1)
    end = start + _lognormal(rng, 120, 1.5, 5, 6 * 3600)
    return [Effect(start=start, end=end, cause=Cause.ISOLATION, paths=paths)]


_DRAWS: dict[Cause, Callable[[Random, float], list[Effect]]] = {
    Cause.BLIP: _blip,
    Cause.PACKET_LOSS: _packet_loss,
    Cause.SLOW_PROBE: _slow_probe,
    Cause.SATURATED_WRITER: _saturated_writer,
    Cause.CRASH: _crash,
    Cause.ZONE_FAILURE: _zone_failure,
    Cause.CRASH_IN_API_OUTAGE: _crash_in_api_outage,
    Cause.LOSS_IN_API_OUTAGE: _loss_in_api_outage,
    Cause.IN_REGION_FAILURE: _in_region_failure,
    Cause.PARTITION: _partition,
    Cause.WIDE_PARTITION: _wide_partition,
    Cause.BROWN_OUT: _brown_out,
    Cause.OBSERVER_FAULT: _observer_fault,
    Cause.REPLICATION_LAG: _replication_lag,
    Cause.SWITCHOVER: _switchover,
    Cause.REGION_LOSS: _region_loss,
    Cause.GRADUAL_LOSS: _gradual_loss,
    Cause.HALF_LOSS: _half_loss,
    Cause.FLAPPING: _flapping,
    Cause.ISOLATION: _isolation,
}
