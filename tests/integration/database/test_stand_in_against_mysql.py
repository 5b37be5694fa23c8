"""The stand-in of the rehearsal against MySQL: one list of statements, the same answers or a documented difference."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from functions.shared.iam_token import sign_token
from rehearsal.aurora.global_database import GlobalDatabase, MasterLogin
from rehearsal.aurora.server import MySQLServer
from rehearsal.network.certificates import CertificateAuthority
from tests.integration.database.conftest import REGION
from tests.support.documented_answers import Difference, documented_differences
from tests.support.mysql_server import MASTER, MASTER_PASSWORD, PrivateMysqlServer

STATEMENTS = [
    tuple(line.split("> ", 1))
    for line in Path(__file__).with_name("statements.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


class Client:
    """Runs statements on one server, each user in its own connection."""

    def __init__(self, port: int, authority: CertificateAuthority) -> None:
        self._port, self._authority = port, authority
        self._connections: dict[str, pymysql.Connection] = {}

    def answer(self, user: str, statement: str) -> str:
        """Return the answer as one line: titles and rows, the number of affected rows, or the error."""
        try:
            if user not in self._connections:
                self._connections[user] = self._connect(user)
            with self._connections[user].cursor() as cursor:
                affected = cursor.execute(statement)
                rows = [repr(row) for row in cursor.fetchall()]
        except pymysql.MySQLError as error:
            return f"error {error.args[0]} ({getattr(error, 'sqlstate', '')})"
        if cursor.description is None:
            return f"{affected} affected"
        ordered = rows if "ORDER BY" in statement else sorted(rows)
        return f"{', '.join(column[0] for column in cursor.description)}: {' '.join(ordered)}".strip()

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            connection.close()

    def _connect(self, user: str) -> pymysql.Connection:
        password = MASTER_PASSWORD
        if user != MASTER:
            password = sign_token(host="localhost", port=self._port, region=REGION, user=user)
        tls = self._authority.client_context()
        return pymysql.connect(
            host="localhost", port=self._port, user=user, password=password, ssl=tls, autocommit=True
        )


@pytest.fixture
def stand_in(authority: CertificateAuthority) -> Iterator[Client]:
    """A client of the stand-in."""
    database = GlobalDatabase(clock=time.time, replication_lag_seconds=0.0)
    master = MasterLogin(name=MASTER, password=MASTER_PASSWORD)
    cluster = database.add_cluster("payments-us-east-1-dev", REGION, writer=True, master=master)
    with MySQLServer() as server:
        tls = authority.server_context(["localhost"])
        listener = server.listen(cluster, host_names=["localhost"], ssl_context=tls, endpoint_port=None)
        client = Client(listener.port, authority)
        yield client
        client.close()
    database.close()


@pytest.fixture
def mysql(server: PrivateMysqlServer, authority: CertificateAuthority) -> Iterator[Client]:
    """A client of MySQL."""
    server.reset()
    client = Client(server.port, authority)
    yield client
    client.close()


def test_every_answer_is_the_same_or_documented(
    mysql: Client, stand_in: Client, lambda_environment: None, record_property: Any
) -> None:
    """The page lists each difference once, with both answers, and no difference that is none."""
    differences: dict[tuple[str, str], Difference] = {}
    for user, statement in STATEMENTS:
        theirs, ours = mysql.answer(user, statement), stand_in.answer(user, statement)
        if theirs != ours:
            differences[user, statement] = Difference(mysql=theirs, stand_in=ours)
    record_property("statements", len(STATEMENTS))
    documented = documented_differences()
    undocumented = {key: found for key, found in differences.items() if not _is_documented(key, found, documented)}
    assert {} == undocumented
    assert set() == set(documented) - {statement for _, statement in differences}


def _is_documented(key: tuple[str, str], found: Difference, documented: dict[str, Difference]) -> bool:
    listed = documented.get(key[1])
    return listed is not None and all(
        re.fullmatch(".*".join(map(re.escape, pattern.split("..."))), answer, re.DOTALL)
        for pattern, answer in ((listed.mysql, found.mysql), (listed.stand_in, found.stand_in))
    )
