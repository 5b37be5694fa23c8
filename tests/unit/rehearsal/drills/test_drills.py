"""The catalogue of the drills: what is played for which names, and what every drill promises."""

import pytest

from rehearsal.drills import DRILLS, Drill, chosen, failover_overrides
from rehearsal.drills.no_failover import BLIP_CYCLES
from settings import FailoverSettings

FIRST = ("steady", "region-lost", "old-region-returns", "switchover-home")


def names(drills: tuple[Drill, ...]) -> tuple[str, ...]:
    """Their names."""
    return tuple(drill.name for drill in drills)


def test_without_a_name_the_first_four_are_played() -> None:
    """The story that everybody sees, in its order, and nothing that would take minutes."""
    assert names(chosen(())) == FIRST


def test_everything_is_everything_in_order() -> None:
    """The first four lead, and every further drill follows."""
    assert chosen((), everything=True) == DRILLS
    assert names(DRILLS[:4]) == FIRST


@pytest.mark.parametrize(
    ("asked", "played"),
    [
        (("switchover-home",), ("region-lost", "old-region-returns", "switchover-home")),
        (("steady",), ("steady",)),
        (("disarmed", "blip"), ("blip", "disarmed")),
        (("blip", "old-region-returns"), ("region-lost", "old-region-returns", "blip")),
    ],
)
def test_a_name_brings_what_must_come_before(asked: tuple[str, ...], played: tuple[str, ...]) -> None:
    """Each drill once, in the catalogue's order, whatever the order of the names."""
    assert names(chosen(asked)) == played


@pytest.mark.parametrize("everything", [False, True])
def test_an_unknown_name_is_refused_with_the_known_ones(everything: bool) -> None:
    """The error lists every drill, so that a typing mistake is seen at once."""
    with pytest.raises(
        ValueError, match=r"there is no drill 'blib'; there are: steady, region-lost, .*both-regions-lost"
    ):
        chosen(("blib",), everything)


def test_names_are_unique() -> None:
    """A name is how a drill is asked for."""
    assert len({drill.name for drill in DRILLS}) == len(DRILLS)


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_a_drill_says_what_it_is(drill: Drill) -> None:
    """A title, a sentence, and numbers for the summary."""
    assert drill.title and drill.description.endswith(".") and "\n" not in drill.description
    assert drill.key_measurements


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_what_comes_before_stands_before(drill: Drill) -> None:
    """The catalogue's order is an order of play."""
    before = names(DRILLS)[: DRILLS.index(drill)]
    assert set(drill.after) <= set(before)


@pytest.mark.parametrize("drill", [one for one in DRILLS if not one.default], ids=lambda drill: drill.name)
def test_a_further_drill_stands_alone(drill: Drill) -> None:
    """It needs none before it, and leaves the world as calm as it found it."""
    assert drill.restores and drill.after == ()


def test_the_default_set_leaves_the_writer_at_home() -> None:
    """What is played after it begins in the same world as what is played alone."""
    assert chosen(())[-1].restores


def test_the_default_set_is_played_under_the_stacks_own_policy() -> None:
    """Nothing is overridden for what everybody sees."""
    assert failover_overrides(chosen(())) == {}


def test_further_drills_need_a_short_cooldown_and_say_so() -> None:
    """The overrides are settings that the program takes; what is not in them stays the stack's own."""
    overrides = failover_overrides(chosen(("steady", "blip")))
    assert overrides == {"cooldown_seconds": 5, "max_data_loss_seconds": 6}
    assert FailoverSettings.model_validate(overrides).mode == "automatic"


def test_a_blip_touches_two_cycles_at_most() -> None:
    """A cycle looks for up to 0.4 of a cycle: what is dark for less than 1.6 never meets a third one."""
    assert BLIP_CYCLES + 0.4 < FailoverSettings().failure_threshold - 1
