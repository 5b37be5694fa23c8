"""One region of the stack: its provider, settings, availability zones, physical names and tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.existing_vpc import ExistingVpc, existing_vpc
from settings import RegionSettings, Settings
from settings.zones import ZONES, chosen_zones


@dataclass(frozen=True, kw_only=True)
class Region:
    """One region of the stack, in the account of the provider's credentials.

    Every physical name ends in the environment, so two stacks can share an account.
    """

    stack: Settings
    """The settings of the whole stack."""
    settings: RegionSettings
    """The settings of this region."""
    provider: aws.Provider
    account_id: pulumi.Input[str]
    zones: Sequence[pulumi.Input[str]]
    """The availability zones, in the order of the three subnets."""
    existing_vpc: ExistingVpc | None = None

    @classmethod
    def of(cls, label: str, settings: RegionSettings, stack: Settings) -> "Region":
        """Return a region and register its provider.

        `label` is the provider's logical name, and the section of the settings that errors name.
        With `aws.account_id` and the zones in the settings it asks AWS nothing, so a deployment runs while the region is lost.
        """
        provider = _provider(label, settings.region, stack)
        opts = pulumi.InvokeOutputOptions(provider=provider)
        vpc = existing_vpc(label, settings, opts)
        return cls(
            stack=stack,
            settings=settings,
            provider=provider,
            account_id=stack.aws.account_id or aws.get_caller_identity_output(opts=opts).account_id,
            zones=settings.availability_zones or (vpc.zones if vpc else _available_zones(settings.region, opts)),
            existing_vpc=vpc,
        )

    @property
    def opts(self) -> pulumi.ResourceOptions:
        """The resource options that place a component in this region."""
        return pulumi.ResourceOptions(provider=self.provider)

    @property
    def code(self) -> str:
        """The region's code, such as `us-east-1`."""
        return self.settings.region

    @property
    def partition(self) -> str:
        """The AWS partition: the settings refuse a region of any other."""
        return "aws"

    @property
    def is_production(self) -> bool:
        """Whether the environment is `prod`: resources that hold data are protected. Any other stack can be destroyed."""
        return self.stack.is_production

    def name(self, resource: str) -> str:
        """Return a physical name that is unique within a region."""
        return f"{self.stack.project}-{resource}-{self.stack.environment}"

    def global_name(self, resource: str) -> str:
        """Return a physical name that is unique across regions, as IAM requires."""
        return f"{self.stack.project}-{resource}-{self.code}-{self.stack.environment}"

    @property
    def cluster_id(self) -> str:
        """The identifier of this region's database cluster."""
        return f"{self.stack.project}-{self.code}-{self.stack.environment}"

    @property
    def final_snapshot_id(self) -> str:
        """The identifier of the snapshot that is taken when the cluster is deleted."""
        return f"{self.stack.project}-{self.code}-final-{self.stack.environment}"

    def instance_id(self, number: int) -> str:
        """Return the identifier of the cluster's n-th instance, counted from 1."""
        return f"{self.stack.project}-{self.code}-{number}-{self.stack.environment}"

    def tags(self, resource: str) -> dict[str, str]:
        """Return the tags of one resource; the provider adds the stack's default tags."""
        return {"Name": self.name(resource)}

    def arn(self, service: str, resource: pulumi.Input[str]) -> pulumi.Output[str]:
        """Return the ARN of a resource of this account in this region."""
        return pulumi.Output.concat(
            "arn:", self.partition, ":", service, f":{self.code}:", self.account_id, ":", resource
        )


def _provider(label: str, region: str, stack: Settings) -> aws.Provider:
    """Register a region's provider. An explicit provider reads no `aws:*` configuration: the settings are all it has.

    The provider validates the credentials when it is registered, with STS in its own region. The SDK sends the default
    `skip_credentials_validation=False`, which overrides `AWS_SKIP_CREDENTIALS_VALIDATION`; without it, that variable lets a
    deployment run while the region is lost. The provider checks the account again before its first call.
    Source: preConfigureCallback, provider/credentials.go of pulumi-aws.
    """
    account = stack.aws
    return aws.Provider(
        label,
        region=region,
        default_tags=aws.ProviderDefaultTagsArgs(tags=stack.default_tags),
        allowed_account_ids=[account.account_id] if account.account_id else None,
        profile=account.profile,
        assume_roles=[aws.ProviderAssumeRoleArgs(role_arn=account.assume_role_arn)]
        if account.assume_role_arn
        else None,
        ignore_tags=aws.ProviderIgnoreTagsArgs(
            keys=account.ignored_tag_keys or None, key_prefixes=account.ignored_tag_prefixes or None
        )
        if account.ignored_tags
        else None,
        opts=pulumi.ResourceOptions(transformations=[_without_default_validation]),
    )


def _without_default_validation(
    provider: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult:
    props = {name: value for name, value in provider.props.items() if name != "skip_credentials_validation"}
    return pulumi.ResourceTransformationResult(props, provider.opts)


def _available_zones(region: str, opts: pulumi.InvokeOutputOptions) -> Sequence[pulumi.Output[str]]:
    """Return three zones of the region; local and wavelength zones, which need an opt-in, cannot hold a database.

    Raises: pulumi.RunError, once AWS has answered, if the account has fewer than three zones there.
    """
    available = aws.get_availability_zones_output(
        state="available",
        filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
        opts=opts,
    )
    # The provider returns both lists in the order of the names.
    zones = pulumi.Output.all(available.names, available.zone_ids).apply(
        lambda lists: _three_zones(region, dict(zip(*lists, strict=True)))
    )
    return [zones[index] for index in range(ZONES)]


def _three_zones(region: str, ids: Mapping[str, str]) -> list[str]:
    if len(ids) < ZONES:
        raise pulumi.RunError(
            f"{region}: this account has {len(ids)} availability zones ({', '.join(ids)}), and Aurora needs {ZONES}. "
            "Use another region."
        )
    return chosen_zones(ids)
