"""MySQL's event scheduler: recurring statements that the writer runs, such as the heartbeat event.

A recurring event is due at its start (a whole second) and once in each interval after it. Each execution commits at its due
time, independent of when the database is accessed. Executions that fall due while the writer accepts no commits are skipped.
Source: "CREATE EVENT Statement" and "Event Scheduler Configuration" (MySQL 8.0 reference manual).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.aurora.accounts import check_privileges
from rehearsal.aurora.sql import Kind, Need, SqlError, TableName, plan, unsupported
from rehearsal.aurora.storage import ExecutionContext, RowChange, Volume

_NAME = r"(?:`?([\w$]+)`?\s*\.\s*)?`?([\w$]+)`?"
_HEAD = re.compile(r"\s*(CREATE|ALTER|DROP)\s+EVENT\b", re.IGNORECASE)
_CREATE = re.compile(
    rf"\s*CREATE\s+EVENT\s+(IF\s+NOT\s+EXISTS\s+)?{_NAME}\s+ON\s+SCHEDULE\s+EVERY\s+(\d+)\s+SECOND"
    r"(?:\s+ON\s+COMPLETION\s+(NOT\s+)?(PRESERVE))?(?:\s+(ENABLE|DISABLE))?\s+DO\s+(.+?)\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_ALTER = re.compile(rf"\s*ALTER\s+EVENT\s+{_NAME}\s+(ENABLE|DISABLE)\s*;?\s*", re.IGNORECASE)
_DROP = re.compile(rf"\s*DROP\s+EVENT\s+(IF\s+EXISTS\s+)?{_NAME}\s*;?\s*", re.IGNORECASE)
_WHERE = "WHERE event_schema = ? AND event_name = ?"


@dataclass(frozen=True, kw_only=True)
class DueExecution:
    """One execution of an event; `at` is in seconds since the epoch."""

    at: float
    definer: str
    database: str
    sql: str


def is_event_statement(sql: str) -> bool:
    """Return whether the statement creates, changes or drops an event."""
    return _HEAD.match(sql) is not None


def plan_event_statement(sql: str, context: ExecutionContext, volume: Volume) -> RowChange | None:
    """Check and translate an event statement. Return None if it changes nothing. Raises SqlError."""
    created = _CREATE.fullmatch(sql)
    if created:
        return _create(created, context, volume)
    altered = _ALTER.fullmatch(sql)
    if altered:
        key = _checked_key(altered[1], altered[2], context, volume)
        if not _exists(volume, key):
            raise SqlError(1539, "HY000", f"Unknown event '{key[1]}'")
        status = altered[3].upper() + "D"
        return _change(context, f'UPDATE "aurora.events" SET status = ? {_WHERE}', (status, *key))
    dropped = _DROP.fullmatch(sql)
    if dropped:
        key = _checked_key(dropped[2], dropped[3], context, volume)
        if _exists(volume, key):
            return _change(context, f'DELETE FROM "aurora.events" {_WHERE}', key)
        if dropped[1]:
            return None
        raise SqlError(1539, "HY000", f"Unknown event '{key[1]}'")
    raise unsupported(" ".join(sql.split()[:2]).upper() + " in this form")


def due_executions(volume: Volume, *, after: float, until: float) -> list[DueExecution]:
    """Return the executions due after `after` and up to `until` (seconds since the epoch), in order."""
    sql = (
        "SELECT definer, event_schema, body, starts_at, interval_value FROM \"aurora.events\" WHERE status = 'ENABLED'"
    )
    due: list[DueExecution] = []
    for definer, database, body, starts_at, interval in volume.rows(sql):
        start, seconds = float(str(starts_at)), int(str(interval))
        first = max(0, math.floor((after - start) / seconds) + 1)
        last = math.floor((until - start) / seconds)
        due.extend(
            DueExecution(at=start + count * seconds, definer=str(definer), database=str(database), sql=str(body))
            for count in range(first, last + 1)
        )
    return sorted(due, key=lambda execution: execution.at)


def execute_due(volume: Volume, execution: DueExecution, *, clock_skew_seconds: float = 0.0) -> RowChange | None:
    """Run one execution with its definer's privileges. Return None if it failed; MySQL only logs the error.

    `clock_skew_seconds` is how far the engine's SQL clock is ahead.
    """
    context = ExecutionContext(
        at=execution.at + clock_skew_seconds, user=execution.definer, database=execution.database
    )
    try:
        planned = plan(execution.sql, execution.database)
        check_privileges(volume, execution.definer, planned.needs)
        change = RowChange(statements=planned.statements, context=context, inserts_into=planned.inserts_into)
        volume.apply([change])
    except SqlError:
        return None
    return change


def _create(found: re.Match[str], context: ExecutionContext, volume: Volume) -> RowChange | None:
    database, name = key = _checked_key(found[2], found[3], context, volume)
    volume.require_database(database)
    if _exists(volume, key):
        if found[1]:
            return None
        raise SqlError(1537, "HY000", f"Event '{name}' already exists")
    interval, body = int(found[4]), found[8]
    if interval == 0:
        raise SqlError(1542, "HY000", "INTERVAL is either not positive or too big")
    planned = plan(body, database)
    if planned.kind is not Kind.WRITE or planned.variables:
        raise unsupported("an event that does more than INSERT, UPDATE or DELETE")
    row = (
        database,
        name,
        context.user,
        body,
        float(math.floor(context.at)),
        interval,
        "DISABLED" if (found[7] or "").upper() == "DISABLE" else "ENABLED",
        "PRESERVE" if found[6] and not found[5] else "NOT PRESERVE",
    )
    return _change(context, 'INSERT INTO "aurora.events" VALUES (?, ?, ?, ?, ?, ?, ?, ?)', row)


def _checked_key(database: str | None, name: str, context: ExecutionContext, volume: Volume) -> tuple[str, str]:
    database = database or context.database
    if not database:
        raise SqlError(1046, "3D000", "No database selected")
    check_privileges(volume, context.user, [Need(privilege="EVENT", table=TableName(database=database, name=""))])
    return database, name


def _exists(volume: Volume, key: tuple[str, str]) -> bool:
    return bool(volume.rows(f'SELECT 1 FROM "aurora.events" {_WHERE}', *key))


def _change(context: ExecutionContext, text: str, parameters: Sequence[object]) -> RowChange:
    return RowChange(statements=((text, tuple(parameters)),), context=context)
