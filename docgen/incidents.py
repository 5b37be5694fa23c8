"""docs/incidents.md: public incidents, the outcome that an expert wants, and the outcome that the controller gives."""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from benchmarks.controller import POLICY
from benchmarks.incidents.catalogue import INCIDENTS
from benchmarks.incidents.model import LONGEST_SECONDS, Incident, Outcome
from benchmarks.incidents.replay import PHASES, Replay, observations, replays
from docgen.markdown import table
from functions.failover_controller.model import Observation

Row = tuple[str, str, str, str]
"""What one cycle observes: writer's port, other region, heartbeat, own region."""
LONGEST_SEQUENCE = 6

HEAD = """\
# Incidents

Generated from `benchmarks/incidents/` by `python -m docgen` (`make docs`); do not edit.

{count} public incidents, each as the standby's controller would have seen it, replayed on the controller's own decisions.
*Wanted* is what an expert wants the controller to do; *given* is what it does.
`tests/unit/benchmarks/incidents/` compares them; an incident in which they differ says why.

## What is real and what is not

- **Documented** is a summary of the linked source.
- **Reconstructed** is an assumption.
  No source tells what a controller in another region would have observed second by second, \
most incidents are older than this system, and some are not of AWS.
  Each is transferred to a writer in the affected region and a standby in another one.
- The replay uses the default settings (`mode: automatic`, a cycle every {interval:g} s, `failure_threshold` {threshold}, \
`in_region_grace_seconds` {grace:g}) and no operator: a request stays unanswered.
- Each incident is replayed in {phases} phases: the next cycle comes {offsets} s after the start of the incident.
  The simulated observer of the [benchmark](benchmark.md) makes the observations, without random failures; \
each section shows those of the first phase, in the words of `functions/failover_controller/model.py`.
- A stage of hours is played for {longest:g} min, because no rule of the controller waits longer.

## Results

{agree} of {count} incidents have the wanted outcome in every phase.

"""

MEANINGS = {
    Outcome.HOLDS: "changes nothing; a notice is allowed",
    Outcome.NOTIFIES: "changes nothing and notifies operators",
    Outcome.REQUESTS_APPROVAL: "changes nothing until an operator decides",
    Outcome.FAILS_OVER: "calls the failover",
}


def incidents_page() -> str:
    """Return the Markdown text of the page."""
    intro = HEAD.format(
        count=len(INCIDENTS),
        interval=POLICY.interval_seconds,
        threshold=POLICY.failure_threshold,
        grace=POLICY.in_region_grace_seconds,
        phases=len(PHASES),
        offsets=", ".join(f"{phase * POLICY.interval_seconds:.0f}" for phase in PHASES[:-1])
        + f" and {PHASES[-1] * POLICY.interval_seconds:.0f}",
        longest=LONGEST_SECONDS / 60,
        agree=sum(is_as_wanted(incident) for incident in INCIDENTS),
    )
    return "".join(
        [
            intro,
            table(
                ["incident", "wanted", "given", "as wanted"],
                (
                    [
                        f"[{incident.on}, {incident.title}](#{incident.name})",
                        incident.wanted,
                        "; ".join(dict.fromkeys(str(each.outcome) for each in replays(incident))),
                        "yes" if is_as_wanted(incident) else "**no**",
                    ]
                    for incident in INCIDENTS
                ),
            ),
            "\n",
            *(f"- *{outcome}*: {meaning}.\n" for outcome, meaning in MEANINGS.items()),
            "\n## The incidents\n",
            *(_section(incident) for incident in INCIDENTS),
        ]
    )


def is_as_wanted(incident: Incident) -> bool:
    """Return whether the controller gives the wanted outcome in every phase."""
    return all(incident.wanted.is_fulfilled_by(each.outcome) for each in replays(incident))


def _section(incident: Incident) -> str:
    lines = [
        f"\n### {incident.name}\n\n",
        f"{incident.title}, {incident.on}.\n",
        f"Source: [{incident.source_title}]({incident.source_url}).\n\n",
        f"- **Documented.** {incident.documented}\n",
        f"- **Reconstructed.** {incident.reconstructed}\n",
        f"- **Wanted.** *{incident.wanted}*. {incident.why}\n",
        f"- **Given.** {_given(replays(incident))}.\n",
    ]
    if incident.differs:
        lines.append(f"- **Why they differ.** {incident.differs}\n")
    head = ["cycles", "writer's port", "other region", "heartbeat", "own region"]
    return "".join([*lines, "\n", table(head, _rows(_shown(observations(incident, PHASES[0]))))])


def _given(results: Sequence[Replay]) -> str:
    """Return the results of all phases; once if they differ by their seconds alone."""
    texts = [_result(each) for each in results]
    if len(set(texts)) == 1:
        seconds = [f"{each.seconds:.0f}" for each in results if each.seconds is not None]
        return f"{texts[0]} after {', '.join(seconds[:-1])} and {seconds[-1]} s" if seconds else texts[0]
    return "; ".join(
        f"{phase * POLICY.interval_seconds:.0f} s before the first cycle: {text}"
        for phase, text in zip(PHASES, texts, strict=True)
    )


def _result(result: Replay) -> str:
    reasons = [f"`{result.reason}`"] if result.reason is not None else []
    others = [f"`{reason}`" for reason in result.notices if reason is not result.reason]
    if others:
        reasons.append(f"notices: {', '.join(others)}")
    return f"*{result.outcome}* ({'; '.join(reasons)})" if reasons else f"*{result.outcome}*"


def _shown(seen: Sequence[Observation]) -> list[Row]:
    """Return what each cycle observes, without the first observation, with which the heartbeat is compared."""
    rows: list[Row] = []
    for before, now in pairwise(seen):
        heartbeat = "unread" if now.heartbeat is None else "stands" if now.heartbeat == before.heartbeat else "arrives"
        own = [
            name
            for name, failed in (
                ("RDS API fails", now.rds_failure is not None),
                ("health_check fails", now.own_function_failure is not None),
                ("table unreadable", bool(now.records.failures)),
            )
            if failed
        ]
        rows.append((str(now.peer_port), str(now.peer), heartbeat, ", ".join(own) or "works"))
    return rows


def _rows(shown: Sequence[Row]) -> Iterator[list[str]]:
    """Yield the observations with the number of equal ones in a row; repeated sequences once."""
    runs = [(len(list(equal)), row) for row, equal in groupby(shown)]
    at = 0
    while at < len(runs):
        length, times = _repetition(runs[at:])
        for number, row in runs[at : at + length]:
            yield [str(number), *row]
        if times > 1:
            yield [f"the same {times - 1} times more", "", "", "", ""]
        at += length * times


def _repetition(runs: Sequence[tuple[int, Row]]) -> tuple[int, int]:
    """Return the length of the shortest sequence at the start that repeats at once, and how often it occurs; else 1 and 1."""
    for length in range(2, LONGEST_SEQUENCE + 1):
        times = 1
        while runs[times * length : (times + 1) * length] == runs[:length]:
            times += 1
        if times > 1:
            return length, times
    return 1, 1
