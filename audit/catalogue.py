"""What auditors ask for, and this system's answer to each: read from `catalogue.toml`, from which docs/security.md is generated."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("catalogue.toml")


class AnswerState(StrEnum):
    """This system's answer to a demand."""

    DONE = "done"
    """The program does it, always or by a setting."""
    ACCEPTED = "accepted"
    """The program does not do it, for the reason given."""
    NOT_APPLICABLE = "does not apply"
    """The stack has no such resource."""
    ACCOUNT = "the account's"
    """Not this stack's: the owner of the account decides."""
    EMULATOR = "the embedded AWS does not return it"
    """The program sets it, as a test shows; only for findings in the sandbox."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """One demand of a standard, or several with one answer."""

    ids: tuple[str, ...]
    title: str
    state: AnswerState
    where: tuple[str, ...]
    """Settings and files that do it."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a check of Prowler, for the resources that match one of the patterns."""

    checks: tuple[str, ...]
    state: AnswerState
    reason: str
    where: tuple[str, ...]
    resources: tuple[str, ...]
    """Patterns of `fnmatch` for the ends of ARNs."""
    test: str
    """The test that shows that the program sets it, `file::function`; only with the state EMULATOR."""

    def covers(self, check: str, resource: str) -> bool:
        """Return whether the answer is about this check of this resource."""
        return check in self.checks and any(fnmatchcase(resource, f"*{pattern}") for pattern in self.resources)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Every demand with its answer."""

    fsbp: tuple[Control, ...]
    """AWS Foundational Security Best Practices, of AWS Security Hub."""
    checkov: tuple[Control, ...]
    """Checkov's checks of infrastructure code that fail, or failed."""
    prowler: tuple[Answer, ...]
    """Prowler's checks of the deployed stack that fail, or failed."""


def read_catalogue(file: Path = FILE) -> Catalogue:
    """Return the catalogue.

    Raises:
        ValueError: an entry is incomplete or contradicts another; the message names all of them.
    """
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    catalogue = Catalogue(
        fsbp=tuple(_control(each) for each in content["fsbp"]),
        checkov=tuple(_control(each) for each in content["checkov"]),
        prowler=tuple(_answer(each) for each in content["prowler"]),
    )
    if mistakes := list(_mistakes(catalogue)):
        raise ValueError("\n".join([f"{file.name}:", *mistakes]))
    return catalogue


def _control(entry: Mapping[str, Any]) -> Control:
    return Control(
        ids=tuple(entry["ids"]),
        title=entry["title"],
        state=AnswerState(entry["state"]),
        where=tuple(entry.get("where", ())),
        reason=entry.get("reason", ""),
    )


def _answer(entry: Mapping[str, Any]) -> Answer:
    return Answer(
        checks=tuple(entry["checks"]),
        state=AnswerState(entry["state"]),
        reason=entry.get("reason", ""),
        where=tuple(entry.get("where", ())),
        resources=tuple(entry.get("resources", ("*",))),
        test=entry.get("test", ""),
    )


def _mistakes(catalogue: Catalogue) -> Iterator[str]:
    for controls in (catalogue.fsbp, catalogue.checkov):
        ids = [each for control in controls for each in control.ids]
        yield from (f"{each}: listed twice" for each in sorted(set(ids)) if ids.count(each) > 1)
    for each in (*catalogue.fsbp, *catalogue.checkov, *catalogue.prowler):
        name = ", ".join(each.ids if isinstance(each, Control) else each.checks)
        if each.state is AnswerState.DONE and not each.where:
            yield f"{name}: done, but nothing says where"
        if each.state is not AnswerState.DONE and not each.reason:
            yield f"{name}: {each.state}, but without a reason"
        if isinstance(each, Answer) and bool(each.test) is not (each.state is AnswerState.EMULATOR):
            yield f"{name}: exactly the findings of the embedded AWS need a test"
