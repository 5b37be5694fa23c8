"""Tests of the summary and the key figures of the report page."""

from dataclasses import replace

from rehearsal.report.summary import key_figures, summary_sentences
from tests.support.rehearsal.sample_report import (
    old_region_returns,
    region_lost,
    sample_report,
    steady,
    switchover_home,
)


def test_summary_covers_deployment_failover_loss_and_switchover() -> None:
    """Each topic is one sentence, and so are the drills without a failover."""
    lost = replace(region_lost(), measurements={**region_lost().measurements, "replication_lag_ms": 300.0})
    switchover = replace(switchover_home(), measurements={"switched_seconds": 1.2, "lost_rows": 0})
    report = replace(sample_report(), drills=(steady(), lost, old_region_returns(), switchover))
    assert (
        "The unchanged program was deployed into two regions of an embedded AWS (18 resources in 12.3 s) and went through 4 drills.",
        "The writer's region fails: the standby called the failover automatically 3.3 s after the outage; DNS moved after 9 s.",
        "Of 44 rows acknowledged to the client in that drill, 3 were lost; the replication lag was 300 ms.",
        "The planned switchover took 1.2 s and lost no row.",
        "No failover happened where none was expected: Steady state, The failed region returns.",
    ) == summary_sentences(report)


def test_summary_names_failed_drills_before_results() -> None:
    """The sentence follows the deployment."""
    sentences = summary_sentences(replace(sample_report(), drills=(region_lost(), switchover_home(passed=False))))
    assert "Failed: Switchover to the primary region." == sentences[1]


def test_failed_drill_is_not_counted_as_without_failover() -> None:
    """A failed drill is not counted, although its clusters kept their roles."""
    drill = replace(steady(), error="ended early")
    assert [] == [
        one for one in summary_sentences(replace(sample_report(), drills=(drill,))) if "No failover happened" in one
    ]


def test_several_failovers_show_fastest_and_slowest_call() -> None:
    """The range covers all drills with a failover."""
    slow = replace(region_lost(), measurements={"outage_to_call_seconds": 9.25})
    sentences = summary_sentences(replace(sample_report(), drills=(region_lost(), slow)))
    assert any("In 2 drills with a failover, the call came 3.3 to 9.25 s after" in one for one in sentences)


def test_summary_of_failed_deployment_is_empty() -> None:
    """A report without drills and resources shows only the number of assertions."""
    bare = replace(sample_report(), drills=(), resources={})
    assert ((), [("Assertions passed", "0", "of 0")]) == (
        summary_sentences(bare),
        [(one.label, one.number, one.unit) for one in key_figures(bare)],
    )


def test_key_figures_contain_reached_measurements_only() -> None:
    """Each key figure has its unit and its drill."""
    lost = replace(region_lost(), measurements={**region_lost().measurements, "oldest_lost_row_ms": 280.649})
    switchover = replace(switchover_home(passed=False), measurements={"switched_seconds": 1.2, "lost_rows": 0})
    figures = key_figures(replace(sample_report(), drills=(lost, switchover)))
    assert [
        ("Outage to failover call", "3.3", "s", lost.title),
        ("Outage to DNS", "9", "s", lost.title),
        ("Oldest lost row", "281", "ms", lost.title),
        ("Rows lost, failover", "3", "of 44", lost.title),
        ("Rows lost, switchover", "0", "of 70", switchover.title),
        ("Assertions passed", "5", "of 6", ""),
    ] == [(one.label, one.number, one.unit, one.drill) for one in figures]


def test_summary_counts_many_drills_instead_of_naming_them() -> None:
    """More than four drills are counted instead of named."""
    drills = tuple(replace(steady(), name=f"steady-{number}") for number in range(5))
    sentences = summary_sentences(replace(sample_report(), drills=drills))
    assert sentences[-1].endswith("where none was expected: 5 drills, such as Steady state.")
