"""Conversion of recorded changes and writes to the lanes of the report."""

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rehearsal.report.model import DnsSpan, Role, RoleSpan, WriteOutcome, WriteSpan

Changed = TypeVar("Changed")


def role_spans(
    *, cluster_id: str, region: str, changes: Iterable[tuple[float, Role]], end_seconds: float
) -> tuple[RoleSpan, ...]:
    """Return a cluster's lane from its changes `(seconds, role)`; the last role lasts until `end_seconds`."""
    return tuple(
        RoleSpan(cluster_id=cluster_id, region=region, role=role, start_seconds=start, end_seconds=end)
        for role, start, end in intervals(changes, end_seconds)
    )


def dns_spans(*, name: str, changes: Iterable[tuple[float, str | None]], end_seconds: float) -> tuple[DnsSpan, ...]:
    """Return a name's lane from its changes `(seconds, region)`; the last answer lasts until `end_seconds`."""
    return tuple(
        DnsSpan(name=name, region=region, start_seconds=start, end_seconds=end)
        for region, start, end in intervals(changes, end_seconds)
    )


def bucket_writes(writes: Iterable[tuple[float, WriteOutcome]], *, width_seconds: float = 0.5) -> tuple[WriteSpan, ...]:
    """Count the client's writes `(seconds, outcome)` in periods of `width_seconds`; empty periods are left out."""
    counts: dict[int, dict[WriteOutcome, int]] = {}
    for seconds, outcome in writes:
        bucket = counts.setdefault(math.floor(seconds / width_seconds), dict.fromkeys(WriteOutcome, 0))
        bucket[outcome] += 1
    return tuple(
        WriteSpan(
            start_seconds=index * width_seconds,
            end_seconds=(index + 1) * width_seconds,
            acknowledged=count[WriteOutcome.ACKNOWLEDGED] + count[WriteOutcome.LOST],
            failed=count[WriteOutcome.FAILED],
            lost=count[WriteOutcome.LOST],
        )
        for index, count in sorted(counts.items())
    )


def intervals(changes: Iterable[tuple[float, Changed]], end_seconds: float) -> Iterator[tuple[Changed, float, float]]:
    """Yield each state with its start and end; repeated states are merged, empty intervals left out."""
    ordered: list[tuple[float, Changed]] = []
    for seconds, state in sorted(changes, key=lambda change: change[0]):
        if ordered and ordered[-1][0] == seconds:
            ordered.pop()
        if not ordered or ordered[-1][1] != state:
            ordered.append((seconds, state))
    ends = [seconds for seconds, _ in ordered[1:]] + [end_seconds]
    for (start, state), end in zip(ordered, ends, strict=False):
        if end > start:
            yield state, start, end
