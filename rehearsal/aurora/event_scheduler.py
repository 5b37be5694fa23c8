"""MySQL's event scheduler: recurring statements that the writer runs, such as the heartbeat event.

A recurring event is due when it is created or rescheduled, and once in each interval after it. Each execution commits at its due
time, independent of when the database is accessed. Executions that fall due while the writer accepts no commits are skipped.
Source: "CREATE EVENT Statement" and "Event Scheduler Configuration" (MySQL 8.0 reference manual).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.aurora.accounts import check_privileges
from rehearsal.aurora.sql import Kind, Need, TableName, plan
from rehearsal.aurora.sql_error import SqlError, unsupported
from rehearsal.aurora.storage import ExecutionContext, RowChange, Volume

_NAME = r"(?:`?(?P<database>[\w$]+)`?\s*\.\s*)?`?(?P<name>[\w$]+)`?"
_DEFINER = r"(?:DEFINER\s*=\s*[`']?(?P<user>[\w$.-]+)[`']?@[`']?(?P<host>[\w%.-]+)[`']?\s+)?"
_HEAD = re.compile(r"\s*(?:CREATE|ALTER|DROP)\s+(?:DEFINER\s*=\s*\S+\s+)?EVENT\b", re.IGNORECASE)
_CREATE = re.compile(
    rf"\s*(?P<verb>CREATE|ALTER)\s+{_DEFINER}EVENT\s+(?P<condition>IF\s+NOT\s+EXISTS\s+)?{_NAME}"
    r"(?:\s+ON\s+SCHEDULE\s+EVERY\s+(?P<seconds>\d+)\s+SECOND)?"
    r"(?:\s+ON\s+COMPLETION\s+(?P<not>NOT\s+)?(?P<preserve>PRESERVE))?(?:\s+(?P<status>ENABLE|DISABLE))?"
    r"(?:\s+DO\s+(?P<body>.+?))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_DROP = re.compile(rf"\s*DROP\s+EVENT\s+(?P<condition>IF\s+EXISTS\s+)?{_NAME}\s*;?\s*", re.IGNORECASE)
_BLOCK = re.compile(
    r"BEGIN\s+(?P<guard>IF\s+NOT\s+@@innodb_read_only\s+THEN\s+)?(?P<statement>[^;]+);\s*"
    r"(?:COMMIT\s*;\s*)?(?(guard)END\s+IF\s*;\s*)END",
    re.IGNORECASE,
)
"""A block of one statement, which it may commit. Events run on the writer only, so the guard holds."""
_WHERE = "WHERE event_schema = ? AND event_name = ?"


@dataclass(frozen=True, kw_only=True)
class DueExecution:
    """One execution of an event; `at` is in seconds since the epoch, `definer` a user name."""

    at: float
    definer: str
    database: str
    sql: str


def is_event_statement(sql: str) -> bool:
    """Return whether the statement creates, changes or drops an event."""
    return _HEAD.match(sql) is not None


def plan_event_statement(sql: str, context: ExecutionContext, volume: Volume) -> RowChange | None:
    """Check and translate an event statement. Return None if it changes nothing. Raises SqlError."""
    if found := _CREATE.fullmatch(sql):
        return _create_or_alter(found, context, volume)
    if found := _DROP.fullmatch(sql):
        key = _checked_key(found, context, volume)
        if _exists(volume, key):
            return _change(context, f'DELETE FROM "aurora.events" {_WHERE}', key)
        if found["condition"]:
            return None
        raise SqlError(1539, "HY000", f"Unknown event '{key[1]}'")
    raise unsupported("an event in this form: a schedule other than EVERY n SECOND, or other clauses")


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
            DueExecution(
                at=start + count * seconds,
                definer=str(definer).rpartition("@")[0],
                database=str(database),
                sql=str(body),
            )
            for count in range(first, last + 1)
        )
    return sorted(due, key=lambda execution: execution.at)


def execute_due(volume: Volume, execution: DueExecution, *, clock_skew_seconds: float = 0.0) -> RowChange | None:
    """Run one execution with its definer's privileges. Return None if it failed; MySQL only logs the error.

    `clock_skew_seconds` is how far the engine's SQL clock is ahead.
    """
    at = execution.at + clock_skew_seconds
    context = ExecutionContext(at=at, user=execution.definer, database=execution.database)
    try:
        planned = plan(_statement(execution.sql), execution.database)
        check_privileges(volume, execution.definer, planned.needs)
        change = RowChange(statements=planned.statements, context=context, inserts_into=planned.inserts_into)
        volume.apply([change])
    except SqlError:
        return None
    return change


def _create_or_alter(found: re.Match[str], context: ExecutionContext, volume: Volume) -> RowChange | None:
    database, name = key = _checked_key(found, context, volume)
    volume.require_database(database)
    rows = volume.rows(
        f'SELECT starts_at, interval_value, status, on_completion, body FROM "aurora.events" {_WHERE}', *key
    )
    creates = found["verb"].upper() == "CREATE"
    if creates and rows:
        if found["condition"]:
            return None
        raise SqlError(1537, "HY000", f"Event '{name}' already exists")
    if not creates and not rows:
        raise SqlError(1539, "HY000", f"Unknown event '{name}'")
    if creates and not (found["seconds"] and found["body"]):
        raise SqlError(1064, "42000", "You have an error in your SQL syntax near 'EVENT'")
    starts_at, interval, status, completion, body = rows[0] if rows else (context.at, 0, "ENABLED", "NOT PRESERVE", "")
    if found["seconds"]:
        starts_at, interval = context.at, int(found["seconds"])
        if interval == 0:
            raise SqlError(1542, "HY000", "INTERVAL is either not positive or too big")
    if found["status"]:
        status = found["status"].upper() + "D"
    if found["preserve"]:
        completion = "NOT PRESERVE" if found["not"] else "PRESERVE"
    if found["body"]:
        body = found["body"]
        planned = plan(_statement(body), database)
        if planned.kind is not Kind.WRITE or planned.variables:
            raise unsupported("an event that does more than INSERT, UPDATE or DELETE")
    # Without the clause, the user who creates or alters an event becomes its definer.
    definer = f"{found['user']}@{found['host']}" if found["user"] else f"{context.user}@%"
    if definer != f"{context.user}@%":
        # Another definer needs SET_USER_ID, which only the master user has here, as only it may create users on the server.
        needed = Need(privilege="GRANT OPTION", table=TableName(database="*", name="*"))
        check_privileges(volume, context.user, [needed])
    values = (database, name, definer, body, starts_at, interval, status, completion)
    return _change(context, 'INSERT OR REPLACE INTO "aurora.events" VALUES (?, ?, ?, ?, ?, ?, ?, ?)', values)


def _statement(body: str) -> str:
    """Return the one statement of an event's body."""
    block = _BLOCK.fullmatch(body.strip())
    return block["statement"] if block else body


def _checked_key(found: re.Match[str], context: ExecutionContext, volume: Volume) -> tuple[str, str]:
    database, name = found["database"] or context.database, found["name"]
    if not database:
        raise SqlError(1046, "3D000", "No database selected")
    check_privileges(volume, context.user, [Need(privilege="EVENT", table=TableName(database=database, name=""))])
    return database, name


def _exists(volume: Volume, key: tuple[str, str]) -> bool:
    return bool(volume.rows(f'SELECT 1 FROM "aurora.events" {_WHERE}', *key))


def _change(context: ExecutionContext, text: str, parameters: Sequence[object]) -> RowChange:
    return RowChange(statements=((text, tuple(parameters)),), context=context)
