"""An AWS account without a deployed stack, as `preflight` sees it."""

from collections.abc import Mapping
from typing import Any

from operations.checks.required_permissions import actions_by_service
from tests.support.operations.fake_aws import FakeAws, missing
from tests.support.operations.fakes import EAST, WEST

ACCOUNT = "123456789012"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/alice"
VERSION = "8.0.mysql_aurora.3.10.4"


def empty_account(aws: FakeAws) -> FakeAws:
    """Set up an account with sufficient quotas, all offerings and no resources of this stack."""
    for region in (EAST, WEST):
        _set_offerings(aws, region)
        _set_no_resources(aws, region)
    aws.set(EAST, "sts", "get_caller_identity", {"Account": ACCOUNT, "Arn": CALLER, "UserId": "x"})
    aws.set(EAST, "iam", "get_account_summary", {"SummaryMap": {"Roles": 10, "RolesQuota": 1000}})
    limit = {"Type": "MAX_HEALTH_CHECKS_BY_OWNER", "Value": 200}
    aws.set(EAST, "route53", "get_account_limit", {"Limit": limit, "Count": 3})
    aws.set(EAST, "iam", "get_role", _role)
    aws.set(EAST, "iam", "simulate_principal_policy", allowed())
    return aws


def allowed(*denied: str, by: str = "implicitDeny") -> Any:
    """Return an IAM simulation that allows everything except these actions."""

    def simulate(asked: Mapping[str, Any]) -> Any:
        assert set(asked["ActionNames"]) in [set(actions) for actions in actions_by_service().values()]
        results = [
            {"EvalActionName": action, "EvalDecision": by if action in denied else "allowed"}
            for action in asked["ActionNames"]
        ]
        return {"EvaluationResults": results}

    return simulate


def _role(asked: Mapping[str, Any]) -> Any:
    if asked["RoleName"] != "deployer":
        return missing(asked["RoleName"])
    arn = f"arn:aws:iam::{ACCOUNT}:role/team/deployer"
    return {"Role": {"RoleName": "deployer", "Arn": arn, "Path": "/team/", "RoleId": "A" * 16, "CreateDate": 0}}


def _set_offerings(aws: FakeAws, region: str) -> None:
    aws.set(region, "account", "get_region_opt_status", {"RegionName": region, "RegionOptStatus": "ENABLED_BY_DEFAULT"})
    zones = [f"{region}{letter}" for letter in "abc"]
    described = [{"ZoneName": zone, "State": "available", "ZoneType": "availability-zone"} for zone in zones]
    aws.set(region, "ec2", "describe_availability_zones", {"AvailabilityZones": described})
    version = {"EngineVersion": VERSION, "SupportsGlobalDatabases": True, "Status": "available"}
    aws.set(region, "rds", "describe_db_engine_versions", {"DBEngineVersions": [version]})
    option = {"DBInstanceClass": "db.r6g.large", "AvailabilityZones": [{"Name": zone} for zone in zones]}
    aws.set(region, "rds", "describe_orderable_db_instance_options", {"OrderableDBInstanceOptions": [option]})
    aws.set(region, "ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "172.31.0.0/16"}]})
    aws.set(region, "service-quotas", "get_service_quota", {"Quota": {"Value": 40.0}})
    concurrency = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
    aws.set(region, "lambda", "get_account_settings", {"AccountLimit": concurrency})


def _set_no_resources(aws: FakeAws, region: str) -> None:
    """Make every name free; lists without a name are empty."""
    for operation, items, by in (
        ("describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier"),
        ("describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
        ("describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
        ("describe_db_cluster_parameter_groups", "DBClusterParameterGroups", "DBClusterParameterGroupName"),
        ("describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
        ("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ):
        aws.set(region, "rds", operation, _none_of(items, by))
    aws.set(region, "kms", "list_aliases", {"Aliases": []})
    aws.set(region, "logs", "describe_log_groups", {"logGroups": []})
    for service, operation in (
        ("secretsmanager", "describe_secret"),
        ("lambda", "get_function"),
        ("lambda", "get_function_configuration"),
        ("dynamodb", "describe_table"),
        ("scheduler", "get_schedule"),
        ("sns", "get_topic_attributes"),
        ("sqs", "get_queue_url"),
    ):
        aws.set(region, service, operation, missing(f"{service} {operation}"))
    aws.set(region, "iam", "get_role", _role)


def _none_of(items: str, by: str) -> Any:
    return lambda asked: missing(asked[by]) if by in asked else {items: []}
