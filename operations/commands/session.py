"""Everything that one run of a command has, and how it writes.

Owns the one way to write: bounded in time, and looked at when the answer is unclear. Invariant: a write is never
repeated here; whoever gets an error knows whether something was changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from operations.aws.move_ports import Moves
from operations.aws.ports import Connect, Item, RegionApi, TableWrite
from operations.aws.read_ports import ReadApiFactory
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.deadlines import call_with_deadline
from operations.support.errors import AwsError, OperationError, VersionConflictError
from operations.support.screen import Screen


@dataclass(frozen=True, kw_only=True)
class Session:
    """Everything that one run of a command has."""

    deployment: StackDeployment
    outputs: object
    """The stack's outputs as they were loaded, for what `deployment` does not hold (`resources.py`)."""
    connect: Connect
    read_api_for: ReadApiFactory
    screen: Screen
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    sleep: Callable[[float], None]
    """Waits so many seconds."""
    confirm: Callable[[str], None]
    """Return when the person confirms; raises OperationRefusedError when not, or when there is nobody to ask."""
    command_line: str
    """What was typed, for a person to run again."""
    moves: Moves
    stopwatch: Callable[[], float]
    """Seconds that only go forward."""


def write(api: RegionApi, change: TableWrite, region: DeployedRegion, tell_of: Callable[[Item | None], str]) -> None:
    """Write the change; `tell_of` says in words what somebody else wrote instead.

    Raises:
        VersionConflictError: somebody else wrote first, and nothing of ours was written.
        AwsError: it was not written, or it is not known; the text says which.
    """
    try:
        call_with_deadline(partial(api.write, change))
    except VersionConflictError as error:
        try:
            theirs = tell_of(_again(api, change))
        except OperationError as failure:
            theirs = f"what is there now can't be read: {failure.message}"
        raise VersionConflictError(
            f"somebody else wrote first in {region.name}: {theirs}",
            hint="Theirs stands, and nothing of yours was written. Look at `status`, and decide anew.",
        ) from error
    except AwsError as error:
        _settle(api, change, region, error)


def _settle(api: RegionApi, change: TableWrite, region: DeployedRegion, error: AwsError) -> None:
    """Return when the write took effect after all."""
    try:
        found = _again(api, change)
    except OperationError:
        raise AwsError(
            f"{error.message}. In {region.name} it may or may not have been written",
            hint="Look at `status`, then run the command again: it does no harm twice.",
        ) from error
    if found is None or found.get("change_id") != change.attributes.get("change_id"):
        raise AwsError(f"{error.message}. In {region.name} nothing was changed so far", hint=error.hint) from error


def _again(api: RegionApi, change: TableWrite) -> Item | None:
    return call_with_deadline(partial(api.read_items, [change.key]))[change.key]
