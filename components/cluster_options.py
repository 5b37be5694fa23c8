"""What a stack may choose of a cluster, and may leave as it is.

Owns: the choices, and how they follow from the settings. Does not own: what a cluster is made of (`regional_cluster`).
Invariant: both members get the same ones, but for the windows and the capacity, which are a region's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi_aws as aws

from settings import DatabaseSettings, RegionSettings

DEFAULT_LOGS = ("audit", "error", "slowquery")


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Between which capacities Serverless v2 scales an instance, in Aurora capacity units."""

    min_acu: float
    max_acu: float


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """What a stack may choose of a cluster, and may leave as it is."""

    log_exports: Sequence[str] = DEFAULT_LOGS
    cluster_parameters: Mapping[str, str] = field(default_factory=dict)
    instance_parameters: Mapping[str, str] = field(default_factory=dict)
    storage_type: str = "aurora"
    write_forwarding: bool = False
    database_insights: str = "standard"
    ca_certificate: str = "rds-ca-rsa2048-g1"
    serverless: Capacity | None = None
    """Given for instances of the class db.serverless."""
    backup_window: str | None = None
    maintenance_window: str | None = None
    """None: AWS chooses."""

    @property
    def scaling(self) -> aws.rds.ClusterServerlessv2ScalingConfigurationArgs | None:
        """The range as the provider takes it."""
        if self.serverless is None:
            return None
        return aws.rds.ClusterServerlessv2ScalingConfigurationArgs(
            min_capacity=self.serverless.min_acu, max_capacity=self.serverless.max_acu
        )

    @classmethod
    def of(cls, database: DatabaseSettings, place: RegionSettings, log_exports: Sequence[str]) -> "ClusterOptions":
        """Return what the settings say."""
        capacity = place.serverless
        return cls(
            log_exports=log_exports,
            cluster_parameters=database.cluster_parameters,
            instance_parameters=database.instance_parameters,
            storage_type=database.storage_type,
            write_forwarding=database.write_forwarding,
            database_insights=database.database_insights,
            ca_certificate=database.ca_certificate,
            serverless=Capacity(min_acu=capacity.min_acu, max_acu=capacity.max_acu) if capacity else None,
            backup_window=place.backup_window,
            maintenance_window=place.maintenance_window,
        )
