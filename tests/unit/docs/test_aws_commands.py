"""The documents' AWS CLI commands are complete: botocore's model knows each operation, option and required parameter."""

import functools
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from tests.support.program.harness import PROGRAM

FILES = sorted([PROGRAM / "README.md", *(PROGRAM / "docs").rglob("*.md")])
CLI_OPTIONS = {"--region", "--query", "--output", "--cli-input-json", "--no-cli-pager", "--profile"}
GLOBAL_SERVICES = {"iam", "route53"}
"""Services without a region."""
CUSTOM = {
    ("logs", "tail"): {"--since", "--filter-pattern", "--follow", "--format"},
    ("rds", "generate-db-auth-token"): {"--hostname", "--port", "--username"},
}
"""Commands that the AWS CLI adds to the API. `logs tail` exists in version 2 only. Source: AWS CLI Command Reference."""


def commands(text: str) -> Iterator[str]:
    """Yield the commands of a document, in code spans and console blocks; continued lines are joined."""
    text = text.replace("\\\n", " ")
    for span in re.findall(r"`((?:[^`]|\n)+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        yield from re.findall(r"\baws [a-z].*", span)
    for block in re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            yield from (found.strip() for found in re.findall(r"\baws [a-z0-9]+ [a-z][^|)]*", line))


FOUND = [
    (file.relative_to(PROGRAM).as_posix(), command) for file in FILES for command in commands(file.read_text("utf-8"))
]
COMPLETE = [(page, command) for page, command in FOUND if " --" in command]


@functools.cache
def members(service: str, operation: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the options of an operation, and the required ones among them."""
    model: Any = botocore.session.get_session().get_service_model({"s3api": "s3"}.get(service, service))
    (name,) = [each for each in model.operation_names if xform_name(each, "-") == operation]
    shape: Any = model.operation_model(name).input_shape
    if shape is None:
        return frozenset(), frozenset()
    options = {each: f"--{xform_name(each, '-')}" for each in shape.members}
    booleans = {f"--no-{option[2:]}" for each, option in options.items() if shape.members[each].type_name == "boolean"}
    return frozenset({*options.values(), *booleans}), frozenset(options[each] for each in shape.required_members)


def test_documents_have_commands() -> None:
    """The expressions find them: about fifty."""
    assert len(COMPLETE) > 30


@pytest.mark.parametrize(("page", "command"), COMPLETE, ids=[f"{page}-{command[:40]}" for page, command in COMPLETE])
def test_command_is_complete(page: str, command: str) -> None:
    """It has every required option and a region, and no unknown option."""
    _, service, operation, *_ = command.split()
    given = set(re.findall(r"(?<= )--[a-z-]+", command))
    if (service, operation) in CUSTOM:
        known, required = CUSTOM[service, operation], set[str]()
    else:
        known, required = members(service, operation)
    assert given - known - CLI_OPTIONS == set(), f"{page}: unknown options"
    if "--cli-input-json" not in given:
        assert set(required) - given == set(), f"{page}: missing options"
    assert service in GLOBAL_SERVICES or "--region" in given, f"{page}: no region"


def test_runbook_names_no_command_without_its_options() -> None:
    """A command in the runbook can be run as it is written, after its words in capitals are replaced."""
    assert [each for each in FOUND if " --" not in each[1] and "runbook" in each[0]] == []


def test_option_without_a_value_is_a_flag() -> None:
    """A command does not end with an option whose value is described in the sentence."""
    flags = ("--apply-immediately", "--no-deletion-protection", "--no-deletion-protection-enabled", "--follow")
    ends = [command for _, command in COMPLETE if command.split()[-1].startswith("--")]
    assert [command for command in ends if not command.endswith(flags)] == []
