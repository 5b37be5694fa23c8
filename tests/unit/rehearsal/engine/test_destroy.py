"""A destroy goes backwards, refuses before it begins, and can be tried again."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine.destroy import DestroyError, DestroyRefusedError, deletion_waves, destroy
from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.resources.handler import Created, DeleteRequest, Handler
from rehearsal.provider.resources.registry import HANDLERS
from tests.support.rehearsal.imagined import IMAGINED, run

CLUSTER = "aws:rds/cluster:Cluster"


class Deletions:
    """Handlers that remember what was deleted; `failing` gives what goes wrong by resource id."""

    def __init__(self, failing: dict[str, Exception] | None = None) -> None:
        self.failing = failing or {}
        self.ids: list[str] = []
        self.handlers = {"t": Handler(create=self._create, delete=self.delete, properties={})}

    def delete(self, request: DeleteRequest) -> None:
        """Remember a deletion, or fail."""
        if request.id in self.failing:
            raise self.failing[request.id]
        self.ids.append(request.id)

    @staticmethod
    def _create(_request: Any) -> Created:
        raise AssertionError("nothing is created here")


def state_of(**dependencies: tuple[str, ...]) -> StackState:
    """Return a state of resources, each with what it depends on."""
    state = StackState()
    for urn, needs in dependencies.items():
        state.keep(
            KeptResource(
                urn=urn, type="t", name=urn, region="r", id=urn, inputs={}, outputs={}, dependencies=tuple(needs)
            )
        )
    return state


def nobody(service: str, region: str) -> Any:
    """Stand for boto3: nothing is asked."""
    raise AssertionError(f"{service} in {region} was called")


def aws_error(code: str) -> ClientError:
    """Return an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "DeleteThing")


def test_whatever_depends_goes_first() -> None:
    """In waves, each as large as it can be."""
    state = state_of(vpc=(), subnet=("vpc",), key=(), cluster=("subnet", "key"), alarm=("cluster",))
    waves = [sorted(each.urn for each in wave) for wave in deletion_waves(state.resources.values())]
    assert [["alarm"], ["cluster"], ["key", "subnet"], ["vpc"]] == waves


def test_a_circle_is_an_error() -> None:
    """It would never end."""
    with pytest.raises(ValueError, match="circular dependencies: a, b"):
        deletion_waves(state_of(a=("b",), b=("a",)).resources.values())


@pytest.mark.parametrize("stack", ["dev"])
def test_the_program_goes_in_the_order_that_aws_demands(stack: str) -> None:
    """The secondary's instances, then its cluster, then the primary's, then the global cluster, then key and network."""
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
        # The network permission outlives the function's group: Lambda removes its interfaces by it.
        assert order[f"{end}-health-check-group"] < order[f"{end}-health-check-network-permission"]


def test_what_is_deleted_leaves_the_state() -> None:
    """A failure stops after its wave: what it needed stays, a second try goes on from there."""
    state = state_of(vpc=(), group=("vpc",), alarm=())
    deletions = Deletions({"group": aws_error("DependencyViolation")})
    with pytest.raises(DestroyError, match="DependencyViolation") as raised:
        destroy(state, nobody, handlers=deletions.handlers)
    assert ("1 resources are deleted, 2 are left" in str(raised.value), {"vpc", "group"}) == (
        True,
        set(state.resources),
    )
    deletions.failing.clear()
    assert ["group", "vpc"] == [each.id for each in destroy(state, nobody, handlers=deletions.handlers).deleted]
    assert {} == state.resources


def test_what_is_gone_already_counts_as_deleted() -> None:
    """Somebody deleted it by hand."""
    state = state_of(a=())
    deletions = Deletions({"a": aws_error("ResourceNotFoundException")})
    assert [True] == [each.was_gone for each in destroy(state, nobody, handlers=deletions.handlers).deleted]


def test_a_type_that_can_not_be_deleted_is_named() -> None:
    """It is never left behind in silence."""
    with pytest.raises(DestroyError, match="a\n  t: the rehearsal can't delete this type"):
        destroy(state_of(a=()), nobody, handlers={})


def test_every_type_can_be_deleted() -> None:
    """No handler of the rehearsal lacks its deletion."""
    assert [] == [type_ for type_, handler in HANDLERS.items() if handler.delete is None]


def test_production_is_not_destroyed() -> None:
    """All that is protected is named with the way to do it on purpose, and nothing is deleted."""
    state = run("prod").state
    before = dict(state.resources)
    with pytest.raises(DestroyRefusedError, match="Nothing was deleted") as raised:
        destroy(state, nobody, handlers=IMAGINED)
    protected = [urn for urn, each in before.items() if each.protect]
    assert (len(protected) > 10, [], before) == (
        True,
        [urn for urn in protected if urn not in str(raised.value)],
        state.resources,
    )
    assert "pulumi state unprotect --all" in str(raised.value)


class Members:
    """An RDS API that knows one global cluster, with a writer."""

    def __init__(self, writer: str) -> None:
        self.writer = writer

    def __call__(self, service: str, region: str) -> Any:
        """Return the client of a service."""
        return self

    def describe_global_clusters(self) -> dict[str, Any]:
        """Describe the members."""
        members = [{"DBClusterArn": arn, "IsWriter": arn == self.writer} for arn in ("arn-one", "arn-two")]
        return {"GlobalClusters": [{"GlobalClusterMembers": members}]}


def two_members() -> StackState:
    """Return a state in which the cluster `two` goes before the cluster `one`."""
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


def test_the_writer_is_not_deleted_before_the_other_member() -> None:
    """After a failover AWS would refuse half-way; here it is refused before anything is deleted, with the way home."""
    deletions = Deletions()
    state = two_members()
    with pytest.raises(DestroyRefusedError, match="Switch back first") as raised:
        destroy(state, Members("arn-two"), handlers={CLUSTER: deletions.handlers["t"]})
    assert ("region-one" in str(raised.value), [], 2) == (True, deletions.ids, len(state.resources))


def test_at_home_the_standby_goes_first() -> None:
    """With the writer at home nothing is refused."""
    deletions = Deletions()
    destroy(two_members(), Members("arn-one"), handlers={CLUSTER: deletions.handlers["t"]})
    assert ["two", "one"] == deletions.ids
