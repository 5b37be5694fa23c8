"""Reading a stack's settings from the Pulumi CLI."""

import json
from collections.abc import Sequence

from operations.stack.settings import load_config


def test_settings_are_those_that_pulumi_uses() -> None:
    """Objects are texts in its answer; keys of other projects are ignored."""
    answer = {
        "aurora-global-database:environment": {"value": "staging", "secret": False},
        "aurora-global-database:aws": {"value": '{"account_id":"111122223333"}', "objectValue": {}, "secret": False},
        "pulumi:disable-default-providers": {"value": '["aws"]', "secret": False},
    }
    asked: list[list[str]] = []

    def pulumi(arguments: Sequence[str], timeout_seconds: float) -> str:
        del timeout_seconds
        asked.append([*arguments])
        return json.dumps(answer)

    settings = load_config(None, pulumi)
    assert (settings.environment, settings.aws.account_id) == ("staging", "111122223333")
    assert asked == [["config", "--json", "--non-interactive"]]
