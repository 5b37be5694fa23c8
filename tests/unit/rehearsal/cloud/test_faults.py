"""Tests of API faults through boto3 clients in front of a small upstream on loopback."""

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
from rehearsal.support.clients import BotoClients, credential_scope
from rehearsal.support.event_loop import LoopThread, serve_on_loopback
from tests.support.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

EAST, WEST = "us-east-1", "eu-west-1"

IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:root</Arn><UserId>u</UserId><Account>123456789012</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
EVENTS = """<DescribeEventsResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><DescribeEventsResult><Events/>
</DescribeEventsResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeEventsResponse>"""


ALIASES = (
    "<ListAccountAliasesResponse><ListAccountAliasesResult><AccountAliases/><IsTruncated>false</IsTruncated>"
    "</ListAccountAliasesResult></ListAccountAliasesResponse>"
)


class Upstream:
    """An AWS with two operations that records its requests."""

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
            app.router.add_route("*", "/{tail:.*}", self.respond)
            self.runner = web.AppRunner(app, access_log=None)
            return await serve_on_loopback(self.runner)

        self.url = self.thread.run(listen())

    async def respond(self, request: web.Request) -> web.Response:
        """Respond as STS, IAM or RDS."""
        scope = credential_scope(request.headers)
        assert scope is not None
        self.seen.append((scope.service, scope.region, await request.read()))
        answers = {"sts": IDENTITY, "iam": ALIASES, "rds": EVENTS}
        return web.Response(text=answers[scope.service], content_type="text/xml")

    def stop(self) -> None:
        """Stop listening."""
        assert self.runner is not None
        self.thread.run(self.runner.cleanup())
        self.thread.stop()


class Callers:
    """Clients in each region with a read timeout."""

    def __init__(self, faults: ApiFaults, read_timeout_seconds: float) -> None:
        self.clients = {
            region: BotoClients(url, read_timeout_seconds=read_timeout_seconds)
            for region, url in faults.endpoints.items()
        }

    def rds(self, caller: str, target: str) -> Any:
        """Return an RDS client in one region for another."""
        return self.clients[caller]("rds", target)

    def sts(self, caller: str, target: str) -> Any:
        """Return an STS client in one region for another."""
        return self.clients[caller]("sts", target)

    def iam(self, caller: str, target: str) -> Any:
        """Return an IAM client in one region for another."""
        return self.clients[caller]("iam", target)

    def close(self) -> None:
        """Close all connections."""
        for clients in self.clients.values():
            clients.close()


PATIENT_SECONDS = 10 * WAIT_SECONDS
"""The timeout of callers whose requests must end for another reason."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Start an upstream."""
    running = Upstream()
    running.start()
    yield running
    running.stop()


@pytest.fixture(params=[False, True], ids=["http", "direct"])
def faults(upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[ApiFaults]:
    """Start the proxies of both regions, with and without an HTTP connection to the upstream."""
    direct = {"direct": upstream.respond, "thread": upstream.thread} if request.param else {}
    with ApiFaults(upstream=upstream.url, regions=(EAST, WEST), **direct) as running:
        yield running


@pytest.fixture
def callers(faults: ApiFaults) -> Iterator[Callers]:
    """Create callers that wait for a slow response."""
    running = Callers(faults, WAIT_SECONDS)
    yield running
    running.close()


@pytest.fixture
def impatient(faults: ApiFaults) -> Iterator[Callers]:
    """Create callers that wait 0.2 s for a response."""
    running = Callers(faults, 0.2)
    yield running
    running.close()


def test_call_passes_unchanged_without_fault(upstream: Upstream, callers: Callers) -> None:
    """The upstream gets the signed region and the body, and the caller the response."""
    respond = callers.rds(WEST, EAST).describe_events(SourceType="db-cluster")

    assert respond["Events"] == []
    assert upstream.seen == [("rds", EAST, b"Action=DescribeEvents&Version=2014-10-31&SourceType=db-cluster")]


def test_error_has_the_services_format(faults: ApiFaults, callers: Callers) -> None:
    """boto3 parses it as AWS's throttling error."""
    faults.add(ApiFault(service="rds", operation="DescribeEvents", error_code="Throttling", error_status=400))

    with pytest.raises(ClientError) as caught:
        callers.rds(WEST, EAST).describe_events()
    assert (
        caught.value.response["Error"]["Code"],
        caught.value.response["ResponseMetadata"]["HTTPStatusCode"],
    ) == ("Throttling", 400)


def test_times_counts_calls_of_all_callers(faults: ApiFaults, callers: Callers) -> None:
    """A fault for one call affects one call of any caller."""
    injected = faults.add(ApiFault(service="sts", error_code="InternalError", times=1))

    with pytest.raises(ClientError):
        callers.sts(WEST, EAST).get_caller_identity()
    callers.sts(EAST, EAST).get_caller_identity()
    callers.sts(WEST, EAST).get_caller_identity()
    assert injected.fired_count == 1


def test_fault_affects_only_matching_calls(faults: ApiFaults, callers: Callers) -> None:
    """Calls of another caller, target or service pass."""
    faults.add(ApiFault(service="rds", caller_region=WEST, target_region=EAST, reset=True))

    callers.rds(EAST, EAST).describe_events()
    callers.rds(WEST, WEST).describe_events()
    callers.sts(WEST, EAST).get_caller_identity()
    with pytest.raises(ConnectionClosedError):
        callers.rds(WEST, EAST).describe_events()


def test_removed_fault_has_no_effect(faults: ApiFaults, callers: Callers) -> None:
    """Calls pass again after `remove` and after `clear`."""
    injected = faults.add(ApiFault(service="rds", reset=True))
    faults.remove(injected)
    callers.rds(WEST, EAST).describe_events()
    faults.add(ApiFault(service="rds", reset=True))
    faults.clear()

    callers.rds(WEST, EAST).describe_events()


def test_latency_delays_a_call(upstream: Upstream, faults: ApiFaults, callers: Callers) -> None:
    """The call passes after the delay."""
    faults.add(ApiFault(service="rds", latency_ms=60))

    started = time.monotonic()
    callers.rds(WEST, EAST).describe_events()
    assert time.monotonic() - started >= 0.06
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("is_gone", [True, False])
def test_reset_is_an_error_only_if_the_caller_still_waits(is_gone: bool) -> None:
    """A response is dropped without error if its caller has disconnected."""

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


def test_hanging_call_has_no_effect(upstream: Upstream, faults: ApiFaults, impatient: Callers) -> None:
    """The client times out, and the upstream gets no request."""
    injected = faults.add(ApiFault(service="rds", hang=True))

    with pytest.raises(ReadTimeoutError):
        impatient.rds(WEST, EAST).describe_events()
    assert wait_until(lambda: injected.fired_count == 1)
    assert upstream.seen == []


def test_call_with_lost_response_has_an_effect(
    upstream: Upstream, faults: ApiFaults, callers: Callers, impatient: Callers
) -> None:
    """The client times out, but the upstream has processed the request."""
    faults.add(ApiFault(service="rds", lose_answer=True, times=1))

    with pytest.raises(ReadTimeoutError):
        impatient.rds(WEST, EAST).describe_events()
    assert wait_until(lambda: len(upstream.seen) == 1)
    callers.rds(WEST, EAST).describe_events()


def test_failed_region_is_unreachable_in_both_directions(
    upstream: Upstream, faults: ApiFaults, callers: Callers, impatient: Callers
) -> None:
    """Calls from and to the region time out; other calls pass."""
    faults.fail(EAST)

    for caller, target in ((EAST, EAST), (EAST, WEST), (WEST, EAST)):
        with pytest.raises(ReadTimeoutError):
            impatient.rds(caller, target).describe_events()
    callers.rds(WEST, WEST).describe_events()
    assert [(service, region) for service, region, _body in upstream.seen] == [("rds", WEST)]
    assert [(fired.caller_region, fired.target_region) for fired in faults.fired if fired.by_region_failure] == [
        (EAST, EAST),
        (EAST, WEST),
        (WEST, EAST),
    ]


def test_global_services_respond_to_available_regions_only(
    faults: ApiFaults, callers: Callers, impatient: Callers
) -> None:
    """IAM in us-east-1 responds to eu-west-1 while us-east-1 has failed, but not to us-east-1. STS belongs to its region."""
    faults.fail(EAST)

    callers.iam(WEST, EAST).list_account_aliases()
    with pytest.raises(ReadTimeoutError):
        impatient.iam(EAST, EAST).list_account_aliases()
    with pytest.raises(ReadTimeoutError):
        impatient.sts(WEST, EAST).get_caller_identity()


def test_region_failure_overrides_single_faults(faults: ApiFaults, callers: Callers, impatient: Callers) -> None:
    """A failed region returns no error; the single fault applies again after the restore."""
    faults.add(ApiFault(service="rds", error_code="Throttling", error_status=400))
    faults.fail(EAST)
    with pytest.raises(ReadTimeoutError):
        impatient.rds(WEST, EAST).describe_events()
    faults.restore(EAST)

    with pytest.raises(ClientError):
        callers.rds(WEST, EAST).describe_events()


def test_restore_resets_held_requests(upstream: Upstream, faults: ApiFaults) -> None:
    """A held request never takes effect after the outage."""
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
    assert frozenset() == faults.failed_regions


def test_failed_regions_are_restored_independently(faults: ApiFaults, callers: Callers, impatient: Callers) -> None:
    """One region is restored while the other stays failed."""
    faults.fail(EAST)
    faults.fail(WEST)
    faults.restore(WEST)

    callers.rds(WEST, WEST).describe_events()
    with pytest.raises(ReadTimeoutError):
        impatient.rds(WEST, EAST).describe_events()


def test_stop_resets_held_requests(upstream: Upstream) -> None:
    """Stopping does not wait for held requests."""
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
