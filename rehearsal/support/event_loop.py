"""An asyncio event loop in a background thread, for the rehearsal's servers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")


class LoopThread:
    """An event loop in a background thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._end: asyncio.Event | None = None

    def start(self) -> None:
        """Start the thread and wait until the loop runs."""
        if self._thread is not None:
            raise RuntimeError(f"{self._name} is already running")
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name=self._name, daemon=True)
        self._thread.start()
        ready.wait()

    def run(self, coroutine: Coroutine[Any, Any, T], *, timeout_seconds: float | None = 60.0) -> T:
        """Run a coroutine in the loop and wait for its result. Call it from another thread only."""
        if self._loop is None:
            coroutine.close()
            raise RuntimeError(f"{self._name} is not running")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_seconds)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the loop's thread and wait for its result."""

        async def call() -> T:
            return function()

        return self.run(call())

    def stop(self) -> None:
        """Cancel the remaining tasks, close the loop and stop the thread. Safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._end is None:
            return
        self._loop.call_soon_threadsafe(self._end.set)
        thread.join()

    def _serve(self, ready: threading.Event) -> None:
        # asyncio.run cancels the remaining tasks and closes the loop.
        try:
            asyncio.run(self._until_stopped(ready))
        finally:
            self._loop = None

    async def _until_stopped(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        ready.set()
        await self._end.wait()


async def serve_on_loopback(runner: web.AppRunner) -> str:
    """Serve an aiohttp application on a free port of 127.0.0.1 and return its URL."""
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"
