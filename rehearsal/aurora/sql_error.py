"""The errors of MySQL."""


class SqlError(Exception):
    """A MySQL error: number, SQLSTATE and message."""

    def __init__(self, code: int, state: str, message: str) -> None:
        super().__init__(f"{code} ({state}): {message}")
        self.code = code
        self.state = state
        self.message = message


def unsupported(feature: str) -> SqlError:
    """Return MySQL's error 1235 for a feature that the embedded database does not support."""
    return SqlError(1235, "42000", f"The embedded Aurora does not support {feature}")
