"""boto3's clients for the commands."""

from boto3.session import Session

from operations.aws.clients import Clients
from tests.support.operations.fakes import EAST, WEST


def test_client_is_created_once_for_each_region_and_limit() -> None:
    """A call that changes something has its own client, which never retries."""
    clients = Clients(Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret"))
    reading = clients.get("rds", EAST, read_timeout=3)
    assert clients.get("rds", EAST, read_timeout=3) is reading
    others = [clients.get("rds", EAST, read_timeout=3, attempts=1), clients.get("rds", WEST, read_timeout=3)]
    assert reading not in others
    assert [each.meta.region_name for each in others] == [EAST, WEST]


def test_access_key_is_the_one_of_the_session() -> None:
    """It names the caller while STS does not respond."""
    session = Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret")
    assert Clients(session).access_key() == "AKIDEXAMPLE"
