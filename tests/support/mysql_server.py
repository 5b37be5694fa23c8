"""A private MySQL server for the tests, set up as Aurora MySQL 3 is.

It listens on 127.0.0.1 with TLS only, has `partial_revokes=ON`, an event scheduler and `AWSAuthenticationPlugin`, and a
master user whose privileges come from a role that is not a default role. It is ended by its own process id.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from rehearsal.network.certificates import CertificateAuthority
from tests.support.ports import reserve_port
from tests.support.waiting import WAIT_SECONDS
from tools.fetch_mysql import FetchError, find

MASTER = "admin"
MASTER_PASSWORD = secrets.token_urlsafe(12)
ROLE = "rds_superuser_role"
ROLE_PRIVILEGES = (
    "ALTER, ALTER ROUTINE, CREATE, CREATE ROLE, CREATE ROUTINE, CREATE TEMPORARY TABLES, CREATE USER, CREATE VIEW, DELETE, "
    "DROP, DROP ROLE, EVENT, EXECUTE, INDEX, INSERT, LOCK TABLES, PROCESS, REFERENCES, RELOAD, REPLICATION CLIENT, "
    "REPLICATION SLAVE, SELECT, SHOW DATABASES, SHOW VIEW, TRIGGER, UPDATE, APPLICATION_PASSWORD_ADMIN, CONNECTION_ADMIN, "
    "ROLE_ADMIN, XA_RECOVER_ADMIN"
)
"""The privileges of Aurora's role, but for SET_USER_ID, which MySQL 8.4 replaced.

Source: Master user account privileges, Amazon Aurora User Guide.
"""
SOURCE = Path(__file__).with_name("aws_authentication_plugin.c")
PLUGIN = "aws_authentication.so"
OPTIONS = (
    *("--bind-address=127.0.0.1", "--loose-mysqlx=OFF", "--skip-log-bin", "--secure-file-priv=NULL"),
    *(
        "--partial-revokes=ON",
        "--event-scheduler=ON",
        "--require-secure-transport=ON",
        "--activate-all-roles-on-login=ON",
    ),
    *("--innodb-buffer-pool-size=32M", "--loose-innodb-redo-log-capacity=16M", "--performance-schema=OFF"),
    "--innodb-flush-log-at-trx-commit=0",
)


def require_mysqld() -> str:
    """Return the path of this machine's MySQL server; skip without one, or fail with REQUIRE_MYSQL."""
    try:
        path = find(os.environ)
    except FetchError as error:
        pytest.fail(str(error))
    missing = "no mysqld on this machine. Run python3 tools/fetch_mysql.py, or set MYSQLD to its path"
    if path and not shutil.which("cc"):
        path, missing = None, "no C compiler on this machine: the server's authentication plugin needs one"
    if path is None:
        if os.environ.get("REQUIRE_MYSQL"):
            pytest.fail(f"REQUIRE_MYSQL is set, but there is {missing}")
        pytest.skip(missing)
    return path


class PrivateMysqlServer:
    """A server with its own data directory. A context manager; `start` and `stop` may be repeated.

    Args:
        mysqld: path of the server.
        authority: signs the certificate for localhost.
        options: more options of mysqld, also for the creation of the data directory.
    """

    def __init__(self, mysqld: str, authority: CertificateAuthority, options: Sequence[str] = ()) -> None:
        # A short path: the name of a Unix socket has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="mysqld-"))
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._program = self._own_program(Path(mysqld))
        self._authority = authority
        self._certificate = authority.server_certificate(["localhost"])
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        if sys.platform != "linux":
            self._reserved.close()  # other systems let no second socket bind a reserved port

    def __enter__(self) -> "PrivateMysqlServer":
        with ExitStack() as failed:
            failed.callback(self.__exit__)
            self._compile_plugin()
            created = subprocess.run(self._command("--initialize-insecure"), capture_output=True, check=False)
            if created.returncode:
                raise RuntimeError(f"mysqld --initialize-insecure failed: {self.log[-2000:]}")
            self.start()
            self._create_master()
            failed.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # the data directory is not used again
            self._process.wait()
        self._reserved.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """The text of the error log since the last start."""
        path = self._folder / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, *options: str) -> None:
        """Start the server and wait until it answers. Raises RuntimeError with the end of its log."""
        (self._folder / "error.log").unlink(missing_ok=True)
        loaded = f"--plugin-load-add={PLUGIN}"
        self._process = subprocess.Popen(
            self._command(loaded, *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < give_up_at and self._process.poll() is None:
            try:
                return self.root().close()
            except pymysql.MySQLError:
                time.sleep(0.05)
        raise RuntimeError(f"mysqld did not start: {self.log[-2000:]}")

    def stop(self) -> None:
        """Shut the server down and wait for its end."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(WAIT_SECONDS)

    def root(self) -> pymysql.Connection:
        """Return a connection of the administrator, with every privilege, over the Unix socket."""
        return pymysql.connect(unix_socket=str(self._folder / "mysqld.sock"), user="root", autocommit=True)

    def connect(self, user: str, password: str, **options: Any) -> pymysql.Connection:
        """Return a connection over TCP and TLS, as a client's."""
        tls = self._authority.client_context()
        return pymysql.connect(host="localhost", port=self.port, user=user, password=password, ssl=tls, **options)

    def reset(self) -> None:
        """Remove the databases, users and roles of a test."""
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT schema_name FROM information_schema.schemata")
            system = {"mysql", "sys", "information_schema", "performance_schema"}
            for (name,) in [row for row in cursor.fetchall() if row[0] not in system]:
                cursor.execute(f"DROP DATABASE `{name}`")
            cursor.execute("SELECT user, host FROM mysql.user WHERE user NOT LIKE 'mysql.%%' AND user <> 'root'")
            for user, host in cursor.fetchall():
                if user not in (MASTER, ROLE):
                    cursor.execute("DROP USER %s@%s", (user, host))

    @contextmanager
    def global_variables(self, values: Mapping[str, object]) -> Iterator[None]:
        """Set global variables, as a parameter group does, and restore them at the end."""
        with self.root() as connection, connection.cursor() as cursor:
            before: dict[str, object] = {}
            for name in values:
                cursor.execute(f"SELECT @@GLOBAL.{name}")
                row = cursor.fetchone()
                assert row is not None
                before[name] = row[0]
            try:
                for name, value in values.items():
                    cursor.execute(f"SET GLOBAL {name} = %s", (value,))
                yield
            finally:
                for name, value in before.items():
                    cursor.execute(f"SET GLOBAL {name} = %s", (value,))

    def _create_master(self) -> None:
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {ROLE}")
            cursor.execute(f"GRANT {ROLE_PRIVILEGES} ON *.* TO {ROLE} WITH GRANT OPTION")
            cursor.execute(
                "SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'SET_USER_ID' LIMIT 1"
            )
            definer = "SET_USER_ID" if cursor.fetchone() else "SET_ANY_DEFINER"
            cursor.execute(f"GRANT {definer} ON *.* TO {ROLE} WITH GRANT OPTION")
            cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (MASTER, MASTER_PASSWORD))
            cursor.execute(f"GRANT {ROLE} TO %s@'%%' WITH ADMIN OPTION", (MASTER,))

    def _compile_plugin(self) -> None:
        target = self._folder / "plugins" / PLUGIN
        target.parent.mkdir()
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(target), str(SOURCE)]
        subprocess.run(command, check=True)

    def _own_program(self, mysqld: Path) -> tuple[str, ...]:
        """Return the command of a copy: AppArmor's profile of Ubuntu's mysqld allows Ubuntu's data directory only."""
        with mysqld.open("rb") as file:
            is_program = file.read(4) == b"\x7fELF"  # not a launcher, which knows the folders
        if not is_program:
            return (str(mysqld),)
        copy = shutil.copy2(mysqld, self._folder / "mysqld")
        return (str(copy), f"--basedir={mysqld.resolve().parents[1]}")

    def _command(self, *options: str) -> list[str]:
        program, *first = self._program
        folder = self._folder
        return [
            *(program, "--no-defaults", *first, *OPTIONS, f"--datadir={folder / 'data'}", f"--port={self.port}"),
            f"--plugin-dir={folder / 'plugins'}",
            *(f"--socket={folder / 'mysqld.sock'}", f"--pid-file={folder / 'mysqld.pid'}"),
            *(f"--log-error={folder / 'error.log'}", f"--ssl-ca={self._authority.bundle}"),
            *(f"--ssl-cert={self._certificate}", f"--ssl-key={self._certificate}"),
            *(["--user=root"] if os.geteuid() == 0 else []),
            *self._options,
            *options,
        ]
