"""The emulator as the control plane reaches it: requests passed on as they are, and requests of our own.

Owns: the HTTP session to the emulator. Does not own: what is done with an answer.
Invariant: what is passed on keeps its method, path, headers and body, and its answer keeps status, headers and body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from rehearsal.support.clients import ACCOUNT_ID, SIGNED_HOST_HEADER

# Hypercorn closes an idle connection after 5 s; giving it up earlier keeps a request from meeting a connection that ends.
IDLE_SECONDS = 3.0
STREAMED_ABOVE_BYTES = 1024**2
QUESTION_HEADER = "X-Rehearsal-May-I"
"""Carries the resource that a caller's request is only judged for (ministack_launcher.py)."""

# RFC 9110: these belong to one connection. The length and the coding of the body are the session's own business.
_PER_CONNECTION = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "expect"}
)


@dataclass(frozen=True, kw_only=True)
class UpstreamResponse:
    """An answer whose body has been read."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    def to_response(self, body: bytes | None = None) -> web.Response:
        """Return it for our client, with another body if one is given."""
        return web.Response(status=self.status, headers=self.headers, body=self.body if body is None else body)


class Upstream:
    """The emulator behind `url`, which may be set before the first request rather than before `open`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open the session, in the loop that will use it."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            # Whoever calls has a time limit: a synchronous Lambda invocation may well take minutes.
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def read(self, request: web.Request, body: bytes) -> UpstreamResponse:
        """Pass a request on and read the whole answer."""
        async with self._send(request, body) as response:
            return UpstreamResponse(
                status=response.status, headers=_passed_on(response.headers), body=await response.read()
            )

    async def stream(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Pass a request on, and its answer too: a large or endless one piece by piece."""
        async with self._send(request, body) as response:
            length = response.content_length
            if request.method == "HEAD" or (length is not None and length <= STREAMED_ABOVE_BYTES):
                headers = _passed_on(response.headers)
                if request.method == "HEAD" and length is not None:
                    headers["Content-Length"] = str(length)
                return web.Response(status=response.status, headers=headers, body=await response.read())
            answer = web.StreamResponse(status=response.status, headers=_passed_on(response.headers))
            await answer.prepare(request)
            async for chunk in response.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
            return answer

    async def permits(self, request: web.Request, body: bytes, *, resource: str) -> bool:
        """Whether IAM lets the signer of a request do it to a resource, by its ARN; nothing is done."""
        async with self._send(request, body, {QUESTION_HEADER: resource}) as response:
            return response.status == 200

    async def ask(self, service: str, region: str, parameters: Mapping[str, str]) -> UpstreamResponse:
        """Make a call of our own to a service of the query protocol."""
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
            # The emulator takes account, region and service from here, and checks no signature.
            "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT_ID}/{now:%Y%m%d}/{region}/{service}/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=0",
        }
        async with self._require().post(self.url, headers=headers, data=urlencode(parameters).encode()) as response:
            return UpstreamResponse(
                status=response.status, headers=_passed_on(response.headers), body=await response.read()
            )

    def _send(
        self, request: web.Request, body: bytes, further: Mapping[str, str] | None = None
    ) -> aiohttp.client._RequestContextManager:
        return self._require().request(
            request.method,
            URL(self.url + request.rel_url.raw_path_qs, encoded=True),
            headers=_as_signed(request.headers, further),
            data=body or None,
            allow_redirects=False,
        )

    def _require(self) -> aiohttp.ClientSession:
        if self._session is None or not self.url:
            raise RuntimeError("the control plane has no upstream yet")
        return self._session


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _PER_CONNECTION)


def _as_signed(headers: Mapping[str, str], further: Mapping[str, str] | None = None) -> CIMultiDict[str]:
    """The headers as the caller signed them: a layer in front may have had to carry the Host under another name."""
    passed_on = _passed_on(headers)
    passed_on.update(further or {})
    signed_host = passed_on.pop(SIGNED_HOST_HEADER, None)
    if signed_host is not None:
        passed_on["Host"] = signed_host
    return passed_on
