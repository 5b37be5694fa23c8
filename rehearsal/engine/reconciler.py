"""Creates and changes resources according to the plan, and records each in the state.

The state changes only after AWS has responded. A preview changes neither the state nor AWS. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rehearsal.engine.plan import PlannedChange, PlanStep, inputs_to_keep, plan_step
from rehearsal.engine.state import KeptResource, ResourceGoal, StackState
from rehearsal.provider.provider import Provider, has_unknown
from rehearsal.provider.resources.handler import Created, Handler, HandlerError, Treatment
from rehearsal.provider.resources.outcome import GLOBAL, NotHeld, ProviderResource, ResourceRecord
from rehearsal.provider.resources.values import MASKED, InputValues


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A custom resource as the program registers it, decoded."""

    goal: ResourceGoal
    provider: Provider
    handler: Handler
    values: InputValues
    inputs: Mapping[str, Any]
    """The plain inputs, as the provider's check returns them."""
    aliases: tuple[str, ...]

    @property
    def added(self) -> dict[str, Any]:
        """The inputs that the provider's check added: `tagsAll`."""
        return {name: value for name, value in self.inputs.items() if name not in self.values.plain}


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
        on_resource: Callable[[ProviderResource], None] | None,
    ) -> None:
        self.state = state
        self.steps: list[PlanStep] = []
        self.matched: set[str] = set()
        """URNs of the state's resources that the program still registers."""
        self._record = record
        self._on_resource = on_resource
        self._lock = threading.Lock()

    def preview(self, registration: Registration) -> RegistrationResult | None:
        """Return the resource as it is in the state, with changed inputs; None if it is new or would be replaced."""
        kept, step = self._plan(registration)
        if kept is None or step.change is PlannedChange.REPLACE:
            return None
        if step.change is PlannedChange.UPDATE:
            # The provider returns the new inputs: an old output of the same name must not hide them.
            inputs = registration.provider.input_names(step.type)
            kept = replace(kept, outputs={name: each for name, each in kept.outputs.items() if name not in inputs})
        return _result(kept, step, registration)

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
            return _result(self._keep(registration.goal, step, kept, kept), step, registration)
        ignored = {name: kept.inputs[name] for name in step.ignored if kept is not None and name in kept.inputs}
        given = {name: value for name, value in registration.inputs.items() if name not in step.ignored}
        inputs = {**given, **ignored}
        created = self._carry_out(registration, kept, step, inputs)
        after = self._keep(registration.goal, step, kept, created)
        self._note(registration, inputs, created, started)
        return _result(after, step, registration)

    def _plan(self, registration: Registration) -> tuple[KeptResource | None, PlanStep]:
        kept = self.state.find(registration.goal.urn, registration.aliases)
        step = plan_step(kept, registration.goal, registration.provider)
        with self._lock:
            self.steps.append(step)
            if kept is not None:
                self.matched.add(kept.urn)
        return kept, step

    def _carry_out(
        self, registration: Registration, kept: KeptResource | None, step: PlanStep, inputs: Mapping[str, Any]
    ) -> Created:
        if kept is None:
            return registration.provider.create(step.urn, step.type, step.name, inputs)
        return registration.provider.update(
            step.urn,
            step.type,
            step.name,
            id=kept.id,
            inputs=inputs,
            outputs=kept.values,
            changed=step.properties,
        )

    def _keep(
        self,
        goal: ResourceGoal,
        step: PlanStep,
        kept: KeptResource | None,
        source: KeptResource | Created,
    ) -> KeptResource:
        before = kept.outputs if kept is not None else {}
        known = {name: value for name, value in source.outputs.items() if value is not None}
        inputs = inputs_to_keep(kept, goal, step.ignored)
        after = KeptResource(
            **{**vars(goal), "inputs": inputs},
            id=source.id,
            outputs={**before, **known},
            secret_outputs=source.secret_outputs,
        )
        self.state.keep(after, instead_of=kept.urn if kept is not None else None)
        return after

    def _note(self, registration: Registration, inputs: Mapping[str, Any], created: Created, started: float) -> None:
        goal, handler = registration.goal, registration.handler
        resource = ProviderResource(
            urn=goal.urn,
            type=goal.type,
            name=goal.name,
            region=GLOBAL if handler.is_global else goal.region,
            id=created.id,
            inputs={**registration.values.masked, **registration.added},
            outputs={
                name: MASKED if name in created.secret_outputs else value for name, value in created.outputs.items()
            },
            seconds=time.monotonic() - started,
        )
        dropped = {
            NotHeld(type=goal.type, property=name, reason=handler.properties[name].reason)
            for name in inputs
            if name in handler.properties and handler.properties[name].treatment is Treatment.NOT_HELD
        }
        with self._lock:
            self._record.resources.append(resource)
            self._record.not_held |= dropped
            if self._on_resource is not None:
                # Under the lock: `on_resource` is never called by two threads at once.
                self._on_resource(resource)


def _result(kept: KeptResource, step: PlanStep, registration: Registration) -> RegistrationResult:
    # The program reads the inputs that the provider added, such as `tags_all`, as outputs.
    return RegistrationResult(
        id=kept.id,
        outputs={
            **kept.outputs,
            **{name: value for name, value in registration.added.items() if not has_unknown(value)},
        },
        secret_outputs=kept.secret_outputs,
        ignored={name: kept.inputs.get(name) for name in step.ignored},
    )
