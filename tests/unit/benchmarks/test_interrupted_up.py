"""The study of interrupted deployments: its points and the commands of the page."""

from benchmarks.interrupted_up import LAST_POINTS, PAGE, points_of, steps_of


def test_page_s_commands_are_cancel_show_repair_and_continue() -> None:
    """The study runs the commands of the page, and no others."""
    assert steps_of(PAGE.read_text(encoding="utf-8")) == [
        "pulumi cancel --stack dev",
        "python -m operations recover --stack dev",
        "python -m operations recover --stack dev --run",
        "pulumi up --stack dev --policy-pack policy",
    ]


def test_seed_fixes_the_points() -> None:
    """A failure can be repeated, and each point is within the run."""
    points = points_of(1, 50)
    assert points == points_of(1, 50) != points_of(2, 50)
    assert [verb for verb, _ in points] == ["up", "destroy"] * 50
    assert all(1 <= after <= LAST_POINTS[verb] for verb, after in points)
