"""The command `cost`: estimate the monthly cost of a stack at the list prices of the AWS Price List API."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from operations.aws.price_list import PRICING_REGION, NoPriceError, Price, read_price
from operations.aws.read_ports import ReadApiFactory, ReadOnlyApi
from operations.commands.cost_estimate import NOT_COUNTED, CostItem, Usage, cost_items
from operations.stack.settings import read_settings
from operations.support.errors import AwsError, ExitCode
from operations.support.screen import Screen

HEADINGS = ("What", "Region", "Quantity", "USD a unit", "USD a month")
HOW_TO_GET_PRICES = "Prices need AWS credentials that allow pricing:GetProducts, and access to us-east-1."


@dataclass(frozen=True, kw_only=True)
class PricedItem:
    """A quantity and its price; without a price, the reason."""

    item: CostItem
    price: Price | None = None
    reason: str = ""
    is_failed: bool = False
    """Whether the price list could not be read."""

    @property
    def usd(self) -> float | None:
        """The amount a month."""
        return None if self.price is None else self.item.quantity * self.price.usd


def cost(screen: Screen, read_api_for: ReadApiFactory, stack: str, usage: Usage) -> ExitCode:
    """Show what a stack costs a month. The exit code is 4 if no price could be read, 5 if only some could.

    Raises:
        UsageProblemError: the stack's settings cannot be used.
    """
    items = cost_items(read_settings(stack), usage)
    with screen.progress("Reading prices", len(items)) as advance:
        priced = list(_priced(read_api_for(PRICING_REGION), items, advance))
    screen.table(f"Stack {stack}, on-demand list prices", HEADINGS, [_row(each) for each in priced])
    screen.result(_to_json(stack, usage, priced), [*_totals(priced), *assumptions(usage)])
    if not any(each.is_failed for each in priced):
        return ExitCode.DONE
    return ExitCode.PARTLY if any(each.price for each in priced) else ExitCode.AWS


def _priced(api: ReadOnlyApi, items: Iterable[CostItem], advance: Callable[[], None]) -> Iterator[PricedItem]:
    failure = ""
    for item in items:
        if item.query is None:
            yield PricedItem(item=item, reason="its product in the price list is not known")
        elif failure:
            yield PricedItem(item=item, reason=failure, is_failed=True)
        else:
            try:
                yield PricedItem(item=item, price=read_price(api, item.query))
            except NoPriceError as error:
                yield PricedItem(item=item, reason=str(error))
            except AwsError as error:
                # No credentials, no permission or no network: further calls would fail too, each after its timeout.
                failure = f"{error.message}. {error.hint}".rstrip(".")
                yield PricedItem(item=item, reason=failure, is_failed=True)
        advance()


def quantity_text(item: CostItem) -> str:
    """Return a quantity with its unit; `*` marks an assumption."""
    return f"{item.quantity:,.12g} {item.unit}{' *' if item.by_usage else ''}"


def _row(priced: PricedItem) -> tuple[str, str, str, str, str]:
    item = priced.item
    if priced.price is None or priced.usd is None:
        return item.name, item.region, quantity_text(item), "", "no price"
    unit_price = f"{priced.price.usd:.10f}".rstrip("0").rstrip(".")
    return item.name, item.region, quantity_text(item), f"{unit_price} / {priced.price.unit}", f"{priced.usd:,.2f}"


def _totals(priced: Sequence[PricedItem]) -> list[str]:
    total = sum(each.usd or 0 for each in priced)
    fixed = sum(each.usd or 0 for each in priced if not each.item.by_usage)
    missing: dict[str, list[str]] = {}
    for each in priced:
        if each.price is None:
            missing.setdefault(each.reason, []).append(f"{each.item.name} in {each.item.region}")
    lines = [f"Not in the total: {', '.join(names)} ({reason})." for reason, names in missing.items()]
    if all(each.price is None for each in priced):
        reasons = dict.fromkeys(each.reason for each in priced if each.is_failed) or missing
        return [f"No price could be read: {'; '.join(reasons)}. {HOW_TO_GET_PRICES}"]
    return [f"Total {total:,.2f} USD a month: {fixed:,.2f} fixed, {total - fixed:,.2f} by usage (*).", *lines]


def assumptions(usage: Usage) -> list[str]:
    """Return the assumptions behind the quantities, and what is not counted."""
    values = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in asdict(usage).items())
    return [f"Assumed a month: {values}.", f"Not counted: {'; '.join(NOT_COUNTED)}."]


def _to_json(stack: str, usage: Usage, priced: Sequence[PricedItem]) -> dict[str, object]:
    amounts = [each.usd for each in priced if each.usd is not None]
    return {
        "stack": stack,
        "currency": "USD",
        "usd_a_month": round(sum(amounts), 2) if amounts else None,
        "unpriced": [f"{each.item.name} in {each.item.region}" for each in priced if each.price is None],
        "assumptions": asdict(usage),
        "not_counted": list(NOT_COUNTED),
        "items": [
            {
                "name": each.item.name,
                "region": each.item.region,
                "quantity": each.item.quantity,
                "unit": each.item.unit,
                "by_usage": each.item.by_usage,
                "price": None if each.price is None else asdict(each.price),
                "reason": each.reason or None,
                "usd_a_month": None if each.usd is None else round(each.usd, 2),
            }
            for each in priced
        ],
    }
