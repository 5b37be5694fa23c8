"""docs/reference/decision-table.md: the decision table row by row, every other reason, and the text of each notice."""

from collections.abc import Mapping

from docgen.markdown import table
from functions.failover_controller.decide import DECISION_TABLE, DecisionRow
from functions.failover_controller.model import Action, Reason
from functions.failover_controller.notice_texts import NOTICE_TEXTS

FROM_THE_CYCLE: Mapping[Reason, str] = {
    Reason.DECISIONS_DIFFER: "the second observation, under the lock, led to a failover with a different reason than the first observation",
    Reason.STATE_CONFLICT: "another invocation wrote the state or took the lease since the first observation",
    Reason.STATE_UNWRITABLE: "the intent could not be written, so the failover was not called",
    Reason.FAILOVER_REFUSED: "RDS rejected the failover call; the cluster is unchanged",
    Reason.FAILOVER_NOT_SENT: "the failover call was throttled or did not reach RDS; the cluster is unchanged",
    Reason.FAILOVER_UNCERTAIN: "the result of the failover call is unknown; it may have taken effect",
    Reason.FAILOVER_OVERDUE: "a failover by this controller has not completed within its time limit (600 s by default)",
    Reason.FAILOVER_FAILED: "RDS accepted the call but shows no operation now, and the other region's cluster is still the writer",
    Reason.FAILOVER_ABANDONED: "the recorded failover call had no effect, and the writer is reachable again",
    Reason.FAILOVER_COMPLETED: (
        "RDS names this region's cluster as the writer, no operation is in progress, and the local probe finds it writable"
    ),
    Reason.ROLES_CHANGED: "RDS names a different writer than before, and this controller did not start a failover",
    Reason.RDS_EVENT: "RDS emitted an event on a switchover, a failover or blocked writes of these clusters (see its EventID)",
}
"""Reasons outside the table, each with the condition in which it occurs."""

NO_NOTICE: Mapping[Reason, str] = {
    Reason.DECISIONS_DIFFER: "no notice: the next cycle decides again",
    Reason.STATE_CONFLICT: "no notice: the next cycle decides again",
    Reason.RDS_EVENT: "the event itself, which the same EventBridge rule sends to the topic; the controller only records it",
}
"""Reasons for which the controller sends no notice, each with the text for the notice column."""

ACTIONS: Mapping[Action, str] = {
    Action.HOLD: "changes nothing and sends no notice",
    Action.NOTIFY: "changes nothing and sends one notice per episode, if the condition persists",
    Action.REQUEST_APPROVAL: "changes nothing and asks operators once per episode to approve this decision",
    Action.FAIL_OVER: "calls `FailoverGlobalCluster` for this region's cluster, after a second observation under the lock",
}

HEAD = """\
# Decisions of the failover controller

Generated from the code by `python -m docgen` (`make docs`); do not edit.
The table is `DECISION_TABLE` in `functions/failover_controller/decide.py`; `cycle.py` in the same folder contains the cycle around it.

In every cycle the standby's controller observes all paths, and the first row that applies decides.
The order matters: each row may assume that no row above it applies.
The last row, `undecided`, changes nothing and notifies. Only {acting} of the {rows} rows fail over.
The log, notices, the audit trail and the runbook use the same reasons.

Actions:
"""

GUARDS = """\

A *guard* blocks a failover that is otherwise due. A cycle that ends in a guard counts as `Held` in the metrics.
"""

CYCLE = """\

## Reasons outside the table

A failover takes these steps: observe, decide, take the lock, observe again, decide again, compare, write the intent, call, save.
Later cycles confirm it.
The outcomes of these steps and the events of RDS have their own reasons.
"""

NOTICES = """\

## Texts of the notices

A notice begins with its `summary`: what happened, and what is wanted.
"""


def decisions_page() -> str:
    """Return the Markdown text of the page.

    Raises:
        ValueError: a Reason has no description or two.
    """
    _check_complete()
    acting = [f"`{row.reason}`" for row in DECISION_TABLE if row.action is Action.FAIL_OVER]
    return "".join(
        [
            HEAD.format(rows=len(DECISION_TABLE), acting=f"{', '.join(acting[:-1])} and {acting[-1]}"),
            *(f"- `{action}` {meaning}.\n" for action, meaning in ACTIONS.items()),
            GUARDS,
            "\n## The table\n\n",
            table(
                ["#", "reason", "action", "guard", "when", "reason for the position"],
                (_cells(number, row) for number, row in enumerate(DECISION_TABLE, start=1)),
            ),
            CYCLE,
            "\n",
            table(
                ["reason", "when", "notice"],
                ([f"`{reason}`", when, NO_NOTICE.get(reason, "as below")] for reason, when in FROM_THE_CYCLE.items()),
            ),
            NOTICES,
            "\n",
            table(
                ["reason", "text of the notice"],
                (
                    [f"`{reason}`", NOTICE_TEXTS[reason].text({"decision_id": "DECISION_ID"})]
                    for reason in Reason
                    if reason in NOTICE_TEXTS
                ),
            ),
        ]
    )


def _cells(number: int, row: DecisionRow) -> list[str]:
    return [str(number), f"`{row.reason}`", row.action, "guard" if row.guard else "", row.when, row.why_here]


def _check_complete() -> None:
    described = [*(row.reason for row in DECISION_TABLE), *FROM_THE_CYCLE]
    missing = [reason for reason in Reason if reason not in described]
    twice = [reason for reason in Reason if described.count(reason) > 1]
    if missing or twice:
        raise ValueError(
            f"Reason: without a description: {', '.join(missing) or 'none'}; described twice: {', '.join(twice) or 'none'}"
        )
