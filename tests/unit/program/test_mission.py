"""The ten mistakes that the mission names, each undone: one test or more for each, and its name says which.

Point 4 is in test_order.py, point 9 in test_settings.py; point 7 (documentation) is in tests/unit/docs/test_documents.py.
"""

import json
from collections import Counter
from typing import Any

import pytest

from tests.support.program.harness import Run, run_program

SECRET = "generated-"


def test_point_1_the_program_makes_its_own_networks_and_asks_for_nobody_elses(dev: Run) -> None:
    """An empty account will do: all it asks AWS for is the account, its partition and the zones."""
    assert len(dev.of("ec2/vpc:Vpc")) == 2
    assert len(dev.of("ec2/subnet:Subnet")) == 6
    assert {invoke for invoke, _ in dev.invokes} == {
        "aws:index/getAvailabilityZones:getAvailabilityZones",
        "aws:index/getCallerIdentity:getCallerIdentity",
        "aws:index/getPartition:getPartition",
    }


def test_point_1_the_settings_ask_for_no_existing_network() -> None:
    """An empty configuration deploys."""
    run = run_program({})
    assert run.error is None
    assert len(run.cloud) > 100


@pytest.mark.parametrize("where", ["primary", "secondary"])
def test_point_2_each_endpoint_comes_from_the_attribute_that_is_it(dev: Run, where: str) -> None:
    """Writer: the cluster's endpoint. Reader: its reader endpoint. Never an instance's, never one for the other."""
    cluster = f"{where}-database-cluster"
    assert dev.exports[f"{where}_writer_endpoint"] == f"{cluster}.cluster-abc.rds.amazonaws.com"
    assert dev.exports[f"{where}_reader_endpoint"] == f"{cluster}.cluster-ro-abc.rds.amazonaws.com"
    environment = dev.named(f"{where}-watch-controller-function").inputs["environment"]["variables"]
    assert environment["OWN_WRITER_HOST"] == dev.exports[f"{where}_writer_endpoint"]
    assert environment["OWN_READER_HOST"] == dev.exports[f"{where}_reader_endpoint"]


def test_point_2_a_standbys_endpoint_is_known_before_aws_says_it(dev: Run) -> None:
    """AWS may describe only a standby's reader endpoint; records and functions get the right name all the same."""
    run = run_program({}, standby_says_its_endpoint=False)
    assert run.error is None
    assert run.exports["secondary_writer_endpoint"] == dev.exports["secondary_writer_endpoint"]
    assert run.named("dns-writer-secondary").inputs["records"] == [dev.exports["secondary_writer_endpoint"]]


def test_point_2_the_global_endpoint_is_the_global_clusters(dev: Run) -> None:
    """The one name that AWS itself moves."""
    assert dev.exports["global_writer_endpoint"] == "global-cluster.global-abc.global.rds.amazonaws.com"


def test_point_3_the_rewind_is_24_hours_of_continuous_backups_by_default(dev: Run) -> None:
    """Point in time is the rewind that AWS accepts in a global database: backups for seven days, no backtrack window."""
    for cluster in dev.of("rds/cluster:Cluster"):
        assert "backtrackWindow" not in cluster.inputs
        assert cluster.inputs["backupRetentionPeriod"] >= 7
    assert dev.logged == []


def test_point_3_the_rewind_by_backtrack_is_24_hours_on_the_primary_with_a_warning(backtrack: Run) -> None:
    """As the mission words it, and the preview says what AWS will answer."""
    assert backtrack.named("primary-database-cluster").inputs["backtrackWindow"] == 24 * 3600
    assert "backtrackWindow" not in backtrack.named("secondary-database-cluster").inputs
    assert (backtrack.exports["rewind_method"], backtrack.exports["backtrack_window"]) == ("backtrack", 24 * 3600)
    (warning,) = backtrack.logged
    assert "Backtrack is not supported for global databases" in warning


def test_point_5_route_53_follows_metrics_and_opens_no_port(any_run: Run) -> None:
    """A private database can't be reached by Route 53's checkers, and speaks no HTTPS: the checks follow alarms."""
    checks = any_run.of("route53/healthCheck:HealthCheck")
    kinds = Counter(check.inputs["type"] for check in checks)
    assert kinds == {"CLOUDWATCH_METRIC": 5, "CALCULATED": 1}
    for check in checks:
        assert {"port", "fqdn", "ipAddress", "resourcePath"} & set(check.inputs) == set()
        says_what_silence_means = "insufficientDataHealthStatus" in check.inputs
        assert says_what_silence_means == (check.inputs["type"] == "CLOUDWATCH_METRIC")


def test_point_6_the_master_password_is_generated_and_has_no_default(dev: Run) -> None:
    """Whoever deploys never sees, chooses or forgets it."""
    (password,) = [r for r in dev.resources if r.type == "random:index/randomPassword:RandomPassword"]
    assert password.inputs["length"] == 32
    assert set(password.inputs["overrideSpecial"]) & set("\"@/\\ '`") == set()
    cluster = dev.named("primary-database-cluster")
    assert cluster.inputs["masterPassword"].startswith(SECRET)
    assert "masterPassword" in cluster.secret_inputs


def test_point_6_the_master_password_is_secret_wherever_it_goes_and_goes_nowhere_else(any_run: Run) -> None:
    """Three inputs hold it, each as a secret; no output, no environment variable, no tag."""
    holding = {
        (r.name, key)
        for r in any_run.cloud
        for key, value in r.inputs.items()
        if SECRET in json.dumps(value, default=str)
    }
    assert [(name, key) for name, key in holding if key not in any_run.named(name).secret_inputs] == []
    assert holding <= {
        ("primary-database-cluster", "masterPassword"),
        ("credentials-value", "secretString"),
        ("database-setup-invocation", "input"),
    }
    assert SECRET not in json.dumps(any_run.exports, default=str)


def test_point_6_the_secret_is_kept_in_both_regions_under_each_regions_key(dev: Run) -> None:
    """The region that takes over has the password, and needs no key of the region that is gone."""
    secret = dev.one("secretsmanager/secret:Secret")
    (replica,) = secret.inputs["replicas"]
    assert secret.inputs["kmsKeyId"] == dev.exports["primary_key_arn"]
    assert replica == {"region": "eu-west-1", "kmsKeyId": dev.exports["secondary_key_arn"]}


def test_point_8_the_outputs_are_complete(any_run: Run) -> None:
    """Everything that another stack needs, grouped by region and flat; none is missing, in a preview either."""
    of_a_region = {
        *("region", "vpc_id", "vpc_cidr", "subnet_ids", "database_security_group_id", "function_security_group_id"),
        *("key_arn", "secret_arn", "cluster_id", "cluster_arn", "port", "writer_endpoint", "reader_endpoint"),
        *("health_check_function_name", "health_check_function_arn"),
        *("failover_controller_function_name", "failover_controller_function_arn"),
        *("table_name", "topic_arn", "alarm_arns", "dashboard_url"),
    }
    single = {
        *("global_cluster_id", "global_cluster_arn", "global_writer_endpoint", "writer_dns_name", "reader_dns_name"),
        *("hosted_zone_id", "health_check_ids", "dns_alarm_arns", "database_name", "environment"),
        *("database_setup_function_name", "database_setup_function_arn", "iam_user_policy_arns"),
        *("rewind_method", "backtrack_window"),
    }
    flat = {f"{where}_{output}" for where in ("primary", "secondary") for output in of_a_region}
    assert set(any_run.exports) == {"regions"} | single | flat
    assert {where: set(outputs) for where, outputs in any_run.exports["regions"].items()} == {
        "primary": of_a_region,
        "secondary": of_a_region,
    }


def test_point_8_no_output_is_empty_after_a_deployment(any_deployment: Run) -> None:
    """An output that is there but empty helps nobody."""

    def empty(value: Any) -> bool:
        return value in (None, "", {})

    # Empty where nobody was named.
    assert [name for name, value in any_deployment.exports.items() if empty(value)] in ([], ["iam_user_policy_arns"])
    regions = any_deployment.exports["regions"]
    assert [name for outputs in regions.values() for name, value in outputs.items() if empty(value)] == []


def test_point_9_a_stack_that_sets_nothing_is_dev(dev: Run) -> None:
    """Nothing in production is ever touched because somebody forgot a setting."""
    assert run_program({}).exports["environment"] == "dev"


def test_point_10_every_resource_carries_the_cost_tags(any_run: Run) -> None:
    """Both providers add them, so none can be forgotten; the environment is what the stack says."""
    for provider in (r for r in any_run.resources if r.type == "pulumi:providers:aws"):
        tags = json.loads(provider.inputs["defaultTags"])["tags"]
        assert {"Environment", "Project", "Team", "CostCenter", "ManagedBy"} <= set(tags)
        assert tags["Environment"] == any_run.exports["environment"]
        assert tags["ManagedBy"] == "Pulumi"


def test_point_10_production_says_whose_it_is_and_adds_its_own_tags(prod: Run) -> None:
    """The owner is a tag too, and extra tags come along."""
    (tags, other) = [
        json.loads(r.inputs["defaultTags"])["tags"] for r in prod.resources if r.type == "pulumi:providers:aws"
    ]
    assert tags == other
    assert tags["Owner"] == "payments-oncall@bank.internal"
    assert tags["DataClass"] == "confidential"
