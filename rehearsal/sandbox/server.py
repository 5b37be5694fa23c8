"""The running sandbox: an environment and the loopback port for its commands.

The port listens on 127.0.0.1 only and requires the token. The command `up` deploys from the command's process, so it always runs the
current program.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from rehearsal.cloud.ministack import EmulatorError
from rehearsal.engine.deploy import DeploymentError
from rehearsal.environment import OPERATION_SECONDS, OUTSIDE, PROGRAM_DIRECTORY, Environment
from rehearsal.pulumi_cli.backend import Checkpoint, read_checkpoint
from rehearsal.sandbox.client import (
    CLI_FOLDER,
    FILE,
    OUTPUTS,
    TOKEN_HEADER,
    Address,
    SandboxError,
    write_address,
    write_private_json,
)
from rehearsal.support.event_loop import LoopThread, serve_on_loopback
from settings import SettingsError
from settings.stack_file import project_name

MAX_BODY_BYTES = 64 * 1024**2
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SandboxServer:
    """The control port of a running environment; a context manager."""

    def __init__(self, *, environment: Environment, token: str) -> None:
        self.stop_requested = threading.Event()
        self.url = ""
        self._environment = environment
        self._token = token
        self._state: dict[str, Any] | None = None
        self._outputs: dict[str, Any] | None = None
        self._engine: dict[str, Any] | None = None
        self._cli_outputs: dict[str, Any] | None = None
        self._cli_resources = 0
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
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._check_token])
        app.router.add_get("/sandbox", self._get_status)
        app.router.add_get("/state", self._get_state)
        app.router.add_put("/state", self._put_state)
        app.router.add_put("/outputs", self._put_outputs)
        app.router.add_post("/engine", self._lock)
        app.router.add_delete("/engine", self._unlock)
        app.router.add_post("/regions/{region}/{action:fail|restore}", self._change_region)
        app.router.add_post("/stop", self._stop)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        return await serve_on_loopback(self._runner)

    @web.middleware
    async def _check_token(self, request: web.Request, handler: Handle) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            return web.json_response({"error": "wrong token: this sandbox belongs to another user"}, status=403)
        return await handler(request)

    async def _get_status(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(await asyncio.to_thread(self._status))

    def follow(self, checkpoint: Checkpoint | None) -> bool:
        """Attach to the stack that the Pulumi CLI has deployed, detach from one that it has destroyed.

        Return whether the outputs changed. An operation in progress changes nothing yet.
        """
        if checkpoint is None or checkpoint.is_locked:
            return False
        self._cli_resources = checkpoint.resources
        outputs = dict(checkpoint.outputs) if "regions" in checkpoint.outputs else None
        if outputs == self._cli_outputs:
            return False
        self._cli_outputs = outputs
        self._set_outputs(outputs)
        return True

    @property
    def outputs(self) -> Mapping[str, Any] | None:
        """The outputs of the deployed stack, None if there is none."""
        return self._outputs

    def _status(self) -> dict[str, Any]:
        environment = self._environment
        clusters = []
        if self._outputs is not None:
            for region in environment.regions:
                cluster = environment.find_cluster(region)
                if cluster is None:  # someone deleted it, as on the way back from a detachment
                    continue
                host, port = environment.network.address(region.writer_endpoint, from_region=region.name)
                clusters.append(
                    {
                        "region": region.name,
                        "cluster_id": region.cluster_id,
                        "is_writer": cluster.is_writer,
                        "host": host,
                        "port": port,
                    }
                )
        return {
            "stack": environment.stack,
            "interval_seconds": environment.interval_seconds,
            "failover_overrides": environment.failover_overrides,
            "regions": list(environment.network.regions),
            "failed_regions": sorted(environment.network.failed_regions),
            "is_up": self._outputs is not None,
            "resources": self._cli_resources or len((self._state or {}).get("resources", ())),
            "is_cli_stack": self._cli_resources > 0,
            "clusters": clusters,
            "ca_file": str(environment.authority.bundle),
            "engine": self._engine,
            "deploy_url": environment.control_plane.url,
            "operator_url": environment.faults.endpoint(OUTSIDE),
        }

    async def _get_state(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"state": self._state})

    async def _put_state(self, request: web.Request) -> web.StreamResponse:
        self._state = (await request.json())["state"]
        return web.json_response({})

    async def _put_outputs(self, request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(self._set_outputs, (await request.json())["outputs"])
        return web.json_response({})

    def _set_outputs(self, outputs: dict[str, Any] | None) -> None:
        was_up, self._outputs = self._outputs is not None, outputs
        if outputs is None:
            self._environment.detach()
            return
        self._environment.attach(outputs)
        if not was_up:
            # The schedules first fire a minute after their creation.
            self._environment.start_controllers()

    async def _lock(self, request: web.Request) -> web.StreamResponse:
        """Grant the lock of the stack to one process; the lock of a process that has ended is replaced."""
        lock = await request.json()
        if self._engine is not None and _is_alive(self._engine["pid"]):
            return web.json_response({"error": f"busy: {self._engine['doing']} is in progress"}, status=409)
        self._engine = {"pid": int(lock["pid"]), "doing": str(lock["doing"])}
        return web.json_response({})

    async def _unlock(self, _request: web.Request) -> web.StreamResponse:
        self._engine = None
        return web.json_response({})

    async def _change_region(self, request: web.Request) -> web.StreamResponse:
        region, action = request.match_info["region"], request.match_info["action"]
        if region not in self._environment.network.regions:
            known = ", ".join(self._environment.network.regions)
            return web.json_response({"error": f"unknown region {region}. Use one of: {known}"}, status=404)
        network = self._environment.network
        await asyncio.to_thread(network.fail if action == "fail" else network.restore, region)
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
    on_ready: Callable[[list[str], str, Path], None],
) -> None:
    """Start an environment with its control port, write its address to the directory, and run until it is stopped.

    `failover_overrides` are unscaled settings of `failover`.
    `on_ready` receives the regions, the operator's endpoint and the directory after the start.
    Raises: SandboxError if the start fails or the embedded AWS ends.
    """
    token = secrets.token_urlsafe(32)
    is_found = False
    try:
        with (
            Environment(
                stack=stack,
                interval_seconds=interval_seconds,
                operation_seconds=OPERATION_SECONDS,
                failover_overrides=failover_overrides,
            ) as environment,
            SandboxServer(environment=environment, token=token) as server,
        ):
            # A stack of an earlier sandbox describes resources that do not exist.
            shutil.rmtree(directory / CLI_FOLDER, ignore_errors=True)
            write_address(directory, Address(url=server.url, token=token, pid=os.getpid()))
            is_found = True
            try:
                on_ready(list(environment.network.regions), environment.faults.endpoint(OUTSIDE), directory)
                _wait(server, environment, directory)
            finally:
                shutil.rmtree(directory / CLI_FOLDER, ignore_errors=True)
    except (SettingsError, DeploymentError, EmulatorError) as error:
        raise SandboxError(str(error)) from error
    finally:
        if is_found:
            # At the very end: `stop` waits until the address is gone.
            for name in (OUTPUTS, FILE):
                (directory / name).unlink(missing_ok=True)


def _wait(server: SandboxServer, environment: Environment, directory: Path) -> None:
    """Follow the stack until `stop`, Ctrl-C or SIGTERM. Raises EmulatorError if the embedded AWS ends."""
    stop_requested, project = server.stop_requested, project_name(PROGRAM_DIRECTORY)
    previous = signal.signal(signal.SIGTERM, lambda _number, _frame: stop_requested.set())
    try:
        while not stop_requested.wait(1.0):
            environment.emulator.check_alive()
            changed = server.follow(read_checkpoint(directory / CLI_FOLDER / "state", project, environment.stack))
            if changed and server.outputs is not None:
                write_private_json(directory / OUTPUTS, server.outputs)
            elif changed:
                (directory / OUTPUTS).unlink(missing_ok=True)
    except KeyboardInterrupt:
        stop_requested.set()
    finally:
        signal.signal(signal.SIGTERM, previous)
