"""What a refresh reads of a cluster is what a change of roles swaps."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.refresh import cluster_roles

MEMBERS = [{"DBClusterArn": "east", "IsWriter": False}, {"DBClusterArn": "west", "IsWriter": True}]
GLOBAL: list[Any] = [{"GlobalClusterIdentifier": "g", "GlobalClusterMembers": MEMBERS}]
DESCRIBED = {"EngineVersion": "8", "MasterUsername": "u", "DatabaseName": "d", "ReaderEndpoint": "ro", "Endpoint": "rw"}


def test_a_standby_names_its_source_and_no_endpoint() -> None:
    """It replicates from the writer, has no user to say, and keeps the database's name whether it says it or not."""
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


def test_a_writer_names_no_source() -> None:
    """It has its endpoint, user and database."""
    inputs, outputs = cluster_roles({**DESCRIBED, "DBClusterArn": "west"}, GLOBAL)
    assert (None, "u", "d", "rw") == (
        inputs["replicationSourceIdentifier"],
        inputs["masterUsername"],
        inputs["databaseName"],
        outputs["endpoint"],
    )


def test_a_cluster_in_no_global_cluster_says_so() -> None:
    """Somebody took it out."""
    inputs, _outputs = cluster_roles({**DESCRIBED, "DBClusterArn": "elsewhere"}, GLOBAL)
    assert (None, None) == (inputs["globalClusterIdentifier"], inputs["replicationSourceIdentifier"])
