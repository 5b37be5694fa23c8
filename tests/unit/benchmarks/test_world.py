"""What is true in an episode."""

from benchmarks.world import CALM, DARK, Cause, Paths, combined
from tests.support.benchmarks.builders import START, effect, episode


def test_of_two_troubles_the_worse_counts() -> None:
    """Each field is the worst of its fields."""
    both = combined((Paths(loss=0.1, peering_cut=1), Paths(loss=0.3, lag_seconds=4)))
    assert both == Paths(loss=0.3, peering_cut=1, lag_seconds=4)


def test_an_episode_is_calm_outside_and_combined_inside() -> None:
    """Segments begin and end with the troubles; where two overlap both hold."""
    seen = episode(effect(Cause.PARTITION, 100, peering_cut=1), effect(Cause.BROWN_OUT, 100, after=50, api_silent=1))
    moments = (-1.0, 0.0, 60.0, 120.0, 150.0)
    assert [seen.paths_at(START + moment) for moment in moments] == [
        CALM,
        Paths(peering_cut=1),
        Paths(peering_cut=1, api_silent=1),
        Paths(api_silent=1),
        CALM,
    ]


def test_an_outage_is_joined_over_its_causes_and_takes_the_gravest() -> None:
    """A crash that becomes a region loss is one outage, and a region loss."""
    seen = episode(effect(Cause.CRASH, 60, writer_down=1), effect(Cause.REGION_LOSS, 600, after=30, **DARK._asdict()))
    assert [(outage.start, outage.end, outage.cause) for outage in seen.outages] == [
        (START, START + 630, Cause.REGION_LOSS)
    ]


def test_with_swapped_roles_the_old_region_has_no_outage() -> None:
    """While the other cluster is the writer, this one's absence is none."""
    seen = episode(effect(Cause.SWITCHOVER, 60, swapped=1), effect(Cause.CRASH, 60, writer_down=1))
    assert seen.outages == []


def test_causes_reach_back_as_far_as_asked() -> None:
    """A trouble that ended before the time asked for is not named."""
    seen = episode(effect(Cause.BLIP, 5, peering_cut=1), effect(Cause.CRASH, 60, after=100, writer_down=1))
    found = [seen.causes_between(START + 120 - back, START + 120) for back in (45, 118)]
    assert found == [(Cause.CRASH,), (Cause.BLIP, Cause.CRASH)]


def test_a_trouble_that_leaves_the_port_alive_can_hurt_nothing() -> None:
    """Only where the writer's port may look dead, or nobody can tell, can a failover come of it."""
    harmless = (
        CALM,
        Paths(lag_seconds=50),
        Paths(api_silent=1),
        Paths(api_errors=0.5),
        Paths(swapped=1, writer_down=1),
    )
    assert [paths.can_hurt for paths in (*harmless, DARK, Paths(loss=0.1), Paths(rds_blind=1))] == [
        *(False for _ in harmless),
        True,
        True,
        True,
    ]
