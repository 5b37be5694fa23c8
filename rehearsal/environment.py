"""The rehearsal's environment: both regions of the embedded AWS, the network between them, and the deployed program.

Everything listens on loopback only and stops with the environment.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.aurora.global_database import Cluster, GlobalDatabase
from rehearsal.aurora.server import MySQLServer
from rehearsal.cloud.api_proxy import ApiProxy
from rehearsal.cloud.faults import ApiFaults
from rehearsal.cloud.ministack import Emulator
from rehearsal.cloud.secret_keys import SecretKeys
from rehearsal.engine.deploy import DeployedStack, deploy, stack_config
from rehearsal.engine.destroy import Deleted, destroy
from rehearsal.engine.monitor import ProviderResource
from rehearsal.engine.state import StackState
from rehearsal.gc_freeze import freeze_live_objects
from rehearsal.network.certificates import CertificateAuthority
from rehearsal.network.network import EmulatedNetwork, mysql_listeners
from rehearsal.network.resolver import NameServer
from rehearsal.network.route53 import DnsAnswer, PrivateDns
from rehearsal.pulumi_cli.deployment import CliStack
from rehearsal.pulumi_cli.workspace import Workspace
from rehearsal.support.clients import ACCOUNT_ID, BotoClients
from rehearsal.support.run_directory import RunDirectory
from rehearsal.workload import NameAnswer, WorkloadLogin, WriteWorkload
from settings import FailoverSettings, parse_stack_config
from tools.fetch_pulumi import version_of

PROGRAM_DIRECTORY = Path(__file__).resolve().parent.parent
OUTSIDE = "outside"
"""Location of a caller outside both regions, such as an operator; a failed region is unreachable from there too."""
DEPLOYED_INTERVAL_SECONDS = 10.0
"""The deployed interval; the rehearsal scales the program's other periods by the same factor."""
WRITE_PACE_SECONDS = 0.2
"""Pause between two rows of the writing client."""
UNADVISED_PACE_SECONDS = 1.0
"""Pause between two rows of the client without the advice."""
OPERATION_SECONDS = 6.0
"""Duration of a failover or switchover in the embedded AWS: an assumption. AWS documents minutes, but no number.

It is AWS's and not the program's, so no interval changes it. At an interval of 1 s it corresponds to a deployed minute, the
shortest promotion of the benchmark's budget; at a longer interval to less, which keeps the drills short."""


def time_scale(interval_seconds: float) -> float:
    """Return the factor by which every period is shorter than deployed, at least 1."""
    return max(1.0, DEPLOYED_INTERVAL_SECONDS / interval_seconds)


def shortened_config(
    stack: str, interval_seconds: float, failover_overrides: Mapping[str, object] | None = None
) -> dict[str, str]:
    """Return a stack's configuration with the embedded AWS's account, the interval, and the periods scaled by its factor.

    Raises: DeploymentError.
    """
    scale = time_scale(interval_seconds)
    shortened = {
        "interval_seconds": interval_seconds,
        "in_region_grace_seconds": max(1, round(120 / scale)),
        "cooldown_seconds": max(1, round(900 / scale)),
    }
    embedded = {"account_id": ACCOUNT_ID, "assume_role_arn": None}
    return stack_config(
        PROGRAM_DIRECTORY, stack, {"aws": embedded, "failover": {**shortened, **(failover_overrides or {})}}
    )


@dataclass(frozen=True, kw_only=True)
class RegionFacts:
    """The outputs of one region of the stack."""

    name: str
    cluster_id: str
    cluster_arn: str
    writer_endpoint: str
    reader_endpoint: str
    secret_arn: str
    table_name: str
    topic_arn: str
    health_check_function: str
    failover_controller_function: str

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> RegionFacts:
        """Read one entry of the output `regions`. Raises KeyError naming a missing output."""
        return cls(
            name=output["region"],
            cluster_id=output["cluster_id"],
            cluster_arn=output["cluster_arn"],
            writer_endpoint=output["writer_endpoint"],
            reader_endpoint=output["reader_endpoint"],
            secret_arn=output["secret_arn"],
            table_name=output["table_name"],
            topic_arn=output["topic_arn"],
            health_check_function=output["health_check_function_name"],
            failover_controller_function=output["failover_controller_function_name"],
        )


class Environment:
    """Environment of both regions; a context manager. Call `deploy`, then `start_controllers`.

    Args:
        stack: the stack whose settings (Pulumi.<stack>.yaml) are deployed.
        interval_seconds: the controllers' interval; the program's other periods are scaled by the same factor.
        operation_seconds: duration of a failover or switchover in the embedded AWS, at every interval.
        failover_overrides: unscaled settings of `failover` that replace the stack's.
        cli: the Pulumi CLI that deploys and destroys; without one the in-process engine does.
    """

    def __init__(
        self,
        *,
        stack: str,
        interval_seconds: float,
        operation_seconds: float,
        failover_overrides: Mapping[str, object] | None = None,
        cli: Path | None = None,
    ) -> None:
        self.stack = stack
        self._cli = cli
        self._cli_stack: CliStack | None = None
        self.interval_seconds = interval_seconds
        self.time_scale = time_scale(interval_seconds)
        self._operation_seconds = operation_seconds
        self.failover_overrides = dict(failover_overrides or {})
        self._exit = ExitStack()
        self._deployment: DeployedStack | None = None
        self._state: StackState | None = None
        self._outputs: Mapping[str, Any] | None = None
        self._regions: dict[str, RegionFacts] = {}
        self._client_region: str | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exit.close()

    def _start(self) -> None:
        """Start the layers; the embedded AWS comes last because it needs the addresses of the other layers."""
        self.config = shortened_config(self.stack, self.interval_seconds, self.failover_overrides)
        regions = self._configured_regions()
        directory = self._exit.enter_context(RunDirectory()).path
        self._directory = directory
        self.authority = CertificateAuthority.create(directory)
        server = self._exit.enter_context(MySQLServer(secret_key_of=SecretKeys(lambda: self._function_roles(regions))))
        self.network = self._exit.enter_context(
            EmulatedNetwork(
                regions=regions,
                names_file=directory / "names.json",
                start_listener=mysql_listeners(server, self.authority),
            )
        )
        self.control_plane = self._exit.enter_context(
            ApiProxy(network=self.network, operation_seconds=self._operation_seconds)
        )
        self.faults = self._exit.enter_context(
            ApiFaults(
                upstream=self.control_plane.url,
                regions=(*regions, OUTSIDE),
                direct=self.control_plane.handle,
                thread=self.control_plane.thread,
            )
        )
        self.network.attach(self.faults)
        self.network.attach(self.control_plane)
        names = self._exit.enter_context(NameServer())
        self.emulator = self._exit.enter_context(
            Emulator(
                environment={
                    **self.network.environment(),
                    **self.faults.environment(),
                    **names.environment(),
                    "CA_BUNDLE": str(self.authority.bundle),
                },
                enforce_permissions=True,
            )
        )
        self.control_plane.upstream = self.emulator.url
        self.clients = BotoClients(self.control_plane.url)
        self._exit.callback(self.clients.close)
        self.dns = PrivateDns(
            self.clients,
            time_scale=self.time_scale,
            failed_regions=lambda: self.network.failed_regions,
            metric_writes=lambda region: self.control_plane.writes("monitoring", region),
        )
        names.resolve = self._endpoint_behind
        self.tls = ssl.create_default_context(cafile=str(self.authority.bundle))

    def _endpoint_behind(self, name: str, region: str) -> str:
        """Resolve a name of the private zone for a function in a region's VPC; empty without an answer."""
        try:
            values = self.dns.resolve(name, from_region=region).values
        # The drills check separately what Route 53 would refuse.
        except (LookupError, ValueError):
            return ""
        return values[0].rstrip(".") if values else ""

    def _function_roles(self, regions: Sequence[str]) -> list[tuple[str, str]]:
        """Return the ARN and the role's ARN of every function."""
        listed = (self.clients("lambda", region).list_functions()["Functions"] for region in regions)
        return [(each["FunctionArn"], each["Role"]) for functions in listed for each in functions]

    def _configured_regions(self) -> tuple[str, ...]:
        settings = parse_stack_config(self.config)
        return settings.primary.region, settings.secondary.region

    def deploy(self, on_resource: Callable[[ProviderResource], None] | None = None) -> DeployedStack:
        """Run the unchanged program; every resource is created or changed through the API.

        Raises DeploymentError with every mistake.
        """
        if self._cli is not None:
            self._deployment = self._deploy_with_cli(self._cli, on_resource)
        else:
            done = deploy(
                PROGRAM_DIRECTORY,
                self.config,
                self.control_plane.url,
                on_resource,
                stack=self.stack,
                clients=self.clients,
                state=self._state,
            )
            self._deployment, self._state = done, done.state
        self.attach(self._deployment.exports)
        return self._deployment

    def _deploy_with_cli(self, cli: Path, on_resource: Callable[[ProviderResource], None] | None) -> DeployedStack:
        if self._cli_stack is None:
            workspace = Workspace(directory=self._directory / "pulumi", cli=cli)
            self._cli_stack = CliStack(workspace, self.stack, self.control_plane.url)
        return self._cli_stack.deploy(self.config, on_resource or (lambda _resource: None))

    def destroy(self, on_deleted: Callable[[Deleted], None]) -> None:
        """Destroy the stack; `on_deleted` is called for each resource.

        Raises: DestroyRefusedError, DestroyError.
        """
        if self._cli_stack is not None:
            self._cli_stack.destroy(on_deleted)
        else:
            destroy(self.state, self.clients, on_deleted=on_deleted)

    @property
    def resource_count(self) -> int:
        """The number of resources that `destroy` deletes."""
        return len(self.state.resources) if self._cli_stack is None else self._cli_stack.resource_count()

    @property
    def engine(self) -> str:
        """The engine that deploys and destroys, with its version."""
        return "in-process" if self._cli is None else f"Pulumi CLI {version_of(str(self._cli))}"

    def change_interval(self, seconds: float, failover_overrides: Mapping[str, object] | None = None) -> None:
        """Deploy the program again with another interval, and start controllers with it. Raises DeploymentError.

        `failover_overrides` are more unscaled settings of `failover`.
        """
        self.interval_seconds = seconds
        self.failover_overrides |= failover_overrides or {}
        self.time_scale = time_scale(seconds)
        self.config = shortened_config(self.stack, seconds, self.failover_overrides)
        self.deploy()
        self.dns.change_time_scale(self.time_scale)
        self.start_controllers()

    def attach(self, outputs: Mapping[str, Any]) -> None:
        """Attach to a deployed stack by its outputs. Raises KeyError naming a missing output."""
        self._outputs = outputs
        facts = (RegionFacts.of(output) for output in outputs["regions"].values())
        self._regions = {one.name: one for one in facts}
        functions = (
            function
            for region in self._regions
            for function in self.clients("lambda", region).list_functions()["Functions"]
        )
        in_vpc = {each["FunctionName"] for each in functions if (each.get("VpcConfig") or {}).get("SubnetIds")}
        self.network.set_vpc_functions(sorted(in_vpc))
        freeze_live_objects()

    def detach(self) -> None:
        """Detach from the deployed stack."""
        self._outputs, self._regions = None, {}
        self.network.set_vpc_functions([])

    def start_controllers(self) -> None:
        """Start both controllers: the embedded AWS's scheduler first fires a minute after the deployment."""
        for region in self._regions.values():
            self.start_controller(region)

    def start_controller(self, region: RegionFacts) -> None:
        """Invoke one region's controller as its schedule does every minute."""
        schedules = self.clients("scheduler", region.name).list_schedules()["Schedules"]
        for summary in schedules:
            schedule = self.clients("scheduler", region.name).get_schedule(
                Name=summary["Name"], GroupName=summary.get("GroupName", "default")
            )
            self.clients("lambda", region.name).invoke(
                FunctionName=schedule["Target"]["Arn"],
                InvocationType="Event",
                Payload=schedule["Target"].get("Input", "{}").encode(),
            )

    @property
    def deployment(self) -> DeployedStack:
        """The deployment made by `deploy`. Raises RuntimeError before it."""
        if self._deployment is None:
            raise RuntimeError("no stack is deployed. Call deploy first")
        return self._deployment

    @property
    def state(self) -> StackState:
        """The in-process engine's state. Raises RuntimeError before `deploy`, and with the CLI, which keeps its own."""
        if self._state is None:
            raise RuntimeError("no stack is deployed by the in-process engine")
        return self._state

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs. Raises RuntimeError while no stack is deployed."""
        if self._outputs is None:
            raise RuntimeError("no stack is deployed. Call deploy first")
        return self._outputs

    @property
    def is_production(self) -> bool:
        """Whether the stack is protected from deletion."""
        return parse_stack_config(self.config).is_production

    @property
    def policy(self) -> FailoverSettings:
        """The failover settings of the deployed controllers."""
        return parse_stack_config(self.config).failover

    @property
    def global_cluster_id(self) -> str:
        """The global cluster's identifier."""
        return self.outputs["global_cluster_id"]

    @property
    def writer_name(self) -> str:
        """The DNS name of the writer."""
        return self.outputs["writer_dns_name"]

    @property
    def primary(self) -> RegionFacts:
        """The configured primary region."""
        return self._regions[self.outputs["primary_region"]]

    @property
    def secondary(self) -> RegionFacts:
        """The configured secondary region."""
        return self._regions[self.outputs["secondary_region"]]

    @property
    def regions(self) -> tuple[RegionFacts, ...]:
        """Facts of both regions, the primary region first."""
        return self.primary, self.secondary

    @property
    def database(self) -> GlobalDatabase:
        """The data plane of the global database."""
        return self.control_plane.global_database(self.global_cluster_id)

    @property
    def databases(self) -> tuple[GlobalDatabase, ...]:
        """The data planes of both regions' clusters: two if a cluster is detached."""
        return self.control_plane.databases.databases_of(region.cluster_arn for region in self.regions)

    def find_cluster(self, region: RegionFacts) -> Cluster | None:
        """Return the data plane of a region's cluster, or None if the cluster is deleted."""
        return self.control_plane.databases.cluster(region.cluster_arn)

    def cluster(self, region: RegionFacts) -> Cluster:
        """Return the data plane of a region's cluster. Raises KeyError if the cluster is deleted."""
        cluster = self.find_cluster(region)
        if cluster is None:
            raise KeyError(f"{region.cluster_id}: the cluster does not exist. Create it first.")
        return cluster

    @property
    def client_region(self) -> str:
        """The region of the writing client: the secondary, unless a drill moves it."""
        return self._client_region or self.secondary.name

    def move_client(self, region: RegionFacts) -> None:
        """Move the client to another region, from its next connection on."""
        self._client_region = region.name

    def crash_databases(self, region: RegionFacts) -> None:
        """Stop a region's database engine: its ports refuse connections, and the database commits no transactions."""
        self.network.database_down(region.cluster_id)
        self.database.stop(region.cluster_id)

    def restart_databases(self, region: RegionFacts) -> None:
        """Restart the databases that `crash_databases` stopped; no effect if none is stopped."""
        for database in self.control_plane.databases.databases_of([region.cluster_arn]):
            database.start(region.cluster_id)
        self.network.database_up(region.cluster_id)

    @property
    def writer(self) -> RegionFacts:
        """The region whose cluster is the writer."""
        return next(region for region in self.regions if self.cluster(region).is_writer)

    @property
    def standby(self) -> RegionFacts:
        """The region whose cluster is not the writer."""
        return next(region for region in self.regions if not self.cluster(region).is_writer)

    def resolve_dns(self, name: str, *, from_region: str) -> DnsAnswer:
        """Return Route 53's answer for a name in a region's VPC."""
        return self.dns.resolve(name, from_region=from_region)

    def region_behind(self, endpoint: str) -> str:
        """Return the region of the cluster behind an endpoint."""
        return self.network.cluster_of(endpoint).region

    def new_workload(self, *, advised: bool = True) -> WriteWorkload:
        """Return a client that writes through `writer.<zone>` with the secondary region's secret; see WriteWorkload for `advised`."""
        region = self.secondary
        secret = json.loads(
            self.clients("secretsmanager", region.name).get_secret_value(SecretId=region.secret_arn)["SecretString"]
        )

        def resolve(name: str) -> NameAnswer:
            try:
                answer = self.resolve_dns(name, from_region=self.client_region)
            except (ClientError, BotoCoreError) as error:
                raise OSError(f"DNS has no answer for {name}: {error}") from error
            if not answer.values:
                raise OSError(f"DNS has no answer for {name}: {answer.reason}")
            return NameAnswer(endpoint=answer.values[0].rstrip("."), ttl_seconds=answer.ttl_seconds / self.time_scale)

        return WriteWorkload(
            writer_name=self.writer_name,
            login=WorkloadLogin(
                username=secret["username"], password=secret["password"], database=self.outputs["database_name"]
            ),
            resolve=resolve,
            address=lambda endpoint: self.network.address(endpoint, from_region=self.client_region),
            tls=self.tls,
            pace_seconds=WRITE_PACE_SECONDS if advised else UNADVISED_PACE_SECONDS,
            attempt_seconds=lambda: max(1.0, 0.5 * self.interval_seconds),
            time_scale=lambda: self.time_scale,
            advised=advised,
            clock=time.time,
        )
