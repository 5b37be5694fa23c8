"""The graph of a stack, as the engine would be told of it: every resource, whose child it is, and what it waits for.

Owns: one run of the unchanged program in this process against a made-up cloud, and what it registers (Pulumi's internals, so
Pulumi is pinned). Does not own: what is written about it. Invariant: nothing is created and nobody is called; two runs give
the same graph, in the same order; whatever the cloud makes up about a resource ends in the resource's name.
"""

import asyncio
import contextvars
import importlib
import re
import runpy
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pulumi.runtime import config as pulumi_config
from pulumi.runtime import rpc
from pulumi.runtime import settings as pulumi_settings
from pulumi.runtime.mocks import MockCallArgs, MockEngine, MockMonitor, MockResourceArgs, Mocks, MockSettings
from pulumi.runtime.stack import run_in_stack

from rehearsal.engine.deploy import project_name, stack_config

ROOT = Path(__file__).resolve().parents[1]
STACK = "dev"
"""Whose settings are drawn: the stack that everybody deploys first."""
STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE = "pulumi:providers:aws"
ROLE_POLICY_TYPE = "aws:iam/rolePolicy:RolePolicy"
WITHOUT_A_REGION = ("iam", "route53", "random")
"""Services of the account, whatever the provider's region: IAM, Route 53; and what no cloud makes."""
ANYWHERE = "no region"
THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Node:
    """One resource or component."""

    urn: str
    type: str
    """As Pulumi writes it: `aws:rds/cluster:Cluster`, `aurora:network:Network`."""
    name: str
    parent: str
    """The URN of the component or stack that it belongs to."""
    region: str
    """The region of its provider; `ANYWHERE` for services that have none."""
    needs: frozenset[str]
    """URNs of what must exist first, one step."""
    is_component: bool
    policy: str = ""
    """What a role's policy says, as JSON; its ARNs are made up (`named_by`)."""

    @property
    def service(self) -> str:
        """The part of the cloud that it belongs to: `rds`, `iam`."""
        return self.type.split(":")[1].split("/")[0] if self.type.startswith("aws:") else self.type.split(":")[0]

    @property
    def kind(self) -> str:
        """Its type without the ballast: `rds.Cluster`."""
        return f"{self.service}.{self.type.rpartition(':')[2]}"


@dataclass(frozen=True)
class Graph:
    """Everything that one stack registers: cloud resources and the components around them, sorted by type and name."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    """The names of the stack's outputs."""

    @cached_property
    def by_urn(self) -> Mapping[str, Node]:
        """Every node by its URN."""
        return {node.urn: node for node in self.nodes}

    @cached_property
    def resources(self) -> tuple[Node, ...]:
        """What the cloud (or the random provider) is asked to make."""
        return tuple(node for node in self.nodes if not node.is_component)

    def named_by(self, arn: str) -> Node | None:
        """Return the resource that a made-up ARN is of; none for what is no resource of the stack, such as `*`."""
        found = [node for node in self.resources if re.search(rf"[:-]{re.escape(node.name)}(?=$|[/:])", arn)]
        # `x-log` is in the ARN of `primary-x-log` too: the longest name is meant.
        return max(found, key=lambda node: len(node.name), default=None)

    def component(self, node: Node) -> Node:
        """Return the component that the stack itself has, and that a node is in, however deep."""
        while node.parent in self.by_urn:
            node = self.by_urn[node.parent]
        return node

    def owner(self, node: Node) -> Node:
        """Return the component that makes a resource."""
        return self.by_urn.get(node.parent, node)

    def inside(self, component: Node) -> tuple[Node, ...]:
        """Return the resources in a component of the stack."""
        return tuple(node for node in self.resources if self.component(node) == component)

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """How many resources, one after the other, must exist before each: 0 for what waits for nothing."""
        found: dict[str, int] = {}

        def depth(urn: str) -> int:
            if urn not in found:
                found[urn] = 1 + max((depth(each) for each in self.by_urn[urn].needs), default=-1)
            return found[urn]

        return {node.urn: depth(node.urn) for node in self.resources}

    @cached_property
    def longest_chain(self) -> tuple[Node, ...]:
        """The longest way through the graph: each of these waits for the one before, however much runs at a time."""
        node = max(self.resources, key=lambda node: (self.depths[node.urn], node.name))
        chain = [node]
        while node.needs:
            node = max((self.by_urn[urn] for urn in node.needs), key=lambda each: (self.depths[each.urn], each.name))
            chain.append(node)
        return tuple(reversed(chain))


class GraphError(Exception):
    """The program failed; the text says how."""


@cache
def drawn_graph() -> Graph:
    """Return the graph that the pages draw: one run of the program serves them all."""
    return graph_of(STACK)


def graph_of(stack: str = STACK) -> Graph:
    """Run the program with a stack's settings and return its graph.

    Raises:
        GraphError: the program raised an error or logged one.
    """
    recorder = _Recorder()
    failure = contextvars.copy_context().run(_run, recorder, stack)
    if failure is not None:
        raise GraphError(f"the program of stack {stack} can't be drawn: {failure}") from failure
    resources = {node.urn for node in recorder.nodes if not node.is_component}
    below = {node.urn: node for node in recorder.nodes}
    return Graph(
        tuple(
            Node(**{**vars(node), "needs": frozenset(_leaves(node.needs, below, resources))})
            for node in sorted(recorder.nodes, key=lambda node: (node.type, node.name))
        ),
        tuple(recorder.outputs),
    )


def _leaves(needs: Iterable[str], below: Mapping[str, Node], resources: set[str]) -> Iterator[str]:
    """Return the resources that are meant: whoever depends on a component depends on all that is in it."""
    for urn in needs:
        if urn in resources:
            yield urn
        elif urn in below:
            yield from _leaves((node.urn for node in below.values() if node.parent == urn), below, resources)


class _MadeUp(Mocks):
    """A cloud that makes nothing, and calls everything by its logical name."""

    def call(self, args: MockCallArgs) -> Any:
        return {
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": ["a", "b", "c"],
                "zoneIds": ["1", "2", "3"],
            },
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012", "id": "123456789012"},
            "aws:index/getPartition:getPartition": {"partition": "aws", "id": "aws"},
        }[args.token]

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        named = dict.fromkeys(("endpoint", "readerEndpoint", "zoneId", "fqdn", "keyId", "result"), args.name)
        arn = f"arn:aws:service:region:123456789012:{args.name}"
        return args.name, {**named, **args.inputs, "arn": arn, "clusterResourceId": f"cluster-{args.name}"}


class _Recorder(MockMonitor):
    """Keeps what the program registers."""

    def __init__(self) -> None:
        super().__init__(_MadeUp())
        self.nodes: list[Node] = []
        self.outputs: list[str] = []
        self._regions: dict[str, str] = {}

    def RegisterResource(self, request: Any) -> Any:
        """Record a resource; providers and the stack itself are no part of the picture."""
        answer = super().RegisterResource(request)
        if request.type == PROVIDER_TYPE:
            self._regions[answer.urn] = rpc.deserialize_properties(request.object)["region"]
        elif request.type != STACK_TYPE:
            self.nodes.append(self._node(answer.urn, request))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        """Keep the names of the stack's outputs."""
        if STACK_TYPE in request.urn:
            self.outputs = sorted(rpc.deserialize_properties(request.outputs, keep_unknowns=True))
        return super().RegisterResourceOutputs(request)

    def _node(self, urn: str, request: Any) -> Node:
        region = self._regions.get(request.provider.rpartition("::")[0], ANYWHERE)
        service = request.type.split(":")[1].split("/")[0]
        return Node(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            region=ANYWHERE if service in WITHOUT_A_REGION else region,
            needs=frozenset(request.dependencies),
            is_component=not request.custom,
            policy=rpc.deserialize_properties(request.object)["policy"] if request.type == ROLE_POLICY_TYPE else "",
        )


class _Silent:
    """Where the program's warnings go: a picture has no place for them; its errors are raised anyway."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: None


def _run(recorder: _Recorder, stack: str) -> Exception | None:
    """Run the program to its end; return what it raised."""
    # The program's modules are imported before its registrations run in threads.
    importlib.import_module("pulumi_aws")
    pulumi_config.set_all_config(stack_config(ROOT, stack))
    pulumi_settings.configure(
        MockSettings(
            monitor=recorder,
            monitor_features=set(recorder.GetDeploymentInfo(None).supportedFeatures),
            engine=MockEngine(_Silent()),  # pyright: ignore[reportArgumentType]
            project=project_name(ROOT),
            stack=stack,
            dry_run=False,
            organization=None,
            callbacks=None,
        )
    )
    pulumi_settings.SETTINGS.outputs = set()  # pyright: ignore[reportAttributeAccessIssue]
    pulumi_settings.ROOT.set(None)
    loops: list[asyncio.AbstractEventLoop] = []
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, initializer=_loop_of_a_thread, initargs=(loops,)))
    try:
        with _importable(ROOT):
            loop.run_until_complete(run_in_stack(_program))
        return None
    except Exception as error:  # noqa: BLE001 (whatever the program raises is why it can't be drawn)
        return error
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        for each in (*loops, loop):
            each.close()


def _program() -> None:
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


def _loop_of_a_thread(loops: list[asyncio.AbstractEventLoop]) -> None:
    loops.append(asyncio.new_event_loop())
    asyncio.set_event_loop(loops[-1])


@contextmanager
def _importable(directory: Path) -> Iterator[None]:
    if str(directory) in sys.path:
        yield
        return
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path.remove(str(directory))
