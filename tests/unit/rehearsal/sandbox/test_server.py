"""How the sandbox follows a stack that the Pulumi CLI deploys and destroys."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from rehearsal.environment import Environment
from rehearsal.pulumi_cli.backend import Checkpoint
from rehearsal.sandbox.server import SandboxServer


class RecordingEnvironment:
    """Records what the server does with the environment."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def attach(self, outputs: Any) -> None:
        """Record the outputs."""
        self.calls.append(f"attach {outputs['regions']}")

    def detach(self) -> None:
        """Record the end."""
        self.calls.append("detach")

    def start_controllers(self) -> None:
        """Record the start."""
        self.calls.append("start")


def checkpoint(regions: str = "", *, locked: bool = False) -> Checkpoint:
    """Return a stack with or without outputs."""
    return Checkpoint(resources=2 if regions else 0, outputs={"regions": regions} if regions else {}, is_locked=locked)


def follow(*checkpoints: Checkpoint | None) -> tuple[list[str], list[bool]]:
    """Return the environment's calls, and whether the outputs changed."""
    environment = RecordingEnvironment()
    server = SandboxServer(environment=cast("Environment", environment), token="t")
    return environment.calls, [server.follow(each) for each in checkpoints]


def test_controllers_start_once_after_the_deployment() -> None:
    """An update with other outputs attaches again; the controllers run already."""
    calls, changed = follow(None, checkpoint(), checkpoint("a"), checkpoint("a"), checkpoint("b"))
    assert ["attach a", "start", "attach b"] == calls
    assert [False, False, True, False, True] == changed


def test_destroyed_stack_is_detached() -> None:
    """A later deployment starts the controllers again."""
    calls, _ = follow(checkpoint("a"), checkpoint(), checkpoint(), checkpoint("c"))
    assert ["attach a", "start", "detach", "attach c", "start"] == calls


def test_operation_in_progress_changes_nothing() -> None:
    """Half a stack has outputs of the operation before."""
    calls, changed = follow(checkpoint("a", locked=True), checkpoint("a"), checkpoint(locked=True))
    assert (["attach a", "start"], [False, True, False]) == (calls, changed)


def test_status_leaves_out_a_deleted_cluster() -> None:
    """An operator deletes a cluster on the way back from a detachment."""
    regions = [
        SimpleNamespace(name=name, cluster_id=f"payments-{name}", writer_endpoint=f"{name}.rds")
        for name in ("us-east-1", "eu-west-1")
    ]
    environment = SimpleNamespace(
        stack="dev",
        interval_seconds=10.0,
        failover_overrides={},
        regions=regions,
        network=SimpleNamespace(
            regions=("us-east-1", "eu-west-1"),
            failed_regions=frozenset(),
            address=lambda _endpoint, from_region: ("127.0.0.1", 3306),
        ),
        authority=SimpleNamespace(bundle=Path("ca.pem")),
        control_plane=SimpleNamespace(url="http://127.0.0.1:1"),
        faults=SimpleNamespace(endpoint=lambda _caller: "http://127.0.0.1:2"),
        find_cluster=lambda region: SimpleNamespace(is_writer=True) if region.name == "eu-west-1" else None,
    )
    server = SandboxServer(environment=cast("Environment", environment), token="t")
    server._outputs = {}
    assert [(each["region"], each["is_writer"]) for each in server._status()["clusters"]] == [("eu-west-1", True)]
