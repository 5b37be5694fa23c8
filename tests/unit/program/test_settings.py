"""The settings: what a stack may say, and the one message that lists every mistake."""

import json
from typing import Any

import pydantic
import pytest

from settings import Settings, SettingsError, load_settings
from tests.unit.program.conftest import stack_file
from tests.unit.program.harness import run_program


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
    ({"failover": {"beat_seconds": 0.1}}, "failover.beat_seconds", "give 0.2 or more"),
    ({"failover": {"failures_to_act": 1}}, "failover.failures_to_act", "give 2 or more"),
    ({"failover": {"failures_to_act": 31}}, "failover.failures_to_act", "give 30 or less"),
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
    from setting_rules import broken_rules

    broken = dict(broken_rules(settings.model_copy(update={"database": short, "rewind": _rewind(72)})))
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
        "beat_seconds": 10,
        "failures_to_act": 3,
        "in_region_grace_seconds": 120,
        "cooldown_seconds": 900,
        "max_data_loss_seconds": 60,
    }
    assert (settings.primary.region, settings.secondary.region) == ("us-east-1", "eu-west-1")
    assert settings.database.engine_version == "8.0.mysql_aurora.3.10.4"
    assert settings.rewind.model_dump() == {"window_hours": 24, "method": "point-in-time"}
    assert settings.zone_name == "payments-dev.internal"


def test_numbers_may_come_as_text_as_pulumi_config_set_path_stores_them() -> None:
    """`pulumi config set --path failover.beat_seconds 0.5` stores a text."""
    assert load_settings({"failover": {"beat_seconds": "0.5"}}).failover.beat_seconds == 0.5


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
