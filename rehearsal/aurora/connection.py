"""A client connection in MySQL's wire protocol: greeting, TLS, log-in and commands, based on mysql-mimic.

A client must use TLS and log in before any command is answered.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mysql_mimic import packets
from mysql_mimic.auth import (
    AbstractClearPasswordAuthPlugin,
    AuthPlugin,
    IdentityProvider,
    NativePasswordAuthPlugin,
    User,
)
from mysql_mimic.charset import CharacterSet
from mysql_mimic.connection import Connection
from mysql_mimic.control import LocalControl
from mysql_mimic.errors import ErrorCode, MysqlError
from mysql_mimic.packets import SSLRequest
from mysql_mimic.results import AllowedResult, ResultColumn, ResultSet
from mysql_mimic.session import BaseSession
from mysql_mimic.stream import MysqlStream
from mysql_mimic.types import ColumnType, ServerStatus
from mysql_mimic.variables import GlobalVariables, SessionVariables

from rehearsal.aurora.accounts import IAM_PLUGIN, PASSWORD_PLUGIN
from rehearsal.aurora.cluster import Cluster
from rehearsal.aurora.iam_tokens import TokenAudience, token_refusal
from rehearsal.aurora.session import MysqlSession, Result
from rehearsal.aurora.sql_error import SqlError

logger = logging.getLogger(__name__)

_LOST_CONNECTION = 2013
_UNUSABLE_HASH = "00" * 20  # no password has this hash
_COLUMN_TYPES = {
    "integer": ColumnType.LONGLONG,
    "double": ColumnType.DOUBLE,
    "decimal": ColumnType.NEWDECIMAL,
    "text": ColumnType.VAR_STRING,
    "blob": ColumnType.BLOB,
    "date": ColumnType.DATE,
    "datetime": ColumnType.DATETIME,
}


class ClientGoneError(Exception):
    """The connection ended: the client left, broke the protocol or was refused, or the cluster stopped."""


class _ClusterStopped(BaseException):
    """The cluster stopped or changed its role. A BaseException, because mysql-mimic catches Exception."""


@dataclass(frozen=True, kw_only=True)
class LoginContext:
    """The cluster, token audience, clock and known secret keys that a log-in is checked against."""

    cluster: Cluster
    audience: TokenAudience
    clock: Callable[[], float]
    secret_key_of: Callable[[str], str | None] | None


class _IamTokenPlugin(AbstractClearPasswordAuthPlugin):
    """The server's side of AWSAuthenticationPlugin: the client sends its token through mysql_clear_password."""

    name = IAM_PLUGIN

    def __init__(self, login: LoginContext) -> None:
        self._login = login

    async def check(self, username: str, password: str) -> str | None:
        """Return the user if the token is valid. Only the log has the reason of a refusal, as in RDS."""
        refusal = token_refusal(
            password,
            user=username,
            audience=self._login.audience,
            now=self._login.clock(),
            secret_key_of=self._login.secret_key_of,
        )
        if refusal:
            logger.warning("%s: token of user %s refused: %s", self._login.cluster.id, username, refusal)
        return None if refusal else username


class _Identities(IdentityProvider):
    """The cluster's accounts, as mysql-mimic's identity provider."""

    def __init__(self, login: LoginContext) -> None:
        self._login = login

    def get_plugins(self) -> Sequence[AuthPlugin]:
        """Return the authentication plugins. The greeting announces the first."""
        return [NativePasswordAuthPlugin(), _IamTokenPlugin(self._login)]

    async def get_user(self, username: str) -> User | None:
        """Return the account. An unknown user gets an unusable password: the error is the same as for a wrong one."""
        account = self._login.cluster.account(username)
        if account is None:
            return User(name=username, auth_plugin=PASSWORD_PLUGIN, auth_string=_UNUSABLE_HASH)
        return User(name=account.user, auth_plugin=account.plugin, auth_string=account.authentication)


class _WireSession(BaseSession):
    """The session that mysql-mimic uses for the commands that AuroraConnection doesn't handle."""

    def __init__(self) -> None:
        self.variables = SessionVariables(GlobalVariables())
        self.username = None
        self.database = None
        self.aurora: MysqlSession | None = None

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> AllowedResult:
        """Run a prepared statement. AuroraConnection handles plain queries."""
        assert self.aurora is not None
        try:
            return result_set(self.aurora.execute(sql))
        except SqlError as error:
            raise MysqlError(error.message, cast(ErrorCode, error.code)) from error

    async def close(self) -> None:
        """Roll back the open transaction."""
        if self.aurora is not None:
            self.aurora.close()


class AuroraConnection(Connection):
    """A client connection to a cluster."""

    def __init__(self, sock: socket.socket, login: LoginContext, tls: ssl.SSLContext, connection_id: int) -> None:
        self.wire_session = _WireSession()
        # Before TLS this class reads the socket: a stream would read ahead into the TLS client hello.
        super().__init__(
            stream=cast(MysqlStream, None),
            session=self.wire_session,
            control=LocalControl(),
            identity_provider=_Identities(login),
            ssl=tls,
        )
        self.connection_id = connection_id
        self.transport: asyncio.Transport | None = None
        self.latency_seconds: Callable[[], float] = lambda: 0.0
        self.status_flags = ServerStatus.SERVER_STATUS_AUTOCOMMIT
        self._sock = sock
        self._login = login

    async def greet(self) -> None:
        """Send the greeting and read the client's TLS request. Raises ClientGoneError."""
        default_plugin = self.identity_provider.get_default_plugin()
        data, self._auth_state = await default_plugin.start()
        assert isinstance(data, bytes)
        self.handshake_auth_data, self.handshake_auth_plugin = data, default_plugin.name
        greeting = packets.make_handshake_v10(
            capabilities=self.server_capabilities,
            server_charset=self.server_charset,
            server_version="8.0.42",
            connection_id=self.connection_id,
            auth_data=data,
            status_flags=self.status_flags,
            auth_plugin_name=default_plugin.name,
        )
        await self._send_raw(greeting, sequence=0)
        header = await self._read_raw(4)
        length = int.from_bytes(header[:3], "little")
        if length > 65536 or header[3] != 1:
            raise ClientGoneError("the client does not speak the MySQL protocol")
        body = await self._read_raw(length)
        try:
            response = packets.parse_handshake_response(capabilities=self.server_capabilities, data=body)
        except Exception as error:  # mysql-mimic raises various exceptions for invalid packets
            raise ClientGoneError("the client does not speak the MySQL protocol") from error
        if not isinstance(response, SSLRequest):
            refusal = "Connections using insecure transport are prohibited while --require_secure_transport=ON."
            await self._send_raw(self.sql_error(SqlError(3159, "HY000", refusal)), sequence=2)
            raise ClientGoneError("the client did not request TLS")

    async def start_tls(self) -> None:
        """Do the TLS handshake. Raises OSError or ssl.SSLError."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, self._sock, ssl=self.ssl, ssl_handshake_timeout=30.0, ssl_shutdown_timeout=1.0
        )
        self.transport = transport
        self.stream = MysqlStream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        next(self.stream.seq)  # the greeting
        next(self.stream.seq)  # the TLS request

    async def serve(self) -> None:
        """Log the client in and answer its commands. Raises ClientGoneError, OSError or ssl.SSLError."""
        try:
            response = packets.parse_handshake_response_41(
                capabilities=self.server_capabilities, data=await self.stream.read()
            )
        except Exception as error:  # mysql-mimic raises various exceptions for invalid packets
            raise ClientGoneError("the client sent no valid log-in") from error
        self.capabilities = response.capabilities & self.server_capabilities
        self.client_plugin_name = response.client_plugin
        self.session.database = response.database
        await self.authenticate(
            auth_state=self._auth_state,
            server_plugin=self.identity_provider.get_default_plugin(),
            username=response.username,
            client_plugin_name=response.client_plugin,
            auth_response=response.auth_response,
            connect_attrs=response.connect_attrs,
        )
        if self.session.username is None or self.wire_session.aurora is None:
            raise ClientGoneError("the log-in was refused")
        self.stream.reset_seq()
        try:
            await self.command_phase()
        except _ClusterStopped as error:
            raise ClientGoneError("the cluster stopped or changed its role") from error
        finally:
            await self.session.close()

    def ok(self, **kwargs: Any) -> bytes:
        """Return an OK packet. The first one, after authentication, opens the session or is an error packet."""
        if self.wire_session.aurora is None and self.session.username is not None:
            try:
                account = self._login.cluster.account(self.session.username)
                if account is not None and account.is_locked:
                    locked = f"Access denied for user '{account.user}'@'{account.host}'. Account is locked."
                    raise SqlError(3118, "HY000", locked)
                session = self._login.cluster.session(self.session.username, self.connection_id)
                if self.session.database:
                    session.use(self.session.database)
            except SqlError as error:
                return self.sql_error(error)
            self.wire_session.aurora = session
        return super().ok(**kwargs)

    def error(self, **kwargs: Any) -> bytes:
        """Return an error packet with MySQL's SQLSTATE for a refused log-in."""
        code = int(kwargs.get("code", ErrorCode.UNKNOWN_ERROR))
        state = "28000" if code == ErrorCode.ACCESS_DENIED_ERROR else "HY000"
        return self.sql_error(SqlError(code, state, str(kwargs.get("msg", ""))))

    def sql_error(self, error: SqlError) -> bytes:
        """Return the error packet of a SqlError."""
        return b"\xff" + error.code.to_bytes(2, "little") + b"#" + error.state.encode() + error.message.encode()

    async def handle_query(self, data: bytes) -> None:
        """Answer a query with rows, OK or an error."""
        delay = self.latency_seconds()
        if delay > 0:
            await asyncio.sleep(delay)
        query = packets.parse_com_query(capabilities=self.capabilities, client_charset=CharacterSet.utf8mb4, data=data)
        session = self.wire_session.aurora
        assert session is not None
        try:
            result = session.execute(query.sql)
        except SqlError as error:
            if error.code == _LOST_CONNECTION:
                raise _ClusterStopped from error
            await self.stream.write(self.sql_error(error))
            return
        self._update_status(session)
        if result.columns:
            await self.write_text_resultset(result_set(result))
            return
        await self.stream.write(self.ok(affected_rows=result.affected_rows, last_insert_id=result.last_insert_id))

    async def handle_init_db(self, data: bytes) -> None:
        """Set the default database."""
        session = self.wire_session.aurora
        assert session is not None
        try:
            session.use(data.decode())
        except SqlError as error:
            await self.stream.write(self.sql_error(error))
        else:
            await self.stream.write(self.ok())

    async def handle_change_user(self, data: bytes) -> None:
        """Refuse COM_CHANGE_USER."""
        await self.stream.write(self.sql_error(SqlError(1047, "08S01", "Unknown command")))

    def _update_status(self, session: MysqlSession) -> None:
        self.status_flags = ServerStatus(0)
        if session.autocommit:
            self.status_flags |= ServerStatus.SERVER_STATUS_AUTOCOMMIT
        if session.in_transaction:
            self.status_flags |= ServerStatus.SERVER_STATUS_IN_TRANS

    async def _send_raw(self, payload: bytes, *, sequence: int) -> None:
        packet = len(payload).to_bytes(3, "little") + bytes([sequence]) + payload
        await asyncio.get_running_loop().sock_sendall(self._sock, packet)

    async def _read_raw(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await asyncio.get_running_loop().sock_recv(self._sock, size - len(data))
            if not more:
                raise ClientGoneError("connection closed")
            data += more
        return data


def result_set(result: Result) -> ResultSet:
    """Convert a result for mysql-mimic."""
    columns = [
        ResultColumn(
            name=column.name,
            type=_COLUMN_TYPES[column.type],
            character_set=CharacterSet.binary if column.type == "blob" else CharacterSet.utf8mb4,
        )
        for column in result.columns
    ]
    return ResultSet(rows=list(result.rows), columns=columns)
