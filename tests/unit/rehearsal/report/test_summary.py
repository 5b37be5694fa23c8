"""Tests of the words and numbers at the top of the report: only what was measured, what failed first."""

from dataclasses import replace

from rehearsal.report.summary import key_figures, summary_sentences
from tests.support.rehearsal.sample_report import (
    old_region_returns,
    region_lost,
    sample_report,
    steady,
    switchover_home,
)


def test_the_summary_tells_the_rehearsal_in_plain_words() -> None:
    """What was deployed, how the failover went, what was lost, how the switchover went, what did not move."""
    lost = replace(region_lost(), measurements={**region_lost().measurements, "replication_lag_ms": 300.0})
    home = replace(switchover_home(), measurements={"switched_seconds": 1.2, "lost_rows": 0})
    report = replace(sample_report(), drills=(steady(), lost, old_region_returns(), home))
    assert (
        "The unchanged program was deployed into two emulated AWS regions (18 resources in 12.3 s) and played through 4 drills.",
        "The writer's region is lost: the standby called the failover by itself 3.3 s after the outage; the name led there after 9 s.",
        "Of 44 rows acknowledged to the client in that drill, 3 were lost; the replication had been set to be 300 ms behind.",
        "The planned switchover took 1.2 s and lost no row.",
        "Where nothing was to move, nothing moved: no cluster changed its role in Steady state, The old region returns.",
    ) == summary_sentences(report)


def test_what_failed_comes_before_what_went_well() -> None:
    """By name, right after what was played."""
    sentences = summary_sentences(replace(sample_report(), drills=(region_lost(), switchover_home(passed=False))))
    assert "Not everything held: read Switchover home first." == sentences[1]


def test_a_drill_that_failed_is_no_proof_that_nothing_moved() -> None:
    """Though its clusters kept their roles."""
    drill = replace(steady(), error="ended early")
    assert [] == [one for one in summary_sentences(replace(sample_report(), drills=(drill,))) if "nothing moved" in one]


def test_several_failovers_show_their_spread() -> None:
    """The fastest and the slowest call."""
    slow = replace(region_lost(), measurements={"outage_to_call_seconds": 9.25})
    sentences = summary_sentences(replace(sample_report(), drills=(region_lost(), slow)))
    assert any(
        "In all 2 drills in which a failover was due, it was called 3.3 to 9.25 s after" in one for one in sentences
    )


def test_a_rehearsal_that_deployed_nothing_claims_nothing() -> None:
    """No drill, no resource: no sentence, and no figure but that nothing was asserted."""
    bare = replace(sample_report(), drills=(), resources={})
    assert ((), [("Assertions held", "0", "of 0")]) == (
        summary_sentences(bare),
        [(one.label, one.number, one.unit) for one in key_figures(bare)],
    )


def test_the_figures_are_those_that_were_reached() -> None:
    """Each names its unit and the drill it was measured in; rows lost of how many; assertions of how many."""
    lost = replace(region_lost(), measurements={**region_lost().measurements, "oldest_lost_row_ms": 280.649})
    home = replace(switchover_home(passed=False), measurements={"switched_seconds": 1.2, "lost_rows": 0})
    figures = key_figures(replace(sample_report(), drills=(lost, home)))
    assert [
        ("Outage to failover call", "3.3", "s", lost.title),
        ("Outage to DNS", "9", "s", lost.title),
        ("Oldest lost row", "281", "ms", lost.title),
        ("Rows lost, unplanned", "3", "of 44", lost.title),
        ("Rows lost, planned", "0", "of 70", home.title),
        ("Assertions held", "5", "of 6", ""),
    ] == [(one.label, one.number, one.unit, one.drill) for one in figures]


def test_many_drills_are_counted_instead_of_named() -> None:
    """The summary of all drills stays a summary."""
    drills = tuple(replace(steady(), name=f"steady-{number}") for number in range(5))
    sentences = summary_sentences(replace(sample_report(), drills=drills))
    assert sentences[-1].endswith("no cluster changed its role in 5 drills, such as Steady state.")
