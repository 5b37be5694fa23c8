"""What a change would replace, by AWS's own schemas."""

import importlib

import pulumi._types as pulumi_types
import pytest

from policy.rules.replacement import CLOUDFORMATION_TYPES, camel_case, create_only_properties
from tests.support.program.harness import run_program
from tests.unit.program.conftest import stack_file


def inputs_of(pulumi_type: str) -> set[str]:
    """Return the names of a type's inputs, as the SDK declares them."""
    package, module, name = pulumi_type.replace("/", ":").split(":")[0], *pulumi_type.split(":")[1:]
    module = module.split("/")[0]
    sdk = {"random": "pulumi_random"}.get(package) or f"pulumi_aws.{'lambda_' if module == 'lambda' else module}"
    arguments = getattr(importlib.import_module(sdk), f"{name}Args")
    return set(pulumi_types.input_type_py_to_pulumi_names(arguments).values())


@pytest.mark.parametrize("pulumi_type", CLOUDFORMATION_TYPES)
def test_every_property_that_replaces_is_an_input_of_the_type(pulumi_type: str) -> None:
    """AWS's names are carried over to Pulumi's: one that was not would never match a change."""
    assert set() == create_only_properties(pulumi_type) - inputs_of(pulumi_type)


def test_every_type_that_the_program_registers_is_known() -> None:
    """A new type has to say what would replace it before it is deployed."""
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
def test_what_would_lose_data_is_among_them(pulumi_type: str, replacing: set[str]) -> None:
    """The changes that people try first."""
    assert set() == replacing - create_only_properties(pulumi_type)


@pytest.mark.parametrize(
    ("pulumi_type", "in_place"),
    [
        ("aws:rds/cluster:Cluster", {"backupRetentionPeriod", "engineVersion", "deletionProtection", "masterPassword"}),
        ("aws:kms/key:Key", {"policy", "enableKeyRotation", "deletionWindowInDays"}),
        ("aws:dynamodb/table:Table", {"pointInTimeRecovery", "billingMode"}),
    ],
)
def test_what_changes_in_place_is_not(pulumi_type: str, in_place: set[str]) -> None:
    """A list that held everything would forbid every update."""
    assert set() == in_place & create_only_properties(pulumi_type)


def test_names_of_cloudformation_become_pulumis() -> None:
    """An abbreviation at the beginning is lowered as a whole."""
    assert ["dbSubnetGroupName", "kmsKeyId", "engine"] == [
        camel_case(name) for name in ("DBSubnetGroupName", "KmsKeyId", "Engine")
    ]
