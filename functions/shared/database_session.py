"""Options of a database session, independent of the parameters that a stack or an administrator sets on the server."""

import ssl
from typing import Any

_VARIABLES = {
    # No ANSI_QUOTES and no PAD_CHAR_TO_FULL_LENGTH. An event keeps the mode and the time zone of its creation.
    "sql_mode": "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "time_zone": "'+00:00'",
    # MySQL reports autocommit as on when the server's default is off, so the driver alone would not turn it on.
    "autocommit": "1",
    # A lower limit would hide rows, such as users or the lag of a region.
    "sql_select_limit": "18446744073709551615",
    "sql_big_selects": "1",
}
SET_VARIABLES = "SET " + ", ".join(f"SESSION {name} = {value}" for name, value in _VARIABLES.items())
"""Sets every variable that can change a result. SET NAMES of the driver sets the character set and the collation.

Source: Server SQL Modes and Server System Variables, MySQL 8.0 Reference Manual.
"""


def session_options(tls: ssl.SSLContext, program_name: str) -> dict[str, Any]:
    """Return the arguments of `pymysql.connect` that make each session the same."""
    return {
        "ssl": tls,
        "charset": "utf8mb4",
        "autocommit": True,
        "init_command": SET_VARIABLES,
        "program_name": program_name,
    }
