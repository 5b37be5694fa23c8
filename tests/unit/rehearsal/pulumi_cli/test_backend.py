"""What a local backend says of a stack."""

import json
from pathlib import Path
from typing import Any

from rehearsal.provider.resources.values import SIGNATURE_KEY, secret
from rehearsal.provider.wire import ARCHIVE_SIGNATURE
from rehearsal.pulumi_cli.backend import Checkpoint, read_checkpoint


def write_state(backend: Path, latest: Any) -> None:
    """Write a stack's state as the CLI does."""
    file = backend / ".pulumi" / "stacks" / "project" / "dev.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": 3, "checkpoint": {"stack": "dev", "latest": latest}}))


def test_stack_that_does_not_exist(tmp_path: Path) -> None:
    """The backend may be empty."""
    assert read_checkpoint(tmp_path, "project", "dev") is None


def test_new_stack_has_no_resources(tmp_path: Path) -> None:
    """`pulumi stack init` writes no deployment."""
    write_state(tmp_path, None)
    assert read_checkpoint(tmp_path, "project", "dev") == Checkpoint(resources=0, outputs={}, is_locked=False)


def test_outputs_are_those_of_the_stack_with_secrets_masked(tmp_path: Path) -> None:
    """A secret is encrypted at any depth. Other marked values, such as an archive, are not secret."""
    archive = {SIGNATURE_KEY: ARCHIVE_SIGNATURE, "hash": "0"}
    outputs = {"name": "a", "regions": [{"password": secret("cipher")}], "code": archive}
    stack, other = (
        {"type": "pulumi:pulumi:Stack", "outputs": outputs},
        {"type": "aws:ec2/vpc:Vpc", "outputs": {"id": 1}},
    )
    write_state(tmp_path, {"resources": [stack, other]})
    found = read_checkpoint(tmp_path, "project", "dev")
    assert found is not None
    assert found.resources == 2
    assert found.outputs == {"name": "a", "regions": [{"password": "[secret]"}], "code": archive}


def test_operation_in_progress_locks_the_stack(tmp_path: Path) -> None:
    """The lock of a killed operation stays until `pulumi cancel`."""
    write_state(tmp_path, {"resources": []})
    lock = tmp_path / ".pulumi" / "locks" / "organization" / "project" / "dev" / "1.json"
    lock.parent.mkdir(parents=True)
    lock.write_text("{}")
    found = read_checkpoint(tmp_path, "project", "dev")
    assert found is not None
    assert found.is_locked
