"""What is asked of AWS rather than guessed: the account, its partition, a region's availability zones.

Owns: the program's only invokes, each with an explicit provider. Does not own: any resource.
"""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.network import SUBNETS
from components.site import Site


def site_in(region: str, provider: aws.Provider, *, project: str, environment: str, is_production: bool) -> Site:
    """Return a region of a stack in the account that the provider's credentials belong to."""
    asked = pulumi.InvokeOutputOptions(provider=provider)
    return Site(
        project=project,
        environment=environment,
        region=region,
        is_production=is_production,
        account_id=aws.get_caller_identity_output(opts=asked).account_id,
        partition=aws.get_partition_output(opts=asked).partition,
    )


def availability_zones(region: str, provider: aws.Provider, given: Sequence[str] | None) -> Sequence[pulumi.Input[str]]:
    """Return the zones that the settings give, or the first three that AWS offers this account in the region.

    Zones that one has to opt into (local and wavelength zones) can't hold a database and are left out.
    Raises: pulumi.RunError, when the answer comes, if the region offers fewer than three.
    """
    if given:
        return given
    names = aws.get_availability_zones_output(
        state="available",
        filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
        opts=pulumi.InvokeOutputOptions(provider=provider),
    ).names.apply(lambda names: _first_three(region, names))
    return [names[index] for index in range(SUBNETS)]


def _first_three(region: str, names: Sequence[str]) -> list[str]:
    if len(names) < SUBNETS:
        raise pulumi.RunError(
            f"{region}: this account has {len(names)} availability zones there ({', '.join(names)}), "
            f"and Aurora needs {SUBNETS}; choose another region"
        )
    return sorted(names)[:SUBNETS]
