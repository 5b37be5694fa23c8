"""On-demand prices from the AWS Price List API.

A product has no price if it is not found exactly once or its document has an unknown form. Prices are never guessed.
Source: GetProducts, AWS Price List API Reference.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operations.aws.read_ports import ReadOnlyApi

PRICING_REGION = "us-east-1"
"""A region that has an endpoint of the Price List API; it knows the prices of all regions."""


@dataclass(frozen=True)
class ProductQuery:
    """Filters that find one product."""

    service_code: str
    usage_type: str
    """Regular expression: most usage types have a prefix for each region, such as `EU-`."""
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Price:
    """The price of one unit, in the unit's name of the Price List API."""

    usd: float
    unit: str
    description: str


class NoPriceError(Exception):
    """The Price List API does not give exactly one price for a product."""


def read_price(api: ReadOnlyApi, query: ProductQuery) -> Price:
    """Return the on-demand price of a product.

    Raises:
        NoPriceError: the filters find no product or several, or the document has an unknown form.
        AwsError: the Price List API did not respond or denied access.
    """
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in query.attributes.items()]
    documents = api.read_all(
        "pricing", "get_products", "PriceList", ServiceCode=query.service_code, Filters=filters, FormatVersion="aws_v1"
    )
    try:
        return parse_price(documents, query.usage_type)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoPriceError(f"unknown form of the price document: {error!r}") from error


def parse_price(documents: Sequence[str], usage_type: str) -> Price:
    """Return the first price that is not zero: lower tiers are free tiers, higher tiers are discounts.

    Raises:
        NoPriceError: see `read_price`.
        ValueError, KeyError, TypeError, AttributeError: the document has an unknown form.
    """
    products = [json.loads(document) for document in documents]
    products = [each for each in products if re.search(usage_type, each["product"]["attributes"]["usagetype"])]
    if len(products) != 1:
        raise NoPriceError(f"expected one product, found {len(products)}")
    terms = list(products[0]["terms"]["OnDemand"].values())
    if len(terms) != 1:
        raise NoPriceError(f"expected one on-demand term, found {len(terms)}")
    for tier in sorted(terms[0]["priceDimensions"].values(), key=lambda each: float(each["beginRange"])):
        if usd := float(tier["pricePerUnit"]["USD"]):
            return Price(usd=usd, unit=tier["unit"], description=tier["description"])
    raise NoPriceError("no tier has a price in USD")
