"""The world of a rehearsal: both regions of the embedded AWS, the network between them, and the deployed program.

Owns: the order in which the layers start and stop, and how drills reach them. Does not own: what the layers do, what drills assert.
Invariant: everything listens on loopback only and is gone when the world is closed, however it was left.
"""

from __future__ import annotations

import json
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
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
from rehearsal.engine.deploy import Deployment, deploy, stack_config
from rehearsal.engine.monitor import Resource
from rehearsal.gc_freeze import freeze_live_objects
from rehearsal.network.certificates import CertificateAuthority
from rehearsal.network.network import EmulatedNetwork, mysql_listeners
from rehearsal.network.resolver import NameServer
from rehearsal.network.route53 import DnsAnswer, PrivateDns
from rehearsal.support.clients import Clients
from rehearsal.workload import Credentials, NameAnswer, WriteAttempt, WriteWorkload
from settings import FailoverSettings, parse_stack_config

PROGRAM_DIRECTORY = Path(__file__).resolve().parent.parent
OUTSIDE = "outside"
"""Where a caller is who is in neither region: an operator at a desk. What goes dark is out of reach from there too."""
DEPLOYED_INTERVAL_SECONDS = 10.0
"""The cycle that every other period of the design belongs to: the rehearsal shortens them all by the same factor."""


def time_scale(interval_seconds: float) -> float:
    """Return how many times shorter every period is than deployed, with a shorter cycle; never longer."""
    return max(1.0, DEPLOYED_INTERVAL_SECONDS / interval_seconds)


def shortened_config(
    stack: str, interval_seconds: float, failover_overrides: Mapping[str, object] | None = None
) -> dict[str, str]:
    """Return a stack's configuration with the cycle, and the waits that are counted in seconds shortened by the same factor.

    Raises: DeploymentError.
    """
    scale = time_scale(interval_seconds)
    shortened = {
        "interval_seconds": interval_seconds,
        "in_region_grace_seconds": max(1, round(120 / scale)),
        "cooldown_seconds": max(1, round(900 / scale)),
    }
    return stack_config(PROGRAM_DIRECTORY, stack, {"failover": {**shortened, **(failover_overrides or {})}})


@dataclass(frozen=True, kw_only=True)
class RegionFacts:
    """What a region's stack outputs say, in the words of the design."""

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
        """Read one entry of the output `regions`. Raises KeyError naming the output that is missing."""
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
    """Both regions, deployed and beating; a context manager. `start`, then `deploy`, then `start_controllers`.

    Args:
        stack: whose settings are deployed (Pulumi.<stack>.yaml).
        interval_seconds: the controller's cycle; every period of the program shrinks with it.
        operation_seconds: how long a failover or switchover takes in the control plane; an assumption, not a measurement of AWS.
        failover_overrides: settings of `failover` that are not the stack's own, nor shrunk with the cycle.
    """

    def __init__(
        self,
        *,
        stack: str,
        interval_seconds: float,
        operation_seconds: float,
        failover_overrides: Mapping[str, object] | None = None,
    ) -> None:
        self.stack = stack
        self.interval_seconds = interval_seconds
        self.time_scale = time_scale(interval_seconds)
        self._operation_seconds = operation_seconds
        self.failover_overrides = dict(failover_overrides or {})
        self._exit = ExitStack()
        self._deployment: Deployment | None = None
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
        """Start the layers from the databases outwards; the emulator is last because it must know where the others are."""
        self.config = shortened_config(self.stack, self.interval_seconds, self.failover_overrides)
        regions = self._configured_regions()
        directory = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="aurora-rehearsal-")))
        self.authority = CertificateAuthority.create(directory)
        server = self._exit.enter_context(MySQLServer())
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
        self.faults = self._exit.enter_context(ApiFaults(upstream=self.control_plane.url, regions=(*regions, OUTSIDE)))
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
        self.clients = Clients(self.control_plane.url)
        self._exit.callback(self.clients.close)
        self.dns = PrivateDns(
            self.clients, time_scale=self.time_scale, failed_regions=lambda: self.network.failed_regions
        )
        names.resolve = self._endpoint_behind
        self.tls = ssl.create_default_context(cafile=str(self.authority.bundle))

    def _endpoint_behind(self, name: str, region: str) -> str:
        """What a function in a region's VPC gets for a name of the private zone: an endpoint, or nothing."""
        try:
            values = self.dns.resolve(name, from_region=region).values
        # What Route 53 would refuse is no answer, and the drills look at it themselves.
        except (LookupError, ValueError):
            return ""
        return values[0].rstrip(".") if values else ""

    def _configured_regions(self) -> tuple[str, ...]:
        settings = parse_stack_config(self.config)
        return settings.primary.region, settings.secondary.region

    def deploy(self, on_resource: Callable[[Resource], None] | None = None) -> Deployment:
        """Run the unchanged program; every resource is created through the API. Raises DeploymentError with every mistake."""
        self._deployment = deploy(
            PROGRAM_DIRECTORY, self.config, self.control_plane.url, on_resource, stack=self.stack, clients=self.clients
        )
        self.take_up(self._deployment.exports)
        return self._deployment

    def take_up(self, outputs: Mapping[str, Any]) -> None:
        """Know what is deployed here, whoever deployed it. Raises KeyError naming an output that is missing."""
        self._outputs = outputs
        facts = (RegionFacts.of(output) for output in outputs["regions"].values())
        self._regions = {one.name: one for one in facts}
        in_vpc = [
            function["name"]
            for region in self._regions.values()
            for function in self._functions(region)
            if function["in_vpc"]
        ]
        self.network.set_vpc_functions(sorted(set(in_vpc)))
        freeze_live_objects()

    def leave(self) -> None:
        """Know of nothing that is deployed any more."""
        self._outputs, self._regions = None, {}
        self.network.set_vpc_functions([])

    def _functions(self, region: RegionFacts) -> list[dict[str, Any]]:
        functions = self.clients("lambda", region.name).list_functions()["Functions"]
        return [
            {"name": each["FunctionName"], "in_vpc": bool((each.get("VpcConfig") or {}).get("SubnetIds"))}
            for each in functions
        ]

    def start_controllers(self) -> None:
        """Start each region's controller as its schedule would: the emulator's scheduler first fires a minute after creation."""
        for region in self._regions.values():
            self.start_controller(region)

    def start_controller(self, region: RegionFacts) -> None:
        """Start one region's controller as its schedule does every minute."""
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
    def deployment(self) -> Deployment:
        """What the program made. Raises RuntimeError before `deploy`."""
        if self._deployment is None:
            raise RuntimeError("nothing is deployed yet")
        return self._deployment

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs. Raises RuntimeError before anything is deployed."""
        if self._outputs is None:
            raise RuntimeError("nothing is deployed yet")
        return self._outputs

    @property
    def is_production(self) -> bool:
        """Whether what holds data is protected from deletion."""
        return parse_stack_config(self.config).is_production

    @property
    def policy(self) -> FailoverSettings:
        """When the deployed controllers may act."""
        return parse_stack_config(self.config).failover

    @property
    def global_cluster_id(self) -> str:
        """The global cluster's identifier."""
        return self.outputs["global_cluster_id"]

    @property
    def writer_name(self) -> str:
        """The DNS name that clients write through."""
        return self.outputs["writer_dns_name"]

    @property
    def primary(self) -> RegionFacts:
        """The configured primary region: where the writer lives on day one."""
        return self._regions[self.outputs["primary_region"]]

    @property
    def secondary(self) -> RegionFacts:
        """The configured secondary region."""
        return self._regions[self.outputs["secondary_region"]]

    @property
    def regions(self) -> tuple[RegionFacts, ...]:
        """Both regions, the primary first."""
        return self.primary, self.secondary

    @property
    def database(self) -> GlobalDatabase:
        """The data plane of the global database."""
        return self.control_plane.global_database(self.global_cluster_id)

    def cluster(self, region: RegionFacts) -> Cluster:
        """The data plane of a region's cluster."""
        return self.database.cluster(region.cluster_id)

    @property
    def client_region(self) -> str:
        """Where the writing client sits, and asks Route 53: in the secondary region, unless a drill moves it."""
        return self._client_region or self.secondary.name

    def move_client(self, region: RegionFacts) -> None:
        """Let the client sit in another region: its next connection comes from there."""
        self._client_region = region.name

    def crash_databases(self, region: RegionFacts) -> None:
        """Let the database engine of a region die while the region lives: its ports refuse, and it writes nothing any more."""
        self.network.database_down(region.cluster_id)
        self.database.stop(region.cluster_id)

    def heal_databases(self, region: RegionFacts) -> None:
        """Undo `crash_databases`, also where there was no crash."""
        self.database.start(region.cluster_id)
        self.network.database_up(region.cluster_id)

    @property
    def writer(self) -> RegionFacts:
        """The region whose cluster is the writer now."""
        return next(region for region in self.regions if self.cluster(region).is_writer)

    @property
    def standby(self) -> RegionFacts:
        """The region whose cluster is not the writer now."""
        return next(region for region in self.regions if not self.cluster(region).is_writer)

    def ask_dns(self, name: str, *, from_region: str) -> DnsAnswer:
        """What Route 53 answers for a name in a region's VPC."""
        return self.dns.resolve(name, from_region=from_region)

    def region_behind(self, endpoint: str) -> str:
        """The region whose cluster an endpoint leads to now."""
        return self.network.cluster_of(endpoint).region

    def new_ledger(self, *, on_attempt: Callable[[WriteAttempt], None] | None = None) -> WriteWorkload:
        """A client that writes through `writer.<zone>` from `client_region`, with the secret that the secondary region holds."""
        home = self.secondary
        secret = json.loads(
            self.clients("secretsmanager", home.name).get_secret_value(SecretId=home.secret_arn)["SecretString"]
        )

        def resolve(name: str) -> NameAnswer:
            try:
                answer = self.ask_dns(name, from_region=self.client_region)
            except (ClientError, BotoCoreError) as error:
                raise OSError(f"no answer for {name}: {error}") from error
            if not answer.values:
                raise OSError(f"no answer for {name}: {answer.reason}")
            return NameAnswer(endpoint=answer.values[0].rstrip("."), ttl_seconds=answer.ttl_seconds / self.time_scale)

        return WriteWorkload(
            writer_name=self.writer_name,
            credentials=Credentials(
                username=secret["username"], password=secret["password"], database=self.outputs["database_name"]
            ),
            resolve=resolve,
            address=lambda endpoint: self.network.address(endpoint, from_region=self.client_region),
            tls=self.tls,
            pace_seconds=0.05,
            attempt_seconds=max(1.0, 0.5 * self.interval_seconds),
            clock=time.time,
            on_attempt=on_attempt,
        )
