"""Cost: quantities follow the program and the settings, prices come from the price list or are reported as missing."""

import inspect
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from functions.failover_controller.metrics import cycle_metrics
from operations.aws.price_list import NoPriceError, Price, ProductQuery, parse_price, read_price
from operations.commands.cost_estimate import (
    CONTROLLER_GB,
    CUSTOM_METRICS,
    FIXED_PRICE_TYPES,
    HEALTH_CHECK_GB,
    CostItem,
    Usage,
    cost_items,
)
from operations.support.errors import AwsError, ExitCode
from settings import load_settings
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, WEST, FakeEnvironment
from tests.support.program.harness import run_program, stack_file

pytestmark = pytest.mark.slow

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
    "reversed": {"primary": {"region": "eu-west-1"}, "secondary": {"region": "us-east-1"}},
}


FREE_TYPES = {
    "aws:cloudwatch": "eventRule:EventRule eventTarget:EventTarget",
    "aws:ec2": "defaultNetworkAcl:DefaultNetworkAcl defaultSecurityGroup:DefaultSecurityGroup "
    "peeringConnectionOptions:PeeringConnectionOptions route:Route routeTable:RouteTable "
    "routeTableAssociation:RouteTableAssociation securityGroup:SecurityGroup subnet:Subnet vpc:Vpc "
    "vpcPeeringConnection:VpcPeeringConnection vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
    "aws:iam": "policy:Policy role:Role rolePolicy:RolePolicy rolePolicyAttachment:RolePolicyAttachment",
    "aws:kms": "alias:Alias",
    "aws:lambda": "functionEventInvokeConfig:FunctionEventInvokeConfig invocation:Invocation permission:Permission",
    "aws:rds": "clusterParameterGroup:ClusterParameterGroup globalCluster:GlobalCluster parameterGroup:ParameterGroup "
    "subnetGroup:SubnetGroup",
    "aws:route53": "record:Record zoneAssociation:ZoneAssociation",
    "aws:scheduler": "schedule:Schedule",
    "aws:secretsmanager": "secretVersion:SecretVersion",
    "aws:sns": "topic:Topic topicPolicy:TopicPolicy topicSubscription:TopicSubscription",
    "aws:sqs": "queue:Queue",
    "aws:vpc": "securityGroupEgressRule:SecurityGroupEgressRule securityGroupIngressRule:SecurityGroupIngressRule",
}
"""Types without a monthly price."""
PRICED_BY_USAGE = {
    "aws:rds/clusterInstance:ClusterInstance": "Aurora instance db.r6g.large",
    "aws:rds/cluster:Cluster": "Aurora storage",
    "aws:lambda/function:Function": "Lambda requests",
    "aws:dynamodb/table:Table": "DynamoDB writes",
    "aws:cloudwatch/logGroup:LogGroup": "log ingestion",
    "aws:ec2/flowLog:FlowLog": "flow log ingestion",
}
"""Map from a type billed by the hour or by usage to one of its items."""


@pytest.fixture(scope="module", params=CONFIGS)
def stack(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Any]:
    """A stack's settings, and the program's run with them."""
    config = CONFIGS[request.param]
    run = run_program(config)
    assert run.error is None
    return config, run


def test_counts_equal_the_registered_resources(stack: tuple[dict[str, Any], Any]) -> None:
    """The numbers are by type and region; a resource that the program adds or removes must be counted."""
    config, run = stack
    registered = Counter((resource.type, resource.region) for resource in run.cloud)
    settings = load_settings(config)
    regions = (settings.primary.region, settings.secondary.region)
    expected = {kind: tuple(registered[kind, region] for region in regions) for kind in FIXED_PRICE_TYPES}
    # AWS bills the replica of the one secret, too.
    expected["aws:secretsmanager/secret:Secret"] = (1, 1)
    assert expected == {
        kind: tuple(number(region, region == regions[0]) for region in regions)
        for kind, (_, number) in FIXED_PRICE_TYPES.items()
    }


def test_billed_memory_equals_the_functions_memory(stack: tuple[dict[str, Any], Any]) -> None:
    """Lambda bills memory times duration."""
    _, run = stack
    memory = {r.inputs["name"]: r.inputs["memorySize"] / 1024 for r in run.of("lambda/function:Function")}
    billed = {name: gb for name, gb in memory.items() if "database-setup" not in name}
    assert set(billed.values()) == {CONTROLLER_GB, HEALTH_CHECK_GB}


def test_every_resource_type_is_priced_or_free(stack: tuple[dict[str, Any], Any]) -> None:
    """A new resource type must be added to one of the two lists."""
    _, run = stack
    free = {f"{module}/{name}" for module, names in FREE_TYPES.items() for name in names.split()}
    priced = {*FIXED_PRICE_TYPES, *PRICED_BY_USAGE}
    assert {resource.type for resource in run.cloud} <= priced | free
    assert priced & free == set()
    assert {*(name for name, _ in FIXED_PRICE_TYPES.values()), *PRICED_BY_USAGE.values()} <= {
        item.name for item in items({"logs": {"flow_logs": True}})
    }


def test_every_metric_of_the_controller_is_counted() -> None:
    """Each custom metric is billed."""
    published = re.findall(r'^\s*\(?"([A-Z]\w+)"[:,]', inspect.getsource(cycle_metrics), re.MULTILINE)
    assert len(published) == CUSTOM_METRICS, published


def items(config: dict[str, Any] | None = None, usage: Usage | None = None) -> list[CostItem]:
    """Return the billed items of a stack."""
    return cost_items(load_settings(config or {}), usage or Usage())


def quantity(of: list[CostItem], name: str, region: str) -> float:
    """Return the quantity of one item."""
    (item,) = [item for item in of if (item.name, item.region) == (name, region)]
    return item.quantity


def test_instances_are_billed_by_the_hour() -> None:
    """The quantity is the number of instances times the hours of a month."""
    assert quantity(items(), "Aurora instance db.r6g.large", EAST) == 2 * 730
    three = items({"primary": {"instance_count": 3}})
    assert quantity(three, "Aurora instance db.r6g.large", EAST) == 3 * 730


def test_serverless_is_billed_by_its_minimum_capacity() -> None:
    """The quantity is the minimum capacity; scaling up costs more."""
    region = {"serverless": {"min_acu": 8, "max_acu": 32}}
    of = items({"primary": region, "secondary": region})
    assert quantity(of, "Aurora serverless v2 (minimum capacity)", EAST) == 2 * 8 * 730


def test_io_optimized_storage_has_its_own_products_and_no_charge_for_io() -> None:
    """`database.storage_type` selects the products."""
    of = items({"database": {"storage_type": "aurora-iopt1"}})
    names = {item.name for item in of}
    assert names >= {"Aurora instance, I/O-Optimized db.r6g.large", "Aurora storage, I/O-Optimized"}
    assert not {"Aurora storage", "Aurora I/O"} & names


def test_shorter_interval_adds_requests_but_no_controller_time() -> None:
    """A controller runs continuously at each interval."""
    slow, fast = items(), items({"failover": {"interval_seconds": 5}})
    always = 730 * 3600 * CONTROLLER_GB
    assert quantity(slow, "Lambda compute on arm64", EAST) == pytest.approx(
        always + 2 * 262_800 * 0.2 * HEALTH_CHECK_GB
    )
    assert quantity(fast, "DynamoDB writes", EAST) == 2 * quantity(slow, "DynamoDB writes", EAST)


def test_usage_is_billed_in_the_region_where_it_happens() -> None:
    """Storage is billed in both regions, the writer's I/O and transfer in the primary region, replicated writes in the secondary."""
    usage = Usage(storage_gb=1000, io_millions=500, replicated_write_millions=50, replicated_gb=70)
    of = items(usage=usage)
    assert [quantity(of, "Aurora storage", region) for region in (EAST, WEST)] == [1000, 1000]
    assert [quantity(of, "Aurora I/O", region) for region in (EAST, WEST)] == [500e6, 50e6]
    assert quantity(of, "data transfer to the other region", EAST) == 70
    assert [item.region for item in of if item.name == "Aurora replicated write I/O"] == [EAST]


def test_queries_name_the_region_except_for_global_products() -> None:
    """A price of another region must not be used."""
    codes = {(item.name, (item.query.attributes if item.query else {}).get("regionCode")) for item in items()}
    assert {("Aurora instance db.r6g.large", EAST), ("Aurora instance db.r6g.large", WEST)} <= codes
    assert {name for name, code in codes if code is None} == {
        "dashboard",
        "hosted zone",
        "data transfer to the other region",
        "health check",
    }


# --- The price list ---------------------------------------------------------------------------------------------------


def document(usage_type: str = "InstanceUsage:db.r6g.large", *tiers: tuple[str, str], unit: str = "Hrs") -> str:
    """Return a product in the form of GetProducts; tiers by (begin, USD)."""
    dimensions = {
        f"SKU.JRTCKXETXF.{number}": {
            "unit": unit,
            "beginRange": begin,
            "endRange": "Inf",
            "description": f"${usd} per {unit}",
            "appliesTo": [],
            "rateCode": f"SKU.JRTCKXETXF.{number}",
            "pricePerUnit": {"USD": usd},
        }
        for number, (begin, usd) in enumerate(tiers or [("0", "0.2600000000")])
    }
    term = {"priceDimensions": dimensions, "sku": "SKU", "offerTermCode": "JRTCKXETXF", "termAttributes": {}}
    product = {
        "product": {
            "productFamily": "Database Instance",
            "attributes": {"usagetype": usage_type, "regionCode": EAST, "servicecode": "AmazonRDS"},
            "sku": "SKU",
        },
        "serviceCode": "AmazonRDS",
        "terms": {"OnDemand": {"SKU.JRTCKXETXF": term}, "Reserved": {}},
        "version": "20261124000000",
    }
    return json.dumps(product)


def test_price_is_of_the_only_product_with_the_usage_type() -> None:
    """Usage types have a prefix in most regions."""
    optimized = document("EU-InstanceUsageIOOptimized:db.r6g.large", ("0", "0.3380000000"))
    price = parse_price([optimized, document("EU-InstanceUsage:db.r6g.large")], "InstanceUsage:")
    assert price == Price(usd=0.26, unit="Hrs", description="$0.2600000000 per Hrs")


def test_free_tiers_and_discounts_are_not_counted() -> None:
    """The price is the first tier that is not free, in the order of usage."""
    tiers = (("1000", "0.0200000000"), ("3", "3.0000000000"), ("0", "0.0000000000"))
    assert parse_price([document("DashboardsUsageHour", *tiers)], "^DashboardsUsageHour$").usd == 3


def changed(path: tuple[str, ...], value: object) -> str:
    """Return a document with another value at a path."""
    whole = json.loads(document())
    inner = whole
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ([], "expected one product, found 0"),
        ([document("InstanceUsage:db.r6g.xlarge"), document()], "expected one product, found 2"),
        ([document("Multi-AZUsage:db.r6g.large")], "expected one product, found 0"),
        ([document("InstanceUsage:db.r6g.large", ("0", "0.0000000000"))], "no tier has a price in USD"),
        ([changed(("terms", "OnDemand"), {})], "expected one on-demand term, found 0"),
        ([changed(("terms",), {})], "unknown form of the price document: KeyError('OnDemand')"),
        ([changed(("product", "attributes"), None)], "unknown form of the price document: TypeError"),
        (["no json"], "unknown form of the price document: JSONDecodeError"),
    ],
)
def test_product_not_found_exactly_once_has_no_price(aws: FakeAws, documents: list[str], reason: str) -> None:
    """The error has the reason, and no price is estimated."""
    aws.set(EAST, "pricing", "get_products", {"PriceList": documents})
    query = ProductQuery("AmazonRDS", "InstanceUsage:", {"instanceType": "db.r6g.large"})
    with pytest.raises(NoPriceError, match=re.escape(reason)):
        read_price(aws(EAST), query)


# --- The command ------------------------------------------------------------------------------------------------------


def price_list(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a product for Aurora instances and storage, and none for other services."""
    attributes = {each["Field"]: each["Value"] for each in parameters["Filters"]}
    found = {
        "Database Instance": [document(f"InstanceUsage:{attributes.get('instanceType')}")],
        "Database Storage": [document("Aurora:StorageUsage", ("0", "0.1000000000"), unit="GB-Mo")],
    }
    return {"FormatVersion": "aws_v1", "PriceList": found.get(attributes["productFamily"], [])}


def test_cost_prints_quantities_prices_total_and_assumptions(environment: FakeEnvironment, aws: FakeAws) -> None:
    """Items without a price are listed with the reason."""
    aws.set(EAST, "pricing", "get_products", price_list)
    result = environment.run("cost", "--storage-gb", "500")
    assert result.exit_code == ExitCode.DONE
    for text in (
        "Total 859.20 USD a month: 759.20 fixed, 100.00 by usage (*).",
        "Not in the total: dashboard in us-east-1",
        "(expected one product, found 0)",
        "(its product in the price list is not known)",
        "storage gb 500",
        "Not counted: taxes",
        "db.r6g.large",
    ):
        assert text in result.stdout
    assert (environment.calls, environment.loaded) == ([], [])


def test_cost_as_json_has_the_price_of_each_item(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The total is the sum of the items that have a price."""
    aws.set(EAST, "pricing", "get_products", price_list)
    shown = json.loads(environment.run("cost", "--stack", "prod", "--json").stdout)
    assert shown["usd_a_month"] == pytest.approx(2 * (3 * 730 * 0.26 + 10))
    assert shown["usd_a_month"] == pytest.approx(sum(line["usd_a_month"] or 0 for line in shown["items"]))
    assert shown["assumptions"]["storage_gb"] == 100
    (instance, _) = [line for line in shown["items"] if "instance" in line["name"]]
    assert instance["price"] == {"usd": 0.26, "unit": "Hrs", "description": "$0.2600000000 per Hrs"}
    assert "health check in us-east-1" in shown["unpriced"]


def test_cost_without_access_prints_the_quantities_and_asks_once(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The permission that is missing is named."""
    aws.fail(service="pricing", error=AwsError("pricing: AccessDeniedException", hint="Use another role."))
    result = environment.run("cost")
    assert result.exit_code == ExitCode.AWS
    assert "No price could be read: pricing: AccessDeniedException. Use another role." in result.stdout
    assert "pricing:GetProducts" in result.stdout
    assert "1,460 hours" in result.stdout
    assert [service for _, service, _ in aws.asked] == ["pricing"]
    assert json.loads(environment.run("cost", "--json").stdout)["usd_a_month"] is None


def test_cost_with_some_prices_is_partly_done(environment: FakeEnvironment, aws: FakeAws) -> None:
    """Access ends in the middle: the total lacks what follows."""
    aws.set(EAST, "pricing", "get_products", price_list)
    read, answers = aws.answers[EAST, "pricing", "get_products"], iter(range(3))

    def respond(parameters: Mapping[str, Any]) -> Any:
        if next(answers, None) is None:
            return AwsError("pricing: did not respond", hint="Try again.")
        return read(parameters)

    aws.set(EAST, "pricing", "get_products", respond)
    result = environment.run("cost")
    assert result.exit_code == ExitCode.PARTLY
    assert "(pricing: did not respond. Try again)" in result.stdout


@pytest.mark.parametrize("options", [("--stack", "nowhere"), ("--storage-gb", "-1")])
def test_unknown_stack_or_negative_usage_is_a_usage_error(
    environment: FakeEnvironment, options: tuple[str, ...]
) -> None:
    """The exit code is 2."""
    assert environment.run("cost", *options).exit_code == ExitCode.USAGE
