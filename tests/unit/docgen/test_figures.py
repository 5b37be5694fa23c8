"""Figures that a person copied from a generated page into another one are still that page's."""

import re

from docgen.pages import ROOT

BENCHMARK = ROOT / "docs" / "benchmark.md"


def _rows(heading: str) -> dict[str, list[str]]:
    """Return a table of the benchmark's page: first cell -> the others."""
    text = BENCHMARK.read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()]
    return {first: others for first, *others in cells}


def test_the_readme_says_of_the_benchmark_what_its_page_says() -> None:
    """Seconds to the call at the 99th percentile, and wrong failovers, of ours and of the CloudWatch alarm."""
    soon, wrong = _rows("From outage to call: region loss"), _rows("Wrong failovers per 1,000 region-years")
    columns = wrong["what was going on"]
    p99 = soon["detector"].index("p99")
    found = [soon[name][p99] for name in ("ours", "CloudWatch")]
    found += [wrong["all"][columns.index(name)] for name in ("ours", "CloudWatch")]
    rounded = [f"{float(re.sub('[^0-9.]', '', figure)):,.0f}" for figure in found]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    said = re.search(
        r"failover call is (\S+) s .* alarm took (\S+) s\.\n.*wrong (\S+) times .* alarm was (\S+) times", readme
    )
    assert said is not None
    assert list(said.groups()) == rounded
    assert all(
        set(wrong[cause][:1]) == {"0.0"}
        for cause in ("blip", "self-healing crash", "peering partition", "wide partition")
    )
