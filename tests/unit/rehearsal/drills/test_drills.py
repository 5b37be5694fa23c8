"""Tests of the catalogue of drills."""

import pytest

from functions.failover_controller.model import EXTRA_CYCLES as CONTROLLERS_EXTRA_CYCLES
from rehearsal.drills import DRILLS, Drill, failover_overrides, select_drills
from rehearsal.drills.expectations import EXTRA_CYCLES
from rehearsal.drills.no_failover import BLIP_CYCLES
from settings import FailoverSettings

FIRST = ("steady", "region-lost", "old-region-returns", "switchover-home")


def names(drills: tuple[Drill, ...]) -> tuple[str, ...]:
    """Return the names of drills."""
    return tuple(drill.name for drill in drills)


def test_default_drills_are_the_first_four() -> None:
    """The default drills are the first four, in catalogue order."""
    assert names(select_drills(())) == FIRST


def test_everything_selects_all_drills_in_order() -> None:
    """The default drills come first."""
    assert select_drills((), everything=True) == DRILLS
    assert names(DRILLS[:4]) == FIRST


@pytest.mark.parametrize(
    ("requested", "selected"),
    [
        (("switchover-home",), ("region-lost", "old-region-returns", "switchover-home")),
        (("steady",), ("steady",)),
        (("disarmed", "blip"), ("blip", "disarmed")),
        (("blip", "old-region-returns"), ("region-lost", "old-region-returns", "blip")),
    ],
)
def test_name_selects_the_drill_and_its_prerequisites(requested: tuple[str, ...], selected: tuple[str, ...]) -> None:
    """Each selected drill occurs once, in the catalogue's order."""
    assert names(select_drills(requested)) == selected


@pytest.mark.parametrize("everything", [False, True])
def test_unknown_name_is_refused(everything: bool) -> None:
    """The error lists every drill."""
    with pytest.raises(ValueError, match=r"unknown drill 'blib'. Use one of: steady, region-lost, .*both-regions-lost"):
        select_drills(("blib",), everything)


def test_names_are_unique() -> None:
    """Drill names select drills on the command line, so each name occurs once."""
    assert len({drill.name for drill in DRILLS}) == len(DRILLS)


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_drill_has_title_description_and_key_measurements(drill: Drill) -> None:
    """The description is one line."""
    assert drill.title and drill.description.endswith(".") and "\n" not in drill.description
    assert drill.key_measurements


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_prerequisites_come_first_in_the_catalogue(drill: Drill) -> None:
    """The order of the catalogue is the order of execution."""
    before = names(DRILLS)[: DRILLS.index(drill)]
    assert set(drill.after) <= set(before)


@pytest.mark.parametrize("drill", [one for one in DRILLS if not one.default], ids=lambda drill: drill.name)
def test_independent_drill_restores_the_baseline(drill: Drill) -> None:
    """An independent drill has no prerequisites."""
    assert drill.restores and drill.after == ()


def test_default_drills_end_at_the_baseline() -> None:
    """The next drill starts from the baseline."""
    assert select_drills(())[-1].restores


def test_default_drills_override_no_setting() -> None:
    """The default drills use the stack's settings unchanged."""
    assert failover_overrides(select_drills(())) == {}


def test_independent_drills_override_two_settings() -> None:
    """The overridden settings are valid."""
    overrides = failover_overrides(select_drills(("steady", "blip")))
    assert overrides == {"cooldown_seconds": 5, "max_data_loss_seconds": 6}
    assert FailoverSettings.model_validate(overrides).mode == "automatic"


def test_extra_cycles_match_the_controllers() -> None:
    """The rehearsal does not import the functions."""
    assert EXTRA_CYCLES == CONTROLLERS_EXTRA_CYCLES


def test_short_outage_overlaps_at_most_two_cycles() -> None:
    """A cycle observes for up to 0.4 of the interval."""
    assert BLIP_CYCLES + 0.4 < FailoverSettings().failure_threshold - 1
