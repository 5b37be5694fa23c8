"""The adapter against botocore's own stub: what it asks, and what AWS's errors become."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, ReadTimeoutError
from botocore.stub import Stubber

from operations.aws.ports import RdsRoles, TableWrite
from operations.aws.region_api import AwsRegion, connect_to
from operations.support.errors import AwsError, VersionConflictError
from tests.support.operations.fakes import DEPLOYMENT, EAST_REGION, ME, WEST_REGION

TABLE = "payments-failover-dev"
CHANGE = TableWrite(
    key=("switch", "current"),
    attributes={"armed": True, "version": 5},
    over={"item": "switch", "sort": "current", "version": 4},
    audit_key=("history", "t#1"),
    audit_item={"at": "t"},
)


class Stubbed(AwsRegion):
    """The adapter of the standby region, with a stub on each of its clients."""

    def __init__(self) -> None:
        session = Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1")
        super().__init__(session, threading.Lock(), DEPLOYMENT.global_cluster_id, WEST_REGION)

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


def test_every_client_is_of_the_region_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """STS too: a global endpoint would be in us-east-1, which may be the one that is lost."""
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    region: Any = connect_to(DEPLOYMENT)(EAST_REGION)
    for service in ("dynamodb", "rds", "lambda", "sts"):
        client = region._client(service)
        assert "us-east-1" in client.meta.endpoint_url
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (2, 3)
        assert client.meta.config.retries["total_max_attempts"] == (1 if service == "sts" else 2)


def test_reads_all_items_at_once_and_consistently(api: Stubbed) -> None:
    """An absent one is None."""
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


def test_a_throttled_item_is_an_error_not_an_absent_one(api: Stubbed) -> None:
    """What was not read is not taken for missing."""
    left = {TABLE: {"Keys": [{"item": {"S": "state"}, "sort": {"S": "current"}}]}}
    api.stub("dynamodb").add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})
    with pytest.raises(AwsError, match="throttled"):
        api.read_items([("state", "current")])


def test_history_is_read_in_pages_until_there_is_enough(api: Stubbed) -> None:
    """Newest first, no page larger than what is still wanted."""
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


def test_the_writer_is_the_only_member_that_is_one(api: Stubbed) -> None:
    """None, or two, is unknown; an operation under way is named."""
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


def test_the_policy_is_the_controller_s_environment(api: Stubbed) -> None:
    """As it is deployed, not as it is configured here."""
    api.stub("lambda").add_response(
        "get_function_configuration",
        {"Environment": {"Variables": {"MODE": "observe"}}},
        {"FunctionName": "payments-failover-controller-dev"},
    )
    assert api.read_policy() == {"MODE": "observe"}


def test_a_policy_that_may_not_be_decrypted_is_an_error_not_an_empty_one(api: Stubbed) -> None:
    """Lambda answers with the reason in place of the variables."""
    error = {"ErrorCode": "AccessDeniedException", "Message": "no kms:Decrypt"}
    api.stub("lambda").add_response("get_function_configuration", {"Environment": {"Error": error}})
    with pytest.raises(AwsError, match="no kms:Decrypt"):
        api.read_policy()


def test_a_change_and_its_trace_are_one_transaction(api: Stubbed) -> None:
    """The condition covers exactly what was read: the version, and that the item was not created again."""
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


def test_a_repeated_write_is_harmless(api: Stubbed) -> None:
    """botocore repeats a write that got no answer, both times with the same token."""
    bodies: list[dict[str, Any]] = []

    def lose(request: Any, **_: Any) -> None:
        bodies.append(json.loads(request.body))
        raise ReadTimeoutError(endpoint_url="https://x")

    api._client("dynamodb").meta.events.register("before-send", lose)
    with pytest.raises(AwsError, match="no answer"):
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
def test_only_another_s_write_is_a_conflict(api: Stubbed, reasons: list[str], error: type[Exception]) -> None:
    """A transaction is cancelled for other reasons too."""
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
def test_an_error_of_aws_names_its_code_its_region_and_a_hint(api: Stubbed, code: str, hint: str) -> None:
    """The text says where, what, and what to do."""
    api.stub("dynamodb").add_client_error("batch_get_item", code, "because")
    with pytest.raises(AwsError) as raised:
        api.read_items([("state", "current")])
    assert raised.value.message == f"table of eu-west-1: {code}: because"
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectTimeoutError(endpoint_url="https://x"), "no answer"),
        (ReadTimeoutError(endpoint_url="https://x"), "no answer"),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_silence_and_a_missing_login_are_told_apart(api: Stubbed, error: Exception, said: str) -> None:
    """Both are AwsErrors, with different hints."""
    api.fails("rds", error)
    with pytest.raises(AwsError) as raised:
        api.read_roles()
    assert said in raised.value.message
    assert ("--region" in raised.value.hint) == (said == "no answer")


def test_the_caller_is_an_arn_of_bounded_length(api: Stubbed) -> None:
    """It goes into items."""
    api.stub("sts").add_response("get_caller_identity", {"Arn": ME + "x" * 300})
    caller = api.caller()
    assert caller.startswith(ME)
    assert len(caller) == 256


def test_without_sts_the_access_key_says_who(api: Stubbed) -> None:
    """Disarming must not wait for STS; a refusal by STS is another thing."""
    api.fails("sts", ReadTimeoutError(endpoint_url="https://x"))
    assert api.caller() == "access key AKIDEXAMPLE; STS gave no answer"


def test_credentials_that_sts_refuses_are_nobody(api: Stubbed) -> None:
    """Nothing is written under a name that AWS does not know."""
    api.stub("sts").add_client_error("get_caller_identity", "ExpiredToken", "old")
    with pytest.raises(AwsError, match="ExpiredToken"):
        api.caller()
