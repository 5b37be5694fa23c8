"""Lambda entry point of health_check."""

import functools
import os
import time

from ..shared.iam_token import sign_token
from ..shared.tls import tls_context
from .config import HealthCheckConfig, load
from .deadline import ProbeRunner
from .model import NamesRequest, Target, as_answer, as_names_answer, parse_request
from .names import resolve
from .probe import Prober


@functools.cache
def cold_start() -> tuple[HealthCheckConfig, ProbeRunner]:
    """Return the configuration and the probe runner, created once per process.

    Raises:
        EnvironmentProblemError: variables are missing or malformed.
    """
    config = load(os.environ)

    def token(target: Target) -> str:
        return sign_token(host=target.host, port=target.port, region=target.region, user=config.database_user)

    prober = Prober(
        region=config.region,
        user=config.database_user,
        heartbeat_database=config.heartbeat_database,
        tls=tls_context(config.ca_bundle),
        token=token,
    )
    return config, ProbeRunner(prober.probe)


def handler(event: object, context: object) -> dict[str, object]:
    """Answer one request; model.py defines both formats.

    Raises:
        InvalidProbeRequestError: the request is malformed.
        EnvironmentProblemError: variables are missing or malformed.
    """
    started_at = time.monotonic()
    request = parse_request(event)
    config, runner = cold_start()
    if isinstance(request, NamesRequest):
        names = resolve(request.names, port=request.port, started_at=started_at, deadline_ms=request.deadline_ms)
        return as_names_answer(config.region, names)
    reports = runner.run(request.targets, started_at=started_at, deadline_ms=request.deadline_ms)
    return as_answer(config.region, reports)
