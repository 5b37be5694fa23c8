"""Tests of the API of the read-only commands with botocore's stub."""

import io
import json
from typing import Any

import botocore.session
import pytest
from boto3.session import Session
from botocore import xform_name
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from operations.aws.clients import Clients
from operations.aws.read_api import NOT_THERE, AwsReadApi
from operations.aws.read_ports import READ_OPERATIONS
from operations.support.errors import AwsError, NotThereError, UsageProblemError
from tests.support.operations.fakes import WEST

pytestmark = pytest.mark.slow


class Stubbed(AwsReadApi):
    """The adapter of the standby region, with a stub on each of its clients."""

    def __init__(self) -> None:
        session = Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1")
        super().__init__(Clients(session), WEST)

    def stub(self, service: str) -> Stubber:
        """Return the stub of one client, in force."""
        stubber = Stubber(self._client(service))
        stubber.activate()
        return stubber


@pytest.fixture
def api() -> Stubbed:
    """The adapter of eu-west-1."""
    return Stubbed()


def test_clients_use_the_region_with_bounded_timeouts() -> None:
    """Each request goes to its own region; a Lambda call outlasts the function's timeout of 5 s."""
    found: Any = AwsReadApi(Clients(), WEST)
    for service in ("rds", "lambda", "sts"):
        config = found._client(service).meta.config
        assert WEST in found._client(service).meta.endpoint_url
        assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (2, 6, 2)


def test_all_pages_are_read(api: Stubbed) -> None:
    """The result has the items of the second page too."""
    stub = api.stub("rds")
    stub.add_response("describe_db_clusters", {"DBClusters": [{"DBClusterIdentifier": "a"}], "Marker": "m"}, {})
    stub.add_response("describe_db_clusters", {"DBClusters": [{"DBClusterIdentifier": "b"}]}, {"Marker": "m"})
    found = api.read_all("rds", "describe_db_clusters", "DBClusters")
    assert [each["DBClusterIdentifier"] for each in found] == ["a", "b"]


def test_invoke_payload_is_parsed(api: Stubbed) -> None:
    """A payload that is not JSON stays a string; a failed function may return anything."""
    stub = api.stub("lambda")
    for said in (b'{"region": "eu-west-1"}', b"<html>"):
        stub.add_response("invoke", {"StatusCode": 200, "Payload": io.BytesIO(said)}, {"FunctionName": "f"})
    answers = [api.read("lambda", "invoke", FunctionName="f")["Payload"] for _ in range(2)]
    assert answers == [{"region": "eu-west-1"}, "<html>"]


def test_secret_value_is_not_returned(api: Stubbed) -> None:
    """The answer reports only that the secret has a value."""
    stub = api.stub("secretsmanager")
    secret = {"SecretString": "correct-horse", "VersionId": "v" * 32, "Name": "n"}
    stub.add_response("get_secret_value", secret, {"SecretId": "s"})
    answer = api.read("secretsmanager", "get_secret_value", SecretId="s")
    assert answer == {"VersionId": "v" * 32, "IsReadable": True}
    assert "correct-horse" not in json.dumps(answer)


def test_unlisted_error_has_the_hint_of_a_read(api: Stubbed) -> None:
    """Before `pulumi up` no status exists, so the hint does not refer to it."""
    api.stub("iam").add_client_error("get_account_summary", "ServiceFailure", "internal")
    with pytest.raises(AwsError) as raised:
        api.read("iam", "get_account_summary")
    assert (raised.value.message, raised.value.hint) == (
        "iam of eu-west-1, get_account_summary: ServiceFailure: internal",
        "No changes were made. Try again, or use the AWS console.",
    )


def test_operation_that_is_not_read_only_is_refused(api: Stubbed) -> None:
    """READ_OPERATIONS has only read-only operations, the probe and the policy simulation."""
    with pytest.raises(UsageProblemError, match=r"rds\.delete_db_cluster is not a read-only operation"):
        api.read("rds", "delete_db_cluster", DBClusterIdentifier="a")
    with pytest.raises(UsageProblemError):
        api.read_all("rds", "delete_db_cluster", "DBCluster")
    others = {name for _, name in READ_OPERATIONS if not name.startswith(("describe_", "get_", "list_"))}
    assert others == {"invoke", "simulate_principal_policy"}


def test_missing_resource_differs_from_a_denied_read(api: Stubbed) -> None:
    """NotThereError states that the resource does not exist; AccessDenied leaves it unknown."""
    stub = api.stub("rds")
    stub.add_client_error("describe_db_clusters", "DBClusterNotFoundFault", "no")
    stub.add_client_error("describe_db_clusters", "AccessDenied", "may not")
    with pytest.raises(NotThereError, match="rds of eu-west-1, describe_db_clusters: not found"):
        api.read("rds", "describe_db_clusters")
    with pytest.raises(AwsError, match="AccessDenied: may not") as raised:
        api.read_all("rds", "describe_db_clusters", "DBClusters")
    assert not isinstance(raised.value, NotThereError)


def test_not_found_codes_are_complete() -> None:
    """With an unlisted code a free name would be unknown. Source of the codes: botocore's service models."""
    declared = set()
    for service, question in READ_OPERATIONS:
        if question.startswith(("describe_", "get_")):
            model: Any = botocore.session.get_session().get_service_model(service)
            (name,) = [each for each in model.operation_names if xform_name(each) == question]
            codes = {str(shape.error_code) for shape in model.operation_model(name).error_shapes}
            declared |= {code for code in codes if "NotFound" in code or code.startswith("NoSuch")}
    assert "DBInstanceNotFound" in declared
    assert set() == declared - NOT_THERE


def test_timeout_error_names_the_region(api: Stubbed) -> None:
    """The hint is to try from the other region."""

    def silent(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://x")

    api._client("rds").meta.events.register("before-send", silent)
    with pytest.raises(AwsError, match="rds of eu-west-1, describe_db_clusters: did not respond") as raised:
        api.read("rds", "describe_db_clusters")
    assert "from the other region" in raised.value.hint


def test_read_operations_exist_in_botocore() -> None:
    """An operation that botocore does not have would always fail."""
    from botocore import xform_name
    from botocore.session import get_session

    core = get_session()
    for service, operation in READ_OPERATIONS:
        model: Any = core.get_service_model(service)
        names = {xform_name(name) for name in model.operation_names}
        assert operation in names, f"{service}.{operation}"
