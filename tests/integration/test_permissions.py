"""Tests of permission enforcement, the log of permission checks, and IAM's part in a failover."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.api_proxy import ApiProxy
from rehearsal.cloud.ministack import Emulator
from rehearsal.cloud.permission_log import FAILOVER, PermissionCheck
from rehearsal.network.network import EmulatedNetwork
from rehearsal.support.clients import ACCOUNT_ID, BotoClients
from tests.support.waiting import wait_until

EAST, WEST = "us-east-1", "eu-west-1"
GLOBAL = f"arn:aws:rds::{ACCOUNT_ID}:global-cluster:payments"
ENGINE = {"Engine": "aurora-mysql", "EngineVersion": "8.0.mysql_aurora.3.10.0"}


def cluster_arn(region: str, name: str) -> str:
    """Return the ARN of a cluster."""
    return f"arn:aws:rds:{region}:{ACCOUNT_ID}:cluster:{name}"


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account with enforced permissions."""

    emulator: Emulator
    control_plane: ApiProxy
    clients: BotoClients

    def client_of_role(self, name: str, *statements: dict[str, Any], service: str) -> Any:
        """Create and assume a role with these statements; return a client in the standby's region."""
        iam = self.clients("iam", WEST)
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_document(*statements))
        taken = self.clients("sts", WEST).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        session = boto3.session.Session(
            aws_access_key_id=taken["AccessKeyId"],
            aws_secret_access_key=taken["SecretAccessKey"],
            aws_session_token=taken["SessionToken"],
        )
        make: Callable[..., Any] = session.client
        return make(service, region_name=WEST, endpoint_url=self.control_plane.url)

    def logged(self, role: str) -> list[PermissionCheck]:
        """Return the logged checks of a role."""
        return [check for check in self.emulator.permission_checks() if check.role == role]


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str, resources: Sequence[str]) -> dict[str, Any]:
    """Return an Allow statement."""
    return {"Effect": "Allow", "Action": action, "Resource": list(resources)}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Create an account with a global database in both regions."""
    with (
        EmulatedNetwork(
            regions=(EAST, WEST),
            names_file=tmp_path_factory.mktemp("network") / "names.json",
            start_listener=_no_listener,
        ) as network,
        ApiProxy(network=network, operation_seconds=0.1) as control_plane,
        Emulator(enforce_permissions=True) as emulator,
    ):
        control_plane.upstream = emulator.url
        network.attach(control_plane)
        clients = BotoClients(control_plane.url)
        clients("rds", EAST).create_global_cluster(GlobalClusterIdentifier="payments", StorageEncrypted=True, **ENGINE)
        master = {"MasterUsername": "admin", "MasterUserPassword": "0123456789"}
        standby = {"KmsKeyId": "key", "SourceRegion": EAST}
        for region, name, own in ((EAST, "east", master), (WEST, "west", standby)):
            rds = clients("rds", region)
            rds.create_db_cluster(
                DBClusterIdentifier=name, GlobalClusterIdentifier="payments", StorageEncrypted=True, **ENGINE, **own
            )
            rds.create_db_instance(
                DBInstanceIdentifier=f"{name}-1",
                DBClusterIdentifier=name,
                Engine="aurora-mysql",
                DBInstanceClass="db.r6g.large",
            )
        yield Account(emulator=emulator, control_plane=control_plane, clients=clients)
        clients.close()


class _Listener:
    """A listener without a port."""

    host, port = "127.0.0.1", 1

    def set_fault(self, _fault: object) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _no_listener(*_arguments: object, **_named: object) -> Any:
    return _Listener()


def _fail_over(rds: Any) -> None:
    rds.failover_global_cluster(
        GlobalClusterIdentifier="payments", TargetDbClusterIdentifier=cluster_arn(WEST, "west"), AllowDataLoss=True
    )


@pytest.mark.parametrize("missing", ["global", "east", "west"])
def test_failover_without_permission_on_one_resource_is_denied(account: Account, missing: str) -> None:
    """A failover needs the global cluster and both members; a denied call is logged and starts no operation."""
    resources = {"global": GLOBAL, "east": cluster_arn(EAST, "east"), "west": cluster_arn(WEST, "west")}
    allowed = [resource for name, resource in resources.items() if name != missing]
    role = f"without-{missing}"
    with pytest.raises(ClientError) as refused:
        _fail_over(account.client_of_role(role, allow(FAILOVER, allowed), service="rds"))
    assert ("AccessDenied", 403) == (
        refused.value.response["Error"]["Code"],
        refused.value.response["ResponseMetadata"]["HTTPStatusCode"],
    )
    assert resources[missing] in refused.value.response["Error"]["Message"]
    call = account.control_plane.calls[-1]
    assert (False, "AccessDenied", []) == (call.accepted, call.error, account.control_plane.operations)
    assert {resource: resource != resources[missing] for resource in resources.values()} == {
        check.resource: check.is_allowed for check in account.logged(role)
    }


def test_allowed_failover_runs_once_and_is_logged(account: Account) -> None:
    """The permission checks themselves start no operation."""
    resources = [GLOBAL, cluster_arn(EAST, "east"), cluster_arn(WEST, "west")]
    _fail_over(account.client_of_role("complete", allow(FAILOVER, resources), service="rds"))
    assert wait_until(lambda: account.control_plane.is_idle)
    assert [(False, None)] == [(one.cancelled, one.error) for one in account.control_plane.operations]
    assert WEST == account.control_plane.writer_region("payments")
    assert {(FAILOVER, resource, True, True) for resource in resources} == {
        (check.action, check.resource, check.by_role, check.is_allowed) for check in account.logged("complete")
    }


@pytest.mark.parametrize(
    ("role", "role_allows", "names_role", "logged"),
    [
        ("by-role", True, False, (True, True)),
        ("by-topic", False, True, (False, True)),
        ("by-none", False, False, (False, False)),
    ],
)
def test_resource_policy_counts_in_one_logged_check(
    account: Account, role: str, role_allows: bool, names_role: bool, logged: tuple[bool, bool]
) -> None:
    """A topic policy without the role does not deny what the role allows."""
    topics = account.clients("sns", WEST)
    topic = topics.create_topic(Name=role)["TopicArn"]
    statements = [allow("sns:Publish", [topic])] if role_allows else []
    client = account.client_of_role(role, *statements, service="sns")
    principal = (
        {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:role/{role}"} if names_role else {"Service": "cloudwatch.amazonaws.com"}
    )
    own = {"Effect": "Allow", "Principal": principal, "Action": "sns:Publish", "Resource": topic}
    topics.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=_document(own))
    if any(logged):
        client.publish(TopicArn=topic, Message="m")
    else:
        with pytest.raises(ClientError, match="not authorized"):
            client.publish(TopicArn=topic, Message="m")
    assert [("sns:Publish", topic, *logged)] == [
        (check.action, check.resource, check.by_role, check.is_allowed) for check in account.logged(role)
    ]


def test_owner_and_unknown_keys_are_not_logged(account: Account, tmp_path: Path) -> None:
    """The account's owner needs no permission, and an unknown key is rejected before IAM's check."""
    before = account.emulator.permission_checks()
    account.clients("sns", WEST).list_topics()
    stranger: Any = boto3.session.Session(aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="x")
    with pytest.raises(ClientError):
        stranger.client("sns", region_name=WEST, endpoint_url=account.control_plane.url).list_topics()
    assert before == account.emulator.permission_checks()
