"""What the program would ask AWS, as lines for the settings."""

from typing import Any

import pytest

from operations.checks.lookups import read_lookups
from operations.stack.settings import RegionLookup, settings_to_add
from operations.support.errors import AwsError
from settings import load_settings
from settings.stack_file import read_stack_file
from tests.support.operations.fake_account import ACCOUNT, empty_account
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, WEST
from tests.support.program.harness import PROGRAM, stack_file

SUBNETS = ["subnet-0000000a", "subnet-0000000b", "subnet-0000000c"]
VPC_ID = "vpc-0000000a"
IN_A_VPC: dict[str, Any] = {
    "primary": {"vpc_cidr": "10.10.0.0/16", "existing_vpc": {"vpc_id": VPC_ID, "subnet_ids": SUBNETS}}
}


@pytest.fixture
def account() -> FakeAws:
    """An account without the stack."""
    return empty_account(FakeAws())


def lines(aws: FakeAws, config: dict[str, Any]) -> list[str]:
    """Return the lines that complete these settings."""
    settings = load_settings(config)
    return settings_to_add(settings, ACCOUNT, read_lookups(settings, aws))


def test_lines_name_account_and_zones_that_the_program_would_choose(account: FakeAws) -> None:
    """They are lines of the stack's file, below `config`."""
    assert lines(account, {}) == [
        "aurora-global-database:aws:",
        f'  account_id: "{ACCOUNT}"',
        "aurora-global-database:primary:",
        "  availability_zones: [us-east-1a, us-east-1b, us-east-1c]",
        "aurora-global-database:secondary:",
        "  availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]",
    ]


def test_lines_are_valid_in_the_file(account: FakeAws, tmp_path: Any) -> None:
    """A file with only these lines has no more to add."""
    (tmp_path / "Pulumi.yaml").write_text((PROGRAM / "Pulumi.yaml").read_text())
    added = "".join(f"  {line}\n" for line in lines(account, {}))
    (tmp_path / "Pulumi.new.yaml").write_text(f"config:\n{added}")
    config = {key.partition(":")[2]: value for key, value in read_stack_file(tmp_path, "new").items()}
    assert lines(account, config) == []


def test_nothing_is_asked_for_settings_that_have_all(account: FakeAws) -> None:
    """The production stack is complete."""
    before = list(account.asked)
    assert lines(account, stack_file("prod")) == []
    assert account.asked == before


def test_deployed_stack_keeps_its_zones(account: FakeAws) -> None:
    """AWS may offer other zones than when the subnets were created."""
    deployed = [{"SubnetAvailabilityZone": {"Name": f"us-east-1{letter}"}} for letter in "fbd"]
    account.set(EAST, "rds", "describe_db_subnet_groups", {"DBSubnetGroups": [{"Subnets": deployed}]})
    assert "  availability_zones: [us-east-1b, us-east-1d, us-east-1f]" in lines(account, {})


def test_region_that_does_not_answer_is_left_out(account: FakeAws) -> None:
    """The lines of the other one are right."""
    account.fail(WEST, error=AwsError("no answer", hint="Wait."))
    assert not any("secondary" in line for line in lines(account, {}))
    assert "aurora-global-database:primary:" in lines(account, {})


@pytest.mark.parametrize(
    ("own", "tables"),
    [([], ["rtb-0000000f"]), (SUBNETS[:2], ["rtb-0000000a", "rtb-0000000f"]), (SUBNETS, ["rtb-0000000a"])],
    ids=["main", "both", "own"],
)
def test_existing_vpc_is_described_by_its_zones_and_route_tables(
    account: FakeAws, own: list[str], tables: list[str]
) -> None:
    """The zones are in the order of the subnets; a subnet without a table of its own uses the main one."""
    described = [
        {"SubnetId": subnet, "VpcId": VPC_ID, "AvailabilityZone": f"us-east-1{letter}"}
        for subnet, letter in zip(reversed(SUBNETS), "abc", strict=True)
    ]
    account.set(EAST, "ec2", "describe_subnets", {"Subnets": described})
    main = {"RouteTableId": "rtb-0000000f", "Associations": [{"Main": True}]}
    other = {"RouteTableId": "rtb-0000000a", "Associations": [{"SubnetId": subnet, "Main": False} for subnet in own]}
    account.set(EAST, "ec2", "describe_route_tables", {"RouteTables": [main, other]})
    assert lines(account, IN_A_VPC)[2:6] == [
        "aurora-global-database:primary:",
        "  availability_zones: [us-east-1c, us-east-1b, us-east-1a]",
        "  existing_vpc:",
        f"    route_table_ids: [{', '.join(tables)}]",
    ]


def test_only_what_is_missing_is_added() -> None:
    """The account is in the settings, and so are the zones of one region."""
    zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    settings = load_settings({"aws": {"account_id": ACCOUNT}, "secondary": {"availability_zones": zones}})
    found = {
        label: RegionLookup(zones=["us-east-1a", "us-east-1b", "us-east-1c"]) for label in ("primary", "secondary")
    }
    assert [line.strip() for line in settings_to_add(settings, ACCOUNT, found)] == [
        "aurora-global-database:primary:",
        "availability_zones: [us-east-1a, us-east-1b, us-east-1c]",
    ]
