"""What is asked of AWS rather than guessed: the account, its partition, a region's availability zones.

Owns: what every stack asks, each time with an explicit provider. Does not own: any resource; what is asked of an existing VPC
(`existing_vpc`).
"""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from components.site import Region
from settings import RegionSettings
from settings.zones import ZONES, chosen_zones


def region_in(region: str, provider: aws.Provider, *, project: str, environment: str, is_production: bool) -> Region:
    """Return a region of a stack in the account that the provider's credentials belong to."""
    asked = pulumi.InvokeOutputOptions(provider=provider)
    return Region(
        project=project,
        environment=environment,
        region=region,
        is_production=is_production,
        account_id=aws.get_caller_identity_output(opts=asked).account_id,
        partition=aws.get_partition_output(opts=asked).partition,
    )


def availability_zones(place: RegionSettings, provider: aws.Provider) -> Sequence[pulumi.Input[str]]:
    """Return the zones that the settings give, or three that AWS offers this account in the region.

    None for an existing VPC, whose subnets are where they are.
    Zones that one has to opt into (local and wavelength zones) can't hold a database and are left out.
    Raises: pulumi.RunError, when the answer comes, if the region offers fewer than three.
    """
    if place.existing_vpc:
        return ()
    if place.availability_zones:
        return place.availability_zones
    offered = aws.get_availability_zones_output(
        state="available",
        filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
        opts=pulumi.InvokeOutputOptions(provider=provider),
    )
    # The provider lists both in the order of the names.
    names = pulumi.Output.all(offered.names, offered.zone_ids).apply(
        lambda lists: _three(place.region, dict(zip(*lists, strict=True)))
    )
    return [names[index] for index in range(ZONES)]


def _three(region: str, ids: Mapping[str, str]) -> list[str]:
    if len(ids) < ZONES:
        raise pulumi.RunError(
            f"{region}: this account has {len(ids)} availability zones there ({', '.join(ids)}), "
            f"and Aurora needs {ZONES}; choose another region"
        )
    return chosen_zones(ids)
