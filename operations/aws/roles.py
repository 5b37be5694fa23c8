"""Who is the writer and who is the standby now, and which region a command speaks to.

Owns the way from RDS's answer, or else the controller's memory, to the two seats. Invariant: seats on which two
sources disagree are unknown; and nothing but RDS picks a region that nobody named.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from functions.failover_controller.model import Side, State
from operations.aws.ports import Connect, RdsRoles
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.deadlines import call_with_deadline
from operations.support.errors import AwsError


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Who sits where; both are known, or neither is."""

    writer: DeployedRegion | None = None
    standby: DeployedRegion | None = None
    operation: str | None = None
    """Status of a switchover or failover under way: the seats are about to change."""
    source: str = "unknown"


def roles_from_rds(deployment: StackDeployment, roles: RdsRoles) -> Roles:
    """Return the seats as one region's RDS API has them."""
    for region in deployment.regions:
        if region.cluster_arn == roles.writer_arn:
            return Roles(
                writer=region, standby=deployment.other(region), operation=roles.operation, source="as RDS says"
            )
    return Roles(operation=roles.operation)


def roles_from_state(deployment: StackDeployment, region: DeployedRegion, state: State | None) -> Roles:
    """Return the seats as the controller in `region` remembers them."""
    if state is None or state.writer is Side.UNKNOWN:
        return Roles()
    writer = region if state.writer is Side.OWN else deployment.other(region)
    return Roles(writer=writer, standby=deployment.other(writer), source="as the controller saw them last")


def reconcile(answers: Iterable[Roles]) -> Roles:
    """Return the seats on which all that know agree."""
    known = [seats for seats in answers if seats.standby is not None]
    if not known:
        return Roles()
    if any(seats.standby != known[0].standby for seats in known):
        return Roles(source="unknown: the regions disagree")
    return known[0]


def choose(deployment: StackDeployment, connect: Connect, region_name: str | None) -> DeployedRegion:
    """Return the place in `region`, or the standby's; the day-one standby is asked first, the other only if it fails.

    Raises:
        UsageProblemError: nothing is deployed in `region`.
        AwsError: no region was named, and RDS did not say in either who is the writer.
    """
    if region_name is not None:
        return deployment.region(region_name)
    failures = []
    for region in deployment.regions:
        try:
            standby = roles_from_rds(deployment, call_with_deadline(connect(region).read_roles)).standby
        except AwsError as error:
            failures.append(f"{region.name}: {error.message}")
            continue
        if standby is not None:
            return standby
        failures.append(f"{region.name}: its RDS API names no writer, or more than one")
    regions = " or ".join(region.name for region in deployment.regions)
    raise AwsError(
        f"which region is the standby can't be told: {'; '.join(failures)}", hint=f"Name one: --region {regions}."
    )
