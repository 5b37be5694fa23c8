"""Each notice says in its first sentence what happened and what is wanted."""

import re

import pytest

from docgen.decision_table import FROM_THE_CYCLE, NO_NOTICE
from functions.failover_controller.decide import DECISION_TABLE
from functions.failover_controller.model import Action, Reason
from functions.failover_controller.notice_texts import NOTICE_TEXTS

LONGEST_SENTENCE_WORDS = 40
REQUESTS = [row.reason for row in DECISION_TABLE if row.action is Action.REQUEST_APPROVAL]


def test_texts_exist_for_exactly_the_notified_reasons() -> None:
    """A row that notifies, requests or acts has one, an event outside the table too, and the end of an episode."""
    rows = {row.reason for row in DECISION_TABLE if row.action is not Action.HOLD}
    assert set(NOTICE_TEXTS) == rows | {Reason.HEALTHY} | (set(FROM_THE_CYCLE) - set(NO_NOTICE))


@pytest.mark.parametrize("reason", NOTICE_TEXTS)
def test_first_sentence_has_both_parts(reason: Reason) -> None:
    """The sentence is short, and nothing in it points elsewhere."""
    text = NOTICE_TEXTS[reason]
    first = re.split(r"(?<=\.) (?=[A-Z])", text.text({"decision_id": "d-1"}))[0]
    assert (first.startswith(text.happened), first.endswith(".")) == (True, True)
    assert len(first.split()) <= LONGEST_SENTENCE_WORDS
    for part in (text.happened, text.wanted):
        assert len(part.split()) >= 4
        assert not part.endswith(".")
        assert "runbook" not in part


@pytest.mark.parametrize("reason", REQUESTS)
def test_request_names_the_command_with_its_decision(reason: Reason) -> None:
    """The operator can copy the command."""
    assert "`python -m operations approve d-1`." in NOTICE_TEXTS[reason].text({"decision_id": "d-1"})


def test_disarmed_names_the_command() -> None:
    """The operator decides between an outage and maintenance."""
    text = NOTICE_TEXTS[Reason.DISARMED].text({})
    assert (
        "an operator disarmed the controller: run `python -m operations arm --reason REASON` if the outage is real"
        in text
    )
