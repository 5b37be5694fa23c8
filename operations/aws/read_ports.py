"""The read-only calls that `verify`, `preflight`, `status` and `cost` may make, with the IAM permission of each.

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
    ("dynamodb", "describe_table"): "dynamodb:DescribeTable",
    ("dynamodb", "list_tags_of_resource"): "dynamodb:ListTagsOfResource",
    ("ec2", "describe_availability_zones"): "ec2:DescribeAvailabilityZones",
    ("ec2", "describe_vpcs"): "ec2:DescribeVpcs",
    ("iam", "get_account_summary"): "iam:GetAccountSummary",
    ("iam", "get_role"): "iam:GetRole",
    ("iam", "simulate_principal_policy"): "iam:SimulatePrincipalPolicy",
    ("kms", "list_aliases"): "kms:ListAliases",
    ("kms", "list_resource_tags"): "kms:ListResourceTags",
    ("lambda", "get_account_settings"): "lambda:GetAccountSettings",
    ("lambda", "get_function"): "lambda:GetFunction",
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
    ("scheduler", "get_schedule"): "scheduler:GetSchedule",
    ("secretsmanager", "describe_secret"): "secretsmanager:DescribeSecret",
    ("secretsmanager", "get_secret_value"): "secretsmanager:GetSecretValue",
    ("service-quotas", "get_aws_default_service_quota"): "servicequotas:GetAWSDefaultServiceQuota",
    ("service-quotas", "get_service_quota"): "servicequotas:GetServiceQuota",
    ("sns", "get_topic_attributes"): "sns:GetTopicAttributes",
    ("sns", "list_tags_for_resource"): "sns:ListTagsForResource",
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
