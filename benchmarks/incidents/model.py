"""A public incident as the standby's controller would have seen it, in stages; and the outcome that an expert wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from benchmarks.simulated_regions import Cause, Paths


class Outcome(StrEnum):
    """What the controller does in an incident."""

    HOLDS = "holds"
    """It changes nothing and notifies no one."""
    NOTIFIES = "notifies"
    """It changes nothing and notifies operators."""
    REQUESTS_APPROVAL = "requests approval"
    """It changes nothing until an operator decides."""
    FAILS_OVER = "fails over"

    def is_fulfilled_by(self, given: "Outcome") -> bool:
        """Return whether a given outcome is the wanted one; a notice is allowed where it is not required."""
        return given is self or (self is Outcome.HOLDS and given is Outcome.NOTIFIES)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """A part of an incident in which the observations stay the same, or alternate with healthy ones."""

    seconds: float
    """How long it is played; a stage of hours is played as `LONGEST_SECONDS`."""
    paths: Paths
    on_seconds: float | None = None
    """With `off_seconds`: the fault and healthy paths alternate."""
    off_seconds: float = 0.0
    changes: Mapping[str, object] = field(default_factory=dict)
    """Fields of the observation that no path of the simulation can produce, while the fault is on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Incident:
    """One public incident. `documented` is from the source; everything else is a reconstruction."""

    name: str
    on: date
    title: str
    cause: Cause
    source_title: str
    source_url: str
    documented: str
    """What the source says."""
    reconstructed: str
    """What was assumed to turn it into observations."""
    stages: tuple[Stage, ...]
    wanted: Outcome
    why: str
    """Why an expert wants this outcome."""
    differs: str = ""
    """Why the controller gives another outcome; empty if it does not."""

    @property
    def seconds(self) -> float:
        """Length of all stages."""
        return sum(stage.seconds for stage in self.stages)


LONGEST_SECONDS = 1200.0
"""No rule of the controller waits longer than the cooldown of 15 min, which starts with a change of roles only."""
