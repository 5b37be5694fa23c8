"""What the documents promise: headings that people rely on, settings as the model has them, links and commands that exist."""

import html
import json
import re
import shlex
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from docgen.commands import PROGRAMS
from docgen.graph import drawn_graph
from docgen.settings import sections, shown_default
from operations.checks.required_permissions import ACTIONS
from tests.support.policy.program_rules.iam_actions import resources_of

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def test_mission_point_7_readme_says_how_to_wait_verify_test_a_failover_and_roll_back() -> None:
    """Somebody who deployed it finds each of the four under its own heading, with something to do in it."""
    for heading in ("### Wait", "### Verify", "### Test a failover", "### Roll back"):
        section = README.split(heading + "\n", 1)[1].split("\n#", 1)[0]
        assert len(section.strip()) > 200, heading


def test_settings_table_is_of_the_model() -> None:
    """The few settings that people set first are the model's, with its defaults; the page that has all is linked."""
    section = README.split("## Settings", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `?([^|`]+)`? \|", html.unescape(section), re.MULTILINE))
    model = {
        each.path + name: shown_default(each.path + name, field).strip("`")
        for each in sections()
        for name, field in each.own_fields()
    }
    shown = {key: "none" if model[key] == "needed" else model[key] for key in rows}
    assert shown == {key: default.strip() for key, default in rows.items()}
    assert 10 <= len(rows) <= 16
    assert "(docs/reference/settings.md)" in section


def test_rewind_is_told_in_three_lines() -> None:
    """What AWS refuses, what is done instead, and what the other method does: three sentences, three lines."""
    section = README.split("### Rewind\n", 1)[1].split("\n#", 1)[0]
    assert 3 == len(section.strip().splitlines())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(document: Path) -> None:
    """No document points at a file that isn't there."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [] == [target for target in targets if not (document.parent / target).exists()]


def test_make_targets_exist() -> None:
    """Every `make X` that a document shows is a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    named = {name for text in texts for name in re.findall(r"(?:^\$ |`)make ([a-z]+)", text, re.MULTILINE)}
    assert named and [] == [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)]


def commands() -> list[tuple[str, str]]:
    """Every command of ours that any document shows, in code blocks and within sentences, with the document."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        shown = [*re.findall(r"^\$ (.+)$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]
        found += [
            (str(document.relative_to(ROOT)), line.removeprefix(".venv/bin/"))
            for line in shown
            if re.match(rf"(\.venv/bin/)?({'|'.join(PROGRAMS)})( |$)", line)
        ]
    return sorted(set(found))


@pytest.mark.parametrize(("document", "line"), commands())
def test_every_command_is_understood_by_the_real_command_line(document: str, line: str) -> None:
    """Names, options and their values are those of today's code; nothing is run."""
    program = max((name for name in PROGRAMS if line == name or line.startswith(f"{name} ")), key=len)
    words = shlex.split(line.removeprefix(program).partition(" > ")[0].partition(" | ")[0])
    parse(typer.main.get_command(import_module(PROGRAMS[program]).app), program, words)


def parse(command: Any, program: str, words: list[str]) -> None:
    """Parse words as the command line would, down to the last option.

    Raises:
        UsageError: they are not understood.
    """
    if not isinstance(command, TyperGroup):
        assert words == ["--help"] or command.make_context(program, list(words)).params
        return
    if words in ([], ["--help"]):
        return
    with command.make_context(program, list(words)) as context:
        name, below, rest = command.resolve_command(context, list(words))
        assert below is not None
        assert rest == ["--help"] or below.make_context(name, rest, parent=context).params


def test_no_program_is_shown_that_nobody_parses() -> None:
    """A new command line is entered with the others; these take no arguments in any document."""
    found = {name for document in DOCUMENTS for name in re.findall(r"python -m [a-z_.]+[a-z_]", document.read_text())}
    ours = {name for name in found if (ROOT / name.split()[2].partition(".")[0]).is_dir()}
    assert set() == ours - set(PROGRAMS) - {
        "python -m docgen",
        "python -m benchmarks",
        "python -m benchmarks.program",
        "python -m tests.mutation",
    }


def test_a_command_that_does_not_exist_is_not_understood() -> None:
    """Or the test above would pass anything."""
    group = typer.main.get_command(import_module(PROGRAMS["python -m operations"]).app)
    for words in (["no-such-command"], ["status", "--no-such-option"], ["history", "--limit", "many"]):
        with pytest.raises(Exception, match=r"(?i)no such|valid integer"):
            parse(group, "python -m operations", words)


def test_the_runbook_shows_every_command() -> None:
    """No command of the operators is without a page that uses it."""
    group = typer.main.get_command(import_module(PROGRAMS["python -m operations"]).app)
    assert isinstance(group, TyperGroup)
    shown = {line.split()[3] for document, line in commands() if "operations " in line and "runbook" in document}
    assert set() == set(group.commands) - shown


def test_ci_runs_what_the_readme_says() -> None:
    """CI calls the same three commands that people call."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ["make check", "make test", "make rehearse"] == re.findall(r"^make \w+$", script, re.MULTILINE)


PULL_REQUESTS = (ROOT / "docs" / "pull-requests.md").read_text(encoding="utf-8")
IAM_PREFIX = {"vpc": ("ec2",), "cloudwatch": ("cloudwatch", "logs", "events"), "random": ()}
"""Pulumi's module -> the services that IAM knows its resources by, where the two differ."""


def policies() -> list[dict[str, Any]]:
    """The IAM policies that the page shows, whole ones only."""
    shown = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PULL_REQUESTS, re.MULTILINE | re.DOTALL)]
    return [policy for policy in shown if "Statement" in policy]


def test_the_deploy_role_for_github_may_do_what_a_deployment_does() -> None:
    """Every action that preflight asks AWS about; one that is new is missed here, and not halfway through `pulumi up`."""
    _trust, deploy, _preview = policies()
    allowed = [action for statement in deploy["Statement"] for action in _list(statement["Action"])]
    needed = {action for actions in ACTIONS.values() for action in actions}
    assert needed and [] == sorted(one for one in needed if not any(fnmatchcase(one, pattern) for pattern in allowed))


def test_the_deploy_role_for_github_may_use_the_option_group_of_rds() -> None:
    """No cluster names it and each has it: without it every call of RDS that knows option groups is denied."""
    _trust, deploy, _preview = policies()
    needed = {action for actions in ACTIONS.values() for action in actions}
    needed = {action for action in needed if action.startswith("rds:") and "og" in resources_of(action)}
    assert {"rds:CreateDBCluster", "rds:CreateDBInstance", "rds:ModifyDBCluster"} <= needed
    group = "arn:aws:rds:eu-west-1:123456789012:og:default:aurora-mysql-8-0"
    there = [each for each in deploy["Statement"] if any(fnmatchcase(group, arn) for arn in _list(each["Resource"]))]
    allowed = [action for each in there for action in _list(each["Action"])]
    assert [] == sorted(one for one in needed if not any(fnmatchcase(one, pattern) for pattern in allowed))


def test_the_preview_role_for_github_reads_every_service_of_the_program() -> None:
    """A new kind of resource is found missing here."""
    needed = {prefix for node in drawn_graph().resources for prefix in IAM_PREFIX.get(node.service, (node.service,))}
    *_, preview = policies()
    actions = [action for statement in preview["Statement"] for action in _list(statement["Action"])]
    assert set() == needed - {action.partition(":")[0] for action in actions}


def test_the_preview_role_can_only_read() -> None:
    """Decrypting is reading; nothing else is neither Describe, Get nor List."""
    *_, preview = policies()
    verbs = {action.partition(":")[2] for statement in preview["Statement"] for action in _list(statement["Action"])}
    assert {"Decrypt"} == {verb for verb in verbs if not verb.startswith(("Describe", "Get", "List"))}


def test_variables_of_the_workflows_are_explained() -> None:
    """Each that a workflow reads has a row, and each row is read."""
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / ".github" / "workflows").glob("*.yml")]
    read = {name for text in texts for name in re.findall(r"\bvars\.(\w+)", text)}
    assert read == set(re.findall(r"^\| `([A-Z_]+)` \|", PULL_REQUESTS, re.MULTILINE))


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_ci_requires_what_a_laptop_may_skip() -> None:
    """The tests in a browser are skipped where there is none; in CI that is a failure."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index("export REQUIRE_CHROMIUM=1") < script.index("make test")
