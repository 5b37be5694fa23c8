"""Numbers copied from generated pages are current."""

import re

from docgen.pages import ROOT

BENCHMARK = ROOT / "docs" / "benchmark.md"


def _rows(heading: str) -> dict[str, list[str]]:
    """Return a table of the benchmark page: the cells of each row by the row's first cell."""
    text = BENCHMARK.read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()]
    return {first: others for first, *others in cells}


def test_readme_matches_the_benchmark_page() -> None:
    """The README has the p99 and the wrong failovers of controller and CloudWatch alarm, and the controller's causes."""
    times, wrong = _rows("From outage to call: region loss"), _rows("Wrong failovers per 1,000 region-years")
    columns = wrong["faults at the call"]
    p99 = times["detector"].index("p99")
    measured = [times[name][p99] for name in ("controller", "CloudWatch")]
    measured += [wrong["all"][columns.index(name)] for name in ("controller", "CloudWatch")]
    rounded = [f"{float(re.sub('[^0-9.]', '', number)):,.0f}" for number in measured]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(
        r"failover call is (\S+) s \(CloudWatch alarm: (\S+) s\)\.\n"
        r".*made (\S+) wrong failovers per 1,000 region-years \(CloudWatch alarm: (\S+)\)",
        readme,
    )
    assert match is not None
    assert list(match.groups()) == rounded
    controller = columns.index("controller")
    causes = {cause for cause, cells in wrong.items() if re.fullmatch(r"[\d.]*[1-9][\d.]*", cells[controller])}
    assert causes == {"flapping region", "full isolation", "all"}


def test_architecture_matches_the_benchmark_page() -> None:
    """The share of full isolations in which the controller fails over."""
    (share,) = re.findall(r"failed over in (\d+ of \d+) full isolations", BENCHMARK.read_text(encoding="utf-8"))
    assert f"(in {share} full isolations " in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
