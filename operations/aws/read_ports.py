"""The read-only calls that `verify`, `preflight`, `status`, `cost` and `recover` may make, with the IAM permission of each.

No operation in the list changes anything, and no other operation can be called.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Answer = Mapping[str, Any]
"""A response in boto3's form."""

READ_OPERATIONS: Mapping[tuple[str, str], str] = {
    ("account", "get_region_opt_status"): "account:GetRegionOptStatus",
    ("cloudwatch", "describe_alarms"): "cloudwatch:DescribeAlarms",
    ("cloudwatch", "get_metric_data"): "cloudwatch:GetMetricData",
    ("cloudwatch", "get_metric_statistics"): "cloudwatch:GetMetricStatistics",
    ("cloudwatch", "list_dashboards"): "cloudwatch:ListDashboards",
    ("cloudwatch", "list_tags_for_resource"): "cloudwatch:ListTagsForResource",
    ("dynamodb", "describe_table"): "dynamodb:DescribeTable",
    ("dynamodb", "list_tags_of_resource"): "dynamodb:ListTagsOfResource",
    ("ec2", "describe_availability_zones"): "ec2:DescribeAvailabilityZones",
    ("ec2", "describe_flow_logs"): "ec2:DescribeFlowLogs",
    ("ec2", "describe_route_tables"): "ec2:DescribeRouteTables",
    ("ec2", "describe_security_group_rules"): "ec2:DescribeSecurityGroupRules",
    ("ec2", "describe_security_groups"): "ec2:DescribeSecurityGroups",
    ("ec2", "describe_subnets"): "ec2:DescribeSubnets",
    ("ec2", "describe_vpc_peering_connections"): "ec2:DescribeVpcPeeringConnections",
    ("ec2", "describe_vpcs"): "ec2:DescribeVpcs",
    ("events", "describe_rule"): "events:DescribeRule",
    ("events", "list_tags_for_resource"): "events:ListTagsForResource",
    ("events", "list_targets_by_rule"): "events:ListTargetsByRule",
    ("iam", "get_account_summary"): "iam:GetAccountSummary",
    ("iam", "get_role"): "iam:GetRole",
    ("iam", "get_role_policy"): "iam:GetRolePolicy",
    ("iam", "list_attached_role_policies"): "iam:ListAttachedRolePolicies",
    ("iam", "list_policies"): "iam:ListPolicies",
    ("iam", "list_policy_tags"): "iam:ListPolicyTags",
    ("iam", "simulate_principal_policy"): "iam:SimulatePrincipalPolicy",
    ("kms", "describe_key"): "kms:DescribeKey",
    ("kms", "list_aliases"): "kms:ListAliases",
    ("kms", "list_keys"): "kms:ListKeys",
    ("kms", "list_resource_tags"): "kms:ListResourceTags",
    ("lambda", "get_account_settings"): "lambda:GetAccountSettings",
    ("lambda", "get_function"): "lambda:GetFunction",
    ("lambda", "get_function_configuration"): "lambda:GetFunctionConfiguration",
    ("lambda", "get_policy"): "lambda:GetPolicy",
    # Invokes health_check: it connects, reads, and writes nothing but its heartbeat.
    ("lambda", "invoke"): "lambda:InvokeFunction",
    ("logs", "describe_log_groups"): "logs:DescribeLogGroups",
    ("logs", "list_tags_for_resource"): "logs:ListTagsForResource",
    ("pricing", "get_products"): "pricing:GetProducts",
    ("rds", "describe_db_cluster_parameters"): "rds:DescribeDBClusterParameters",
    ("rds", "describe_db_cluster_snapshots"): "rds:DescribeDBClusterSnapshots",
    ("rds", "describe_db_clusters"): "rds:DescribeDBClusters",
    ("rds", "describe_db_engine_versions"): "rds:DescribeDBEngineVersions",
    ("rds", "describe_db_instances"): "rds:DescribeDBInstances",
    ("rds", "describe_db_cluster_parameter_groups"): "rds:DescribeDBClusterParameterGroups",
    ("rds", "describe_db_parameter_groups"): "rds:DescribeDBParameterGroups",
    ("rds", "describe_db_subnet_groups"): "rds:DescribeDBSubnetGroups",
    ("rds", "describe_global_clusters"): "rds:DescribeGlobalClusters",
    ("rds", "describe_orderable_db_instance_options"): "rds:DescribeOrderableDBInstanceOptions",
    ("rds", "list_tags_for_resource"): "rds:ListTagsForResource",
    ("route53", "get_account_limit"): "route53:GetAccountLimit",
    ("route53", "get_health_check"): "route53:GetHealthCheck",
    ("route53", "get_hosted_zone"): "route53:GetHostedZone",
    ("route53", "list_health_checks"): "route53:ListHealthChecks",
    ("route53", "list_hosted_zones"): "route53:ListHostedZones",
    ("route53", "list_hosted_zones_by_vpc"): "route53:ListHostedZonesByVPC",
    ("route53", "list_resource_record_sets"): "route53:ListResourceRecordSets",
    ("route53", "list_tags_for_resource"): "route53:ListTagsForResource",
    ("scheduler", "get_schedule"): "scheduler:GetSchedule",
    ("secretsmanager", "describe_secret"): "secretsmanager:DescribeSecret",
    ("secretsmanager", "get_secret_value"): "secretsmanager:GetSecretValue",
    ("service-quotas", "get_aws_default_service_quota"): "servicequotas:GetAWSDefaultServiceQuota",
    ("service-quotas", "get_service_quota"): "servicequotas:GetServiceQuota",
    ("sns", "get_topic_attributes"): "sns:GetTopicAttributes",
    ("sns", "list_tags_for_resource"): "sns:ListTagsForResource",
    ("sns", "list_topics"): "sns:ListTopics",
    ("sqs", "get_queue_url"): "sqs:GetQueueUrl",
    ("sqs", "list_queue_tags"): "sqs:ListQueueTags",
    ("sts", "get_caller_identity"): "sts:GetCallerIdentity",
}
"""IAM permission by service and operation, as boto3 names them. Source: Service Authorization Reference."""


class ReadOnlyApi(Protocol):
    """The read-only calls of one region. Each is limited in time."""

    def read(self, service: str, operation: str, **parameters: Any) -> Answer:
        """Return the response.

        Raises:
            NotThereError: the resource does not exist.
            AwsError: AWS denied access, failed, or did not respond in time.
        """
        ...

    def read_all(self, service: str, operation: str, items: str, **parameters: Any) -> list[Any]:
        """Return the list `items` of the response, from all pages. Raises the same errors as `read`."""
        ...


ReadApiFactory = Callable[[str], ReadOnlyApi]
"""Returns the read-only calls of a region by its name."""
