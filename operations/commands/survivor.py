"""The command `survivor`: the `pulumi up` that deploys one region while the other one is lost.

Every resource whose provider is the lost region's is excluded: also the global ones of that provider (the global cluster, the
hosted zone, roles), because the provider authenticates in its own region before any call.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from operations.stack.exported_state import ExportedResource, ExportedState
from operations.stack.settings import RegionLookup, settings_to_add
from operations.support.errors import ExitCode, FailedError, OperationRefusedError, UsageProblemError
from operations.support.screen import Screen
from settings import Settings

ENVIRONMENT = {"AWS_SKIP_CREDENTIALS_VALIDATION": "true"}
"""Otherwise each provider calls STS in its region when it is registered. Source: preConfigureCallback, pulumi-aws."""
SUBNET = "aws:ec2/subnet:Subnet"
RunInTerminal = Callable[[Sequence[str], Mapping[str, str]], int]
"""Runs a command with further environment variables in this terminal, and returns its exit code."""


@dataclass(frozen=True, kw_only=True)
class SurvivorPlan:
    """What is deployed and what is excluded."""

    stack: str
    lost: str
    surviving: str
    excluded: Sequence[str]
    """The URNs of the excluded resources."""
    deployed: Sequence[str]
    """The URNs of the surviving region's resources."""
    command: Sequence[str]

    @property
    def lines(self) -> list[str]:
        """The command in the lines of a shell: first the command, then one pattern each."""
        first = self.command.index("--exclude")
        patterns = [shlex.join(self.command[at : at + 2]) for at in range(first, len(self.command), 2)]
        variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        *others, last = [" ".join([*variables, shlex.join(self.command[:first])]), *patterns]
        return [*(f"{line} \\" for line in others), last]


def survivor(
    screen: Screen,
    exported: ExportedState,
    settings: Settings,
    run_in_terminal: RunInTerminal,
    *,
    lost: str,
    stack: str | None,
    runs: bool,
) -> ExitCode:
    """Show the command for the region that is left, or run it.

    Raises:
        UsageProblemError: the stack is not deployed, or not in the lost region.
        OperationRefusedError: the program would ask the lost region for what the settings do not say.
        FailedError: Pulumi failed.
    """
    plan = survivor_plan(exported, lost=lost, stack=stack)
    _check_settings(exported, settings)
    found = f"{len(plan.excluded)} resources of {lost} are excluded, {len(plan.deployed)} of {plan.surviving} are not"
    values = {
        "stack": plan.stack,
        "lost": lost,
        "surviving": plan.surviving,
        "excluded": list(plan.excluded),
        "environment": ENVIRONMENT,
        "command": list(plan.command),
    }
    if not runs:
        screen.table(f"{found}. Run:", ("Command",), ([line] for line in plan.lines))
        screen.result(values, [])
        return ExitCode.DONE
    screen.note(f"{found}.")
    code = run_in_terminal(plan.command, ENVIRONMENT)
    if code != 0:
        raise FailedError(
            f"`pulumi up` ended with exit code {code}",
            hint="Read its last lines. What was changed is in the stack's state; run the command again.",
        )
    return ExitCode.DONE


def survivor_plan(exported: ExportedState, *, lost: str, stack: str | None) -> SurvivorPlan:
    """Return the deployment of the region that is left.

    Raises:
        UsageProblemError: the stack is not deployed, not in the lost region, or in that one only.
    """
    regions = exported.regions
    if not regions:
        raise UsageProblemError(
            "the stack's state has no AWS provider: the stack is not deployed",
            hint="Deploy it with `pulumi up`, or name another stack with --stack.",
        )
    if lost not in regions:
        raise UsageProblemError(f"--lost: this stack is not in {lost!r}", hint=f"Use {' or '.join(regions)}.")
    others = [region for region in regions if region != lost]
    if len(others) != 1:
        raise UsageProblemError(
            f"the stack's state has {len(regions)} regions: {', '.join(regions)}", hint="Name a stack with two regions."
        )
    excluded, deployed = exported.in_region(lost), exported.in_region(others[0])
    name = stack or exported.stack
    command = ["pulumi", "up", "--stack", name, "--refresh=false", "--policy-pack", "policy"]
    for pattern in exclude_patterns(excluded, deployed):
        command += ["--exclude", pattern]
    return SurvivorPlan(
        stack=name,
        lost=lost,
        surviving=others[0],
        excluded=[each.urn for each in excluded],
        deployed=[each.urn for each in deployed],
        command=command,
    )


def exclude_patterns(excluded: Sequence[ExportedResource], deployed: Sequence[ExportedResource]) -> list[str]:
    """Return patterns that match every excluded resource and no deployed one.

    Resources whose logical names begin with the same word become one pattern if all of them are excluded. It matches resources
    that the state does not have yet, such as a further instance. The others are named one by one.
    In a pattern `**` is any text, and `*` any text without a colon. Source: UrnTargets, the Pulumi engine.
    """
    kept = {_first_word(each) for each in deployed}
    patterns = {}
    for each in excluded:
        word = _first_word(each)
        project = "::".join(each.urn.split("::")[:2])
        shared = word not in kept and each.name != word
        patterns[f"{project}::**::{word}-*" if shared else each.urn] = None
    return sorted(patterns, key=lambda pattern: ("*" not in pattern, pattern))


def _first_word(resource: ExportedResource) -> str:
    return resource.name.partition("-")[0]


def _check_settings(exported: ExportedState, settings: Settings) -> None:
    """Raise OperationRefusedError if the settings lack values that the program would read from AWS."""
    labels = {"primary": settings.primary, "secondary": settings.secondary}
    missing = [f"{label}.availability_zones" for label, region in labels.items() if not region.availability_zones]
    missing += [] if settings.aws.account_id else ["aws.account_id"]
    if not missing:
        return
    found = {label: lookup for label, region in labels.items() if (lookup := _deployed_lookup(exported, region.region))}
    lines = settings_to_add(settings, _account(exported), found)
    if any(region.existing_vpc for region in labels.values()):
        lines.append("(of an existing VPC: the zones of existing_vpc.subnet_ids in their order, and route_table_ids)")
    raise OperationRefusedError(
        f"the program would ask the lost region for {', '.join(missing)}, which the settings lack",
        hint="\n".join(
            [f"Add to Pulumi.{exported.stack}.yaml, each line to its section:", *(f"  {each}" for each in lines)]
        ),
    )


def _deployed_lookup(exported: ExportedState, region: str) -> RegionLookup | None:
    subnets = sorted((each for each in exported.in_region(region) if each.type == SUBNET), key=lambda each: each.name)
    zones = [str(each.outputs["availabilityZone"]) for each in subnets]
    return RegionLookup(zones=zones) if zones else None


def _account(exported: ExportedState) -> str | None:
    """Return the account in the first ARN of the state that has one."""
    arns = (str(each.outputs.get("arn") or "").split(":") for each in exported.resources)
    return next((parts[4] for parts in arns if len(parts) > 5 and parts[4].isdecimal()), None)
