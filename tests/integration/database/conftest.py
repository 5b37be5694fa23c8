"""database_setup and health_check on a real MySQL server, deployed as the program deploys them."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest

from functions.database_setup import handler as database_setup
from functions.health_check import handler as health_check
from functions.shared.iam_token import sign_token
from rehearsal.network.certificates import CertificateAuthority
from tests.support.mysql_server import MASTER, MASTER_PASSWORD, PrivateMysqlServer, require_mysqld
from tests.support.waiting import WAIT_SECONDS

REGION = "us-east-1"
ROTATED = "rotated-since-then"
"""A password that is no longer right: the function logs in as its own user."""


def grant(privileges: str, user: str, database: str = "pay_ments") -> str:
    """Return the line of SHOW GRANTS for a whole database."""
    return f"GRANT {privileges} ON `{database}`.* TO `{user}`@`%`"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """A CA for the whole run."""
    return CertificateAuthority.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def server(authority: CertificateAuthority) -> Iterator[PrivateMysqlServer]:
    """One server for the whole run."""
    with PrivateMysqlServer(require_mysqld(), authority) as started:
        yield started


@dataclass(kw_only=True)
class Deployment:
    """The functions with the environment and requests that the program gives them."""

    server: PrivateMysqlServer
    monkeypatch: pytest.MonkeyPatch
    database: str = "pay_ments"

    def setup(self, users: Mapping[str, str] | None = None, *, password: str = MASTER_PASSWORD) -> dict[str, Any]:
        """Invoke database_setup with these IAM users."""
        cluster = {"host": "localhost", "port": float(self.server.port), "region": REGION}
        self.monkeypatch.setenv("DATABASE", self.database)
        self.monkeypatch.setenv("CLUSTERS", json.dumps([cluster]))
        self.monkeypatch.setenv("IAM_USERS", json.dumps(users or {}))
        database_setup.cold_start.cache_clear()
        request = {"host": "localhost", "port": self.server.port, "username": MASTER, "password": password}
        return database_setup.handler(request, None)

    def probe(self) -> dict[str, Any]:
        """Invoke health_check and return its report about the server."""
        health_check.cold_start.cache_clear()
        target = {"cluster": "c", "region": REGION, "host": "localhost", "port": self.server.port, "sources": True}
        answer = health_check.handler({"targets": [target], "deadline_ms": WAIT_SECONDS * 1000}, None)
        probes = answer["probes"]
        assert isinstance(probes, list)
        return probes[0]

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the administrator and return the rows of the last one."""
        with self.server.root() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def query_as_master(self, statement: str) -> None:
        """Run a statement as the master user: an administrator's event could be changed by administrators only."""
        with self.server.connect(MASTER, MASTER_PASSWORD) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def log_in(self, user: str, **options: Any) -> pymysql.Connection:
        """Return a connection of an IAM user."""
        token = sign_token(host="localhost", port=self.server.port, region=REGION, user=user)
        return self.server.connect(user, token, autocommit=True, **options)

    def grants(self, user: str) -> list[str]:
        """Return the grants of a user, but for the USAGE that everyone has."""
        return [row[0] for row in self.query(f"SHOW GRANTS FOR '{user}'@'%'") if "GRANT USAGE ON *.*" not in row[0]]

    def can(self, user: str, statement: str) -> bool:
        """Return whether an IAM user may run a statement."""
        with self.log_in(user) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(statement)
            except pymysql.MySQLError as error:
                assert error.args[0] in (1044, 1142, 1143, 1227, 1370), error
                return False
            return True


@pytest.fixture
def lambda_environment(monkeypatch: pytest.MonkeyPatch, authority: CertificateAuthority) -> Iterator[None]:
    """Set the environment variables that Lambda and the program give the functions."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a/secret+key",
        "DATABASE_USER": "health_check",
        "HEALTH_CHECK_USER": "health_check",
        "CA_BUNDLE": str(authority.bundle),
    }.items():
        monkeypatch.setenv(name, value)
    # A stall of this machine is no failure.
    monkeypatch.setattr("functions.health_check.model.LONGEST_DEADLINE_MS", WAIT_SECONDS * 1000)
    monkeypatch.setattr("functions.database_setup.setup.HEARTBEAT_SECONDS", WAIT_SECONDS)
    yield
    database_setup.cold_start.cache_clear()
    health_check.cold_start.cache_clear()


@pytest.fixture
def deployed(server: PrivateMysqlServer, monkeypatch: pytest.MonkeyPatch, lambda_environment: None) -> Deployment:
    """An empty server with the application's database."""
    server.reset()
    deployment = Deployment(server=server, monkeypatch=monkeypatch)
    deployment.query("CREATE DATABASE pay_ments", "CREATE TABLE pay_ments.ledger (id INT PRIMARY KEY)")
    return deployment
