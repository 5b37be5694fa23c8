"""The pool of a client, as docs/connecting.md advises; a test compares the page with this file."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
from sqlalchemy import Engine, ExceptionContext, create_engine, event, exc

LONGEST_PAUSE_SECONDS = 2.0


def writer_pool(connect: Callable[[], pymysql.Connection], *, recycle_seconds: float = 300) -> Engine:
    """Return a pool whose connections lead to the writer."""
    engine = create_engine("mysql+pymysql://", creator=connect, pool_recycle=recycle_seconds)

    @event.listens_for(engine, "checkout")
    def require_writer(connection: Any, _record: object, _proxy: object) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT @@innodb_read_only")
                is_writer = cursor.fetchone()[0] == 0
        except pymysql.Error as error:
            raise exc.InvalidatePoolError from error
        if not is_writer:
            raise exc.InvalidatePoolError

    @event.listens_for(engine, "handle_error")
    def discard_pool(context: ExceptionContext) -> None:
        if context.original_exception.args[:1] in ((1290,), (1836,)):
            context.is_disconnect = True  # closes all connections of the pool

    return engine


def back_off(*, first_seconds: float = 0.1, longest_seconds: float = LONGEST_PAUSE_SECONDS) -> Iterator[float]:
    """Yield the pauses between tries: exponential, with jitter."""
    seconds = first_seconds
    while True:
        yield random.uniform(0, seconds)
        seconds = min(2 * seconds, longest_seconds)
