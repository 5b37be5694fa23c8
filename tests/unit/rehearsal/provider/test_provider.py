"""The provider's semantics: tags, differences, and what a refresh does to the inputs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.output import Unknown

from rehearsal.provider.provider import Provider, ReadBackError
from rehearsal.provider.resources.convert import tag_list
from rehearsal.provider.resources.handler import Created, GoneError, Handler, HandlerError, Request, own, sent

TYPE = "aws:test/thing:Thing"


def provider(read: Any = None, retag: Any = None, *, updates: bool = True) -> Provider:
    """Return a provider with one type; `read` returns AWS's description or raises, and `retag` changes tags."""

    def described(request: Request) -> Created:
        request.changed_parameters()
        return Created(id=request.id, outputs={"arn": "new"}, held=read())

    thing = Handler(
        create=described,
        read=described if read else None,
        update=(lambda request: described(request)) if updates else None,
        delete=(lambda _request: read()) if read else None,
        retag=retag,
        properties={
            "name": sent("Name"),
            "size": sent("Size"),
            "endpoint": own(held="Endpoint"),
            "code": own(),
            "tags": sent("Tags", convert=tag_list),
        },
    )
    return Provider(
        region="us-east-1",
        clients=lambda service, region: pytest.fail(f"{service} in {region}"),
        program_directory=Path(),
        default_tags={"Team": "a", "Stage": "dev"},
        handlers={TYPE: thing},
        create_only=lambda _type: ("name",),
    )


def test_check_merges_the_default_tags_under_the_own_ones() -> None:
    """`tags` stays as the program gives it."""
    inputs, failures = provider().check(TYPE, {"tags": {"Team": "b"}, "tagsAll": {"old": "x"}})
    assert ({"tags": {"Team": "b"}, "tagsAll": {"Team": "b", "Stage": "dev"}}, []) == (inputs, failures)


def test_check_refuses_an_unknown_property() -> None:
    """No property is dropped silently."""
    assert [name for name, _ in provider().check(TYPE, {"size": 1, "siez": 2})[1]] == ["siez"]


def test_check_refuses_an_unknown_type() -> None:
    """The failure belongs to the resource, not to a property."""
    assert [name for name, _ in provider().check("aws:other/thing:Thing", {})[1]] == [""]


def test_diff_treats_an_unknown_value_as_changed() -> None:
    """Its value may be the old one, but the engine must not rely on it."""
    found = provider().diff(TYPE, {"size": 1, "tags": {"a": "b"}}, {"size": 1, "tags": {"a": Unknown()}})
    assert (("tags",), ()) == (found.properties, found.forced_by)


def test_diff_leaves_ignored_properties_out() -> None:
    """`ignore_changes` of the program."""
    assert provider().diff(TYPE, {"size": 1}, {"size": 2}, ["size"]).properties == ()


def test_changed_name_replaces_and_deletes_first() -> None:
    """A given name is free only after the deletion."""
    found = provider().diff(TYPE, {"name": "a", "size": 1}, {"name": "b", "size": 2})
    assert (("name", "size"), ("name",), True) == (found.properties, found.forced_by, found.delete_first)


def test_refresh_updates_and_drops_inputs_and_adds_none() -> None:
    """The bridge takes AWS's value, drops what AWS does not report, and never adds an input."""
    described = {"Size": 2, "Name": "n", "Endpoint": None, "Port": 3306, "Tags": tag_list({"Team": "a", "Stage": "x"})}
    inputs = {
        "size": 1,
        "endpoint": "e",
        "code": "c",
        "tags": {"Stage": "dev"},
        "tagsAll": {"Team": "a", "Stage": "dev"},
    }
    read = provider(lambda: described).read(TYPE, id="i", inputs=inputs, outputs={**inputs, "arn": "old", "other": 1})
    assert read is not None
    assert read.inputs == {"size": 2, "code": "c", "tags": {"Stage": "x"}, "tagsAll": {"Team": "a", "Stage": "x"}}
    assert read.outputs == {"arn": "new", "other": 1}


def changed_tags(after: dict[str, str], described: dict[str, str]) -> list[Any]:
    """Change the tags {"a": "1", "b": "1"} of a resource whose size AWS has changed; return what reaches the handler."""
    calls: list[Any] = []
    before = {"tags": {"a": "1", "b": "1"}, "tagsAll": {"a": "1", "b": "1"}}
    changing = provider(
        lambda: {"Size": 2, "Tags": tag_list(described)},
        lambda request, changed, removed: calls.append((request.id, changed, removed)),
    )
    inputs = {"size": 1, "tags": after, "tagsAll": after}
    changing.update("urn", TYPE, "t", id="i", inputs=inputs, outputs={**before, "size": 1}, changed=("tags", "tagsAll"))
    return calls


def test_changed_tags_are_set_and_missing_ones_removed() -> None:
    """The rest of the resource is left to the next refresh."""
    after = {"a": "1", "b": "2", "c": "3"}
    assert changed_tags(after, after) == [("i", {"b": "2", "c": "3"}, [])]
    assert changed_tags({"a": "1"}, {"a": "1"}) == [("i", {}, ["b"])]


def test_tags_that_aws_does_not_return_are_an_error() -> None:
    """A handler that does nothing is noticed."""
    with pytest.raises(ReadBackError, match="Tags reads back as"):
        changed_tags({"a": "2"}, {"a": "1", "b": "1"})


def test_update_compares_the_changed_inputs_only() -> None:
    """AWS may describe the others differently, for example after a failover: only a refresh reads them."""
    inputs = {"name": "n", "size": 2}
    changing = provider(lambda: {"Name": "changed by AWS", "Size": 2})
    changing.update("urn", TYPE, "t", id="i", inputs=inputs, outputs={**inputs, "size": 1}, changed=("size",))
    with pytest.raises(ReadBackError, match="Size reads back as"):
        changing.update("urn", TYPE, "t", id="i", inputs={"size": 3}, outputs={}, changed=("size",))


def test_change_without_an_update_is_an_error() -> None:
    """The error names the property."""
    with pytest.raises(HandlerError, match="in-place update is not supported") as caught:
        provider(updates=False).update(
            "urn", TYPE, "t", id="i", inputs={"size": 2}, outputs={"size": 1}, changed=("size",)
        )
    assert caught.value.property == "size"


def not_found() -> Any:
    """Raise AWS's error for a resource that does not exist."""
    raise ClientError({"Error": {"Code": "DBClusterNotFoundFault"}}, "DescribeDBClusters")


def gone() -> Any:
    """Raise the handler's error for an empty description."""
    raise GoneError


@pytest.mark.parametrize("missing", [not_found, gone])
def test_refresh_of_a_resource_that_is_gone(missing: Any) -> None:
    """The engine removes the resource from the state."""
    assert provider(missing).read(TYPE, id="i", inputs={}, outputs={}) is None


@pytest.mark.parametrize(("deletion", "existed"), [(not_found, False), (gone, False), (lambda: None, True)])
def test_deletion_says_whether_aws_had_the_resource(deletion: Any, existed: bool) -> None:
    """A resource that is gone already is no error."""
    assert provider(deletion).delete(TYPE, id="i", inputs={}, outputs={}) is existed


class EmptyZone:
    """A zone of Route 53 without records."""

    def get_paginator(self, _operation: str) -> Any:
        """Return a paginator of one empty page."""
        return SimpleNamespace(paginate=lambda **_: [{"ResourceRecordSets": []}])


def test_missing_record_is_gone() -> None:
    """Route 53 lists the records of a zone, and has no error for one that is missing."""
    real = Provider(region="us-east-1", clients=lambda _service, _region: EmptyZone(), program_directory=Path())
    inputs, record = {"zoneId": "Z", "type": "CNAME"}, "aws:route53/record:Record"
    assert real.delete(record, id="Z_a_CNAME", inputs=inputs, outputs={**inputs, "fqdn": "a"}) is False


def test_refresh_passes_other_errors_on() -> None:
    """A refresh without permission must not empty the state."""

    def denied() -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeDBClusters")

    with pytest.raises(ClientError, match="AccessDenied"):
        provider(denied).read(TYPE, id="i", inputs={}, outputs={})


class Rds:
    """The descriptions of a cluster in a global cluster."""

    def __init__(self, writer: str, database: str | None, *, retention_days: int = 7) -> None:
        self.writer, self.database, self.retention_days = writer, database, retention_days
        self.modified: dict[str, Any] = {}

    def describe_db_clusters(self, **_: Any) -> Any:
        """Return the cluster."""
        described = {
            **{name: "x" for name in ("DbClusterResourceId", "Endpoint", "ReaderEndpoint", "Port", "HostedZoneId")},
            **{"DBClusterArn": "east", "EngineVersion": "8", "AvailabilityZones": [], "VpcSecurityGroups": []},
            **{"MasterUsername": "u", "DatabaseName": self.database, "DBClusterMembers": []},
            "BackupRetentionPeriod": self.retention_days,
        }
        return {"DBClusters": [described]}

    def describe_global_clusters(self) -> Any:
        """Return the global cluster with two members."""
        members = [{"DBClusterArn": each, "IsWriter": each == self.writer} for each in ("east", "west")]
        return {"GlobalClusters": [{"GlobalClusterIdentifier": "g", "GlobalClusterMembers": members}]}

    def list_tags_for_resource(self, **_: Any) -> Any:
        """Return no tags."""
        return {"TagList": []}

    def modify_db_cluster(self, **parameters: Any) -> None:
        """Keep the parameters."""
        self.modified = parameters

    def get_waiter(self, _name: str) -> Any:
        """Return a waiter that does not wait."""
        return SimpleNamespace(wait=lambda **_: None)


CLUSTER = "aws:rds/cluster:Cluster"
INPUTS = {"globalClusterIdentifier": "g", "masterUsername": "u", "databaseName": "d", "engineVersion": "7"}


def real_provider(rds: Rds) -> Provider:
    """Return a provider with the real handlers."""
    return Provider(region="us-east-1", clients=lambda _service, _region: rds, program_directory=Path())


def cluster_after(rds: Rds, *, was_standby: bool = False) -> Any:
    """Refresh a cluster."""
    outputs = {"endpoint": "", "replicationSourceIdentifier": "west"} if was_standby else {}
    return real_provider(rds).read(CLUSTER, id="c", inputs=INPUTS, outputs=outputs)


@pytest.mark.parametrize("at_once", [True, False])
def test_demoted_writer_changes_without_a_refresh(at_once: bool) -> None:
    """The state still has the writer's user and the old version. `applyImmediately` is the program's."""
    rds = Rds("west", None, retention_days=9)
    inputs = {**INPUTS, "applyImmediately": at_once, "backupRetentionPeriod": 9}
    outputs = {**inputs, "backupRetentionPeriod": 7}
    changed = ("backupRetentionPeriod",)
    real_provider(rds).update("urn", CLUSTER, "c", id="c", inputs=inputs, outputs=outputs, changed=changed)
    assert rds.modified == {"DBClusterIdentifier": "c", "ApplyImmediately": at_once, "BackupRetentionPeriod": 9}


def test_standby_has_no_master_user_and_no_endpoint() -> None:
    """It keeps its database name although AWS returns none."""
    read = cluster_after(Rds("west", None))
    assert read.inputs == {"globalClusterIdentifier": "g", "databaseName": "d", "engineVersion": "8"}
    assert ("", "west") == (read.outputs["endpoint"], read.outputs["replicationSourceIdentifier"])


def test_writer_keeps_its_inputs() -> None:
    """A writer has an endpoint and an empty replication source, also after it was a standby."""
    read = cluster_after(Rds("east", "d"), was_standby=True)
    assert read.inputs == {**INPUTS, "engineVersion": "8"}
    assert ("x", "") == (read.outputs["endpoint"], read.outputs["replicationSourceIdentifier"])
