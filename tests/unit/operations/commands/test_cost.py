"""Cost: the counts are the program's, the prices say where they come from, and what is not known is said."""

import inspect
import json
import re
from collections import Counter
from datetime import date
from typing import Any

import pytest

from functions.failover_controller.metrics import cycle_metrics
from operations.commands.cost import UNVERIFIED, by_type, rows, totals
from operations.commands.cost_estimate import (
    CONTROLLER_GB,
    CUSTOM_METRICS,
    FREE,
    HEALTH_CHECK_GB,
    PRICED,
    PRICED_OTHERWISE,
    Estimate,
    Price,
    Usage,
    estimate,
    read_prices,
)
from operations.stack.resource_counts import COUNTS, counts
from operations.support.errors import ExitCode
from settings import load_settings
from tests.support.operations.fakes import EAST, WEST, FakeEnvironment
from tests.support.program.harness import run_program
from tests.unit.program.conftest import stack_file

CONFIGS: dict[str, dict[str, Any]] = {
    "dev": stack_file("dev"),
    "prod": stack_file("prod"),
    "elsewhere": {
        "primary": {"region": "ap-southeast-1", "instance_count": 5},
        "secondary": {"region": "ap-northeast-1"},
    },
    "serverless": {
        "primary": {"serverless": {"min_acu": 8, "max_acu": 32}, "client_cidrs": ["192.168.0.0/24"]},
        "secondary": {"serverless": {"min_acu": 8, "max_acu": 32}},
    },
    "at-home": {"primary": {"region": "eu-west-1"}, "secondary": {"region": "us-east-1"}},
}


@pytest.fixture(scope="module", params=CONFIGS)
def stack(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Any]:
    """A stack's settings, and what the program registers with them."""
    config = CONFIGS[request.param]
    run = run_program(config)
    assert run.error is None
    return config, run


def test_every_count_is_the_programs(stack: tuple[dict[str, Any], Any]) -> None:
    """Type by type and region by region: what comes or goes in the program has to be counted."""
    config, run = stack
    registered = Counter((resource.type, resource.region) for resource in run.cloud)
    assert counts(load_settings(config)) == dict(registered)


def test_the_functions_have_the_memory_that_is_billed(stack: tuple[dict[str, Any], Any]) -> None:
    """Compute is billed by memory and time."""
    _, run = stack
    memory = {r.inputs["name"]: r.inputs["memorySize"] / 1024 for r in run.of("lambda/function:Function")}
    billed = {name: gb for name, gb in memory.items() if "database-setup" not in name}
    assert set(billed.values()) == {CONTROLLER_GB, HEALTH_CHECK_GB}


def test_every_type_is_priced_or_free() -> None:
    """None is both, and none is forgotten."""
    priced = {*PRICED, *PRICED_OTHERWISE}
    assert priced | FREE == set(COUNTS)
    assert priced & FREE == set()


def test_every_metric_that_the_controller_publishes_is_counted() -> None:
    """A new one costs from the first minute."""
    published = re.findall(r'^\s*\(?"([A-Z]\w+)"[:,]', inspect.getsource(cycle_metrics), re.MULTILINE)
    assert len(published) == CUSTOM_METRICS, published


def test_every_price_has_a_date_a_source_and_a_mark() -> None:
    """And what is from memory is marked so, and only that."""
    prices, hours = read_prices()
    assert hours == 730
    for price in prices.values():
        assert price.price > 0
        assert date.fromisoformat(price.date) >= date(2026, 1, 1)
        assert price.verified == (price.source != "from memory, unverified")


def found(config: dict[str, Any] | None = None, usage: Usage | None = None) -> Estimate:
    """Return the estimate of a stack."""
    return estimate(load_settings(config or {}), usage or Usage(), *read_prices())


def amount(of: Estimate, what: str, where: str) -> float:
    """Return one line's amount."""
    (line,) = [line for line in of.lines if (line.what, line.where) == (what, where)]
    assert line.usd is not None
    return line.usd


def test_instances_are_billed_by_the_hour() -> None:
    """Count times hours times price."""
    assert amount(found(), "aurora-mysql instance db.r6g.large", EAST) == pytest.approx(2 * 730 * 0.26)
    three = found({"primary": {"instance_count": 3}})
    assert amount(three, "aurora-mysql instance db.r6g.large", EAST) == pytest.approx(3 * 730 * 0.26)


def test_serverless_is_billed_by_its_least_capacity_at_least() -> None:
    """Count times minimum times hours; what it scales up to comes on top."""
    region = {"serverless": {"min_acu": 8, "max_acu": 32}}
    of = found({"primary": region, "secondary": region})
    assert amount(of, "aurora-mysql serverless v2 at its least", EAST) == pytest.approx(2 * 8 * 730 * 0.12)


def test_the_controller_runs_all_the_time() -> None:
    """A faster cycle asks more, but runs no longer."""
    slow, fast = found(), found({"failover": {"interval_seconds": 5}})
    always = 730 * 3600 * CONTROLLER_GB
    (line,) = [line for line in slow.lines if (line.what, line.where) == ("Lambda compute on arm64", EAST)]
    assert line.quantity == pytest.approx(always + 2 * 262_800 * 0.2 * HEALTH_CHECK_GB)
    assert amount(fast, "DynamoDB write", EAST) == pytest.approx(2 * amount(slow, "DynamoDB write", EAST))


def test_usage_goes_where_it_happens() -> None:
    """Storage in both regions; the writer's I/O at home, replicated writes away; the transfer from home."""
    usage = Usage(storage_gb=1000, io_millions=500, replicated_write_millions=50, replicated_gb=70)
    of = found(usage=usage)
    assert amount(of, "aurora storage", EAST) == pytest.approx(100)
    assert amount(of, "aurora I/O", EAST) == pytest.approx(100)
    assert amount(of, "aurora I/O", WEST) == pytest.approx(50 * 0.22)
    assert amount(of, "data transfer to the other region", EAST) == pytest.approx(1.4)
    assert [line.where for line in of.lines if line.what == "aurora replicated write I/O"] == [EAST]


def test_what_has_no_price_is_said_and_not_taken_for_nothing() -> None:
    """A region that nobody has priced, or a new class."""
    of = found({"secondary": {"region": "eu-north-1", "instance_class": "db.r8g.large"}})
    missing = [f"{line.what} in {line.where}" for line in of.unpriced]
    assert "aurora-mysql instance db.r8g.large in eu-north-1" in missing
    assert any("NOT in the sum" in line and "db.r8g.large" in line for line in totals(of))
    assert ("?", "not in the price data") in [row[4:] for row in rows(of)]


def test_unverified_prices_are_marked_and_summed() -> None:
    """In each row, in the sum, and by type."""
    of = found()
    marked = [row for row in rows(of) if UNVERIFIED in row[5]]
    assert {row[0] for row in marked} >= {"health check", "aurora replicated write I/O"}
    assert of.unverified_usd == pytest.approx(
        sum(line.usd or 0 for line in of.lines if line.price is not None and not line.price.verified)
    )
    assert 0 < of.unverified_usd < of.usd
    assert dict((what, verified) for what, _, verified in by_type(of))["KMS key"] is True


def test_types_are_ranked_and_sum_up() -> None:
    """The dearest first."""
    ranked = by_type(found())
    assert ranked[0][0] == "aurora-mysql instance db.r6g.large"
    assert sum(usd for _, usd, _ in ranked) == pytest.approx(found().usd)


def test_a_price_shows_all_of_its_digits() -> None:
    """Lambda's is tiny."""
    text = [row[3] for row in rows(found()) if row[0] == "Lambda compute on arm64"]
    assert set(text) == {"0.0000133334"}


# --- The command ------------------------------------------------------------------------------------------------------


def test_the_command_shows_lines_sum_and_assumptions(environment: FakeEnvironment) -> None:
    """Nothing is asked of AWS or of Pulumi."""
    result = environment.run("cost", "--storage-gb", "500")
    assert result.exit_code == ExitCode.DONE
    for text in ("Together", "by use (*)", "unverified", "storage gb 500", "Not counted: taxes", "db.r6g.large"):
        assert text in result.stdout
    assert (environment.calls, environment.loaded) == ([], [])


def test_the_same_for_machines(environment: FakeEnvironment) -> None:
    """Numbers, prices with their sources, and the assumptions."""
    shown = json.loads(environment.run("cost", "--stack", "prod", "--json").stdout)
    of = estimate(load_settings(stack_file("prod")), Usage(), *read_prices())
    assert shown["usd_a_month"] == pytest.approx(of.usd, abs=0.01)
    assert sum(line["usd_a_month"] for line in shown["lines"]) == pytest.approx(of.usd, abs=0.2)
    assert shown["assumptions"]["storage_gb"] == 100
    assert all(Price(**line["price"]).source for line in shown["lines"])


@pytest.mark.parametrize("options", [("--stack", "nowhere"), ("--storage-gb", "-1")])
def test_what_can_not_be_estimated_is_a_usage_error(environment: FakeEnvironment, options: tuple[str, ...]) -> None:
    """A stack without settings, a usage that can't be."""
    assert environment.run("cost", *options).exit_code == ExitCode.USAGE
