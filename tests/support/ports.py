"""Reserves a loopback port for a test."""

import socket


def reserve_port() -> socket.socket:
    """Return a socket that is bound and does not listen: connections to its port are refused.

    While it is open, the system assigns the port to no other server and to no client. On Linux, a server that asks for this port
    and sets SO_REUSEADDR, such as mysqld, may listen there.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved
