"""The AWS API of the rehearsal: the emulator, and in front of it what the emulator lacks.

Owns: FailoverGlobalCluster, SwitchoverGlobalCluster, RestoreDBClusterToPointInTime and ModifyVpcPeeringConnectionOptions;
what AWS refuses of a cluster that joins a global one; the endpoints that RDS answers. Everything else passes through unchanged.
Does not own: faults and darkness between callers and this API (faults.py), an operation's course (operation_runner.py),
what RDS tells EventBridge of it (rds_events.py), or the databases (stand_ins.py).
Invariant: the databases change roles first and the metadata last, so that DescribeGlobalClusters never runs ahead of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from rehearsal.aurora.global_database import GlobalDatabase, MasterLogin
from rehearsal.cloud import instance_offers
from rehearsal.cloud.databases import Databases
from rehearsal.cloud.global_cluster import GlobalClusterView, Operation, OperationRequest, RdsRefusal, check_new_member
from rehearsal.cloud.ministack import ACCOUNT_ID
from rehearsal.cloud.operations import GlobalOperations, OperationCall, OperationRecord
from rehearsal.cloud.peering_options import Ec2Refusal, PeeringOptions
from rehearsal.cloud.rds_events import RdsEvents, ToldEvent
from rehearsal.cloud.rds_xml import (
    DescribedGlobalCluster,
    KnownState,
    cluster_of_arn,
    cluster_of_instance,
    described_clusters,
    described_global_clusters,
    error_answer,
    operation_answer,
    rewrite,
)
from rehearsal.cloud.restores import ACTION as RESTORE
from rehearsal.cloud.restores import Restores
from rehearsal.cloud.upstream import Answer, Upstream
from rehearsal.network.network import EmulatedNetwork
from rehearsal.support.clients import CredentialScope, credential_scope
from rehearsal.support.event_loop import LoopThread, serve_on_loopback

MAX_BODY_BYTES = 256 * 1024**2
KEEP_ALIVE_SECONDS = 3600.0
XML = "text/xml"
RDS_VERSION = "2014-10-31"
EC2_VERSION = "2016-11-15"


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A request of the query protocol."""

    request: web.Request
    body: bytes
    scope: CredentialScope
    action: str
    parameters: Mapping[str, str]


class ApiProxy:
    """The API's endpoint. A context manager; thread-safe. A Layer of network.EmulatedNetwork.

    `operation_seconds` is how long a failover or switchover takes, `clock` gives seconds since the epoch.
    `upstream` (the emulator's URL) may be set later, but before the first request.
    """

    def __init__(
        self,
        *,
        network: EmulatedNetwork,
        upstream: str = "",
        operation_seconds: float = 2.0,
        replication_lag_seconds: float = 0.05,
        clock: Callable[[], float] = time.time,
        account_id: str = ACCOUNT_ID,
    ) -> None:
        self.stand_ins = Databases(
            network=network, account_id=account_id, clock=clock, replication_lag_seconds=replication_lag_seconds
        )
        self._account_id = account_id
        self._clock = clock
        self._upstream = Upstream(upstream)
        self._peering_options = PeeringOptions()
        self._events = RdsEvents(
            endpoint=lambda: self._upstream.url, is_dark=lambda region: region in network.failed_regions, clock=clock
        )
        self._runner = GlobalOperations(
            look_up=self._view,
            agree=self._agree,
            tell=self._events.tell,
            databases=self.stand_ins,
            clock=clock,
            operation_seconds=operation_seconds,
        )
        self._restores = Restores(
            ask=self._describe, stand_ins=self.stand_ins, clock=clock, seconds=lambda: self.operation_seconds
        )
        self._thread = LoopThread("control-plane")
        self._server: web.AppRunner | None = None
        self._url = ""
        self._handlers: dict[tuple[str, str], Callable[[_Call], Awaitable[web.StreamResponse]]] = {
            ("rds", "FailoverGlobalCluster"): self._start_operation,
            ("rds", "SwitchoverGlobalCluster"): self._start_operation,
            ("rds", "CreateDBCluster"): self._create_cluster,
            ("rds", instance_offers.ACTION): self._offer,
            ("rds", RESTORE): self._restore_cluster,
            ("rds", "CreateDBInstance"): self._create_instance,
            ("ec2", "ModifyVpcPeeringConnectionOptions"): self._modify_peering_options,
            ("ec2", "DescribeVpcPeeringConnections"): self._describe_peerings,
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen on a free loopback port."""
        self._thread.start()
        try:
            self._url = self._thread.run(self._listen())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop listening, abandon operations, take the stand-ins away. Safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            self._thread.run(self._end(server))
        self._thread.stop()
        self.stand_ins.close()

    @property
    def url(self) -> str:
        """The endpoint URL of this API, for callers whom no fault concerns."""
        return self._url

    @property
    def upstream(self) -> str:
        """The emulator's URL."""
        return self._upstream.url

    @upstream.setter
    def upstream(self, url: str) -> None:
        self._upstream.url = url

    @property
    def calls(self) -> list[OperationCall]:
        """Every call to FailoverGlobalCluster or SwitchoverGlobalCluster that arrived, oldest first."""
        return self._runner.calls

    @property
    def operations(self) -> list[OperationRecord]:
        """Every operation that has ended, oldest first."""
        return self._runner.records

    @property
    def events(self) -> list[ToldEvent]:
        """Every event that RDS told EventBridge of, oldest first."""
        return self._events.notified

    @property
    def operation_seconds(self) -> float:
        """How long an operation takes that is accepted from now on."""
        return self._runner.operation_seconds

    @operation_seconds.setter
    def operation_seconds(self, seconds: float) -> None:
        self._runner.operation_seconds = seconds

    def global_database(self, global_cluster_id: str) -> GlobalDatabase:
        """Return what stands behind a global cluster. Raises KeyError when it has no member."""
        return self.stand_ins.database(global_cluster_id)

    @property
    def is_idle(self) -> bool:
        """Whether no operation runs, and what RDS tells of the last one has been told."""
        return self._runner.is_idle

    def writer_region(self, global_cluster_id: str) -> str:
        """Return the region that a global cluster's databases take writes in."""
        return self.global_database(global_cluster_id).writer.region

    def fail(self, region: str) -> None:
        """Stop the databases of a region."""
        self.stand_ins.stop_region(region)

    def restore(self, region: str) -> None:
        """Start them again."""
        self.stand_ins.start_region(region)

    # --- HTTP --------------------------------------------------------------------------------------------------------

    async def _listen(self) -> str:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        await self._upstream.open()
        # A caller that gives up doesn't undo its call: handlers run to their end.
        self._server = web.AppRunner(app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, shutdown_timeout=0.1)
        return await serve_on_loopback(self._server)

    async def _end(self, server: web.AppRunner) -> None:
        self._runner.abandon()
        await server.cleanup()
        await self._upstream.close()
        self._events.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = _read_call(request, body)
        try:
            return await self._upstream.stream(request, body) if call is None else await self._answer(call)
        except RdsRefusal as refusal:
            return web.Response(status=refusal.http_status, content_type=XML, body=error_answer(refusal))
        except Ec2Refusal as refusal:
            return web.Response(status=400, content_type=XML, body=refusal.to_xml())
        except aiohttp.ClientConnectionError as error:
            return web.Response(status=502, text=f"the emulator does not answer: {error}")

    async def _answer(self, call: _Call) -> web.StreamResponse:
        handler = self._handlers.get((call.scope.service, call.action))
        if handler is not None:
            return await handler(call)
        if call.scope.service == "rds":
            return await self._pass_rds(call)
        return await self._upstream.stream(call.request, call.body)

    async def _pass_rds(self, call: _Call) -> web.StreamResponse:
        answer = await self._upstream.read(call.request, call.body)
        if answer.status != 200:
            return answer.to_response()
        await asyncio.to_thread(self._follow, call, answer.body)
        return answer.to_response(rewrite(answer.body, self._known()))

    def _follow(self, call: _Call, answer: bytes) -> None:
        """Do to the stand-ins what RDS has done to the clusters."""
        region, parameters = call.scope.region, call.parameters
        match call.action:
            case "CreateDBInstance" | "DeleteDBInstance":
                instance_id = parameters["DBInstanceIdentifier"]
                change = (
                    self.stand_ins.add_instance if call.action == "CreateDBInstance" else self.stand_ins.remove_instance
                )
                cluster_id = parameters.get("DBClusterIdentifier") or cluster_of_instance(answer)
                if cluster_id:
                    change(self._cluster_arn(cluster_id, region), instance_id)
            case "DeleteDBCluster":
                self.stand_ins.remove_cluster(self._cluster_arn(parameters["DBClusterIdentifier"], region))
            case "RemoveFromGlobalCluster":
                self.stand_ins.remove_cluster(self._cluster_arn(parameters["DbClusterIdentifier"], region))
            case "ModifyDBCluster" if parameters.get("MasterUserPassword"):
                self.stand_ins.change_master_password(
                    self._cluster_arn(parameters["DBClusterIdentifier"], region), parameters["MasterUserPassword"]
                )
            case _:
                pass

    def _cluster_arn(self, identifier: str, region: str) -> str:
        if identifier.startswith("arn:"):
            return identifier
        return f"arn:aws:rds:{region}:{self._account_id}:cluster:{identifier}"

    def _known(self) -> KnownState:
        return KnownState(
            account_id=self._account_id,
            port_of=self.stand_ins.port_of,
            operation_of=self._runner.under_way,
            is_synchronized=self.stand_ins.is_synchronized,
            restorable_of=self._restorable,
            is_being_made=self._restores.is_being_made,
            now=self._clock(),
        )

    # --- Clusters ----------------------------------------------------------------------------------------------------

    async def _create_cluster(self, call: _Call) -> web.StreamResponse:
        parameters = call.parameters
        global_cluster_id = parameters.get("GlobalClusterIdentifier", "")
        described = None
        if global_cluster_id:
            described, view = await self._look_up(global_cluster_id, call.scope.region)
            is_encrypted = described.is_encrypted or parameters.get("StorageEncrypted", "").lower() == "true"
            check_new_member(parameters, view, is_encrypted=is_encrypted)
        answer = await self._upstream.read(call.request, call.body)
        if answer.status != 200:
            return answer.to_response()
        created = described_clusters(answer.body)[0]
        master = None
        if parameters.get("MasterUsername") and parameters.get("MasterUserPassword"):
            master = MasterLogin(name=parameters["MasterUsername"], password=parameters["MasterUserPassword"])
        database_name = parameters.get("DatabaseName") or (described.database_name if described else "") or None
        await asyncio.to_thread(
            self.stand_ins.add_cluster,
            created.arn,
            global_cluster_id=global_cluster_id,
            port=created.port,
            master=master,
            database_name=database_name,
        )
        return answer.to_response(rewrite(answer.body, self._known()))

    async def _restore_cluster(self, call: _Call) -> web.StreamResponse:
        answer = await self._restores.restore(call.parameters, region=call.scope.region)
        return web.Response(content_type=XML, body=rewrite(answer, self._known()))

    async def _create_instance(self, call: _Call) -> web.StreamResponse:
        cluster_id = call.parameters.get("DBClusterIdentifier")
        if cluster_id:
            self._restores.check_new_instance(self._cluster_arn(cluster_id, call.scope.region))
        return await self._pass_rds(call)

    def _restorable(self, cluster_arn: str) -> tuple[float, float] | None:
        window = self._restores.window(cluster_arn)
        return None if window is None else (window.earliest, window.latest)

    async def _look_up(self, global_cluster_id: str, region: str) -> tuple[DescribedGlobalCluster, GlobalClusterView]:
        """Ask the emulator for a global cluster and all its clusters, each in its own region."""
        answer = await self._describe(region, "DescribeGlobalClusters", GlobalClusterIdentifier=global_cluster_id)
        if answer.status != 200:
            raise RdsRefusal(
                "GlobalClusterNotFoundFault", f"Global cluster {global_cluster_id} not found.", http_status=404
            )
        described = described_global_clusters(answer.body)[0]
        clusters = {}
        for arn, _is_writer in described.members:
            member_region, cluster_id = cluster_of_arn(arn)
            answer = await self._describe(member_region, "DescribeDBClusters", DBClusterIdentifier=cluster_id)
            if answer.status == 200:
                clusters[arn] = described_clusters(answer.body)[0]
        return described, described.view(clusters)

    async def _describe(self, region: str, action: str, **parameters: str) -> Answer:
        return await self._upstream.ask("rds", region, {"Action": action, "Version": RDS_VERSION, **parameters})

    # --- Operations --------------------------------------------------------------------------------------------------

    async def _start_operation(self, call: _Call) -> web.StreamResponse:
        request = OperationRequest.from_parameters(call.action, call.parameters, region=call.scope.region)
        accepted = await self._runner.accept(request, permit=lambda view: self._check_permission(call, view))
        answer = await self._describe(
            request.region, "DescribeGlobalClusters", GlobalClusterIdentifier=request.global_cluster_id
        )
        # Of the moment of acceptance, however long the answer takes to write.
        known = replace(self._known(), now=accepted.accepted_at, operation_of=lambda _identifier: accepted)
        return answer.to_response(operation_answer(call.action, rewrite(answer.body, known)))

    async def _check_permission(self, call: _Call, view: GlobalClusterView) -> None:
        """Let IAM judge the caller on the global cluster and on each member.

        Raises: RdsRefusal. Source: Using switchover or failover in Amazon Aurora Global Database: all three are needed.
        """
        resources = [
            f"arn:aws:rds::{self._account_id}:global-cluster:{view.id}",
            *(member.arn for member in view.members),
        ]
        permitted = await asyncio.gather(
            *(self._upstream.permits(call.request, call.body, resource=resource) for resource in resources)
        )
        for resource, is_permitted in zip(resources, permitted, strict=True):
            if not is_permitted:
                raise RdsRefusal(
                    "AccessDenied",
                    f"not authorized to perform: rds:{call.action} on resource: {resource}",
                    http_status=403,
                )

    async def _view(self, request: OperationRequest) -> GlobalClusterView:
        _described, view = await self._look_up(request.global_cluster_id, request.region)
        return view

    async def _agree(self, operation: Operation) -> str | None:
        """Make the emulator's metadata say what the databases are; return what went wrong with that, if anything."""
        answer = await self._describe(
            operation.target.region,
            "FailoverGlobalCluster",
            GlobalClusterIdentifier=operation.global_cluster_id,
            TargetDbClusterIdentifier=operation.target.arn,
            AllowDataLoss="true",
        )
        return None if answer.status == 200 else answer.body.decode(errors="replace")

    async def _offer(self, call: _Call) -> web.StreamResponse:
        answer = instance_offers.offers_answer(call.parameters, region=call.scope.region)
        return web.Response(content_type=XML, body=answer)

    # --- Peering -----------------------------------------------------------------------------------------------------

    async def _modify_peering_options(self, call: _Call) -> web.StreamResponse:
        peering_id = call.parameters.get("VpcPeeringConnectionId", "")
        described = await self._upstream.ask(
            "ec2",
            call.scope.region,
            {
                "Action": "DescribeVpcPeeringConnections",
                "Version": EC2_VERSION,
                "VpcPeeringConnectionId.1": peering_id,
            },
        )
        answer = self._peering_options.modify(call.parameters, region=call.scope.region, described=described.body)
        return web.Response(content_type=XML, body=answer)

    async def _describe_peerings(self, call: _Call) -> web.StreamResponse:
        answer = await self._upstream.read(call.request, call.body)
        if answer.status != 200:
            return answer.to_response()
        return answer.to_response(self._peering_options.describe(answer.body))


def _read_call(request: web.Request, body: bytes) -> _Call | None:
    """Read a call of the query protocol to RDS or EC2; None for everything else."""
    scope = credential_scope(request.headers)
    if scope is None or scope.service not in ("rds", "ec2"):
        return None
    parameters = dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))
    action = parameters.get("Action")
    if not action:
        return None
    return _Call(request=request, body=body, scope=scope, action=action, parameters=parameters)
