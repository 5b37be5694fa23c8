"""Documents and code agree: required headings, settings, links, commands, IAM policies."""

import html
import json
import re
import shlex
import tomllib
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
PRODUCTION = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def test_mission_point_7_production_page_explains_wait_verify_test_and_roll_back() -> None:
    """Each of the four tasks has its own heading with instructions below it, and the README links the page."""
    for heading in ("## Wait", "## Verify", "## Test a failover", "## Roll back"):
        section = PRODUCTION.split(heading + "\n", 1)[1].split("\n## ", 1)[0]
        assert len(section.strip()) > 200, heading
    assert "(docs/production.md)" in README


def test_readme_has_at_most_800_words() -> None:
    """A newcomer reads the README in a few minutes."""
    assert len(README.split()) <= 800


def test_settings_table_matches_the_model() -> None:
    """The settings table has the model's names and defaults, and links the page with all settings."""
    section = PRODUCTION.split("## Settings", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `?([^|`]+)`? \|", html.unescape(section), re.MULTILINE))
    model = {
        each.path + name: shown_default(each.path + name, field).strip("`")
        for each in sections()
        for name, field in each.own_fields()
    }
    shown = {key: "none" if model[key] == "required" else model[key] for key in rows}
    assert shown == {key: default.strip() for key, default in rows.items()}
    assert 10 <= len(rows) <= 16
    assert "(reference/settings.md)" in section


def test_rewind_section_has_three_lines() -> None:
    """The lines are AWS's restriction, the default method and the other method."""
    section = PRODUCTION.split("## Rewind\n", 1)[1].split("\n## ", 1)[0]
    assert 3 == len(section.strip().splitlines())


def test_where_is_page_has_thirteen_questions_and_existing_files() -> None:
    """Each question of the page has a file that exists."""
    page = (ROOT / "docs" / "where-is.md").read_text(encoding="utf-8")
    files = re.findall(r"^\| Where .+\? \| `([^`]+)` \|$", page, re.MULTILINE)
    assert 13 == len(files)
    assert [] == [file for file in files if not (ROOT / file).is_file()]


def test_architecture_names_each_component() -> None:
    """Every file of `components/` is in the table or beside its component."""
    files = {file.name for file in (ROOT / "components").glob("*.py")} - {"__init__.py"}
    assert set() == {name for name in files if f"`{name}`" not in ARCHITECTURE}


def test_layers_are_those_of_the_import_contracts() -> None:
    """The lines of the page are the layers that `make check` enforces."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [each for each in settings["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    assert [] == [line for line in map(layers_line, contracts) if line not in ARCHITECTURE]


def layers_line(contract: dict[str, Any]) -> str:
    """Return a contract as the page shows it."""
    layers = [", ".join(f"`{module}`" for module in layer.split(" | ")) for layer in contract["layers"]]
    return f"- `{contract['containers'][0]}`: {' > '.join(layers)}\n"


def test_glossary_has_each_word_once() -> None:
    """The words are in alphabetical order, and no word has two rows."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = [word.lower() for word in re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.MULTILINE)]
    assert words == sorted(set(words))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(document: Path) -> None:
    """Every relative link of a document leads to a file."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [] == [target for target in targets if not (document.parent / target).exists()]


def test_make_targets_exist() -> None:
    """Every `make` target in a document exists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    named = {name for text in texts for name in re.findall(r"(?:^\$ |`)make ([a-z]+)", text, re.MULTILINE)}
    assert named and [] == [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)]


def commands() -> list[tuple[str, str]]:
    """Return each document and each command of this project that it shows, in code blocks and sentences."""
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
def test_every_command_is_parsed_by_the_real_command_line(document: str, line: str) -> None:
    """Names, options and values exist; nothing runs."""
    program = max((name for name in PROGRAMS if line == name or line.startswith(f"{name} ")), key=len)
    words = shlex.split(line.removeprefix(program).partition(" > ")[0].partition(" | ")[0])
    parse(typer.main.get_command(import_module(PROGRAMS[program]).app), program, words)


def parse(command: Any, program: str, words: list[str]) -> None:
    """Parse a command with all its options.

    Raises:
        UsageError: the command line does not accept it.
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


def test_every_program_in_a_document_is_parsed() -> None:
    """PROGRAMS has every command line except those that take no arguments in any document."""
    found = {name for document in DOCUMENTS for name in re.findall(r"python -m [a-z_.]+[a-z_]", document.read_text())}
    local = {name for name in found if (ROOT / name.split()[2].partition(".")[0]).is_dir()}
    assert set() == local - set(PROGRAMS) - {
        "python -m docgen",
        "python -m benchmarks",
        "python -m benchmarks.engines",
        "python -m benchmarks.interrupted_up",
        "python -m benchmarks.limits",
        "python -m benchmarks.rehearsal",
        "python -m tests.mutation",
        "python -m tools.drift",
    }


def test_parse_refuses_an_unknown_command_or_option() -> None:
    """Invalid values are refused too."""
    group = typer.main.get_command(import_module(PROGRAMS["python -m operations"]).app)
    for words in (["no-such-command"], ["status", "--no-such-option"], ["history", "--limit", "many"]):
        with pytest.raises(Exception, match=r"(?i)no such|valid integer"):
            parse(group, "python -m operations", words)


def test_runbook_shows_every_command() -> None:
    """Each operator command is on a page of the runbook."""
    group = typer.main.get_command(import_module(PROGRAMS["python -m operations"]).app)
    assert isinstance(group, TyperGroup)
    shown = {line.split()[3] for document, line in commands() if "operations " in line and "runbook" in document}
    assert set() == set(group.commands) - shown


def test_ci_runs_the_commands_of_the_readme() -> None:
    """CI runs `make check`, `make test` and `make rehearse`."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ["make check", "make test", "make rehearse"] == re.findall(r"^make \w+$", script, re.MULTILINE)


PULL_REQUESTS = (ROOT / "docs" / "pull-requests.md").read_text(encoding="utf-8")
IAM_PREFIX = {"vpc": ("ec2",), "cloudwatch": ("cloudwatch", "logs", "events"), "random": ()}
"""Map from a module of Pulumi to IAM's service prefixes, where the two differ."""


def policies() -> list[dict[str, Any]]:
    """Return the complete IAM policies on the page."""
    shown = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PULL_REQUESTS, re.MULTILINE | re.DOTALL)]
    return [policy for policy in shown if "Statement" in policy]


def test_deploy_role_allows_every_action_of_preflight() -> None:
    """The policy of the page allows each action that preflight simulates."""
    _trust, deploy, _preview = policies()
    allowed = [action for statement in deploy["Statement"] for action in _list(statement["Action"])]
    needed = {action for actions in ACTIONS.values() for action in actions}
    assert needed and [] == sorted(one for one in needed if not any(fnmatchcase(one, pattern) for pattern in allowed))


def test_deploy_role_may_use_the_default_option_group() -> None:
    """Each cluster uses RDS's default option group without naming it; IAM evaluates it."""
    _trust, deploy, _preview = policies()
    needed = {action for actions in ACTIONS.values() for action in actions}
    needed = {action for action in needed if action.startswith("rds:") and "og" in resources_of(action)}
    assert {"rds:CreateDBCluster", "rds:CreateDBInstance", "rds:ModifyDBCluster"} <= needed
    group = "arn:aws:rds:eu-west-1:123456789012:og:default:aurora-mysql-8-0"
    there = [each for each in deploy["Statement"] if any(fnmatchcase(group, arn) for arn in _list(each["Resource"]))]
    allowed = [action for each in there for action in _list(each["Action"])]
    assert [] == sorted(one for one in needed if not any(fnmatchcase(one, pattern) for pattern in allowed))


def test_preview_role_reads_every_service_of_the_program() -> None:
    """The preview policy has an action of each service."""
    needed = {prefix for node in drawn_graph().resources for prefix in IAM_PREFIX.get(node.service, (node.service,))}
    *_, preview = policies()
    actions = [action for statement in preview["Statement"] for action in _list(statement["Action"])]
    assert set() == needed - {action.partition(":")[0] for action in actions}


def test_preview_role_can_only_read() -> None:
    """Every action is Describe, Get, List or kms:Decrypt."""
    *_, preview = policies()
    verbs = {action.partition(":")[2] for statement in preview["Statement"] for action in _list(statement["Action"])}
    assert {"Decrypt"} == {verb for verb in verbs if not verb.startswith(("Describe", "Get", "List"))}


def test_each_workflow_variable_is_documented() -> None:
    """The variables of the workflows and the rows of the page are the same."""
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / ".github" / "workflows").glob("*.yml")]
    read = {name for text in texts for name in re.findall(r"\bvars\.(\w+)", text)}
    assert read == set(re.findall(r"^\| `([A-Z_]+)` \|", PULL_REQUESTS, re.MULTILINE))


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_ci_requires_chromium() -> None:
    """The browser tests are skipped without Chromium, except in CI."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index("export REQUIRE_CHROMIUM=1") < script.index("make test")
