"""Tests of refresh: the properties of a cluster that a change of roles swaps."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.refresh import cluster_roles

MEMBERS = [{"DBClusterArn": "east", "IsWriter": False}, {"DBClusterArn": "west", "IsWriter": True}]
GLOBAL: list[Any] = [{"GlobalClusterIdentifier": "g", "GlobalClusterMembers": MEMBERS}]
DESCRIBED = {"EngineVersion": "8", "MasterUsername": "u", "DatabaseName": "d", "ReaderEndpoint": "ro", "Endpoint": "rw"}


def test_standby_has_a_source_and_no_endpoint() -> None:
    """A standby has no master user, and keeps its database name if AWS returns none."""
    silent = {name: value for name, value in DESCRIBED.items() if name != "DatabaseName"}
    assert "databaseName" not in cluster_roles({**silent, "DBClusterArn": "east"}, GLOBAL)[0]
    inputs, outputs = cluster_roles({**DESCRIBED, "DBClusterArn": "east"}, GLOBAL)
    assert inputs == {
        "replicationSourceIdentifier": "west",
        "globalClusterIdentifier": "g",
        "engineVersion": "8",
        "masterUsername": None,
        "databaseName": "d",
    }
    assert outputs == {"endpoint": "", "readerEndpoint": "ro"}


def test_writer_has_no_source() -> None:
    """A writer has an endpoint, a master user and a database."""
    inputs, outputs = cluster_roles({**DESCRIBED, "DBClusterArn": "west"}, GLOBAL)
    assert (None, "u", "d", "rw") == (
        inputs["replicationSourceIdentifier"],
        inputs["masterUsername"],
        inputs["databaseName"],
        outputs["endpoint"],
    )


def test_detached_cluster_has_no_global_cluster() -> None:
    """The cluster was removed outside of the stack."""
    inputs, _outputs = cluster_roles({**DESCRIBED, "DBClusterArn": "elsewhere"}, GLOBAL)
    assert (None, None) == (inputs["globalClusterIdentifier"], inputs["replicationSourceIdentifier"])
