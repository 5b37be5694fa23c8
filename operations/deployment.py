"""What was deployed, from the stack's outputs: the regions, their clusters, tables and controllers.

Owns reading `pulumi stack output --json` or a file of the same form. Does not own any AWS call. Invariant: a
deployment has two places; which of them is the standby is not a thing that outputs can know.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .outcome import UsageProblemError

PULUMI_TIMEOUT_SECONDS = 30
KEEP_A_COPY = "`pulumi stack output --json > outputs.json` while all is well, then `--outputs outputs.json`"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """One region of the deployment."""

    name: str
    """The configured region's name in the outputs: primary or secondary. No role."""
    region: str
    cluster_arn: str
    table_name: str
    controller_name: str


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The two places of one global database; the one that is the standby on day one comes first."""

    global_cluster_id: str
    places: tuple[Place, ...]
    rewind_method: str = "point-in-time"
    """How a rewind is done: `point-in-time` or `backtrack`; outputs of an older program don't say it."""

    def place(self, region: str) -> Place:
        """Return the place in `region`.

        Raises:
            UsageProblemError: when nothing is deployed there.
        """
        for place in self.places:
            if place.region == region:
                return place
        regions = " or ".join(place.region for place in self.places)
        raise UsageProblemError(f"--region: nothing of this stack is in {region!r}", cure=f"It is in {regions}.")

    def other(self, place: Place) -> Place:
        """Return the place that is not `place`."""
        return next(each for each in self.places if each != place)


def read_deployment(outputs: object) -> Deployment:
    """Return the deployment that the outputs describe.

    Raises:
        UsageProblemError: naming every output that is missing or malformed.
    """
    source = outputs if isinstance(outputs, Mapping) else {}
    problems: list[str] = []
    regions = source.get("regions")
    places = []
    for name in ("secondary", "primary"):
        values = regions.get(name) if isinstance(regions, Mapping) else None
        fields = {
            "region": _text(values, "region", f"regions.{name}", problems),
            "cluster_arn": _text(values, "cluster_arn", f"regions.{name}", problems),
            "table_name": _text(values, "table_name", f"regions.{name}", problems),
            "controller_name": _text(values, "failover_controller_function_name", f"regions.{name}", problems),
        }
        places.append(Place(name=name, **fields))
    deployment = Deployment(
        global_cluster_id=_text(source, "global_cluster_id", "", problems),
        places=tuple(places),
        rewind_method=str(source.get("rewind_method", Deployment.rewind_method)),
    )
    if problems:
        raise UsageProblemError(
            f"these outputs are missing or no text: {', '.join(problems)}",
            cure="Give the outputs of a stack of this program that is up: `pulumi stack output --json`.",
        )
    return deployment


def load_outputs(file: Path | None, stack: str | None, run: Run = subprocess.run) -> object:
    """Return the outputs as parsed JSON, from `file` or from Pulumi.

    Raises:
        UsageProblemError: when they can't be had, with the cure.
    """
    if file is not None:
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageProblemError(
                f"--outputs: {file} can't be read: {error.strerror}", cure=f"Make it: {KEEP_A_COPY}."
            ) from error
        except ValueError as error:
            raise UsageProblemError(
                f"--outputs: {file} is no JSON: {error}", cure=f"Make it: {KEEP_A_COPY}."
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
            cure="Give `--outputs FILE`, the saved answer of `pulumi stack output --json`; "
            "or install Pulumi: https://www.pulumi.com/docs/install/.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UsageProblemError(
            f"`{' '.join(command)}` gave no answer within {PULUMI_TIMEOUT_SECONDS} s: its state may be in a region that is lost",
            cure=f"Don't depend on it: {KEEP_A_COPY}.",
        ) from error
    if answer.returncode != 0:
        said = " ".join((answer.stderr or answer.stdout).split())[:300]
        raise UsageProblemError(
            f"`{' '.join(command)}` failed: {said}",
            cure="Log in to Pulumi and name the stack with --stack, or give --outputs FILE.",
        )
    try:
        return json.loads(answer.stdout)
    except ValueError as error:
        raise UsageProblemError(f"`{' '.join(command)}` answered no JSON", cure="Give --outputs FILE.") from error


def _text(values: object, name: str, where: str, problems: list[str]) -> str:
    value = values.get(name) if isinstance(values, Mapping) else None
    if isinstance(value, str) and value:
        return value
    problems.append(f"{where}.{name}" if where else name)
    return ""
