"""What is wrong with a VPC that somebody else keeps, one mistake at a time."""

from dataclasses import replace

import pytest

from components.existing_vpc import FoundVpc, WantedVpc, vpc_mistakes

WANTED = WantedVpc(
    setting="secondary",
    vpc_id="vpc-1",
    cidr="10.99.0.0/20",
    subnet_ids=["subnet-a", "subnet-b", "subnet-c"],
    route_table_ids=["rtb-1"],
)
FOUND = FoundVpc(
    cidr="10.99.0.0/20",
    dns_support=True,
    dns_hostnames=True,
    main_route_table_id="rtb-main",
    subnet_vpcs=["vpc-1"] * 3,
    zones=["eu-west-1a", "eu-west-1b", "eu-west-1c"],
    own_route_tables=[["rtb-1"], ["rtb-1"], ["rtb-1"]],
)


def test_one_that_will_do() -> None:
    """Nothing to say."""
    assert list(vpc_mistakes(WANTED, FOUND)) == []


def test_the_main_table_is_enough_if_the_subnets_use_it() -> None:
    """Who names no table, and whose subnets have none of their own."""
    wanted, found = replace(WANTED, route_table_ids=None), replace(FOUND, own_route_tables=[[], [], []])
    assert list(vpc_mistakes(wanted, found)) == []


@pytest.mark.parametrize(
    ("wanted", "found", "setting", "words"),
    [
        ({}, {"cidr": "10.98.0.0/20"}, "vpc_cidr", "vpc-1 has 10.98.0.0/20, not 10.99.0.0/20; give 10.98.0.0/20"),
        ({}, {"dns_support": False}, "existing_vpc.vpc_id", "DNS support off in vpc-1; turn both on"),
        ({}, {"dns_hostnames": False}, "existing_vpc.vpc_id", "DNS host names off in vpc-1"),
        (
            {},
            {"subnet_vpcs": ["vpc-1", "vpc-2", "vpc-1"]},
            "existing_vpc.subnet_ids",
            "subnet-b not in vpc-1; give three",
        ),
        (
            {},
            {"zones": ["eu-west-1a"] * 3},
            "existing_vpc.subnet_ids",
            "they are in eu-west-1a; give three, one in each",
        ),
        (
            {},
            {"own_route_tables": [["rtb-1"], ["rtb-2"], []]},
            "existing_vpc.route_table_ids",
            "the subnets use rtb-2, rtb-main, which would get no route to the other region; give rtb-1, rtb-2, rtb-main",
        ),
        (
            {"route_table_ids": None},
            {},
            "existing_vpc.route_table_ids",
            "the subnets use rtb-1, which would get no route",
        ),
    ],
)
def test_each_mistake_names_its_setting_and_what_would_do(
    wanted: dict[str, object], found: dict[str, object], setting: str, words: str
) -> None:
    """Each alone is one line."""
    ((named, text),) = vpc_mistakes(replace(WANTED, **wanted), replace(FOUND, **found))
    assert named == setting
    assert words in text
