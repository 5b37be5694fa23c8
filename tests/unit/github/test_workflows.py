"""The GitHub workflows are valid and pinned, have least privilege and run no code of forks with credentials.

actionlint checks syntax, contexts and shell scripts. It does not know the inputs of actions pinned by commit: compare them
with `action.yml` when you update a pin.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
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
    """Return the steps of a job; empty if it calls a workflow."""
    return job(name, job_name).get("steps", [])


def triggers(name: str) -> set[str]:
    """Return the triggers of a workflow. YAML 1.1 reads the key `on` as true."""
    return set(WORKFLOWS[name][True])  # pyright: ignore[reportArgumentType]


def external_actions(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the external actions of a workflow: name, pin and comment."""
    for action, pin, comment in re.findall(r"uses: ([\w./-]+)@(\S+)(.*)", text):
        yield action, pin, comment.strip()


def actionlint(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run actionlint with the shellcheck of this environment."""
    command = [str(BIN / "actionlint"), "-no-color", "-shellcheck", str(BIN / "shellcheck"), "-pyflakes=", *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False, timeout=60)


@lint
def test_actionlint_reports_no_error() -> None:
    """The inputs of actions pinned by commit are not checked."""
    found = actionlint(*map(str, FILES))
    assert ("", 0) == (found.stdout + found.stderr, found.returncode)


@lint
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ubuntu-24.04", "ubuntu-24.40", 'label "ubuntu-24.40" is unknown'),
        ("matrix.stack", "matrix.stak", '"stak" is not defined'),
        ("pull-requests: write", "pull-request: write", "unknown permission scope"),
    ],
)
def test_actionlint_reports_errors(old: str, new: str, message: str) -> None:
    """actionlint really runs."""
    found = actionlint("-", stdin=TEXTS["preview.yml"].replace(old, new, 1))
    assert 1 == found.returncode
    assert message in found.stdout


@lint
def test_shell_scripts_are_checked() -> None:
    """shellcheck runs on the `run` scripts."""
    found = actionlint("-", stdin=TEXTS["tests.yml"].replace('make "$TARGET"', "make $TARGET", 1))
    assert "SC2086" in found.stdout


@pytest.mark.parametrize("name", TEXTS)
def test_foreign_actions_are_pinned_by_commit(name: str) -> None:
    """A tag can move, a commit cannot. The comment has the version."""
    for action, pin, comment in external_actions(TEXTS[name]):
        assert re.fullmatch(r"[0-9a-f]{40}", pin), f"{action}@{pin}"
        assert re.fullmatch(r"# v\d+\.\d+\.\d+", comment), f"{action}: {comment}"


def test_action_has_one_version() -> None:
    """An action has the same pin in all workflows."""
    found = {(action, pin, comment) for text in TEXTS.values() for action, pin, comment in external_actions(text)}
    assert found and len({action for action, _, _ in found}) == len(found)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_permissions_are_read_only(name: str) -> None:
    """Jobs declare further permissions themselves."""
    assert WORKFLOWS[name]["permissions"] in ({}, {"contents": "read"})


def test_job_write_permissions() -> None:
    """No job may write code."""
    assert {
        ("audit.yml", "audit"): set(),
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
def test_workflow_runs_no_fork_code_with_credentials(name: str) -> None:
    """No trigger gives fork code the base repository's token, and no workflow uses secrets."""
    assert set() == triggers(name) & {"pull_request_target", "workflow_run", "issue_comment"}
    assert "secrets." not in TEXTS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_scripts_use_environment_values(name: str) -> None:
    """An expression in a script allows injection, for example by a branch name."""
    scripts = [step["run"] for each in JOBS if each[0] == name for step in steps(*each) if "run" in step]
    assert [] == [script for script in scripts if "${{" in script]


@pytest.mark.parametrize(("name", "job_name"), [each for each in JOBS if steps(*each)])
def test_job_has_timeout_and_checkout_without_token(name: str, job_name: str) -> None:
    """The default timeout is six hours, and the default checkout stores a token."""
    assert 0 < job(name, job_name)["timeout-minutes"] <= 240
    (checkout,) = [step for step in steps(name, job_name) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["persist-credentials"] is False


def test_preview_excludes_forks() -> None:
    """GitHub gives forks no OIDC identity."""
    assert {"pull_request"} == triggers("preview.yml")
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job("preview.yml", "preview")["if"]


def test_preview_comments_with_policy_pack() -> None:
    """The command is preview, so it changes no resource."""
    (pulumi,) = [step["with"] for step in steps("preview.yml", "preview") if "pulumi/actions" in step.get("uses", "")]
    assert ("preview", True, "policy") == (pulumi["command"], pulumi["comment-on-pr"], pulumi["policyPacks"])


def test_up_uses_environment_and_is_not_cancelled() -> None:
    """The environment requires approval; a second run waits for the first."""
    up = job("up.yml", "up")
    assert ("${{ inputs.stack }}", False) == (up["environment"], up["concurrency"]["cancel-in-progress"])
    assert "${{ inputs.stack }}" in up["concurrency"]["group"]
    assert {"workflow_call"} == triggers("up.yml")
    assert {"dev", "prod"} == {job("deploy.yml", name)["with"]["stack"] for name in WORKFLOWS["deploy.yml"]["jobs"]}


def test_role_session_is_longer_than_job() -> None:
    """Expired credentials interrupt `pulumi up`."""
    (role,) = [step["with"] for step in steps("up.yml", "up") if "configure-aws-credentials" in step.get("uses", "")]
    assert role["role-duration-seconds"] > 60 * job("up.yml", "up")["timeout-minutes"]


def test_aws_credentials_come_from_roles() -> None:
    """Every job with AWS credentials assumes a role."""
    taken = [
        step["with"]
        for each in JOBS
        for step in steps(*each)
        if step.get("uses", "").startswith("aws-actions/configure-aws-credentials@")
    ]
    assert 3 == len(taken)
    assert all("role-to-assume" in one and "aws-access-key-id" not in one for one in taken)


def test_drift_differs_from_failed_comparison() -> None:
    """`tools.drift` exits with 7 for drift, as Pulumi does for unexpected changes ("Pulumi CLI exit codes")."""
    (script,) = [step["run"] for step in steps("drift.yml", "drift") if step.get("id") == "compare"]
    assert "--refresh --json" in script
    assert "-m tools.drift" in script
    assert '7) echo "drift=yes"' in script and '*) exit "$code"' in script
    assert {"schedule", "workflow_dispatch"} == triggers("drift.yml")


def test_cli_version_matches_sdk() -> None:
    """SDK and engine have the same pin."""
    pin = re.search(r"^pulumi==(\S+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pin
    found = [step["with"]["pulumi-version"] for each in JOBS for step in steps(*each) if "pulumi/actions" in str(step)]
    assert 4 == len(found) and {pin[1]} == set(found)


def test_push_runs_ci_targets() -> None:
    """Each target of `.ci/run` is a job."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert (
        re.findall(r"^make (\w+)$", script, re.MULTILINE) == job("tests.yml", "tests")["strategy"]["matrix"]["target"]
    )
    assert {"push", "pull_request"} == triggers("tests.yml")
    (step,) = [step for step in steps("tests.yml", "tests") if "run" in step]
    assert "1" == step["env"]["REQUIRE_CHROMIUM"]
