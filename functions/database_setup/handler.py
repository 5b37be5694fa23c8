"""The entry point that Lambda calls when a stack is deployed and its people change: parse, connect, prepare, answer.

Owns: the process-wide state. Does not own: every step, which is in its own module.
Invariant: the password is neither logged nor answered, and outlives no invocation.
"""

import functools
import json
import logging
import os
import ssl

import pymysql

from .config import Settings, load
from .connection import connect_to_writer, trusting, worded
from .model import SetupError, parse_request
from .setup import prepare

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


@functools.cache
def cold_start() -> tuple[Settings, ssl.SSLContext]:
    """Read the settings and the CA certificates.

    Raises:
        EnvironmentProblemError: a setting is missing or malformed.
    """
    settings = load(os.environ)
    return settings, trusting(settings.ca_bundle)


def handler(event: object, context: object) -> dict[str, object]:
    """Answer one request (the form is in model.py).

    Raises:
        RequestError: the request is malformed.
        SetupError: the database can't be reached, or can't be brought into the wanted state.
        EnvironmentProblemError: the function is misconfigured.
    """
    request = parse_request(event)
    settings, tls = cold_start()
    connection = connect_to_writer(request, settings.clusters, settings.own_user, tls)
    try:
        with connection, connection.cursor() as cursor:
            report = prepare(
                cursor,
                heartbeat_database=settings.heartbeat_database,
                health_check_user=settings.health_check_user,
                own_user=settings.own_user,
                database=settings.database,
                iam_users=settings.iam_users,
            )
    except (pymysql.MySQLError, OSError) as error:
        raise SetupError(f"{connection.host}:{connection.port}: {worded(error, request)}") from None
    answer = report.as_answer()
    logger.info(json.dumps({"event": "database-prepared", "host": connection.host, **answer}))
    return answer
