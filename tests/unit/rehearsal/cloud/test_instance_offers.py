"""The instance classes that the rehearsal's RDS offers, as boto3 reads them."""

import xml.etree.ElementTree as ElementTree

import pytest

from rehearsal.cloud.instance_offers import offers_response
from rehearsal.cloud.rds_xml import NAMESPACE


def zones(answer: bytes) -> list[str | None]:
    """Return the zones of all offers in an answer."""
    root = ElementTree.fromstring(answer)
    return [each.text for each in root.iter(f"{{{NAMESPACE}}}Name")]


def test_a_memory_optimised_class_is_offered_in_three_zones() -> None:
    """So that a preflight against the rehearsal finds what it would find in a large region."""
    answer = offers_response({"DBInstanceClass": "db.r6g.large", "Engine": "aurora-mysql"}, region="eu-west-1")
    assert ["eu-west-1a", "eu-west-1b", "eu-west-1c"] == zones(answer)


@pytest.mark.parametrize("asked", [{}, {"DBInstanceClass": "db.t3.micro"}, {"DBInstanceClass": "db.r6g.huge"}])
def test_what_a_global_database_can_not_have_is_not_offered(asked: dict[str, str]) -> None:
    """A burstable class, or one that nobody has heard of."""
    assert [] == zones(offers_response(asked, region="eu-west-1"))
