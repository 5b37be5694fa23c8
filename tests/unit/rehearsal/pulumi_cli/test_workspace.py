"""The CLI's folder, with a CLI that only writes what `stack init` writes."""

from pathlib import Path

import pytest
import yaml

from rehearsal.pulumi_cli.workspace import Workspace, WorkspaceError, complete_environment

CONFIG = {"p:environment": "dev", "p:aws": '{"account_id": "1", "assume_role_arn": null}', "p:list": '["a"]'}
INIT = """#!/bin/sh
echo "$@" >> $(dirname $0)/called
[ -z "$PULUMI_OPTION_CONFIG_FILE$PULUMI_STACK$PULUMI_ACCESS_TOKEN" ] || exit 1
echo "encryptionsalt: v1:salt" > Pulumi.$3.yaml
backend=${PULUMI_BACKEND_URL#file://}
state=${backend%\\?metadata=skip}/.pulumi/stacks/aurora-global-database
mkdir -p $state && echo {} > $state/$3.json
"""


def workspace(folder: Path, script: str = INIT) -> Workspace:
    """Return a workspace with a CLI that runs a script."""
    cli = folder / "cli" / "pulumi"
    cli.parent.mkdir()
    cli.write_text(script)
    cli.chmod(0o755)
    return Workspace(directory=folder / "work", cli=cli)


def test_settings_are_a_copy_with_the_salt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are objects again, and values that are not set are left out."""
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "of another backend")
    made = workspace(tmp_path)
    variables = made.prepare("dev", CONFIG, "http://127.0.0.1:1")
    file = Path(variables["PULUMI_OPTION_CONFIG_FILE"])
    assert yaml.safe_load(file.read_text()) == {
        "encryptionsalt": "v1:salt",
        "config": {"p:environment": "dev", "p:aws": {"account_id": "1"}, "p:list": ["a"]},
    }
    # A kill must not leave an empty file of attributes beside the state.
    assert variables["PULUMI_BACKEND_URL"] == f"{made.backend.as_uri()}?metadata=skip"
    assert variables["PATH"].startswith(f"{tmp_path / 'work' / 'plugins'}:{made.cli.parent}:")


def test_inherited_credentials_and_backends_are_left_out() -> None:
    """Otherwise a command could reach another account than the embedded AWS."""
    inherited = {"AWS_PROFILE": "prod", "PULUMI_ACCESS_TOKEN": "t", "HOME": "/root", "AWS_ENDPOINT_URL": "other"}
    assert complete_environment({"AWS_ENDPOINT_URL": "own"}, inherited) == {"HOME": "/root", "AWS_ENDPOINT_URL": "own"}


def test_second_run_keeps_the_stack(tmp_path: Path) -> None:
    """Only the settings are written again."""
    made = workspace(tmp_path)
    made.prepare("dev", CONFIG, "http://127.0.0.1:1")
    made.prepare("dev", {"p:environment": "test"}, "http://127.0.0.1:1")
    assert (made.cli.parent / "called").read_text() == "stack init dev --non-interactive\n"
    assert yaml.safe_load(made.settings_file("dev").read_text())["config"] == {"p:environment": "test"}


def test_failed_init_shows_the_error_of_the_cli(tmp_path: Path) -> None:
    """The text is the CLI's own."""
    made = workspace(tmp_path, "#!/bin/sh\necho 'error: no space' >&2\nexit 255\n")
    with pytest.raises(WorkspaceError, match=r"^pulumi stack init dev: error: no space$"):
        made.prepare("dev", CONFIG, "http://127.0.0.1:1")
