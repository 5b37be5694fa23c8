"""HTTP client of ministack: forwards callers' requests unchanged, and sends the API proxy's requests."""

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

IDLE_SECONDS = 3.0
"""Less than the 5 s after which ministack's server closes an idle connection."""
STREAMED_ABOVE_BYTES = 1024**2
CHECK_HEADER = "X-Rehearsal-Check-Permission"
"""Asks ministack only to authorize the request for the resource in this header (ministack_launcher.py)."""

# Headers of a single connection (RFC 9110), and those that the session sets itself.
_PER_CONNECTION = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "expect"}
)


@dataclass(frozen=True, kw_only=True)
class UpstreamResponse:
    """A response whose body has been read."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    def to_response(self, body: bytes | None = None) -> web.Response:
        """Return the response for the caller, optionally with another body."""
        return web.Response(status=self.status, headers=self.headers, body=self.body if body is None else body)


class Upstream:
    """Client of the ministack at `url`. Set `url` before the first request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Open the session; must run in the loop that uses it."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            # The caller has a timeout. A synchronous Lambda invocation may take minutes.
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def read(self, request: web.Request, body: bytes) -> UpstreamResponse:
        """Forward a request and read the whole response."""
        async with self._send(request, body) as response:
            return UpstreamResponse(
                status=response.status, headers=_forwarded(response.headers), body=await response.read()
            )

    async def stream(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Forward a request and its response; a large response is streamed."""
        async with self._send(request, body) as response:
            length = response.content_length
            if request.method == "HEAD" or (length is not None and length <= STREAMED_ABOVE_BYTES):
                headers = _forwarded(response.headers)
                if request.method == "HEAD" and length is not None:
                    headers["Content-Length"] = str(length)
                return web.Response(status=response.status, headers=headers, body=await response.read())
            streamed = web.StreamResponse(status=response.status, headers=_forwarded(response.headers))
            await streamed.prepare(request)
            async for chunk in response.content.iter_any():
                await streamed.write(chunk)
            await streamed.write_eof()
            return streamed

    async def permits(self, request: web.Request, body: bytes, *, resource: str) -> bool:
        """Return whether IAM allows the request's signer its action on a resource (an ARN); the action is not executed."""
        async with self._send(request, body, {CHECK_HEADER: resource}) as response:
            return response.status == 200

    async def call(self, service: str, region: str, parameters: Mapping[str, str]) -> UpstreamResponse:
        """Call a service of the query protocol as the account itself."""
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
            # Ministack reads account, region and service from here, and does not verify this signature.
            "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT_ID}/{now:%Y%m%d}/{region}/{service}/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=0",
        }
        async with self._open_session().post(
            self.url, headers=headers, data=urlencode(parameters).encode()
        ) as response:
            return UpstreamResponse(
                status=response.status, headers=_forwarded(response.headers), body=await response.read()
            )

    def _send(
        self, request: web.Request, body: bytes, extra: Mapping[str, str] | None = None
    ) -> aiohttp.client._RequestContextManager:
        return self._open_session().request(
            request.method,
            URL(self.url + request.rel_url.raw_path_qs, encoded=True),
            headers=_as_signed(request.headers, extra),
            data=body or None,
            allow_redirects=False,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None or not self.url:
            raise RuntimeError("upstream: no URL is set. Set it before the first request.")
        return self._session


def _forwarded(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _PER_CONNECTION)


def _as_signed(headers: Mapping[str, str], extra: Mapping[str, str] | None = None) -> CIMultiDict[str]:
    """Return the headers that the caller signed, with the Host that a proxy in front has moved to another header."""
    forwarded = _forwarded(headers)
    forwarded.update(extra or {})
    signed_host = forwarded.pop(SIGNED_HOST_HEADER, None)
    if signed_host is not None:
        forwarded["Host"] = signed_host
    return forwarded
