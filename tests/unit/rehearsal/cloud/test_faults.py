"""Faults between callers and AWS, seen through boto3 clients in front of a small upstream on loopback."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError, web
from aiohttp.test_utils import make_mocked_request
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from rehearsal.cloud.faults import ApiFault, ApiFaults, _CallerProxy
from rehearsal.support.clients import Clients, credential_scope
from rehearsal.support.event_loop import LoopThread, serve_on_loopback
from tests.support.waiting import WAIT_SECONDS, wait_until

EAST, WEST = "us-east-1", "eu-west-1"

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:root</Arn><UserId>u</UserId><Account>123456789012</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
EVENTS = """<DescribeEventsResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeEventsResult><Events/>
</DescribeEventsResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeEventsResponse>"""


class Upstream:
    """An AWS of two calls, which notes what reaches it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.thread = LoopThread("upstream")
        self.url = ""
        self.runner: web.AppRunner | None = None

    def start(self) -> None:
        """Listen on a free loopback port."""
        self.thread.start()

        async def listen() -> str:
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", self.answer)
            self.runner = web.AppRunner(app, access_log=None)
            return await serve_on_loopback(self.runner)

        self.url = self.thread.run(listen())

    async def answer(self, request: web.Request) -> web.Response:
        """Answer STS and RDS."""
        scope = credential_scope(request.headers)
        assert scope is not None
        self.seen.append((scope.service, scope.region, await request.read()))
        return web.Response(text=IDENTITY if scope.service == "sts" else EVENTS, content_type="text/xml")

    def stop(self) -> None:
        """Stop listening."""
        assert self.runner is not None
        self.thread.run(self.runner.cleanup())
        self.thread.stop()


class Callers:
    """Clients in each region, who wait that long for an answer."""

    def __init__(self, faults: ApiFaults, read_timeout_seconds: float) -> None:
        self.clients = {
            region: Clients(url, read_timeout_seconds=read_timeout_seconds) for region, url in faults.endpoints.items()
        }

    def rds(self, caller: str, target: str) -> Any:
        """An RDS client that sits in one region and calls another."""
        return self.clients[caller]("rds", target)

    def sts(self, caller: str, target: str) -> Any:
        """An STS client likewise."""
        return self.clients[caller]("sts", target)

    def close(self) -> None:
        """Close all connections."""
        for clients in self.clients.values():
            clients.close()


PATIENT_SECONDS = 10 * WAIT_SECONDS
"""Of callers whose request is ended from outside: nothing ends by their own time-out."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A running upstream."""
    running = Upstream()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def faults(upstream: Upstream) -> Iterator[ApiFaults]:
    """The proxies of both regions."""
    with ApiFaults(upstream=upstream.url, regions=(EAST, WEST)) as running:
        yield running


@pytest.fixture
def callers(faults: ApiFaults) -> Iterator[Callers]:
    """Callers who wait for an answer that comes, however busy the machine is."""
    running = Callers(faults, WAIT_SECONDS)
    yield running
    running.close()


@pytest.fixture
def hasty(faults: ApiFaults) -> Iterator[Callers]:
    """Callers who wait 0.2 s for an answer that does not come."""
    running = Callers(faults, 0.2)
    yield running
    running.close()


def test_without_a_fault_a_call_passes_unchanged(upstream: Upstream, callers: Callers) -> None:
    """The request arrives with its signature's region and its body; the answer comes back."""
    answer = callers.rds(WEST, EAST).describe_events(SourceType="db-cluster")

    assert answer["Events"] == []
    assert upstream.seen == [("rds", EAST, b"Action=DescribeEvents&Version=2014-10-31&SourceType=db-cluster")]


def test_an_error_comes_in_the_services_own_format(faults: ApiFaults, callers: Callers) -> None:
    """A throttled call looks to boto3 as AWS's throttling does."""
    faults.add(ApiFault(service="rds", operation="DescribeEvents", error_code="Throttling", error_status=400))

    with pytest.raises(ClientError) as caught:
        callers.rds(WEST, EAST).describe_events()
    assert (
        caught.value.response["Error"]["Code"],
        caught.value.response["ResponseMetadata"]["HTTPStatusCode"],
    ) == ("Throttling", 400)


def test_times_counts_the_calls_of_all_callers_together(faults: ApiFaults, callers: Callers) -> None:
    """A fault for one call hits one call, whoever makes it."""
    injected = faults.add(ApiFault(service="sts", error_code="InternalError", times=1))

    with pytest.raises(ClientError):
        callers.sts(WEST, EAST).get_caller_identity()
    callers.sts(EAST, EAST).get_caller_identity()
    callers.sts(WEST, EAST).get_caller_identity()
    assert injected.fired_count == 1


def test_a_fault_hits_only_the_calls_that_it_names(faults: ApiFaults, callers: Callers) -> None:
    """Another caller, another target, another service: nothing happens to them."""
    faults.add(ApiFault(service="rds", caller_region=WEST, target_region=EAST, reset=True))

    callers.rds(EAST, EAST).describe_events()
    callers.rds(WEST, WEST).describe_events()
    callers.sts(WEST, EAST).get_caller_identity()
    with pytest.raises(ConnectionClosedError):
        callers.rds(WEST, EAST).describe_events()


def test_a_removed_fault_is_gone(faults: ApiFaults, callers: Callers) -> None:
    """After `remove`, and after `clear`, calls pass again."""
    injected = faults.add(ApiFault(service="rds", reset=True))
    faults.remove(injected)
    callers.rds(WEST, EAST).describe_events()
    faults.add(ApiFault(service="rds", reset=True))
    faults.clear()

    callers.rds(WEST, EAST).describe_events()


def test_latency_delays_a_call_that_then_passes(upstream: Upstream, faults: ApiFaults, callers: Callers) -> None:
    """The answer comes, later."""
    faults.add(ApiFault(service="rds", latency_ms=60))

    started = time.monotonic()
    callers.rds(WEST, EAST).describe_events()
    assert time.monotonic() - started >= 0.06
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_caller_that_gave_up_is_no_failure(is_gone: bool) -> None:
    """An answer that nobody waits for any more is dropped; a reset under a caller that still waits is an error."""

    async def reset(_request: web.BaseRequest) -> web.StreamResponse:
        raise ClientConnectionResetError("Cannot write to closing transport")

    async def handle() -> int:
        proxy = _CallerProxy(WEST, "http://127.0.0.1:1")
        proxy.burst.handle_proxy = reset  # pyright: ignore[reportAttributeAccessIssue]
        request = make_mocked_request("POST", "/", headers={"Host": "127.0.0.1"})
        assert request.transport is not None
        request.transport.is_closing.return_value = is_gone  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        return (await proxy._handle(request)).status

    if is_gone:
        assert asyncio.run(handle()) == 499
    else:
        with pytest.raises(ClientConnectionResetError):
            asyncio.run(handle())


def test_a_hanging_call_has_no_effect(upstream: Upstream, faults: ApiFaults, hasty: Callers) -> None:
    """The client runs out of time, and AWS never saw the request."""
    injected = faults.add(ApiFault(service="rds", hang=True))

    with pytest.raises(ReadTimeoutError):
        hasty.rds(WEST, EAST).describe_events()
    assert wait_until(lambda: injected.fired_count == 1)
    assert upstream.seen == []


def test_a_lost_answer_has_an_effect(upstream: Upstream, faults: ApiFaults, callers: Callers, hasty: Callers) -> None:
    """The client runs out of time, but AWS did what it was asked to."""
    faults.add(ApiFault(service="rds", lose_answer=True, times=1))

    with pytest.raises(ReadTimeoutError):
        hasty.rds(WEST, EAST).describe_events()
    assert wait_until(lambda: len(upstream.seen) == 1)
    callers.rds(WEST, EAST).describe_events()


def test_darkness_silences_a_region_both_ways(
    upstream: Upstream, faults: ApiFaults, callers: Callers, hasty: Callers
) -> None:
    """Nobody there reaches anything, nobody elsewhere reaches it; the living region goes on by itself."""
    faults.fail(EAST)

    for caller, target in ((EAST, EAST), (EAST, WEST), (WEST, EAST)):
        with pytest.raises(ReadTimeoutError):
            hasty.rds(caller, target).describe_events()
    callers.rds(WEST, WEST).describe_events()
    assert [(service, region) for service, region, _body in upstream.seen] == [("rds", WEST)]
    assert [(fired.caller_region, fired.target_region) for fired in faults.fired if fired.by_darkness] == [
        (EAST, EAST),
        (EAST, WEST),
        (WEST, EAST),
    ]


def test_global_services_answer_living_regions_only(faults: ApiFaults, callers: Callers, hasty: Callers) -> None:
    """A service that signs for us-east-1 lives on for eu-west-1 when us-east-1 is dark, but not for the dark region."""
    faults.fail(EAST)

    callers.sts(WEST, EAST).get_caller_identity()
    with pytest.raises(ReadTimeoutError):
        hasty.sts(EAST, EAST).get_caller_identity()


def test_darkness_outranks_single_faults(faults: ApiFaults, callers: Callers, hasty: Callers) -> None:
    """A dark region doesn't answer so much as an error, and the single fault is back in force afterwards."""
    faults.add(ApiFault(service="rds", error_code="Throttling", error_status=400))
    faults.fail(EAST)
    with pytest.raises(ReadTimeoutError):
        hasty.rds(WEST, EAST).describe_events()
    faults.restore(EAST)

    with pytest.raises(ClientError):
        callers.rds(WEST, EAST).describe_events()


def test_the_end_of_darkness_resets_what_was_held(upstream: Upstream, faults: ApiFaults) -> None:
    """A request of a patient caller dies when the region comes back: it never takes effect late."""
    patient = Callers(faults, PATIENT_SECONDS)
    faults.fail(EAST)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient.rds(WEST, EAST).describe_events)
        assert wait_until(lambda: faults.fired)
        faults.restore(EAST)
        error = call.exception(timeout=WAIT_SECONDS)
    patient.close()

    assert isinstance(error, ConnectionClosedError)
    assert upstream.seen == []
    assert frozenset() == faults.dark_regions


def test_two_dark_regions_come_back_one_by_one(faults: ApiFaults, callers: Callers, hasty: Callers) -> None:
    """Each region's darkness is its own."""
    faults.fail(EAST)
    faults.fail(WEST)
    faults.restore(WEST)

    callers.rds(WEST, WEST).describe_events()
    with pytest.raises(ReadTimeoutError):
        hasty.rds(WEST, EAST).describe_events()


def test_stopping_ends_held_requests_and_every_thread(upstream: Upstream) -> None:
    """A rehearsal that ends in the dark ends at once."""
    faults = ApiFaults(upstream=upstream.url, regions=(EAST, WEST)).start()
    patient = Callers(faults, PATIENT_SECONDS)
    faults.fail(EAST)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient.rds(EAST, EAST).describe_events)
        assert wait_until(lambda: faults.fired)
        started = time.monotonic()
        faults.stop()
        stopped_seconds = time.monotonic() - started
        error = call.exception(timeout=WAIT_SECONDS)
    patient.close()

    assert isinstance(error, ConnectionClosedError)
    assert stopped_seconds < WAIT_SECONDS
    faults.stop()
