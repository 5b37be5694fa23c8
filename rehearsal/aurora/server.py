"""Listeners that speak MySQL for the clusters, with injectable faults.

A listener binds 127.0.0.1 only and keeps its port through every fault. Closing the server ends every thread, task and
socket.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Self

from mysql_mimic.stream import ConnectionClosed

from rehearsal.aurora.cluster import Cluster
from rehearsal.aurora.connection import AuroraConnection, ClientGoneError, LoginContext
from rehearsal.aurora.iam_tokens import TokenAudience
from rehearsal.support.event_loop import LoopThread

logger = logging.getLogger(__name__)

_PAUSE_AFTER_FAILED_ACCEPT_SECONDS = 0.05
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close sends RST instead of FIN


class Fault(StrEnum):
    """A fault of a listener. The fault applies to new and established connections."""

    NONE = "none"
    REFUSE = "refuse"  # refuse new connections, reset established ones
    HANG = "hang"  # accept connections and send no data, not even a FIN
    RESET = "reset"  # reset connections, new ones right after accepting them


class MySQLServer:
    """All listeners, in one background thread. A context manager; thread-safe.

    Args:
        clock: returns seconds since the epoch, for the age of tokens.
        secret_key_of: returns the secret key of an access key, or None. Without it, signatures are not checked.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        secret_key_of: Callable[[str], str | None] | None = None,
    ) -> None:
        self._clock = clock
        self._secret_key_of = secret_key_of
        self._thread = LoopThread("mysql-server")
        self._listeners: list[MySQLListener] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every listener and connection and stop the thread. Safe to call twice."""
        try:
            for listener in tuple(self._listeners):
                listener.close()
        finally:
            self._thread.stop()

    def listen(
        self,
        cluster: Cluster,
        *,
        host_names: Sequence[str],
        ssl_context: ssl.SSLContext,
        endpoint_port: int | None = 3306,
    ) -> MySQLListener:
        """Start a listener on a free loopback port.

        IAM tokens must be signed for one of `host_names` and for `endpoint_port` (None: the listener's own port).
        """
        reservation = _bound_socket(0)
        port = endpoint_port if endpoint_port is not None else reservation.getsockname()[1]
        login = LoginContext(
            cluster=cluster,
            audience=TokenAudience.of(host_names, port, cluster.region),
            clock=self._clock,
            secret_key_of=self._secret_key_of,
        )
        listener = MySQLListener(self._thread, login, ssl_context, reservation, self._listeners)
        self._listeners.append(listener)
        return listener


class _Client:
    """An accepted connection and its task."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.connection: AuroraConnection | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_uninterruptible = False
        self.is_hanging = False

    def reset(self) -> None:
        """Close with a reset. Safe to call twice."""
        transport = self.connection.transport if self.connection else None
        wrapped = self.sock if transport is None else transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):  # the client may have closed; a lost transport has no socket
            wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        if transport is None:
            self.sock.close()
        else:
            transport.abort()

    def close(self) -> None:
        """Close the connection gracefully."""
        transport = self.connection.transport if self.connection else None
        if transport is None:
            self.sock.close()
        else:
            transport.close()


class MySQLListener:
    """One listening port for a cluster as seen from one region. MySQLServer.listen creates it. Thread-safe."""

    def __init__(
        self,
        thread: LoopThread,
        login: LoginContext,
        ssl_context: ssl.SSLContext,
        reservation: socket.socket,
        siblings: list[MySQLListener],
    ) -> None:
        self.cluster = login.cluster
        self.latency_seconds = 0.0
        """The delay of each statement."""
        self._thread = thread
        self._login = login
        self._ssl_context = ssl_context
        self._siblings = siblings
        self._fault = Fault.NONE
        self._clients: set[_Client] = set()
        self._connection_ids = itertools.count(1)
        self._listening: socket.socket | None = None
        # This second socket reserves the port while the listener refuses connections.
        self._reservation = reservation
        self.port: int = self._reservation.getsockname()[1]
        self._is_open = True
        thread.run(self._open())

    @property
    def fault(self) -> Fault:
        """The active fault."""
        return self._fault

    @property
    def connection_count(self) -> int:
        """The number of open connections, including hanging ones."""
        return len(self._clients)

    def set_fault(self, fault: Fault) -> None:
        """Set the fault and wait until it is active.

        When a hang ends, the hanging connections are reset.
        """
        if self._is_open:
            self._thread.run(self._set_fault(Fault(fault)))

    def close(self) -> None:
        """Stop listening, reset every connection and free the port. Safe to call twice."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._thread.run(self._shut())
        finally:
            self._reservation.close()
            self._siblings.remove(self)

    async def _open(self) -> None:
        listening = _bound_socket(self.port)
        listening.listen(128)
        self._listening = listening
        self._accept_connections()

    def _accept_connections(self) -> None:
        # A callback, because cancelling a task that awaits sock_accept can lose an accepted socket.
        if self._listening is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    def _stop_listening(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()

    async def _set_fault(self, fault: Fault) -> None:
        if fault is self._fault:
            return
        self._fault = fault
        if fault is Fault.REFUSE:
            self._stop_listening()
        elif self._listening is None:
            await self._open()
        for client in tuple(self._clients):
            if fault is Fault.HANG:
                await self._hang(client)
            elif client.is_hanging or fault is not Fault.NONE:
                await self._drop(client)

    async def _shut(self) -> None:
        self._stop_listening()
        for client in tuple(self._clients):
            await self._drop(client)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:  # out of descriptors, or the client left at once
                logger.warning("%s: accepting a connection failed: %s", self.cluster.id, error)
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(_PAUSE_AFTER_FAILED_ACCEPT_SECONDS, self._accept_connections)
                return
            self._start_client(sock)

    def _start_client(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(sock)
        if self._fault is Fault.RESET or (self._fault is Fault.NONE and not self.cluster.running):
            client.reset()
            return
        self._clients.add(client)
        if self._fault is Fault.HANG:
            client.is_hanging = True
            client.task = asyncio.create_task(self._hold(client))
        else:
            client.task = asyncio.create_task(self._serve(client))

    async def _serve(self, client: _Client) -> None:
        connection = AuroraConnection(client.sock, self._login, self._ssl_context, next(self._connection_ids))
        connection.latency_seconds = lambda: self.latency_seconds
        client.connection = connection
        try:
            await connection.greet()
            client.is_uninterruptible = True  # cancelling the TLS handshake would close the socket
            try:
                await connection.start_tls()
            finally:
                client.is_uninterruptible = False
            if self._fault is Fault.HANG:
                self._pause(client)
                return
            await connection.serve()
            client.close()
        except asyncio.CancelledError:
            if not client.is_hanging:
                raise
        except (ClientGoneError, ConnectionClosed, OSError, ssl.SSLError) as error:
            logger.debug("%s: client connection ended: %s", self.cluster.id, error)
            if self.cluster.running:
                client.close()
            else:
                client.reset()
        except Exception:  # log a bug here: it would look like a database outage
            logger.exception("%s: serving a client failed", self.cluster.id)
            client.reset()
        finally:
            if not client.is_hanging:
                self._clients.discard(client)

    async def _hold(self, client: _Client) -> None:
        """Read from a connection without answering until the client closes it."""
        try:
            while await asyncio.get_running_loop().sock_recv(client.sock, 65536):
                pass
        except OSError:
            pass
        self._clients.discard(client)
        client.sock.close()

    async def _hang(self, client: _Client) -> None:
        """Stop serving a connection without notifying its client, and roll back its transaction."""
        if client.is_hanging or client.is_uninterruptible:
            return
        self._pause(client)
        await _cancel(client.task)
        if client.connection is None or client.connection.transport is None:
            client.task = asyncio.create_task(self._hold(client))

    def _pause(self, client: _Client) -> None:
        client.is_hanging = True
        if client.connection is not None and client.connection.transport is not None:
            client.connection.transport.pause_reading()

    async def _drop(self, client: _Client) -> None:
        task, client.task = client.task, None
        client.reset()
        await _cancel(task)
        self._clients.discard(client)


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None and task is not asyncio.current_task():
        task.cancel()
        await asyncio.wait([task])


def _bound_socket(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", port))
    return sock
