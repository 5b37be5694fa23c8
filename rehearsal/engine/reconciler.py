"""Creates and changes resources according to the plan, and records each in the state.

The state changes only after AWS has responded. A preview changes neither the state nor AWS. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.plan import PlannedChange, PlanStep, inputs_to_keep, plan_step
from rehearsal.engine.state import KeptResource, ResourceGoal, StackState
from rehearsal.provider.resources.handler import (
    Created,
    Handler,
    HandlerError,
    Request,
    Treatment,
    differences,
    unused_properties,
)
from rehearsal.provider.resources.outcome import GLOBAL, NotHeld, ProviderResource, ResourceRecord
from rehearsal.provider.resources.values import MASKED, InputValues
from rehearsal.support.clients import ClientFactory


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A custom resource as the program registers it, decoded."""

    goal: ResourceGoal
    handler: Handler
    values: InputValues
    inputs: Mapping[str, Any]
    """The plain inputs, with the provider's default tags merged in."""
    aliases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RegistrationResult:
    """The engine's response to a registration."""

    id: str
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]
    ignored: Mapping[str, Any]
    """The ignored inputs with the values that they keep."""


class Reconciler:
    """Brings resources from the state's version to the program's version."""

    def __init__(
        self,
        *,
        state: StackState,
        record: ResourceRecord,
        clients: ClientFactory,
        program_directory: Path,
        create_only: Callable[[str], Collection[str]],
        on_resource: Callable[[ProviderResource], None] | None,
    ) -> None:
        self.state = state
        self.steps: list[PlanStep] = []
        self.matched: set[str] = set()
        """URNs of the state's resources that the program still registers."""
        self._record = record
        self._clients = clients
        self._program_directory = program_directory
        self._create_only = create_only
        self._on_resource = on_resource
        self._lock = threading.Lock()

    def preview(self, registration: Registration) -> RegistrationResult | None:
        """Return the resource as it is in the state; None if it is new or would be replaced."""
        kept, step = self._plan(registration)
        return None if kept is None or step.change is PlannedChange.REPLACE else _result(kept, step)

    def apply(self, registration: Registration, started: float) -> RegistrationResult:
        """Carry out the plan for one resource and update the state.

        Raises: HandlerError if the change fails or if the plan is a replacement. A replacement is never carried out.
        """
        kept, step = self._plan(registration)
        if step.change is PlannedChange.REPLACE:
            refusal = f"; refused, {step.refusal}" if step.refusal else ""
            raise HandlerError(f"the resource would be replaced{refusal}", property=", ".join(step.forced_by))
        for name in registration.values.unknown:
            if name not in step.ignored:
                raise HandlerError(
                    "the property uses an output that the rehearsal's handler does not set", property=name
                )
        if kept is not None and step.change is PlannedChange.SAME:
            return _result(self._keep(registration.goal, step, kept, kept), step)
        request = self._request(registration, kept, step)
        created = self._carry_out(registration.handler, request, step)
        after = self._keep(registration.goal, step, kept, created, tags_all=request.inputs.get("tags"))
        self._note(registration, request, created, started)
        return _result(after, step)

    def _plan(self, registration: Registration) -> tuple[KeptResource | None, PlanStep]:
        kept = self.state.find(registration.goal.urn, registration.aliases)
        step = plan_step(kept, registration.goal, self._create_only)
        with self._lock:
            self.steps.append(step)
            if kept is not None:
                self.matched.add(kept.urn)
        return kept, step

    def _request(self, registration: Registration, kept: KeptResource | None, step: PlanStep) -> Request:
        ignored = {name: kept.inputs[name] for name in step.ignored if kept is not None and name in kept.inputs}
        given = {name: value for name, value in registration.inputs.items() if name not in step.ignored}
        return Request(
            urn=step.urn,
            type=step.type,
            name=step.name,
            region=step.region,
            inputs={**given, **ignored},
            properties=registration.handler.properties,
            clients=self._clients,
            program_directory=self._program_directory,
            id=kept.id if kept is not None else "",
            outputs=kept.outputs if kept is not None else {},
            changed=frozenset(step.properties),
        )

    def _carry_out(self, handler: Handler, request: Request, step: PlanStep) -> Created:
        if step.change is PlannedChange.CREATE:
            return _checked(request, handler.create(request))
        for_aws = [
            name for name in step.properties if request.properties[name].treatment is not Treatment.PROVIDER_ONLY
        ]
        if not for_aws:
            return Created(id=request.id, outputs={})
        if handler.update is None:
            raise HandlerError(
                "in-place update is not supported in the rehearsal. Destroy and redeploy the stack.",
                property=", ".join(for_aws),
            )
        return _checked(request, handler.update(request))

    def _keep(
        self,
        goal: ResourceGoal,
        step: PlanStep,
        kept: KeptResource | None,
        source: KeptResource | Created,
        *,
        tags_all: Mapping[str, str] | None = None,
    ) -> KeptResource:
        before = kept.outputs if kept is not None else {}
        known = {name: value for name, value in {**source.outputs, "tagsAll": tags_all}.items() if value is not None}
        inputs = inputs_to_keep(kept, goal, step.ignored)
        after = KeptResource(
            **{**vars(goal), "inputs": inputs},
            id=source.id,
            outputs={**before, **known},
            secret_outputs=source.secret_outputs,
        )
        self.state.keep(after, instead_of=kept.urn if kept is not None else None)
        return after

    def _note(self, registration: Registration, request: Request, created: Created, started: float) -> None:
        handler = registration.handler
        merged = {"tags": request.inputs["tags"]} if "tags" in request.inputs else {}
        resource = ProviderResource(
            urn=request.urn,
            type=request.type,
            name=request.name,
            region=GLOBAL if handler.is_global else request.region,
            id=created.id,
            inputs={**registration.values.masked, **merged},
            outputs={
                name: MASKED if name in created.secret_outputs else value for name, value in created.outputs.items()
            },
            seconds=time.monotonic() - started,
        )
        dropped = {
            NotHeld(type=request.type, property=name, reason=handler.properties[name].reason)
            for name in request.inputs
            if handler.properties[name].treatment is Treatment.NOT_HELD
        }
        with self._lock:
            self._record.resources.append(resource)
            self._record.not_held |= dropped
            if self._on_resource is not None:
                # Under the lock: `on_resource` is never called by two threads at once.
                self._on_resource(resource)


class ReadBackError(HandlerError):
    """Properties that AWS does not return as they were sent."""

    def __init__(self, different: list[tuple[str, str]]) -> None:
        super().__init__(different[0][1], property=different[0][0])
        self.further = tuple(different[1:])


def _checked(request: Request, created: Created) -> Created:
    unused = unused_properties(request)
    if unused:
        raise HandlerError("the rehearsal's handler does not use the property", property=", ".join(unused))
    different = differences(request, created)
    if different:
        raise ReadBackError(different)
    return created


def _result(kept: KeptResource, step: PlanStep) -> RegistrationResult:
    return RegistrationResult(
        id=kept.id,
        outputs=kept.outputs,
        secret_outputs=kept.secret_outputs,
        ignored={name: kept.inputs.get(name) for name in step.ignored},
    )
