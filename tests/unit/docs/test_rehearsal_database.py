"""The page about the rehearsal's database: the stand-in refuses each listed statement by name."""

import time
from collections.abc import Iterator

import pytest

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, SqlError
from tests.support.documented_answers import documented_differences, documented_refusals


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A writer with the tables of the page."""
    database = GlobalDatabase(clock=time.time)
    writer = database.add_cluster("payments-us-east-1-dev", "us-east-1", writer=True, database="shop")
    for statement in (
        "CREATE TABLE shop.orders (id INT PRIMARY KEY)",
        "CREATE TABLE shop.pairs (a INT, b INT)",
        "CREATE TABLE shop.checked (id INT CHECK (id > 0))",
        "CREATE USER ann IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'",
    ):
        writer.execute(statement)
    yield writer
    database.close()


@pytest.mark.parametrize(("statement", "name"), documented_refusals().items())
def test_statement_is_refused_by_name(cluster: Cluster, statement: str, name: str) -> None:
    """The error is MySQL's number for a feature that the server does not support."""
    with pytest.raises(SqlError) as caught:
        cluster.execute(statement)
    assert 1235 == caught.value.code
    assert caught.value.message == f"The embedded Aurora does not support {name}"


def test_page_has_both_tables() -> None:
    """A changed layout does not empty the tests."""
    assert (38, 87) == (len(documented_differences()), len(documented_refusals()))
