"""docs/cost.md: the quantities that the stacks of this repository are billed for."""

from docgen.markdown import table
from operations.commands.cost import HOW_TO_GET_PRICES, assumptions, quantity_text
from operations.commands.cost_estimate import Usage, cost_items
from operations.stack.settings import read_settings

STACKS = ("dev", "prod")
HEAD = f"""\
# Cost

Made from the stacks' settings by `python -m docgen` (`make docs`); do not edit.

`python -m operations cost --stack dev` prints the quantities of a stack with their current list prices and the total.
It reads the prices from the AWS Price List API. {HOW_TO_GET_PRICES}
Without them it prints the quantities and the reason. An item that the price list does not contain exactly once has no price.
The price of an item is its first tier that is not free. The options of the command change the assumptions: see its `--help`.

Nothing but the database instances is billed by the hour: no NAT gateway, no interface endpoint, no load balancer.
"""


def cost_page() -> str:
    """Return the Markdown of the generated page."""
    parts = [HEAD]
    for stack in STACKS:
        settings = read_settings(stack)
        regions = [settings.primary.region, settings.secondary.region]
        rows: dict[str, dict[str, str]] = {}
        for item in cost_items(settings, Usage()):
            rows.setdefault(item.name, {})[item.region] = quantity_text(item)
        lines = [[name, *(found.get(region, "") for region in regions)] for name, found in rows.items()]
        parts += [f"\n## Quantities of the stack `{stack}` in a month\n\n", table(["What", *regions], lines)]
    parts += ["\n## Assumptions\n\nA `*` marks a quantity that rests on these assumptions.\n\n"]
    return "".join([*parts, *(f"{line}\n" for line in assumptions(Usage()))])
