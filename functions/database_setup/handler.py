"""Lambda entry point of database_setup, invoked at deployment and when the IAM users change."""

import functools
import json
import logging
import os
import ssl
from dataclasses import asdict

import pymysql

from ..shared.tls import tls_context
from .config import DatabaseSetupConfig, load
from .connection import connect_to_writer, describe_error
from .model import SetupError, parse_request
from .setup import prepare

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


@functools.cache
def cold_start() -> tuple[DatabaseSetupConfig, ssl.SSLContext]:
    """Return the configuration and the TLS context, created once per process.

    Raises:
        EnvironmentProblemError: variables are missing or malformed.
    """
    config = load(os.environ)
    return config, tls_context(config.ca_bundle)


def handler(event: object, context: object) -> dict[str, object]:
    """Set up the database; model.py defines the request and the report.

    The password appears in no log line and no answer, and is not kept after the invocation.

    Raises:
        InvalidSetupRequestError: the request is malformed.
        SetupError: the database is unreachable or cannot be set up.
        EnvironmentProblemError: variables are missing or malformed.
    """
    request = parse_request(event)
    config, tls = cold_start()
    connection = connect_to_writer(request, config.clusters, config.own_user, tls)
    try:
        with connection, connection.cursor() as cursor:
            report = prepare(
                cursor,
                heartbeat_database=config.heartbeat_database,
                health_check_user=config.health_check_user,
                own_user=config.own_user,
                database=config.database,
                iam_users=config.iam_users,
            )
    except (pymysql.MySQLError, OSError) as error:
        raise SetupError(f"{connection.host}:{connection.port}: {describe_error(error, request)}") from None
    answer = asdict(report)
    logger.info(json.dumps({"event": "database-prepared", "host": connection.host, **answer}))
    return answer
