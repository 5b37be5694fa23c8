"""Which region is the writer and which the standby, and which region a command uses.

Roles on which two sources disagree are unknown. Only RDS chooses a region if the operator names none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from functions.failover_controller.model import Side, State
from operations.aws.ports import Connect, RdsRoles
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.deadlines import call_with_deadline
from operations.support.errors import AwsError, NoLoginError


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Writer and standby regions; both set or both None."""

    writer: DeployedRegion | None = None
    standby: DeployedRegion | None = None
    operation: str | None = None
    """Status of a switchover or failover in progress: the roles are about to change."""
    source: str = "unknown"


def roles_from_rds(deployment: StackDeployment, roles: RdsRoles) -> Roles:
    """Return the roles according to one region's RDS API."""
    for region in deployment.regions:
        if region.cluster_arn == roles.writer_arn:
            return Roles(
                writer=region, standby=deployment.other(region), operation=roles.operation, source="as RDS says"
            )
    return Roles(operation=roles.operation)


def roles_from_state(deployment: StackDeployment, region: DeployedRegion, state: State | None) -> Roles:
    """Return the roles according to the state of the controller in `region`."""
    if state is None or state.writer is Side.UNKNOWN:
        return Roles()
    writer = region if state.writer is Side.OWN else deployment.other(region)
    return Roles(writer=writer, standby=deployment.other(writer), source="as the controller saw them last")


def reconcile(answers: Iterable[Roles]) -> Roles:
    """Return the roles on which all known answers agree."""
    known = [roles for roles in answers if roles.standby is not None]
    if not known:
        return Roles()
    if any(roles.standby != known[0].standby for roles in known):
        return Roles(source="unknown: the regions disagree")
    return known[0]


def choose(deployment: StackDeployment, connect: Connect, region_name: str | None) -> DeployedRegion:
    """Return the region with this name, or the current standby's.

    The RDS API of the secondary region is asked first, that of the primary region if it fails.

    Raises:
        UsageProblemError: nothing is deployed in `region_name`.
        AwsError: no region was named, and neither region's RDS API names the writer.
        NoLoginError: there are no credentials.
    """
    if region_name is not None:
        return deployment.region(region_name)
    failures = []
    for region in deployment.regions:
        try:
            standby = roles_from_rds(deployment, call_with_deadline(connect(region).read_roles)).standby
        except NoLoginError:
            raise
        except AwsError as error:
            failures.append(f"{region.name}: {error.message}")
            continue
        if standby is not None:
            return standby
        failures.append(f"{region.name}: its RDS API names no writer, or more than one")
    regions = " or ".join(region.name for region in deployment.regions)
    raise AwsError(f"the standby region is unknown: {'; '.join(failures)}", hint=f"Name a region: --region {regions}.")
