"""Checks of the data path by health_check: probes, replication, the database's own heartbeat, DNS.

The probes write only the heartbeat that they always write.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from operations.aws.read_ports import ReadApiFactory
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.stack.resources import RegionResources, StackResources
from operations.support.errors import AwsError

PROBE_DEADLINE_MS = 3000
ARRIVAL_TRIES = 16
ARRIVAL_PAUSE_SECONDS = 0.5
EVENT_PAUSE_SECONDS = 2.5
"""The database's event writes each second; two missed writes are tolerated."""
DATABASE = "database"
"""The source of the database's own heartbeat (functions/database_setup)."""
PROBE_HINT = "Read the log of health_check there. The runbook explains the label before the colon."


def data_checks(
    resources: StackResources, read_api_for: ReadApiFactory, writer: str | None, pause: Callable[[float], None]
) -> list[Check]:
    """Return the checks of the data path; `writer` is the writer's region, if known."""
    checks = [
        Check(names=("probes",), where=here.region, run=partial(_read_paths, resources, here, read_api_for, writer))
        for here in resources.regions
    ]
    checks += [
        Check(names=("dns",), where=here.region, run=partial(_read_names, resources, here, read_api_for, writer))
        for here in resources.regions
    ]
    if writer is None:
        why, hint = "the writer is unknown", "Check `status`."
        results = [unknown(name, "both", why=why, hint=hint) for name in ("replication", "database heartbeat")]
        return [*checks, Check(names=("replication", "database heartbeat"), where="both", run=lambda: results)]
    here = resources.in_region(writer)
    there = next(each for each in resources.regions if each is not here)
    across = partial(_read_across, here, there, read_api_for, pause)
    event = partial(_read_event, here, there, read_api_for, pause)
    return [
        *checks,
        Check(names=("replication",), where="both", run=across),
        Check(names=("database heartbeat",), where="both", run=event),
    ]


def invoke(read_api_for: ReadApiFactory, here: RegionResources, request: Mapping[str, object]) -> Mapping[str, Any]:
    """Invoke a region's health_check.

    Raises:
        AwsError: the call or the function failed.
    """
    answer = read_api_for(here.region).read(
        "lambda", "invoke", FunctionName=here.health_check, Payload=json.dumps(request).encode("utf-8")
    )
    payload = answer.get("Payload")
    if answer.get("FunctionError") or not isinstance(payload, Mapping):
        message = payload.get("errorMessage") if isinstance(payload, Mapping) else payload
        raise AwsError(f"{here.health_check} of {here.region} failed: {message}", hint=PROBE_HINT)
    return payload


def probe(
    read_api_for: ReadApiFactory, here: RegionResources, *targets: Mapping[str, object]
) -> list[Mapping[str, Any]]:
    """Return the result of a region's health_check for each target. Raises AwsError."""
    answer = invoke(read_api_for, here, {"targets": list(targets), "deadline_ms": PROBE_DEADLINE_MS})
    probes = list(answer.get("probes", []))
    if len(probes) != len(targets):
        raise AwsError(
            f"{here.health_check} of {here.region}: expected {len(targets)} probes, got {len(probes)}", hint=PROBE_HINT
        )
    return probes


def target(cluster: RegionResources, *, is_writer: bool, sources: bool = False) -> dict[str, object]:
    """Return a cluster in the function's format: the writer by its cluster endpoint, a standby by its reader endpoint."""
    return {
        "cluster": cluster.cluster_id,
        "region": cluster.region,
        "host": cluster.writer_endpoint if is_writer else cluster.reader_endpoint,
        "port": cluster.port,
        **({"sources": True} if sources else {}),
    }


def _read_paths(
    resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory, writer: str | None
) -> list[CheckResult]:
    targets = [target(each, is_writer=each.region == writer) for each in resources.regions]
    return [check_paths(here.region, probe(read_api_for, here, *targets))]


def check_paths(where: str, probes: Sequence[Mapping[str, Any]]) -> CheckResult:
    """Check that health_check reaches both databases over TLS with its IAM login."""
    problems = [f"{each['cluster']}: {each['failure']}" for each in probes if each.get("failure")]
    problems += [
        f"{each['cluster']}: not reachable" for each in probes if not each.get("failure") and not each.get("reachable")
    ]
    evidence = ", ".join(f"{each['cluster']} in {each.get('connect_ms')} ms" for each in probes)
    return check_result("probes", where, problems=problems, evidence=evidence, hint=PROBE_HINT)


def _read_across(
    here: RegionResources, there: RegionResources, read_api_for: ReadApiFactory, pause: Callable[[float], None]
) -> list[CheckResult]:
    """Write a heartbeat in the writer's region, and wait until the standby's region reads it or a newer one."""
    (written,) = probe(read_api_for, here, target(here, is_writer=True))
    if written.get("heartbeat_write_ms") is None or not written.get("heartbeat_at"):
        return [check_replication(here.region, there.region, written, None)]
    read: Mapping[str, Any] = {}
    for attempt in range(ARRIVAL_TRIES):
        if attempt:
            pause(ARRIVAL_PAUSE_SECONDS)
        (read,) = probe(read_api_for, there, target(there, is_writer=False))
        if _is_as_new(read.get("heartbeat_at"), str(written["heartbeat_at"])):
            break
    return [check_replication(here.region, there.region, written, read)]


def _is_as_new(read: object, written: str) -> bool:
    return isinstance(read, str) and datetime.fromisoformat(read) >= datetime.fromisoformat(written)


def check_replication(here: str, there: str, written: Mapping[str, Any], read: Mapping[str, Any] | None) -> CheckResult:
    """Check that a heartbeat written in the writer's region has arrived in the standby's."""
    hint = "Check the lag in `status`. If the standby does not catch up, see `lag-unknown` in the runbook."
    if read is None:
        why = written.get("failure") or "no heartbeat was written: the database is read-only"
        return check_result("replication", "both", problems=[f"{here}: {why}"], evidence="", hint=PROBE_HINT)
    at, seen = written["heartbeat_at"], read.get("heartbeat_at")
    if not _is_as_new(seen, at):
        why = read.get("failure") or f"the newest is of {seen or 'never'}"
        return check_result(
            "replication",
            "both",
            problems=[f"{there} does not have the heartbeat of {at}: {why}"],
            evidence="",
            hint=hint,
        )
    lag = "" if read.get("replication_lag_ms") is None else f"; lag {read['replication_lag_ms']:g} ms"
    evidence = f"written in {here} in {written['heartbeat_write_ms']:g} ms at {at}, read in {there} as of {seen}{lag}"
    return check_result("replication", "both", problems=[], evidence=evidence, hint=hint)


def _read_event(
    here: RegionResources, there: RegionResources, read_api_for: ReadApiFactory, pause: Callable[[float], None]
) -> list[CheckResult]:
    standby = target(there, is_writer=False, sources=True)
    (before,) = probe(read_api_for, there, standby)
    pause(EVENT_PAUSE_SECONDS)
    (after,) = probe(read_api_for, there, standby)
    return [check_event(here.region, there.region, before, after)]


def check_event(here: str, there: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> CheckResult:
    """Check in the standby that the writer's database writes heartbeats by itself."""
    problem = next((str(each["failure"]) for each in (before, after) if each.get("failure")), None)
    name = "database heartbeat"
    if problem is not None:
        return unknown(name, "both", why=f"{there}: {problem}", hint=PROBE_HINT)
    first, second = ((each.get("heartbeat_sources") or {}).get(DATABASE) for each in (before, after))
    problems = []
    if second is None:
        problems.append(f"{here}'s database has never written a heartbeat")
    elif first is not None and not datetime.fromisoformat(second) > datetime.fromisoformat(first):
        problems.append(f"{here}'s database has stopped writing: still {second} after {EVENT_PAUSE_SECONDS:g} s")
    hint = "event_scheduler must be ON, and the event failover.heartbeat_of_the_database enabled: `pulumi up` creates it again."
    return check_result(name, "both", problems=problems, evidence=f"{first} -> {second} in {there}", hint=hint)


def _read_names(
    resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory, writer: str | None
) -> list[CheckResult]:
    answer = resolve(resources, here, read_api_for)
    return [check_names(resources, here.region, answer, writer)]


def resolve(resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory) -> list[Mapping[str, Any]]:
    """Return the addresses of `writer.<zone>` and of both cluster endpoints in a region's VPC. Raises AwsError."""
    names = [resources.writer_name, *(each.writer_endpoint for each in resources.regions)]
    request = {"names": names, "port": here.port, "deadline_ms": PROBE_DEADLINE_MS}
    return list(invoke(read_api_for, here, request).get("names", []))


def resolved_region(resources: StackResources, answer: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the region whose cluster endpoint has the addresses of `writer.<zone>`, or None."""
    name, *endpoints = answer
    for here, endpoint in zip(resources.regions, endpoints, strict=True):
        if name.get("addresses") and name["addresses"] == endpoint.get("addresses"):
            return here.region
    return None


def check_names(
    resources: StackResources, where: str, answer: Sequence[Mapping[str, Any]], writer: str | None
) -> CheckResult:
    """Check that `writer.<zone>` resolves to the writer in this region's VPC."""
    if len(answer) != 1 + len(resources.regions):
        return unknown(
            "dns", where, why=f"health_check: expected answers for three names, got {len(answer)}", hint=PROBE_HINT
        )
    name, region = answer[0], resolved_region(resources, answer)
    hint = "DNS follows a change of roles within two minutes. After that, see the result of the health checks."
    if region is None:
        why = name.get("failure") or f"{', '.join(name.get('addresses', []))} is not an address of either cluster"
        return check_result("dns", where, problems=[f"{resources.writer_name}: {why}"], evidence="", hint=hint)
    if writer is None:
        why = f"{resources.writer_name} resolves to {region}; the writer is unknown"
        return unknown("dns", where, why=why, hint="Check `status`.")
    problems = (
        [] if region == writer else [f"{resources.writer_name} resolves to {region}, but the writer is in {writer}"]
    )
    evidence = f"{resources.writer_name} resolves to {region}, the writer ({', '.join(name['addresses'])})"
    return check_result("dns", where, problems=problems, evidence=evidence, hint=hint)
