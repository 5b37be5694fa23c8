"""The table of required permissions against AWS's CloudFormation schemas."""

from operations.checks.required_permissions import ACTIONS
from policy.rules.cloudformation import schema
from policy.rules.replacement import CLOUDFORMATION_TYPES

BEYOND_THE_SCHEMAS = {
    "aws:ec2/securityGroup:SecurityGroup": {"ec2:DescribeNetworkInterfaces"},
    "aws:ec2/subnet:Subnet": {"ec2:DescribeAvailabilityZones"},
    "aws:iam/policy:Policy": {"iam:TagPolicy"},
    "aws:iam/role:Role": {"iam:ListInstanceProfilesForRole", "iam:PassRole"},
    "aws:kms/key:Key": {"kms:CreateGrant"},
    "aws:lambda/function:Function": {"lambda:ListVersionsByFunction"},
    "aws:rds/cluster:Cluster": {"rds:ListTagsForResource"},
    "aws:secretsmanager/secret:Secret": {
        "secretsmanager:DeleteResourcePolicy",
        "secretsmanager:GetResourcePolicy",
        "secretsmanager:PutResourcePolicy",
    },
    "aws:sns/topicPolicy:TopicPolicy": {"sns:GetTopicAttributes"},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {"ec2:CreateTags", "ec2:ModifySecurityGroupRules"},
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {"ec2:CreateTags", "ec2:ModifySecurityGroupRules"},
}
"""Actions that the AWS provider, RDS or Lambda needs of the caller and that are missing in the type's schema."""


def test_each_action_is_in_the_schema_of_its_type_or_listed_as_an_exception() -> None:
    """An action that no source names would make preflight fail for a role that can deploy."""
    beyond: dict[str, set[str]] = {}
    for kind, actions in ACTIONS.items():
        if cloudformation_type := CLOUDFORMATION_TYPES[kind]:
            handlers = schema(cloudformation_type)["handlers"].values()
            known = {action for handler in handlers for action in handler["permissions"]}
            if others := set(actions) - known:
                beyond[kind] = others
    assert beyond == BEYOND_THE_SCHEMAS


def test_each_type_may_be_created_and_deleted_where_its_schema_has_such_an_action() -> None:
    """The table has at least one of the schema's actions for each of create and delete."""
    for kind, actions in ACTIONS.items():
        if cloudformation_type := CLOUDFORMATION_TYPES[kind]:
            handlers = schema(cloudformation_type)["handlers"]
            for operation in ("create", "delete"):
                assert set(handlers[operation]["permissions"]) & set(actions), (kind, operation)
