"""Tests of destroy: order, refusals and repetition."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine.destroy import DestroyError, DestroyRefusedError, deletion_waves, destroy
from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.resources.handler import Created, DeleteRequest, Handler
from rehearsal.provider.resources.registry import HANDLERS
from tests.support.rehearsal.accept_all_aws import IMAGINED, run

CLUSTER = "aws:rds/cluster:Cluster"


class Deletions:
    """Handlers that record deletions; `failing` has exceptions by resource id."""

    def __init__(self, failing: dict[str, Exception] | None = None) -> None:
        self.failing = failing or {}
        self.ids: list[str] = []
        self.states: list[Any] = []
        self.handlers = {"t": Handler(create=self._create, delete=self.delete, properties={})}

    def delete(self, request: DeleteRequest) -> None:
        """Record a deletion, or fail."""
        if request.id in self.failing:
            raise self.failing[request.id]
        self.ids.append(request.id)
        self.states.append((request.inputs, request.outputs))

    @staticmethod
    def _create(_request: Any) -> Created:
        raise AssertionError("nothing is created here")


def state_of(**dependencies: tuple[str, ...]) -> StackState:
    """Return a state of resources with their dependencies."""
    state = StackState()
    for urn, needs in dependencies.items():
        state.keep(
            KeptResource(
                urn=urn, type="t", name=urn, region="r", id=urn, inputs={}, outputs={}, dependencies=tuple(needs)
            )
        )
    return state


def no_client(service: str, region: str) -> Any:
    """Return no boto3 client: these tests do not call AWS."""
    raise AssertionError(f"{service} in {region} was called")


def aws_error(code: str) -> ClientError:
    """Return an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "DeleteThing")


def test_dependents_are_deleted_first() -> None:
    """Each wave is as large as possible."""
    state = state_of(vpc=(), subnet=("vpc",), key=(), cluster=("subnet", "key"), alarm=("cluster",))
    waves = [sorted(each.urn for each in wave) for wave in deletion_waves(state.resources.values())]
    assert [["alarm"], ["cluster"], ["key", "subnet"], ["vpc"]] == waves


def test_circular_dependency_is_an_error() -> None:
    """The resources are named."""
    with pytest.raises(ValueError, match="circular dependencies: a, b"):
        deletion_waves(state_of(a=("b",), b=("a",)).resources.values())


@pytest.mark.parametrize("stack", ["dev"])
def test_program_is_deleted_in_awss_order(stack: str) -> None:
    """Instances go before clusters, the secondary before the primary, and keys and networks last."""
    state = run(stack).state
    order = {each.name: number for number, wave in enumerate(deletion_waves(state.resources.values())) for each in wave}
    chain = [
        "secondary-database-instance-2",
        "secondary-database-instance-1",
        "secondary-database-cluster",
        "primary-database-instance-2",
        "primary-database-instance-1",
        "primary-database-cluster",
        "global-cluster",
    ]
    assert chain == sorted(chain, key=lambda name: order[name])
    assert len(chain) == len({order[name] for name in chain})
    for end in ("primary", "secondary"):
        assert order[f"{end}-database-cluster"] < order[f"{end}-encryption-key"]
        assert order[f"{end}-database-cluster"] < order[f"{end}-network-vpc"]
        # Lambda needs the network permission to remove the network interfaces of the group.
        assert order[f"{end}-health-check-group"] < order[f"{end}-health-check-network-permission"]


def test_deletion_receives_the_whole_state() -> None:
    """As from the real engine."""
    kept = KeptResource(urn="u", type="t", name="n", region="r", id="i", inputs={"a": 1}, outputs={"b": 2})
    deletions = Deletions()
    destroy(StackState(resources={"u": kept}), no_client, handlers=deletions.handlers)
    assert deletions.states == [({"a": 1}, {"a": 1, "b": 2})]


def test_second_destroy_continues_after_a_failure() -> None:
    """A failure stops the destroy after its wave, and the remaining resources stay in the state."""
    state = state_of(vpc=(), group=("vpc",), alarm=())
    deletions = Deletions({"group": aws_error("DependencyViolation")})
    with pytest.raises(DestroyError, match="DependencyViolation") as raised:
        destroy(state, no_client, handlers=deletions.handlers)
    assert ("1 resources are deleted, 2 are left" in str(raised.value), {"vpc", "group"}) == (
        True,
        set(state.resources),
    )
    deletions.failing.clear()
    assert ["group", "vpc"] == [each.id for each in destroy(state, no_client, handlers=deletions.handlers).deleted]
    assert {} == state.resources


def test_missing_resource_counts_as_deleted() -> None:
    """A resource that was deleted outside of the stack counts as deleted."""
    state = state_of(a=())
    deletions = Deletions({"a": aws_error("ResourceNotFoundException")})
    assert [True] == [each.was_gone for each in destroy(state, no_client, handlers=deletions.handlers).deleted]


def test_type_without_delete_is_an_error() -> None:
    """The error names the resource."""
    with pytest.raises(DestroyError, match="a\n  t: the rehearsal can't delete this type"):
        destroy(state_of(a=()), no_client, handlers={})


def test_every_handler_can_delete() -> None:
    """No handler lacks its delete function."""
    assert [] == [type_ for type_, handler in HANDLERS.items() if handler.delete is None]


def test_production_stack_is_not_destroyed() -> None:
    """The error names all protected resources and the way to unprotect them."""
    state = run("prod").state
    before = dict(state.resources)
    with pytest.raises(DestroyRefusedError, match="No resource was deleted") as raised:
        destroy(state, no_client, handlers=IMAGINED)
    protected = [urn for urn, each in before.items() if each.protect]
    assert (len(protected) > 10, [], before) == (
        True,
        [urn for urn in protected if urn not in str(raised.value)],
        state.resources,
    )
    assert "pulumi state unprotect --all" in str(raised.value)


class Members:
    """An RDS API with one global cluster and its writer."""

    def __init__(self, writer: str) -> None:
        self.writer = writer

    def __call__(self, service: str, region: str) -> Any:
        """Return the client of a service."""
        return self

    def describe_global_clusters(self) -> dict[str, Any]:
        """Return the members."""
        members = [{"DBClusterArn": arn, "IsWriter": arn == self.writer} for arn in ("arn-one", "arn-two")]
        return {"GlobalClusters": [{"GlobalClusterMembers": members}]}


def two_members() -> StackState:
    """Return a state in which the cluster `two` is deleted before the cluster `one`."""
    state = StackState()
    for urn, needs in (("one", ()), ("two", ("one",))):
        state.keep(
            KeptResource(
                urn=urn,
                type=CLUSTER,
                name=urn,
                region=f"region-{urn}",
                id=urn,
                inputs={"globalClusterIdentifier": "g"},
                outputs={"arn": f"arn-{urn}"},
                dependencies=needs,
            )
        )
    return state


def test_writer_is_not_deleted_before_the_standby() -> None:
    """After a failover AWS would reject the deletion half-way."""
    deletions = Deletions()
    state = two_members()
    with pytest.raises(DestroyRefusedError, match="Switch back first") as raised:
        destroy(state, Members("arn-two"), handlers={CLUSTER: deletions.handlers["t"]})
    command = "`python -m operations switchover --to region-one --outputs FILE`"
    assert (command in str(raised.value), [], 2) == (True, deletions.ids, len(state.resources))


def test_standby_is_deleted_before_the_writer() -> None:
    """With the writer in the primary region, the destroy runs."""
    deletions = Deletions()
    destroy(two_members(), Members("arn-one"), handlers={CLUSTER: deletions.handlers["t"]})
    assert ["two", "one"] == deletions.ids
