"""Tests of the instance classes that the rehearsal's RDS offers."""

import xml.etree.ElementTree as ElementTree

import pytest

from rehearsal.cloud.instance_offers import offers_response
from rehearsal.cloud.rds_xml import NAMESPACE


def zones(response: bytes) -> list[str | None]:
    """Return the zones of all offers in a response."""
    root = ElementTree.fromstring(response)
    return [each.text for each in root.iter(f"{{{NAMESPACE}}}Name")]


def test_memory_optimised_class_is_offered_in_three_zones() -> None:
    """A preflight finds the offers of a large region."""
    response = offers_response({"DBInstanceClass": "db.r6g.large", "Engine": "aurora-mysql"}, region="eu-west-1")
    assert ["eu-west-1a", "eu-west-1b", "eu-west-1c"] == zones(response)


@pytest.mark.parametrize(
    "request_parameters", [{}, {"DBInstanceClass": "db.t3.micro"}, {"DBInstanceClass": "db.r6g.huge"}]
)
def test_unsupported_class_is_not_offered(request_parameters: dict[str, str]) -> None:
    """A burstable or unknown class is not offered."""
    assert [] == zones(offers_response(request_parameters, region="eu-west-1"))
