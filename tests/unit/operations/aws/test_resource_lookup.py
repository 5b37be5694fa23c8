"""The lookups of the program's resources in AWS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from operations.aws.resource_lookup import LOOKUPS, Lookup, Repeated, find
from operations.checks.required_permissions import ACTIONS
from operations.support.errors import AwsError
from tests.support.operations.fake_aws import FakeAws, missing
from tests.support.operations.fakes import EAST

URNS = Path(__file__).resolve().parents[2] / "program" / "urns.txt"
TAGS = {"Environment": "dev", "Project": "payments"}


def found(aws: FakeAws, type_: str, inputs: Mapping[str, Any], tags: Mapping[str, str] = TAGS) -> list[str]:
    """Return the ids that a lookup finds in us-east-1."""
    lookup = LOOKUPS[type_]
    assert isinstance(lookup, Lookup)
    return [each.id for each in find(lookup, aws(EAST), inputs, tags)]


def aws_tags(**tags: str) -> list[dict[str, str]]:
    """Return tags as AWS lists them."""
    return [{"Key": name, "Value": value} for name, value in {**TAGS, **tags}.items()]


def test_every_type_of_the_program_has_a_lookup() -> None:
    """A type without one could not be recovered, and the command would refuse."""
    types = {line.split("::")[2].rpartition("$")[2] for line in URNS.read_text(encoding="utf-8").splitlines()}
    assert set() == types - set(LOOKUPS)


def test_lookups_have_the_types_of_every_setting_and_no_others() -> None:
    """The list of permissions has the types of all settings; a password needs no permission."""
    assert set(ACTIONS) == set(LOOKUPS) - {"random:index/randomPassword:RandomPassword"}


def test_repeated_types_say_why() -> None:
    """The reason is part of the evidence."""
    assert all(each.reason for each in LOOKUPS.values() if isinstance(each, Repeated))


def test_vpc_of_another_stack_is_ignored(aws: FakeAws) -> None:
    """VPCs have no unique name, so only the tags tell whose one is."""
    vpcs = [
        {"VpcId": "vpc-1", "CidrBlock": "10.10.0.0/16", "Tags": aws_tags()},
        {"VpcId": "vpc-2", "CidrBlock": "10.10.0.0/16", "Tags": aws_tags(Environment="test")},
        {"VpcId": "vpc-3", "CidrBlock": "10.10.0.0/16"},
    ]
    aws.set(EAST, "ec2", "describe_vpcs", {"Vpcs": vpcs})
    assert ["vpc-1"] == found(aws, "aws:ec2/vpc:Vpc", {"cidrBlock": "10.10.0.0/16"})


def test_route_has_the_id_of_the_provider(aws: FakeAws) -> None:
    """The id has the CRC-32 of the destination. Source: a route in the state of pulumi-aws, r-rtb-...1080289494."""
    routes = [{"DestinationCidrBlock": "0.0.0.0/0"}, {"DestinationCidrBlock": "10.0.0.0/8"}]
    aws.set(EAST, "ec2", "describe_route_tables", {"RouteTables": [{"RouteTableId": "rtb-1", "Routes": routes}]})
    inputs = {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"}
    assert ["r-rtb-11080289494"] == found(aws, "aws:ec2/route:Route", inputs)


def test_rule_is_found_by_direction_ports_and_source(aws: FakeAws) -> None:
    """Rules of one group differ in at least one of them."""
    rule = {"GroupId": "sg-1", "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306}
    rules = [
        {**rule, "SecurityGroupRuleId": "sgr-1", "IsEgress": False, "CidrIpv4": "10.10.0.0/16"},
        {**rule, "SecurityGroupRuleId": "sgr-2", "IsEgress": True, "CidrIpv4": "10.10.0.0/16"},
        {**rule, "SecurityGroupRuleId": "sgr-3", "IsEgress": False, "CidrIpv4": "10.20.0.0/16"},
        {**rule, "SecurityGroupRuleId": "sgr-4", "IsEgress": False, "ReferencedGroupInfo": {"GroupId": "sg-9"}},
    ]
    aws.set(EAST, "ec2", "describe_security_group_rules", {"SecurityGroupRules": rules})
    inputs = {"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 3306, "toPort": 3306}
    ingress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    egress = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    assert ["sgr-1"] == found(aws, ingress, {**inputs, "cidrIpv4": "10.10.0.0/16"})
    assert ["sgr-4"] == found(aws, ingress, {**inputs, "referencedSecurityGroupId": "sg-9"})
    assert ["sgr-2"] == found(aws, egress, {**inputs, "cidrIpv4": "10.10.0.0/16"})


def test_flow_log_is_found_by_its_log_group(aws: FakeAws) -> None:
    """A VPC may have flow logs of others; EC2 describes a log group by name or by ARN."""
    logs = [
        {"FlowLogId": "fl-1", "LogGroupName": "someone-else"},
        {"FlowLogId": "fl-2", "LogGroupName": "/aws/vpc/payments-flow-logs-dev"},
    ]
    aws.set(EAST, "ec2", "describe_flow_logs", {"FlowLogs": logs})
    arn = f"arn:aws:logs:{EAST}:123456789012:log-group:/aws/vpc/payments-flow-logs-dev"
    assert ["fl-2"] == found(aws, "aws:ec2/flowLog:FlowLog", {"vpcId": "vpc-1", "logDestination": arn})


def test_ended_peering_is_ignored(aws: FakeAws) -> None:
    """AWS shows it for a while, with its tags."""

    def peering(name: str, status: str) -> dict[str, Any]:
        return {
            "VpcPeeringConnectionId": name,
            "RequesterVpcInfo": {"VpcId": "vpc-1"},
            "AccepterVpcInfo": {"VpcId": "vpc-2"},
            "Status": {"Code": status},
            "Tags": aws_tags(),
        }

    connections = [peering("pcx-1", "deleted"), peering("pcx-2", "pending-acceptance")]
    aws.set(EAST, "ec2", "describe_vpc_peering_connections", {"VpcPeeringConnections": connections})
    inputs = {"vpcId": "vpc-1", "peerVpcId": "vpc-2"}
    assert ["pcx-2"] == found(aws, "aws:ec2/vpcPeeringConnection:VpcPeeringConnection", inputs)


def test_key_that_is_scheduled_for_deletion_is_gone(aws: FakeAws) -> None:
    """A destroyed stack leaves its keys so for a week or more."""
    aws.set(EAST, "kms", "list_keys", {"Keys": [{"KeyId": "old"}, {"KeyId": "new"}]})
    aws.set(
        EAST,
        "kms",
        "describe_key",
        lambda asked: {
            "KeyMetadata": {
                "KeyId": asked["KeyId"],
                "Description": "storage",
                "KeyState": "PendingDeletion" if asked["KeyId"] == "old" else "Enabled",
            }
        },
    )
    tags = [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]
    aws.set(EAST, "kms", "list_resource_tags", {"Tags": tags})
    assert ["new"] == found(aws, "aws:kms/key:Key", {"description": "storage"})


ZONE = {"name": "payments-dev.internal", "comment": "names", "vpcs": [{"vpcId": "vpc-1", "vpcRegion": EAST}]}
NEW_ZONE = {
    "Id": "/hostedzone/Z1",
    "CallerReference": "terraform-1",
    "Name": "payments-dev.internal.",
    "Config": {"PrivateZone": True, "Comment": "names"},
    "ResourceRecordSetCount": 2,
}
PAGE = {"Marker": "", "IsTruncated": False, "MaxItems": "100"}


def set_route53_tags(aws: FakeAws, tags: list[dict[str, str]]) -> None:
    """Set the tags of every zone and health check."""
    listed = {"ResourceType": "hostedzone", "ResourceId": "Z1", **({"Tags": tags} if tags else {})}
    aws.set(EAST, "route53", "list_tags_for_resource", {"ResourceTagSet": listed})


@pytest.mark.parametrize(
    ("zone", "vpc", "tags", "expected"),
    [
        (NEW_ZONE, "vpc-1", [], ["Z1"]),
        (NEW_ZONE, "vpc-1", aws_tags(), ["Z1"]),
        (NEW_ZONE, "vpc-1", aws_tags(Environment="test"), []),
        (NEW_ZONE, "vpc-2", [], []),
        ({**NEW_ZONE, "ResourceRecordSetCount": 3}, "vpc-1", [], []),
        ({**NEW_ZONE, "Config": {"PrivateZone": True, "Comment": "mine"}}, "vpc-1", [], []),
    ],
    ids=["interrupted before its tags", "complete", "other tags", "other VPC", "with records", "other comment"],
)
def test_zone_without_tags_is_ours_only_if_it_is_new(
    aws: FakeAws, zone: Mapping[str, Any], vpc: str, tags: list[dict[str, str]], expected: list[str]
) -> None:
    """The provider tags a zone half a minute after its creation; an untagged zone with records is someone else's."""
    aws.set(EAST, "route53", "list_hosted_zones", {**PAGE, "HostedZones": [zone]})
    aws.set(EAST, "route53", "get_hosted_zone", {"HostedZone": zone, "VPCs": [{"VPCId": vpc, "VPCRegion": EAST}]})
    set_route53_tags(aws, tags)
    assert expected == found(aws, "aws:route53/zone:Zone", ZONE)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"cloudwatchAlarmName": "lost", "cloudwatchAlarmRegion": EAST}, ["of lost"]),
        ({"cloudwatchAlarmName": "other", "cloudwatchAlarmRegion": EAST}, []),
        ({"cloudwatchAlarmName": "lost", "cloudwatchAlarmRegion": "eu-west-1"}, []),
        ({"type": "CALCULATED", "childHealthchecks": ["b", "a"]}, ["of a and b"]),
        ({"type": "CALCULATED", "childHealthchecks": ["a"]}, []),
    ],
)
def test_health_check_without_tags_is_found_by_what_it_follows(
    aws: FakeAws, inputs: Mapping[str, Any], expected: list[str]
) -> None:
    """The provider tags a health check after its creation."""
    alarm = {
        "Type": "CLOUDWATCH_METRIC",
        "AlarmIdentifier": {"Region": EAST, "Name": "lost"},
        "InsufficientDataHealthStatus": "Healthy",
    }
    calculated = {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": ["a", "b"]}
    configs = {"of lost": alarm, "of a and b": calculated, "of a web page": {"Type": "HTTPS"}}
    checks = [
        {"Id": name, "CallerReference": name, "HealthCheckVersion": 1, "HealthCheckConfig": config}
        for name, config in configs.items()
    ]
    aws.set(EAST, "route53", "list_health_checks", {**PAGE, "HealthChecks": checks})
    set_route53_tags(aws, [])
    of_alarm = {"type": "CLOUDWATCH_METRIC", "insufficientDataHealthStatus": "Healthy"}
    given = inputs if "type" in inputs else {**of_alarm, **inputs}
    assert expected == found(aws, "aws:route53/healthCheck:HealthCheck", given)


def test_missing_resource_and_missing_parent_are_no_error(aws: FakeAws) -> None:
    """AWS answers that the role does not exist; the lookup finds nothing."""
    aws.set(EAST, "iam", "get_role_policy", missing("role"))
    assert [] == found(aws, "aws:iam/rolePolicy:RolePolicy", {"role": "r", "name": "p"})


def test_denied_call_is_an_error(aws: FakeAws) -> None:
    """Otherwise a resource that exists would be created a second time."""
    aws.fail(EAST, "iam", "get_role")
    with pytest.raises(AwsError):
        found(aws, "aws:iam/role:Role", {"name": "r"})
