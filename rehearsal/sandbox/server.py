"""A sandbox while it runs: a world that lives on, and the loopback port by which its commands reach it.

Owns: the port, its token, the state of what is deployed, who may change it at a time, and how long it lives.
Does not own: the world (world.py), what the commands say to people (sandbox.py), or a deployment (it is made by the
command `up`, in its own process, so that a changed program is what runs).
Invariant: it listens on 127.0.0.1 alone, and answers nobody without the token; one engine at a time.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from rehearsal.cloud.ministack import EmulatorError
from rehearsal.engine.deploy import DeploymentError
from rehearsal.environment import OUTSIDE, Environment
from rehearsal.run import OPERATION_SECONDS
from rehearsal.sandbox.client import FILE, OUTPUTS, TOKEN_HEADER, Address, SandboxError, announce
from rehearsal.support.clients import Clients
from rehearsal.support.event_loop import LoopThread, serve_on_loopback
from settings import SettingsError

MAX_BODY_BYTES = 64 * 1024**2
FIRST_CALLS = (
    ("sts", "get_caller_identity"),
    ("rds", "describe_global_clusters"),
    ("dynamodb", "list_tables"),
    ("lambda", "list_functions"),
    ("cloudwatch", "describe_alarms"),
    ("sns", "list_topics"),
    ("secretsmanager", "list_secrets"),
    ("route53", "list_hosted_zones"),
)
"""What the controllers and the operator's commands speak to, each with a call that changes nothing."""
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SandboxServer:
    """The control port of a running world. A context manager."""

    def __init__(self, *, world: Environment, token: str) -> None:
        self.stop_requested = threading.Event()
        self.url = ""
        self._world = world
        self._token = token
        self._state: dict[str, Any] | None = None
        self._outputs: dict[str, Any] | None = None
        self._engine: dict[str, Any] | None = None
        self._thread = LoopThread("sandbox")
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.url = self._thread.run(self._listen())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            self._thread.run(self._runner.cleanup())
        self._thread.stop()

    async def _listen(self) -> str:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._admit])
        app.router.add_get("/sandbox", self._show)
        app.router.add_get("/state", self._give_state)
        app.router.add_put("/state", self._keep_state)
        app.router.add_put("/outputs", self._take_outputs)
        app.router.add_post("/engine", self._begin)
        app.router.add_delete("/engine", self._end)
        app.router.add_post("/regions/{region}/{turn:fail|restore}", self._turn)
        app.router.add_post("/stop", self._stop)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        return await serve_on_loopback(self._runner)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handle) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            return web.json_response({"error": "this sandbox is somebody else's: wrong token"}, status=403)
        return await handler(request)

    async def _show(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(await asyncio.to_thread(self._picture))

    def _picture(self) -> dict[str, Any]:
        world = self._world
        clusters = []
        if self._outputs is not None:
            for region in world.regions:
                cluster = world.cluster(region)
                clusters.append(
                    {"region": region.name, "cluster_id": region.cluster_id, "is_writer": cluster.is_writer}
                )
        return {
            "stack": world.stack,
            "interval_seconds": world.interval_seconds,
            "failover_overrides": world.failover_overrides,
            "regions": list(world.network.regions),
            "dark_regions": sorted(world.network.failed_regions),
            "is_up": self._outputs is not None,
            "resources": len((self._state or {}).get("resources", ())),
            "clusters": clusters,
            "engine": self._engine,
            "deploy_url": world.control_plane.url,
            "operator_url": world.faults.endpoint(OUTSIDE),
        }

    async def _give_state(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"state": self._state})

    async def _keep_state(self, request: web.Request) -> web.StreamResponse:
        """Keep what an engine left, also half-way."""
        self._state = (await request.json())["state"]
        return web.json_response({})

    async def _take_outputs(self, request: web.Request) -> web.StreamResponse:
        """Follow a stack that is up by its outputs; null for one that isn't up any more."""
        await asyncio.to_thread(self._follow, (await request.json())["outputs"])
        return web.json_response({})

    def _follow(self, outputs: dict[str, Any] | None) -> None:
        was_up, self._outputs = self._outputs is not None, outputs
        if outputs is None:
            self._world.leave()
            return
        self._world.take_up(outputs)
        if not was_up:
            # The schedules begin a minute after they were made; from then on they start the controllers by themselves.
            self._world.start_controllers()

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        """Let one engine at a time change the stack; one that died is no obstacle."""
        asked = await request.json()
        if self._engine is not None and _is_alive(self._engine["pid"]):
            return web.json_response({"error": f"busy: {self._engine['doing']} is under way"}, status=409)
        self._engine = {"pid": int(asked["pid"]), "doing": str(asked["doing"])}
        return web.json_response({})

    async def _end(self, _request: web.Request) -> web.StreamResponse:
        self._engine = None
        return web.json_response({})

    async def _turn(self, request: web.Request) -> web.StreamResponse:
        region, turn = request.match_info["region"], request.match_info["turn"]
        if region not in self._world.network.regions:
            known = ", ".join(self._world.network.regions)
            return web.json_response({"error": f"no such region here: {region}; there are {known}"}, status=404)
        network = self._world.network
        await asyncio.to_thread(network.fail if turn == "fail" else network.restore, region)
        return web.json_response({})

    async def _stop(self, _request: web.Request) -> web.StreamResponse:
        self.stop_requested.set()
        return web.json_response({})


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def host(
    stack: str,
    interval_seconds: float,
    directory: Path,
    *,
    failover_overrides: Mapping[str, object],
    say: Callable[[list[str], str, Path], None],
) -> None:
    """Start a world with its port, announce it in the directory, and stay until it is stopped.

    `failover_overrides` are settings of `failover` that are not shrunk with the cycle.
    `say` is told the regions, the operator's endpoint and the directory once all is up.
    Raises: SandboxError when it can't start, or the emulator dies.
    """
    token = secrets.token_urlsafe(32)
    try:
        with (
            Environment(
                stack=stack,
                interval_seconds=interval_seconds,
                operation_seconds=OPERATION_SECONDS,
                failover_overrides=failover_overrides,
            ) as world,
            SandboxServer(world=world, token=token) as server,
        ):
            _warm_up(world)
            announce(directory, Address(url=server.url, token=token, pid=os.getpid()))
            try:
                say(list(world.network.regions), world.faults.endpoint(OUTSIDE), directory)
                _wait(server.stop_requested, world)
            finally:
                for name in (FILE, OUTPUTS):
                    (directory / name).unlink(missing_ok=True)
    except (SettingsError, DeploymentError, EmulatorError) as error:
        raise SandboxError(str(error)) from error


def _warm_up(world: Environment) -> None:
    """Make the first call to each service from each place: the proxies learn a service's calls then, which takes seconds."""
    for place, endpoint in world.faults.endpoints.items():
        clients = Clients(endpoint)
        region = world.network.regions[0] if place == OUTSIDE else place
        for service, operation in FIRST_CALLS:
            getattr(clients(service, region), operation)()
        clients.close()


def _wait(stop_requested: threading.Event, world: Environment) -> None:
    """Wait for `stop`, for Ctrl-C, or for a signal to end; an emulator that dies ends it too."""
    previous = signal.signal(signal.SIGTERM, lambda _number, _frame: stop_requested.set())
    try:
        while not stop_requested.wait(1.0):
            world.emulator.check_alive()
    except KeyboardInterrupt:
        stop_requested.set()
    finally:
        signal.signal(signal.SIGTERM, previous)
