"""The rehearsal's AWS API: ministack, and in front of it a proxy that adds what ministack lacks.

The proxy adds FailoverGlobalCluster, SwitchoverGlobalCluster, RestoreDBClusterToPointInTime,
ModifyVpcPeeringConnectionOptions, realistic endpoints, the promotion of a detached cluster, and AWS's checks of a new global
cluster and of its members. Other requests pass unchanged. In an operation, the databases change roles before the metadata:
DescribeGlobalClusters is never ahead.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from rehearsal.aurora.global_database import GlobalDatabase, MasterLogin
from rehearsal.cloud import instance_offers
from rehearsal.cloud.databases import Databases
from rehearsal.cloud.global_cluster import (
    GlobalClusterView,
    OperationRequest,
    RdsOperation,
    RdsRefusal,
    check_new_global_cluster,
    check_new_member,
    check_no_backtrack,
    check_no_operation,
)
from rehearsal.cloud.global_operations import GlobalOperations, OperationCall, OperationRecord
from rehearsal.cloud.ministack_client import Upstream, UpstreamResponse
from rehearsal.cloud.peering_options import Ec2Refusal, PeeringOptions
from rehearsal.cloud.rds_events import RdsEvent, RdsEvents
from rehearsal.cloud.rds_xml import (
    KnownState,
    cluster_of_arn,
    error_response,
    operation_response,
    parse,
    parse_global_cluster,
    rewrite,
)
from rehearsal.cloud.restores import ACTION as RESTORE
from rehearsal.cloud.restores import Restores
from rehearsal.network.network import EmulatedNetwork
from rehearsal.support.clients import ACCOUNT_ID, CredentialScope, credential_scope
from rehearsal.support.event_loop import LoopThread, serve_on_loopback

MAX_BODY_BYTES = 256 * 1024**2
KEEP_ALIVE_SECONDS = 3600.0
XML = "text/xml"
READING_VERBS = ("Get", "BatchGet", "Describe", "List", "Query", "Scan", "Receive")
"""The first words of operations that change nothing."""
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
    """The API's endpoint: a context manager, thread-safe, and a Layer of network.Network.

    `operation_seconds` is the duration of a failover or switchover, `clock` returns seconds since the epoch, and
    `upstream` is ministack's URL, which may be set later but before the first request.
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
        self.databases = Databases(
            network=network, account_id=account_id, clock=clock, replication_lag_seconds=replication_lag_seconds
        )
        self._account_id = account_id
        self._clock = clock
        self._upstream = Upstream(upstream)
        self._peering_options = PeeringOptions()
        self._events = RdsEvents(
            endpoint=lambda: self._upstream.url, is_failed=lambda region: region in network.failed_regions, clock=clock
        )
        self._operations = GlobalOperations(
            describe=self._view,
            update_metadata=self._update_metadata,
            publish=self._events.publish,
            databases=self.databases,
            clock=clock,
            operation_seconds=operation_seconds,
        )
        self._restores = Restores(
            call=self._describe, databases=self.databases, clock=clock, seconds=lambda: self.operation_seconds
        )
        self.thread = LoopThread("api-proxy")
        """The loop in which `handle` runs."""
        self._server: web.AppRunner | None = None
        self._url = ""
        self._writes: Counter[tuple[str, str]] = Counter()
        self._handlers: dict[tuple[str, str], Callable[[_Call], Awaitable[web.StreamResponse]]] = {
            ("rds", "FailoverGlobalCluster"): self._start_operation,
            ("rds", "SwitchoverGlobalCluster"): self._start_operation,
            ("rds", "CreateDBCluster"): self._create_cluster,
            ("rds", "ModifyDBCluster"): self._modify_cluster,
            ("rds", "CreateGlobalCluster"): self._create_global_cluster,
            ("rds", "RemoveFromGlobalCluster"): self._remove_from_global_cluster,
            ("rds", instance_offers.ACTION): self._offer,
            ("rds", RESTORE): self._restore_cluster,
            ("rds", "CreateDBInstance"): self._create_instance,
            ("ec2", "ModifyVpcPeeringConnectionOptions"): self._modify_peering_options,
            ("ec2", "DescribeVpcPeeringConnections"): self._describe_peerings,
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen on a free loopback port."""
        self.thread.start()
        try:
            self._url = self.thread.run(self._listen())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop listening, cancel operations, and remove the databases. Safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            self.thread.run(self._end(server))
        self.thread.stop()
        self.databases.close()

    @property
    def url(self) -> str:
        """The endpoint URL without faults."""
        return self._url

    @property
    def upstream(self) -> str:
        """Ministack's URL."""
        return self._upstream.url

    @upstream.setter
    def upstream(self, url: str) -> None:
        self._upstream.url = url

    def writes(self, service: str, region: str) -> int:
        """Return how many calls that may change a service's data in a region have been answered.

        `service` is the service's name in the signature, such as dynamodb or monitoring. A reader that remembers this number
        reads again only after it has changed.
        """
        return self._writes[service, region]

    @property
    def calls(self) -> list[OperationCall]:
        """All calls to FailoverGlobalCluster and SwitchoverGlobalCluster, oldest first."""
        return self._operations.calls

    @property
    def operations(self) -> list[OperationRecord]:
        """All ended operations, oldest first."""
        return self._operations.records

    @property
    def events(self) -> list[RdsEvent]:
        """All RDS events that were published to EventBridge, oldest first."""
        return self._events.published

    @property
    def operation_seconds(self) -> float:
        """The duration of operations that are accepted from now on."""
        return self._operations.operation_seconds

    @operation_seconds.setter
    def operation_seconds(self, seconds: float) -> None:
        self._operations.operation_seconds = seconds

    def global_database(self, global_cluster_id: str) -> GlobalDatabase:
        """Return the database of a global cluster. Raises KeyError if it has no member."""
        return self.databases.database(global_cluster_id)

    @property
    def is_idle(self) -> bool:
        """Whether no operation runs and no event is pending."""
        return self._operations.is_idle

    def writer_region(self, global_cluster_id: str) -> str:
        """Return the region of a global cluster's writer."""
        return self.global_database(global_cluster_id).writer.region

    def fail(self, region: str) -> None:
        """Stop the databases of a region."""
        self.databases.stop_region(region)

    def restore(self, region: str) -> None:
        """Start the databases of a region."""
        self.databases.start_region(region)

    # --- HTTP --------------------------------------------------------------------------------------------------------

    async def _listen(self) -> str:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{tail:.*}", self.handle)
        await self._upstream.open()
        # No handler cancellation: a call takes effect also if its caller disconnects.
        self._server = web.AppRunner(app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, shutdown_timeout=0.1)
        return await serve_on_loopback(self._server)

    async def _end(self, server: web.AppRunner) -> None:
        self._operations.abandon()
        await server.cleanup()
        await self._upstream.close()
        self._events.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request. Runs in the loop of `thread` only."""
        body = await request.read()
        scope = credential_scope(request.headers)
        call = None if scope is None else _read_call(request, body, scope)
        try:
            return await self._upstream.stream(request, body) if call is None else await self._respond(call)
        except RdsRefusal as refusal:
            return web.Response(status=refusal.http_status, content_type=XML, body=error_response(refusal))
        except Ec2Refusal as refusal:
            return web.Response(status=400, content_type=XML, body=refusal.to_xml())
        except aiohttp.ClientConnectionError as error:
            return web.Response(status=502, text=f"ministack is unreachable: {error}")
        finally:
            if scope is not None and not _operation_of(request).startswith(READING_VERBS):
                self._writes[scope.service, scope.region] += 1

    async def _respond(self, call: _Call) -> web.StreamResponse:
        handler = self._handlers.get((call.scope.service, call.action))
        if handler is not None:
            return await handler(call)
        if call.scope.service == "rds":
            return await self._pass_rds(call)
        return await self._upstream.stream(call.request, call.body)

    async def _pass_rds(self, call: _Call) -> web.StreamResponse:
        response = await self._upstream.read(call.request, call.body)
        if response.status != 200:
            return response.to_response()
        await asyncio.to_thread(self._update_databases, call, response.body)
        return response.to_response(rewrite(response.body, self._known()))

    def _update_databases(self, call: _Call, response: bytes) -> None:
        """Apply a successful call to the databases."""
        region, parameters = call.scope.region, call.parameters
        match call.action:
            case "CreateDBInstance" | "DeleteDBInstance":
                is_new = call.action == "CreateDBInstance"
                change = self.databases.add_instance if is_new else self.databases.remove_instance
                cluster_id = parse(call.action, response)["DBInstance"].get("DBClusterIdentifier")
                if cluster_id:
                    change(self._cluster_arn(cluster_id, region), parameters["DBInstanceIdentifier"])
            case "DeleteDBCluster":
                self.databases.remove_cluster(self._cluster_arn(parameters["DBClusterIdentifier"], region))
            case "RemoveFromGlobalCluster":
                self.databases.detach_cluster(
                    self._cluster_arn(parameters["DbClusterIdentifier"], region), seconds=self.operation_seconds
                )
            case "ModifyDBCluster":
                arn = self._cluster_arn(parameters["DBClusterIdentifier"], region)
                if parameters.get("MasterUserPassword"):
                    self.databases.change_master_password(arn, parameters["MasterUserPassword"])
                if parameters.get("Port"):
                    self.databases.change_port(arn, int(parameters["Port"]))
            case _:
                pass

    def _cluster_arn(self, identifier: str, region: str) -> str:
        if identifier.startswith("arn:"):
            return identifier
        return f"arn:aws:rds:{region}:{self._account_id}:cluster:{identifier}"

    def _known(self) -> KnownState:
        return KnownState(
            account_id=self._account_id,
            port_of=self.databases.port_of,
            operation_of=self._operations.in_progress,
            is_synchronized=self.databases.is_synchronized,
            restorable_of=self._restores.window,
            status_of=self._status_of,
            now=self._clock(),
        )

    def _status_of(self, cluster_arn: str) -> str | None:
        if self._restores.is_creating(cluster_arn):
            return "creating"
        return "promoting" if self.databases.is_promoting(cluster_arn) else None

    # --- Clusters ----------------------------------------------------------------------------------------------------

    async def _create_cluster(self, call: _Call) -> web.StreamResponse:
        parameters = call.parameters
        global_cluster_id = parameters.get("GlobalClusterIdentifier", "")
        described: dict[str, Any] = {}
        if global_cluster_id:
            described, view = await self._describe_global(global_cluster_id, call.scope.region)
            is_encrypted = described.get("StorageEncrypted") or parameters.get("StorageEncrypted", "").lower() == "true"
            check_new_member(parameters, view, is_encrypted=is_encrypted)
        response = await self._upstream.read(call.request, call.body)
        if response.status != 200:
            return response.to_response()
        created = parse(call.action, response.body)["DBCluster"]
        master = None
        if parameters.get("MasterUsername") and parameters.get("MasterUserPassword"):
            master = MasterLogin(name=parameters["MasterUsername"], password=parameters["MasterUserPassword"])
        await asyncio.to_thread(
            self.databases.add_cluster,
            created["DBClusterArn"],
            global_cluster_id=global_cluster_id,
            port=created["Port"],
            master=master,
            database_name=parameters.get("DatabaseName") or described.get("DatabaseName") or None,
        )
        return response.to_response(rewrite(response.body, self._known()))

    async def _create_global_cluster(self, call: _Call) -> web.StreamResponse:
        parameters, region = call.parameters, call.scope.region
        if not parameters.get("SourceDBClusterIdentifier"):
            return await self._pass_rds(call)
        arn = self._cluster_arn(parameters["SourceDBClusterIdentifier"], region)
        check_new_global_cluster(parameters, is_promoting=self.databases.is_promoting(arn))
        inherited: dict[str, str] = {}
        described = await self._describe(region, "DescribeDBClusters", DBClusterIdentifier=arn)
        if described.status == 200:
            source = parse("DescribeDBClusters", described.body)["DBClusters"][0]
            inherited = {
                "StorageEncrypted": str(source["StorageEncrypted"]).lower(),
                "DatabaseName": source.get("DatabaseName", ""),
            }
        response = await self._upstream.call("rds", region, {**parameters, **inherited})
        if response.status == 200:
            await asyncio.to_thread(self.databases.start_group, parameters["GlobalClusterIdentifier"], arn)
        return response.to_response(rewrite(response.body, self._known()))

    async def _remove_from_global_cluster(self, call: _Call) -> web.StreamResponse:
        check_no_operation(self._operations.in_progress(call.parameters.get("GlobalClusterIdentifier", "").lower()))
        return await self._pass_rds(call)

    async def _modify_cluster(self, call: _Call) -> web.StreamResponse:
        if self.databases.is_member(self._cluster_arn(call.parameters["DBClusterIdentifier"], call.scope.region)):
            check_no_backtrack(call.parameters)
        return await self._pass_rds(call)

    async def _restore_cluster(self, call: _Call) -> web.StreamResponse:
        response = await self._restores.restore(call.parameters, region=call.scope.region)
        return web.Response(content_type=XML, body=rewrite(response, self._known()))

    async def _create_instance(self, call: _Call) -> web.StreamResponse:
        cluster_id = call.parameters.get("DBClusterIdentifier")
        if cluster_id:
            self._restores.check_new_instance(self._cluster_arn(cluster_id, call.scope.region))
        return await self._pass_rds(call)

    async def _describe_global(self, global_cluster_id: str, region: str) -> tuple[dict[str, Any], GlobalClusterView]:
        """Return a global cluster and its members, each described in its own region. Raises RdsRefusal."""
        action = "DescribeGlobalClusters"
        response = await self._describe(region, action, GlobalClusterIdentifier=global_cluster_id)
        if response.status != 200:
            raise RdsRefusal(
                "GlobalClusterNotFoundFault", f"Global cluster {global_cluster_id} not found.", http_status=404
            )
        described = parse(action, response.body)["GlobalClusters"][0]
        clusters = {}
        for arn in (member["DBClusterArn"] for member in described["GlobalClusterMembers"]):
            member_region, cluster_id = cluster_of_arn(arn)
            response = await self._describe(member_region, "DescribeDBClusters", DBClusterIdentifier=cluster_id)
            if response.status == 200:
                clusters[arn] = parse("DescribeDBClusters", response.body)["DBClusters"][0]
        return described, parse_global_cluster(described, clusters)

    async def _describe(self, region: str, action: str, **parameters: str) -> UpstreamResponse:
        return await self._upstream.call("rds", region, {"Action": action, "Version": RDS_VERSION, **parameters})

    # --- Operations --------------------------------------------------------------------------------------------------

    async def _start_operation(self, call: _Call) -> web.StreamResponse:
        request = OperationRequest.from_parameters(call.action, call.parameters, region=call.scope.region)
        accepted = await self._operations.accept(request, permit=lambda view: self._check_permission(call, view))
        response = await self._describe(
            request.region, "DescribeGlobalClusters", GlobalClusterIdentifier=request.global_cluster_id
        )
        # The state at the time of acceptance.
        known = replace(self._known(), now=accepted.accepted_at, operation_of=lambda _identifier: accepted)
        return response.to_response(operation_response(call.action, rewrite(response.body, known)))

    async def _check_permission(self, call: _Call, view: GlobalClusterView) -> None:
        """Raise RdsRefusal if the caller lacks permission on the global cluster or on a member.

        Source: Using switchover or failover in Amazon Aurora Global Database.
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
        _described, view = await self._describe_global(request.global_cluster_id, request.region)
        return view

    async def _update_metadata(self, operation: RdsOperation) -> str | None:
        """Set the roles in ministack's metadata; return the error message if that fails."""
        response = await self._describe(
            operation.target.region,
            "FailoverGlobalCluster",
            GlobalClusterIdentifier=operation.global_cluster_id,
            TargetDbClusterIdentifier=operation.target.arn,
            AllowDataLoss="true",
        )
        return None if response.status == 200 else response.body.decode(errors="replace")

    async def _offer(self, call: _Call) -> web.StreamResponse:
        response = instance_offers.offers_response(call.parameters, region=call.scope.region)
        return web.Response(content_type=XML, body=response)

    # --- Peering -----------------------------------------------------------------------------------------------------

    async def _modify_peering_options(self, call: _Call) -> web.StreamResponse:
        peering_id = call.parameters.get("VpcPeeringConnectionId", "")
        described = await self._upstream.call(
            "ec2",
            call.scope.region,
            {
                "Action": "DescribeVpcPeeringConnections",
                "Version": EC2_VERSION,
                "VpcPeeringConnectionId.1": peering_id,
            },
        )
        response = self._peering_options.modify(call.parameters, region=call.scope.region, described=described.body)
        return web.Response(content_type=XML, body=response)

    async def _describe_peerings(self, call: _Call) -> web.StreamResponse:
        response = await self._upstream.read(call.request, call.body)
        if response.status != 200:
            return response.to_response()
        return response.to_response(self._peering_options.describe(response.body))


def _operation_of(request: web.Request) -> str:
    """Return the operation of a JSON or RPC request; empty for other protocols."""
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    return target or request.path.rpartition("/operation/")[2]


def _read_call(request: web.Request, body: bytes, scope: CredentialScope) -> _Call | None:
    """Return a call to RDS or EC2; None for any other request."""
    if scope.service not in ("rds", "ec2"):
        return None
    parameters = dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))
    action = parameters.get("Action")
    if not action:
        return None
    return _Call(request=request, body=body, scope=scope, action=action, parameters=parameters)
