"""The commands that only look: status and history.

Owns what is read and in which order. Does not own the view (`status.py`). Invariant: writes nothing; one part that
can't be read never hides the others.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .deadline import bounded, side_by_side
from .deployment import Place
from .outcome import ExitCode, OperationError
from .records import (
    OPERATOR,
    STATE,
    SWITCH,
    Entry,
    approval_key,
    parse_approval,
    parse_entry,
    parse_state,
    parse_switch,
)
from .seats import choose, seats_by_rds
from .session import Session
from .status import Sight, exit_code, status_json, status_lines

NOTICES_SHOWN = 5

_HEADINGS = ("At", "Reason", "Action", "What")


def show_status(session: Session, region: str | None) -> ExitCode:
    """Show one region: the standby unless another is named."""
    place = choose(session.deployment, session.connect, region)
    sight = _look(session, place)
    title = f"{session.deployment.global_cluster_id}, seen from {place.region} at {sight.at:%Y-%m-%d %H:%M:%S} UTC"
    session.screen.labelled(status_json(session.deployment, sight), title, status_lines(session.deployment, sight))
    if sight.entries:
        session.screen.table("Last notices", _HEADINGS, _rows(sight.entries))
    return exit_code(sight)


def show_history(session: Session, region: str | None, limit: int) -> ExitCode:
    """Show the audit trail of one region, newest first."""
    place = choose(session.deployment, session.connect, region)
    api = session.connect(place)
    entries = [parse_entry(item) for item in bounded(partial(api.read_history, limit))]
    values = [entry.to_json() for entry in entries]
    session.screen.rows(values, f"Audit trail of {place.region}, newest first", _HEADINGS, _rows(entries))
    return ExitCode.DONE


def _rows(entries: Sequence[Entry]) -> list[tuple[str, str, str, str]]:
    return [(entry.at, entry.reason, entry.action, _what(entry)) for entry in entries]


def _what(entry: Entry) -> str:
    evidence = entry.evidence
    if entry.action == OPERATOR:
        said = [f"by {evidence.get('by')}"]
        said += [f"{name}: {evidence[name]}" for name in ("why", "until", "decision_id") if evidence.get(name)]
        return "; ".join(said)
    return str(entry.line.get("next") or evidence.get("message") or entry.line.get("line") or "")


def _look(session: Session, place: Place) -> Sight:
    """Read everything of one region side by side; what fails is named, and the rest is shown."""
    api = session.connect(place)
    calls: list[Callable[[], Any]] = [
        partial(api.read_items, [STATE, SWITCH]),
        api.read_roles,
        api.read_policy,
        partial(api.read_history, NOTICES_SHOWN),
    ]
    answers: dict[str, Any] = dict(zip(("table", "RDS", "mode", "history"), side_by_side(calls), strict=True))
    failures = {name: answer.what for name, answer in answers.items() if isinstance(answer, OperationError)}
    items = None if "table" in failures else answers["table"]
    state = None if items is None else parse_state(items[STATE])
    answer = None
    if state is not None and state.value is not None and state.value.pending is not None:
        key = approval_key(state.value.pending.id)
        (found,) = side_by_side([partial(api.read_items, [key])])
        if isinstance(found, OperationError):
            failures["approval"] = found.what
        else:
            answer = parse_approval(found[key])
    return Sight(
        place=place,
        at=session.now(),
        state=state,
        answer=answer,
        switch=None if items is None else parse_switch(items[SWITCH]),
        seats=None if "RDS" in failures else seats_by_rds(session.deployment, answers["RDS"]),
        policy=None if "mode" in failures else answers["mode"],
        entries=None if "history" in failures else [parse_entry(item) for item in answers["history"]],
        failures=failures,
    )
