"""From a wanted resource to one that is there: planned against the state, created or changed, and kept.

Owns: what is done for each step, its recording, and that the state says after each resource what AWS has.
Does not own: Pulumi's protocol (monitor.py), the comparison (plan.py), how a type is created (resources/).
Invariant: the state is changed only after AWS has answered; in a preview neither is touched. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.plan import PlannedChange, PlanStep, Wanted, inputs_to_keep, plan_step
from rehearsal.engine.state import KeptResource, StackState, comparable
from rehearsal.provider.resources.handler import (
    Created,
    Handler,
    HandlerError,
    Request,
    Treatment,
    disagreements,
    untouched_properties,
)
from rehearsal.provider.resources.outcome import GLOBAL, NotHeld, ProviderResource, ResourceRecord
from rehearsal.provider.resources.values import MASKED, InputValues
from rehearsal.support.clients import ClientFactory


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A custom resource as the program registers it, decoded."""

    urn: str
    type: str
    name: str
    region: str
    """The provider's region."""
    handler: Handler
    inputs: InputValues
    merged: Mapping[str, Any]
    """The plain inputs with the provider's default tags under the resource's own."""
    protect: bool
    ignore_changes: tuple[str, ...]
    dependencies: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RegistrationResult:
    """What the program is told of its resource."""

    id: str
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]
    held_back: Mapping[str, Any]
    """Ignored inputs: what they are instead of what the program gave."""


class Reconciler:
    """Brings resources from what the state says to what the program wants."""

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
        """URNs of the state under which something was found again."""
        self._record = record
        self._clients = clients
        self._program_directory = program_directory
        self._create_only = create_only
        self._on_resource = on_resource
        self._lock = threading.Lock()

    def foretell(self, registration: Registration) -> RegistrationResult | None:
        """Return what a preview knows of a resource: what it was, unless it is new or replaced."""
        kept, step, _wanted = self._plan(registration)
        if kept is None or step.change is PlannedChange.REPLACE:
            return None
        return _answer(kept, step)

    def reconcile(self, registration: Registration, started: float) -> RegistrationResult:
        """Do what the plan says, and keep it.

        Raises: HandlerError when it can't be done, or must not be: a replacement is never carried out.
        """
        kept, step, wanted = self._plan(registration)
        if step.change is PlannedChange.REPLACE:
            refusal = f"; refused, {step.refusal}" if step.refusal else ""
            raise HandlerError(f"it would be replaced{refusal}", property=", ".join(step.forced_by))
        for name in registration.inputs.unknown:
            if name not in step.ignored:
                raise HandlerError("it comes from an output that the rehearsal's handler does not give", property=name)
        if kept is not None and step.change is PlannedChange.SAME:
            after = self._keep(registration, wanted, step, kept, kept.id, kept.outputs, kept.secret_outputs)
            return _answer(after, step)
        request = self._request(registration, kept, step)
        created = self._carry_out(registration, request, step)
        outputs = {**created.outputs, **({"tagsAll": request.inputs["tags"]} if "tags" in request.inputs else {})}
        after = self._keep(registration, wanted, step, kept, created.id, outputs, created.secret_outputs)
        self._note(registration, request, created, started)
        return _answer(after, step)

    def _plan(self, registration: Registration) -> tuple[KeptResource | None, PlanStep, Wanted]:
        wanted = Wanted(
            urn=registration.urn,
            type=registration.type,
            name=registration.name,
            region=registration.region,
            inputs=comparable(registration.merged, base=self._program_directory),
            protect=registration.protect,
            ignore_changes=registration.ignore_changes,
            dependencies=registration.dependencies,
        )
        kept = self.state.find(registration.urn, registration.aliases)
        step = plan_step(kept, wanted, self._create_only)
        with self._lock:
            self.steps.append(step)
            if kept is not None:
                self.matched.add(kept.urn)
        return kept, step, wanted

    def _request(self, registration: Registration, kept: KeptResource | None, step: PlanStep) -> Request:
        ignored = {name: kept.inputs[name] for name in step.ignored if kept is not None and name in kept.inputs}
        given = {name: value for name, value in registration.merged.items() if name not in step.ignored}
        return Request(
            urn=registration.urn,
            type=registration.type,
            name=registration.name,
            region=registration.region,
            inputs={**given, **ignored},
            properties=registration.handler.properties,
            clients=self._clients,
            program_directory=self._program_directory,
            id=kept.id if kept is not None else "",
            outputs=kept.outputs if kept is not None else {},
            changed=frozenset(step.properties),
        )

    def _carry_out(self, registration: Registration, request: Request, step: PlanStep) -> Created:
        handler = registration.handler
        if step.change is PlannedChange.CREATE:
            return _checked(request, handler.create(request))
        for_aws = [
            name for name in step.properties if request.properties[name].treatment is not Treatment.PROVIDER_ONLY
        ]
        if not for_aws:
            return Created(id=request.id, outputs={})
        if handler.update is None:
            raise HandlerError(
                "the rehearsal can't change it in place; destroy the stack, then deploy it anew",
                property=", ".join(for_aws),
            )
        return _checked(request, handler.update(request))

    def _keep(
        self,
        registration: Registration,
        wanted: Wanted,
        step: PlanStep,
        kept: KeptResource | None,
        id_: str,
        outputs: Mapping[str, Any],
        secret_outputs: frozenset[str],
    ) -> KeptResource:
        before = kept.outputs if kept is not None else {}
        known = {name: value for name, value in outputs.items() if value is not None}
        after = KeptResource(
            urn=registration.urn,
            type=registration.type,
            name=registration.name,
            region=registration.region,
            id=id_,
            inputs=inputs_to_keep(kept, wanted, step.ignored),
            outputs={**before, **known},
            secret_outputs=secret_outputs,
            protect=wanted.protect,
            ignore_changes=wanted.ignore_changes,
            dependencies=wanted.dependencies,
        )
        self.state.keep(after, instead_of=kept.urn if kept is not None else None)
        return after

    def _note(self, registration: Registration, request: Request, created: Created, started: float) -> None:
        handler = registration.handler
        merged = {"tags": request.inputs["tags"]} if "tags" in request.inputs else {}
        resource = ProviderResource(
            urn=registration.urn,
            type=registration.type,
            name=registration.name,
            region=GLOBAL if handler.is_global else registration.region,
            id=created.id,
            inputs={**registration.inputs.masked, **merged},
            outputs={
                name: MASKED if name in created.secret_outputs else value for name, value in created.outputs.items()
            },
            seconds=time.monotonic() - started,
        )
        forgotten = {
            NotHeld(type=registration.type, property=name, reason=handler.properties[name].reason)
            for name in request.inputs
            if handler.properties[name].treatment is Treatment.NOT_HELD
        }
        with self._lock:
            self._record.resources.append(resource)
            self._record.not_held |= forgotten
            if self._on_resource is not None:
                # Under the lock: whoever shows the progress need not think of threads.
                self._on_resource(resource)


class DisagreementError(HandlerError):
    """AWS holds something else than what was sent, in more than one property."""

    def __init__(self, different: list[tuple[str, str]]) -> None:
        super().__init__(different[0][1], property=different[0][0])
        self.further = tuple(different[1:])


def _checked(request: Request, created: Created) -> Created:
    forgotten = untouched_properties(request)
    if forgotten:
        raise HandlerError("the rehearsal's handler never used it", property=", ".join(forgotten))
    different = disagreements(request, created)
    if different:
        raise DisagreementError(different)
    return created


def _answer(kept: KeptResource, step: PlanStep) -> RegistrationResult:
    return RegistrationResult(
        id=kept.id,
        outputs=kept.outputs,
        secret_outputs=kept.secret_outputs,
        held_back={name: kept.inputs.get(name) for name in step.ignored},
    )
