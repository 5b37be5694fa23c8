"""The comparison of Prowler's results with the catalogue: a pure function."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit.catalogue import Answer, AnswerState


@dataclass(frozen=True, kw_only=True, order=True)
class CheckedResource:
    """The result of one check for one resource."""

    check: str
    resource: str
    region: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Prowler's results beside the answers."""

    new: tuple[CheckedResource, ...]
    """Findings without an answer, and those that were fixed and came back."""
    fixed: tuple[Answer, ...]
    """Answers of the state DONE whose checks pass."""
    unproven: tuple[tuple[Answer, str], ...]
    """Answers of the state DONE with a check that passed for no resource: nothing shows that it ran."""
    explained: tuple[tuple[Answer, tuple[CheckedResource, ...]], ...]
    """Answers of the other states, with their findings."""
    unused: tuple[Answer, ...]
    """Answers of the other states without a finding: they can be removed."""

    @property
    def is_clean(self) -> bool:
        """Whether no finding is new, and each fix was seen."""
        return not self.new and not self.unproven


def compare(results: Iterable[CheckedResource], answers: Sequence[Answer]) -> Comparison:
    """Compare results with answers; the first answer that covers a finding counts."""
    results = sorted(set(results))
    new: list[CheckedResource] = []
    explained: dict[Answer, list[CheckedResource]] = {}
    for result in (each for each in results if not each.passed):
        answer = next((each for each in answers if each.covers(result.check, result.resource)), None)
        if answer is None or answer.state is AnswerState.DONE:
            new.append(result)
        else:
            explained.setdefault(answer, []).append(result)
    done = [each for each in answers if each.state is AnswerState.DONE]
    seen = {(answer, each.check) for answer in done for each in results if each.passed and _covers(answer, each)}
    unproven = tuple((answer, check) for answer in done for check in answer.checks if (answer, check) not in seen)
    undone = {answer for answer, _ in unproven} | {answer for answer in done for each in new if _covers(answer, each)}
    return Comparison(
        new=tuple(new),
        fixed=tuple(each for each in done if each not in undone),
        unproven=unproven,
        explained=tuple((answer, tuple(found)) for answer, found in explained.items()),
        unused=tuple(each for each in answers if each.state is not AnswerState.DONE and each not in explained),
    )


def _covers(answer: Answer, result: CheckedResource) -> bool:
    return answer.covers(result.check, result.resource)


LABELS = {
    AnswerState.ACCEPTED: "accepted",
    AnswerState.ACCOUNT: "account",
    AnswerState.EMULATOR: "emulator",
    AnswerState.NOT_APPLICABLE: "accepted",
}
"""The first word of a finding's line."""


def report_lines(comparison: Comparison) -> list[str]:
    """Return the comparison as text, one line for each answer and each new finding."""
    lines = [f"fixed      {', '.join(each.checks)}: {', '.join(each.where)}" for each in comparison.fixed]
    for answer, found in comparison.explained:
        lines += [
            f"{LABELS[answer.state]:10} {check} ({count}): {' '.join(filter(None, (answer.reason, answer.test)))}"
            for check in answer.checks
            if (count := sum(each.check == check for each in found))
        ]
    lines += [f"unused     {', '.join(each.checks)}: no such finding any more" for each in comparison.unused]
    lines += [f"UNPROVEN   {check}: passed for no resource" for _, check in comparison.unproven]
    lines += [f"NEW        {each.check} {each.region} {each.resource}: {each.detail}" for each in comparison.new]
    counts = {
        "fixed": sum(len(each.checks) for each in comparison.fixed),
        "accepted": sum(len(found) for _, found in comparison.explained),
        "unproven": len(comparison.unproven),
        "new": len(comparison.new),
    }
    return [*lines, ", ".join(f"{count} {name}" for name, count in counts.items())]
