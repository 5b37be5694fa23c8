"""The stack's configuration as a typed, frozen model.

Owns: every setting, its default, its limits, and the message that lists every mistake at once.
Does not own: what is built from the settings (`components/`), nor AWS's answers.
Invariant: a `Settings` that exists is one that the program can deploy; whatever is wrong is said before anything is
registered.
"""

import contextlib
import difflib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi.runtime.config as pulumi_config
from pulumi.runtime.settings import get_stack
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

PROJECT_NAMESPACE = "aurora-global-database"
PRODUCTION = "prod"
"""The environment that is protected, and the name of a stack that must be in it."""
RESERVED_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy", "Owner", "Name")
RESERVED_IN_DATABASE = {
    *("failover", "mysql", "sys", "information_schema", "performance_schema"),  # databases
    *("health_check", "rdsadmin", "root"),  # users
}
# The only retention periods that CloudWatch Logs takes. Source: PutRetentionPolicy, CloudWatch Logs API reference.
LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip


class SettingsError(ValueError):
    """Every mistake in a stack's settings, a line each: `setting: what is wrong; what would do`."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(mistakes))


def _matching(pattern: str, needs: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} won't do; {needs}")
        return value

    return AfterValidator(check)


def _private_network(value: str) -> str:
    """Refuse what is no private IPv4 network that holds three subnets. Source: VPC CIDR blocks, VPC user guide."""
    needs = "give a private network of /16 to /22, such as 10.10.0.0/16"
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no IPv4 network ({error}); {needs}") from error
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    if not any(network.subnet_of(ipaddress.IPv4Network(block)) for block in private):
        raise ValueError(f"{value} isn't a private network; {needs}")
    if not 16 <= network.prefixlen <= 22:
        raise ValueError(f"{value} is a /{network.prefixlen}; {needs}")
    return value


def _memory_optimised(value: str) -> str:
    """Refuse classes that a global database can't have. Source: Requirements of an Aurora global database."""
    needs = "give a memory-optimised class, db.r5 or newer, such as db.r6g.large"
    if value.startswith("db.t"):
        raise ValueError(f"{value} is a burstable class, which global databases don't support; {needs}")
    if not re.fullmatch(r"db\.(r([5-9]|\d{2,})|x\d)[a-z]*\.(large|\d*xlarge)", value):
        raise ValueError(f"{value!r} isn't a class that global databases support; {needs}")
    return value


def _zones(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != 3 or len(value) != 3:
        raise ValueError(f"{len(set(value))} different zones given; give three, or leave it out to have AWS asked")
    return value


def _zone_name(value: str) -> str:
    needs = "give a name of your own, such as payments-dev.internal"
    if not re.fullmatch(
        r"(?=.{3,200}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+", value
    ):
        raise ValueError(f"{value!r} isn't a domain name in lower case; {needs}")
    if re.fullmatch(r"(.+\.)?example\.(com|net|org)", value):
        raise ValueError(f"{value} is reserved for documentation, and AWS refuses it; {needs}")
    return value


def _name(*, up_to: int) -> AfterValidator:
    """Bound the parts of physical names; the longest: IAM's `{project}-failover-controller-{region}-{environment}`."""
    return _matching(rf"(?=.{{1,{up_to}}}$)[a-z](-?[a-z0-9])*", f"give up to {up_to} of a-z, 0-9 and single hyphens")


_TAG_TEXT = "give 1 to 128 letters, digits, spaces and + - = . _ : / @"
Region = Annotated[str, _matching(r"[a-z]{2}(-[a-z]+){1,2}-\d", "give a region's code, such as eu-west-1")]
TagText = Annotated[str, _matching(r"[\w\s+\-=.:/@]{1,128}", _TAG_TEXT)]
Email = Annotated[str, _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "give an e-mail address")]


def _insights_retention(days: int) -> int:
    if days not in {7, 731} and days not in range(31, 714, 31):
        raise ValueError(f"{days} won't do; give 7, 731, or a multiple of 31 up to 713")
    return days


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RegionSettings(_Section):
    """One region of the database: its network and its instances."""

    region: Region
    vpc_cidr: Annotated[str, AfterValidator(_private_network)]
    availability_zones: Annotated[tuple[str, ...], AfterValidator(_zones)] | None = None
    instance_class: Annotated[str, AfterValidator(_memory_optimised)] = "db.r6g.large"
    instance_count: int = Field(default=2, ge=1, le=15)


class PrimarySettings(RegionSettings):
    """The region where the writer lives on day one."""

    region: Region = "us-east-1"
    vpc_cidr: Annotated[str, AfterValidator(_private_network)] = "10.10.0.0/16"


class SecondarySettings(RegionSettings):
    """The region that stands by on day one."""

    region: Region = "eu-west-1"
    vpc_cidr: Annotated[str, AfterValidator(_private_network)] = "10.20.0.0/16"


class DatabaseSettings(_Section):
    """The database itself, the same in both regions."""

    engine_version: Annotated[
        str, _matching(r"8\.0\.mysql_aurora\.3\.10\.\d+", "give one exact version, such as 8.0.mysql_aurora.3.10.4")
    ] = "8.0.mysql_aurora.3.10.4"
    name: Annotated[
        str, _matching(r"[A-Za-z][A-Za-z0-9_]{0,63}", "give a letter, then letters, digits, underscores")
    ] = "payments"
    master_username: Annotated[
        str, _matching(r"[A-Za-z][A-Za-z0-9_]{0,15}", "give a letter, then up to 15 letters, digits, underscores")
    ] = "dbadmin"
    port: int = Field(default=3306, ge=1150, le=65535)
    backup_retention_days: int = Field(default=7, ge=7, le=35)
    performance_insights: bool = True
    performance_insights_retention_days: Annotated[int, AfterValidator(_insights_retention)] = 7
    monitoring_interval_seconds: Literal[1, 5, 10, 15, 30, 60] = 60

    @property
    def insights_days(self) -> int | None:
        """How long Performance Insights keeps what it saw; None when it is off."""
        return self.performance_insights_retention_days if self.performance_insights else None


class RewindSettings(_Section):
    """How far back the writer's data can be rewound, and by which means (docs/decisions.md says why two)."""

    window_hours: int = Field(default=24, ge=1, le=72)
    method: Literal["point-in-time", "backtrack"] = "point-in-time"


class FailoverSettings(_Section):
    """When the standby region may take over."""

    mode: Literal["automatic", "approve", "observe"] = "automatic"
    beat_seconds: float = Field(default=10, ge=0.2, le=30)
    failures_to_act: int = Field(default=3, ge=2, le=30)
    in_region_grace_seconds: int = Field(default=120, ge=0, le=3600)
    cooldown_seconds: int = Field(default=900, ge=0, le=86400)
    max_data_loss_seconds: int = Field(default=60, ge=0, le=86400)


class DnsSettings(_Section):
    """The private zone that both networks see."""

    zone_name: Annotated[str, AfterValidator(_zone_name)] | None = None


class LogSettings(_Section):
    """How long logs are kept."""

    retention_days: LogRetentionDays = 30


class NotificationSettings(_Section):
    """Who hears of alarms and of every change of roles."""

    emails: tuple[Email, ...] = ()


class Settings(_Section):
    """Everything that a stack can be told."""

    environment: Annotated[str, _name(up_to=12)] = "dev"
    project: Annotated[str, _name(up_to=16)] = "payments"
    team: TagText = "platform"
    cost_center: TagText = "unassigned"
    owner: TagText | None = None
    primary: PrimarySettings = PrimarySettings()
    secondary: SecondarySettings = SecondarySettings()
    database: DatabaseSettings = DatabaseSettings()
    rewind: RewindSettings = RewindSettings()
    failover: FailoverSettings = FailoverSettings()
    dns: DnsSettings = DnsSettings()
    logs: LogSettings = LogSettings()
    notifications: NotificationSettings = NotificationSettings()
    tags: dict[TagText, Annotated[str, _matching(r"[\w\s+\-=.:/@]{0,256}", _TAG_TEXT)]] = {}

    @property
    def is_production(self) -> bool:
        """Whether what holds data is protected from deletion; any other stack can always be destroyed."""
        return self.environment == PRODUCTION

    @property
    def stack_names(self) -> dict[str, Any]:
        """What names are made of, and whether what they name is protected."""
        return {"project": self.project, "environment": self.environment, "is_production": self.is_production}

    @property
    def backtrack_seconds(self) -> int | None:
        """The primary cluster's backtrack window; none with the method that AWS accepts in a global database."""
        return self.rewind.window_hours * 3600 if self.rewind.method == "backtrack" else None

    @property
    def zone_name(self) -> str:
        """The private zone's name; under `.internal`, which no public registry will ever hand out."""
        return self.dns.zone_name or f"{self.project}-{self.environment}.internal"

    @property
    def default_tags(self) -> dict[str, str]:
        """The tags that every resource carries, in both regions."""
        owner = {"Owner": self.owner} if self.owner else {}
        return {
            **self.tags,
            "Environment": self.environment,
            "Project": self.project,
            "Team": self.team,
            "CostCenter": self.cost_center,
            "ManagedBy": "Pulumi",
            **owner,
        }


def _partition(region: str) -> str:
    return next((prefix for prefix in ("cn-", "us-gov-", "us-iso") if region.startswith(prefix)), "aws")


def _across(s: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each broken rule over several settings: which ones it reads, the one to change first, and what is wrong."""
    primary, secondary, kept_days = s.primary, s.secondary, s.database.backup_retention_days
    regions = ("secondary.region", "primary.region")
    if secondary.region == primary.region:
        yield regions, f"{secondary.region} is the primary's region too; give another region, such as eu-west-1"
    elif _partition(secondary.region) != _partition(primary.region):
        yield regions, f"another partition of AWS than {primary.region}'s; give two regions of one partition"
    if ipaddress.IPv4Network(secondary.vpc_cidr).overlaps(ipaddress.IPv4Network(primary.vpc_cidr)):
        wrong = f"{secondary.vpc_cidr} overlaps primary.vpc_cidr {primary.vpc_cidr}, and such networks can't be peered"
        yield ("secondary.vpc_cidr", "primary.vpc_cidr"), f"{wrong}; give another, such as 10.20.0.0/16"
    for name, place in (("primary", primary), ("secondary", secondary)):
        foreign = [zone for zone in place.availability_zones or () if not re.fullmatch(rf"{place.region}[a-z]", zone)]
        if foreign:
            wrong = f"{', '.join(foreign)} not in {place.region}; give zones such as {place.region}a"
            yield (f"{name}.availability_zones", f"{name}.region"), wrong
    if s.rewind.window_hours > kept_days * 24:
        wrong = f"{s.rewind.window_hours} hours is longer than the backups are kept ({kept_days} days)"
        yield ("rewind.window_hours", "database.backup_retention_days"), f"{wrong}; give {kept_days * 24} or less"
    if s.is_production and not s.owner:
        wrong = "missing, and production needs one; give who answers for it, such as payments-team@bank.internal"
        yield ("owner", "environment"), wrong
    for name, value in (("name", s.database.name), ("master_username", s.database.master_username)):
        if value.lower() in RESERVED_IN_DATABASE:
            yield (f"database.{name}",), f"{value!r} is taken by MySQL, Aurora or the health check; give another name"
    if taken := [tag for tag in s.tags if tag in RESERVED_TAGS or tag.lower().startswith("aws:")]:
        needs = "use environment, project, team, cost_center, owner for ours, and no name that begins with aws:"
        yield ("tags",), f"{', '.join(taken)} can't be set here; {needs}"


def load_settings(config: Mapping[str, object]) -> Settings:
    """Return the settings that a configuration means; nested settings are mappings, as Pulumi parses them.

    Raises: SettingsError, whose text lists every mistake, a line each.
    """
    try:
        settings, mistakes = Settings.model_validate(dict(config)), {}
    except ValidationError as error:
        mistakes = {_path(detail): _in_words(detail, config) for detail in error.errors()}
        # The rules over several settings run on what did parse: what is wrong is left out, and its default stands in.
        settings = Settings.model_validate(_without(config, [detail["loc"] for detail in error.errors()]))
    for reads, text in _across(settings):
        if not any(_touches(setting, wrong) for setting in reads for wrong in tuple(mistakes)):
            mistakes[reads[0]] = text
    if mistakes:
        raise SettingsError([f"{setting}: {text}" for setting, text in mistakes.items()])
    return settings


def stack_settings() -> Settings:
    """Return the settings of the stack that is being deployed, from Pulumi's configuration of this project.

    Raises: SettingsError, also for a nested setting that isn't an object, and for a stack named prod that isn't production:
    the engine allows to replace in the same run that takes the protection away.
    """
    settings = settings_of({**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()})
    if get_stack() == PRODUCTION and not settings.is_production:
        wrong = (
            f"{settings.environment!r}, but the stack is named {PRODUCTION}, and all that holds data would be replaced"
        )
        raise SettingsError([f"environment: {wrong}; give {PRODUCTION}, or deploy another stack"])
    return settings


def settings_of(stored: Mapping[str, Any]) -> Settings:
    """Return the settings in a stack's configuration as Pulumi stores it: full keys, objects as JSON texts.

    Raises: SettingsError.
    """
    return load_settings(dict(_of_this_project(stored)))


def _of_this_project(stored: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    nested = {name for name, field in Settings.model_fields.items() if name == "tags" or _is_section(field.annotation)}
    for key, value in stored.items():
        namespace, _, name = key.partition(":")
        if namespace != PROJECT_NAMESPACE:
            continue
        if name in nested and isinstance(value, str):
            with contextlib.suppress(ValueError):  # Left as it is: the model then says that it must be an object.
                value = json.loads(value)
        yield name, value


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, _Section)


def _path(detail: ErrorDetails) -> str:
    return ".".join(str(part) for part in detail["loc"] if part != "[key]")


def _touches(setting: str, other: str) -> bool:
    return f"{setting}.".startswith(f"{other}.") or f"{other}.".startswith(f"{setting}.")


def _in_words(detail: ErrorDetails, config: Mapping[str, object]) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown(detail)
    if kind in ("greater_than_equal", "less_than_equal"):
        limit, direction = (context["ge"], "more") if "ge" in context else (context["le"], "less")
        return f"{given} is out of range; give {limit:g} or {direction}"
    if kind == "literal_error":
        return f"{given!r} won't do; give {context['expected']}"
    if kind in ("model_type", "dict_type"):
        return f"{given!r} isn't an object; give its settings below it (pulumi config set --path)"
    if kind in ("tuple_type", "list_type"):
        return f"{given!r} isn't a list; give a list"
    wanted = {"string": "a text", "int": "a whole number", "float": "a number", "bool": "true or false"}
    return f"{given!r} has the wrong type; give {wanted.get(kind.split('_')[0], detail['msg'].lower())}"


def _unknown(detail: ErrorDetails) -> str:
    *parents, name = [str(part) for part in detail["loc"]]
    model: type[BaseModel] = Settings
    for parent in parents:
        annotation = model.model_fields[parent].annotation
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else model
    near = difflib.get_close_matches(name.split(".")[0], model.model_fields, n=1, cutoff=0.5)
    known = ", ".join(model.model_fields)
    hint = f"did you mean {'.'.join([*parents, near[0]])}?" if near else f"give one of {known}"
    return f"no such setting; {hint}"


def _without(config: Mapping[str, object], wrong: list[tuple[int | str, ...]]) -> dict[str, Any]:
    """Return a copy of the configuration in which the settings at the given places are left out."""
    clean = json.loads(json.dumps(config, default=str))
    for place in wrong:
        parent: Any = clean
        # A mistake inside a list or a map of texts drops the whole of it: its neighbours mean nothing alone.
        depth = next(
            (i for i, part in enumerate(place) if isinstance(part, int) or (i and place[0] == "tags")), len(place)
        )
        *path, last = place[:depth]
        for part in path:
            parent = parent.get(part, {}) if isinstance(parent, dict) else {}
        if isinstance(parent, dict):
            parent.pop(last, None)
    return clean
