"""The checks of an existing VPC, one mistake at a time."""

from dataclasses import replace

import pytest

from components.existing_vpc import FoundVpc, vpc_mistakes
from settings import ExistingVpcSettings

CIDR = "10.99.0.0/20"
WANTED = ExistingVpcSettings.model_construct(
    vpc_id="vpc-1", subnet_ids=("subnet-a", "subnet-b", "subnet-c"), route_table_ids=("rtb-1",)
)
FOUND = FoundVpc(
    cidr=CIDR,
    dns_support=True,
    dns_hostnames=True,
    main_route_table_id="rtb-main",
    subnet_vpcs=["vpc-1"] * 3,
    zones=["eu-west-1a", "eu-west-1b", "eu-west-1c"],
    own_route_tables=[["rtb-1"], ["rtb-1"], ["rtb-1"]],
)


def test_suitable_vpc_has_no_mistakes() -> None:
    """Every check passes."""
    assert list(vpc_mistakes(WANTED, CIDR, FOUND)) == []


def test_main_route_table_is_enough_if_the_subnets_use_it() -> None:
    """The settings name no route table, and the subnets have none of their own."""
    wanted, found = WANTED.model_copy(update={"route_table_ids": None}), replace(FOUND, own_route_tables=[[], [], []])
    assert list(vpc_mistakes(wanted, CIDR, found)) == []


@pytest.mark.parametrize(
    ("wanted", "found", "setting", "text"),
    [
        ({}, {"cidr": "10.98.0.0/20"}, "vpc_cidr", "vpc-1 has 10.98.0.0/20, not 10.99.0.0/20. Use 10.98.0.0/20."),
        ({}, {"dns_support": False}, "existing_vpc.vpc_id", "vpc-1 has DNS support disabled. Enable both"),
        ({}, {"dns_hostnames": False}, "existing_vpc.vpc_id", "vpc-1 has DNS host names disabled"),
        (
            {},
            {"subnet_vpcs": ["vpc-1", "vpc-2", "vpc-1"]},
            "existing_vpc.subnet_ids",
            "subnet-b not in vpc-1. Use three",
        ),
        (
            {},
            {"zones": ["eu-west-1a"] * 3},
            "existing_vpc.subnet_ids",
            "all are in eu-west-1a. Use three subnets, one in each",
        ),
        (
            {},
            {"own_route_tables": [["rtb-1"], ["rtb-2"], []]},
            "existing_vpc.route_table_ids",
            "the subnets use rtb-2, rtb-main, which would get no route to the other region. Use rtb-1, rtb-2, rtb-main.",
        ),
        (
            {"route_table_ids": None},
            {},
            "existing_vpc.route_table_ids",
            "the subnets use rtb-1, which would get no route",
        ),
    ],
)
def test_each_mistake_names_its_setting_and_the_fix(
    wanted: dict[str, object], found: dict[str, object], setting: str, text: str
) -> None:
    """Each mistake alone is one line."""
    ((named, message),) = vpc_mistakes(WANTED.model_copy(update=wanted), CIDR, replace(FOUND, **found))
    assert named == setting
    assert text in message
