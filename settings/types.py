"""The types of single settings: format, limits and the text of each mistake."""

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

# The retention periods that CloudWatch Logs allows. Source: PutRetentionPolicy, CloudWatch Logs API reference.
LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip

# Source: CreateDBCluster, EnableCloudwatchLogsExports: the values for Aurora MySQL.
LogExport = Literal["audit", "error", "general", "iam-db-auth-error", "instance", "slowquery"]

# Source: Certificate authorities, Using SSL/TLS to encrypt a connection to a DB cluster.
CertificateAuthority = Literal["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"]

# The regions whose certificate authorities are in functions/certificates: without them no function could connect with TLS.
# A test compares the two. The partitions of China, GovCloud and the isolated regions have other service principals and endpoints.
REGIONS = (
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
_OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-iso", "eusc-")

# The failover and the audit depend on these, so the program sets them in both regions.
OWN_PARAMETERS = ("require_secure_transport", "binlog_format", "event_scheduler", "server_audit_logging")

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES


def matching(pattern: str, fix: str) -> AfterValidator:
    """Return a check that a string matches the pattern."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} is not allowed. {fix}")
        return value

    return AfterValidator(check)


def physical_name(*, up_to: int) -> AfterValidator:
    """Return a check that limits a part of a physical name.

    The longest name is IAM's `{project}-failover-controller-{region}-{environment}`.
    """
    return matching(rf"(?=.{{1,{up_to}}}$)[a-z](-?[a-z0-9])*", f"Use up to {up_to} of a-z, 0-9 and single hyphens.")


def _region_code(value: str) -> str:
    """Return a region in which the functions can verify the database's certificate."""
    if value.startswith(_OTHER_PARTITIONS):
        raise ValueError(
            f"{value} is in another AWS partition (China, GovCloud or isolated), which this program does not support. "
            "Use a commercial region, such as eu-west-1."
        )
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+){1,2}-\d", value):
        raise ValueError(f"{value!r} is not allowed. Use a region code, such as eu-west-1.")
    if value not in REGIONS:
        raise ValueError(
            f"{value} has no certificate authority in functions/certificates, so no function could connect to the "
            "database. Use a region of docs/reference/settings.md, such as eu-west-1."
        )
    return value


def _account_text(value: object) -> object:
    # `pulumi config set --path` and YAML store digits without quotes as a number.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


PRIVATE_RANGES = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
"""The addresses that the internet does not route. Source: RFC 1918, RFC 6598."""


def _private_network(value: str) -> str:
    """Return a network that a VPC can have. Source: VPC CIDR blocks, VPC user guide."""
    fix = "Use a private network of /16 to /22, such as 10.10.0.0/16."
    network = _network(value, fix)
    if not any(network.subnet_of(ipaddress.IPv4Network(block)) for block in PRIVATE_RANGES):
        raise ValueError(f"{value} is not a private network. {fix}")
    if not 16 <= network.prefixlen <= 28:
        raise ValueError(f"{value} is a /{network.prefixlen}. {fix}")
    return value


def _client_network(value: str) -> str:
    fix = "Use the clients' networks, such as 10.50.0.0/16."
    if _network(value, fix).prefixlen < 8:
        raise ValueError(f"{value} is larger than /8. {fix}")
    return value


def _network(value: str, fix: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an IPv4 network ({error}). {fix}") from error


def _instance_class(value: str) -> str:
    """Return a class that a global database supports. Source: Requirements of an Aurora global database."""
    fix = "Use a memory-optimised class, db.r5 or newer, such as db.r6g.large."
    if value == "db.serverless":
        raise ValueError(
            "the program sets db.serverless from a capacity. Use serverless.min_acu and serverless.max_acu instead."
        )
    if value.startswith("db.t"):
        raise ValueError(f"{value} is a burstable class, which global databases do not support. {fix}")
    if not re.fullmatch(r"db\.(r([5-9]|\d{2,})|x\d)[a-z]*\.(large|\d*xlarge)", value):
        raise ValueError(f"{value!r} is not a class that global databases support. {fix}")
    return value


def class_memory_gib(instance_class: str) -> float:
    """Return the memory of an instance class: 8 GiB per vCPU, 16 in the x families. Source: Aurora DB instance classes."""
    family, size = instance_class.removeprefix("db.").split(".")
    vcpus = 2 if size == "large" else 4 * int(size.removesuffix("xlarge") or 1)
    return vcpus * (16 if family.startswith("x") else 8)


AWS_DOMAINS = (
    "amazon.com",
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "amazoncognito.com",
    "api.aws",
    "awsapps.com",
    "cloudfront.net",
    "compute.internal",
    "ec2.internal",
    "on.aws",
)
"""Domains of AWS's endpoints, and of the names that a VPC gives to its instances."""

# Source: ICANN reserved .internal in 2024; RFC 6762 appendix G and RFC 8375 name the others.
PRIVATE_SUFFIXES = ("internal", "intranet", "private", "corp", "home", "lan", "local", "home.arpa", "test")


def is_within(name: str, domain: str) -> bool:
    """Return whether a name is a domain, or below it."""
    return f".{name}".endswith(f".{domain}")


def _zone_name(value: str) -> str:
    fix = "Use your own name, such as payments-dev.internal."
    if not re.fullmatch(
        r"(?=.{3,200}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+", value
    ):
        raise ValueError(f"{value!r} is not a lower-case domain name. {fix}")
    if re.fullmatch(r"(.+\.)?example\.(com|net|org)", value):
        raise ValueError(f"{value} is reserved for documentation, and AWS refuses it. {fix}")
    if domain := next((domain for domain in AWS_DOMAINS if is_within(value, domain)), ""):
        raise ValueError(
            f"{value} is in AWS's own domain {domain}: in both VPCs its other names would stop resolving. {fix}"
        )
    return value


def _insights_retention(days: int) -> int:
    if days not in {7, 731} and days not in range(31, 714, 31):
        raise ValueError(f"{days} is not allowed. Use 7, 731, or a multiple of 31 up to 713.")
    return days


def _half_acu(acu: float) -> float:
    if acu * 2 != int(acu * 2):
        raise ValueError(f"{acu:g} is not a multiple of 0.5. Use {int(acu * 2) / 2:g} or {int(acu * 2 + 1) / 2:g}.")
    return acu


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({item for item in value if value.count(item) > 1}):
        raise ValueError(f"{', '.join(twice)} given twice. Remove the duplicate.")
    return value


def _three_different(noun: str, fix: str) -> AfterValidator:
    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != 3 or len(value) != 3:
            raise ValueError(f"{len(set(value))} different {noun} given. {fix}")
        return value

    return AfterValidator(check)


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("the list is empty. Use at least one entry, or remove the setting.")
    return value


def window_minutes(window: str) -> tuple[tuple[int, int], ...]:
    """Return the intervals of a window in minutes from Monday 00:00 UTC; the end may lie past Sunday.

    A backup window (`03:00-03:30`) is daily, a maintenance window (`sun:04:00-sun:04:30`) weekly.
    """
    (start, start_day), (end, end_day) = (_day_and_minute(text) for text in window.split("-"))
    period = _DAY_MINUTES if start_day is None else _WEEK_MINUTES
    length = (end + (end_day or 0) * _DAY_MINUTES - start - (start_day or 0) * _DAY_MINUTES) % period
    days = range(7) if start_day is None else (start_day,)
    return tuple((day * _DAY_MINUTES + start, day * _DAY_MINUTES + start + length) for day in days)


def windows_overlap(one: str, other: str) -> bool:
    """Return whether two windows overlap."""
    return any(
        start < other_end + shift and other_start + shift < end
        for start, end in window_minutes(one)
        for other_start, other_end in window_minutes(other)
        for shift in (-_WEEK_MINUTES, 0, _WEEK_MINUTES)
    )


def window_minutes_long(window: str) -> int:
    """Return the length of a window in minutes."""
    start, end = window_minutes(window)[0]
    return end - start


def weekly_window(window: str, *, after: int, lasting: int) -> str:
    """Return a weekly window that starts a number of minutes after another one, and lasts a number of minutes."""
    start = window_minutes(window)[0][0] + after
    return "-".join(_weekly_time(minute) for minute in (start, start + lasting))


def _weekly_time(minute: int) -> str:
    day, rest = divmod(minute % _WEEK_MINUTES, _DAY_MINUTES)
    return f"{_DAYS[day]}:{rest // 60:02}:{rest % 60:02}"


def _day_and_minute(text: str) -> tuple[int, int | None]:
    *day, hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes), _DAYS.index(day[0]) if day else None


def _long_enough(window: str) -> str:
    """Return a window of 30 minutes to 24 hours. Source: CreateDBCluster, PreferredBackupWindow and PreferredMaintenanceWindow."""
    start, end = window_minutes(window)[0]
    if end - start < 30:
        raise ValueError(f"{window} lasts {end - start} minutes. Use 30 or more.")
    if end - start > _DAY_MINUTES:
        raise ValueError(f"{window} lasts longer than a day. Use 24 hours or less.")
    return window


def _parameter_text(value: object) -> object:
    # YAML reads ON as true; MySQL accepts 1 for it.
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value}" if isinstance(value, int | float) else value


def _stack_parameter(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{1,63}", name):
        raise ValueError(f"{name!r} is not a parameter name. Use MySQL's spelling, such as max_connections.")
    if name in OWN_PARAMETERS:
        raise ValueError(
            f"{name} is set by the program, because the failover or the audit depends on it. Remove this parameter."
        )
    return name


_TAG_FIX = "Use 1 to 128 letters, digits, spaces and + - = . _ : / @."
_TIME = r"([01]\d|2[0-3]):[0-5]\d"
_DAY = f"({'|'.join(_DAYS)})"

RegionCode = Annotated[str, AfterValidator(_region_code)]
TagText = Annotated[str, matching(r"[\w\s+\-=.:/@]{1,128}", _TAG_FIX)]
TagValue = Annotated[str, matching(r"[\w\s+\-=.:/@]{0,256}", _TAG_FIX)]
IgnoredTag = Annotated[str, matching(r"[\w\s+\-=.:/@]{1,128}\*?", f"{_TAG_FIX} A * at the end stands for any text.")]
AccountId = Annotated[
    str, BeforeValidator(_account_text), matching(r"\d{12}", "Use the 12 digits of the account's id, in quotes.")
]
ProfileName = Annotated[
    str, matching(r"\S+", "Use the name of a profile in the AWS configuration files, without spaces.")
]
RoleArn = Annotated[
    str,
    matching(
        r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", "Use a role's ARN, such as arn:aws:iam::111122223333:role/deployer."
    ),
]
RoleArns = Annotated[tuple[RoleArn, ...], AfterValidator(_each_once)]
Email = Annotated[str, matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "Use an e-mail address.")]
PrivateNetwork = Annotated[str, AfterValidator(_private_network)]
ClientNetworks = Annotated[tuple[Annotated[str, AfterValidator(_client_network)], ...], AfterValidator(_each_once)]
Zones = Annotated[tuple[str, ...], _three_different("zones", "Use three, or remove the setting to let AWS choose.")]
InstanceClass = Annotated[str, AfterValidator(_instance_class)]
ZoneName = Annotated[str, AfterValidator(_zone_name)]
InsightsRetentionDays = Annotated[int, AfterValidator(_insights_retention)]
Acu = Annotated[float, AfterValidator(_half_acu)]
BackupWindow = Annotated[
    str,
    matching(f"{_TIME}-{_TIME}", "Use hours and minutes in UTC, such as 03:00-03:30."),
    AfterValidator(_long_enough),
]
MaintenanceWindow = Annotated[
    str,
    matching(f"{_DAY}:{_TIME}-{_DAY}:{_TIME}", "Use days and times in UTC, such as sun:04:00-sun:04:30."),
    AfterValidator(_long_enough),
]
_Group = Annotated[str, matching(r"sg-[0-9a-f]{8,17}", "Use a security group id, such as sg-0a1b2c3d4e5f60718.")]
SecurityGroups = Annotated[tuple[_Group, ...], AfterValidator(_each_once)]
VpcId = Annotated[str, matching(r"vpc-[0-9a-f]{8,17}", "Use a VPC id, such as vpc-0a1b2c3d4e5f60718.")]
PeeringId = Annotated[str, matching(r"pcx-[0-9a-f]{8,17}", "Use a peering's id, such as pcx-0a1b2c3d4e5f60718.")]
_Subnet = Annotated[str, matching(r"subnet-[0-9a-f]{8,17}", "Use a subnet id, such as subnet-0a1b2c3d4e5f60718.")]
Subnets = Annotated[tuple[_Subnet, ...], _three_different("subnets", "Use three, one in each of three zones.")]
_RouteTable = Annotated[str, matching(r"rtb-[0-9a-f]{8,17}", "Use a route table id, such as rtb-0a1b2c3d4e5f60718.")]
RouteTables = Annotated[tuple[_RouteTable, ...], AfterValidator(_each_once), AfterValidator(_not_empty)]
ParameterName = Annotated[str, AfterValidator(_stack_parameter)]
ParameterValue = Annotated[str, BeforeValidator(_parameter_text)]
DatabaseUser = Annotated[
    str, matching(r"[a-z][a-z0-9_.-]{0,31}", "Use up to 32 of a-z, 0-9, dot, underscore and hyphen, a letter first.")
]
EngineVersion = Annotated[
    str, matching(r"8\.0\.mysql_aurora\.3\.10\.\d+", "Use one exact version, such as 8.0.mysql_aurora.3.10.4.")
]
DatabaseName = Annotated[
    str, matching(r"[A-Za-z][A-Za-z0-9_]{0,63}", "Use a letter, then letters, digits or underscores.")
]
MasterUsername = Annotated[
    str, matching(r"[A-Za-z][A-Za-z0-9_]{0,15}", "Use a letter, then up to 15 letters, digits or underscores.")
]
LogExports = Annotated[tuple[LogExport, ...], AfterValidator(_each_once)]
EnvironmentName = Annotated[str, physical_name(up_to=12)]
ProjectName = Annotated[str, physical_name(up_to=16)]
