"""One reading of a stack's outputs: every text that a command needs, and all that is missing at once.

Owns the wording of what is missing. Does not own what is read (`deployment.py`, `resources.py`) or where outputs come from
(`deployment.py`).
"""

from collections.abc import Mapping

from operations.support.errors import UsageProblemError

CONFIGURED_REGIONS = ("secondary", "primary")
"""The names of the two regions in the outputs; the standby of day one comes first."""


class OutputsReader:
    """Reads values out of the outputs, and remembers which are not there."""

    def __init__(self, outputs: object) -> None:
        self.outputs: Mapping[object, object] = outputs if isinstance(outputs, Mapping) else {}
        self._problems: list[str] = []

    def region(self, name: str) -> Mapping[object, object]:
        """Return the outputs of a configured region; empty when there are none."""
        regions = self.outputs.get("regions")
        values = regions.get(name) if isinstance(regions, Mapping) else None
        return values if isinstance(values, Mapping) else {}

    def text(self, name: str) -> str:
        """Return a text of the stack's."""
        return self._text(self.outputs, name, name)

    def region_text(self, region: str, name: str) -> str:
        """Return a text of a configured region's."""
        return self._text(self.region(region), name, f"regions.{region}.{name}")

    def miss(self, name: str) -> None:
        """Remember that an output is missing or malformed."""
        self._problems.append(name)

    def finish(self) -> None:
        """End the reading.

        Raises:
            UsageProblemError: naming every output that is missing or malformed.
        """
        if self._problems:
            raise UsageProblemError(
                f"these outputs are missing or malformed: {', '.join(self._problems)}",
                hint="Give the outputs of a stack of this program that is up: `pulumi stack output --json`.",
            )

    def _text(self, values: Mapping[object, object], name: str, where: str) -> str:
        value = values.get(name)
        if isinstance(value, str) and value:
            return value
        self.miss(where)
        return ""
