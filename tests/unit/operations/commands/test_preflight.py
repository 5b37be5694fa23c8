"""Preflight: problems that would make `pulumi up` fail are found before it starts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from operations.checks.finding import Verdict
from operations.checks.names import name_checks, name_kinds
from operations.checks.quotas import quota_checks
from operations.checks.required_permissions import ACTIONS, STACK_ARNS, actions_by_service
from operations.commands.preflight import check_credentials, deploying_principal
from operations.stack import settings as stack_settings
from operations.stack.settings import names_of, read_settings
from operations.support.errors import AwsError, ExitCode, UsageProblemError
from settings import load_settings
from tests.support.operations.fake_account import ACCOUNT, CALLER, VERSION, allowed, empty_account
from tests.support.operations.fake_aws import FakeAws, missing, tags
from tests.support.operations.fakes import EAST, NOW, WEST, FakeEnvironment
from tests.support.program.harness import EXISTING_VPC, run_program

pytestmark = pytest.mark.slow


@pytest.fixture
def account(aws: FakeAws) -> FakeAws:
    """An account with room for the stack."""
    return empty_account(aws)


def checked(environment: FakeEnvironment, *options: str) -> dict[str, Any]:
    """Run preflight; return its result."""
    result = environment.run("preflight", "--json", *options)
    found = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found


def finding(found: Mapping[str, Any], check: str, where: str) -> dict[str, Any]:
    """Return one finding."""
    (one,) = [each for each in found["findings"] if (each["check"], each["where"]) == (check, where)]
    return one


def test_account_with_enough_quota_passes(environment: FakeEnvironment, account: FakeAws) -> None:
    """Each check has evidence, the caller and the account are reported, and no stack outputs are read."""
    found = checked(environment)
    assert [each for each in found["findings"] if each["verdict"] != Verdict.PASSED] == []
    assert (found["exit_code"], found["account"], found["caller"], found["is_up"]) == (0, ACCOUNT, CALLER, False)
    assert all(each["evidence"] for each in found["findings"])
    assert environment.loaded == []


ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"


@pytest.mark.parametrize(
    ("settings", "verdict", "said"),
    [
        ({"account_id": ACCOUNT}, Verdict.PASSED, f"in account {ACCOUNT}"),
        ({"account_id": "111122223333"}, Verdict.FAILED, "Use credentials of account 111122223333."),
        (
            {"account_id": "111122223333", "profile": "p"},
            Verdict.FAILED,
            "account 111122223333, such as AWS_PROFILE=p.",
        ),
    ],
)
def test_credentials_of_another_account_fail(settings: dict[str, str], verdict: Verdict, said: str) -> None:
    """`pulumi up` refuses them as well, and every other check reads the wrong account."""
    result = check_credentials(load_settings({"aws": settings}), CALLER, ACCOUNT)
    assert result.verdict == verdict
    assert said in f"{result.evidence} {result.hint}"


def test_assumed_role_of_the_settings_is_the_one_simulated(account: FakeAws) -> None:
    """The caller needs `sts:AssumeRole` only; the role deploys."""
    settings = load_settings({"aws": {"account_id": ACCOUNT, "assume_role_arn": ROLE}})
    assert deploying_principal(settings, CALLER) == ROLE
    assert deploying_principal(load_settings({}), CALLER) == CALLER


def test_text_output_is_a_table_with_counts(environment: FakeEnvironment, account: FakeAws) -> None:
    """The last line counts the unknown checks, which leave the exit code at 0."""
    account.fail(EAST, "service-quotas", error=AwsError("AccessDenied", hint="Allow servicequotas:GetServiceQuota."))
    result = environment.run("preflight")
    assert result.exit_code == ExitCode.DONE
    assert "6 unknown" in result.stdout.splitlines()[-1]
    assert result.stdout.count("Hint: Allow servicequotas:GetServiceQuota.") == 1


def test_lines_for_the_settings_come_before_the_summary(environment: FakeEnvironment, account: FakeAws) -> None:
    """The last line stays the summary; with --json the lines are a list."""
    printed = environment.run("preflight").stdout.splitlines()
    lines = checked(environment)["settings_to_add"]
    assert lines[:2] == ["aurora-global-database:aws:", f'  account_id: "{ACCOUNT}"']
    heading = next(number for number, line in enumerate(printed) if line.startswith("Add to Pulumi.dev.yaml"))
    assert printed[heading + 1 :] == [*(f"  {line}" for line in lines), printed[-1]]
    assert printed[-1].endswith("0 failed, 0 unknown")


def test_complete_settings_need_no_lines(environment: FakeEnvironment, account: FakeAws) -> None:
    """Production has the account and the zones."""
    assert checked(environment, "--stack", "prod")["settings_to_add"] == []
    assert "Add to" not in environment.run("preflight", "--stack", "prod").stdout


BROKEN: list[tuple[str, str, tuple[str, str, str], Any, str]] = [
    ("region", WEST, (WEST, "account", "get_region_opt_status"), {"RegionOptStatus": "DISABLED"}, "DISABLED"),
    ("zones", EAST, (EAST, "ec2", "describe_availability_zones"), {"AvailabilityZones": [
        {"ZoneName": "us-east-1a", "State": "available"}, {"ZoneName": "us-east-1b", "State": "impaired"},
        {"ZoneName": "us-east-1-bos-1a", "State": "available", "ZoneType": "local-zone"}]}, "only us-east-1a"),
    ("engine version", EAST, (EAST, "rds", "describe_db_engine_versions"), {"DBEngineVersions": []}, "not offered"),
    ("engine version", EAST, (EAST, "rds", "describe_db_engine_versions"),
     {"DBEngineVersions": [{"SupportsGlobalDatabases": False}]}, "does not support global databases"),
    ("engine version", EAST, (EAST, "rds", "describe_db_engine_versions"),
     {"DBEngineVersions": [{"SupportsGlobalDatabases": True, "Status": "deprecated"}]}, "deprecated"),
    ("instance class", WEST, (WEST, "rds", "describe_orderable_db_instance_options"), {"OrderableDBInstanceOptions": [
        {"AvailabilityZones": [{"Name": "eu-west-1a"}, {"Name": "eu-west-1b"}]}]}, "2 zones"),
    ("instance class", WEST, (WEST, "rds", "describe_orderable_db_instance_options"), {"OrderableDBInstanceOptions": [
        {"SupportsGlobalDatabases": False, "AvailabilityZones": [{"Name": n} for n in "abc"]}]}, "global databases"),
    ("quota: VPCs", EAST, (EAST, "service-quotas", "get_service_quota"), {"Quota": {"Value": 1.0}}, "1 of 1 used, 1 needed"),
    ("quota: DB instances", EAST, (EAST, "service-quotas", "get_service_quota"), {"Quota": {"Value": 1.0}}, "0 of 1 used, 2 needed"),
    ("quota: Lambda concurrency", WEST, (WEST, "lambda", "get_account_settings"),
     {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}, "10 of 10 unreserved"),
    ("quota: Lambda concurrency", WEST, (WEST, "lambda", "get_account_settings"),
     {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 101}}, "101 of 1000"),
    ("quota: IAM roles", "global", (EAST, "iam", "get_account_summary"), {"SummaryMap": {"Roles": 995, "RolesQuota": 1000}},
     "995 of 1000 used, 9 needed"),
    ("quota: health checks", "global", (EAST, "route53", "get_account_limit"),
     {"Limit": {"Type": "MAX_HEALTH_CHECKS_BY_OWNER", "Value": 8}, "Count": 3}, "3 of 8 used, 6 needed"),
    ("name: cluster", EAST, (EAST, "rds", "describe_db_clusters"), {"DBClusters": [{"TagList": tags("prod")}]}, "Environment prod"),
    ("name: global cluster", WEST, (WEST, "rds", "describe_global_clusters"), {"GlobalClusters": [{"TagList": []}]}, "missing"),
    ("name: instances", EAST, (EAST, "rds", "describe_db_instances"), {"DBInstances": [{"TagList": []}]}, "is taken"),
    ("name: secret", WEST, (WEST, "secretsmanager", "describe_secret"), {"Tags": tags("dev"), "DeletedDate": NOW},
     "scheduled for deletion"),
    ("name: functions", WEST, (WEST, "lambda", "get_function"), {"Tags": {"Project": "other"}}, "Project other"),
    ("name: key alias", WEST, (WEST, "kms", "list_aliases"), {"Aliases": [{"AliasName": "alias/payments-database-dev"}]}, "is taken"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "where", "question", "answer", "said"), BROKEN)
def test_blocked_deployment_fails_with_evidence_and_hint(
    environment: FakeEnvironment,
    account: FakeAws,
    check: str,
    where: str,
    question: tuple[str, str, str],
    answer: Any,
    said: str,
) -> None:
    """The exit code is 6."""
    account.set(*question, answer)
    found = checked(environment)
    broken = finding(found, check, where)
    assert (broken["verdict"], said in broken["evidence"], bool(broken["hint"])) == (Verdict.FAILED, True, True), broken
    assert found["exit_code"] == ExitCode.FAILED


def test_lambda_limit_of_a_new_account_has_a_hint(environment: FakeEnvironment, account: FakeAws) -> None:
    """A limit of 10 leaves no concurrency to reserve; the hint names the limit to request."""
    limit = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    account.set(EAST, "lambda", "get_account_settings", {"AccountLimit": limit})
    hint = finding(checked(environment), "quota: Lambda concurrency", EAST)["hint"]
    assert "limit of 10" in hint
    assert "108 or more" in hint
    assert "failover.reserved_concurrency" in hint


@pytest.mark.parametrize(("reserved", "said"), [(None, "10 of 10 unreserved, none to be reserved"), (4, "16 to be")])
def test_lambda_quota_follows_the_reserved_concurrency_setting(
    account: FakeAws, reserved: int | None, said: str
) -> None:
    """With null a new account passes; with a number the hint names the limit to request."""
    limit = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    account.set(EAST, "lambda", "get_account_settings", {"AccountLimit": limit})
    settings = load_settings({"failover": {"reserved_concurrency": reserved}})
    checks = [
        check
        for check in quota_checks(settings, account, is_up=False)
        if (check.names, check.where) == (("quota: Lambda concurrency",), EAST)
    ]
    ((found,),) = [check.run() for check in checks]
    assert (reserved is None, True) == (found.verdict is Verdict.PASSED, said in found.evidence)
    assert (reserved is not None) is ("116 or more" in found.hint)


def test_missing_account_quota_falls_back_to_the_aws_default(environment: FakeEnvironment, account: FakeAws) -> None:
    """Service Quotas answers that the account has no quota of its own."""
    account.set(EAST, "service-quotas", "get_service_quota", missing("quota"))
    account.set(EAST, "service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 5.0}})
    assert "1 of 5 used, 1 needed" in finding(checked(environment), "quota: VPCs", EAST)["evidence"]


def test_instance_class_is_unknown_if_no_class_is_listed(environment: FakeEnvironment, account: FakeAws) -> None:
    """An empty list for the engine version is not evidence about one class."""
    account.set(WEST, "rds", "describe_orderable_db_instance_options", {"OrderableDBInstanceOptions": []})
    assert finding(checked(environment), "instance class", WEST)["verdict"] == Verdict.UNKNOWN


def test_instance_class_that_is_not_offered_fails(environment: FakeEnvironment, account: FakeAws) -> None:
    """Other classes of the engine version are offered."""

    def options(asked: Mapping[str, Any]) -> Any:
        return {
            "OrderableDBInstanceOptions": [] if "DBInstanceClass" in asked else [{"DBInstanceClass": "db.r5.large"}]
        }

    account.set(WEST, "rds", "describe_orderable_db_instance_options", options)
    klass = finding(checked(environment), "instance class", WEST)
    assert (klass["verdict"], "0 zones" in klass["evidence"]) == (Verdict.FAILED, True)


def test_instance_class_not_offered_in_the_subnet_zones_fails(environment: FakeEnvironment, account: FakeAws) -> None:
    """Three other zones offer the class; the deployment would fail after the network is created."""
    offered = [{"AvailabilityZones": [{"Name": f"{WEST}{letter}"} for letter in "bcd"]}]
    account.set(WEST, "rds", "describe_orderable_db_instance_options", {"OrderableDBInstanceOptions": offered})
    klass = finding(checked(environment), "instance class", WEST)
    assert (klass["verdict"], klass["evidence"]) == (Verdict.FAILED, f"db.r6g.large is not offered in {WEST}a")


def test_overlapping_network_is_unknown(environment: FakeEnvironment, account: FakeAws) -> None:
    """AWS allows overlapping VPCs; the stack's own VPC is ignored."""
    own_vpc = {"VpcId": "vpc-2", "CidrBlock": "10.10.0.0/16", "Tags": tags("dev")}
    account.set(EAST, "ec2", "describe_vpcs", {"Vpcs": [own_vpc]})
    account.set(WEST, "ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-3", "CidrBlock": "10.0.0.0/8"}]})
    found = checked(environment)
    assert finding(found, "network", EAST)["verdict"] == Verdict.PASSED
    network = finding(found, "network", WEST)
    assert (network["verdict"], "vpc-3 (10.0.0.0/8)" in network["evidence"]) == (Verdict.UNKNOWN, True)


def test_overlap_with_a_secondary_range_is_unknown_too(environment: FakeEnvironment, account: FakeAws) -> None:
    """AWS compares all ranges of two VPCs before it peers them."""
    ranges = [{"CidrBlock": "192.168.0.0/24"}, {"CidrBlock": "10.10.64.0/20"}]
    vpc = {"VpcId": "vpc-4", "CidrBlock": "192.168.0.0/24", "CidrBlockAssociationSet": ranges}
    account.set(EAST, "ec2", "describe_vpcs", {"Vpcs": [vpc]})
    network = finding(checked(environment), "network", EAST)
    assert (network["verdict"], "vpc-4 (10.10.64.0/20)" in network["evidence"]) == (Verdict.UNKNOWN, True)


def test_deployed_stack_needs_no_quota_and_owns_its_names(environment: FakeEnvironment, account: FakeAws) -> None:
    """In an update, resources with the stack's tags are its own and are not counted twice."""
    for region in (EAST, WEST):
        account.set(region, "rds", "describe_global_clusters", {"GlobalClusters": [{"TagList": tags("dev")}]})
        account.set(region, "rds", "describe_db_clusters", {"DBClusters": [{"TagList": tags("dev")}]})
        account.set(region, "service-quotas", "get_service_quota", {"Quota": {"Value": 1.0}})
        limit = {"ConcurrentExecutions": 102, "UnreservedConcurrentExecutions": 100}
        account.set(region, "lambda", "get_account_settings", {"AccountLimit": limit})
    found = checked(environment)
    assert found["is_up"] is True
    assert finding(found, "name: cluster", EAST)["evidence"] == "1 of this stack"
    assert [each for each in found["findings"] if each["verdict"] != Verdict.PASSED] == []


def test_every_kind_of_name_is_looked_up_with_its_tags(environment: FakeEnvironment, account: FakeAws) -> None:
    """Tags that AWS returns only by ARN are read too."""
    plain = {"Project": "payments", "Environment": "dev", "ManagedBy": "Pulumi"}
    arn = "arn:aws:rds:eu-west-1:123456789012:x"
    for operation, items, name in (
        ("describe_db_cluster_parameter_groups", "DBClusterParameterGroups", "DBClusterParameterGroupArn"),
        ("describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupArn"),
        ("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupArn"),
    ):
        account.set(WEST, "rds", operation, {items: [{name: arn}]})
    account.set(WEST, "rds", "list_tags_for_resource", {"TagList": tags("dev")})
    alias = {"AliasName": "alias/payments-database-dev", "TargetKeyId": "k"}
    account.set(WEST, "kms", "list_aliases", {"Aliases": [alias]})
    account.set(WEST, "kms", "list_resource_tags", {"Tags": [{"TagKey": k, "TagValue": v} for k, v in plain.items()]})
    account.set(WEST, "secretsmanager", "describe_secret", {"Tags": tags("dev")})
    account.set(WEST, "lambda", "get_function", {"Tags": plain})
    account.set(
        WEST,
        "logs",
        "describe_log_groups",
        lambda asked: {"logGroups": [{"logGroupName": asked["logGroupNamePrefix"], "arn": f"{arn}:*"}]},
    )
    account.set(WEST, "logs", "list_tags_for_resource", {"tags": plain})
    account.set(WEST, "dynamodb", "describe_table", {"Table": {"TableArn": arn}})
    account.set(WEST, "dynamodb", "list_tags_of_resource", {"Tags": tags("dev")})
    account.set(WEST, "sns", "get_topic_attributes", {"Attributes": {}})
    account.set(WEST, "sns", "list_tags_for_resource", {"Tags": tags("dev")})
    described = {"RoleName": "r", "Path": "/", "RoleId": "A" * 16, "Arn": arn + "x" * 20, "CreateDate": 0}
    account.set(WEST, "iam", "get_role", {"Role": {**described, "Tags": tags("dev")}})
    account.set(WEST, "scheduler", "get_schedule", {"State": "ENABLED"})
    found = checked(environment)
    own = [each["check"] for each in found["findings"] if each["where"] == WEST and "of this stack" in each["evidence"]]
    kinds = ["cluster parameters", "instance parameters", "subnet group", "key alias", "secret", "functions"]
    kinds += ["log groups", "table", "roles", "topic"]
    assert own == [f"name: {kind}" for kind in kinds]
    assert finding(found, "name: schedule", WEST)["verdict"] == Verdict.UNKNOWN


def test_log_group_re_created_after_a_destroy_says_how_to_delete_it(
    environment: FakeEnvironment, account: FakeAws
) -> None:
    """Lambda and RDS create it without tags; the next `up` would fail on its name."""
    name = "/aws/lambda/payments-health-check-dev"
    group = {"logGroupName": name, "arn": f"arn:aws:logs:{WEST}:{ACCOUNT}:log-group:{name}:*"}
    account.set(WEST, "logs", "describe_log_groups", {"logGroups": [group]})
    account.set(WEST, "logs", "list_tags_for_resource", {"tags": {}})
    found = finding(checked(environment), "name: log groups", WEST)
    assert found["verdict"] == Verdict.FAILED
    assert f"{name} is taken, with" in found["evidence"]
    assert "`aws logs delete-log-group --log-group-name NAME --region REGION`" in found["hint"]


FOREIGN = [{"Key": "Team", "Value": "another"}]
ATTACHED = {"HostedZoneId": "Z1", "Name": "payments-dev.internal.", "Owner": {"OwningAccount": ACCOUNT}}


@pytest.mark.parametrize(
    ("zones", "zone_tags", "verdict", "said"),
    [
        ([], [], Verdict.PASSED, ""),
        ([{**ATTACHED, "Name": "bank.internal."}], [], Verdict.PASSED, ""),
        ([ATTACHED], tags("dev"), Verdict.PASSED, "of this stack"),
        ([ATTACHED], FOREIGN, Verdict.FAILED, "payments-dev.internal is taken, with"),
        (
            [{**ATTACHED, "Name": "writer.payments-dev.internal."}],
            FOREIGN,
            Verdict.FAILED,
            "writer.payments-dev.internal is",
        ),
        ([{**ATTACHED, "Owner": {"OwningAccount": "111122223333"}}], [], Verdict.FAILED, "a zone of 111122223333 has"),
    ],
)
def test_zone_attached_to_an_existing_vpc_is_found(
    account: FakeAws, zones: list[Any], zone_tags: list[Any], verdict: Verdict, said: str
) -> None:
    """AWS refuses a second zone of the name, and a more specific one would answer for the writer."""
    account.set(EAST, "route53", "list_hosted_zones_by_vpc", {"HostedZoneSummaries": zones, "MaxItems": "100"})
    account.set(EAST, "route53", "list_tags_for_resource", {"ResourceTagSet": {"Tags": zone_tags}})
    settings = load_settings({"primary": {"existing_vpc": EXISTING_VPC, "vpc_cidr": "10.99.0.0/20"}})
    (check,) = [each for each in name_checks(settings, account, ACCOUNT) if each.names == ("name: zone in the VPC",)]
    (found,) = check.run()
    assert (found.where, found.verdict) == (EAST, verdict)
    assert said in found.evidence


def test_assumed_role_is_simulated_by_the_role_arn(environment: FakeEnvironment, account: FakeAws) -> None:
    """The ARN has the path that STS omits; each service is simulated on all resources and on the stack's names."""
    seen: list[Mapping[str, Any]] = []

    def simulate(asked: Mapping[str, Any]) -> Any:
        seen.append(asked)
        return allowed()(asked)

    account.set(EAST, "iam", "simulate_principal_policy", simulate)
    checked(environment)
    assert {asked["PolicySourceArn"] for asked in seen} == {f"arn:aws:iam::{ACCOUNT}:role/team/deployer"}
    assert len(seen) == 2 * len(actions_by_service())
    tried = {arn for asked in seen for arn in asked["ResourceArns"]}
    assert {"*", f"arn:aws:rds:eu-west-1:{ACCOUNT}:cluster:payments-eu-west-1-dev"} <= tried


@pytest.mark.parametrize(
    ("by", "said"), [("implicitDeny", "not allowed by any policy"), ("explicitDeny", "denied by a policy")]
)
def test_missing_permission_is_named_with_its_resource_type(
    environment: FakeEnvironment, account: FakeAws, by: str, said: str
) -> None:
    """The finding is in both regions, and the other services pass."""
    account.set(EAST, "iam", "simulate_principal_policy", allowed("rds:CreateGlobalCluster", by=by))
    found = checked(environment)
    rds = finding(found, "permissions: rds", WEST)
    assert (rds["verdict"], rds["evidence"]) == (Verdict.FAILED, f"rds:CreateGlobalCluster (GlobalCluster; {said})")
    assert finding(found, "permissions: sns", WEST)["verdict"] == Verdict.PASSED


def test_action_allowed_on_the_stack_names_only_passes(environment: FakeEnvironment, account: FakeAws) -> None:
    """A policy that names resources denies all others."""

    def simulate(asked: Mapping[str, Any]) -> Any:
        specific = [
            {"EvalResourceName": arn, "EvalResourceDecision": "implicitDeny" if arn == "*" else "allowed"}
            for arn in asked["ResourceArns"]
        ]
        results = [
            {"EvalActionName": action, "EvalDecision": "implicitDeny", "ResourceSpecificResults": specific}
            for action in asked["ActionNames"]
        ]
        return {"EvaluationResults": results}

    account.set(EAST, "iam", "simulate_principal_policy", simulate)
    assert checked(environment)["exit_code"] == ExitCode.DONE


def test_action_without_a_decision_fails(environment: FakeEnvironment, account: FakeAws) -> None:
    """IAM must return a decision for an action to pass."""
    account.set(EAST, "iam", "simulate_principal_policy", {"EvaluationResults": []})
    kms = finding(checked(environment), "permissions: kms", EAST)
    assert (kms["verdict"], "no decision" in kms["evidence"]) == (Verdict.FAILED, True)


@pytest.mark.parametrize("caller", [f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/alice"])
def test_root_is_unknown_and_a_user_is_simulated_by_arn(
    environment: FakeEnvironment, account: FakeAws, caller: str
) -> None:
    """IAM cannot simulate the root user."""
    account.set(EAST, "sts", "get_caller_identity", {"Account": ACCOUNT, "Arn": caller})
    verdict = finding(checked(environment), "permissions: iam", EAST)["verdict"]
    assert verdict == (Verdict.UNKNOWN if caller.endswith("root") else Verdict.PASSED)


def test_missing_credentials_stop_after_the_sts_call(environment: FakeEnvironment, account: FakeAws) -> None:
    """The exit code is 4, and the hint is to log in."""
    account.fail(service="sts", error=AwsError("Unable to locate credentials", hint="Log in to AWS."))
    result = environment.run("preflight", "--json")
    assert (result.exit_code, json.loads(result.stdout)["hint"]) == (ExitCode.AWS, "Log in to AWS.")
    assert {service for _, service, _ in account.asked} == {"sts"}


def test_denied_service_leaves_other_checks_intact(environment: FakeEnvironment, account: FakeAws) -> None:
    """Denied checks are unknown with a hint; if the stack cannot be read, preflight assumes a first deployment."""
    account.fail(None, "rds", error=AwsError("AccessDenied", hint="Use a role that may."))
    found = checked(environment)
    assert finding(found, "stack", "both")["verdict"] == Verdict.UNKNOWN
    unknown = {each["check"] for each in found["findings"] if each["verdict"] == Verdict.UNKNOWN}
    assert {"engine version", "instance class", "quota: DB clusters", "name: cluster"} <= unknown
    assert finding(found, "permissions: rds", EAST)["verdict"] == Verdict.PASSED
    assert finding(found, "name: table", WEST)["verdict"] == Verdict.PASSED


def test_outputs_option_without_destroy_is_a_usage_error(environment: FakeEnvironment, account: FakeAws) -> None:
    """Preflight reads the outputs for --destroy only."""
    assert environment.run("preflight", "--outputs", "outputs.json").exit_code == ExitCode.USAGE


# --- A stack's settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "Pulumi.x.yaml: No such file"),
        ("config: [", "Pulumi.x.yaml, line 1: not YAML: 'config: ['"),
        ("config:\n  p:a: 1\n  p:a: 2\n", "Pulumi.x.yaml, line 3: p:a is set twice"),
        ("config:\n  team: a: b\n", "Pulumi.x.yaml, line 2: not YAML: 'team: a: b'"),
        ("config:\n  team: 'a\n\n", "Pulumi.x.yaml, line 3: not YAML: ''"),
        ("config:\n  team: \x01\n", "Pulumi.x.yaml, line 2: not YAML: it contains a control character"),
        ("- other", "not a mapping"),
        ("config:\n  aurora-global-database:owner:\n    secure: v1:abc", "aurora-global-database:owner is encrypted"),
        (
            "config:\n  aurora-global-database:notifications:\n    emails:\n      - secure: v1:abc",
            "aurora-global-database:notifications.emails is encrypted",
        ),
        ("config:\n  environment: Dev!", "environment: 'Dev!' is not allowed"),
    ],
)
def test_unusable_settings_are_a_usage_error(tmp_path: Path, text: str | None, said: str) -> None:
    """The error has a hint and names the key of an encrypted value."""
    if text is not None:
        (tmp_path / "Pulumi.x.yaml").write_text(text)
    (tmp_path / "Pulumi.yaml").write_text("name: aurora-global-database")
    (tmp_path / "Pulumi.other.yaml").write_text("config: {}")
    with pytest.raises(UsageProblemError) as raised:
        read_settings("x", tmp_path)
    assert said in raised.value.message
    assert raised.value.hint
    if text is None:
        assert "other" in raised.value.hint


def test_each_invalid_setting_has_its_own_line(tmp_path: Path) -> None:
    """The settings' own texts contain colons and full stops: they are not joined into one line."""
    (tmp_path / "Pulumi.yaml").write_text("name: aurora-global-database")
    (tmp_path / "Pulumi.x.yaml").write_text("config:\n  environment: Dev!\n  projekt: payments")
    with pytest.raises(UsageProblemError) as raised:
        read_settings("x", tmp_path)
    first, *others = raised.value.message.splitlines()
    assert first == "Pulumi.x.yaml: invalid settings:"
    assert [line.split(":")[0] for line in others] == ["  environment", "  projekt"]


def test_settings_file_in_latin_1_is_an_error(tmp_path: Path) -> None:
    """The error names the file and the encoding, without a traceback."""
    (tmp_path / "Pulumi.yaml").write_text("name: aurora-global-database")
    (tmp_path / "Pulumi.dev.yaml").write_bytes(b"config: {team: \xfc}")
    with pytest.raises(UsageProblemError, match=r"Pulumi\.dev\.yaml: not UTF-8 text"):
        read_settings("dev", tmp_path)


def test_settings_are_those_of_the_stack(environment: FakeEnvironment, account: FakeAws) -> None:
    """The program's settings model reads them; another stack has other names."""
    settings = read_settings("prod")
    assert (settings.environment, settings.primary.instance_count) == ("prod", 3)
    assert names_of(settings).cluster(EAST) == "payments-us-east-1-prod"
    assert stack_settings.PROGRAM == Path(__file__).resolve().parents[4]


# --- The tables against the program -----------------------------------------------------------------------------------

NAMED_BY = {
    "rds/globalCluster:GlobalCluster": "globalClusterIdentifier",
    "rds/cluster:Cluster": "clusterIdentifier",
    "rds/clusterInstance:ClusterInstance": "identifier",
    "rds/clusterParameterGroup:ClusterParameterGroup": "name",
    "rds/parameterGroup:ParameterGroup": "name",
    "rds/subnetGroup:SubnetGroup": "name",
    "kms/alias:Alias": "name",
    "secretsmanager/secret:Secret": "name",
    "lambda/function:Function": "name",
    "cloudwatch/logGroup:LogGroup": "name",
    "dynamodb/table:Table": "name",
    "scheduler/schedule:Schedule": "name",
    "sqs/queue:Queue": "name",
    "iam/role:Role": "name",
    "sns/topic:Topic": "name",
}
"""Types with unique names, and the input with the name: AWS refuses or overwrites a name that exists."""


REGISTERED = {
    "notifications": {"emails": ["on-call@bank.internal"]},
    "database": {"iam_users": {"alice": "read_only"}},
    "logs": {"flow_logs": True},
}


@pytest.fixture(scope="module")
def registered() -> Any:
    """A run of the program with an alarm subscription, a database user and flow logs."""
    run = run_program(REGISTERED)
    assert run.error is None
    return run


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_names_of_the_program_are_looked_up(registered: Any, which: str) -> None:
    """The comparison is by region and type: a name that the program changes must be changed in preflight."""
    settings = load_settings(REGISTERED)
    region = getattr(settings, which)
    looked_up = {
        name.rpartition(":")[2] if kind.kind == "topic" else name
        for kind in name_kinds(settings, region, ACCOUNT)
        for name in kind.names
    }
    given = {
        resource.inputs[named_by]
        for kind, named_by in NAMED_BY.items()
        for resource in registered.of(kind, region.region)
    }
    everywhere = {names_of(settings).of("global"), names_of(settings).of("master")}
    assert looked_up - everywhere == given - everywhere
    assert everywhere <= looked_up


def test_permissions_cover_each_registered_type_and_no_other(registered: Any) -> None:
    """A type that the program adds or removes must be added or removed in ACTIONS."""
    assert {resource.type for resource in registered.cloud} == set(ACTIONS)


def test_every_service_is_simulated_on_names_of_this_stack() -> None:
    """Otherwise a policy that names resources would appear to allow nothing."""
    assert set(actions_by_service()) == set(STACK_ARNS)


NO_OPERATIONS = {"PassRole", "InvokeFunction"}
"""IAM actions without an API operation of the same name."""


def test_actions_exist_in_botocore() -> None:
    """A misspelled action would always be denied."""
    from botocore.session import get_session

    core = get_session()
    for service, actions in actions_by_service().items():
        model: Any = core.get_service_model(service)
        names = {f"{service}:{name}" for name in {*model.operation_names, *NO_OPERATIONS}}
        wrong = [action for action in actions if action not in names]
        assert wrong == [], service


def test_quota_counts_equal_the_registered_resources(registered: Any) -> None:
    """The counts are of IAM roles, health checks and reserved concurrency."""
    from operations.checks.quotas import ROUTE_53_LIMITS

    names = names_of(load_settings({}))
    roles = sum(len(names.roles(is_primary=each, has_flow_logs=True)) for each in (True, False))
    assert len(registered.of("iam/role:Role")) == roles
    needed = {name: count for name, _, count in ROUTE_53_LIMITS}
    assert needed == {
        "hosted zones": len(registered.of("route53/zone:Zone")),
        "health checks": len(registered.of("route53/healthCheck:HealthCheck")),
    }
    reserved = [
        r.inputs.get("reservedConcurrentExecutions") or 0 for r in registered.of("lambda/function:Function", EAST)
    ]
    assert sum(reserved) == load_settings({}).failover.concurrency_reserved_in_a_region


def test_fake_account_has_the_engine_version_of_the_program() -> None:
    """With another version the tests above would not apply to the program."""
    assert load_settings({}).database.engine_version == VERSION
