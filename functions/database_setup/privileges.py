"""Privileges of database users: where they are granted, how GRANT names the place, and which ones a user has."""

from dataclasses import dataclass

from pymysql.cursors import Cursor

GRANT_OPTION = "GRANT OPTION"


@dataclass(frozen=True, kw_only=True)
class NameRules:
    """How this server reads the names of databases."""

    has_wildcards: bool
    """Whether `_` in a database's name is a wildcard in GRANT. With partial_revokes names are literal.

    Aurora MySQL 3 sets partial_revokes, and it cannot be changed.
    Source: Privilege Restriction Using Partial Revokes, MySQL 8.0 Reference Manual.
    """
    ignores_case: bool
    """Whether names that differ only in case are one database (lower_case_table_names other than 0)."""

    def in_grant(self, database: str) -> str:
        """Return the name as GRANT and the tables of privileges have it."""
        return database.replace("_", "\\_") if self.has_wildcards else database

    def are_same(self, name: str, other: str) -> bool:
        """Return whether two names are one database."""
        return name.casefold() == other.casefold() if self.ignores_case else name == other


@dataclass(frozen=True, kw_only=True)
class GrantLevel:
    """Where privileges are granted: the server, a database, or a table."""

    database: str | None = None
    table: str | None = None

    def __str__(self) -> str:
        return f"{self.database or '*'}.{self.table or '*'}"

    def sql(self, rules: NameRules) -> str:
        """Return the level as GRANT and REVOKE name it."""
        if self.database is None:
            return "*.*"
        if self.table is None:
            return f"`{rules.in_grant(self.database)}`.*"
        return f"`{self.database}`.`{self.table}`"


def read_name_rules(cursor: Cursor) -> NameRules:
    """Return the server's rules. Raises pymysql.MySQLError."""
    cursor.execute("SELECT @@partial_revokes, @@lower_case_table_names")
    row = cursor.fetchone()
    assert isinstance(row, tuple)  # a SELECT of variables has one row
    return NameRules(has_wildcards=not row[0], ignores_case=bool(row[1]))


def granted_privileges(cursor: Cursor, user: str, level: GrantLevel, rules: NameRules) -> frozenset[str]:
    """Return the privileges of a user at exactly this level, with GRANT OPTION.

    The function's own user sees those of other users, because it may read the database `mysql`.
    Source: The INFORMATION_SCHEMA SCHEMA_PRIVILEGES Table, MySQL 8.0 Reference Manual.
    """
    table, columns = "user_privileges", "'', ''"
    if level.database is not None:
        table, columns = "schema_privileges", "table_schema, ''"
    if level.table is not None:
        table, columns = "table_privileges", "table_schema, table_name"
    cursor.execute(
        f"SELECT {columns}, privilege_type, is_grantable FROM information_schema.{table} WHERE grantee = %s",
        (f"'{user}'@'%'",),
    )
    database = level.database or ""
    wanted = database if level.table else rules.in_grant(database)
    privileges: set[str] = set()
    for schema, name, privilege, is_grantable in cursor.fetchall():
        if rules.are_same(str(schema), wanted) and rules.are_same(str(name), level.table or ""):
            privileges.update({str(privilege), *([GRANT_OPTION] if is_grantable == "YES" else [])})
    return frozenset(privileges - {"USAGE"})
