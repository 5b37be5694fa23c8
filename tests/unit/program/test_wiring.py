"""Rules for every resource of every stack."""

import base64
import hashlib
import json
from collections import Counter
from typing import Any

import pulumi
import pytest

from tests.support.program.harness import ACCOUNT, EXISTING_VPC, PROGRAM, Registered, Run, run_program, stack_file

pytestmark = pytest.mark.slow

# Route 53 and IAM are global, but their resources use one of the two providers too.
GLOBAL = ("aws:route53/", "aws:iam/")
PHYSICAL_NAMES = ("name", "identifier", "clusterIdentifier", "globalClusterIdentifier", "dashboardName", "targetId")
# Resources that DNS names.
NAMED_BY_OTHERS = ("aws:route53/zone:Zone", "aws:route53/record:Record")


def texts(value: Any) -> list[str]:
    """Return every string in a nested value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def test_every_resource_has_an_explicit_provider(any_run: Run) -> None:
    """A default provider would use the region of the machine's environment."""
    assert [str(r) for r in any_run.cloud if not r.region] == []


def test_settings_of_the_account_reach_both_providers() -> None:
    """An explicit provider has no other source: it reads no `aws:*` key of the stack."""
    role = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    run = run_program(
        {
            "aws": {
                "account_id": ACCOUNT,
                "profile": "payments",
                "assume_role_arn": role,
                "ignored_tags": ["CreatedBy", "map-*"],
            }
        }
    )
    for provider in providers(run):
        assert json.loads(provider.inputs["allowedAccountIds"]) == [ACCOUNT]
        assert provider.inputs["profile"] == "payments"
        assert json.loads(provider.inputs["assumeRoles"]) == [{"roleArn": role}]
        assert json.loads(provider.inputs["ignoreTags"]) == {"keys": ["CreatedBy"], "keyPrefixes": ["map-"]}


def test_providers_of_a_stack_without_an_account_are_unchanged(dev: Run) -> None:
    """A deployed stack keeps its providers as they are until a setting is set."""
    assert [set(each.inputs) - SET_BY_THE_SDK for each in providers(dev)] == [{"region", "defaultTags"}] * 2


def providers(run: Run) -> list[Registered]:
    """Return the providers of both regions."""
    found = [each for each in run.resources if each.type == "pulumi:providers:aws"]
    assert len(found) == 2
    return found


SET_BY_THE_SDK = {"skipMetadataApiCheck", "skipRegionValidation"}


def test_validation_of_credentials_follows_the_environment_variable(any_run: Run) -> None:
    """The SDK's default would override AWS_SKIP_CREDENTIALS_VALIDATION, with which a deployment runs while a region is lost."""
    assert [each.name for each in providers(any_run) if "skipCredentialsValidation" in each.inputs] == []


def test_every_invoke_has_an_explicit_provider(any_run: Run) -> None:
    """An invoke in the wrong region would return the wrong zones."""
    assert [invoke for invoke, provider in any_run.invokes if not provider] == []


def test_resources_are_in_the_region_of_their_name(any_run: Run) -> None:
    """Names with the prefix primary are in the primary region, those with secondary in the secondary region."""
    regions = {r.name: r.inputs["region"] for r in any_run.resources if r.type == "pulumi:providers:aws"}
    assert set(regions) == {"primary", "secondary"}
    wrong = [
        str(r)
        for r in any_run.cloud
        for name, region in regions.items()
        if r.name.startswith(name) and r.region != region
    ]
    assert wrong == []


def test_resources_of_both_regions_are_in_the_required_one(dev: Run) -> None:
    """Three resources without a region prefix are in the secondary region."""
    elsewhere = {
        r.name: r.region
        for r in dev.cloud
        if not r.name.startswith(("primary", "secondary")) and r.region != "us-east-1"
    }
    assert elsewhere == {
        "peering-acceptance": "eu-west-1",
        "peering-accepter-dns": "eu-west-1",
        "peering-from-accepter": "eu-west-1",
    }


def test_no_resource_sets_its_region_input(any_run: Run) -> None:
    """Version 7 of the provider has a `region` input on each resource; the program uses the providers only."""
    assert [str(r) for r in any_run.cloud if "region" in r.inputs] == []


def test_every_physical_name_ends_in_the_environment(any_deployment: Run) -> None:
    """Two stacks can share an account."""
    environment = any_deployment.exports["environment"]
    named = {
        f"{r} {key}": r.inputs[key]
        for r in any_deployment.cloud
        if r.type not in NAMED_BY_OTHERS
        for key in PHYSICAL_NAMES
        if isinstance(r.inputs.get(key), str)
    }
    assert len(named) > 100
    log_groups = {name for name in named.values() if name.startswith("/aws/rds/cluster/")}
    assert {group.split("/")[4].endswith(f"-{environment}") for group in log_groups} == {True}
    wrong = {
        resource: name
        for resource, name in named.items()
        if name not in log_groups and not name.endswith(f"-{environment}")
    }
    assert wrong == {}


def test_every_taggable_resource_has_a_name_tag(dev: Run) -> None:
    """The provider adds the default tags; each resource sets its own name."""
    tagged = [r for r in dev.cloud if "tags" in r.inputs]
    assert len(tagged) > 80
    assert [str(r) for r in tagged if not r.inputs["tags"].get("Name")] == []


def test_no_output_is_formatted_as_a_string(any_run: Run) -> None:
    """An output in an f-string becomes an error text in the input."""
    wrong = [str(r) for r in any_run.resources for text in texts(dict(r.inputs)) if "Calling __str__" in text]
    assert wrong == []


def test_urns_are_unique(any_run: Run) -> None:
    """The engine refuses a second resource with the same type and name."""
    assert [urn for urn, times in Counter(r.urn for r in any_run.resources).items() if times > 1] == []


def test_every_resource_belongs_to_a_component(any_run: Run) -> None:
    """The stack's direct children are components and providers."""
    components = {r.urn for r in any_run.resources if r.type.startswith("aurora:")}
    assert [str(r) for r in any_run.cloud if r.parent not in components] == []


def test_preview_registers_the_same_resources_as_a_deployment(
    dev: Run, dev_preview: Run, prod: Run, prod_preview: Run
) -> None:
    """The graph depends on the settings only."""
    for deployed, previewed in ((dev, dev_preview), (prod, prod_preview)):
        assert sorted(r.urn for r in previewed.resources) == sorted(r.urn for r in deployed.resources)


def test_longest_names_are_within_the_limits_of_aws(elsewhere: Run) -> None:
    """The settings' patterns limit every name; these types have the lowest limits."""
    limits = {"aws:iam/role:Role": 64, "aws:lambda/function:Function": 64, "aws:rds/cluster:Cluster": 63}
    limits |= {"aws:rds/clusterInstance:ClusterInstance": 63, "aws:rds/globalCluster:GlobalCluster": 63}
    limits |= {"aws:scheduler/schedule:Schedule": 64, "aws:cloudwatch/eventRule:EventRule": 64}
    limits |= {"aws:cloudwatch/eventTarget:EventTarget": 64, "aws:iam/rolePolicy:RolePolicy": 128}

    def longest(r: Registered) -> int:
        return max(len(r.inputs[key]) for key in PHYSICAL_NAMES if isinstance(r.inputs.get(key), str))

    assert {str(r): longest(r) for r in elsewhere.cloud if longest_over(r, limits, longest)} == {}


def longest_over(r: Registered, limits: dict[str, int], longest: Any) -> bool:
    """Return whether a resource has a limit and exceeds it."""
    return r.type in limits and longest(r) > limits[r.type]


def test_region_with_fewer_than_three_zones_is_refused() -> None:
    """The error names the region."""
    run = run_program({}, zones={"only-a": "id-1", "only-b": "id-2"})
    assert "us-east-1: this account has 2 availability zones" in str(run.error) or "eu-west-1: this account" in str(
        run.error
    )


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_three_subnets_are_in_three_zones_with_different_addresses(dev: Run, region: str) -> None:
    """Aurora survives the loss of a zone only with subnets in several zones."""
    subnets = dev.of("ec2/subnet:Subnet", region)
    assert [s.inputs["availabilityZone"] for s in subnets] == ["zone-a", "zone-b", "zone-c"]
    assert len({s.inputs["cidrBlock"] for s in subnets}) == 3


def test_zone_use1_az3_is_used_last() -> None:
    """The zone id is checked, because the zone name of use1-az3 differs between accounts."""
    run = run_program(
        {}, zones={"zone-a": "use1-az6", "zone-b": "use1-az3", "zone-c": "use1-az1", "zone-d": "use1-az4"}
    )
    subnets = run.of("ec2/subnet:Subnet", "us-east-1")
    assert [s.inputs["availabilityZone"] for s in subnets] == ["zone-a", "zone-c", "zone-d"]


ZONES = {"REGIONa": "id-1", "REGIONb": "id-2", "REGIONc": "id-3", "REGIONd": "id-4"}
FIXED: dict[str, Any] = {
    "aws": {"account_id": ACCOUNT},
    **{
        label: {"region": region, "availability_zones": [f"{region}a", f"{region}b", f"{region}c"]}
        for label, region in (("primary", "us-east-1"), ("secondary", "eu-west-1"))
    },
}
"""The account and the zones that the look-ups would find."""
IN_EXISTING_VPCS = {
    "aws": FIXED["aws"],
    "primary": {
        **FIXED["primary"],
        "vpc_cidr": "10.99.0.0/20",
        "existing_vpc": {**EXISTING_VPC, "route_table_ids": ["rtb-0000000a"]},
    },
    "secondary": {
        **FIXED["secondary"],
        "vpc_cidr": "100.64.0.0/20",
        "existing_vpc": {
            **EXISTING_VPC,
            "subnet_ids": ["subnet-0000000d", "subnet-0000000e", "subnet-0000000f"],
            "route_table_ids": ["rtb-0000000a"],
        },
    },
}


@pytest.mark.parametrize("config", [FIXED, IN_EXISTING_VPCS, stack_file("prod")], ids=["new", "existing-vpc", "prod"])
def test_nothing_is_asked_of_aws_with_account_and_zones_in_the_settings(config: dict[str, Any]) -> None:
    """While a region is lost, a question to it would fail the deployment of the other one."""
    run = run_program(config)
    assert (run.error, run.invokes) == (None, [])


@pytest.mark.parametrize("missing", ["aws", "primary", "secondary"])
def test_only_what_the_settings_lack_is_asked(missing: str) -> None:
    """The other answers come from the settings."""
    config = {name: value for name, value in FIXED.items() if name != missing}
    asked = {(name.rpartition(":")[2], urn.rpartition("::")[2]) for name, urn in run_program(config).invokes}
    both = {("getCallerIdentity", "primary"), ("getCallerIdentity", "secondary")}
    assert asked == (both if missing == "aws" else {("getAvailabilityZones", missing)})


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_zones_and_account_written_down_change_no_resource(preview: bool) -> None:
    """A deployed stack sees no difference, except that its providers now refuse another account."""
    looked_up = run_program({}, zones=ZONES, preview=preview)
    written = run_program(FIXED, zones=ZONES, preview=preview)
    assert (written.error, looked_up.error) == (None, None)
    assert described(written) == described(looked_up)
    assert {
        name
        for before, after in zip(providers(looked_up), providers(written), strict=True)
        for name in {*before.inputs, *after.inputs}
        if before.inputs.get(name) != after.inputs.get(name)
    } == {"allowedAccountIds"}


def described(run: Run) -> list[str]:
    """Return every resource except the providers as text; unknown values and archives by their type."""
    resources = [each for each in run.resources if not each.type.startswith("pulumi:providers:")]
    assert len(resources) > 150
    return [json.dumps(vars(each), sort_keys=True, default=_described) for each in resources]


def _described(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else type(value).__name__


def test_existing_vpc_that_the_settings_describe_is_used_as_it_is() -> None:
    """The instances are in the zones of the subnets, and each route table gets the route to the other region."""
    run = run_program({**IN_EXISTING_VPCS, "primary": {**IN_EXISTING_VPCS["primary"], "instance_count": 3}})
    instances = run.of("rds/clusterInstance:ClusterInstance", "us-east-1")
    assert [each.inputs["availabilityZone"] for each in instances] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert [each.inputs["routeTableId"] for each in run.of("ec2/route:Route")] == ["rtb-0000000a"] * 2


def test_zones_of_the_settings_are_used() -> None:
    """Zones in the settings override the choice from AWS's list."""
    zones = {"availability_zones": ["us-east-1a", "us-east-1c", "us-east-1d"]}
    run = run_program({"primary": zones})
    assert [s.inputs["availabilityZone"] for s in run.of("ec2/subnet:Subnet", "us-east-1")] == zones[
        "availability_zones"
    ]


def test_no_gateway_endpoint_or_load_balancer_is_created(any_run: Run) -> None:
    """Gateways, endpoints, Elastic IPs, proxies and load balancers allow internet access or cost money by the hour."""
    forbidden = ("Gateway", "Endpoint", "Eip", "Proxy", "TransitGateway", "LoadBalancer")
    assert [str(r) for r in any_run.cloud if any(word in r.type.split(":")[-1] for word in forbidden)] == []


def test_no_policy_allows_every_action(any_deployment: Run) -> None:
    """No policy except the key policy, which delegates to IAM, allows a wildcard."""
    for r in any_deployment.cloud:
        if r.type == "aws:kms/key:Key" or "policy" not in r.inputs:
            continue
        for statement in json.loads(r.inputs["policy"])["Statement"]:
            if statement["Effect"] == "Deny":
                continue
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert [a for a in actions if "*" in a] == [], str(r)


def test_every_trust_policy_names_this_account(any_deployment: Run) -> None:
    """A service may assume a role only for the account that owns it (the confused deputy)."""
    roles = any_deployment.of("iam/role:Role")
    assert len(roles) == 9 + len(any_deployment.of("ec2/flowLog:FlowLog"))
    for role in roles:
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}, str(role)


def test_every_function_has_an_archive_for_python_on_arm(dev: Run) -> None:
    """The code is a zip that the program built, and its hash is known before the upload."""
    for function in dev.of("lambda/function:Function"):
        assert isinstance(function.inputs["code"], pulumi.FileArchive)
        content = (PROGRAM / function.inputs["code"].path).read_bytes()
        assert function.inputs["sourceCodeHash"] == base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert dev.exports["function_code_sha256"][function.inputs["name"]] == function.inputs["sourceCodeHash"]
        assert function.inputs["runtime"] == "python3.13"
        assert function.inputs["architectures"] == ["arm64"]
