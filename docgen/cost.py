"""docs/cost.md: what the stacks of this repository cost a month, from their settings and the price data.

Owns: the page around the numbers. Does not own: the estimate (`operations/commands/cost_estimate.py`) or the prices. Invariant: every
amount stands beside the date and the source of its price.
"""

from docgen.markdown import table
from operations.commands.cost import HEADINGS, assumptions, by_type, rows, totals, unit_price
from operations.commands.cost_estimate import Estimate, Usage, estimate, read_prices
from operations.stack.settings import read_settings

STACKS = ("dev", "prod")
HEAD = """\
# Cost

Made from the stacks' settings and the price data by `python -m docgen` (`make docs`); do not edit.

`python -m operations cost --stack dev` prints the same for any stack, with your own assumptions: see its `--help`.
The quantities come from the settings; a test compares the count of every type with what the program registers.
The prices are list prices in `operations/commands/prices.json`, each with its date and its source.
What is marked *unverified* was written down from memory: look it up before you rely on it.
The others were read in the source that stands beside them, which is not always a page of AWS.
Nothing but the database instances is billed by the hour: no NAT gateway, no interface endpoint, no load balancer.
"""


def cost_page() -> str:
    """Return the page."""
    prices, hours = read_prices()
    found = {stack: estimate(read_settings(stack), Usage(), prices, hours) for stack in STACKS}
    parts = [HEAD, "\n## By type\n\n", _types(found)]
    for stack, each in found.items():
        parts += [f"\n## The stack `{stack}`\n\n", table(list(HEADINGS), [list(row) for row in rows(each)]), "\n"]
        parts += [f"{line}\n" for line in totals(each)]
    parts += ["\n## Assumptions\n\n", *(f"{line}\n" for line in assumptions(Usage()))]
    parts += ["\n## Prices\n\n", _prices()]
    return "".join(parts)


def _types(found: dict[str, Estimate]) -> str:
    amounts = {stack: {what: (usd, verified) for what, usd, verified in by_type(each)} for stack, each in found.items()}
    names = dict.fromkeys(what for each in found.values() for what, *_ in by_type(each))
    lines = [[what, *(_amount(amounts[stack].get(what)) for stack in STACKS)] for what in names]
    return table(["USD a month, both regions", *(f"`{stack}`" for stack in STACKS)], lines)


def _amount(found: tuple[float, bool] | None) -> str:
    if found is None:
        return ""
    usd, verified = found
    return f"{usd:,.2f}" if verified else f"{usd:,.2f} (unverified)"


def _prices() -> str:
    prices, _ = read_prices()
    lines = [
        [price.what, price.region, f"{unit_price(price)} a {price.unit}", price.date, price.source]
        for price in prices.values()
    ]
    return table(["what", "region", "USD", "as of", "source"], lines)
