"""docs/reference/decisions.md: the decision table as it is, row by row, and every other reason that people may read.

Owns: the page's words around the table. Does not own: the table (`functions/failover_controller/decide.py`) or what people
are told to do (`notices.py`): those are quoted. Invariant: every Reason has exactly one place on the page; one that has
none stops the making of it.
"""

from collections.abc import Mapping

from docgen.markdown import table
from functions.failover_controller.decide import RULES, Rule
from functions.failover_controller.model import Action, Reason
from functions.failover_controller.notices import NEXT_STEPS

FROM_THE_CYCLE: Mapping[Reason, str] = {
    Reason.DECISIONS_DIFFER: "the second look, with the lock taken, led to a failover for another reason than the first",
    Reason.STATE_CONFLICT: "another invocation wrote the state, or took the lease, since the first look: it decides",
    Reason.STATE_UNWRITABLE: "the intent could not be written before the call: no record, no call",
    Reason.FAILOVER_REFUSED: "RDS refused the failover call: it did not take effect",
    Reason.FAILOVER_NOT_SENT: "the failover call was throttled, or never got through: it did not take effect",
    Reason.FAILOVER_UNCERTAIN: "the failover call got no clear answer: it may have taken effect",
    Reason.FAILOVER_OVERDUE: "a failover of ours has not completed within the bound (600 s unless set)",
    Reason.FAILOVER_FAILED: "RDS took the call, shows no operation any more, and the other cluster is still the writer",
    Reason.FAILOVER_ABANDONED: "an intent's call never took effect, and the writer shows life again",
    Reason.FAILOVER_COMPLETED: "RDS names this region's cluster as the writer, no operation is left, and our probe could write",
    Reason.ROLES_CHANGED: "RDS names another writer than before, and no failover of ours explains it",
    Reason.RDS_EVENT: "an event of RDS itself on a switchover, a failover or blocked writes of our clusters (by its EventID)",
}
"""Reasons that are no row of the table -> when."""

NO_NOTICE: Mapping[Reason, str] = {
    Reason.DECISIONS_DIFFER: "nothing: the next cycle decides anew",
    Reason.STATE_CONFLICT: "nothing: the next cycle decides anew",
    Reason.RDS_EVENT: "the event itself: the same rule sends it to the topic; the controller only records it",
}
"""Reasons that make no notice of the controller's own -> what people hear instead."""

ACTIONS: Mapping[Action, str] = {
    Action.HOLD: "does nothing, quietly",
    Action.NOTIFY: "does nothing, and tells people once per episode of trouble, if it lasts",
    Action.REQUEST_APPROVAL: "does nothing, and asks a person to approve this one decision, once per episode",
    Action.FAIL_OVER: "calls `FailoverGlobalCluster` for this region's cluster, after a second look under the lock",
}

HEAD = """\
# Decisions of the failover controller

Made from the code by `python -m docgen` (`make docs`); do not edit.
The table is `RULES` in `functions/failover_controller/decide.py`, and the cycle around it is `cycle.py` beside it.

Every cycle, the standby looks at everything, and the first row that applies decides.
The order is meaning: a row may take for granted that no row above it applies.
The last row holds, and of the {rows} rows only {acting} act: whoever adds a verdict has to put it above them, on purpose.
Each reason is the one word that log, notice, metric, audit trail and runbook use.

An action:
"""

GUARDS = """\

A *guard* holds what a verdict wanted: a cycle that ends in one counts as `Held` in the metrics.
"""

CYCLE = """\

## Reasons outside the table

The way from a decision to its end: observe, decide, take the lock, observe again, decide again, equal?, write the intent, call, record.
Later cycles confirm.
What can happen on it, and what RDS tells by itself, has its own reasons.
"""


def decisions_page() -> str:
    """Return the page.

    Raises:
        ValueError: a Reason is described nowhere, or in two places.
    """
    _check_complete()
    acting = [f"`{rule.reason}`" for rule in RULES if rule.action is Action.FAIL_OVER]
    return "".join(
        [
            HEAD.format(rows=len(RULES), acting=f"{', '.join(acting[:-1])} and {acting[-1]}"),
            *(f"- `{action}` {meaning}.\n" for action, meaning in ACTIONS.items()),
            GUARDS,
            "\n## The table\n\n",
            table(
                ["#", "reason", "action", "guard", "when", "why here"],
                (_row(number, rule) for number, rule in enumerate(RULES, start=1)),
            ),
            CYCLE,
            "\n",
            table(
                ["reason", "when", "what people are told"],
                (
                    [f"`{reason}`", when, NO_NOTICE.get(reason) or _next_step(reason)]
                    for reason, when in FROM_THE_CYCLE.items()
                ),
            ),
        ]
    )


def _next_step(reason: Reason) -> str:
    """Return what a notice with this reason says to do."""
    return NEXT_STEPS.get(reason, f"See the runbook, heading `{reason}`.")


def _row(number: int, rule: Rule) -> list[str]:
    return [str(number), f"`{rule.reason}`", rule.action, "guard" if rule.guard else "", rule.when, rule.why_here]


def _check_complete() -> None:
    places = [*(rule.reason for rule in RULES), *FROM_THE_CYCLE]
    missing = [reason for reason in Reason if reason not in places]
    twice = [reason for reason in Reason if places.count(reason) > 1]
    if missing or twice:
        raise ValueError(
            f"described nowhere: {', '.join(missing) or 'none'}; described twice: {', '.join(twice) or 'none'}"
        )
