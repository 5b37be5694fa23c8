"""The policy pack, asked as the engine asks it: in Pulumi's own protocol over a socket, and policy by policy."""

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
from policy.rules.stack_model import UNKNOWN, Resource, Stack
from tests.support.policy.breaking import both, inputs, options
from tests.support.policy.stacks import seen
from tests.support.program.harness import run_program
from tests.unit.program.conftest import stack_file

ROOT = Path(__file__).resolve().parents[3]
CLUSTER = "rds/cluster:Cluster"


@pytest.fixture(scope="module")
def engine() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """A client of the pack, which runs as Pulumi starts it."""
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
    return seen(run_program(stack_file("dev")))


def said(engine: analyzer_pb2_grpc.AnalyzerStub, stack: Stack) -> list[Any]:
    """Return what the pack says of a stack over the socket: of each resource's inputs, then of all together."""
    for r in stack.resources:
        notified = engine.Analyze(analyzer_pb2.AnalyzeRequest(**_told(r, stack)))
        assert [] == list(notified.diagnostics)
    resources = [
        analyzer_pb2.AnalyzerResource(
            **_told(r, stack),
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


def reported(stack: Stack, become: Stack | None = None, pack: list[Policy] | None = None) -> list[tuple[str, str]]:
    """Return what the policies report, (policy, message), asked in this process."""
    remember, *others = pack or policies()
    assert isinstance(remember, ResourceValidationPolicy)
    for r in _policy_resources(stack):
        args = ResourceValidationArgs(r.resource_type, r.props, r.urn, r.name, r.opts, r.provider)
        remember.validate(args, lambda message, urn=None: pytest.fail(message))
    found: list[tuple[str, str]] = []
    whole = StackValidationArgs(_policy_resources(become or stack))
    for policy in others:
        assert isinstance(policy, StackValidationPolicy)
        policy.validate(whole, lambda message, urn=None, name=policy.name: found.append((name, message)))
    return found


def _policy_resources(stack: Stack) -> list[PolicyResource]:
    providers = {
        p.urn: PolicyProviderResource(p.type, unknown_checking_proxy(_sent(dict(p.inputs))), p.urn, p.name)
        for p in stack.providers
    }
    timeouts = PolicyCustomTimeouts(0, 0, 0)
    made = {
        r.urn: PolicyResource(
            r.type,
            unknown_checking_proxy(deserialize_properties(_sent(dict(r.inputs)))),
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


def _told(r: Resource, stack: Stack) -> dict[str, Any]:
    provider = next((p for p in stack.providers if p.urn == r.provider), None)
    return {
        "type": r.type,
        "name": r.name,
        "urn": r.urn,
        "properties": json_format.ParseDict(_sent(dict(r.inputs)), analyzer_pb2.AnalyzeRequest().properties),
        "options": analyzer_pb2.AnalyzerResourceOptions(protect=r.protect, ignoreChanges=r.ignore_changes),
        "provider": provider
        and analyzer_pb2.AnalyzerProviderResource(
            type=provider.type,
            name=provider.name,
            urn=provider.urn,
            properties=json_format.ParseDict(
                _sent(dict(provider.inputs)), analyzer_pb2.AnalyzerProviderResource().properties
            ),
        ),
    }


def _sent(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, pulumi.FileAsset):
        return {SPECIAL_SIG_KEY: SPECIAL_ASSET_SIG, "path": value.path}
    if isinstance(value, pulumi.AssetArchive):
        return {SPECIAL_SIG_KEY: SPECIAL_ARCHIVE_SIG, "assets": _sent(value.assets)}
    if isinstance(value, dict):
        return {name: _sent(item) for name, item in value.items()}
    return [_sent(item) for item in value] if isinstance(value, list) else value


def test_a_preview_of_our_stack_passes(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """In the engine's own protocol, where much isn't known yet."""
    assert [] == said(engine, seen(run_program(stack_file("prod"), preview=True)))


def test_what_breaks_a_rule_stops_the_preview_and_names_the_resource(
    engine: analyzer_pb2_grpc.AnalyzerStub, dev: Stack
) -> None:
    """Policy, level, resource and input, so that nobody has to search; what AWS will answer by itself is only said."""
    stack = both(
        inputs(CLUSTER, "secondary", sourceRegion="eu-west-1"), inputs(CLUSTER, "primary", backtrackWindow=86400)
    )(dev)
    found, also = said(engine, stack)
    assert found.policyName == "a-secondary-is-elsewhere-than-its-source"
    assert found.enforcementLevel == analyzer_pb2.MANDATORY
    assert found.urn == next(r.urn for r in stack.of(CLUSTER) if r.name == "secondary-database-cluster")
    assert "sourceRegion: eu-west-1, from eu-west-1" in found.message
    assert "Aurora User Guide" in found.description
    assert also.policyName == "a-global-database-is-not-backtracked"
    assert also.enforcementLevel == analyzer_pb2.ADVISORY


@pytest.mark.parametrize("preview", [True, False], ids=["previewed", "deployed"])
def test_the_pack_lets_dev_pass(preview: bool) -> None:
    """Asked in this process, as the library asks it."""
    assert [] == reported(seen(run_program(stack_file("dev"), preview=preview)))


def test_options_are_seen(dev: Stack) -> None:
    """What is protected and ignored is no input, and decides whether data survives."""
    ((policy, _),) = reported(options(CLUSTER, "secondary", ignore_changes=("engineVersion",))(dev))
    assert policy == "members-leave-to-aws-what-a-failover-swaps"


def test_a_forgotten_provider_is_seen(dev: Stack) -> None:
    """The engine names no provider then."""
    ((policy, _),) = reported(options("iam/role:Role", provider="", region="")(dev))
    assert policy == "every-resource-has-a-provider-of-its-region"


def test_what_aws_made_of_a_secondary_is_not_held_against_the_program(dev: Stack) -> None:
    """After a failover the secondary has been the writer, and the engine's state of it has a user name."""
    became = inputs(CLUSTER, "secondary", masterUsername="dbadmin")(dev)
    assert [] == reported(dev, become=became)
    assert ["a-secondary-has-no-user-of-its-own"] == [policy for policy, _ in reported(became)]


def test_a_second_update_is_judged_anew(dev: Stack) -> None:
    """The pack may serve a preview and the update after it."""
    pack = policies()
    assert [] == reported(dev, pack=pack)
    changed = inputs(CLUSTER, "secondary", sourceRegion="eu-west-1")(dev)
    assert ["a-secondary-is-elsewhere-than-its-source"] == [policy for policy, _ in reported(changed, pack=pack)]


def test_every_rule_is_a_policy_of_the_same_name_and_level(engine: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """No second copy, and none left out."""
    notified = engine.GetAnalyzerInfo(empty_pb2.Empty())
    levels = {"mandatory": analyzer_pb2.MANDATORY, "advisory": analyzer_pb2.ADVISORY}
    first, *others = [(each.name, each.enforcementLevel) for each in notified.policies]
    assert "remember-what-was-asked-for" == first[0]
    assert [(rule.name, levels[rule.level]) for rule in RULES] == others
    assert "aurora-global-database" == notified.name


def test_the_policies_say_rule_and_source() -> None:
    """What Pulumi shows beside a violation."""
    by_name = {policy.name: policy.description for policy in policies()}
    assert {rule.name: f"{rule.says} Source: {rule.source}." for rule in RULES} == {
        name: text for name, text in by_name.items() if name != "remember-what-was-asked-for"
    }


def test_the_pack_needs_the_versions_that_everything_else_has() -> None:
    """Two pins of one package would be two truths."""
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
