"""Tests of the regional API with botocore's stub: requests, answers and errors."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, ReadTimeoutError
from botocore.stub import Stubber

from operations.aws.clients import Clients
from operations.aws.ports import RdsRoles, TableWrite
from operations.aws.region_api import AwsRegion
from operations.support.errors import AwsError, VersionConflictError
from tests.support.operations.fakes import DEPLOYMENT, EAST_REGION, ME, WEST_REGION

pytestmark = pytest.mark.slow

TABLE = "payments-failover-dev"
CHANGE = TableWrite(
    key=("switch", "current"),
    attributes={"armed": True, "version": 5},
    previous={"item": "switch", "sort": "current", "version": 4},
    audit_key=("history", "t#1"),
    audit_item={"at": "t"},
)


class Stubbed(AwsRegion):
    """The adapter of the standby region, with a stub on each of its clients."""

    def __init__(self) -> None:
        session = Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1")
        super().__init__(Clients(session), DEPLOYMENT.global_cluster_id, WEST_REGION)

    def stub(self, service: str) -> Stubber:
        """Return the stub of one client, in force."""
        stubber = Stubber(self._client(service))
        stubber.activate()
        return stubber

    def fails(self, service: str, error: Exception) -> None:
        """Let every call of a service fail before it is sent."""
        events: Any = self._client(service).meta.events

        def fail(**_: Any) -> None:
            raise error

        events.register("before-send", fail)


@pytest.fixture
def api() -> Iterator[Stubbed]:
    """The adapter of eu-west-1."""
    yield Stubbed()


def test_clients_use_the_region_with_bounded_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """STS is regional too: its global endpoint is in us-east-1, which may be the lost region."""
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    region: Any = AwsRegion(Clients(), DEPLOYMENT.global_cluster_id, EAST_REGION)
    for service in ("dynamodb", "rds", "lambda", "sts"):
        client = region._client(service)
        assert "us-east-1" in client.meta.endpoint_url
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (2, 3)
        assert client.meta.config.retries["total_max_attempts"] == (1 if service == "sts" else 2)


def test_read_items_is_one_consistent_batch_read(api: Stubbed) -> None:
    """A missing item is None."""
    stub = api.stub("dynamodb")
    keys = [{"item": {"S": "state"}, "sort": {"S": "current"}}, {"item": {"S": "switch"}, "sort": {"S": "current"}}]
    found = {"item": {"S": "switch"}, "sort": {"S": "current"}, "armed": {"BOOL": True}}
    stub.add_response(
        "batch_get_item",
        {"Responses": {TABLE: [found]}, "UnprocessedKeys": {}},
        {"RequestItems": {TABLE: {"Keys": keys, "ConsistentRead": True}}},
    )
    items = api.read_items([("state", "current"), ("switch", "current")])
    switch = {"item": "switch", "sort": "current", "armed": True}
    assert items == {("state", "current"): None, ("switch", "current"): switch}


def test_throttled_item_is_an_error(api: Stubbed) -> None:
    """An item that was not read must not count as missing."""
    left = {TABLE: {"Keys": [{"item": {"S": "state"}, "sort": {"S": "current"}}]}}
    api.stub("dynamodb").add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})
    with pytest.raises(AwsError, match="throttled"):
        api.read_items([("state", "current")])


def test_history_is_read_in_pages_up_to_the_limit(api: Stubbed) -> None:
    """Entries are newest first, and no page is larger than the remaining limit."""
    stub = api.stub("dynamodb")
    key = {"item": {"S": "history"}, "sort": {"S": "b"}}
    request = {
        "TableName": TABLE,
        "KeyConditionExpression": "#item = :history AND #sort >= :since",
        "ExpressionAttributeNames": {"#item": "item", "#sort": "sort"},
        "ExpressionAttributeValues": {":history": {"S": "history"}, ":since": {"S": "a"}},
        "ScanIndexForward": False,
        "ConsistentRead": True,
    }
    stub.add_response("query", {"Items": [{"sort": {"S": "c"}}], "LastEvaluatedKey": key}, {**request, "Limit": 2})
    stub.add_response("query", {"Items": [{"sort": {"S": "b"}}]}, {**request, "Limit": 1, "ExclusiveStartKey": key})
    assert api.read_history(2, "a") == [{"sort": "c"}, {"sort": "b"}]
    stub.assert_no_pending_responses()


def test_writer_is_unknown_without_exactly_one_member(api: Stubbed) -> None:
    """With no writer or two writers the role is unknown; an operation in progress is returned."""
    members = [
        {"DBClusterArn": "arn:e", "IsWriter": True},
        {"DBClusterArn": "arn:w", "IsWriter": False},
    ]
    stub = api.stub("rds")
    both = [{**member, "IsWriter": True} for member in members]
    for found in (
        {"GlobalClusterMembers": members},
        {"GlobalClusterMembers": both, "FailoverState": {"Status": "pending"}},
    ):
        stub.add_response("describe_global_clusters", {"GlobalClusters": [found]})
    stub.add_response("describe_global_clusters", {"GlobalClusters": []})
    assert api.read_roles() == RdsRoles(writer_arn="arn:e", operation=None)
    assert api.read_roles() == RdsRoles(writer_arn=None, operation="pending")
    assert api.read_roles() == RdsRoles(writer_arn=None, operation=None)


def test_policy_is_the_deployed_controller_environment(api: Stubbed) -> None:
    """The values are those of the deployed function, not of the local configuration."""
    api.stub("lambda").add_response(
        "get_function_configuration",
        {"Environment": {"Variables": {"MODE": "observe"}}},
        {"FunctionName": "payments-failover-controller-dev"},
    )
    assert api.read_environment() == {"MODE": "observe"}


def test_undecryptable_policy_is_an_error(api: Stubbed) -> None:
    """Lambda returns the reason in place of the variables."""
    error = {"ErrorCode": "AccessDeniedException", "Message": "no kms:Decrypt"}
    api.stub("lambda").add_response("get_function_configuration", {"Environment": {"Error": error}})
    with pytest.raises(AwsError, match="no kms:Decrypt"):
        api.read_environment()


def test_change_and_audit_entry_are_one_transaction(api: Stubbed) -> None:
    """The condition requires the version that was read, and the same item rather than a recreated one."""
    puts = [
        {
            "Put": {
                "TableName": TABLE,
                "Item": {
                    "item": {"S": "switch"},
                    "sort": {"S": "current"},
                    "armed": {"BOOL": True},
                    "version": {"N": "5"},
                },
                "ConditionExpression": (
                    "attribute_exists(#item) AND #version = :version AND attribute_not_exists(#change_id)"
                ),
                "ExpressionAttributeNames": {"#item": "item", "#version": "version", "#change_id": "change_id"},
                "ExpressionAttributeValues": {":version": {"N": "4"}},
            }
        },
        {
            "Put": {
                "TableName": TABLE,
                "Item": {"item": {"S": "history"}, "sort": {"S": "t#1"}, "at": {"S": "t"}},
            }
        },
    ]
    stub = api.stub("dynamodb")
    stub.add_response("transact_write_items", {}, {"TransactItems": puts})
    api.write(CHANGE)
    stub.assert_no_pending_responses()


def test_repeated_write_has_the_same_token(api: Stubbed) -> None:
    """botocore repeats a write without an answer, with the same client request token."""
    bodies: list[dict[str, Any]] = []

    def lose(request: Any, **_: Any) -> None:
        bodies.append(json.loads(request.body))
        raise ReadTimeoutError(endpoint_url="https://x")

    api._client("dynamodb").meta.events.register("before-send", lose)
    with pytest.raises(AwsError, match="did not respond"):
        api.write(CHANGE)
    first, second = bodies
    assert first["ClientRequestToken"] == second["ClientRequestToken"]


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        (["ConditionalCheckFailed", "None"], VersionConflictError),
        (["TransactionConflict", "None"], VersionConflictError),
        (["ThrottlingError", "None"], AwsError),
    ],
)
def test_only_a_concurrent_write_is_a_conflict(api: Stubbed, reasons: list[str], error: type[Exception]) -> None:
    """DynamoDB cancels transactions for other reasons too."""
    api.stub("dynamodb").add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": reason} for reason in reasons]},
    )
    with pytest.raises(error):
        api.write(CHANGE)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDeniedException", "Before you start"),
        ("ResourceNotFoundException", "Check that the outputs"),
        ("ExpiredTokenException", "Log in to AWS again."),
        ("InternalServerError", "try again"),
    ],
)
def test_aws_error_has_code_region_and_hint(api: Stubbed, code: str, hint: str) -> None:
    """The message names the table's region and the error code, and the hint is specific to the code."""
    api.stub("dynamodb").add_client_error("batch_get_item", code, "because")
    with pytest.raises(AwsError) as raised:
        api.read_items([("state", "current")])
    assert raised.value.message == f"table of eu-west-1: {code}: because"
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectTimeoutError(endpoint_url="https://x"), "did not respond"),
        (ReadTimeoutError(endpoint_url="https://x"), "did not respond"),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_timeout_and_missing_credentials_have_different_hints(api: Stubbed, error: Exception, said: str) -> None:
    """Each is an AwsError; only a timeout suggests --region."""
    api.fails("rds", error)
    with pytest.raises(AwsError) as raised:
        api.read_roles()
    assert said in raised.value.message
    assert ("--region" in raised.value.hint) == (said == "did not respond")


def test_caller_arn_is_truncated(api: Stubbed) -> None:
    """The ARN is stored in items, so it has at most 256 characters."""
    api.stub("sts").add_response("get_caller_identity", {"Arn": ME + "x" * 300})
    caller = api.caller()
    assert caller.startswith(ME)
    assert len(caller) == 256


def test_caller_is_the_access_key_when_sts_is_unreachable(api: Stubbed) -> None:
    """Disarming must not wait for STS; an error from STS is still raised."""
    api.fails("sts", ReadTimeoutError(endpoint_url="https://x"))
    assert api.caller() == "access key AKIDEXAMPLE; STS did not respond"


def test_credentials_refused_by_sts_are_an_error(api: Stubbed) -> None:
    """No item is written with an identity that AWS does not know."""
    api.stub("sts").add_client_error("get_caller_identity", "ExpiredToken", "old")
    with pytest.raises(AwsError, match="ExpiredToken"):
        api.caller()
