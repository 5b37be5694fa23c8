"""Chart of the time to the failover call and the wrong failovers of each detector."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.simulated_regions import Cause
from benchmarks.statistics import DetectorStatistics, OperatingPoint

COLOURS = (
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#1b9e77", "#d4a6c8",
    "#222222", "#7f7f7f", "#17becf", "#bcbd22", "#aec7e8", "#98df8a", "#c49c94", "#393b79", "#637939", "#ad494a"
)  # fmt: skip
RAISED = " after a silence"
"""In the label of a threshold that is higher after a silence that healed."""
SIMULTANEOUS = "several at once"


def draw(all_statistics: Sequence[DetectorStatistics], curve: Sequence[OperatingPoint], path: Path, title: str) -> None:
    """Write the chart as PNG."""
    matplotlib.use("Agg")
    from matplotlib import pyplot  # after the backend was chosen

    figure = pyplot.figure(figsize=(13, 11), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(5.4, 5.6))
    upper, lower = parts
    left, right = upper.subplots(1, 2, sharey=True)
    _draw_times(left, all_statistics)
    _draw_wrong(right, all_statistics)
    upper.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=7, fontsize=8)
    _draw_curve(lower.subplots(), curve)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _draw_times(axes: Any, all_statistics: Sequence[DetectorStatistics]) -> None:
    for row, detector in enumerate(all_statistics):
        times = detector.times["region loss"]
        if times.p50 is None or times.p99 is None or times.longest is None:
            continue
        colour = "#59a14f" if row == 0 else "#8c8c8c"
        axes.plot([times.p50, times.longest], [row, row], color=colour, linewidth=2)
        axes.plot([times.p50], [row], "o", color=colour, markersize=8)
        axes.plot([times.p99], [row], "|", color=colour, markersize=18, markeredgewidth=2.5)
        share = f", misses {times.missed:,} of {times.outages:,}" if times.missed else ""
        axes.text(times.longest * 1.15, row, f"p99 {times.p99:,.0f} s{share}", va="center", fontsize=9)
    axes.set_xscale("log")
    axes.set_xlim(10, 300_000)
    axes.set_yticks(range(len(all_statistics)), [detector.label for detector in all_statistics])
    axes.invert_yaxis()
    axes.set_xlabel("seconds from region loss to failover call (log): dot p50, bar p99, line to the longest")
    axes.grid(axis="x", alpha=0.3)


def _draw_wrong(axes: Any, all_statistics: Sequence[DetectorStatistics]) -> None:
    labels = [*map(str, Cause), SIMULTANEOUS]
    left = [0.0] * len(all_statistics)
    for colour, label in zip(COLOURS, labels, strict=True):
        widths = [_rate(detector, label) for detector in all_statistics]
        if any(widths):
            axes.barh(range(len(all_statistics)), widths, left=left, color=colour, label=label)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for row, detector in enumerate(all_statistics):
        axes.text(left[row] + max(left) * 0.01, row, f"{detector.total_wrong:,.0f}", va="center", fontsize=9)
    axes.set_xlim(0, max(1.0, *left) * 1.12)
    axes.tick_params(left=False)
    axes.set_xlabel("wrong failovers per 1,000 region-years, by fault")


def _draw_curve(axes: Any, curve: Sequence[OperatingPoint]) -> None:
    """Draw each setting at its p99 and its wrong failovers; lower left is better."""
    placed = sorted(
        ((point.p99, max(point.wrong, 1.0), point) for point in curve if point.p99 is not None),
        key=lambda each: each[0],
    )
    for is_raised, colour, name in (
        (False, "#4e79a7", "fixed"),
        (True, "#59a14f", "higher after a silence that healed"),
    ):
        line = [each for each in placed if each[2].is_controller and (RAISED in each[2].label) is is_raised]
        axes.plot(
            [each[0] for each in line], [each[1] for each in line], "o-", color=colour, label=f"controller, {name}"
        )
    baselines = [each for each in placed if not each[2].is_controller]
    axes.plot([each[0] for each in baselines], [each[1] for each in baselines], "s", color="#8c8c8c", label="baselines")
    for p99, wrong, point in placed:
        label = point.label.replace(" cycles", "").replace(RAISED, "").replace(", ", "/")
        below = point.is_controller and RAISED in point.label
        offset = (-8, -14) if below else (6, 5)
        text = f"{label} (default)" if point.is_default else label
        axes.annotate(text, (p99, wrong), xytext=offset, textcoords="offset points", fontsize=8)
    axes.legend(loc="upper right", fontsize=8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(0.6, 12_000)
    axes.set_xlim(15, 8_000)
    axes.set_xlabel("p99 in seconds from region loss to failover call (log)")
    axes.set_ylabel("wrong failovers per 1,000 region-years (log)")
    axes.set_title("Operating curve: the controller at several thresholds, and the baselines", fontsize=10)
    axes.grid(alpha=0.3)


def _rate(detector: DetectorStatistics, label: str) -> float:
    if label != SIMULTANEOUS:
        return detector.wrong.get(label, 0.0)
    return sum(rate for name, rate in detector.wrong.items() if " + " in name or name not in set(Cause))
