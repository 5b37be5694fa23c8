"""Peerings and routes that are there before the deployment."""

from typing import Any

import pytest

from operations.checks.existing_vpc import existing_vpc_checks
from operations.checks.finding import CheckResult, Verdict
from settings import load_settings
from tests.support.operations.fake_aws import FakeAws, tags
from tests.support.operations.fakes import EAST, WEST

VPCS = {"primary": "vpc-0000000a", "secondary": "vpc-0000000b"}
CIDRS = {"primary": "10.10.0.0/16", "secondary": "10.20.0.0/16"}
PEERING = "pcx-0000000a"


def config(**more: Any) -> dict[str, Any]:
    """Return settings with an existing VPC in each region."""
    subnets = [f"subnet-0000000{letter}" for letter in "abc"]
    regions = {
        label: {"vpc_cidr": CIDRS[label], "existing_vpc": {"vpc_id": VPCS[label], "subnet_ids": subnets}}
        for label in VPCS
    }
    return {**regions, **more}


def peering(*, resolves: bool = True, state: str = "active", **more: Any) -> dict[str, Any]:
    """Return a peering of the two VPCs as EC2 describes it."""
    ends = {
        f"{end}VpcInfo": {"VpcId": vpc, "PeeringOptions": {"AllowDnsResolutionFromRemoteVpc": resolves}}
        for end, vpc in (("Requester", VPCS["primary"]), ("Accepter", VPCS["secondary"]))
    }
    return {"VpcPeeringConnectionId": PEERING, "Status": {"Code": state}, **ends, **more}


def route(through: str | None, cidr: str = CIDRS["secondary"]) -> dict[str, Any]:
    """Return a route as EC2 describes it."""
    target = {"VpcPeeringConnectionId": through} if through else {"TransitGatewayId": "tgw-1"}
    return {"DestinationCidrBlock": cidr, **target}


def results(aws: FakeAws, settings: dict[str, Any], peerings: list[Any], routes: list[Any]) -> dict[str, CheckResult]:
    """Return the primary region's results by name."""
    for region in (EAST, WEST):
        aws.set(region, "ec2", "describe_vpc_peering_connections", {"VpcPeeringConnections": peerings})
        table = {"RouteTableId": "rtb-1", "Routes": routes}
        aws.set(region, "ec2", "describe_route_tables", {"RouteTables": [table]})
    checks = existing_vpc_checks(load_settings(settings), aws)
    return {each.check: each for check in checks if check.where == EAST for each in check.run()}


def test_new_vpcs_have_no_such_checks() -> None:
    """No peering and no route can be there before the VPC."""
    assert existing_vpc_checks(load_settings({}), FakeAws()) == []


@pytest.mark.parametrize(
    ("peerings", "routes", "failed", "said"),
    [
        ([], [], set(), ""),
        ([peering(Tags=tags("dev"))], [route(PEERING)], set(), ""),
        ([], [route("pcx-0000000f", "10.99.0.0/16")], set(), ""),
        ([peering()], [], {"peering"}, f"{PEERING} connects vpc-0000000a and vpc-0000000b already"),
        ([peering()], [route(PEERING)], {"peering", "routes"}, "Set `existing_peering` to pcx-0000000a"),
        ([], [route(None)], {"routes"}, "rtb-1 has a route to 10.20.0.0/16 already, through another target"),
    ],
)
def test_peering_or_route_of_others_fails(peerings: list[Any], routes: list[Any], failed: set[str], said: str) -> None:
    """`pulumi up` would fail in its middle; this stack's own, after the first deployment, are right."""
    found = results(FakeAws(), config(), peerings, routes)
    assert {name for name, each in found.items() if each.verdict == Verdict.FAILED} == failed
    assert said in " ".join(f"{each.evidence} {each.hint}" for each in found.values())


@pytest.mark.parametrize(
    ("peerings", "routes", "failed", "said"),
    [
        ([peering()], [route(PEERING)], set(), ""),
        ([], [route(PEERING)], {"peering"}, f"{PEERING} does not connect vpc-0000000a and vpc-0000000b"),
        ([peering(state="pending-acceptance")], [route(PEERING)], {"peering"}, f"{PEERING} is pending-acceptance"),
        ([peering(resolves=False)], [route(PEERING)], {"peering"}, "does not resolve names of this VPC"),
        ([peering()], [], {"routes"}, f"rtb-1 has no route to 10.20.0.0/16 through {PEERING}"),
        ([peering()], [route(None)], {"routes"}, "rtb-1 has no route"),
    ],
)
def test_existing_peering_must_be_complete(peerings: list[Any], routes: list[Any], failed: set[str], said: str) -> None:
    """The program creates neither its options nor its routes, and the databases need both."""
    found = results(FakeAws(), config(existing_peering=PEERING), peerings, routes)
    assert {name for name, each in found.items() if each.verdict == Verdict.FAILED} == failed
    assert said in " ".join(f"{each.evidence} {each.hint}" for each in found.values())


@pytest.mark.parametrize(
    ("vpc", "zones", "said"),
    [
        (VPCS["primary"], "abc", ""),
        (VPCS["primary"], "acb", "subnet-0000000b is in us-east-1c, not in us-east-1b"),
        ("vpc-0000000f", "abc", "subnet-0000000a is not in vpc-0000000a"),
    ],
)
def test_subnets_that_the_program_does_not_look_up_are_checked(vpc: str, zones: str, said: str) -> None:
    """The settings have the zones of the subnets, in their order."""
    described = config()["primary"]
    described["availability_zones"] = ["us-east-1a", "us-east-1b", "us-east-1c"]
    described["existing_vpc"]["route_table_ids"] = ["rtb-00000001"]
    aws = FakeAws()
    subnets = [
        {"SubnetId": f"subnet-0000000{letter}", "VpcId": vpc, "AvailabilityZone": f"us-east-1{zone}"}
        for letter, zone in zip("abc", zones, strict=True)
    ]
    aws.set(EAST, "ec2", "describe_subnets", {"Subnets": subnets})
    result = results(aws, config(primary=described), [], [])["subnets"]
    assert (result.verdict == Verdict.FAILED, said in result.evidence) == (bool(said), True)
