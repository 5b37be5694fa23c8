"""What must hold for every resource, whatever the settings."""

import json
from collections import Counter
from typing import Any

import pulumi
import pytest

from tests.support.program.harness import Registered, Run, run_program

# Route 53 and IAM are global; their resources go through one of the two providers all the same.
GLOBAL = ("aws:route53/", "aws:iam/")
PHYSICAL_NAMES = ("name", "identifier", "clusterIdentifier", "globalClusterIdentifier", "dashboardName", "targetId")
# What AWS (/aws/rds/cluster/<id>/<log>) or DNS names, and parts of a rule that aren't names of things.
NAMED_BY_OTHERS = ("aws:route53/zone:Zone", "aws:route53/record:Record")


def texts(value: Any) -> list[str]:
    """Return every text in a value, however deep."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def test_no_resource_is_without_an_explicit_provider(any_run: Run) -> None:
    """A forgotten provider would put a resource into whatever region the machine is set to."""
    assert [str(r) for r in any_run.cloud if not r.region] == []


def test_no_invoke_is_without_an_explicit_provider(any_run: Run) -> None:
    """A question to the wrong region gets the wrong zones."""
    assert any_run.invokes
    assert [invoke for invoke, provider in any_run.invokes if not provider] == []


def test_no_resource_is_in_the_wrong_region(any_run: Run) -> None:
    """Whatever is called primary is in the primary region, and whatever is called secondary in the other one."""
    regions = {r.name: r.inputs["region"] for r in any_run.resources if r.type == "pulumi:providers:aws"}
    assert set(regions) == {"primary", "secondary"}
    wrong = [
        str(r)
        for r in any_run.cloud
        for name, region in regions.items()
        if r.name.startswith(name) and r.region != region
    ]
    assert wrong == []


def test_whatever_is_called_by_neither_region_is_in_the_one_that_it_must_be_in(dev: Run) -> None:
    """The few resources that stand for both regions, each where AWS wants it."""
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


def test_no_resource_names_a_region_of_its_own(any_run: Run) -> None:
    """Version 7 of the provider has a `region` input on each resource; only the providers decide here."""
    assert [str(r) for r in any_run.cloud if "region" in r.inputs] == []


def test_every_physical_name_ends_in_the_environment(any_deployment: Run) -> None:
    """Two stacks live side by side in one account."""
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
        what: name for what, name in named.items() if name not in log_groups and not name.endswith(f"-{environment}")
    }
    assert wrong == {}


def test_every_taggable_resource_has_its_name(dev: Run) -> None:
    """The provider adds the tags that all share; the name is each resource's own."""
    tagged = [r for r in dev.cloud if "tags" in r.inputs]
    assert len(tagged) > 80
    assert [str(r) for r in tagged if not r.inputs["tags"].get("Name")] == []


def test_no_output_was_made_a_text_by_accident(any_run: Run) -> None:
    """An output in an f-string silently becomes an error text in what AWS is sent."""
    accidents = [str(r) for r in any_run.resources for text in texts(dict(r.inputs)) if "Calling __str__" in text]
    assert accidents == []


def test_urns_are_unique(any_run: Run) -> None:
    """The engine refuses a second resource with the same type and name."""
    assert [urn for urn, times in Counter(r.urn for r in any_run.resources).items() if times > 1] == []


def test_every_resource_belongs_to_a_component(any_run: Run) -> None:
    """Nothing but the components and the providers hangs on the stack itself."""
    components = {r.urn for r in any_run.resources if r.type.startswith("aurora:")}
    assert [str(r) for r in any_run.cloud if r.parent not in components] == []


def test_a_preview_registers_what_a_deployment_registers(
    dev: Run, dev_preview: Run, prod: Run, prod_preview: Run
) -> None:
    """The graph's shape depends on the settings alone, never on what AWS answers."""
    for deployed, previewed in ((dev, dev_preview), (prod, prod_preview)):
        assert sorted(r.urn for r in previewed.resources) == sorted(r.urn for r in deployed.resources)


def test_names_are_within_the_limits_of_aws_at_their_longest(elsewhere: Run) -> None:
    """The settings' patterns bound every name; these are the limits of the types that have tight ones."""
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


def test_a_region_with_fewer_than_three_zones_is_refused_by_name() -> None:
    """The subnet groups span three zones; AWS is asked, and where it has fewer the message says where."""
    run = run_program({}, zones={"only-a": "id-1", "only-b": "id-2"})
    assert "us-east-1: this account has 2 availability zones" in str(run.error) or "eu-west-1: this account" in str(
        run.error
    )


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_three_subnets_are_in_three_zones_and_three_parts_of_the_network(dev: Run, region: str) -> None:
    """Aurora survives the loss of a zone only if its subnets are in several."""
    subnets = dev.of("ec2/subnet:Subnet", region)
    assert [s.inputs["availabilityZone"] for s in subnets] == ["zone-a", "zone-b", "zone-c"]
    assert len({s.inputs["cidrBlock"] for s in subnets}) == 3


def test_a_zone_that_takes_neither_function_nor_database_is_passed_over() -> None:
    """Under which name an account knows `use1-az3` is chance; all else is taken before it."""
    run = run_program(
        {}, zones={"zone-a": "use1-az6", "zone-b": "use1-az3", "zone-c": "use1-az1", "zone-d": "use1-az4"}
    )
    subnets = run.of("ec2/subnet:Subnet", "us-east-1")
    assert [s.inputs["availabilityZone"] for s in subnets] == ["zone-a", "zone-c", "zone-d"]


def test_zones_that_the_settings_give_are_not_asked_for() -> None:
    """A person who knows better is believed."""
    zones = {"availability_zones": ["us-east-1a", "us-east-1c", "us-east-1d"]}
    run = run_program({"primary": zones})
    assert [s.inputs["availabilityZone"] for s in run.of("ec2/subnet:Subnet", "us-east-1")] == zones[
        "availability_zones"
    ]


def test_nothing_leads_to_the_internet_or_costs_by_the_hour(any_run: Run) -> None:
    """No gateway, no NAT, no endpoint, no proxy: only the database's instances are billed by the hour."""
    forbidden = ("Gateway", "Endpoint", "Eip", "Proxy", "TransitGateway", "LoadBalancer")
    assert [str(r) for r in any_run.cloud if any(word in r.type.split(":")[-1] for word in forbidden)] == []


def test_no_policy_allows_every_action(any_deployment: Run) -> None:
    """Least privilege: the key's own policy, which hands the decision to IAM, is the one place with a star."""
    for r in any_deployment.cloud:
        if r.type == "aws:kms/key:Key" or "policy" not in r.inputs:
            continue
        for statement in json.loads(r.inputs["policy"])["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert [a for a in actions if "*" in a] == [], str(r)


def test_every_trust_policy_names_this_account(any_deployment: Run) -> None:
    """The confused deputy: a service may take a role only on behalf of the account that owns it."""
    roles = any_deployment.of("iam/role:Role")
    assert len(roles) == 9
    for role in roles:
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}, str(role)


def test_archives_are_what_lambda_is_sent(dev: Run) -> None:
    """Every function gets an archive of listed files."""
    for function in dev.of("lambda/function:Function"):
        assert isinstance(function.inputs["code"], pulumi.AssetArchive)
        assert function.inputs["runtime"] == "python3.13"
        assert function.inputs["architectures"] == ["arm64"]
