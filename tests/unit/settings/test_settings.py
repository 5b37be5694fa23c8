"""The settings of a stack, and the message that lists every mistake."""

import json
from typing import Any

import pydantic
import pytest

from settings import Settings, SettingsError, load_settings, parse_stack_config, warnings
from settings.types import window_minutes_long, windows_overlap
from tests.support.program.harness import EXISTING_VPC, run_program, stack_file


def mistakes(config: dict[str, Any]) -> list[str]:
    """Return the lines of the error for a configuration."""
    with pytest.raises(SettingsError) as refused:
        load_settings(config)
    return str(refused.value).splitlines()


PROD = {"environment": "prod", "owner": "o", "aws": {"account_id": "111122223333"}}
"""The settings that production requires."""

# A configuration, the setting that the error names, and a part of its text.
MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"primary": {"vpc_cidr": "10.20.0.0/16"}}, "secondary.vpc_cidr", "overlaps primary.vpc_cidr 10.20.0.0/16"),
    ({"secondary": {"vpc_cidr": "10.10.128.0/17"}}, "secondary.vpc_cidr", "overlaps primary.vpc_cidr"),
    ({"secondary": {"region": "us-east-1"}}, "secondary.region", "is also the primary region. Use another region"),
    ({"secondary": {"region": "cn-north-1"}}, "secondary.region", "is in another AWS partition"),
    ({"secondary": {"region": "us-gov-west-1"}}, "secondary.region", "is in another AWS partition"),
    ({"primary": {"region": "us-iso-east-1"}}, "primary.region", "is in another AWS partition"),
    ({"primary": {"region": "Virginia"}}, "primary.region", "Use a region code, such as eu-west-1"),
    ({"primary": {"region": "mx-central-1"}}, "primary.region", "mx-central-1 has no certificate authority in"),
    ({"secondary": {"region": "ap-southeast-7"}}, "secondary.region", "Use a region of docs/reference/settings.md"),
    ({"primary": {"availability_zones": ["us-east-1a", "us-east-1b"]}}, "primary.availability_zones", "2 different"),
    ({"primary": {"availability_zones": ["us-east-1a"] * 3}}, "primary.availability_zones", "1 different zones given"),
    (
        {"primary": {"availability_zones": ["us-east-1a", "us-east-1b", "us-west-2c"]}},
        "primary.availability_zones",
        "us-west-2c not in us-east-1. Use zones such as us-east-1a",
    ),
    ({"primary": {"availability_zones": "us-east-1a"}}, "primary.availability_zones", "is not a list"),
    ({"primary": {"instance_class": "db.t4g.medium"}}, "primary.instance_class", "burstable class"),
    ({"primary": {"instance_class": "db.m6g.large"}}, "primary.instance_class", "is not a class that global databases"),
    ({"primary": {"instance_class": "db.r4.large"}}, "primary.instance_class", "db.r5 or newer, such as db.r6g.large"),
    ({"secondary": {"instance_count": 0}}, "secondary.instance_count", "Use 1 or more"),
    ({"secondary": {"instance_count": 16}}, "secondary.instance_count", "Use 15 or less"),
    ({"secondary": {"instance_count": float("nan")}}, "secondary.instance_count", "Use a number."),
    ({"failover": {"max_data_loss_seconds": float("inf")}}, "failover.max_data_loss_seconds", "Use a number."),
    ({"logs": {"retention_days": "30"}}, "logs.retention_days", "Remove the quotes of '30'."),
    ({"secondary": {"instance_count": "two"}}, "secondary.instance_count", "'two' has the wrong type. Use a whole"),
    ({"primary": {"vpc_cidr": "10.0.0.0/8"}}, "primary.vpc_cidr", "is a /8. Use a private network of /16 to /22"),
    ({"primary": {"vpc_cidr": "10.0.0.0/24"}}, "primary.vpc_cidr", "is a /24"),
    ({"primary": {"vpc_cidr": "10.0.0.1/16"}}, "primary.vpc_cidr", "has host bits set"),
    ({"primary": {"vpc_cidr": "8.8.0.0/16"}}, "primary.vpc_cidr", "is not a private network"),
    ({"primary": {"vpc_cidr": "network"}}, "primary.vpc_cidr", "is not an IPv4 network"),
    ({"primary": {"vpc_cidr": 10}}, "primary.vpc_cidr", "10 has the wrong type. Use a string"),
    ({"database": {"engine_version": "8.0.mysql_aurora.3.10"}}, "database.engine_version", "Use one exact version"),
    ({"database": {"engine_version": "8.0.mysql_aurora.3.08.2"}}, "database.engine_version", "3.10.4"),
    ({"database": {"engine_version": "5.7.mysql_aurora.2.11.1"}}, "database.engine_version", "Use one exact version"),
    ({"database": {"backup_retention_days": 1}}, "database.backup_retention_days", "Use 7 or more"),
    ({"database": {"port": 80}}, "database.port", "Use 1150 or more"),
    ({"database": {"name": "failover"}}, "database.name", "is reserved for MySQL, Aurora or the health check"),
    ({"database": {"name": "Order"}}, "database.name", "'Order' is a reserved word of MySQL"),
    ({"database": {"master_username": "system"}}, "database.master_username", "'system' is a reserved word of MySQL"),
    ({"database": {"name": "1st"}}, "database.name", "Use a letter"),
    ({"database": {"master_username": "rdsadmin"}}, "database.master_username", "is reserved for"),
    ({"database": {"performance_insights_retention_days": 8}}, "database.performance_insights_retention_days", "31"),
    ({"database": {"monitoring_interval_seconds": 2}}, "database.monitoring_interval_seconds", "Use 1, 5, 10"),
    ({"rewind": {"window_hours": 73}}, "rewind.window_hours", "73 is out of range. Use 72 or less"),
    ({"rewind": {"method": "snapshot"}}, "rewind.method", "Use point-in-time or backtrack"),
    ({"failover": {"mode": "auto"}}, "failover.mode", "'auto' is not allowed. Use automatic, approve or observe."),
    ({"failover": {"interval_seconds": 0.1}}, "failover.interval_seconds", "Use 0.2 or more"),
    ({"failover": {"failure_threshold": 1}}, "failover.failure_threshold", "Use 2 or more"),
    ({"failover": {"failure_threshold": 31}}, "failover.failure_threshold", "Use 30 or less"),
    ({"failover": "automatic"}, "failover", "is not an object"),
    ({"dns": {"zone_name": "db.example.com"}}, "dns.zone_name", "reserved for documentation, and AWS refuses it"),
    ({"dns": {"zone_name": "amazonaws.com"}}, "dns.zone_name", "is in AWS's own domain amazonaws.com"),
    ({"dns": {"zone_name": "us-east-1.rds.amazonaws.com"}}, "dns.zone_name", "would stop resolving. Use your own name"),
    ({"dns": {"zone_name": "us-west-2.compute.internal"}}, "dns.zone_name", "is in AWS's own domain compute.internal"),
    ({"dns": {"zone_name": "No Zone"}}, "dns.zone_name", "is not a lower-case domain name"),
    ({"logs": {"retention_days": 31}}, "logs.retention_days", "Use 1, 3, 5, 7, 14, 30"),
    ({"notifications": {"emails": ["no-address"]}}, "notifications.emails.0", "Use an e-mail address"),
    ({"environment": "prod", "aws": PROD["aws"]}, "owner", "missing, but production requires it"),
    ({"environment": "Dev"}, "environment", "Use up to 12 of a-z, 0-9 and single hyphens"),
    ({"environment": "e" * 13}, "environment", "Use up to 12"),
    ({"project": "pay--ments"}, "project", "Use up to 16 of a-z, 0-9 and single hyphens"),
    ({"project": "payments-"}, "project", "Use up to 16"),
    ({"cost_center": "50%"}, "cost_center", "Use 1 to 128 letters"),
    ({"tags": {"Environment": "x"}}, "tags", "Environment cannot be set here"),
    (
        {"tags": {f"Tag{each}": "x" for each in range(5)}},
        "tags",
        "Route 53 takes 10 a resource, with the program's own. Remove 1.",
    ),
    ({"tags": {"aws:x": "x"}}, "tags", "no name that begins with aws:"),
    ({"enviroment": "dev"}, "enviroment", "no such setting. Did you mean environment?"),
    ({"secondary": {"regoin": "x"}}, "secondary.regoin", "no such setting. Did you mean secondary.region?"),
    ({"primary.region": "x"}, "primary.region", "no such setting. Did you mean primary?"),
    ({"zzz": 1}, "zzz", "Use one of environment, project"),
    (
        {"primary": {"serverless": {"min_acu": 4, "max_acu": 16}}},
        "primary.serverless.min_acu",
        "4 is out of range. Use 8 or more",
    ),
    ({"primary": {"serverless": {"min_acu": 8, "max_acu": 257}}}, "primary.serverless.max_acu", "Use 256 or less"),
    ({"primary": {"serverless": {"min_acu": 8.3, "max_acu": 16}}}, "primary.serverless.min_acu", "Use 8 or 8.5"),
    ({"primary": {"serverless": {"min_acu": 16, "max_acu": 8}}}, "primary.serverless.max_acu", "less than min_acu 16"),
    (
        {"primary": {"serverless": {"min_acu": 8}}},
        "primary.serverless.max_acu",
        "missing. Set the maximum capacity, up to 256.",
    ),
    (
        {"primary": {"serverless": {"min_acu": 8, "max_acu": 16}, "instance_class": "db.r6g.large"}},
        "primary.instance_class",
        "db.r6g.large and serverless exclude each other. Remove one of them",
    ),
    ({"primary": {"instance_class": "db.serverless"}}, "primary.instance_class", "Use serverless.min_acu"),
    (
        {"primary": {"existing_vpc": {"vpc_id": "vpc-0123456789abcdef0"}, "vpc_cidr": "10.1.0.0/16"}},
        "primary.existing_vpc.subnet_ids",
        "missing. Set three private subnets, one in each of three zones",
    ),
    (
        {
            "primary": {
                "existing_vpc": {**EXISTING_VPC, "subnet_ids": ["subnet-0000000a"] * 3},
                "vpc_cidr": "10.1.0.0/16",
            }
        },
        "primary.existing_vpc.subnet_ids",
        "1 different subnets given. Use three",
    ),
    (
        {"primary": {"existing_vpc": {**EXISTING_VPC, "route_table_ids": []}, "vpc_cidr": "10.1.0.0/16"}},
        "primary.existing_vpc.route_table_ids",
        "the list is empty. Use at least one entry, or remove the setting",
    ),
    (
        {"primary": {"existing_vpc": {**EXISTING_VPC, "vpc_id": "my-vpc"}, "vpc_cidr": "10.1.0.0/16"}},
        "primary.existing_vpc.vpc_id",
        "'my-vpc' is not allowed. Use a VPC id, such as vpc-",
    ),
    ({"primary": {"existing_vpc": EXISTING_VPC}}, "primary.vpc_cidr", "missing, but the other region needs it"),
    (
        {
            "primary": {
                "existing_vpc": EXISTING_VPC,
                "vpc_cidr": "10.1.0.0/24",
                "availability_zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
            }
        },
        "primary.existing_vpc.route_table_ids",
        "missing, but with availability_zones the program does not look up the VPC. Set the subnets' route tables.",
    ),
    ({"primary": {"client_cidrs": ["0.0.0.0/0"]}}, "primary.client_cidrs.0", "0.0.0.0/0 is larger than /8"),
    ({"primary": {"client_cidrs": ["10.1.0.1/16"]}}, "primary.client_cidrs.0", "has host bits set"),
    ({"primary": {"client_cidrs": ["10.1.0.0/16"] * 2}}, "primary.client_cidrs", "10.1.0.0/16 given twice"),
    (
        {"primary": {"client_cidrs": ["10.20.0.0/16"]}},
        "primary.client_cidrs",
        "10.20.0.0/16 already reaches the database",
    ),
    ({"primary": {"client_security_groups": ["web"]}}, "primary.client_security_groups.0", "a security group id"),
    (
        {where: {"client_security_groups": ["sg-0123456789abcdef0"]} for where in ("primary", "secondary")},
        "secondary.client_security_groups",
        "also in primary.client_security_groups, but a group belongs to one region",
    ),
    ({"primary": {"backup_window": "3:00-03:30"}}, "primary.backup_window", "such as 03:00-03:30"),
    ({"primary": {"backup_window": "23:50-00:10"}}, "primary.backup_window", "lasts 20 minutes. Use 30 or more"),
    ({"primary": {"maintenance_window": "Sun:04:00-Sun:05:00"}}, "primary.maintenance_window", "sun:04:00-sun:04:30"),
    ({"primary": {"maintenance_window": "sun:23:50-mon:00:10"}}, "primary.maintenance_window", "lasts 20 minutes"),
    ({"primary": {"maintenance_window": "mon:04:00-wed:04:00"}}, "primary.maintenance_window", "longer than a day"),
    (
        {"primary": {"maintenance_window": "sun:23:30-mon:00:30", "backup_window": "00:15-00:45"}},
        "primary.backup_window",
        "00:15-00:45 overlaps the maintenance of the instances, sun:23:30-mon:01:30, which AWS refuses",
    ),
    (
        {
            "primary": {"maintenance_window": "sun:04:00-sun:05:00"},
            "secondary": {"maintenance_window": "sun:04:30-sun:05:30"},
        },
        "secondary.maintenance_window",
        "overlaps the primary's sun:04:00-sun:06:00, so both regions would be in maintenance",
    ),
    ({"database": {"storage_type": "io1"}}, "database.storage_type", "Use aurora or aurora-iopt1"),
    ({"database": {"ca_certificate": "rds-ca-2019"}}, "database.ca_certificate", "Use rds-ca-rsa2048-g1"),
    ({"database": {"database_insights": "advanced"}}, "database.database_insights", "with a retention of 465 days"),
    (
        {"database": {"cluster_parameters": {"require_secure_transport": "OFF"}}},
        "database.cluster_parameters.require_secure_transport",
        "is set by the program, because the failover or the audit depends on it. Remove this parameter.",
    ),
    (
        {"database": {"instance_parameters": {"event_scheduler": "OFF"}}},
        "database.instance_parameters.event_scheduler",
        "is set by the program",
    ),
    (
        {"database": {"cluster_parameters": {"Time Zone": "UTC"}}},
        "database.cluster_parameters.Time Zone",
        "is not a parameter name",
    ),
    (
        {"database": {"cluster_parameters": {"sql_mode": "x"}, "instance_parameters": {"sql_mode": "y"}}},
        "database.instance_parameters",
        "sql_mode also in cluster_parameters, and the instance parameter overrides the cluster parameter",
    ),
    ({"database": {"iam_users": {"ann": "owner"}}}, "database.iam_users.ann", "Use read_only or read_write"),
    ({"database": {"iam_users": {"Ann'; --": "read_only"}}}, "database.iam_users.Ann'; --", "Use up to 32 of a-z"),
    (
        {"database": {"iam_users": {"health_check": "read_only"}}},
        "database.iam_users.health_check",
        "is reserved for MySQL",
    ),
    ({"database": {"iam_users": {"dbadmin": "read_only"}}}, "database.iam_users.dbadmin", "is the master user"),
    (
        {"database": {"iam_users": {f"user{i}": "read_only" for i in range(51)}}},
        "database.iam_users",
        "51 entries are too many. Use 50 or fewer",
    ),
    ({"database": {"master_username": "database_setup"}}, "database.master_username", "is reserved for"),
    ({"logs": {"exports": ["audit", "audit"]}}, "logs.exports", "audit given twice"),
    ({"logs": {"exports": ["binlog"]}}, "logs.exports.0", "Use audit, error, general, iam-db-auth-error"),
    ({"dns": {"record_ttl_seconds": 0}}, "dns.record_ttl_seconds", "Use 1 or more"),
    ({"alarms": {"cpu_percent": 101}}, "alarms.cpu_percent", "Use 100 or less"),
    ({"alarms": {"cpu_percents": 80}}, "alarms.cpu_percents", "Did you mean alarms.cpu_percent?"),
    (
        {**PROD, "primary": {"instance_count": 1}},
        "primary.instance_count",
        "1 instance cannot fail over inside its region, as production must. Use 2 or more.",
    ),
    (
        {**PROD, "logs": {"exports": ["error"]}},
        "logs.exports",
        "production requires the audit log. Add audit.",
    ),
    (
        {**PROD, "logs": {"audit_retention_days": 180}},
        "logs.audit_retention_days",
        "180 days, but production keeps its audit trail for a year. Use 365 or more.",
    ),
    (
        {
            "aws": {"assume_role_arn": "arn:aws:iam::123456789012:role/deployer"},
            "database": {"master_password_readers": ["arn:aws:iam::123456789012:role/break-glass"]},
        },
        "database.master_password_readers",
        "arn:aws:iam::123456789012:role/deployer of aws.assume_role_arn is missing, but each deployment reads the secret. Add it.",
    ),
    (
        {
            "primary": {"maintenance_window": "sun:04:00-sun:05:00", "instance_count": 3},
            "secondary": {"maintenance_window": "sun:06:00-sun:07:00"},
        },
        "secondary.maintenance_window",
        "sun:06:00-sun:08:00 overlaps the primary's sun:04:00-sun:07:00",
    ),
    (
        {"primary": {"maintenance_window": "sun:04:00-sun:05:00", "instance_count": 3, "backup_window": "06:30-07:00"}},
        "primary.backup_window",
        "overlaps the maintenance of the instances, sun:04:00-sun:07:00",
    ),
    (
        {"primary": {"maintenance_window": "sun:04:00-sun:10:00", "instance_count": 5}},
        "primary.maintenance_window",
        "5 windows like sun:04:00-sun:10:00, one after the other, last longer than a day. Use a shorter window",
    ),
    ({"existing_peering": "pcx-0123456789abcdef0"}, "existing_peering", "Set existing_vpc of both regions"),
    ({"existing_peering": "peer"}, "existing_peering", "Use a peering's id"),
    ({"environment": "prod", "owner": "o"}, "aws.account_id", "production requires it. Set the account's id"),
    ({"aws": {"account_id": 12}}, "aws.account_id", "'12' is not allowed. Use the 12 digits"),
    ({"aws": {"profile": "my profile"}}, "aws.profile", "without spaces"),
    ({"aws": {"assume_role_arn": "deployer"}}, "aws.assume_role_arn", "Use a role's ARN"),
    (
        {"aws": {"account_id": "111122223333", "assume_role_arn": "arn:aws:iam::444455556666:role/deployer"}},
        "aws.assume_role_arn",
        "the role is not in aws.account_id 111122223333",
    ),
    ({"aws": {"ignored_tags": ["*"]}}, "aws.ignored_tags.0", "'*' is not allowed"),
    ({"aws": {"ignored_tags": ["Cost*"]}}, "aws.ignored_tags", "CostCenter set by the program"),
    ({"aws": {"ignored_tags": ["Data"]}, "tags": {"Data": "x"}}, "aws.ignored_tags", "Data set by the program"),
]


@pytest.mark.parametrize(("config", "setting", "part"), MISTAKES, ids=[f"{m[1]}-{i}" for i, m in enumerate(MISTAKES)])
def test_mistake_is_one_line_with_setting_problem_and_fix(config: dict[str, Any], setting: str, part: str) -> None:
    """A configuration with one mistake has one line, which ends in a sentence."""
    (line,) = mistakes(config)
    named, _, text = line.partition(": ")
    assert named == setting
    assert part in text
    assert text.endswith((".", "?"))


def test_rewind_longer_than_the_backup_retention_is_refused() -> None:
    """The limits of both settings (72 hours, 7 days) make the rule unreachable by settings alone."""
    settings = Settings.model_construct(**dict(Settings()))
    short = settings.database.model_copy(update={"backup_retention_days": 2})
    from settings.rules import violations

    broken = dict(violations(settings.model_copy(update={"database": short, "rewind": _rewind(72)})))
    assert broken == {
        ("rewind.window_hours", "database.backup_retention_days"): (
            "72 hours exceed the backup retention of 2 days. Use 48 or less."
        )
    }


def _rewind(hours: int) -> Any:
    return Settings().rewind.model_copy(update={"window_hours": hours})


def test_mistakes_across_settings_are_listed_with_the_others() -> None:
    """Field errors do not hide violated rules, and a rule ignores settings that are invalid."""
    lines = mistakes(
        {
            "environment": "prod",
            "unknown": 1,
            "primary": {"vpc_cidr": "10.0.0.0/4", "instance_class": "db.t3.small"},
            "secondary": {"region": "us-east-1", "vpc_cidr": "10.0.0.0/16"},
            "rewind": {"window_hours": 100},
        }
    )
    assert [line.partition(":")[0] for line in lines] == [
        "primary.vpc_cidr",
        "primary.instance_class",
        "rewind.window_hours",
        "unknown",
        "aws.account_id",
        "secondary.region",
        "owner",
    ]


def test_program_fails_with_the_same_text_before_it_registers_a_resource() -> None:
    """The failing program registers no provider and no component, and invokes no AWS function."""
    config = {"environment": "prod", "primary": {"instance_class": "db.t4g.medium"}, "secondary": {"regoin": "x"}}
    run = run_program(config)
    assert type(run.error).__name__ == "RunError"
    assert str(run.error) == "\n".join(mistakes(config))
    assert [r for r in run.resources if r.type != "pulumi:pulumi:Stack"] == []
    assert run.invokes == []


@pytest.mark.parametrize(
    ("zone", "warned"),
    [
        ("acme.com", True),
        ("database.acme.com", True),
        ("internal.acme.com", True),
        ("database.acme.internal", False),
        ("acme.corp", False),
        ("myamazonaws.internal", False),
    ],
)
def test_zone_that_hides_a_public_domain_is_warned_about(zone: str, warned: bool) -> None:
    """In an existing VPC every other name of that domain would stop resolving."""
    lines = [
        line for line in warnings(load_settings({"dns": {"zone_name": zone}})) if line.startswith("dns.zone_name:")
    ]
    assert [f"every other name of {zone} stops resolving" in line for line in lines] == [True] * warned


@pytest.mark.parametrize("label", ["primary", "secondary"])
def test_zones_that_production_looks_up_are_warned_about(label: str) -> None:
    """The look-up fails while the region is lost, and with it every deployment."""
    region = {"primary": "us-east-1", "secondary": "eu-west-1"}
    zones = {name: {"availability_zones": [f"{code}{letter}" for letter in "abc"]} for name, code in region.items()}
    complete = {**PROD, "notifications": {"emails": ["a@b.cd"]}, **zones}
    assert warnings(load_settings(complete)) == ()
    (line,) = warnings(load_settings({**complete, label: {}}))
    assert line.startswith(f"{label}.availability_zones: each deployment asks {region[label]} for them")


def test_account_id_may_be_a_number() -> None:
    """`pulumi config set --path aws.account_id 111122223333` stores a number."""
    assert load_settings({"aws": {"account_id": 111122223333}}).aws.account_id == "111122223333"


@pytest.mark.parametrize(
    ("setting", "other", "value"),
    [
        ("secondary.vpc_cidr", "primary.vpc_cidr", "10.10.0.0/16"),
        ("secondary.vpc_cidr", "primary.vpc_cidr", "10.20.0.0/16"),
        ("secondary.vpc_cidr", "primary.vpc_cidr", "10.20.128.0/20"),
        ("secondary.region", "primary.region", "eu-west-1"),
        ("secondary.region", "primary.region", "us-east-1"),
    ],
)
def test_suggested_value_is_valid(setting: str, other: str, value: str) -> None:
    """Both regions have the same value; the error's example instead of the secondary's is accepted."""
    names = [name.split(".") for name in (other, setting)]
    config: dict[str, Any] = {section: {name: value} for section, name in names}
    (line,) = [each for each in mistakes(config) if setting in each.partition(":")[0]]
    config["secondary"] = {setting.partition(".")[2]: line.rpartition("such as ")[2].rstrip(".")}
    load_settings(config)


@pytest.mark.parametrize("taken", ["10.0.0.0/16", "10.20.0.0/16"])
def test_suggested_size_does_not_overlap_the_other_region(taken: str) -> None:
    """The example of a network of another size is accepted beside the other region's."""
    config: dict[str, Any] = {"primary": {"vpc_cidr": "10.99.0.0/28"}, "secondary": {"vpc_cidr": taken}}
    (line,) = [each for each in mistakes(config) if "/28" in each]
    config["primary"]["vpc_cidr"] = line.rpartition("such as ")[2].rstrip(".")
    load_settings(config)


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("aws:allowedAccountIds", "aws.account_id"),
        ("aws:allowedAccountIds[0]", "aws.account_id"),
        ("aws:assumeRole", "aws.assume_role_arn"),
        ("aws:assumeRoles", "aws.assume_role_arn"),
        ("aws:defaultTags", "tags"),
        ("aws:forbiddenAccountIds", "aws.account_id"),
        ("aws:ignoreTags", "aws.ignored_tags"),
        ("aws:profile", "aws.profile"),
        ("aws:region", "primary.region and secondary.region"),
    ],
)
def test_provider_key_is_an_error_that_names_the_setting(key: str, instead: str) -> None:
    """An explicit provider reads no `aws:*` key: a limit to one account would be silently ignored."""
    with pytest.raises(SettingsError) as refused:
        parse_stack_config({key: "x"})
    wrong = f"{key}: the providers of both regions do not read this key."
    assert str(refused.value) == f"{wrong} Remove it and set {instead} of aurora-global-database."


def test_provider_key_without_a_setting_is_listed_with_the_other_mistakes() -> None:
    """One run shows every mistake."""
    with pytest.raises(SettingsError) as refused:
        parse_stack_config({"aws:maxRetries": "3", "aurora-global-database:colour": "blue"})
    first, second = refused.value.mistakes
    assert first == "aws:maxRetries: the providers of both regions do not read this key. Remove it."
    assert second.startswith("colour: no such setting.")


def test_section_that_is_not_an_object_is_a_mistake() -> None:
    """`pulumi config set primary us-east-1` names the right command."""
    run = run_program({"primary": "us-east-1"})
    assert str(run.error).startswith("primary: 'us-east-1' is not an object. Set the settings below it")


def test_point_9_default_environment_is_dev_not_prod() -> None:
    """A stack without settings can be destroyed."""
    settings = load_settings({})
    assert settings.environment == "dev"
    assert settings.is_production is False


def test_defaults_match_the_documented_contract() -> None:
    """The failover's behaviour depends on these values."""
    settings = load_settings({})
    assert settings.failover.model_dump() == {
        "mode": "automatic",
        "interval_seconds": 10,
        "failure_threshold": 5,
        "in_region_grace_seconds": 120,
        "cooldown_seconds": 900,
        "max_data_loss_seconds": 60,
        "reserved_concurrency": 2,
    }
    assert (settings.primary.region, settings.secondary.region) == ("us-east-1", "eu-west-1")
    assert settings.database.engine_version == "8.0.mysql_aurora.3.10.4"
    assert settings.rewind.model_dump() == {"window_hours": 24, "method": "point-in-time"}
    assert settings.zone_name == "payments-dev.internal"


def test_numbers_may_be_strings() -> None:
    """`pulumi config set --path failover.interval_seconds 0.5` stores a string."""
    assert load_settings({"failover": {"interval_seconds": "0.5"}}).failover.interval_seconds == 0.5


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("sun:04:00-sun:05:00", "03:00-04:00", False),
        ("sun:04:00-sun:05:00", "03:30-04:01", True),
        ("sun:23:30-mon:00:30", "00:30-01:00", False),
        ("sun:23:30-mon:00:30", "23:00-23:30", False),
        ("sun:23:30-mon:00:30", "23:15-23:45", True),
        ("wed:00:00-wed:01:00", "23:40-00:10", True),
        ("mon:00:00-mon:01:00", "23:40-00:10", True),
        ("mon:04:00-mon:05:00", "tue:04:00-tue:05:00", False),
        ("sun:23:30-mon:00:30", "mon:00:00-mon:01:00", True),
    ],
)
def test_windows_overlap_across_midnight_and_the_end_of_the_week(one: str, other: str, overlap: bool) -> None:
    """Backup windows are daily, maintenance windows weekly."""
    assert windows_overlap(one, other) is overlap
    assert windows_overlap(other, one) is overlap


def test_mistakes_that_drop_a_section_do_not_hide_others() -> None:
    """An incomplete section, a wrong name in a map and a wrong value are all reported."""
    config = {
        "primary": {"serverless": {"min_acu": 8}, "vpc_cidr": "10.20.0.0/16"},
        "database": {"cluster_parameters": {"binlog_format": "ROW"}, "port": 1},
    }
    assert [line.partition(": ")[0] for line in mistakes(config)] == [
        "primary.serverless.max_acu",
        "database.port",
        "database.cluster_parameters.binlog_format",
        "secondary.vpc_cidr",
    ]


def test_instances_have_their_windows_one_after_the_other_and_the_writer_last() -> None:
    """In one window for all, a change that restarts instances is a whole-region outage, and a failover if it lasts."""
    region = load_settings({"primary": {"maintenance_window": "sun:23:30-mon:00:30", "instance_count": 3}}).primary
    assert region.instance_windows == ("mon:01:30-mon:02:30", "sun:23:30-mon:00:30", "mon:00:30-mon:01:30")
    assert region.maintenance_span == "sun:23:30-mon:02:30"
    assert load_settings({"primary": {"instance_count": 3}}).primary.instance_windows == (None, None, None)


@pytest.mark.parametrize("count", [1, 2, 15])
def test_no_two_windows_of_a_region_overlap(count: int) -> None:
    """Whatever the number of instances, each has a window of the configured length."""
    config = {"primary": {"maintenance_window": "sun:20:15-sun:21:00", "instance_count": count}}
    windows = load_settings(config).primary.instance_windows
    assert len(set(windows)) == count
    pairs = [(one, other) for i, one in enumerate(windows) for other in windows[:i]]
    assert [pair for pair in pairs if windows_overlap(*map(str, pair))] == []
    assert {window_minutes_long(str(window)) for window in windows} == {45}


def test_settings_are_frozen() -> None:
    """A validated configuration stays valid."""
    with pytest.raises(pydantic.ValidationError):
        load_settings({}).environment = "prod"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_stack_files_are_valid_and_hold_no_secret(stack: str) -> None:
    """The committed files can be deployed and contain no password."""
    config = stack_file(stack)
    assert load_settings(config).environment == stack
    assert "secure" not in json.dumps(config)
    assert "password" not in json.dumps(config)
