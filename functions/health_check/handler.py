"""The entry point that Lambda calls: parse, probe, answer.

Owns: the process-wide state (settings, TLS context, abandoned probes).
Does not own: anything that decides; every step is in its own module.
Invariant: it answers within its limits, whatever the targets do.
"""

import functools
import os
import time

from .config import Settings, load
from .deadline import ProbeRunner
from .model import NamesRequest, as_answer, as_names_answer, parse_request
from .names import resolve
from .probe import Prober, trusting
from .token import token_signer


@functools.cache
def cold_start() -> tuple[Settings, ProbeRunner]:
    """Read the settings and make what lives as long as the process.

    Raises:
        EnvironmentProblemError: a setting is missing or malformed.
    """
    settings = load(os.environ)
    prober = Prober(
        region=settings.region,
        user=settings.database_user,
        heartbeat_database=settings.heartbeat_database,
        tls=trusting(settings.ca_bundle),
        token=token_signer(settings.database_user),
    )
    return settings, ProbeRunner(prober.probe)


def handler(event: object, context: object) -> dict[str, object]:
    """Answer one request (the form is in model.py).

    Raises:
        RequestError: the request is malformed.
        EnvironmentProblemError: the function is misconfigured.
    """
    started_at = time.monotonic()
    request = parse_request(event)
    settings, runner = cold_start()
    if isinstance(request, NamesRequest):
        names = resolve(request.names, port=request.port, started_at=started_at, deadline_ms=request.deadline_ms)
        return as_names_answer(settings.region, names)
    reports = runner.run(request.targets, started_at=started_at, deadline_ms=request.deadline_ms)
    return as_answer(settings.region, reports)
