"""Tests of the writer and standby regions, from RDS or the controller's state, and of the choice of a region."""

import pytest

from functions.failover_controller.model import Side, State
from operations.aws.ports import RdsRoles
from operations.aws.roles import Roles, choose, reconcile, roles_from_rds, roles_from_state
from operations.support.errors import AwsError
from tests.support.operations.fakes import DEPLOYMENT, EAST, EAST_REGION, WEST, WEST_REGION, FakeEnvironment

BY_RDS = roles_from_rds(DEPLOYMENT, RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None))
SWAPPED = roles_from_rds(DEPLOYMENT, RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None))


def test_roles_from_rds_follow_the_writer_arn() -> None:
    """The configured primary region has no influence."""
    assert (BY_RDS.writer, BY_RDS.standby) == (EAST_REGION, WEST_REGION)
    assert (SWAPPED.writer, SWAPPED.standby) == (WEST_REGION, EAST_REGION)


@pytest.mark.parametrize("arn", [None, "arn:aws:rds:eu-north-1:1:cluster:other"])
def test_roles_are_unknown_for_a_foreign_writer(arn: str | None) -> None:
    """The standby is unknown too."""
    assert roles_from_rds(DEPLOYMENT, RdsRoles(writer_arn=arn, operation="pending")) == Roles(operation="pending")


@pytest.mark.parametrize(
    ("writer", "standby"), [(Side.OWN, EAST_REGION), (Side.PEER, WEST_REGION), (Side.UNKNOWN, None)]
)
def test_roles_from_state_are_relative_to_the_region(writer: Side, standby: object) -> None:
    """`own` in a region's table means that region."""
    assert roles_from_state(DEPLOYMENT, WEST_REGION, State(writer=writer)).standby == standby


def test_roles_are_unknown_when_regions_disagree() -> None:
    """Two different answers make the roles unknown; an answer without roles is ignored."""
    assert reconcile([BY_RDS, Roles(), BY_RDS]) == BY_RDS
    assert reconcile([]) == Roles()
    assert reconcile([BY_RDS, SWAPPED]).standby is None


def test_choose_calls_only_the_day_one_standby_if_it_responds(environment: FakeEnvironment) -> None:
    """The other region may be unreachable and gets no call."""
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], None) == WEST_REGION
    assert environment.calls_to(EAST) == []


def test_choose_follows_the_roles_after_a_failover(environment: FakeEnvironment) -> None:
    """When the secondary region is the writer, the primary region is the standby."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], None) == EAST_REGION


def test_choose_calls_the_other_region_after_a_timeout(environment: FakeEnvironment) -> None:
    """The secondary region may be the lost one."""
    environment.fail(WEST)
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], None) == EAST_REGION


def test_choose_makes_no_call_for_a_named_region(environment: FakeEnvironment) -> None:
    """With --region, RDS is not needed."""
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], EAST) == EAST_REGION
    assert environment.calls == []


def test_choose_reports_each_failure_when_the_standby_is_unknown(environment: FakeEnvironment) -> None:
    """The error has both reasons and a hint."""
    environment.fail(WEST)
    environment.roles = RdsRoles(writer_arn=None, operation=None)
    with pytest.raises(AwsError) as raised:
        choose(DEPLOYMENT, lambda region: environment.regions[region.name], None)
    assert "eu-west-1: read_roles of eu-west-1: no answer" in raised.value.message
    assert "us-east-1: its RDS API names no writer" in raised.value.message
    assert raised.value.hint == "Name a region: --region eu-west-1 or us-east-1."
