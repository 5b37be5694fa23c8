"""Faults between callers and the AWS API: one microburst proxy for each calling region.

Without a fault, requests and responses pass unchanged. A request that a failed region holds never reaches AWS.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from microburst.core.pipeline import Microburst
from microburst.detection import rest_operations
from microburst.forward import Upstream
from microburst.models import get_protocol
from microburst.rules import Rule, from_dict

from rehearsal.support.clients import SIGNED_HOST_HEADER, credential_scope
from rehearsal.support.event_loop import LoopThread, serve_on_loopback

ENDPOINTS_VARIABLE = "AURORA_REHEARSAL_ENDPOINTS"

GLOBAL_SERVICES = ("iam", "route53")
"""Services that respond to callers in other regions although the region in the signature has failed.

STS is none of them: the SDKs and the AWS provider call the endpoint of their region. Source: AWS STS Regional endpoints, AWS SDKs
and Tools Reference Guide.
"""

CALLED_SERVICES = ("cloudwatch", "dynamodb", "lambda", "rds", "route53", "secretsmanager", "sns", "sts")
"""Services of the functions and commands. Their models are loaded at the start: loading one in an outage delays all callers."""

HOLD_MS = 24 * 3600 * 1000.0
"""A held request ends when the client gives up, the fault is removed or the rehearsal stops."""

TRICKLE_KBPS = 1e-6
"""A rate at which no byte of the response body is sent."""

MAX_BODY_BYTES = 256 * 1024**2
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class ApiFault:
    """A fault and the calls that it affects; None matches all.

    `service` and `operation` are botocore's names ("rds", "FailoverGlobalCluster"), `caller_region` is the region of the
    caller, `target_region` the region in the signature. Effects: `latency_ms`, then one of `reset` (connection reset),
    `hang` (no response, no effect), `lose_answer` (takes effect without a response) or an error in the service's format.
    `times` limits the number of affected calls, over all callers.
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
        """Return the fault as a rule of microburst."""
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
    """One affected call; `at` is in seconds since the epoch."""

    at: float
    caller_region: str
    target_region: str | None
    service: str | None
    operation: str | None
    action: str
    by_region_failure: bool


class InjectedFault:
    """An active fault; `ApiFaults.remove` ends it."""

    def __init__(self, fault: ApiFault, rule: Rule) -> None:
        self.fault = fault
        self.rule = rule
        """Shared by all callers' proxies, because `times` counts over all of them."""

    @property
    def fired_count(self) -> int:
        """The number of affected calls."""
        return self.rule.fired_count


class _DirectUpstream(Upstream):
    """The upstream of a proxy, without an HTTP connection for requests whose bodies no fault changes."""

    def __init__(self, url: str, direct: Handler) -> None:
        super().__init__(url, resign=False)
        self._direct = direct

    async def relay(
        self, request: web.Request, body: bytes | None, mutator: Any = None, data: Any = None
    ) -> web.StreamResponse:
        """Pass a request on. Shielded, because a call takes effect although its caller disconnects."""
        if mutator is None and data is None:
            return await asyncio.shield(self._direct(request))
        return await super().relay(request, body, mutator, data)


class _CallerProxy:
    """The proxy of one calling region."""

    def __init__(self, caller_region: str, upstream: str, direct: Handler | None = None) -> None:
        self.caller_region = caller_region
        self.url = ""
        self.burst = Microburst(upstream, resign=False)
        self._direct = direct
        if direct is not None:
            self.burst.upstream = _DirectUpstream(upstream, direct)
        self.in_flight: dict[asyncio.Task[Any], tuple[web.BaseRequest, str | None]] = {}
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.on_startup.append(self.burst.start)
        app.on_cleanup.append(self.burst.stop)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        # A disconnect of the caller cancels its request, which may be held.
        self.runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._direct is not None and not self.burst.engine.rules:
            return await asyncio.shield(self._direct(request))
        # Without Host header, microburst reads the service from the signature. With it, it first searches all
        # services' endpoint prefixes, which takes seconds and never matches 127.0.0.1.
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
            return web.Response(status=499)  # The caller has disconnected.
        finally:
            del self.in_flight[task]

    def drop(self, target_region: str | None) -> None:
        """Reset the connections of all pending requests, or only of those to one region."""
        for request, region in list(self.in_flight.values()):
            if target_region in (None, region) and request.transport is not None:
                request.transport.abort()


def _target_region(request: web.BaseRequest) -> str | None:
    scope = credential_scope(request.headers)
    return scope.region if scope is not None else None


class ApiFaults:
    """One proxy for each caller, in front of `upstream`. Thread-safe context manager; a Layer of network.EmulatedNetwork.

    Requests that no fault changes go to `direct`, which runs in the loop of `thread`: it spares a second HTTP connection.
    """

    def __init__(
        self,
        *,
        upstream: str,
        regions: Sequence[str],
        direct: Handler | None = None,
        thread: LoopThread | None = None,
    ) -> None:
        self._upstream = upstream
        self.regions = tuple(regions)
        self._direct = direct
        self._thread = thread or LoopThread("api-faults")
        self._owns_thread = thread is None
        self._proxies: dict[str, _CallerProxy] = {}
        self._injected: list[InjectedFault] = []
        self._region_rules: dict[str, dict[str, list[Rule]]] = {}
        self._region_rule_ids: set[int] = set()
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start one proxy for each region on a free loopback port."""
        if self._owns_thread:
            self._thread.start()
        try:
            self._thread.run(self._start_proxies())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Reset held requests and stop. Safe to call twice."""
        proxies, self._proxies = self._proxies, {}
        if proxies:
            self._thread.run(self._stop_proxies(list(proxies.values())))
        if self._owns_thread:
            self._thread.stop()

    @property
    def endpoints(self) -> dict[str, str]:
        """The endpoint URL that callers in each region use."""
        return {region: proxy.url for region, proxy in self._proxies.items()}

    def endpoint(self, region: str) -> str:
        """The endpoint URL that callers in a region use."""
        return self._proxies[region].url

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make ministack's Lambda workers use these proxies."""
        return {ENDPOINTS_VARIABLE: json.dumps(self.endpoints)}

    # --- Single faults -----------------------------------------------------------------------------------------------

    def add(self, fault: ApiFault) -> InjectedFault:
        """Add a fault. The first matching fault applies; region failures come before all others."""
        callers = [fault.caller_region] if fault.caller_region is not None else self.regions
        injected = InjectedFault(fault, fault.to_rule())
        with self._lock:
            self._injected.append(injected)
            self._thread.call(lambda: [self._rules(region).append(injected.rule) for region in callers])
        return injected

    def remove(self, injected: InjectedFault) -> None:
        """Remove a fault and reset the requests that it holds. Safe to call twice."""
        with self._lock:
            if injected in self._injected:
                self._injected.remove(injected)
                self._thread.call(lambda: self._remove_rules({region: [injected.rule] for region in self.regions}))
                if injected.fault.hang or injected.fault.lose_answer:
                    self._drop(injected.fault.caller_region, injected.fault.target_region)

    def clear(self) -> None:
        """Remove all single faults; failed regions stay failed."""
        with self._lock:
            for injected in list(self._injected):
                self.remove(injected)

    @property
    def fired(self) -> list[FiredFault]:
        """The affected calls, oldest first (at most the newest 2,000 of each caller)."""
        found = [
            FiredFault(
                at=event.ts,
                caller_region=region,
                target_region=event.region,
                service=event.service,
                operation=event.operation,
                action=event.action,
                by_region_failure=event.rule_id in self._region_rule_ids,
            )
            for region, proxy in self._proxies.items()
            for event in list(proxy.burst.fired)
            if event.action
        ]
        return sorted(found, key=lambda fired: fired.at)

    # --- Region failures ---------------------------------------------------------------------------------------------

    @property
    def failed_regions(self) -> frozenset[str]:
        """The regions whose API has failed."""
        with self._lock:
            return frozenset(self._region_rules)

    def fail(self, region: str) -> None:
        """Hold all requests from and to a region, except calls of other regions to global services."""
        with self._lock:
            if region in self._region_rules:
                return
            if region not in self.regions:
                raise ValueError(f"region: {region!r} does not exist. Use one of {', '.join(self.regions)}.")
            rules = {
                caller: [from_dict({"timeout_ms": HOLD_MS})]
                if caller == region
                else [
                    # The first match applies; a rule without effect lets the call pass.
                    *(from_dict({"service": service, "region": region}) for service in GLOBAL_SERVICES),
                    from_dict({"region": region, "timeout_ms": HOLD_MS}),
                ]
                for caller in self.regions
            }
            self._region_rules[region] = rules
            self._region_rule_ids.update(rule.id for added in rules.values() for rule in added)
            self._thread.call(lambda: self._prepend_rules(rules))

    def restore(self, region: str) -> None:
        """Undo `fail`. Held requests are reset: none of them takes effect after the outage."""
        with self._lock:
            rules = self._region_rules.pop(region, None)
            if rules is None:
                return
            self._thread.call(lambda: self._remove_rules(rules))
            self._drop(region, None)
            self._drop(None, region)

    def _prepend_rules(self, rules: dict[str, list[Rule]]) -> None:
        for caller, changed in rules.items():
            self._rules(caller)[:0] = changed

    def _remove_rules(self, rules: dict[str, list[Rule]]) -> None:
        for caller, changed in rules.items():
            current = self._rules(caller)
            current[:] = [rule for rule in current if not any(rule is removed for removed in changed)]

    def _drop(self, caller_region: str | None, target_region: str | None) -> None:
        proxies = [proxy for region, proxy in self._proxies.items() if caller_region in (None, region)]
        self._thread.call(lambda: [proxy.drop(target_region) for proxy in proxies])

    def _rules(self, caller_region: str) -> list[Rule]:
        return self._proxies[caller_region].burst.engine.rules

    async def _start_proxies(self) -> None:
        for service in CALLED_SERVICES:
            if get_protocol(service) in ("rest-json", "rest-xml"):
                rest_operations(service)
        for region in self.regions:
            proxy = _CallerProxy(region, self._upstream, self._direct)
            self._proxies[region] = proxy
            proxy.url = await serve_on_loopback(proxy.runner)

    async def _stop_proxies(self, proxies: Sequence[_CallerProxy]) -> None:
        for proxy in proxies:
            proxy.drop(None)
        await asyncio.gather(*(proxy.runner.cleanup() for proxy in proxies))
