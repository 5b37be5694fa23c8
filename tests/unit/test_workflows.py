"""The workflows on GitHub: valid, pinned, with the least permissions, and nothing that runs a stranger's code with ours.

actionlint knows the language, the contexts and the shell; what it has no opinion on is asserted here. Of an action that
is pinned by commit nobody here knows the inputs: whoever updates a pin compares them with its `action.yml`.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
TEXTS = {file.name: file.read_text(encoding="utf-8") for file in FILES}
WORKFLOWS: Mapping[str, dict[str, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
BIN = Path(sys.executable).parent
JOBS = [(name, job_name) for name, workflow in WORKFLOWS.items() for job_name in workflow["jobs"]]
lint = pytest.mark.skipif(sys.platform != "linux", reason="actionlint's wheels are for Linux; CI runs there")


def job(name: str, job_name: str) -> dict[str, Any]:
    """Return one job of one workflow."""
    return WORKFLOWS[name]["jobs"][job_name]


def steps(name: str, job_name: str) -> list[dict[str, Any]]:
    """Return the steps of a job; none where it calls a workflow."""
    return job(name, job_name).get("steps", [])


def triggers(name: str) -> set[str]:
    """Return what starts a workflow. YAML 1.1 reads the key `on` as true."""
    return set(WORKFLOWS[name][True])  # pyright: ignore[reportArgumentType]


def used(text: str) -> Iterator[tuple[str, str, str]]:
    """Return the foreign actions of a workflow: name, what it is pinned to, and the comment."""
    for action, pin, comment in re.findall(r"uses: ([\w./-]+)@(\S+)(.*)", text):
        yield action, pin, comment.strip()


def actionlint(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run actionlint with the shellcheck of this environment."""
    command = [str(BIN / "actionlint"), "-no-color", "-shellcheck", str(BIN / "shellcheck"), "-pyflakes=", *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False, timeout=60)


@lint
def test_actionlint_has_nothing_to_say() -> None:
    """Syntax, contexts, permissions, runners, shell scripts: all of it but the inputs of actions pinned by commit."""
    found = actionlint(*map(str, FILES))
    assert ("", 0) == (found.stdout + found.stderr, found.returncode)


@lint
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("ubuntu-24.04", "ubuntu-24.40", 'label "ubuntu-24.40" is unknown'),
        ("matrix.stack", "matrix.stak", '"stak" is not defined'),
        ("pull-requests: write", "pull-request: write", "unknown permission scope"),
    ],
)
def test_actionlint_finds_what_is_wrong(old: str, new: str, complaint: str) -> None:
    """A linter that is not really run would pass everything."""
    found = actionlint("-", stdin=TEXTS["preview.yml"].replace(old, new, 1))
    assert 1 == found.returncode
    assert complaint in found.stdout


@lint
def test_the_shell_scripts_are_checked_too() -> None:
    """shellcheck is found, and run on what stands under `run`."""
    found = actionlint("-", stdin=TEXTS["tests.yml"].replace('make "$TARGET"', "make $TARGET", 1))
    assert "SC2086" in found.stdout


@pytest.mark.parametrize("name", TEXTS)
def test_foreign_actions_are_pinned_by_commit(name: str) -> None:
    """A tag can be moved to other code; a commit can't. The comment says which version it is."""
    for action, pin, comment in used(TEXTS[name]):
        assert re.fullmatch(r"[0-9a-f]{40}", pin), f"{action}@{pin}"
        assert re.fullmatch(r"# v\d+\.\d+\.\d+", comment), f"{action}: {comment}"


def test_an_action_has_one_version_everywhere() -> None:
    """Whoever updates one updates all."""
    found = {(action, pin, comment) for text in TEXTS.values() for action, pin, comment in used(text)}
    assert found and len({action for action, _, _ in found}) == len(found)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_as_a_whole_may_read_at_most(name: str) -> None:
    """Whatever a job needs beyond, it says itself."""
    assert WORKFLOWS[name]["permissions"] in ({}, {"contents": "read"})


def test_what_each_job_may_write() -> None:
    """An identity for AWS where AWS is called, comments in previews, issues on drift; no job may write code."""
    assert {
        ("deploy.yml", "dev"): {"id-token"},
        ("deploy.yml", "prod"): {"id-token"},
        ("drift.yml", "drift"): {"id-token", "issues"},
        ("preview.yml", "preview"): {"id-token", "pull-requests"},
        ("tests.yml", "tests"): set(),
        ("up.yml", "up"): {"id-token"},
    } == {
        each: {scope for scope, level in job(*each).get("permissions", {}).items() if level == "write"} for each in JOBS
    }


@pytest.mark.parametrize("name", TEXTS)
def test_no_workflow_runs_a_stranger_s_code_with_our_rights(name: str) -> None:
    """Neither of the triggers that give a fork's code the base's token, and no secret that could be taken along."""
    assert set() == triggers(name) & {"pull_request_target", "workflow_run", "issue_comment"}
    assert "secrets." not in TEXTS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_scripts_get_values_from_their_environment(name: str) -> None:
    """An expression in a script is pasted into it, and runs whatever somebody called his branch."""
    scripts = [step["run"] for each in JOBS if each[0] == name for step in steps(*each) if "run" in step]
    assert [] == [script for script in scripts if "${{" in script]


@pytest.mark.parametrize(("name", "job_name"), [each for each in JOBS if steps(*each)])
def test_a_job_ends_in_time_and_leaves_no_token_in_its_checkout(name: str, job_name: str) -> None:
    """The default limit is six hours; the default checkout leaves a token where every later step can read it."""
    assert 0 < job(name, job_name)["timeout-minutes"] <= 240
    (checkout,) = [step for step in steps(name, job_name) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["persist-credentials"] is False


def test_a_preview_is_not_for_forks() -> None:
    """GitHub gives a fork no identity; the workflow does not even try."""
    assert {"pull_request"} == triggers("preview.yml")
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job("preview.yml", "preview")["if"]


def test_a_preview_is_commented_with_the_policy_pack_applied() -> None:
    """And it changes nothing: its command is preview."""
    (pulumi,) = [step["with"] for step in steps("preview.yml", "preview") if "pulumi/actions" in step.get("uses", "")]
    assert ("preview", True, "policy") == (pulumi["command"], pulumi["comment-on-pr"], pulumi["policyPacks"])


def test_up_waits_for_its_environment_and_is_never_cut_off() -> None:
    """The environment's rules ask for approval; a second run waits for the first to end."""
    up = job("up.yml", "up")
    assert ("${{ inputs.stack }}", False) == (up["environment"], up["concurrency"]["cancel-in-progress"])
    assert "${{ inputs.stack }}" in up["concurrency"]["group"]
    assert {"workflow_call"} == triggers("up.yml")
    assert {"dev", "prod"} == {job("deploy.yml", name)["with"]["stack"] for name in WORKFLOWS["deploy.yml"]["jobs"]}


def test_the_role_s_session_lasts_as_long_as_the_deployment_may() -> None:
    """Credentials that end in the middle of `pulumi up` leave it half done."""
    (role,) = [step["with"] for step in steps("up.yml", "up") if "configure-aws-credentials" in step.get("uses", "")]
    assert role["role-duration-seconds"] > 60 * job("up.yml", "up")["timeout-minutes"]


def test_aws_is_reached_by_a_role_and_never_by_keys() -> None:
    """Every job that gets AWS credentials takes a role by its own identity."""
    taken = [
        step["with"]
        for each in JOBS
        for step in steps(*each)
        if step.get("uses", "").startswith("aws-actions/configure-aws-credentials@")
    ]
    assert 3 == len(taken)
    assert all("role-to-assume" in one and "aws-access-key-id" not in one for one in taken)


def test_drift_is_told_apart_from_a_comparison_that_failed() -> None:
    """Pulumi ends with 7 when changes were proposed where none were expected ("Pulumi CLI exit codes")."""
    (script,) = [step["run"] for step in steps("drift.yml", "drift") if step.get("id") == "compare"]
    assert "--refresh --expect-no-changes" in script
    assert '7) echo "drift=yes"' in script and '*) exit "$code"' in script
    assert {"schedule", "workflow_dispatch"} == triggers("drift.yml")


def test_the_cli_is_the_version_that_the_program_was_tested_with() -> None:
    """One pin for the SDK and the engine."""
    pin = re.search(r"^pulumi==(\S+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pin
    found = [step["with"]["pulumi-version"] for each in JOBS for step in steps(*each) if "pulumi/actions" in str(step)]
    assert 3 == len(found) and {pin[1]} == set(found)


def test_every_push_runs_what_people_run() -> None:
    """The targets of `.ci/run`, each as a job of its own."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert (
        re.findall(r"^make (\w+)$", script, re.MULTILINE) == job("tests.yml", "tests")["strategy"]["matrix"]["target"]
    )
    assert {"push", "pull_request"} == triggers("tests.yml")
    (step,) = [step for step in steps("tests.yml", "tests") if "run" in step]
    assert "1" == step["env"]["REQUIRE_CHROMIUM"]
