"""A loopback port for a test, which no other program takes meanwhile."""

import socket


def reserve_port() -> socket.socket:
    """Return a socket that is bound and does not listen: connections to its port are refused.

    While it is open, the system gives the port neither to a server that asks for any port nor to a client. On Linux, a
    server that asks for this port and sets SO_REUSEADDR, such as mysqld, may listen there.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved
