"""Regions and identifiers of a deployed stack, from `pulumi stack output --json` or a saved copy of it."""

import json
from dataclasses import dataclass
from pathlib import Path

from operations.stack.outputs import CONFIGURED_REGIONS, OutputsReader
from operations.stack.pulumi_cli import RunPulumi, read_json, run_pulumi
from operations.support.errors import UsageProblemError

SAVE_OUTPUTS = "`pulumi stack output --json > outputs.json` while the stack is healthy, then `--outputs outputs.json`"


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
    """The two regions of a global database, the secondary region first."""

    global_cluster_id: str
    regions: tuple[DeployedRegion, ...]
    rewind_method: str = "point-in-time"
    """`point-in-time` or `backtrack`; outputs of older programs do not contain it."""

    def region(self, region_name: str, *, option: str = "--region") -> DeployedRegion:
        """Return the region with this name; `option` gave it.

        Raises:
            UsageProblemError: the stack has nothing in this region.
        """
        for region in self.regions:
            if region.name == region_name:
                return region
        regions = " or ".join(region.name for region in self.regions)
        raise UsageProblemError(f"{option}: this stack is not in {region_name!r}", hint=f"Use {regions}.")

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


def load_outputs(file: Path | None, stack: str | None, pulumi: RunPulumi = run_pulumi) -> object:
    """Return the outputs as parsed JSON, from `file` or from Pulumi.

    Raises:
        UsageProblemError: the outputs cannot be read.
    """
    return _ask_pulumi(stack, pulumi) if file is None else _read_file(file)


def _read_file(file: Path) -> object:
    hint = f"Save the outputs: {SAVE_OUTPUTS}."
    try:
        outputs = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageProblemError(f"--outputs: cannot read {file}: {error.strerror}", hint=hint) from error
    except json.JSONDecodeError as error:
        what = f"{file}, line {error.lineno}, is not JSON" if error.doc.strip() else f"{file} is empty"
        raise UsageProblemError(f"--outputs: {what}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise UsageProblemError(f"--outputs: {file} is not JSON in UTF-8", hint=hint) from error
    if not isinstance(outputs, dict):
        raise UsageProblemError(f"--outputs: {file} holds no JSON object with the outputs of a stack", hint=hint)
    if not outputs:
        raise UsageProblemError(
            f"--outputs: {file} holds no outputs: the stack was not deployed when they were saved",
            hint=f"Deploy the stack with `pulumi up`. Then {SAVE_OUTPUTS}.",
        )
    return outputs


def _ask_pulumi(stack: str | None, pulumi: RunPulumi) -> object:
    arguments = ["stack", "output", "--json", "--non-interactive", *(["--stack", stack] if stack else [])]
    try:
        outputs = read_json(arguments, pulumi)
    except UsageProblemError as error:
        hint = f"{error.hint} Or use `--outputs FILE` with saved outputs: {SAVE_OUTPUTS}."
        raise UsageProblemError(error.message, hint=hint) from error
    if not outputs:
        raise UsageProblemError(
            f"`pulumi {' '.join(arguments)}` printed no outputs: the stack is not deployed",
            hint="Deploy it with `pulumi up`, or name another stack with --stack.",
        )
    return outputs
