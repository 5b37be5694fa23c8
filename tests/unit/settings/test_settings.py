"""The settings: what a stack may say, and the one message that lists every mistake."""

import json
from typing import Any

import pydantic
import pytest

from settings import Settings, SettingsError, load_settings
from settings.types import windows_overlap
from tests.support.program.harness import THEIR_VPC, run_program
from tests.unit.program.conftest import stack_file


def mistakes(config: dict[str, Any]) -> list[str]:
    """Return the lines with which a configuration is refused."""
    with pytest.raises(SettingsError) as refused:
        load_settings(config)
    return str(refused.value).splitlines()


# What is set -> the setting that is named, and words that say what is wrong and what would do.
MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"primary": {"vpc_cidr": "10.20.0.0/16"}}, "secondary.vpc_cidr", "overlaps primary.vpc_cidr 10.20.0.0/16"),
    ({"secondary": {"vpc_cidr": "10.10.128.0/17"}}, "secondary.vpc_cidr", "overlaps primary.vpc_cidr"),
    ({"secondary": {"region": "us-east-1"}}, "secondary.region", "is the primary's region too; give another region"),
    ({"secondary": {"region": "cn-north-1"}}, "secondary.region", "another partition of AWS"),
    ({"secondary": {"region": "us-gov-west-1"}}, "secondary.region", "another partition of AWS"),
    ({"primary": {"region": "Virginia"}}, "primary.region", "give a region's code, such as eu-west-1"),
    ({"primary": {"availability_zones": ["us-east-1a", "us-east-1b"]}}, "primary.availability_zones", "2 different"),
    ({"primary": {"availability_zones": ["us-east-1a"] * 3}}, "primary.availability_zones", "1 different zones given"),
    (
        {"primary": {"availability_zones": ["us-east-1a", "us-east-1b", "us-west-2c"]}},
        "primary.availability_zones",
        "us-west-2c not in us-east-1; give zones such as us-east-1a",
    ),
    ({"primary": {"availability_zones": "us-east-1a"}}, "primary.availability_zones", "isn't a list"),
    ({"primary": {"instance_class": "db.t4g.medium"}}, "primary.instance_class", "burstable class"),
    ({"primary": {"instance_class": "db.m6g.large"}}, "primary.instance_class", "isn't a class that global databases"),
    ({"primary": {"instance_class": "db.r4.large"}}, "primary.instance_class", "db.r5 or newer, such as db.r6g.large"),
    ({"secondary": {"instance_count": 0}}, "secondary.instance_count", "give 1 or more"),
    ({"secondary": {"instance_count": 16}}, "secondary.instance_count", "give 15 or less"),
    ({"secondary": {"instance_count": "two"}}, "secondary.instance_count", "'two' has the wrong type; give a whole"),
    ({"primary": {"vpc_cidr": "10.0.0.0/8"}}, "primary.vpc_cidr", "is a /8; give a private network of /16 to /22"),
    ({"primary": {"vpc_cidr": "10.0.0.0/24"}}, "primary.vpc_cidr", "is a /24"),
    ({"primary": {"vpc_cidr": "10.0.0.1/16"}}, "primary.vpc_cidr", "has host bits set"),
    ({"primary": {"vpc_cidr": "8.8.0.0/16"}}, "primary.vpc_cidr", "isn't a private network"),
    ({"primary": {"vpc_cidr": "network"}}, "primary.vpc_cidr", "is no IPv4 network"),
    ({"primary": {"vpc_cidr": 10}}, "primary.vpc_cidr", "10 has the wrong type; give a text"),
    ({"database": {"engine_version": "8.0.mysql_aurora.3.10"}}, "database.engine_version", "give one exact version"),
    ({"database": {"engine_version": "8.0.mysql_aurora.3.08.2"}}, "database.engine_version", "3.10.4"),
    ({"database": {"engine_version": "5.7.mysql_aurora.2.11.1"}}, "database.engine_version", "give one exact version"),
    ({"database": {"backup_retention_days": 1}}, "database.backup_retention_days", "give 7 or more"),
    ({"database": {"port": 80}}, "database.port", "give 1150 or more"),
    ({"database": {"name": "failover"}}, "database.name", "is taken by MySQL, Aurora or the health check"),
    ({"database": {"name": "1st"}}, "database.name", "give a letter"),
    ({"database": {"master_username": "rdsadmin"}}, "database.master_username", "is taken by"),
    ({"database": {"performance_insights_retention_days": 8}}, "database.performance_insights_retention_days", "31"),
    ({"database": {"monitoring_interval_seconds": 2}}, "database.monitoring_interval_seconds", "give 1, 5, 10"),
    ({"rewind": {"window_hours": 73}}, "rewind.window_hours", "73 is out of range; give 72 or less"),
    ({"rewind": {"method": "snapshot"}}, "rewind.method", "give 'point-in-time' or 'backtrack'"),
    ({"failover": {"mode": "auto"}}, "failover.mode", "give 'automatic', 'approve' or 'observe'"),
    ({"failover": {"interval_seconds": 0.1}}, "failover.interval_seconds", "give 0.2 or more"),
    ({"failover": {"failure_threshold": 1}}, "failover.failure_threshold", "give 2 or more"),
    ({"failover": {"failure_threshold": 31}}, "failover.failure_threshold", "give 30 or less"),
    ({"failover": "automatic"}, "failover", "isn't an object"),
    ({"dns": {"zone_name": "db.example.com"}}, "dns.zone_name", "reserved for documentation, and AWS refuses it"),
    ({"dns": {"zone_name": "No Zone"}}, "dns.zone_name", "isn't a domain name"),
    ({"logs": {"retention_days": 31}}, "logs.retention_days", "give 1, 3, 5, 7, 14, 30"),
    ({"notifications": {"emails": ["nobody"]}}, "notifications.emails.0", "give an e-mail address"),
    ({"environment": "prod"}, "owner", "missing, and production needs one"),
    ({"environment": "Dev"}, "environment", "give up to 12 of a-z, 0-9 and single hyphens"),
    ({"environment": "e" * 13}, "environment", "give up to 12"),
    ({"project": "pay--ments"}, "project", "give up to 16 of a-z, 0-9 and single hyphens"),
    ({"project": "payments-"}, "project", "give up to 16"),
    ({"cost_center": "50%"}, "cost_center", "give 1 to 128 letters"),
    ({"tags": {"Environment": "x"}}, "tags", "Environment can't be set here"),
    ({"tags": {"aws:x": "x"}}, "tags", "no name that begins with aws:"),
    ({"enviroment": "dev"}, "enviroment", "no such setting; did you mean environment?"),
    ({"secondary": {"regoin": "x"}}, "secondary.regoin", "no such setting; did you mean secondary.region?"),
    ({"primary.region": "x"}, "primary.region", "no such setting; did you mean primary?"),
    ({"zzz": 1}, "zzz", "give one of environment, project"),
    (
        {"primary": {"serverless": {"min_acu": 4, "max_acu": 16}}},
        "primary.serverless.min_acu",
        "4 is out of range; give 8 or more",
    ),
    ({"primary": {"serverless": {"min_acu": 8, "max_acu": 257}}}, "primary.serverless.max_acu", "give 256 or less"),
    ({"primary": {"serverless": {"min_acu": 8.3, "max_acu": 16}}}, "primary.serverless.min_acu", "give 8 or 8.5"),
    ({"primary": {"serverless": {"min_acu": 16, "max_acu": 8}}}, "primary.serverless.max_acu", "less than min_acu 16"),
    (
        {"primary": {"serverless": {"min_acu": 8}}},
        "primary.serverless.max_acu",
        "missing; give the greatest capacity, up to 256",
    ),
    (
        {"primary": {"serverless": {"min_acu": 8, "max_acu": 16}, "instance_class": "db.r6g.large"}},
        "primary.instance_class",
        "db.r6g.large and serverless are alternatives; leave one of them out",
    ),
    ({"primary": {"instance_class": "db.serverless"}}, "primary.instance_class", "give serverless.min_acu"),
    (
        {"primary": {"existing_vpc": {"vpc_id": "vpc-0123456789abcdef0"}, "vpc_cidr": "10.1.0.0/16"}},
        "primary.existing_vpc.subnet_ids",
        "missing; give three private subnets, one in each of three zones",
    ),
    (
        {"primary": {"existing_vpc": {**THEIR_VPC, "subnet_ids": ["subnet-0000000a"] * 3}, "vpc_cidr": "10.1.0.0/16"}},
        "primary.existing_vpc.subnet_ids",
        "1 different subnets given; give three",
    ),
    (
        {"primary": {"existing_vpc": {**THEIR_VPC, "route_table_ids": []}, "vpc_cidr": "10.1.0.0/16"}},
        "primary.existing_vpc.route_table_ids",
        "an empty list; give at least one, or leave it out",
    ),
    (
        {"primary": {"existing_vpc": {**THEIR_VPC, "vpc_id": "my-vpc"}, "vpc_cidr": "10.1.0.0/16"}},
        "primary.existing_vpc.vpc_id",
        "'my-vpc' won't do; give a VPC's id, such as vpc-",
    ),
    ({"primary": {"existing_vpc": THEIR_VPC}}, "primary.vpc_cidr", "missing, and the other region needs it"),
    (
        {
            "primary": {
                "existing_vpc": THEIR_VPC,
                "vpc_cidr": "10.1.0.0/28",
                "availability_zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
            }
        },
        "primary.availability_zones",
        "those of existing_vpc.subnet_ids are taken; leave it out",
    ),
    ({"primary": {"client_cidrs": ["0.0.0.0/0"]}}, "primary.client_cidrs.0", "0.0.0.0/0 is nearly everybody"),
    ({"primary": {"client_cidrs": ["10.1.0.1/16"]}}, "primary.client_cidrs.0", "has host bits set"),
    ({"primary": {"client_cidrs": ["10.1.0.0/16"] * 2}}, "primary.client_cidrs", "10.1.0.0/16 given twice"),
    (
        {"primary": {"client_cidrs": ["10.20.0.0/16"]}},
        "primary.client_cidrs",
        "10.20.0.0/16 always reaches the database",
    ),
    ({"primary": {"client_security_groups": ["web"]}}, "primary.client_security_groups.0", "a security group's id"),
    (
        {where: {"client_security_groups": ["sg-0123456789abcdef0"]} for where in ("primary", "secondary")},
        "secondary.client_security_groups",
        "given for the primary too, and a group is of one region",
    ),
    ({"primary": {"backup_window": "3:00-03:30"}}, "primary.backup_window", "such as 03:00-03:30"),
    ({"primary": {"backup_window": "23:50-00:10"}}, "primary.backup_window", "lasts 20 minutes; give 30 or more"),
    ({"primary": {"maintenance_window": "Sun:04:00-Sun:05:00"}}, "primary.maintenance_window", "sun:04:00-sun:04:30"),
    ({"primary": {"maintenance_window": "sun:23:50-mon:00:10"}}, "primary.maintenance_window", "lasts 20 minutes"),
    ({"primary": {"maintenance_window": "mon:04:00-wed:04:00"}}, "primary.maintenance_window", "longer than a day"),
    (
        {"primary": {"maintenance_window": "sun:23:30-mon:00:30", "backup_window": "00:15-00:45"}},
        "primary.backup_window",
        "00:15-00:45 overlaps maintenance_window sun:23:30-mon:00:30, which AWS refuses",
    ),
    (
        {
            "primary": {"maintenance_window": "sun:04:00-sun:05:00"},
            "secondary": {"maintenance_window": "sun:04:30-sun:05:30"},
        },
        "secondary.maintenance_window",
        "overlaps the primary's sun:04:00-sun:05:00, and no region would stand",
    ),
    ({"database": {"storage_type": "io1"}}, "database.storage_type", "give 'aurora' or 'aurora-iopt1'"),
    ({"database": {"ca_certificate": "rds-ca-2019"}}, "database.ca_certificate", "give 'rds-ca-rsa2048-g1'"),
    ({"database": {"database_insights": "advanced"}}, "database.database_insights", "with a retention of 465 days"),
    (
        {"database": {"cluster_parameters": {"require_secure_transport": "OFF"}}},
        "database.cluster_parameters.require_secure_transport",
        "is set by the program, and the failover or the audit rests on it; leave it out",
    ),
    (
        {"database": {"instance_parameters": {"event_scheduler": "OFF"}}},
        "database.instance_parameters.event_scheduler",
        "is set by the program",
    ),
    (
        {"database": {"cluster_parameters": {"Time Zone": "UTC"}}},
        "database.cluster_parameters.Time Zone",
        "is no parameter's name",
    ),
    (
        {"database": {"cluster_parameters": {"sql_mode": "x"}, "instance_parameters": {"sql_mode": "y"}}},
        "database.instance_parameters",
        "sql_mode in cluster_parameters too, and this one would win",
    ),
    ({"database": {"iam_users": {"ann": "owner"}}}, "database.iam_users.ann", "give 'read_only' or 'read_write'"),
    ({"database": {"iam_users": {"Ann'; --": "read_only"}}}, "database.iam_users.Ann'; --", "give up to 32 of a-z"),
    (
        {"database": {"iam_users": {"health_check": "read_only"}}},
        "database.iam_users.health_check",
        "is taken by MySQL",
    ),
    ({"database": {"iam_users": {"dbadmin": "read_only"}}}, "database.iam_users.dbadmin", "is the master user"),
    (
        {"database": {"iam_users": {f"user{i}": "read_only" for i in range(51)}}},
        "database.iam_users",
        "51 are too many; give 50 or fewer",
    ),
    ({"database": {"master_username": "database_setup"}}, "database.master_username", "is taken by"),
    ({"logs": {"exports": ["audit", "audit"]}}, "logs.exports", "audit given twice"),
    ({"logs": {"exports": ["binlog"]}}, "logs.exports.0", "give 'audit', 'error', 'general', 'iam-db-auth-error'"),
    ({"dns": {"record_ttl_seconds": 0}}, "dns.record_ttl_seconds", "give 1 or more"),
    ({"alarms": {"cpu_percent": 101}}, "alarms.cpu_percent", "give 100 or less"),
    ({"alarms": {"cpu_percents": 80}}, "alarms.cpu_percents", "did you mean alarms.cpu_percent?"),
    (
        {"environment": "prod", "owner": "o", "primary": {"instance_count": 1}},
        "primary.instance_count",
        "1 can't heal inside its region, and production must; give 2 or more",
    ),
    ({"environment": "prod", "owner": "o", "logs": {"exports": ["error"]}}, "logs.exports", "give audit too"),
]


@pytest.mark.parametrize(("config", "setting", "words"), MISTAKES, ids=[f"{m[1]}-{i}" for i, m in enumerate(MISTAKES)])
def test_a_mistake_is_one_line_that_names_the_setting_what_is_wrong_and_what_would_do(
    config: dict[str, Any], setting: str, words: str
) -> None:
    """Each mistake alone is exactly one line."""
    (line,) = mistakes(config)
    named, _, text = line.partition(": ")
    assert named == setting
    assert words in text


def test_a_rewind_longer_than_the_backups_is_refused() -> None:
    """The rule stands although today's limits (72 hours, 7 days at least) make it unreachable by settings alone."""
    settings = Settings.model_construct(**dict(Settings()))
    short = settings.database.model_copy(update={"backup_retention_days": 2})
    from settings.rules import violations

    broken = dict(violations(settings.model_copy(update={"database": short, "rewind": _rewind(72)})))
    assert broken == {
        ("rewind.window_hours", "database.backup_retention_days"): (
            "72 hours is longer than the backups are kept (2 days); give 48 or less"
        )
    }


def _rewind(hours: int) -> Any:
    return Settings().rewind.model_copy(update={"window_hours": hours})


def test_every_mistake_is_listed_at_once_also_those_across_settings() -> None:
    """Field errors don't hide the rules over several settings, and a rule isn't applied to what is already wrong."""
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
        "secondary.region",
        "owner",
    ]


def test_the_program_fails_with_exactly_that_text_before_anything_is_registered() -> None:
    """No provider, no component, no resource: a refused configuration costs nothing."""
    config = {"environment": "prod", "primary": {"instance_class": "db.t4g.medium"}, "secondary": {"regoin": "x"}}
    run = run_program(config)
    assert type(run.error).__name__ == "RunError"
    assert str(run.error) == "\n".join(mistakes(config))
    assert [r for r in run.resources if r.type != "pulumi:pulumi:Stack"] == []
    assert run.invokes == []


def test_a_nested_setting_that_is_no_object_is_a_mistake_too() -> None:
    """`pulumi config set primary us-east-1` gets an answer that helps."""
    run = run_program({"primary": "us-east-1"})
    assert str(run.error).startswith("primary: 'us-east-1' isn't an object; give its settings below it")


def test_point_9_the_default_environment_is_dev_not_prod() -> None:
    """Who sets nothing gets a stack that can be destroyed."""
    settings = load_settings({})
    assert settings.environment == "dev"
    assert settings.is_production is False


def test_the_defaults_are_those_of_the_contract() -> None:
    """The numbers that the failover's behaviour rests on."""
    settings = load_settings({})
    assert settings.failover.model_dump() == {
        "mode": "automatic",
        "interval_seconds": 10,
        "failure_threshold": 3,
        "in_region_grace_seconds": 120,
        "cooldown_seconds": 900,
        "max_data_loss_seconds": 60,
        "reserved_concurrency": 2,
    }
    assert (settings.primary.region, settings.secondary.region) == ("us-east-1", "eu-west-1")
    assert settings.database.engine_version == "8.0.mysql_aurora.3.10.4"
    assert settings.rewind.model_dump() == {"window_hours": 24, "method": "point-in-time"}
    assert settings.zone_name == "payments-dev.internal"


def test_numbers_may_come_as_text_as_pulumi_config_set_path_stores_them() -> None:
    """`pulumi config set --path failover.interval_seconds 0.5` stores a text."""
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
def test_windows_that_meet_across_midnight_and_across_the_week_overlap(one: str, other: str, overlap: bool) -> None:
    """Backups are daily, maintenance is weekly, and a week ends where it begins."""
    assert windows_overlap(one, other) is overlap
    assert windows_overlap(other, one) is overlap


def test_mistakes_that_leave_out_a_section_do_not_hide_the_others() -> None:
    """A half-said section, a wrong name in a map and a wrong value elsewhere: each is told."""
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


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    """Nothing downstream can make a checked configuration wrong."""
    with pytest.raises(pydantic.ValidationError):
        load_settings({}).environment = "prod"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stack_files_are_valid_and_hold_no_secret(stack: str) -> None:
    """What is committed can be deployed, and nobody finds a password in it."""
    config = stack_file(stack)
    assert load_settings(config).environment == stack
    assert "secure" not in json.dumps(config)
    assert "password" not in json.dumps(config)
