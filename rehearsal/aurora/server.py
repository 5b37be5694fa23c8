"""Listeners that speak MySQL in front of the clusters of aurora.py, and break on demand.

Owns: sockets, the faults of each listener, the thread that serves them.
Does not own: the protocol (mysql_connection.py), what a statement does (aurora_session.py), which names lead here
(network.py).
Invariant: a listener listens on 127.0.0.1 only and keeps its port through every fault; when the server is closed, no
thread, task or socket is left.
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
from types import TracebackType
from typing import Self

from mysql_mimic.stream import ConnectionClosed

from rehearsal.aurora.connection import AuroraConnection, ClientGoneError, Gate
from rehearsal.aurora.global_database import Cluster
from rehearsal.aurora.iam_tokens import TokenAudience
from rehearsal.support.event_loop import LoopThread

logger = logging.getLogger(__name__)

_PAUSE_AFTER_FAILED_ACCEPT_SECONDS = 0.05
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends a reset, and no FIN


class Fault(StrEnum):
    """What a listener does to its clients."""

    NONE = "none"
    REFUSE = "refuse"  # connections are refused; established ones are reset
    HANG = "hang"  # connections are taken and never answered; established ones never hear again, not even a FIN
    RESET = "reset"  # connections are reset as soon as they are made; established ones too


class MySQLServer:
    """All listeners of a rehearsal, in one background thread. A context manager; thread-safe.

    Args:
        clock: seconds since the epoch, for the age of tokens.
        secret_key_of: the secret of an access key, or None for an unknown one; with it, signatures are checked too.
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
        self._running = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start the thread."""
        if not self._running:
            self._thread.start()
            self._running = True
        return self

    def close(self) -> None:
        """Close every listener and connection, and end the thread. Safe to call twice."""
        if not self._running:
            return
        self._running = False
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

        `host_names` and `endpoint_port` are what clients know, and IAM tokens must be for them; None is for clients who
        know the listener's own port.
        """
        reservation = _bound_socket(0)
        port = endpoint_port if endpoint_port is not None else reservation.getsockname()[1]
        gate = Gate(
            cluster=cluster,
            audience=TokenAudience.of(host_names, port, cluster.region),
            clock=self._clock,
            secret_key_of=self._secret_key_of,
        )
        listener = MySQLListener(self._thread, gate, ssl_context, reservation, self._listeners)
        self._listeners.append(listener)
        return listener


class _Client:
    """One accepted connection and the task that serves it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.connection: AuroraConnection | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_uninterruptible = False
        self.is_parked = False

    def reset(self) -> None:
        """Close so that the client gets a reset. Safe for one that is closed already."""
        transport = self.connection.transport if self.connection else None
        wrapped = self.sock if transport is None else transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):  # the client may have gone first; a lost transport has no socket
            wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        if transport is None:
            self.sock.close()
        else:
            transport.abort()

    def close(self) -> None:
        """Close in good manners."""
        transport = self.connection.transport if self.connection else None
        if transport is None:
            self.sock.close()
        else:
            transport.close()


class MySQLListener:
    """One listening port: one cluster as seen from one region. Made by MySQLServer.listen; synchronous and thread-safe."""

    def __init__(
        self,
        thread: LoopThread,
        gate: Gate,
        ssl_context: ssl.SSLContext,
        reservation: socket.socket,
        siblings: list[MySQLListener],
    ) -> None:
        self.cluster = gate.cluster
        self.latency_seconds = 0.0
        """How long each statement waits before it runs, for a database that is slow rather than dead."""
        self._thread = thread
        self._gate = gate
        self._ssl_context = ssl_context
        self._siblings = siblings
        self._fault = Fault.NONE
        self._clients: set[_Client] = set()
        self._connection_ids = itertools.count(1)
        self._listening: socket.socket | None = None
        # This second socket holds the port while nobody listens on it, or another program could be given it.
        self._reservation = reservation
        self.port: int = self._reservation.getsockname()[1]
        self._is_open = True
        thread.run(self._open())

    @property
    def fault(self) -> Fault:
        """The fault in force."""
        return self._fault

    @property
    def connection_count(self) -> int:
        """How many connections are open here, answered or not."""
        return len(self._clients)

    def set_fault(self, fault: Fault) -> None:
        """Change the fault; returns when it is in force.

        Established connections suffer it too. When a hang ends, the connections that it held are reset: the server has
        long forgotten them.
        """
        if self._is_open:
            self._thread.run(self._set_fault(Fault(fault)))

    def close(self) -> None:
        """Stop listening, drop every connection, free the port. Safe to call twice."""
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
        self._take_connections()

    def _take_connections(self) -> None:
        # A callback instead of a task that awaits: cancelling that one could lose a socket that was just accepted.
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
                await self._park(client)
            elif client.is_parked or fault is not Fault.NONE:
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
            except OSError as error:  # out of descriptors, or a client that left at once: neither ends the listener
                logger.warning("%s could not take a connection: %s", self.cluster.id, error)
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(_PAUSE_AFTER_FAILED_ACCEPT_SECONDS, self._take_connections)
                return
            self._begin(sock)

    def _begin(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(sock)
        if self._fault is Fault.RESET or (self._fault is Fault.NONE and not self.cluster.running):
            client.reset()
            return
        self._clients.add(client)
        if self._fault is Fault.HANG:
            client.is_parked = True
            client.task = asyncio.create_task(self._hold(client))
        else:
            client.task = asyncio.create_task(self._serve(client))

    async def _serve(self, client: _Client) -> None:
        connection = AuroraConnection(client.sock, self._gate, self._ssl_context, next(self._connection_ids))
        connection.latency_seconds = lambda: self.latency_seconds
        client.connection = connection
        try:
            await connection.greet()
            client.is_uninterruptible = True  # a cancelled TLS handshake would close the socket, which is no hang
            try:
                await connection.start_tls()
            finally:
                client.is_uninterruptible = False
            if self._fault is Fault.HANG:
                self._freeze(client)
                return
            await connection.serve()
            client.close()
        except asyncio.CancelledError:
            if not client.is_parked:
                raise
        except (ClientGoneError, ConnectionClosed, OSError, ssl.SSLError) as error:
            logger.debug("a client of %s is gone: %s", self.cluster.id, error)
            if self.cluster.running:
                client.close()
            else:
                client.reset()
        except Exception:  # a bug here must not look like an outage of the database without a trace
            logger.exception("serving a client of %s failed", self.cluster.id)
            client.reset()
        finally:
            if not client.is_parked:
                self._clients.discard(client)

    async def _hold(self, client: _Client) -> None:
        """Say nothing to a connection until its client gives up."""
        try:
            while await asyncio.get_running_loop().sock_recv(client.sock, 65536):
                pass
        except OSError:
            pass
        self._clients.discard(client)
        client.sock.close()

    async def _park(self, client: _Client) -> None:
        """Stop serving a connection without a word to its client; what it had open is rolled back."""
        if client.is_parked or client.is_uninterruptible:
            return
        self._freeze(client)
        await _end(client.task)
        if client.connection is None or client.connection.transport is None:
            client.task = asyncio.create_task(self._hold(client))

    def _freeze(self, client: _Client) -> None:
        client.is_parked = True
        if client.connection is not None and client.connection.transport is not None:
            client.connection.transport.pause_reading()

    async def _drop(self, client: _Client) -> None:
        task, client.task = client.task, None
        client.reset()
        await _end(task)
        self._clients.discard(client)


async def _end(task: asyncio.Task[None] | None) -> None:
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
