"""An estimate as people and machines read it: the command `cost`, and the words that docs/cost.md shares with it.

Owns the view. Does not own any amount (`cost.py`). Invariant: a price that was not verified, and a line without a price,
are marked wherever an amount is shown.
"""

from collections.abc import Sequence
from dataclasses import asdict

from operations.commands.cost_estimate import NOT_COUNTED, Estimate, Line, Price, Usage, estimate, read_prices
from operations.stack.settings import read_settings
from operations.support.errors import ExitCode
from operations.support.screen import Screen

HEADINGS = ("What", "Where", "Quantity", "Unit price", "USD a month", "Price as of")
UNVERIFIED = "unverified"


def cost(screen: Screen, stack: str, usage: Usage) -> ExitCode:
    """Show what a stack costs a month.

    Raises:
        UsageProblemError: the stack's settings can't be used.
    """
    found = estimate(read_settings(stack), usage, *read_prices())
    screen.table(f"Stack {stack}, list prices in USD a month", HEADINGS, rows(found))
    screen.result(cost_json(stack, found), [*totals(found), *assumptions(found.usage)])
    return ExitCode.DONE


def rows(found: Estimate) -> list[tuple[str, str, str, str, str, str]]:
    """Return the lines of the table, in the order of the estimate, without those of which there is nothing."""
    return [_row(line) for line in found.lines if line.quantity]


def _row(line: Line) -> tuple[str, str, str, str, str, str]:
    quantity = f"{line.quantity:,.6g} {line.unit}{' *' if line.by_use else ''}"
    if line.price is None or line.usd is None:
        return line.what, line.where, quantity, "no price", "?", "not in the price data"
    mark = "" if line.price.verified else f", {UNVERIFIED}"
    return line.what, line.where, quantity, unit_price(line.price), f"{line.usd:,.2f}", f"{line.price.date}{mark}"


def unit_price(price: Price) -> str:
    """Return a price with all of its digits, however small."""
    return f"{price.price:.10f}".rstrip("0").rstrip(".")


def totals(found: Estimate) -> list[str]:
    """Return the sums in words."""
    fixed = sum(line.usd or 0.0 for line in found.lines if not line.by_use)
    text = [
        f"Together {found.usd:,.2f} USD a month: {fixed:,.2f} by being there, {found.usd - fixed:,.2f} by use (*).",
        f"{found.unverified_usd:,.2f} of it rests on prices from memory, unverified: look them up before you rely on them.",
    ]
    if found.unpriced:
        names = ", ".join(f"{line.what} in {line.where}" for line in found.unpriced)
        text.append(f"NOT in the sum, for want of a price: {names}. Add it to operations/commands/prices.json.")
    return text


def assumptions(usage: Usage) -> list[str]:
    """Return what the lines by use rest on, and what is not counted."""
    values = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in asdict(usage).items())
    return [f"Assumed a month: {values}.", f"Not counted: {'; '.join(NOT_COUNTED)}."]


def cost_json(stack: str, found: Estimate) -> dict[str, object]:
    """Return the estimate for machines."""
    return {
        "stack": stack,
        "currency": "USD",
        "usd_a_month": round(found.usd, 2),
        "unverified_usd_a_month": round(found.unverified_usd, 2),
        "unpriced": [f"{line.what} in {line.where}" for line in found.unpriced],
        "assumptions": asdict(found.usage),
        "not_counted": list(NOT_COUNTED),
        "lines": [_line_json(line) for line in found.lines if line.quantity],
    }


def _line_json(line: Line) -> dict[str, object]:
    return {
        "what": line.what,
        "where": line.where,
        "quantity": line.quantity,
        "unit": line.unit,
        "by_use": line.by_use,
        "price": None if line.price is None else asdict(line.price),
        "usd_a_month": None if line.usd is None else round(line.usd, 2),
    }


def by_type(found: Estimate) -> Sequence[tuple[str, float, bool]]:
    """Return (what, USD a month in both regions, whether all of its prices are verified), the dearest first."""
    sums: dict[str, tuple[float, bool]] = {}
    for line in found.lines:
        amount, verified = sums.get(line.what, (0.0, True))
        is_verified = line.price is not None and line.price.verified
        sums[line.what] = (amount + (line.usd or 0.0), verified and is_verified)
    ranked = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    return [(what, amount, verified) for what, (amount, verified) in ranked if amount]
