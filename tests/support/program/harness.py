"""Runs the program in this process, without an engine, and records every registered resource.

It uses internals of the pinned version of Pulumi. Runs are independent, and a duplicate URN is an error, as in the engine.
"""

import asyncio
import contextvars
import gc
import importlib
import json
import logging
import runpy
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_in_stack

from settings.stack_file import read_stack_file

PROGRAM = Path(__file__).resolve().parents[3]
PROJECT = "aurora-global-database"
ACCOUNT = "123456789012"


def stack_file(stack: str) -> dict[str, Any]:
    """Return the settings in a stack file, as Pulumi passes them to the program."""
    prefix = f"{PROJECT}:"
    config = read_stack_file(PROGRAM, stack)
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource as the program registered it."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    """Plain values; secrets are unwrapped, unknown values are `rpc.UNKNOWN`."""
    secret_inputs: frozenset[str]
    parent: str
    provider: str
    """The provider's URN; empty without an explicit provider."""
    region: str
    """The provider's region."""
    protect: bool
    ignore_changes: tuple[str, ...]
    dependencies: frozenset[str]
    """The URNs of explicit dependencies and of the sources of its inputs."""
    property_dependencies: Mapping[str, frozenset[str]]
    """Map from an input to the URNs of the sources of its value."""
    additional_secret_outputs: tuple[str, ...]
    is_component: bool

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(kw_only=True)
class Run:
    """The result of one run of the program."""

    resources: list[Registered] = field(default_factory=list)
    invokes: list[tuple[str, str]] = field(default_factory=list)
    """(function, provider's URN)."""
    exports: dict[str, Any] = field(default_factory=dict)
    logged: list[str] = field(default_factory=list)
    error: BaseException | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    ended_at_cpu_seconds: float = 0.0
    """CPU time of this process from its start to the last registration."""

    def of(self, kind: str, region: str | None = None) -> list[Registered]:
        """Return the resources of a type such as `rds/cluster:Cluster`, in one region or all."""
        return [r for r in self.resources if r.type == f"aws:{kind}" and region in (None, r.region)]

    def one(self, kind: str, region: str | None = None) -> Registered:
        """Return the only resource of a type."""
        (found,) = self.of(kind, region)
        return found

    def named(self, name: str) -> Registered:
        """Return the cloud resource with a logical name."""
        (found,) = [r for r in self.resources if r.name == name and not r.is_component]
        return found

    @property
    def cloud(self) -> list[Registered]:
        """Every AWS resource, without components and providers."""
        return [r for r in self.resources if r.type.startswith("aws:")]

    def needs(self, resource: Registered) -> set[str]:
        """Return the URNs of all direct and indirect dependencies of a resource."""
        by_urn = {r.urn: r for r in self.resources}
        found: set[str] = set()
        pending = list(resource.dependencies)
        while pending:
            urn = pending.pop()
            if urn not in found:
                found.add(urn)
                pending += by_urn[urn].dependencies if urn in by_urn else ()
        return found


def plain(value: Any) -> Any:
    """Return a deserialised value with secrets unwrapped and integral floats as ints."""
    if rpc.is_rpc_secret(value):
        return plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class RecordingMonitor(mocks.MockMonitor):
    """A mock engine that records registrations."""

    def __init__(self, run: Run, cloud: mocks.Mocks) -> None:
        super().__init__(cloud)
        self.run = run
        self._regions: dict[str, str] = {}

    def RegisterResource(self, request: Any) -> Any:
        """Record a resource and return the mocks' answer."""
        answer = super().RegisterResource(request)
        raw = rpc.deserialize_properties(request.object, keep_unknowns=True)
        inputs = plain(raw)
        provider = request.provider.rpartition("::")[0]
        if request.type == "pulumi:providers:aws":
            self._regions[answer.urn] = inputs["region"]
        if answer.urn in {r.urn for r in self.run.resources}:
            raise AssertionError(f"registered twice: {answer.urn}")
        self.run.resources.append(
            Registered(
                urn=answer.urn,
                type=request.type,
                name=request.name,
                inputs=inputs,
                secret_inputs=frozenset(key for key, value in raw.items() if rpc.is_rpc_secret(value)),
                parent=request.parent,
                provider=provider,
                region=self._regions.get(provider, ""),
                protect=request.protect,
                ignore_changes=tuple(request.ignoreChanges),
                dependencies=frozenset(request.dependencies),
                property_dependencies={key: frozenset(on.urns) for key, on in request.propertyDependencies.items()},
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
                is_component=not request.custom,
            )
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        """Record the stack's outputs."""
        if "pulumi:pulumi:Stack" in request.urn:
            self.run.exports = plain(rpc.deserialize_properties(request.outputs, keep_unknowns=True))
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request: Any) -> Any:
        """Record an invoke and return the mocks' answer."""
        self.run.invokes.append((request.tok, request.provider.rpartition("::")[0]))
        return super().Invoke(request)


class _Cloud(mocks.Mocks):
    """Returns AWS's answers for every output that the program reads; in a preview the outputs of AWS are unknown."""

    def __init__(self, zones: Mapping[str, str], *, preview: bool, describes_standby_endpoint: bool) -> None:
        self._zones, self.is_preview = zones, preview
        self._describes_standby_endpoint = describes_standby_endpoint
        self._regions: dict[str, str] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = plain(dict(args.inputs))
        if args.typ == "pulumi:providers:aws":
            self._regions[args.name] = inputs["region"]
        if self.is_preview:
            return None, inputs
        # The provider uses these identifiers as ids.
        id_inputs = {"Cluster": "clusterIdentifier", "GlobalCluster": "globalClusterIdentifier"}
        resource_id = inputs.get(id_inputs.get(args.typ.rpartition(":")[2], ""), f"{args.name}-id")
        # `<urn of the provider>::<its id>`, and the URN ends in the provider's name.
        provider = (args.provider or "::").split("::")[-2]
        state = {**inputs, **_outputs_of_aws(args.typ, args.name, inputs, self._regions.get(provider, "us-east-1"))}
        if "sourceRegion" in inputs and not self._describes_standby_endpoint:
            state["endpoint"] = ""
        return resource_id, state

    def call(self, args: mocks.MockCallArgs) -> Any:
        region = self._regions.get((args.provider or "::").split("::")[-2], "us-east-1")
        answers = {
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": [zone.replace("REGION", region) for zone in self._zones],
                "zoneIds": list(self._zones.values()),
                "id": "zones",
            },
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT, "id": ACCOUNT},
        }
        return answers[args.token] if args.token in answers else _existing_vpc(args.token, args.args)


EXISTING_VPC = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0000000a", "subnet-0000000b", "subnet-0000000c"],
}
"""An existing VPC, whose subnets use their own route table rtb-0000000a; the subnets of its first range."""
EXISTING_CIDRS = ("10.99.0.0/20", "100.64.0.0/20")
"""Its primary and secondary range. Its subnets subnet-0000000d, -e and -f are in the second."""


def _existing_vpc(token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    vpc_id = EXISTING_VPC["vpc_id"]
    if token == "aws:ec2/getVpc:getVpc":
        blocks = [{"associationId": block, "cidrBlock": block, "state": "associated"} for block in EXISTING_CIDRS]
        answer = {"cidrBlock": EXISTING_CIDRS[0], "cidrBlockAssociations": blocks, "mainRouteTableId": "rtb-0000000f"}
        return {**answer, "id": vpc_id, "enableDnsSupport": True, "enableDnsHostnames": True}
    if token == "aws:ec2/getSubnet:getSubnet":
        letter = arguments["id"][-1]
        block = "10.99.1.0/24" if letter in "abc" else "100.64.1.0/24"
        return {"id": arguments["id"], "vpcId": vpc_id, "cidrBlock": block, "availabilityZone": f"zone-{letter}"}
    assert token == "aws:ec2/getRouteTables:getRouteTables", token
    return {"id": "tables", "ids": ["rtb-0000000a"]}


def _outputs_of_aws(kind: str, name: str, inputs: Mapping[str, Any], region: str) -> dict[str, Any]:
    arn = f"arn:aws:{kind.split(':')[1].split('/')[0]}:{region}:{ACCOUNT}:{name}"
    extra: dict[str, Any] = {
        "aws:rds/cluster:Cluster": {
            "endpoint": f"{name}.cluster-abc.rds.amazonaws.com",
            "readerEndpoint": f"{name}.cluster-ro-abc.rds.amazonaws.com",
            "clusterResourceId": f"cluster-{name.upper()}",
        },
        "aws:rds/globalCluster:GlobalCluster": {"endpoint": f"{name}.global-abc.global.rds.amazonaws.com"},
        "aws:secretsmanager/secret:Secret": {"arn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{name}-AbCdEf"},
        "aws:route53/zone:Zone": {"zoneId": f"Z{name.upper()}"},
        "aws:route53/record:Record": {"fqdn": inputs.get("name")},
        "aws:iam/role:Role": {"arn": f"arn:aws:iam::{ACCOUNT}:role/{name}"},
        "aws:ec2/vpc:Vpc": {"defaultNetworkAclId": f"{name}-default-acl"},
        "aws:kms/key:Key": {"keyId": f"{name}-key-id", "arn": f"arn:aws:kms:{region}:{ACCOUNT}:key/{name}"},
        "aws:lambda/invocation:Invocation": {"result": '{"created": []}'},
        "random:index/randomPassword:RandomPassword": {"result": "generated-" + "x" * 22, "bcryptHash": "hash"},
    }.get(kind, {})
    return {"arn": arn, **extra}


_IMPORTED_BEFORE_TIMING = (
    *(f"pulumi_aws.{part}" for part in ("cloudwatch", "dynamodb", "ec2", "iam", "kms", "lambda_", "rds", "route53")),
    *(f"pulumi_aws.{part}" for part in ("scheduler", "secretsmanager", "sns", "sqs", "vpc")),
    "pulumi_random",
    "outputs",
    "settings",
    *(f"components.{file.stem}" for file in (PROGRAM / "components").glob("*.py")),
)


class _Log(logging.Logger):
    """Records the program's log messages."""

    def __init__(self, run: Run) -> None:
        super().__init__("program", level=logging.WARNING)
        self._run = run

    def handle(self, record: logging.LogRecord) -> None:
        self._run.logged.append(f"{record.levelname.lower()}: {record.getMessage()}")


def run_program(
    config: Mapping[str, object],
    *,
    preview: bool = False,
    zones: Mapping[str, str] = {"zone-a": "id-1", "zone-b": "id-2", "zone-c": "id-3", "zone-d": "id-4"},
    describes_standby_endpoint: bool = True,
    program: Callable[[], None] | None = None,
    imported_before: bool = True,
) -> Run:
    """Run `__main__.py` or another program with a stack's settings and return the result.

    `zones`: map from the name of an available zone to its id; `REGION` in a name stands for the region's code.
    `describes_standby_endpoint`: whether AWS describes the standby's cluster endpoint; AWS sometimes omits it.
    An exception of the program is stored in `error`. With `imported_before`, `seconds` excludes the imports of the SDK and
    the components.
    """
    for module in _IMPORTED_BEFORE_TIMING if imported_before else ():
        importlib.import_module(module)
    run = Run()
    cloud = _Cloud(zones, preview=preview, describes_standby_endpoint=describes_standby_endpoint)
    contextvars.copy_context().run(_run, run, config, cloud, program)
    return run


def _run(run: Run, config: Mapping[str, object], cloud: "_Cloud", program: Callable[[], None] | None) -> None:
    set_all_config(
        {f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    )
    monitor = RecordingMonitor(run, cloud)
    # As `mocks.set_mocks`, but without a root stack: `run_in_stack` creates it, and a second one would never be awaited.
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(None).supportedFeatures),
            engine=mocks.MockEngine(_Log(run)),
            project=PROJECT,
            stack="test",
            dry_run=cloud.is_preview,
            organization=None,
            callbacks=None,
        )
    )
    settings.SETTINGS.outputs = set()  # pyright: ignore[reportAttributeAccessIssue]
    settings.ROOT.set(None)
    loops: list[asyncio.AbstractEventLoop] = []
    loop = asyncio.new_event_loop()
    # The runtime creates an event loop in each thread without one and never closes it, so the harness does both.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=16, initializer=_loop_of_a_thread, initargs=(loops,)))
    started, cpu_started = time.perf_counter(), time.process_time()
    try:
        loop.run_until_complete(run_in_stack(program or _main))
    except Exception as error:  # noqa: BLE001 - the test checks the exception
        run.error = error
    finally:
        run.ended_at_cpu_seconds = time.process_time()
        run.seconds, run.cpu_seconds = time.perf_counter() - started, run.ended_at_cpu_seconds - cpu_started
        gc.enable()  # The program disables the garbage collector, but this process continues.
        loop.run_until_complete(loop.shutdown_default_executor())
        # Registrations are concurrent, so their order is random; some continue after a failure of the program.
        run.resources.sort(key=lambda resource: (resource.type, resource.name))
        for each in (*loops, loop):
            each.close()


def _loop_of_a_thread(loops: list[asyncio.AbstractEventLoop]) -> None:
    loops.append(asyncio.new_event_loop())
    asyncio.set_event_loop(loops[-1])


def _main() -> None:
    path = str(PROGRAM)
    added = path not in sys.path
    if added:
        sys.path.insert(0, path)
    try:
        runpy.run_path(str(PROGRAM / "__main__.py"), run_name="__main__")
    finally:
        if added:
            sys.path.remove(path)
