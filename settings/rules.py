"""The rules that involve several settings. A violation rejects the configuration; a warning does not.

Each rule names every setting that it reads, so that an invalid setting is not reported twice.
"""

import ipaddress
import re
from collections.abc import Iterator

from settings.model import AUDIT_RETENTION_DAYS, RegionSettings, Settings
from settings.reserved_words import RESERVED_WORDS
from settings.types import PRIVATE_SUFFIXES, is_within, window_minutes_long, windows_overlap

RESERVED_TAGS = ("Environment", "Project", "Team", "CostCenter", "ManagedBy", "Owner", "Name")
MAXIMUM_TAGS = 10
"""The tags of a hosted zone or a health check; other services take 50. Source: ChangeTagsForResource, Route 53 API Reference."""
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
MOST_MAINTENANCE_MINUTES = 24 * 60
"""All windows of a region: the other region has the next day."""

EXAMPLE_REGIONS = ("eu-west-1", "us-east-1")
EXAMPLE_NETWORKS = ("10.20.0.0/16", "10.10.0.0/16", "172.16.0.0/16")

Violation = tuple[tuple[str, ...], str]
"""The settings that a rule reads, first the one to change; and the text of the mistake."""


def violations(s: Settings) -> Iterator[Violation]:
    """Yield each violated rule."""
    yield from _of_the_account(s)
    yield from _of_the_regions(s)
    for name, region, other in (("primary", s.primary, s.secondary), ("secondary", s.secondary, s.primary)):
        yield from _of_the_network(name, region, other)
        yield from _of_the_instances(name, region, is_production=s.is_production)
    yield from _of_the_database(s)
    yield from _of_the_users(s)
    yield from _of_the_stack(s)


def warnings(s: Settings) -> tuple[str, ...]:
    """Return a line for each setting that is allowed but risky."""
    return tuple(f"{setting}: {text}" for setting, text in _warnings(s))


def _warnings(s: Settings) -> Iterator[tuple[str, str]]:
    if s.backtrack_seconds:
        yield (
            "rewind.method",
            "AWS refuses backtrack: 'Backtrack is not supported for global databases'. Use point-in-time.",
        )
    if s.secondary.memory_gib < s.primary.memory_gib:
        wrong = f"{s.secondary.memory_gib:g} GiB of memory per instance, but the primary has {s.primary.memory_gib:g}"
        which = "serverless" if s.secondary.serverless else "instance_class"
        yield f"secondary.{which}", f"{wrong}. Use as much: after a failover the secondary carries the whole load."
    if not any(is_within(s.zone_name, suffix) for suffix in PRIVATE_SUFFIXES):
        wrong = f"a private zone hides the public one: in both VPCs every other name of {s.zone_name} stops resolving"
        yield "dns.zone_name", f"{wrong}. Use a name under .internal, or a subdomain that holds nothing else."
    for label, region in (("primary", s.primary), ("secondary", s.secondary)):
        if s.is_production and not region.availability_zones:
            wrong = (
                f"each deployment asks {region.region} for them, so nothing can be deployed while that region is lost"
            )
            yield f"{label}.availability_zones", f"{wrong}. Set the zones that `preflight` prints."
    if s.is_production and not s.notifications.emails:
        yield "notifications.emails", "no one is notified of an alarm or a failover. Set an e-mail address."


def _of_the_account(s: Settings) -> Iterator[Violation]:
    account, role = s.aws.account_id, s.aws.assume_role_arn
    if s.is_production and account is None:
        wrong = (
            "missing, but production requires it. Set the account's id, so that no other account can be deployed to."
        )
        yield ("aws.account_id", "environment"), wrong
    readers = s.database.master_password_readers
    if role and readers and role not in readers:
        wrong = f"{role} of aws.assume_role_arn is missing, but each deployment reads the secret. Add it."
        yield ("database.master_password_readers", "aws.assume_role_arn"), wrong
    if account and role and role.split(":")[4] != account:
        wrong = f"the role is not in aws.account_id {account}. Use a role of that account, or correct the account."
        yield ("aws.assume_role_arn", "aws.account_id"), wrong
    own = [tag for tag in (*s.default_tags, "Name") if s.aws.ignores_tag(tag)]
    if own:
        wrong = f"{', '.join(own)} set by the program, which would never see that the tag is lost"
        reads = ("aws.ignored_tags", "tags")
        yield reads, f"{wrong}. Name only tags that this stack does not set."


def _of_the_regions(s: Settings) -> Iterator[Violation]:
    primary, secondary = s.primary, s.secondary
    regions = ("secondary.region", "primary.region")
    if secondary.region == primary.region:
        example = next(each for each in EXAMPLE_REGIONS if each != primary.region)
        yield regions, f"{secondary.region} is also the primary region. Use another region, such as {example}."
    if ipaddress.IPv4Network(secondary.vpc_cidr).overlaps(ipaddress.IPv4Network(primary.vpc_cidr)):
        wrong = f"{secondary.vpc_cidr} overlaps primary.vpc_cidr {primary.vpc_cidr}, so the VPCs cannot be peered"
        yield (
            ("secondary.vpc_cidr", "primary.vpc_cidr"),
            f"{wrong}. Use another network, such as {_free(primary.vpc_cidr)}.",
        )
    if s.existing_peering and not (primary.existing_vpc and secondary.existing_vpc):
        wrong = "a VPC that the program creates has no peering yet. Set existing_vpc of both regions, or remove this setting."
        yield ("existing_peering", "primary.existing_vpc", "secondary.existing_vpc"), wrong
    first, second = primary.maintenance_span, secondary.maintenance_span
    if first and second and windows_overlap(first, second):
        wrong = f"{second} overlaps the primary's {first}, so both regions would be in maintenance. Use another time."
        names = ("maintenance_window", "instance_count")
        yield tuple(f"{label}.{name}" for name in names for label in ("secondary", "primary")), wrong
    if both := set(primary.client_security_groups) & set(secondary.client_security_groups):
        wrong = f"{', '.join(sorted(both))} also in primary.client_security_groups, but a group belongs to one region"
        reads = ("secondary.client_security_groups", "primary.client_security_groups")
        yield reads, f"{wrong}. Use groups of the secondary region."


def _free(cidr: str) -> str:
    """Return an example of a network that does not overlap another."""
    taken = ipaddress.IPv4Network(cidr)
    return next(each for each in EXAMPLE_NETWORKS if not taken.overlaps(ipaddress.IPv4Network(each)))


def _of_the_network(name: str, region: RegionSettings, other: RegionSettings) -> Iterator[Violation]:
    zones, cidr = (f"{name}.availability_zones", f"{name}.region"), (f"{name}.vpc_cidr", f"{name}.existing_vpc")
    foreign = [zone for zone in region.availability_zones or () if not re.fullmatch(rf"{region.region}[a-z]", zone)]
    if foreign:
        yield zones, f"{', '.join(foreign)} not in {region.region}. Use zones such as {region.region}a."
    prefix = ipaddress.IPv4Network(region.vpc_cidr).prefixlen
    if region.existing_vpc is None and prefix > 22:
        wrong = (
            f"{region.vpc_cidr} is a /{prefix}. Use a private network of /16 to /22, such as {_free(other.vpc_cidr)}."
        )
        yield cidr, wrong
    if region.existing_vpc and "vpc_cidr" not in region.model_fields_set:
        yield (
            cidr,
            f"missing, but the other region needs it for its rules and routes. Set the CIDR of {name}.existing_vpc.",
        )
    if region.existing_vpc and region.availability_zones and not region.existing_vpc.route_table_ids:
        wrong = (
            "missing, but with availability_zones the program does not look up the VPC. Set the subnets' route tables."
        )
        yield (f"{name}.existing_vpc.route_table_ids", f"{name}.availability_zones"), wrong
    redundant = [cidr for cidr in region.client_cidrs if cidr in (region.vpc_cidr, other.vpc_cidr)]
    if redundant:
        wrong = f"{', '.join(redundant)} already reaches the database, and AWS refuses a duplicate rule. Remove the network."
        yield (f"{name}.client_cidrs", f"{name}.vpc_cidr"), wrong


def _of_the_instances(name: str, region: RegionSettings, *, is_production: bool) -> Iterator[Violation]:
    serverless, backup, maintenance = region.serverless, region.backup_window, region.maintenance_span
    if serverless and "instance_class" in region.model_fields_set:
        wrong = f"{region.instance_class} and serverless exclude each other. Remove one of them."
        yield (f"{name}.instance_class", f"{name}.serverless"), wrong
    if serverless and serverless.max_acu < serverless.min_acu:
        wrong = (
            f"{serverless.max_acu:g} is less than min_acu {serverless.min_acu:g}. Use {serverless.min_acu:g} or more."
        )
        yield (f"{name}.serverless.max_acu", f"{name}.serverless.min_acu"), wrong
    if backup and maintenance and windows_overlap(backup, maintenance):
        wrong = (
            f"{backup} overlaps the maintenance of the instances, {maintenance}, which AWS refuses. Use another time."
        )
        yield (f"{name}.backup_window", f"{name}.maintenance_window", f"{name}.instance_count"), wrong
    window = region.maintenance_window
    if window and region.instance_count * window_minutes_long(window) > MOST_MAINTENANCE_MINUTES:
        wrong = f"{region.instance_count} windows like {window}, one after the other, last longer than a day"
        yield (
            (f"{name}.maintenance_window", f"{name}.instance_count"),
            f"{wrong}. Use a shorter window, or fewer instances.",
        )
    if is_production and region.instance_count < 2:
        wrong = "1 instance cannot fail over inside its region, as production must. Use 2 or more."
        yield (f"{name}.instance_count", "environment"), wrong


def _of_the_database(s: Settings) -> Iterator[Violation]:
    database, retention_days = s.database, s.database.backup_retention_days
    if s.rewind.window_hours > retention_days * 24:
        wrong = f"{s.rewind.window_hours} hours exceed the backup retention of {retention_days} days"
        yield ("rewind.window_hours", "database.backup_retention_days"), f"{wrong}. Use {retention_days * 24} or less."
    if database.database_insights == "advanced" and database.insights_days != ADVANCED_INSIGHTS_DAYS:
        wrong = f"advanced requires performance_insights with a retention of {ADVANCED_INSIGHTS_DAYS} days"
        settings = ("database_insights", "performance_insights", "performance_insights_retention_days")
        yield tuple(f"database.{setting}" for setting in settings), f"{wrong}. Set these, or use standard."
    if both := set(database.cluster_parameters) & set(database.instance_parameters):
        wrong = f"{', '.join(sorted(both))} also in cluster_parameters, and the instance parameter overrides the cluster parameter"
        reads = ("database.instance_parameters", "database.cluster_parameters")
        yield reads, f"{wrong}. Set each parameter in one of the two settings."


def _of_the_users(s: Settings) -> Iterator[Violation]:
    database = s.database
    reserved = "is reserved for MySQL, Aurora or the health check. Use another name."
    for setting, name in (("database.name", database.name), ("database.master_username", database.master_username)):
        if name.lower() in RESERVED_WORDS:
            yield (setting,), f"{name!r} is a reserved word of MySQL, which RDS refuses. Use another name."
    if database.name.lower() in RESERVED_DATABASES:
        yield ("database.name",), f"{database.name!r} {reserved}"
    if database.master_username.lower() in RESERVED_USERS:
        yield ("database.master_username",), f"{database.master_username!r} {reserved}"
    for user in database.iam_users:
        if user in RESERVED_USERS:
            yield (f"database.iam_users.{user}",), f"{user!r} {reserved}"
        elif user == database.master_username.lower():
            wrong = f"{user!r} is the master user, who logs in with a password. Use another name."
            yield (f"database.iam_users.{user}", "database.master_username"), wrong


def _of_the_stack(s: Settings) -> Iterator[Violation]:
    if s.is_production and not s.owner:
        wrong = "missing, but production requires it. Set the responsible team, such as payments-team@bank.internal."
        yield ("owner", "environment"), wrong
    if s.is_production and "audit" not in s.logs.exports:
        yield ("logs.exports", "environment"), "production requires the audit log. Add audit."
    if s.is_production and s.audit_retention_days < AUDIT_RETENTION_DAYS:
        wrong = f"{s.audit_retention_days} days, but production keeps its audit trail for a year"
        yield ("logs.audit_retention_days", "environment"), f"{wrong}. Use {AUDIT_RETENTION_DAYS} or more."
    if reserved := [tag for tag in s.tags if tag in RESERVED_TAGS or tag.lower().startswith("aws:")]:
        needs = "Use the settings environment, project, team, cost_center and owner, and no name that begins with aws:."
        yield ("tags",), f"{', '.join(reserved)} cannot be set here. {needs}"
    if (too_many := len({*s.default_tags, "Name"}) - MAXIMUM_TAGS) > 0:
        wrong = f"{len(s.tags)} tags, but Route 53 takes {MAXIMUM_TAGS} a resource, with the program's own"
        yield ("tags",), f"{wrong}. Remove {too_many}."
