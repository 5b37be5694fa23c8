"""A stack's state as `pulumi stack export` prints it: its resources and the operations that an interruption left pending.

Source: DeploymentV3, ResourceV3 and OperationV2 in pulumi/pulumi, sdk/go/common/apitype/core.go.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.stack.pulumi_cli import RunPulumi, read_json
from operations.support.errors import UsageProblemError

AWS_PROVIDER = "pulumi:providers:aws"
SAVE_STATE = "Save the state: `pulumi stack export > state.json`."


@dataclass(frozen=True, kw_only=True)
class ExportedResource:
    """One resource in the state, or of a pending operation."""

    values: Mapping[str, Any]
    """The resource as the export has it."""
    region: str
    """The region of its AWS provider; empty for a component, a provider and a resource of another provider."""
    default_tags: Mapping[str, str]
    """The tags that this provider adds."""

    @property
    def urn(self) -> str:
        """The URN."""
        return str(self.values["urn"])

    @property
    def id(self) -> str:
        """The id in AWS; empty while there is none."""
        return str(self.values.get("id") or "")

    @property
    def type(self) -> str:
        """The type token."""
        return str(self.values["type"])

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rpartition("::")[2]

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The program's values; secrets are encrypted."""
        return self.values.get("inputs") or {}

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The values that the provider returned."""
        return self.values.get("outputs") or {}

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags that the resource has in AWS if the program created it."""
        return {**self.default_tags, **(self.inputs.get("tags") or {})}


@dataclass(frozen=True, kw_only=True)
class PendingOperation:
    """An operation that had started when the CLI ended, and whose result is not in the state."""

    kind: str
    """`creating`, `updating`, `deleting`, `reading` or `importing`."""
    resource: ExportedResource


@dataclass(frozen=True, kw_only=True)
class ExportedState:
    """The exported state of one stack."""

    values: Mapping[str, Any]
    """The whole export."""
    resources: Sequence[ExportedResource]
    pending: Sequence[PendingOperation]
    regions: Sequence[str]
    """The regions of the AWS providers, sorted; empty if the stack is not deployed."""

    @property
    def stack(self) -> str:
        """The stack's name, without organisation and project."""
        # urn:pulumi:<stack>::<project>::<types>::<name>
        return self.resources[0].urn.split(":")[2]

    def in_region(self, region: str) -> list[ExportedResource]:
        """Return the resources whose provider is the region's: the global ones of that provider too."""
        return [each for each in self.resources if each.region == region]


def load_export(stack: str | None, pulumi: RunPulumi) -> ExportedState:
    """Return the state of a stack in Pulumi's backend, by default of the selected one.

    Raises:
        UsageProblemError: Pulumi cannot export it.
    """
    return read_export(read_json(["stack", "export", *(["--stack", stack] if stack else [])], pulumi))


def load_saved_export(file: Path) -> ExportedState:
    """Return the state in a saved export.

    Raises:
        UsageProblemError: the file cannot be read, or is no export of a stack.
    """
    try:
        return read_export(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblemError(f"--state: cannot read {file}", hint=SAVE_STATE) from error
    except ValueError as error:
        raise UsageProblemError(f"--state: {file}: is not JSON", hint=SAVE_STATE) from error


def read_export(exported: object) -> ExportedState:
    """Return the state in an export.

    Raises:
        UsageProblemError: it is no export of a stack.
    """
    deployment = exported.get("deployment") if isinstance(exported, Mapping) else None
    if not isinstance(exported, Mapping) or not isinstance(deployment, Mapping):
        raise UsageProblemError("the state has no `deployment`", hint="Give the output of `pulumi stack export`.")
    resources = deployment.get("resources") or []
    # A resource names its provider `<urn>::<id>`.
    providers = {
        f"{each['urn']}::{each.get('id')}": each.get("inputs") or {}
        for each in resources
        if each["type"] == AWS_PROVIDER
    }

    def resource(values: Mapping[str, Any]) -> ExportedResource:
        provider = providers.get(str(values.get("provider")), {})
        # Pulumi stores provider inputs that are not strings as JSON.
        default_tags = json.loads(provider.get("defaultTags") or "{}").get("tags") or {}
        return ExportedResource(values=values, region=provider.get("region", ""), default_tags=default_tags)

    return ExportedState(
        values=exported,
        resources=[resource(each) for each in resources],
        pending=[
            PendingOperation(kind=each["type"], resource=resource(each["resource"]))
            for each in deployment.get("pending_operations") or []
        ],
        regions=sorted({str(each.get("region", "")) for each in providers.values()} - {""}),
    )
