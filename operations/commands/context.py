"""The context of one command run, and the one way to write to a region's table."""

import re
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

_COMMAND = re.compile(r"python -m operations [a-z]+")


@dataclass(frozen=True, kw_only=True)
class CommandContext:
    """Stack, AWS clients, terminal and clock of one command run."""

    deployment: StackDeployment
    outputs: object
    """The stack's outputs as loaded, for `operations.stack.resources`."""
    connect: Connect
    read_api_for: ReadApiFactory
    move_api: Moves
    screen: Screen
    now: Callable[[], datetime]
    stopwatch: Callable[[], float]
    """Monotonic clock, in seconds."""
    sleep: Callable[[float], None]
    new_id: Callable[[], str]
    confirm: Callable[[str], None]
    """Ask for confirmation. Raises OperationRefusedError when it is not given or no one can be asked."""
    command_line: str
    """The command as typed, for hints."""
    stack_options: str = ""
    """`--stack NAME` or `--outputs FILE` as typed, quoted for a shell; empty without them."""

    def with_stack_options(self, text: str) -> str:
        """Return a text whose commands select the same stack as this one."""
        return _COMMAND.sub(lambda command: f"{command[0]} {self.stack_options}", text) if self.stack_options else text


def write(
    api: RegionApi, change: TableWrite, region: DeployedRegion, describe_item: Callable[[Item | None], str]
) -> None:
    """Write the change once; if the outcome is unclear, read the item to learn it.

    `describe_item` describes the item that another writer left.

    Raises:
        VersionConflictError: another writer was faster; nothing was written.
        AwsError: nothing was written, or the outcome is unknown; the message says which.
    """
    try:
        call_with_deadline(partial(api.write, change))
    except VersionConflictError as error:
        try:
            current = describe_item(_read(api, change))
        except OperationError as failure:
            current = f"the current item can't be read: {failure.message}"
        raise VersionConflictError(
            f"another writer changed the item first in {region.name}: {current}",
            hint="That change stands, and yours was not written. Check `status` and decide again.",
        ) from error
    except AwsError as error:
        _check_written(api, change, region, error)


def _check_written(api: RegionApi, change: TableWrite, region: DeployedRegion, error: AwsError) -> None:
    """Return if an unacknowledged write took effect; else raise."""
    try:
        found = _read(api, change)
    except OperationError:
        raise AwsError(
            f"{error.message}. The change in {region.name} may or may not have been written",
            hint="Check `status`, then run the command again: repeating it is safe.",
        ) from error
    if found is None or found.get("change_id") != change.attributes.get("change_id"):
        raise AwsError(f"{error.message}. No changes were made in {region.name} so far", hint=error.hint) from error


def _read(api: RegionApi, change: TableWrite) -> Item | None:
    return call_with_deadline(partial(api.read_items, [change.key]))[change.key]
