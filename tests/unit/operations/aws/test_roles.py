"""Who is the writer and who the standby, from RDS or from memory; and which region is spoken to."""

import pytest

from functions.failover_controller.model import Side, State
from operations.aws.ports import RdsRoles
from operations.aws.roles import Roles, choose, reconcile, roles_from_rds, roles_from_state
from operations.support.errors import AwsError
from tests.support.operations.fakes import DEPLOYMENT, EAST, EAST_REGION, WEST, WEST_REGION, FakeEnvironment

BY_RDS = roles_from_rds(DEPLOYMENT, RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None))
SWAPPED = roles_from_rds(DEPLOYMENT, RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None))


def test_rds_names_the_writer_and_the_other_is_the_standby() -> None:
    """Roles come from the ARN of the writer, not from which region is the primary."""
    assert (BY_RDS.writer, BY_RDS.standby) == (EAST_REGION, WEST_REGION)
    assert (SWAPPED.writer, SWAPPED.standby) == (WEST_REGION, EAST_REGION)


@pytest.mark.parametrize("arn", [None, "arn:aws:rds:eu-north-1:1:cluster:other"])
def test_a_writer_that_is_none_of_ours_leaves_the_seats_unknown(arn: str | None) -> None:
    """An unknown writer makes no standby."""
    assert roles_from_rds(DEPLOYMENT, RdsRoles(writer_arn=arn, operation="pending")) == Roles(operation="pending")


@pytest.mark.parametrize(
    ("writer", "standby"), [(Side.OWN, EAST_REGION), (Side.PEER, WEST_REGION), (Side.UNKNOWN, None)]
)
def test_the_controller_s_memory_is_read_from_its_own_side(writer: Side, standby: object) -> None:
    """`own` in the table of a region is that region."""
    assert roles_from_state(DEPLOYMENT, WEST_REGION, State(writer=writer)).standby == standby


def test_regions_that_disagree_know_nothing() -> None:
    """Two answers that differ make the seats unknown; one that knows nothing does not count."""
    assert reconcile([BY_RDS, Roles(), BY_RDS]) == BY_RDS
    assert reconcile([]) == Roles()
    assert reconcile([BY_RDS, SWAPPED]).standby is None


def test_asks_only_the_day_one_standby_when_it_answers(environment: FakeEnvironment) -> None:
    """The other region, which may be dead, gets no call."""
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], None) == WEST_REGION
    assert environment.calls_to(EAST) == []


def test_follows_the_roles_after_a_failover(environment: FakeEnvironment) -> None:
    """When the day-one standby is the writer, the other region is the standby."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], None) == EAST_REGION


def test_asks_the_other_region_when_the_first_is_silent(environment: FakeEnvironment) -> None:
    """The day-one standby may be the one that is lost."""
    environment.fail(WEST)
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], None) == EAST_REGION


def test_a_named_region_is_asked_nothing(environment: FakeEnvironment) -> None:
    """Who names a region needs no RDS."""
    assert choose(DEPLOYMENT, lambda region: environment.regions[region.name], EAST) == EAST_REGION
    assert environment.calls == []


def test_says_what_failed_when_no_region_can_tell(environment: FakeEnvironment) -> None:
    """The error has both reasons, and the hint."""
    environment.fail(WEST)
    environment.roles = RdsRoles(writer_arn=None, operation=None)
    with pytest.raises(AwsError) as raised:
        choose(DEPLOYMENT, lambda region: environment.regions[region.name], None)
    assert "eu-west-1: read_roles of eu-west-1: no answer" in raised.value.message
    assert "us-east-1: its RDS API names no writer" in raised.value.message
    assert raised.value.hint == "Name a region: --region eu-west-1 or us-east-1."
