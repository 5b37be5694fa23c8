"""Reading values from a stack's outputs; all missing values are reported in one error."""

from collections.abc import Mapping

from operations.support.errors import UsageProblemError

CONFIGURED_REGIONS = ("secondary", "primary")
"""The keys of the two regions in the outputs, the secondary region first."""


class OutputsReader:
    """Reads values from the outputs and collects the names of missing ones."""

    def __init__(self, outputs: object) -> None:
        self.outputs: Mapping[object, object] = outputs if isinstance(outputs, Mapping) else {}
        self._problems: list[str] = []

    def region(self, name: str) -> Mapping[object, object]:
        """Return the outputs of a region; empty if there are none."""
        regions = self.outputs.get("regions")
        values = regions.get(name) if isinstance(regions, Mapping) else None
        return values if isinstance(values, Mapping) else {}

    def text(self, name: str) -> str:
        """Return a text output of the stack."""
        return self._text(self.outputs, name, name)

    def region_text(self, region: str, name: str) -> str:
        """Return a text output of a region."""
        return self._text(self.region(region), name, f"regions.{region}.{name}")

    def add_missing(self, name: str) -> None:
        """Record that an output is missing or malformed."""
        self._problems.append(name)

    def finish(self) -> None:
        """Check that no output was missing.

        Raises:
            UsageProblemError: outputs are missing or malformed; the message names all of them.
        """
        if self._problems:
            raise UsageProblemError(
                f"these outputs are missing or malformed: {', '.join(self._problems)}",
                hint="Use the outputs of a deployed stack of this program: `pulumi stack output --json`.",
            )

    def _text(self, values: Mapping[object, object], name: str, where: str) -> str:
        value = values.get(name)
        if isinstance(value, str) and value:
            return value
        self.add_missing(where)
        return ""
