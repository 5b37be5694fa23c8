"""Regions and identifiers of a deployed stack, from `pulumi stack output --json` or a saved copy of it."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.stack.outputs import CONFIGURED_REGIONS, OutputsReader
from operations.support.errors import UsageProblemError

PULUMI_TIMEOUT_SECONDS = 30
SAVE_OUTPUTS = "`pulumi stack output --json > outputs.json` while the stack is healthy, then `--outputs outputs.json`"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, kw_only=True)
class DeployedRegion:
    """One region of a stack."""

    label: str
    """`primary` or `secondary`, the key in the outputs; not the current role."""
    name: str
    cluster_arn: str
    table_name: str
    controller_name: str


@dataclass(frozen=True, kw_only=True)
class StackDeployment:
    """The two regions of a global database, the day-one standby first."""

    global_cluster_id: str
    regions: tuple[DeployedRegion, ...]
    rewind_method: str = "point-in-time"
    """`point-in-time` or `backtrack`; outputs of older programs do not contain it."""

    def region(self, region_name: str) -> DeployedRegion:
        """Return the region with this name.

        Raises:
            UsageProblemError: the stack has nothing in this region.
        """
        for region in self.regions:
            if region.name == region_name:
                return region
        regions = " or ".join(region.name for region in self.regions)
        raise UsageProblemError(f"--region: this stack is not in {region_name!r}", hint=f"Use {regions}.")

    def other(self, region: DeployedRegion) -> DeployedRegion:
        """Return the other region."""
        return next(each for each in self.regions if each != region)


def read_deployment(outputs: object) -> StackDeployment:
    """Return the deployment that the outputs describe.

    Raises:
        UsageProblemError: outputs are missing or malformed; the message names all of them.
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
        UsageProblemError: the outputs cannot be read.
    """
    if file is not None:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageProblemError(
                f"--outputs: cannot read {file}: {error.strerror}", hint=f"Save the outputs: {SAVE_OUTPUTS}."
            ) from error
        except ValueError as error:
            raise UsageProblemError(
                f"--outputs: {file} is not JSON: {error}", hint=f"Save the outputs: {SAVE_OUTPUTS}."
            ) from error
    return _run_pulumi(stack, run)


def _run_pulumi(stack: str | None, run: Run) -> object:
    command = ["pulumi", "stack", "output", "--json", "--non-interactive", *(["--stack", stack] if stack else [])]
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": PULUMI_TIMEOUT_SECONDS, "check": False}
    try:
        answer = run(command, stdin=subprocess.DEVNULL, **options)
    except FileNotFoundError as error:
        raise UsageProblemError(
            "pulumi is not installed or not on the PATH",
            hint="Use `--outputs FILE`, the saved output of `pulumi stack output --json`, "
            "or install Pulumi: https://www.pulumi.com/docs/install/.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UsageProblemError(
            f"`{' '.join(command)}` gave no answer within {PULUMI_TIMEOUT_SECONDS} s: its state may be in the lost region",
            hint=f"Use saved outputs: {SAVE_OUTPUTS}.",
        ) from error
    if answer.returncode != 0:
        message = " ".join((answer.stderr or answer.stdout).split())[:300]
        raise UsageProblemError(
            f"`{' '.join(command)}` failed: {message}",
            hint="Log in to Pulumi and name the stack with --stack, or use --outputs FILE.",
        )
    try:
        return json.loads(answer.stdout)
    except ValueError as error:
        raise UsageProblemError(f"`{' '.join(command)}` did not print JSON", hint="Use --outputs FILE.") from error
