"""Paths and outages of an episode."""

from benchmarks.simulated_regions import HEALTHY, REGION_LOST, Cause, Paths, combined
from tests.support.benchmarks.builders import START, effect, episode


def test_combined_paths_have_the_maximum() -> None:
    """Each field has its own maximum."""
    both = combined((Paths(loss=0.1, peering_cut=1), Paths(loss=0.3, lag_seconds=4)))
    assert both == Paths(loss=0.3, peering_cut=1, lag_seconds=4)


def test_episode_combines_overlapping_faults() -> None:
    """The paths are healthy outside the episode."""
    seen = episode(effect(Cause.PARTITION, 100, peering_cut=1), effect(Cause.BROWN_OUT, 100, after=50, api_silent=1))
    moments = (-1.0, 0.0, 60.0, 120.0, 150.0)
    assert [seen.paths_at(START + moment) for moment in moments] == [
        HEALTHY,
        Paths(peering_cut=1),
        Paths(peering_cut=1, api_silent=1),
        Paths(api_silent=1),
        HEALTHY,
    ]


def test_outage_has_the_most_severe_cause() -> None:
    """A crash that becomes a region loss is one outage with the cause region loss."""
    seen = episode(
        effect(Cause.CRASH, 60, writer_down=1), effect(Cause.REGION_LOSS, 600, after=30, **REGION_LOST._asdict())
    )
    assert [(outage.start, outage.end, outage.cause) for outage in seen.outages] == [
        (START, START + 630, Cause.REGION_LOSS)
    ]


def test_no_outage_while_roles_are_swapped() -> None:
    """The other cluster is the writer."""
    seen = episode(effect(Cause.SWITCHOVER, 60, swapped=1), effect(Cause.CRASH, 60, writer_down=1))
    assert seen.outages == []


def test_causes_between_includes_earlier_faults() -> None:
    """Faults that ended before the start are excluded."""
    seen = episode(effect(Cause.BLIP, 5, peering_cut=1), effect(Cause.CRASH, 60, after=100, writer_down=1))
    found = [seen.causes_between(START + 120 - back, START + 120) for back in (45, 118)]
    assert found == [(Cause.CRASH,), (Cause.BLIP, Cause.CRASH)]


def test_fault_with_live_port_cannot_cause_failover() -> None:
    """A failover needs an unreachable port or unclear roles."""
    harmless = (
        HEALTHY,
        Paths(lag_seconds=50),
        Paths(api_silent=1),
        Paths(api_errors=0.5),
        Paths(swapped=1, writer_down=1),
    )
    assert [
        paths.can_cause_failover for paths in (*harmless, REGION_LOST, Paths(loss=0.1), Paths(rds_unreachable=1))
    ] == [
        *(False for _ in harmless),
        True,
        True,
        True,
    ]
