"""Both engines, each with an embedded AWS of its own, and the comparison of what they register, plan and keep.

A difference that is right by design is named here, with its reason. All others are faults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.output import Unknown
from pulumi.runtime.rpc import UNKNOWN

from rehearsal.engine.aliases import STACK_TYPE
from rehearsal.engine.deploy import DeployResult, deploy
from rehearsal.engine.plan import PROVIDER_REGION, PlannedChange
from rehearsal.engine.refresh import refresh
from rehearsal.engine.state import ARCHIVE_KEY, ResourceGoal, StackState
from rehearsal.environment import PROGRAM_DIRECTORY, Environment
from rehearsal.provider.resources.registry import HANDLERS
from rehearsal.provider.resources.values import MASKED, SECRET_SIGNATURE, SIGNATURE_KEY
from rehearsal.provider.wire import ARCHIVE_SIGNATURE
from rehearsal.pulumi_cli.workspace import Workspace
from tests.support.pulumi_cli import PulumiShell, require_pulumi

PROJECT = "aurora-global-database"
INTERVAL_SECONDS = 1.0
PASSWORD = "random:index/randomPassword:RandomPassword"
DEFAULT_PROVIDER = re.compile(r"::pulumi:providers:random::default_[0-9_]+$")
"""The real engine creates a provider for `random`; the in-process engine needs none."""
ADDED_TO_PROVIDERS = frozenset({"__internal", "version"})
"""Inputs of a provider that the real engine adds for itself: how it finds the plugin."""
ARCHIVE = "an archive"
"""The in-process engine hashes an archive's files, the real one the archive."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:?\d\d)")
"""AWS reports when it created a resource: the two embedded AWS do it one after the other."""

WORD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[^\W_]+|[\W_]")
GENERATED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]+|[0-9a-f]{5,}|[A-Z0-9]{10,}")
"""The words that AWS generates: ids, ports, and parts of names. All others must be equal."""

Normal = dict[str, dict[str, Any]]
"""What an engine says of each resource, by URN and name, in the form in which both are compared."""
Step = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A planned change, the inputs that differ, and those that force a replacement."""


def changed_config(config: Mapping[str, str], changes: Mapping[str, Any]) -> dict[str, str]:
    """Return a configuration with other settings, section by section."""
    changed = dict(config)
    for section, value in changes.items():
        name = f"{PROJECT}:{section}"
        if isinstance(value, Mapping):
            value = json.dumps({**json.loads(changed.get(name, "{}")), **value})
        changed[name] = value
    return changed


def differences(own: Normal, cli: Normal) -> list[str]:
    """Return a line for each fact in which the in-process engine (`own`) and the CLI differ."""
    lines = [f"{_short(urn)}: only the in-process engine has it" for urn in sorted(own.keys() - cli.keys())]
    lines += [f"{_short(urn)}: only the CLI has it" for urn in sorted(cli.keys() - own.keys())]
    for urn in sorted(own.keys() & cli.keys()):
        facts = sorted({*own[urn], *cli[urn]})
        lines += [
            f"{_short(urn)}, {fact}: in-process {own[urn].get(fact)!r}, CLI {cli[urn].get(fact)!r}"
            for fact in facts
            if own[urn].get(fact) != cli[urn].get(fact)
        ]
    return lines


def _short(urn: str) -> str:
    kind, name = urn.split("::")[-2:]
    return f"{kind.rpartition('$')[2]} {name}"


# --- What the program registers -------------------------------------------------------------------------------------


def registered_in_process(result: DeployResult) -> Normal:
    """Return what the in-process engine made of each registration."""
    return {goal.urn: _facts_of(goal) for goal in result.goals}


def registered_by_cli(preview: CliPreview) -> Normal:
    """Return what the real engine made of each registration."""
    # The in-process engine keeps a stack's outputs apart from its resources.
    kept = (each for each in preview.states if each["type"] != STACK_TYPE and not DEFAULT_PROVIDER.search(each["urn"]))
    return {each["urn"]: _facts_of_cli(each) for each in kept}


def _facts_of(goal: ResourceGoal) -> dict[str, Any]:
    return {
        "type": goal.type,
        **{f"input {name}": _normal(value) for name, value in goal.inputs.items()},
        "provider": goal.provider,
        "protect": goal.protect,
        "dependencies": sorted(goal.dependencies),
        "ignored": sorted(goal.ignore_changes),
    }


def _facts_of_cli(state: Mapping[str, Any]) -> dict[str, Any]:
    added = ADDED_TO_PROVIDERS if state["type"].startswith("pulumi:providers:") else ()
    provider = _without_id(state.get("provider", ""))
    return {
        "type": state["type"],
        **{f"input {name}": _normal(value) for name, value in state.get("inputs", {}).items() if name not in added},
        "provider": "" if DEFAULT_PROVIDER.search(provider) else provider,
        "protect": state.get("protect", False),
        "dependencies": sorted(state.get("dependencies", ())),
        "ignored": sorted(state.get("ignoreChanges", ())),
    }


def _without_id(reference: str) -> str:
    return reference.rpartition("::")[0]


def _normal(value: Any) -> Any:
    """Return a value of either engine: a preview of the CLI masks a secret, which no preview knows yet."""
    if isinstance(value, Unknown) or value == MASKED:
        return UNKNOWN
    if isinstance(value, Mapping):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return _normal(json.loads(value["plaintext"]))
        if ARCHIVE_KEY in value or value.get(SIGNATURE_KEY) == ARCHIVE_SIGNATURE:
            return ARCHIVE
        return {name: _normal(element) for name, element in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(element) for element in value]
    return value


# --- What a run would change ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run would do with AWS's resources; providers and components have no step in the in-process engine."""

    steps: Mapping[str, Step]
    """By URN, without those that stay the same."""
    refused: frozenset[str]
    """URNs of the protected resources that would be replaced or deleted."""

    @classmethod
    def in_process(cls, result: DeployResult) -> Plan:
        """Return the in-process engine's plan. It also foresees what AWS will refuse; the CLI finds that out during `up`."""
        return cls(
            steps={
                step.urn: (step.change.value, _with_cli_names(step.properties), _with_cli_names(step.forced_by))
                for step in result.steps
                if step.change is not PlannedChange.SAME
            },
            refused=frozenset(step.urn for step in result.steps if step.refusal == "the resource is protected"),
        )

    def differences_from(self, cli: CliPreview, dependencies: Mapping[str, Iterable[str]]) -> list[str]:
        """Return a line for each difference to the CLI's plan."""
        theirs = cli.steps
        own = dict(self.steps)
        for urn, (change, properties, _) in theirs.items():
            # The real engine deletes a named resource before it creates it again, and with it all that has to be replaced
            # after it. For those it names no input. The in-process engine replaces nothing, and says why it would.
            follows = any(theirs.get(each, ("",))[0] == "replace" for each in dependencies.get(urn, ()))
            if change == "replace" and not properties and not theirs[urn][2] and follows and urn in own:
                own[urn] = (own[urn][0], (), ())
        return differences(_as_facts(own, self.refused), _as_facts(theirs, cli.refused))


def _with_cli_names(properties: Iterable[str]) -> tuple[str, ...]:
    """Return the inputs with the CLI's name for a changed provider."""
    return tuple(sorted("provider" if name == PROVIDER_REGION else name for name in properties))


def _as_facts(steps: Mapping[str, Step], refused: Iterable[str]) -> Normal:
    facts: Normal = {
        urn: {"change": change, "inputs": properties, "forced by": forced}
        for urn, (change, properties, forced) in steps.items()
    }
    for urn in refused:
        facts.setdefault(urn, {})["refused"] = True
    return facts


@dataclass(frozen=True, kw_only=True)
class CliPreview:
    """What `pulumi preview --json` printed."""

    printed: Mapping[str, Any]

    @property
    def states(self) -> list[Mapping[str, Any]]:
        """The resources as a run would leave them."""
        return [step["newState"] for step in self.printed["steps"] if "newState" in step]

    @property
    def steps(self) -> dict[str, Step]:
        """The steps of AWS's resources by URN, without those that stay the same."""
        return {
            step["urn"]: _step_of(step)
            for step in self.printed["steps"]
            if step["op"] != "same" and step["urn"].split("::")[2].rpartition("$")[2] in HANDLERS
        }

    @property
    def errors(self) -> list[str]:
        """The errors, without the summary."""
        messages = [each["message"] for each in self.printed.get("diagnostics", ()) if each["severity"] == "error"]
        return [each for each in messages if each.strip() != "error: preview failed"]

    @property
    def refused(self) -> frozenset[str]:
        """URNs of the resources that an error calls protected."""
        pattern = re.compile(
            r'unable to (?:replace|delete) resource "([^"]+)"\nas it is currently marked for protection'
        )
        return frozenset(urn for message in self.errors for urn in pattern.findall(message))


def _step_of(step: Mapping[str, Any]) -> Step:
    forced_by = tuple(sorted(step.get("replaceReasons") or ()))
    properties = tuple(sorted(step.get("diffReasons") or ()))
    return step["op"], properties or (forced_by if forced_by == ("provider",) else ()), forced_by


# --- What a state has -----------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Renaming:
    """Maps each generated name of one embedded AWS to exactly one of the other."""

    partners: dict[str, str] = field(default_factory=dict)
    backwards: dict[str, str] = field(default_factory=dict)

    def agrees(self, own: Any, cli: Any) -> bool:
        """Return whether two values are equal after the renaming. If they are, learn the names that are new."""
        learned = Renaming(partners=dict(self.partners), backwards=dict(self.backwards))
        if not learned.learns(own, cli):
            return False
        self.partners, self.backwards = learned.partners, learned.backwards
        return True

    def learns(self, own: Any, cli: Any) -> bool:
        """Return whether two values agree; learn also from those that do not."""
        if isinstance(own, Mapping) and isinstance(cli, Mapping):
            return own.keys() == cli.keys() and all(self.learns(own[name], cli[name]) for name in own)
        if isinstance(own, list) and isinstance(cli, list):
            return len(own) == len(cli) and all(map(self.learns, own, cli))
        if not (isinstance(own, str) and isinstance(cli, str)):
            return own == cli
        words, theirs = WORD.findall(TIME.sub("TIME", own)), WORD.findall(TIME.sub("TIME", cli))
        return len(words) == len(theirs) and all(map(self._are_partners, words, theirs))

    def _are_partners(self, own: str, cli: str) -> bool:
        if own != cli and not (GENERATED.fullmatch(own) and GENERATED.fullmatch(cli)):
            return False
        return self.partners.setdefault(own, cli) == cli and self.backwards.setdefault(cli, own) == own


def state_differences(own: StackState, exported: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each fact in which the states of the two engines differ."""
    ours = _without_password(
        {
            each.urn: {
                **_facts_of(each),
                "id": each.id,
                **{f"output {name}": _normal(value) for name, value in {**each.inputs, **each.outputs}.items()},
                "secret outputs": sorted(each.secret_outputs),
            }
            for each in own.resources.values()
        }
    )
    theirs = _without_password(
        {
            each["urn"]: {
                **_facts_of_cli(each),
                "id": each["id"],
                **{f"output {name}": _normal(value) for name, value in each["outputs"].items()},
                "secret outputs": sorted(
                    name
                    for name, value in each["outputs"].items()
                    if name not in each["inputs"]
                    and isinstance(value, Mapping)
                    and value.get(SIGNATURE_KEY) == SECRET_SIGNATURE
                ),
            }
            for each in exported
            if each["type"] in HANDLERS
        }
    )
    renaming = Renaming()
    for urn in sorted(ours.keys() & theirs.keys()):
        for fact in ours[urn].keys() & theirs[urn].keys():
            if renaming.agrees(ours[urn][fact], theirs[urn][fact]):
                ours[urn][fact] = theirs[urn][fact]
    return differences(ours, theirs)


def _without_password(normal: Normal) -> Normal:
    """Return the facts without the generated password, which has no words to compare."""
    (password,) = (each["output result"] for each in normal.values() if each["type"] == PASSWORD)
    text = json.dumps(normal)
    for _ in range(2):
        password = json.dumps(password)[1:-1]
    # In a JSON text that is itself a value, such as the secret's, it is escaped twice.
    for each in (password, json.loads(f'"{password}"')):
        text = text.replace(each, "PASSWORD")
    return json.loads(text)


# --- The engines ----------------------------------------------------------------------------------------------------


class CliEngine:
    """The Pulumi CLI with a stack on one embedded AWS."""

    def __init__(self, directory: Path, stack: str, endpoint_url: str) -> None:
        self._workspace = Workspace(directory=directory, cli=require_pulumi())
        self._stack = stack
        self._endpoint_url = endpoint_url

    def shell(self, config: Mapping[str, str]) -> PulumiShell:
        """Return a shell with these settings."""
        return PulumiShell(self._workspace.prepare(self._stack, config, self._endpoint_url))

    def preview(self, config: Mapping[str, str]) -> CliPreview:
        """Run a preview without a refresh; it may be refused."""
        printed = self.shell(config).run("preview", "--json", "--refresh=false", fails=None)
        assert "{" in printed, printed
        return CliPreview(printed=json.JSONDecoder().raw_decode(printed[printed.index("{") :])[0])

    def resources(self, config: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the resources of the state, with secrets in plain text."""
        exported = self.shell(config).run("stack", "export", "--show-secrets")
        return json.loads(exported[exported.index("{") :])["deployment"]["resources"]


@dataclass(kw_only=True)
class TwoStacks:
    """A stack that each engine has deployed with the same settings, on an embedded AWS of its own."""

    stack: str
    config: Mapping[str, str]
    own: Environment
    """The embedded AWS of the in-process engine."""
    state: StackState
    """The in-process engine's state."""
    cli: CliEngine
    cli_world: Environment
    """The embedded AWS of the CLI."""

    def plan_differences(self, changes: Mapping[str, Any]) -> tuple[Plan, list[str]]:
        """Plan a change of settings with both engines; return the in-process engine's plan and the differences."""
        config = changed_config(self.config, changes)
        with ThreadPoolExecutor(1) as pool:
            previewing = pool.submit(self.cli.preview, config)
            result = deploy(
                PROGRAM_DIRECTORY, config, self.own.control_plane.url, stack=self.stack, preview=True, state=self.state
            )
            preview = previewing.result()
        assert not preview.errors or preview.refused, preview.errors
        plan = Plan.in_process(result)
        return plan, plan.differences_from(preview, {goal.urn: goal.dependencies for goal in result.goals})

    def change(self, changes: Mapping[str, Any]) -> None:
        """Deploy other settings with both engines. `pulumi up` would refresh first; the in-process engine does not."""
        self.config = changed_config(self.config, changes)
        shell = self.cli.shell(self.config)
        with ThreadPoolExecutor(1) as pool:
            deploying = pool.submit(shell.run, "up", "--yes", "--skip-preview", "--refresh=false")
            deploy(PROGRAM_DIRECTORY, self.config, self.own.control_plane.url, stack=self.stack, state=self.state)
            deploying.result()

    def refresh(self) -> None:
        """Read both AWS into the states."""
        self.cli.shell(self.config).run("refresh", "--yes", "--skip-preview")
        self.state = refresh(self.state, self.own.clients)

    def state_differences(self) -> list[str]:
        """Compare the states of both engines."""
        return state_differences(self.state, self.cli.resources(self.config))


@contextmanager
def two_stacks(stack: str, directory: Path) -> Iterator[TwoStacks]:
    """Deploy a stack with both engines. No controller runs yet."""
    require_pulumi()
    with embedded_aws(stack) as own, embedded_aws(stack) as cli_world, ThreadPoolExecutor(1) as pool:
        cli = CliEngine(directory, stack, cli_world.control_plane.url)
        shell = cli.shell(own.config)
        deploying = pool.submit(shell.up)
        own.deploy()
        deploying.result()
        printed = shell.run("stack", "output", "--json", "--show-secrets")
        cli_world.attach(json.loads(printed[printed.index("{") :]))
        yield TwoStacks(stack=stack, config=own.config, own=own, state=own.state, cli=cli, cli_world=cli_world)


def embedded_aws(stack: str) -> Environment:
    """Return an embedded AWS for a stack, with quick controllers and failovers; enter it to start it."""
    return Environment(stack=stack, interval_seconds=INTERVAL_SECONDS, operation_seconds=0.1)
