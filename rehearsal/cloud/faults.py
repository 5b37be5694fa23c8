"""Faults between callers and the AWS API: one microburst proxy for each region that calls.

Owns: which call fails how, and the darkness of a region's API.
Does not own: what a call answers (control_plane.py, the emulator), or the database ports (network.py).
Invariant: without a fault every request and answer passes unchanged; a request that a dark region holds never reaches AWS.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from microburst.core.pipeline import Microburst
from microburst.rules import Rule, from_dict

from rehearsal.support.clients import SIGNED_HOST_HEADER, credential_scope
from rehearsal.support.event_loop import LoopThread, serve_on_loopback

ENDPOINTS_VARIABLE = "AURORA_REHEARSAL_ENDPOINTS"

GLOBAL_SERVICES = ("iam", "route53", "sts")
"""Services that answer a living region even when the region that they sign for is dark."""

HOLD_MS = 24 * 3600 * 1000.0
"""A held request ends when the client gives up, the fault is lifted, or the rehearsal stops; never by itself."""

TRICKLE_KBPS = 1e-6
"""So slow that the first byte of an answer's body never leaves."""

MAX_BODY_BYTES = 256 * 1024**2


@dataclass(frozen=True, kw_only=True)
class ApiFault:
    """A fault and the calls that meet it; None matches everything.

    `service` and `operation` are botocore's names ("rds", "FailoverGlobalCluster"), `caller_region` is where the caller
    sits, `target_region` the region that the request is signed for. One or more effects: `latency_ms` comes first; then
    `reset` (connection reset), `hang` (no answer, no effect), `lose_answer` (takes effect, but the answer never comes) or
    an error in the service's own wire format. `times` is how many calls meet it, over all callers.
    """

    service: str | None = None
    operation: str | None = None
    caller_region: str | None = None
    target_region: str | None = None
    latency_ms: float = 0.0
    reset: bool = False
    hang: bool = False
    lose_answer: bool = False
    error_code: str | None = None
    error_message: str | None = None
    error_status: int | None = None
    times: int | None = None

    def to_rule(self) -> Rule:
        """Return microburst's rule for it."""
        rule: dict[str, Any] = {
            "service": self.service,
            "operation": self.operation,
            "region": self.target_region,
            "times": self.times,
            "reset": self.reset,
        }
        if self.latency_ms:
            rule["latency"] = self.latency_ms
        if self.hang:
            rule["timeout_ms"] = HOLD_MS
        if self.lose_answer:
            rule["response"] = {"bandwidth_kbps": TRICKLE_KBPS}
        if self.error_code is not None:
            rule["error"] = {
                "code": self.error_code,
                "message": self.error_message or self.error_code,
                "status": self.error_status,
            }
        return from_dict(rule)


@dataclass(frozen=True, kw_only=True)
class FiredFault:
    """One call that met a fault; `at` is seconds since the epoch."""

    at: float
    caller_region: str
    target_region: str | None
    service: str | None
    operation: str | None
    action: str
    by_darkness: bool


class InjectedFault:
    """A fault in force; `ApiFaults.remove` lifts it."""

    def __init__(self, fault: ApiFault, rule: Rule) -> None:
        self.fault = fault
        self._rule = rule

    @property
    def rule(self) -> Rule:
        """The one rule that all callers' proxies share, so that `times` counts over all of them."""
        return self._rule

    @property
    def fired_count(self) -> int:
        """How many calls have met it."""
        return self._rule.fired_count


class _CallerProxy:
    """The proxy of one calling region."""

    def __init__(self, caller_region: str, upstream: str) -> None:
        self.caller_region = caller_region
        self.url = ""
        self.burst = Microburst(upstream, resign=False)
        self.in_flight: dict[asyncio.Task[Any], tuple[web.BaseRequest, str | None]] = {}
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.on_startup.append(self.burst.start)
        app.on_cleanup.append(self.burst.stop)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        # A caller that gives up ends its request here at once: a held one would stay for a day otherwise.
        self.runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        # Microburst looks the Host up among all services' endpoint prefixes, which takes it seconds once and tells it
        # nothing here: 127.0.0.1 is none of them. Without the header it goes by the signature alone.
        headers = request.headers.copy()
        headers[SIGNED_HOST_HEADER] = headers.popall("Host", [request.host])[0]
        task = asyncio.current_task()
        assert task is not None
        self.in_flight[task] = (request, _target_region(request))
        try:
            return await self.burst.handle_proxy(request.clone(headers=headers))
        except ConnectionResetError:
            if request.transport is not None and not request.transport.is_closing():
                raise
            return web.Response(status=499)  # the caller gave up while its answer was on the way: nobody reads this
        finally:
            del self.in_flight[task]

    def drop(self, target_region: str | None) -> None:
        """Reset the connections of all requests under way, or only of those that are signed for a region."""
        for request, region in list(self.in_flight.values()):
            if target_region in (None, region) and request.transport is not None:
                request.transport.abort()


def _target_region(request: web.BaseRequest) -> str | None:
    scope = credential_scope(request.headers)
    return scope.region if scope is not None else None


class ApiFaults:
    """All callers' proxies in front of `upstream`. A context manager; thread-safe. A Layer of network.EmulatedNetwork."""

    def __init__(self, *, upstream: str, regions: Sequence[str]) -> None:
        self._upstream = upstream
        self.regions = tuple(regions)
        self._thread = LoopThread("api-faults")
        self._proxies: dict[str, _CallerProxy] = {}
        self._injected: list[InjectedFault] = []
        self._darkness: dict[str, dict[str, list[Rule]]] = {}
        self._darkness_ids: set[int] = set()
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start one proxy for each region on a free loopback port."""
        self._thread.start()
        try:
            self._thread.run(self._start_proxies())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Drop what is held and stop. Safe to call twice."""
        proxies, self._proxies = self._proxies, {}
        if proxies:
            self._thread.run(self._stop_proxies(list(proxies.values())))
        self._thread.stop()

    @property
    def endpoints(self) -> dict[str, str]:
        """The endpoint URL that callers in each region use."""
        return {region: proxy.url for region, proxy in self._proxies.items()}

    def endpoint(self, region: str) -> str:
        """The endpoint URL that callers in a region use."""
        return self._proxies[region].url

    def environment(self) -> dict[str, str]:
        """Return what the emulator's environment needs so that its Lambda workers call through these proxies."""
        return {ENDPOINTS_VARIABLE: json.dumps(self.endpoints)}

    # --- Single faults -----------------------------------------------------------------------------------------------

    def add(self, fault: ApiFault) -> InjectedFault:
        """Put a fault in force; of several that match, the first that was added wins. Darkness comes before all."""
        callers = [fault.caller_region] if fault.caller_region is not None else self.regions
        injected = InjectedFault(fault, fault.to_rule())
        with self._lock:
            self._injected.append(injected)
            self._thread.call(lambda: [self._rules(region).append(injected.rule) for region in callers])
        return injected

    def remove(self, injected: InjectedFault) -> None:
        """Lift a fault; what it holds is reset. Safe to call twice."""
        with self._lock:
            if injected in self._injected:
                self._injected.remove(injected)
                self._thread.call(lambda: self._remove_rules({region: [injected.rule] for region in self.regions}))
                if injected.fault.hang or injected.fault.lose_answer:
                    self._drop(injected.fault.caller_region, injected.fault.target_region)

    def clear(self) -> None:
        """Lift all single faults; darkness stays."""
        with self._lock:
            for injected in list(self._injected):
                self.remove(injected)

    @property
    def fired(self) -> list[FiredFault]:
        """Every call that met a fault so far, oldest first (the newest 2,000 of each caller)."""
        found = [
            FiredFault(
                at=event.ts,
                caller_region=region,
                target_region=event.region,
                service=event.service,
                operation=event.operation,
                action=event.action,
                by_darkness=event.rule_id in self._darkness_ids,
            )
            for region, proxy in self._proxies.items()
            for event in list(proxy.burst.fired)
            if event.action
        ]
        return sorted(found, key=lambda fired: fired.at)

    # --- Darkness ----------------------------------------------------------------------------------------------------

    @property
    def dark_regions(self) -> frozenset[str]:
        """The regions whose API is dark now."""
        with self._lock:
            return frozenset(self._darkness)

    def fail(self, region: str) -> None:
        """Let everything that the region's callers send, and everything that is sent to the region, hang.

        Global services go on answering callers in living regions.
        """
        with self._lock:
            if region in self._darkness:
                return
            if region not in self.regions:
                raise ValueError(f"no such region: {region}")
            rules = {
                caller: [from_dict({"timeout_ms": HOLD_MS})]
                if caller == region
                else [
                    # First match wins, and a rule without an effect lets the call pass.
                    *(from_dict({"service": service, "region": region}) for service in GLOBAL_SERVICES),
                    from_dict({"region": region, "timeout_ms": HOLD_MS}),
                ]
                for caller in self.regions
            }
            self._darkness[region] = rules
            self._darkness_ids.update(rule.id for own in rules.values() for rule in own)
            self._thread.call(lambda: self._prepend_rules(rules))

    def restore(self, region: str) -> None:
        """Undo `fail`; the requests that were held are reset, so that nothing of the outage takes effect late."""
        with self._lock:
            rules = self._darkness.pop(region, None)
            if rules is None:
                return
            self._thread.call(lambda: self._remove_rules(rules))
            self._drop(region, None)
            self._drop(None, region)

    def _prepend_rules(self, rules: dict[str, list[Rule]]) -> None:
        for caller, own in rules.items():
            self._rules(caller)[:0] = own

    def _remove_rules(self, rules: dict[str, list[Rule]]) -> None:
        for caller, own in rules.items():
            present = self._rules(caller)
            present[:] = [rule for rule in present if not any(rule is gone for gone in own)]

    def _drop(self, caller_region: str | None, target_region: str | None) -> None:
        proxies = [proxy for region, proxy in self._proxies.items() if caller_region in (None, region)]
        self._thread.call(lambda: [proxy.drop(target_region) for proxy in proxies])

    def _rules(self, caller_region: str) -> list[Rule]:
        return self._proxies[caller_region].burst.engine.rules

    async def _start_proxies(self) -> None:
        for region in self.regions:
            proxy = _CallerProxy(region, self._upstream)
            self._proxies[region] = proxy
            proxy.url = await serve_on_loopback(proxy.runner)

    async def _stop_proxies(self, proxies: Sequence[_CallerProxy]) -> None:
        for proxy in proxies:
            proxy.drop(None)
        await asyncio.gather(*(proxy.runner.cleanup() for proxy in proxies))
