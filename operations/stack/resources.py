"""Identifiers of a stack's resources, from its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from operations.stack.outputs import CONFIGURED_REGIONS, OutputsReader

ROLE_ALARMS = ("writer-role", "reader-role")
"""Alarms that show the region's role: one of the two is always in ALARM, and neither is a fault."""


@dataclass(frozen=True, kw_only=True)
class RegionResources:
    """Resource identifiers of one region; `name` is its key in the outputs, not its role."""

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
        """Return the log groups of the functions and of the logs that the cluster exports."""
        functions = (f"/aws/lambda/{name}" for name in (self.health_check, self.controller))
        return (*functions, *(f"/aws/rds/cluster/{self.cluster_id}/{log}" for log in exports))


@dataclass(frozen=True, kw_only=True)
class StackResources:
    """Resource identifiers of a stack; the secondary region comes first."""

    global_cluster_id: str
    environment: str
    writer_name: str
    reader_name: str
    health_checks: Mapping[str, str]
    """Ids of the Route 53 health checks by name."""
    regions: tuple[RegionResources, ...]
    stack_name: str
    """The stack's name in Pulumi; in outputs of an older program, which have none, the environment."""
    database_setup: str = ""
    """The function that sets up the database; empty in outputs of an older program, like the hashes."""
    code_sha256: Mapping[str, str] = field(default_factory=dict)
    """The hash of each function's archive by the function's name."""

    @property
    def is_production(self) -> bool:
        """Whether resources that hold data must be protected."""
        return self.environment == "prod"

    @property
    def primary(self) -> RegionResources:
        """The primary region: the writer's at the first deployment, and before a destroy."""
        return next(each for each in self.regions if each.name == "primary")

    def in_region(self, region: str) -> RegionResources:
        """Return the resources of a region."""
        return next(each for each in self.regions if each.region == region)


def read_resources(outputs: object) -> StackResources:
    """Return the identifiers that the outputs contain.

    Raises:
        UsageProblemError: outputs are missing or malformed; the message names all of them.
    """
    reader = OutputsReader(outputs)
    regions = tuple(_region(name, reader) for name in CONFIGURED_REGIONS)
    checks = reader.outputs.get("health_check_ids")
    if not isinstance(checks, Mapping) or not all(isinstance(value, str) for value in checks.values()):
        reader.add_missing("health_check_ids")
        checks = {}
    hashes = reader.outputs.get("function_code_sha256")
    resources = StackResources(
        global_cluster_id=reader.text("global_cluster_id"),
        environment=reader.text("environment"),
        writer_name=reader.text("writer_dns_name"),
        reader_name=reader.text("reader_dns_name"),
        health_checks={str(name): str(check_id) for name, check_id in checks.items()},
        regions=regions,
        stack_name=str(reader.outputs.get("stack_name") or reader.outputs.get("environment") or ""),
        database_setup=str(reader.outputs.get("database_setup_function_name") or ""),
        code_sha256={str(name): str(value) for name, value in hashes.items()} if isinstance(hashes, Mapping) else {},
    )
    reader.finish()
    return resources


def _region(name: str, reader: OutputsReader) -> RegionResources:
    values = reader.region(name)
    port, alarms = values.get("port"), values.get("alarm_arns")
    if isinstance(port, bool) or not isinstance(port, int | float):
        reader.add_missing(f"regions.{name}.port")
        port = 0
    if not isinstance(alarms, list) or not all(isinstance(arn, str) for arn in alarms):
        reader.add_missing(f"regions.{name}.alarm_arns")
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
