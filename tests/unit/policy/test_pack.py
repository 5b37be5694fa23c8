"""The policy pack over Pulumi's analyzer protocol, and policy by policy in this process."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy import (
    Policy,
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import (
    SPECIAL_ARCHIVE_SIG,
    SPECIAL_ASSET_SIG,
    SPECIAL_SIG_KEY,
    deserialize_properties,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policy.pack import policies
from policy.rules.catalogue import RULES
from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack
from tests.support.policy.breaking import both, inputs, options
from tests.support.policy.stacks import registered_stack
from tests.support.program.harness import run_program, stack_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
CLUSTER = "rds/cluster:Cluster"


@pytest.fixture(scope="module")
def engine() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """A client of the pack in its own process, started like Pulumi does."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:0", str(ROOT / "policy")]
    with subprocess.Popen(command, cwd=ROOT / "policy", stdout=subprocess.PIPE, text=True) as pack:
        assert pack.stdout is not None
        try:
            with grpc.insecure_channel(f"127.0.0.1:{int(pack.stdout.readline())}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            pack.kill()


@pytest.fixture(scope="module")
def dev() -> Stack:
    """The dev stack, deployed."""
    return registered_stack(run_program(stack_file("dev")))


def diagnostics(engine: analyzer_pb2_grpc.AnalyzerStub, stack: Stack) -> list[Any]:
    """Return the diagnostics of a stack over the socket, after the analysis of each resource."""
    for r in stack.resources:
        answer = engine.Analyze(analyzer_pb2.AnalyzeRequest(**_resource_message(r, stack)))
        assert [] == list(answer.diagnostics)
    resources = [
        analyzer_pb2.AnalyzerResource(
            **_resource_message(r, stack),
            parent=r.parent,
            dependencies=sorted(r.dependencies),
            propertyDependencies={
                name: analyzer_pb2.AnalyzerPropertyDependencies(urns=sorted(urns))
                for name, urns in r.property_dependencies.items()
            },
        )
        for r in stack.resources
    ]
    return list(engine.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources)).diagnostics)


def reported(stack: Stack, state: Stack | None = None, pack: list[Policy] | None = None) -> list[tuple[str, str]]:
    """Return the reports of the policies in this process as (policy, message)."""
    record, *others = pack or policies()
    assert isinstance(record, ResourceValidationPolicy)
    for r in _policy_resources(stack):
        args = ResourceValidationArgs(r.resource_type, r.props, r.urn, r.name, r.opts, r.provider)
        record.validate(args, lambda message, urn=None: pytest.fail(message))
    found: list[tuple[str, str]] = []
    whole = StackValidationArgs(_policy_resources(state or stack))
    for policy in others:
        assert isinstance(policy, StackValidationPolicy)
        policy.validate(whole, lambda message, urn=None, name=policy.name: found.append((name, message)))
    return found


def _policy_resources(stack: Stack) -> list[PolicyResource]:
    providers = {
        p.urn: PolicyProviderResource(p.type, unknown_checking_proxy(_serialized(dict(p.inputs))), p.urn, p.name)
        for p in stack.providers
    }
    timeouts = PolicyCustomTimeouts(0, 0, 0)
    made = {
        r.urn: PolicyResource(
            r.type,
            unknown_checking_proxy(deserialize_properties(_serialized(dict(r.inputs)))),
            r.urn,
            r.name,
            PolicyResourceOptions(r.protect, list(r.ignore_changes), None, [], timeouts, []),
            providers.get(r.provider),
            None,
            [],
            {},
        )
        for r in stack.resources
    }
    for r in stack.resources:
        made[r.urn].parent = made.get(r.parent)
        made[r.urn].dependencies = [made[urn] for urn in r.dependencies if urn in made]
        made[r.urn].property_dependencies = {
            name: [made[urn] for urn in urns if urn in made] for name, urns in r.property_dependencies.items()
        }
    return list(made.values())


def _resource_message(r: RegisteredResource, stack: Stack) -> dict[str, Any]:
    provider = next((p for p in stack.providers if p.urn == r.provider), None)
    return {
        "type": r.type,
        "name": r.name,
        "urn": r.urn,
        "properties": json_format.ParseDict(_serialized(dict(r.inputs)), analyzer_pb2.AnalyzeRequest().properties),
        "options": analyzer_pb2.AnalyzerResourceOptions(protect=r.protect, ignoreChanges=r.ignore_changes),
        "provider": provider
        and analyzer_pb2.AnalyzerProviderResource(
            type=provider.type,
            name=provider.name,
            urn=provider.urn,
            properties=json_format.ParseDict(
                _serialized(dict(provider.inputs)), analyzer_pb2.AnalyzerProviderResource().properties
            ),
        ),
    }


def _serialized(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, pulumi.FileAsset):
        return {SPECIAL_SIG_KEY: SPECIAL_ASSET_SIG, "path": value.path}
    if isinstance(value, pulumi.FileArchive):
        return {SPECIAL_SIG_KEY: SPECIAL_ARCHIVE_SIG, "path": value.path}
    if isinstance(value, pulumi.AssetArchive):
        return {SPECIAL_SIG_KEY: SPECIAL_ARCHIVE_SIG, "assets": _serialized(value.assets)}
    if isinstance(value, dict):
        return {name: _serialized(item) for name, item in value.items()}
    return [_serialized(item) for item in value] if isinstance(value, list) else value


def test_preview_of_prod_passes(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """Over the analyzer protocol, with unknown values."""
    assert [] == diagnostics(engine, registered_stack(run_program(stack_file("prod"), preview=True)))


def test_violation_is_reported_with_policy_level_and_resource(
    engine: analyzer_pb2_grpc.AnalyzerStub, dev: Stack
) -> None:
    """A diagnostic names the policy, the level, the resource and the input."""
    stack = both(
        inputs(CLUSTER, "primary", backtrackWindow=86400), inputs(CLUSTER, "secondary", backupRetentionPeriod=1)
    )(dev)
    also, found = diagnostics(engine, stack)
    assert found.policyName == "backup-retention-is-sufficient"
    assert found.enforcementLevel == analyzer_pb2.MANDATORY
    assert found.urn == next(r.urn for r in stack.of_type(CLUSTER) if r.name == "secondary-database-cluster")
    assert "backupRetentionPeriod: 1 days is out of range. Use 7 to 35 days." in found.message
    assert "CreateDBCluster" in found.description
    assert also.policyName == "global-databases-disable-backtrack"
    assert also.enforcementLevel == analyzer_pb2.ADVISORY


@pytest.mark.parametrize("preview", [True, False], ids=["previewed", "deployed"])
def test_dev_passes(preview: bool) -> None:
    """The dev stack has no violations."""
    assert [] == reported(registered_stack(run_program(stack_file("dev"), preview=preview)))


def test_resource_options_reach_the_rules(dev: Stack) -> None:
    """The rules read ignore_changes of a resource."""
    ((policy, _),) = reported(options(CLUSTER, "secondary", ignore_changes=("engineVersion",))(dev))
    assert policy == "failover-changes-are-ignored"


def test_default_provider_is_reported(dev: Stack) -> None:
    """The engine reports no provider for the default provider: the region is unknown, and no class is known there."""
    ((policy, _),) = reported(options("rds/clusterInstance:ClusterInstance", provider="", region="")(dev))
    assert policy == "instance-classes-are-available"


def test_rules_check_inputs_instead_of_state(dev: Stack) -> None:
    """AWS changes the state in a failover or a manual change; the program's inputs count."""
    changed = inputs(CLUSTER, "secondary", backupRetentionPeriod=1)(dev)
    assert [] == reported(dev, state=changed)
    assert ["backup-retention-is-sufficient"] == [policy for policy, _ in reported(changed)]


def test_second_update_is_checked_again(dev: Stack) -> None:
    """One pack process may serve a preview and the following update."""
    pack = policies()
    assert [] == reported(dev, pack=pack)
    changed = inputs(CLUSTER, "secondary", backupRetentionPeriod=1)(dev)
    assert ["backup-retention-is-sufficient"] == [policy for policy, _ in reported(changed, pack=pack)]


def test_every_rule_is_a_policy_with_the_same_level(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """Every rule is a policy with the same name and level."""
    info = engine.GetAnalyzerInfo(empty_pb2.Empty())
    levels = {"mandatory": analyzer_pb2.MANDATORY, "advisory": analyzer_pb2.ADVISORY}
    first, *others = [(each.name, each.enforcementLevel) for each in info.policies]
    assert "record-program-inputs" == first[0]
    assert [(rule.name, levels[rule.level]) for rule in RULES] == others
    assert "aurora-global-database" == info.name


def test_policy_descriptions_name_rule_and_source() -> None:
    """A policy's description holds the rule's description and source."""
    by_name = {policy.name: policy.description for policy in policies()}
    assert {rule.name: f"{rule.description} Source: {rule.source}." for rule in RULES} == {
        name: text for name, text in by_name.items() if name != "record-program-inputs"
    }


def test_pack_requirements_match_the_project() -> None:
    """The pack pins the same versions as the project."""
    pinned = {
        line
        for name in ("requirements.txt", "requirements-rehearsal.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    }
    needed = [
        line
        for line in (ROOT / "policy/requirements.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert [] == [line for line in needed if line not in pinned]
