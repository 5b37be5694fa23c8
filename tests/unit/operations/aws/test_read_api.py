"""The adapter of the commands that look, against botocore's own stub."""

import io
import json
import threading
from typing import Any

import botocore.session
import pytest
from boto3.session import Session
from botocore import xform_name
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from operations.aws.read_api import NOT_THERE, AwsReadApi, read_api_factory
from operations.aws.read_ports import READ_OPERATIONS
from operations.support.errors import AwsError, NotThereError, UsageProblemError
from tests.support.operations.fakes import WEST


class Stubbed(AwsReadApi):
    """The questions of the standby region, with a stub on each client."""

    def __init__(self) -> None:
        session = Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1")
        super().__init__(session, threading.Lock(), {}, WEST)

    def stub(self, service: str) -> Stubber:
        """Return the stub of one client, in force."""
        stubber = Stubber(self._client(service))
        stubber.activate()
        return stubber


@pytest.fixture
def questions() -> Stubbed:
    """The adapter of eu-west-1."""
    return Stubbed()


def test_every_client_is_of_the_region_and_bounded() -> None:
    """A region that is asked about is asked itself; a lambda call has time for the function's own limit of 5 s."""
    found: Any = read_api_factory()(WEST)
    for service in ("rds", "lambda", "sts"):
        config = found._client(service).meta.config
        assert WEST in found._client(service).meta.endpoint_url
        assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (2, 6, 2)


def test_all_pages_are_read(questions: Stubbed) -> None:
    """What stands on the second page is there too."""
    stub = questions.stub("rds")
    stub.add_response("describe_db_clusters", {"DBClusters": [{"DBClusterIdentifier": "a"}], "Marker": "m"}, {})
    stub.add_response("describe_db_clusters", {"DBClusters": [{"DBClusterIdentifier": "b"}]}, {"Marker": "m"})
    found = questions.read_all("rds", "describe_db_clusters", "DBClusters")
    assert [each["DBClusterIdentifier"] for each in found] == ["a", "b"]


def test_the_payload_of_an_invocation_is_parsed(questions: Stubbed) -> None:
    """What is no JSON stays a text: a function that broke says anything."""
    stub = questions.stub("lambda")
    for said in (b'{"region": "eu-west-1"}', b"<html>"):
        stub.add_response("invoke", {"StatusCode": 200, "Payload": io.BytesIO(said)}, {"FunctionName": "f"})
    answers = [questions.read("lambda", "invoke", FunctionName="f")["Payload"] for _ in range(2)]
    assert answers == [{"region": "eu-west-1"}, "<html>"]


def test_the_value_of_a_secret_never_leaves_the_adapter(questions: Stubbed) -> None:
    """Only that there is one does."""
    stub = questions.stub("secretsmanager")
    secret = {"SecretString": "correct-horse", "VersionId": "v" * 32, "Name": "n"}
    stub.add_response("get_secret_value", secret, {"SecretId": "s"})
    answer = questions.read("secretsmanager", "get_secret_value", SecretId="s")
    assert answer == {"VersionId": "v" * 32, "IsReadable": True}
    assert "correct-horse" not in json.dumps(answer)


def test_a_refusal_that_nobody_foresaw_has_a_cure_that_fits_a_question(questions: Stubbed) -> None:
    """Before `pulumi up` there is no status to look at."""
    questions.stub("iam").add_client_error("get_account_summary", "ServiceFailure", "internal")
    with pytest.raises(AwsError) as raised:
        questions.read("iam", "get_account_summary")
    assert (raised.value.message, raised.value.hint) == (
        "iam of eu-west-1, get_account_summary: ServiceFailure: internal",
        "No changes were made. Try again, or use the AWS console.",
    )


def test_nothing_that_changes_anything_can_be_asked(questions: Stubbed) -> None:
    """Only what stands in the list; and in the list there are questions, and the probe."""
    with pytest.raises(UsageProblemError, match=r"rds\.delete_db_cluster is not a read-only operation"):
        questions.read("rds", "delete_db_cluster", DBClusterIdentifier="a")
    with pytest.raises(UsageProblemError):
        questions.read_all("rds", "delete_db_cluster", "DBCluster")
    others = {name for _, name in READ_OPERATIONS if not name.startswith(("describe_", "get_", "list_"))}
    assert others == {"invoke", "simulate_principal_policy"}


def test_what_is_not_there_is_told_from_what_can_not_be_seen(questions: Stubbed) -> None:
    """The one is a fact, the other is none."""
    stub = questions.stub("rds")
    stub.add_client_error("describe_db_clusters", "DBClusterNotFoundFault", "no")
    stub.add_client_error("describe_db_clusters", "AccessDenied", "may not")
    with pytest.raises(NotThereError, match="rds of eu-west-1, describe_db_clusters: not found"):
        questions.read("rds", "describe_db_clusters")
    with pytest.raises(AwsError, match="AccessDenied: may not") as raised:
        questions.read_all("rds", "describe_db_clusters", "DBClusters")
    assert not isinstance(raised.value, NotThereError)


def test_what_aws_calls_not_found_is_known_of_each_question_about_one_thing() -> None:
    """Or a free name would be unknown. Source: botocore's service models, which carry AWS's own error codes."""
    declared = set()
    for service, question in READ_OPERATIONS:
        if question.startswith(("describe_", "get_")):
            model: Any = botocore.session.get_session().get_service_model(service)
            (name,) = [each for each in model.operation_names if xform_name(each) == question]
            codes = {str(shape.error_code) for shape in model.operation_model(name).error_shapes}
            declared |= {code for code in codes if "NotFound" in code or code.startswith("NoSuch")}
    assert "DBInstanceNotFound" in declared
    assert set() == declared - NOT_THERE


def test_silence_names_the_region(questions: Stubbed) -> None:
    """And that it, or the way to it, may be down."""

    def silent(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://x")

    questions._client("rds").meta.events.register("before-send", silent)
    with pytest.raises(AwsError, match="rds of eu-west-1, describe_db_clusters: no answer") as raised:
        questions.read("rds", "describe_db_clusters")
    assert "from the other region" in raised.value.hint


def test_every_question_is_one_of_botocores() -> None:
    """A name that AWS does not have could never be answered."""
    from botocore import xform_name
    from botocore.session import get_session

    core = get_session()
    for service, operation in READ_OPERATIONS:
        model: Any = core.get_service_model(service)
        names = {xform_name(name) for name in model.operation_names}
        assert operation in names, f"{service}.{operation}"
