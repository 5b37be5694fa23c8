"""One region of one stack: the names, tags and ARNs of whatever is built there.

Owns: how things are called. Does not own: any resource.
Invariant: every physical name ends in the environment, so that two stacks live side by side in one account.
"""

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where a component builds: stack, region and account."""

    project: str
    environment: str
    region: str
    is_production: bool
    """Protect what holds data; any other stack must always be destroyable."""
    account_id: pulumi.Input[str]
    partition: pulumi.Input[str]

    def name(self, thing: str) -> str:
        """Return the physical name of a thing that is unique in a region."""
        return f"{self.project}-{thing}-{self.environment}"

    def global_name(self, thing: str) -> str:
        """Return the physical name of a thing whose names are shared by all regions, as IAM's are."""
        return f"{self.project}-{thing}-{self.region}-{self.environment}"

    def tags(self, thing: str) -> dict[str, str]:
        """Return a resource's own tags; the provider adds those that all resources share."""
        return {"Name": self.name(thing)}

    def arn(self, service: str, resource: pulumi.Input[str]) -> pulumi.Output[str]:
        """Return the ARN of a resource of this account in this region."""
        return pulumi.Output.concat(
            "arn:", self.partition, ":", service, f":{self.region}:", self.account_id, ":", resource
        )

    @property
    def cluster_id(self) -> str:
        """The identifier of the database cluster in this region."""
        return f"{self.project}-{self.region}-{self.environment}"

    def instance_id(self, number: int) -> str:
        """Return the identifier of the cluster's n-th instance, counted from 1."""
        return f"{self.project}-{self.region}-{number}-{self.environment}"
