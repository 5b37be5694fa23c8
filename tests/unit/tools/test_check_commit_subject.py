"""The commit subject check names each problem."""

import pytest

from tools.check_commit_subject import problems


@pytest.mark.parametrize(
    "message", ["Add the layer contracts\n", "Fix the lag\n\nWhy.\n# comment\n", "Merge branch 'x'\n"]
)
def test_valid_message_has_no_problem(message: str) -> None:
    """A subject alone, a subject with a body, and a subject that git generated."""
    assert [] == problems(message)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "The subject is empty."),
        ("A" * 73, "The subject has 73 characters."),
        ("add the contracts", "The subject starts with a lower-case letter."),
        ("Add the contracts.", "The subject ends with a period."),
        ("Add the contracts\nbecause", "The second line is not blank."),
    ],
)
def test_each_problem_is_named(message: str, problem: str) -> None:
    """One sentence says what is wrong, the next one what to do."""
    (found,) = problems(message)
    assert found.startswith(problem)
