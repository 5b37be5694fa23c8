"""The rules over several settings: what each may be alone, and yet not together.

Owns: the rules that refuse a configuration, and the doubts that only warn. Does not own: single values (`settings.types`).
Invariant: a rule names the settings that it reads, the one to change first, so that one which is wrong by itself isn't told
twice.
"""

import ipaddress
import re
from collections.abc import Iterator

from settings.model import RegionSettings, Settings
from settings.types import windows_overlap

RESERVED_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy", "Owner", "Name")
RESERVED_DATABASES = {"failover", "mysql", "sys", "information_schema", "performance_schema"}
RESERVED_USERS = {
    "health_check",
    "database_setup",
    "rdsadmin",
    "root",
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
}
ADVANCED_INSIGHTS_DAYS = 465

Broken = tuple[tuple[str, ...], str]
"""Which settings a rule reads, the one to change first; and what is wrong."""


def violations(s: Settings) -> Iterator[Broken]:
    """Yield each broken rule."""
    yield from _of_the_regions(s)
    for name, place, other in (("primary", s.primary, s.secondary), ("secondary", s.secondary, s.primary)):
        yield from _of_the_network(name, place, other)
        yield from _of_the_instances(name, place, is_production=s.is_production)
    yield from _of_the_database(s)
    yield from _of_the_users(s)
    yield from _of_the_stack(s)


def warnings(s: Settings) -> tuple[str, ...]:
    """Return a line for each setting that is allowed and likely to be regretted: `setting: what happens`."""
    return tuple(f"{setting}: {text}" for setting, text in _warnings(s))


def _warnings(s: Settings) -> Iterator[tuple[str, str]]:
    if s.backtrack_seconds:
        yield "rewind.method", "AWS will refuse backtrack: 'Backtrack is not supported for global databases'"
    if s.secondary.memory_gib < s.primary.memory_gib:
        wrong = f"{s.secondary.memory_gib:g} GiB of memory an instance, the primary has {s.primary.memory_gib:g}"
        which = "serverless" if s.secondary.serverless else "instance_class"
        yield f"secondary.{which}", f"{wrong}: after a failover it must carry the whole load"
    if s.is_production and not s.notifications.emails:
        yield "notifications.emails", "nobody hears of an alarm or of a failover"


def _partition(region: str) -> str:
    return next((prefix for prefix in ("cn-", "us-gov-", "us-iso") if region.startswith(prefix)), "aws")


def _of_the_regions(s: Settings) -> Iterator[Broken]:
    primary, secondary = s.primary, s.secondary
    regions = ("secondary.region", "primary.region")
    if secondary.region == primary.region:
        yield regions, f"{secondary.region} is the primary's region too; give another region, such as eu-west-1"
    elif _partition(secondary.region) != _partition(primary.region):
        yield regions, f"another partition of AWS than {primary.region}'s; give two regions of one partition"
    if ipaddress.IPv4Network(secondary.vpc_cidr).overlaps(ipaddress.IPv4Network(primary.vpc_cidr)):
        wrong = f"{secondary.vpc_cidr} overlaps primary.vpc_cidr {primary.vpc_cidr}, and such networks can't be peered"
        yield ("secondary.vpc_cidr", "primary.vpc_cidr"), f"{wrong}; give another, such as 10.20.0.0/16"
    here, there = primary.maintenance_window, secondary.maintenance_window
    if here and there and windows_overlap(here, there):
        wrong = f"{there} overlaps the primary's {here}, and no region would stand; give another time"
        yield ("secondary.maintenance_window", "primary.maintenance_window"), wrong
    if both := set(primary.client_security_groups) & set(secondary.client_security_groups):
        wrong = f"{', '.join(sorted(both))} given for the primary too, and a group is of one region"
        reads = ("secondary.client_security_groups", "primary.client_security_groups")
        yield reads, f"{wrong}; give this region's groups here"


def _of_the_network(name: str, place: RegionSettings, other: RegionSettings) -> Iterator[Broken]:
    zones, cidr = (f"{name}.availability_zones", f"{name}.region"), (f"{name}.vpc_cidr", f"{name}.existing_vpc")
    foreign = [zone for zone in place.availability_zones or () if not re.fullmatch(rf"{place.region}[a-z]", zone)]
    if foreign:
        yield zones, f"{', '.join(foreign)} not in {place.region}; give zones such as {place.region}a"
    prefix = ipaddress.IPv4Network(place.vpc_cidr).prefixlen
    if place.existing_vpc is None and prefix > 22:
        wrong = f"{place.vpc_cidr} is a /{prefix}; give a private network of /16 to /22, such as 10.10.0.0/16"
        yield cidr, wrong
    if place.existing_vpc and "vpc_cidr" not in place.model_fields_set:
        yield cidr, f"missing, and the other region needs it for its rules and routes; give {name}.existing_vpc's CIDR"
    if place.existing_vpc and place.availability_zones:
        wrong = "those of existing_vpc.subnet_ids are taken; leave it out"
        yield (f"{name}.availability_zones", f"{name}.existing_vpc"), wrong
    let_in = [cidr for cidr in place.client_cidrs if cidr in (place.vpc_cidr, other.vpc_cidr)]
    if let_in:
        wrong = f"{', '.join(let_in)} always reaches the database, and AWS takes a rule once; leave it out"
        yield (f"{name}.client_cidrs", f"{name}.vpc_cidr"), wrong


def _of_the_instances(name: str, place: RegionSettings, *, is_production: bool) -> Iterator[Broken]:
    serverless, backup, maintenance = place.serverless, place.backup_window, place.maintenance_window
    if serverless and "instance_class" in place.model_fields_set:
        wrong = f"{place.instance_class} and serverless are alternatives; leave one of them out"
        yield (f"{name}.instance_class", f"{name}.serverless"), wrong
    if serverless and serverless.max_acu < serverless.min_acu:
        wrong = (
            f"{serverless.max_acu:g} is less than min_acu {serverless.min_acu:g}; give {serverless.min_acu:g} or more"
        )
        yield (f"{name}.serverless.max_acu", f"{name}.serverless.min_acu"), wrong
    if backup and maintenance and windows_overlap(backup, maintenance):
        wrong = f"{backup} overlaps maintenance_window {maintenance}, which AWS refuses; give another time"
        yield (f"{name}.backup_window", f"{name}.maintenance_window"), wrong
    if is_production and place.instance_count < 2:
        wrong = "1 can't heal inside its region, and production must; give 2 or more"
        yield (f"{name}.instance_count", "environment"), wrong


def _of_the_database(s: Settings) -> Iterator[Broken]:
    database, kept_days = s.database, s.database.backup_retention_days
    if s.rewind.window_hours > kept_days * 24:
        wrong = f"{s.rewind.window_hours} hours is longer than the backups are kept ({kept_days} days)"
        yield ("rewind.window_hours", "database.backup_retention_days"), f"{wrong}; give {kept_days * 24} or less"
    if database.database_insights == "advanced" and database.insights_days != ADVANCED_INSIGHTS_DAYS:
        wrong = f"advanced needs performance_insights with a retention of {ADVANCED_INSIGHTS_DAYS} days"
        settings = ("database_insights", "performance_insights", "performance_insights_retention_days")
        yield tuple(f"database.{setting}" for setting in settings), f"{wrong}; give these, or standard"
    if both := set(database.cluster_parameters) & set(database.instance_parameters):
        wrong = f"{', '.join(sorted(both))} in cluster_parameters too, and this one would win; give each in one place"
        yield ("database.instance_parameters", "database.cluster_parameters"), wrong


def _of_the_users(s: Settings) -> Iterator[Broken]:
    database = s.database
    taken = "is taken by MySQL, Aurora or the health check; give another name"
    if database.name.lower() in RESERVED_DATABASES:
        yield ("database.name",), f"{database.name!r} {taken}"
    if database.master_username.lower() in RESERVED_USERS:
        yield ("database.master_username",), f"{database.master_username!r} {taken}"
    for user in database.iam_users:
        if user in RESERVED_USERS:
            yield (f"database.iam_users.{user}",), f"{user!r} {taken}"
        elif user == database.master_username.lower():
            wrong = f"{user!r} is the master user, who has a password; give a name of the person's own"
            yield (f"database.iam_users.{user}", "database.master_username"), wrong


def _of_the_stack(s: Settings) -> Iterator[Broken]:
    if s.is_production and not s.owner:
        wrong = "missing, and production needs one; give who answers for it, such as payments-team@bank.internal"
        yield ("owner", "environment"), wrong
    if s.is_production and "audit" not in s.logs.exports:
        yield ("logs.exports", "environment"), "production is audited; give audit too"
    if taken := [tag for tag in s.tags if tag in RESERVED_TAGS or tag.lower().startswith("aws:")]:
        needs = "use environment, project, team, cost_center, owner for ours, and no name that begins with aws:"
        yield ("tags",), f"{', '.join(taken)} can't be set here; {needs}"
