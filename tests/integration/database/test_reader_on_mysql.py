"""A server that ignores the case of names, and the same server as a reader: innodb_read_only is on, as on Aurora's."""

import pytest

from functions.database_setup.model import SetupError
from rehearsal.network.certificates import CertificateAuthority
from tests.integration.database.conftest import Deployment
from tests.support.mysql_server import PrivateMysqlServer, require_mysqld
from tests.support.waiting import wait_until


def uptime(deployed: Deployment) -> int:
    """Return the seconds since the server's start."""
    return int(deployed.query("SHOW GLOBAL STATUS LIKE 'Uptime'")[0][1])


def test_reader_that_ignores_the_case_of_names(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch, lambda_environment: None
) -> None:
    """The setup finds everything under either spelling; on the reader the event leaves no line in the error log."""
    with PrivateMysqlServer(require_mysqld(), authority, ["--lower-case-table-names=1"]) as server:
        deployed = Deployment(server=server, monkeypatch=monkeypatch, database="Payments")
        deployed.query("CREATE DATABASE Payments", "CREATE TABLE Payments.ledger (id INT PRIMARY KEY)")
        deployed.setup({"ann": "read_write"})
        deployed.setup({"ann": "read_only"})
        assert [] == deployed.setup({"ann": "read_only"})["created"]
        assert ["GRANT SELECT ON `payments`.* TO `ann`@`%`"] == deployed.grants("ann")
        assert deployed.can("ann", "SELECT * FROM PAYMENTS.ledger")

        server.stop()
        server.start("--innodb-read-only=ON")
        report = deployed.probe()
        assert (None, True, None) == (report["failure"], report["read_only"], report["heartbeat_write_ms"])
        assert {"database"} == set(report["heartbeat_sources"])
        answer = deployed.setup({"ann": "read_only"})
        assert (True, [], []) == (answer["read_only"], answer["created"], answer["removed"])
        with pytest.raises(SetupError, match=r"missing in the database: removal of IAM user ann, IAM user bob\. "):
            deployed.setup({"bob": "read_only"})
        # The scheduler still starts the event each second.
        started_at = uptime(deployed)
        assert wait_until(lambda: uptime(deployed) >= started_at + 2, pause_seconds=0.2)
        assert [("ON",)] == deployed.query("SELECT @@event_scheduler")
        assert "Event Scheduler: [" not in server.log
