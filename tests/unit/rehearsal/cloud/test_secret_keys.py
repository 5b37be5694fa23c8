"""The secret keys with which the databases verify the functions' IAM tokens."""

import sys
from types import SimpleNamespace

import ministack
import pytest
from ministack.core.lambda_runtime import execution_credentials

from rehearsal.cloud.secret_keys import SecretKeys, session_keys
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY

FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT_ID}:function:payments-health-check"
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/payments-health-check"


def test_keys_are_those_that_ministack_gives_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer ministack that makes other keys fails here, and not as a log-in that every database refuses."""
    enforcing = SimpleNamespace(AUTH=True)
    monkeypatch.setitem(sys.modules, "ministack.app", enforcing)
    monkeypatch.setattr(ministack, "app", enforcing, raising=False)
    given = execution_credentials({"FunctionArn": FUNCTION, "Role": ROLE, "FunctionName": "payments-health-check"})
    assert (given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"]) == session_keys(FUNCTION, ROLE)


def test_functions_are_listed_for_a_new_key_only() -> None:
    """A function that is deployed later is found; a key of no function has no secret."""
    functions: list[tuple[str, str]] = []
    listed: list[int] = []

    def list_functions() -> list[tuple[str, str]]:
        listed.append(len(functions))
        return functions

    keys = SecretKeys(list_functions)
    access_key, secret = session_keys(FUNCTION, ROLE)
    assert (SECRET_ACCESS_KEY, []) == (keys(ACCOUNT_ID), listed)
    assert keys(access_key) is None
    functions.append((FUNCTION, ROLE))
    assert (secret, secret) == (keys(access_key), keys(access_key))
    assert [0, 1] == listed
