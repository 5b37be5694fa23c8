"""What a stack shows of itself in its outputs, for the commands that look at all of it.

Owns reading the outputs that `status`, `verify` and `preflight --destroy` need beyond those of `deployment.py`. Does no
I/O. Invariant: a surface is complete; whatever is missing is named, all of it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .outcome import UsageProblemError

CLUSTER_LOGS = ("audit", "error", "slowquery")
ROLE_ALARMS = ("writer-role", "reader-role")
"""The alarms that tell a role: one of the two is always on, and neither is a fault."""


@dataclass(frozen=True, kw_only=True)
class RegionSurface:
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

    @property
    def log_groups(self) -> tuple[str, ...]:
        """The log groups of this region's functions and cluster."""
        functions = (f"/aws/lambda/{name}" for name in (self.health_check, self.controller))
        return (*functions, *(f"/aws/rds/cluster/{self.cluster_id}/{log}" for log in CLUSTER_LOGS))


@dataclass(frozen=True, kw_only=True)
class Surface:
    """The whole stack; the region that is the standby on day one comes first."""

    global_cluster_id: str
    environment: str
    writer_name: str
    reader_name: str
    health_checks: Mapping[str, str]
    """What is checked -> the id of the Route 53 health check."""
    regions: tuple[RegionSurface, ...]

    @property
    def is_production(self) -> bool:
        """Whether what holds data is to be protected."""
        return self.environment == "prod"

    @property
    def home(self) -> RegionSurface:
        """The region where the writer lives on day one, and before a destroy."""
        return next(each for each in self.regions if each.name == "primary")

    def in_region(self, region: str) -> RegionSurface:
        """Return the part in a region of this stack."""
        return next(each for each in self.regions if each.region == region)


def read_surface(outputs: object) -> Surface:
    """Return what the outputs show.

    Raises:
        UsageProblemError: naming every output that is missing or malformed.
    """
    source = outputs if isinstance(outputs, Mapping) else {}
    problems: list[str] = []
    by_name = source.get("regions")
    regions = []
    for name in ("secondary", "primary"):
        values = by_name.get(name) if isinstance(by_name, Mapping) else None
        regions.append(_region(name, values if isinstance(values, Mapping) else {}, problems))
    checks = source.get("health_check_ids")
    if not isinstance(checks, Mapping) or not all(isinstance(value, str) for value in checks.values()):
        problems.append("health_check_ids")
        checks = {}
    surface = Surface(
        global_cluster_id=_text(source, "global_cluster_id", "", problems),
        environment=_text(source, "environment", "", problems),
        writer_name=_text(source, "writer_dns_name", "", problems),
        reader_name=_text(source, "reader_dns_name", "", problems),
        health_checks={str(what): str(check_id) for what, check_id in checks.items()},
        regions=tuple(regions),
    )
    if problems:
        raise UsageProblemError(
            f"these outputs are missing or malformed: {', '.join(problems)}",
            cure="Give the outputs of a stack of this program that is up: `pulumi stack output --json`.",
        )
    return surface


def _region(name: str, values: Mapping[object, object], problems: list[str]) -> RegionSurface:
    where = f"regions.{name}"
    port, alarms = values.get("port"), values.get("alarm_arns")
    if isinstance(port, bool) or not isinstance(port, int | float):
        problems.append(f"{where}.port")
        port = 0
    if not isinstance(alarms, list) or not all(isinstance(arn, str) for arn in alarms):
        problems.append(f"{where}.alarm_arns")
        alarms = []
    return RegionSurface(
        name=name,
        region=_text(values, "region", where, problems),
        cluster_id=_text(values, "cluster_id", where, problems),
        cluster_arn=_text(values, "cluster_arn", where, problems),
        writer_endpoint=_text(values, "writer_endpoint", where, problems),
        reader_endpoint=_text(values, "reader_endpoint", where, problems),
        port=int(port),
        key_arn=_text(values, "key_arn", where, problems),
        secret_arn=_text(values, "secret_arn", where, problems),
        topic_arn=_text(values, "topic_arn", where, problems),
        table_name=_text(values, "table_name", where, problems),
        health_check=_text(values, "health_check_function_name", where, problems),
        controller=_text(values, "failover_controller_function_name", where, problems),
        # arn:aws:cloudwatch:<region>:<account>:alarm:<name>
        alarm_names=tuple(arn.split(":", 6)[-1] for arn in alarms),
    )


def _text(values: Mapping[object, object], name: str, where: str, problems: list[str]) -> str:
    value = values.get(name)
    if isinstance(value, str) and value:
        return value
    problems.append(f"{where}.{name}" if where else name)
    return ""
