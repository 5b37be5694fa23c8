"""What was deployed, from the stack's outputs: the regions, their clusters, tables and controllers.

Owns reading `pulumi stack output --json` or a file of the same form. Does not own any AWS call. Invariant: a
deployment has two places; which of them is the standby is not a thing that outputs can know.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.stack.outputs import CONFIGURED_REGIONS, OutputsReader
from operations.support.errors import UsageProblemError

PULUMI_TIMEOUT_SECONDS = 30
KEEP_A_COPY = "`pulumi stack output --json > outputs.json` while all is well, then `--outputs outputs.json`"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, kw_only=True)
class DeployedRegion:
    """One region of the deployment."""

    label: str
    """The configured region's name in the outputs: primary or secondary. No role."""
    name: str
    cluster_arn: str
    table_name: str
    controller_name: str


@dataclass(frozen=True, kw_only=True)
class StackDeployment:
    """The two places of one global database; the one that is the standby on day one comes first."""

    global_cluster_id: str
    regions: tuple[DeployedRegion, ...]
    rewind_method: str = "point-in-time"
    """How a rewind is done: `point-in-time` or `backtrack`; outputs of an older program don't say it."""

    def region(self, region_name: str) -> DeployedRegion:
        """Return the place in `region`.

        Raises:
            UsageProblemError: when nothing is deployed there.
        """
        for region in self.regions:
            if region.name == region_name:
                return region
        regions = " or ".join(region.name for region in self.regions)
        raise UsageProblemError(f"--region: nothing of this stack is in {region_name!r}", hint=f"It is in {regions}.")

    def other(self, region: DeployedRegion) -> DeployedRegion:
        """Return the place that is not `region`."""
        return next(each for each in self.regions if each != region)


def read_deployment(outputs: object) -> StackDeployment:
    """Return the deployment that the outputs describe.

    Raises:
        UsageProblemError: naming every output that is missing or malformed.
    """
    reader = OutputsReader(outputs)
    deployment = StackDeployment(
        global_cluster_id=reader.text("global_cluster_id"),
        regions=tuple(
            DeployedRegion(
                label=name,
                name=reader.region_text(name, "region"),
                cluster_arn=reader.region_text(name, "cluster_arn"),
                table_name=reader.region_text(name, "table_name"),
                controller_name=reader.region_text(name, "failover_controller_function_name"),
            )
            for name in CONFIGURED_REGIONS
        ),
        rewind_method=str(reader.outputs.get("rewind_method", StackDeployment.rewind_method)),
    )
    reader.finish()
    return deployment


def load_outputs(file: Path | None, stack: str | None, run: Run = subprocess.run) -> object:
    """Return the outputs as parsed JSON, from `file` or from Pulumi.

    Raises:
        UsageProblemError: when they can't be had, with the hint.
    """
    if file is not None:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageProblemError(
                f"--outputs: {file} can't be read: {error.strerror}", hint=f"Make it: {KEEP_A_COPY}."
            ) from error
        except ValueError as error:
            raise UsageProblemError(
                f"--outputs: {file} is no JSON: {error}", hint=f"Make it: {KEEP_A_COPY}."
            ) from error
    return _ask_pulumi(stack, run)


def _ask_pulumi(stack: str | None, run: Run) -> object:
    command = ["pulumi", "stack", "output", "--json", "--non-interactive", *(["--stack", stack] if stack else [])]
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": PULUMI_TIMEOUT_SECONDS, "check": False}
    try:
        answer = run(command, stdin=subprocess.DEVNULL, **options)
    except FileNotFoundError as error:
        raise UsageProblemError(
            "pulumi is not installed here, or not on the PATH",
            hint="Give `--outputs FILE`, the saved answer of `pulumi stack output --json`; "
            "or install Pulumi: https://www.pulumi.com/docs/install/.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UsageProblemError(
            f"`{' '.join(command)}` gave no answer within {PULUMI_TIMEOUT_SECONDS} s: its state may be in a region that is lost",
            hint=f"Don't depend on it: {KEEP_A_COPY}.",
        ) from error
    if answer.returncode != 0:
        said = " ".join((answer.stderr or answer.stdout).split())[:300]
        raise UsageProblemError(
            f"`{' '.join(command)}` failed: {said}",
            hint="Log in to Pulumi and name the stack with --stack, or give --outputs FILE.",
        )
    try:
        return json.loads(answer.stdout)
    except ValueError as error:
        raise UsageProblemError(f"`{' '.join(command)}` answered no JSON", hint="Give --outputs FILE.") from error
