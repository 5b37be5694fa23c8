"""The checks of an existing VPC, one mistake at a time."""

from dataclasses import replace

import pytest

from components.existing_vpc import FoundVpc, vpc_mistakes
from settings import ExistingVpcSettings
from tests.support.program.harness import EXISTING_VPC, run_program

pytestmark = pytest.mark.slow

CIDR = "10.99.0.0/20"
WANTED = ExistingVpcSettings.model_construct(
    vpc_id="vpc-1", subnet_ids=("subnet-a", "subnet-b", "subnet-c"), route_table_ids=("rtb-1",)
)
FOUND = FoundVpc(
    cidrs=["10.1.0.0/16", CIDR],
    dns_support=True,
    dns_hostnames=True,
    main_route_table_id="rtb-main",
    subnet_vpcs=["vpc-1"] * 3,
    subnet_cidrs=["10.99.1.0/24", "10.99.2.0/24", "10.99.3.0/24"],
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
        ({}, {"cidrs": ["10.98.0.0/20"]}, "vpc_cidr", "vpc-1 has 10.98.0.0/20, not 10.99.0.0/20. Use the range"),
        (
            {},
            {"cidrs": ["10.98.0.0/20", "10.99.0.0/16"]},
            "vpc_cidr",
            "vpc-1 has 10.98.0.0/20 and 10.99.0.0/16, not 10.99.0.0/20. Use 10.99.0.0/16.",
        ),
        (
            {},
            {"subnet_cidrs": ["10.99.1.0/24", "100.64.2.0/24", "100.64.3.0/24"]},
            "existing_vpc.subnet_ids",
            "subnet-b (100.64.2.0/24), subnet-c (100.64.3.0/24) outside vpc_cidr 10.99.0.0/20",
        ),
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


PEERED = {
    "primary": {"vpc_cidr": "10.99.0.0/20", "existing_vpc": {**EXISTING_VPC, "route_table_ids": ["rtb-0000000a"]}},
    "secondary": {
        "vpc_cidr": "100.64.0.0/20",
        "existing_vpc": {
            **EXISTING_VPC,
            "subnet_ids": ["subnet-0000000d", "subnet-0000000e", "subnet-0000000f"],
            "route_table_ids": ["rtb-0000000a"],
        },
    },
    "existing_peering": "pcx-0123456789abcdef0",
}


def test_existing_peering_is_used_without_changing_it() -> None:
    """Two VPCs have one peering: neither it, nor its options, nor a route between them is created."""
    run = run_program(PEERED)
    assert run.error is None
    created = {each.type for each in run.cloud}
    assert created & {"aws:ec2/vpcPeeringConnection:VpcPeeringConnection", "aws:ec2/route:Route"} == set()
    assert created & {"aws:ec2/peeringConnectionOptions:PeeringConnectionOptions"} == set()
    without = run_program({key: value for key, value in PEERED.items() if key != "existing_peering"})
    assert len(without.of("ec2/route:Route")) == 2


def test_subnets_in_a_secondary_range_are_reached_by_it() -> None:
    """Rules and exports name the range in which the subnets are."""
    run = run_program(PEERED)
    cidrs = {each.inputs.get("cidrIpv4") for each in run.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")}
    assert cidrs == {"10.99.0.0/20", "100.64.0.0/20"}
    assert run.exports["secondary_vpc_cidr"] == "100.64.0.0/20"
