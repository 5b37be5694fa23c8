"""Secret keys of the embedded AWS, with which the databases verify IAM tokens.

ministack derives the session of a function's role from the ARNs of both, and gives out no secret key.
"""

import hashlib
from collections.abc import Callable, Iterable

from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY


class SecretKeys:
    """Finds the secret key of an access key. Thread-safe: a lookup has no state but a cache of constants.

    Args:
        functions: returns the function ARN and the role ARN of every deployed function.
    """

    def __init__(self, functions: Callable[[], Iterable[tuple[str, str]]]) -> None:
        self._functions = functions
        self._known = {ACCOUNT_ID: SECRET_ACCESS_KEY}

    def __call__(self, access_key: str) -> str | None:
        """Return the secret key, or None for an access key of no deployed function."""
        if access_key not in self._known:
            self._known.update(session_keys(function, role) for function, role in self._functions())
        return self._known.get(access_key)


def session_keys(function_arn: str, role_arn: str) -> tuple[str, str]:
    """Return the access key and the secret key of a function, as ministack's `execution_credentials` makes them."""
    digest = hashlib.sha256(f"{function_arn}:{role_arn}".encode()).hexdigest()
    return f"ASIA{digest[:16].upper()}", hashlib.sha256(f"secret:{digest}".encode()).hexdigest()
