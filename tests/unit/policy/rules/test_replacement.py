"""Inputs whose change replaces a resource."""

import importlib

import pulumi._types as pulumi_types
import pytest

from policy.rules.replacement import CLOUDFORMATION_TYPES, camel_case, create_only_properties
from tests.support.program.harness import run_program, stack_file


def inputs_of(pulumi_type: str) -> set[str]:
    """Return the SDK's input names of a type."""
    package, module, name = pulumi_type.replace("/", ":").split(":")[0], *pulumi_type.split(":")[1:]
    module = module.split("/")[0]
    sdk = {"random": "pulumi_random"}.get(package) or f"pulumi_aws.{'lambda_' if module == 'lambda' else module}"
    arguments = getattr(importlib.import_module(sdk), f"{name}Args")
    return set(pulumi_types.input_type_py_to_pulumi_names(arguments).values())


@pytest.mark.parametrize("pulumi_type", CLOUDFORMATION_TYPES)
def test_replacing_properties_are_inputs_of_the_type(pulumi_type: str) -> None:
    """Every CloudFormation name maps to a Pulumi input."""
    assert set() == create_only_properties(pulumi_type) - inputs_of(pulumi_type)


def test_every_registered_type_is_known() -> None:
    """Every type of the production stack is in the table of types."""
    run = run_program(stack_file("prod"))
    registered = {r.type for r in run.resources if r.type.startswith(("aws:", "random:"))}
    assert set() == registered - set(CLOUDFORMATION_TYPES)


@pytest.mark.parametrize(
    ("pulumi_type", "replacing"),
    [
        ("aws:rds/cluster:Cluster", {"kmsKeyId", "storageEncrypted", "databaseName", "masterUsername", "engine"}),
        ("aws:rds/cluster:Cluster", {"clusterIdentifier", "dbSubnetGroupName", "availabilityZones", "sourceRegion"}),
        ("aws:rds/globalCluster:GlobalCluster", {"globalClusterIdentifier", "storageEncrypted", "engine"}),
        ("aws:kms/key:Key", {"keyUsage", "multiRegion", "customerMasterKeySpec"}),
        ("aws:dynamodb/table:Table", {"name", "hashKey", "rangeKey"}),
        ("aws:secretsmanager/secret:Secret", {"name"}),
        ("aws:ec2/subnet:Subnet", {"availabilityZone", "cidrBlock"}),
        ("aws:route53/healthCheck:HealthCheck", {"type"}),
        ("random:index/randomPassword:RandomPassword", {"length", "overrideSpecial"}),
    ],
)
def test_changes_that_lose_data_replace(pulumi_type: str, replacing: set[str]) -> None:
    """Changes that lose data replace the resource."""
    assert set() == replacing - create_only_properties(pulumi_type)


@pytest.mark.parametrize(
    ("pulumi_type", "in_place"),
    [
        ("aws:rds/cluster:Cluster", {"backupRetentionPeriod", "engineVersion", "deletionProtection", "masterPassword"}),
        ("aws:rds/clusterInstance:ClusterInstance", {"preferredMaintenanceWindow", "dbParameterGroupName"}),
        ("aws:rds/clusterInstance:ClusterInstance", {"autoMinorVersionUpgrade", "performanceInsightsKmsKeyId"}),
        ("aws:kms/key:Key", {"policy", "enableKeyRotation", "deletionWindowInDays"}),
        ("aws:dynamodb/table:Table", {"pointInTimeRecovery", "billingMode"}),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"fromPort", "toPort", "cidrIpv4"}),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", {"fromPort", "toPort", "cidrIpv4"}),
    ],
)
def test_changes_in_place_do_not_replace(pulumi_type: str, in_place: set[str]) -> None:
    """Changes in place do not replace the resource."""
    assert set() == in_place & create_only_properties(pulumi_type)


def test_cloudformation_names_become_camel_case() -> None:
    """A leading abbreviation becomes lower case as a whole."""
    assert ["dbSubnetGroupName", "kmsKeyId", "engine"] == [
        camel_case(name) for name in ("DBSubnetGroupName", "KmsKeyId", "Engine")
    ]
