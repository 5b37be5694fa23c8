"""Resource graph of a stack: every resource with its parent and dependencies.

The unchanged program runs in this process under Pulumi's mocks. The module uses Pulumi's internals, so Pulumi is pinned.
Two runs give the same graph in the same order. Every mocked ARN ends with the resource's name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockEngine, MockMonitor, MockResourceArgs, Mocks, MockSettings
from pulumi.runtime.sync_await import _ensure_event_loop

from rehearsal.engine.deploy import run_program, stack_config
from settings.stack_file import project_name

ROOT = Path(__file__).resolve().parents[1]
STACK = "dev"
"""The stack with the settings of the graph."""
STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE = "pulumi:providers:aws"
ROLE_POLICY_TYPE = "aws:iam/rolePolicy:RolePolicy"
GLOBAL_SERVICES = ("iam", "route53", "random")
"""Services without a region: IAM, Route 53 and the random provider."""
NO_REGION = "no region"


@dataclass(frozen=True, kw_only=True)
class Node:
    """One resource or component."""

    urn: str
    type: str
    """Pulumi's type: `aws:rds/cluster:Cluster`, `aurora:network:Network`."""
    name: str
    parent: str
    """The URN of the parent component or stack."""
    region: str
    """The provider's region; `NO_REGION` for global services."""
    dependencies: frozenset[str]
    """URNs of direct dependencies."""
    is_component: bool
    policy: str = ""
    """A role policy's JSON document with mocked ARNs (`named_by`)."""

    @property
    def service(self) -> str:
        """The service: `rds`, `iam`."""
        return self.type.split(":")[1].split("/")[0] if self.type.startswith("aws:") else self.type.split(":")[0]

    @property
    def kind(self) -> str:
        """The short type: `rds.Cluster`."""
        return f"{self.service}.{self.type.rpartition(':')[2]}"


@dataclass(frozen=True)
class Graph:
    """The resources and components of one stack, sorted by type and name."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    """The names of the stack's outputs."""

    @cached_property
    def by_urn(self) -> Mapping[str, Node]:
        """Every node by its URN."""
        return {node.urn: node for node in self.nodes}

    @cached_property
    def resources(self) -> tuple[Node, ...]:
        """Every node that is not a component."""
        return tuple(node for node in self.nodes if not node.is_component)

    def named_by(self, arn: str) -> Node | None:
        """Return the resource of a mocked ARN; None for other texts such as `*`."""
        found = [node for node in self.resources if re.search(rf"[:-]{re.escape(node.name)}(?=$|[/:])", arn)]
        # The ARN of `primary-x-log` also matches `x-log`; the longest name is correct.
        return max(found, key=lambda node: len(node.name), default=None)

    def component(self, node: Node) -> Node:
        """Return the top-level component of a node."""
        while node.parent in self.by_urn:
            node = self.by_urn[node.parent]
        return node

    def owner(self, node: Node) -> Node:
        """Return the component that creates a resource."""
        return self.by_urn.get(node.parent, node)

    def inside(self, component: Node) -> tuple[Node, ...]:
        """Return the resources in a top-level component."""
        return tuple(node for node in self.resources if self.component(node) == component)

    @cached_property
    def depths(self) -> Mapping[str, int]:
        """The length of the longest dependency chain before each resource."""
        found: dict[str, int] = {}

        def depth(urn: str) -> int:
            if urn not in found:
                found[urn] = 1 + max((depth(each) for each in self.by_urn[urn].dependencies), default=-1)
            return found[urn]

        return {node.urn: depth(node.urn) for node in self.resources}

    @cached_property
    def longest_chain(self) -> tuple[Node, ...]:
        """The longest dependency chain: each resource depends on the previous one."""
        node = max(self.resources, key=lambda node: (self.depths[node.urn], node.name))
        chain = [node]
        while node.dependencies:
            node = max(
                (self.by_urn[urn] for urn in node.dependencies), key=lambda each: (self.depths[each.urn], each.name)
            )
            chain.append(node)
        return tuple(reversed(chain))


class GraphError(Exception):
    """The program failed."""


@cache
def drawn_graph() -> Graph:
    """Return the graph that the pages show; the program runs once for all of them."""
    return graph_of(STACK)


def graph_of(stack: str = STACK) -> Graph:
    """Run the program with a stack's settings and return its graph.

    Raises:
        GraphError: the program raised an error or logged one.
    """
    recorder = _Recorder()
    failure = _run(recorder, stack)
    if failure is not None:
        raise GraphError(f"the program of stack {stack} failed: {failure}") from failure
    resources = {node.urn for node in recorder.nodes if not node.is_component}
    by_urn = {node.urn: node for node in recorder.nodes}
    return Graph(
        tuple(
            Node(**{**vars(node), "dependencies": frozenset(_expanded(node.dependencies, by_urn, resources))})
            for node in sorted(recorder.nodes, key=lambda node: (node.type, node.name))
        ),
        tuple(recorder.outputs),
    )


def _expanded(dependencies: Iterable[str], by_urn: Mapping[str, Node], resources: set[str]) -> Iterator[str]:
    """Yield resource dependencies; a dependency on a component stands for all its resources."""
    for urn in dependencies:
        if urn in resources:
            yield urn
        elif urn in by_urn:
            yield from _expanded((node.urn for node in by_urn.values() if node.parent == urn), by_urn, resources)


class _MockCloud(Mocks):
    """A mock whose resources have their logical names as ids."""

    def call(self, args: MockCallArgs) -> Any:
        return {
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": ["a", "b", "c"],
                "zoneIds": ["1", "2", "3"],
            },
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012", "id": "123456789012"},
        }[args.token]

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        attributes = dict.fromkeys(
            ("defaultNetworkAclId", "endpoint", "readerEndpoint", "zoneId", "fqdn", "keyId", "result"), args.name
        )
        arn = f"arn:aws:service:region:123456789012:{args.name}"
        return args.name, {**attributes, **args.inputs, "arn": arn, "clusterResourceId": f"cluster-{args.name}"}


class _Recorder(MockMonitor):
    """Records the resources that the program registers."""

    def __init__(self) -> None:
        super().__init__(_MockCloud())
        self.nodes: list[Node] = []
        self.outputs: list[str] = []
        self._regions: dict[str, str] = {}

    def RegisterResource(self, request: Any) -> Any:
        """Record a resource, but no provider or stack."""
        _ensure_event_loop()
        answer = super().RegisterResource(request)
        if request.type == PROVIDER_TYPE:
            self._regions[answer.urn] = rpc.deserialize_properties(request.object)["region"]
        elif request.type != STACK_TYPE:
            self.nodes.append(self._node(answer.urn, request))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        """Record the names of the stack's outputs."""
        _ensure_event_loop()
        if STACK_TYPE in request.urn:
            self.outputs = sorted(rpc.deserialize_properties(request.outputs, keep_unknowns=True))
        return super().RegisterResourceOutputs(request)

    def _node(self, urn: str, request: Any) -> Node:
        region = self._regions.get(request.provider.rpartition("::")[0], NO_REGION)
        service = request.type.split(":")[1].split("/")[0]
        return Node(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            region=NO_REGION if service in GLOBAL_SERVICES else region,
            dependencies=frozenset(request.dependencies),
            is_component=not request.custom,
            policy=rpc.deserialize_properties(request.object)["policy"] if request.type == ROLE_POLICY_TYPE else "",
        )


class _NullLog:
    """Discards the program's warnings; errors are raised."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **more: None


def _run(recorder: _Recorder, stack: str) -> BaseException | None:
    """Run the program; return the program's exception, or None."""
    settings = MockSettings(
        monitor=recorder,
        monitor_features=set(recorder.GetDeploymentInfo(None).supportedFeatures),
        engine=MockEngine(_NullLog()),  # pyright: ignore[reportArgumentType]
        project=project_name(ROOT),
        stack=stack,
        dry_run=False,
        organization=None,
        callbacks=None,
    )
    return run_program(ROOT, settings, stack_config(ROOT, stack))
