"""Tests of the patches of ministack."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import cloudwatch_logs

from rehearsal.cloud.ministack_launcher import describe_log_groups_again


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str | RuntimeError]:
    """Return the answers that ministack will give, in order."""
    answers: list[str | RuntimeError] = []

    def describe(data: dict[str, Any]) -> str:
        del data
        answer = answers.pop(0)
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    monkeypatch.setattr(cloudwatch_logs, "_describe_log_groups", describe)
    describe_log_groups_again()
    return answers


def test_log_groups_are_described_while_a_function_logs(answers: list[str | RuntimeError]) -> None:
    """A new log stream during the loop is no error of AWS."""
    answers += [RuntimeError("dictionary changed size during iteration"), "groups"]
    assert cloudwatch_logs._describe_log_groups({}) == "groups"


def test_other_faults_are_not_hidden(answers: list[str | RuntimeError]) -> None:
    """They are raised at once."""
    answers += [RuntimeError("another fault"), "groups"]
    with pytest.raises(RuntimeError, match="another fault"):
        cloudwatch_logs._describe_log_groups({})
