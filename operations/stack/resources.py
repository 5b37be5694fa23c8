"""What a stack shows of itself in its outputs, for the commands that look at all of it.

Owns reading the outputs that `status`, `verify` and `preflight --destroy` need beyond those of `deployment.py`. Does no
I/O. Invariant: a resources is complete; whatever is missing is named, all of it at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from operations.stack.outputs import CONFIGURED_REGIONS, OutputsReader

ROLE_ALARMS = ("writer-role", "reader-role")
"""The alarms that tell a role: one of the two is always on, and neither is a fault."""


@dataclass(frozen=True, kw_only=True)
class RegionResources:
    """One region of the stack; its `name` is the configured one in the outputs, no role."""

    name: str
    region: str
    cluster_id: str
    cluster_arn: str
    writer_endpoint: str
    reader_endpoint: str
    port: int
    key_arn: str
    secret_arn: str
    topic_arn: str
    table_name: str
    health_check: str
    controller: str
    alarm_names: tuple[str, ...]

    def log_groups(self, exports: Sequence[str]) -> tuple[str, ...]:
        """Return the log groups of this region's functions, and of the logs that its cluster exports."""
        functions = (f"/aws/lambda/{name}" for name in (self.health_check, self.controller))
        return (*functions, *(f"/aws/rds/cluster/{self.cluster_id}/{log}" for log in exports))


@dataclass(frozen=True, kw_only=True)
class StackResources:
    """The whole stack; the region that is the standby on day one comes first."""

    global_cluster_id: str
    environment: str
    writer_name: str
    reader_name: str
    health_checks: Mapping[str, str]
    """What is checked -> the id of the Route 53 health check."""
    regions: tuple[RegionResources, ...]

    @property
    def is_production(self) -> bool:
        """Whether what holds data is to be protected."""
        return self.environment == "prod"

    @property
    def primary(self) -> RegionResources:
        """The region where the writer lives on day one, and before a destroy."""
        return next(each for each in self.regions if each.name == "primary")

    def in_region(self, region: str) -> RegionResources:
        """Return the part in a region of this stack."""
        return next(each for each in self.regions if each.region == region)


def read_resources(outputs: object) -> StackResources:
    """Return what the outputs show.

    Raises:
        UsageProblemError: naming every output that is missing or malformed.
    """
    reader = OutputsReader(outputs)
    regions = tuple(_region(name, reader) for name in CONFIGURED_REGIONS)
    checks = reader.outputs.get("health_check_ids")
    if not isinstance(checks, Mapping) or not all(isinstance(value, str) for value in checks.values()):
        reader.miss("health_check_ids")
        checks = {}
    resources = StackResources(
        global_cluster_id=reader.text("global_cluster_id"),
        environment=reader.text("environment"),
        writer_name=reader.text("writer_dns_name"),
        reader_name=reader.text("reader_dns_name"),
        health_checks={str(what): str(check_id) for what, check_id in checks.items()},
        regions=regions,
    )
    reader.finish()
    return resources


def _region(name: str, reader: OutputsReader) -> RegionResources:
    values = reader.region(name)
    port, alarms = values.get("port"), values.get("alarm_arns")
    if isinstance(port, bool) or not isinstance(port, int | float):
        reader.miss(f"regions.{name}.port")
        port = 0
    if not isinstance(alarms, list) or not all(isinstance(arn, str) for arn in alarms):
        reader.miss(f"regions.{name}.alarm_arns")
        alarms = []
    text = partial(reader.region_text, name)
    return RegionResources(
        name=name,
        region=text("region"),
        cluster_id=text("cluster_id"),
        cluster_arn=text("cluster_arn"),
        writer_endpoint=text("writer_endpoint"),
        reader_endpoint=text("reader_endpoint"),
        port=int(port),
        key_arn=text("key_arn"),
        secret_arn=text("secret_arn"),
        topic_arn=text("topic_arn"),
        table_name=text("table_name"),
        health_check=text("health_check_function_name"),
        controller=text("failover_controller_function_name"),
        # arn:aws:cloudwatch:<region>:<account>:alarm:<name>
        alarm_names=tuple(arn.split(":", 6)[-1] for arn in alarms),
    )
