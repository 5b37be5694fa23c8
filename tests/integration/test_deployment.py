"""Tests that deploy the unchanged program, and small ones, on ministack."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.aws.clients import Clients
from operations.aws.read_api import AwsReadApi
from operations.aws.resource_lookup import LOOKUPS, Lookup, find, has_tags
from rehearsal.cloud.ministack import ACCOUNT_ID, SECRET_ACCESS_KEY, Emulator
from rehearsal.cloud.permission_log import FAILOVER, NEVER_REQUESTED_HERE
from rehearsal.engine.deploy import DeploymentError, DeployResult, deploy, stack_config
from rehearsal.provider.resources.handler import Created, Handler, Request
from rehearsal.provider.resources.outcome import GLOBAL, ProviderResource
from rehearsal.provider.resources.registry import HANDLERS
from rehearsal.report.permission_review import roles_of_functions
from rehearsal.support.clients import BotoClients

ROOT = Path(__file__).resolve().parents[2]
PRIMARY, SECONDARY = "us-east-1", "eu-west-1"
GLOBAL_CLUSTER = "aws:rds/globalCluster:GlobalCluster"
INVOCATION = "aws:lambda/invocation:Invocation"
PEERING_OPTIONS = "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions"
# The default settings have no subscription and no database user.
CONFIG = stack_config(
    ROOT,
    "dev",
    {
        "notifications": {"emails": ["on-call@example.com"]},
        "database": {"iam_users": {"ann": "read_only"}},
        "logs": {"flow_logs": True},
    },
)


def handlers_without_proxy() -> dict[str, Handler]:
    """Return the handlers, with replacements for those that need the API proxy."""

    def options(request: Request) -> Created:
        sent = request.parameters()
        return Created(id=sent["VpcPeeringConnectionId"], outputs={}, held=sent)

    def invocation(request: Request) -> Created:
        request.parameters()
        request.take("triggers")
        return Created(id="not-invoked", outputs={"result": "{}"})

    def global_cluster(request: Request) -> Created:
        created = HANDLERS[GLOBAL_CLUSTER].create(request)
        return dataclasses.replace(created, outputs={**created.outputs, "endpoint": "writer.of.the.global.cluster"})

    replacements: dict[str, Callable[[Request], Created]] = {
        PEERING_OPTIONS: options,
        INVOCATION: invocation,
        GLOBAL_CLUSTER: global_cluster,
    }
    replaced = {type_: dataclasses.replace(HANDLERS[type_], create=create) for type_, create in replacements.items()}
    return {**HANDLERS, **replaced}


@dataclasses.dataclass(kw_only=True)
class Deployed:
    """The program, deployed on its own ministack."""

    deployment: DeployResult
    announced: list[ProviderResource]
    clients: BotoClients
    url: str


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """Deploy the program once for the tests of this module."""
    announced: list[ProviderResource] = []
    with Emulator(enforce_permissions=True) as emulator:
        clients = BotoClients(emulator.url)
        deployment = deploy(
            ROOT, CONFIG, emulator.url, announced.append, handlers=handlers_without_proxy(), clients=clients
        )
        yield Deployed(
            deployment=deployment,
            announced=announced,
            clients=clients,
            url=emulator.url,
        )
        clients.close()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Start ministack for small programs."""
    with Emulator(enforce_permissions=True) as running:
        yield running


def run(directory: Path, emulator: Emulator, body: str) -> DeployResult:
    """Run a small program with the providers `east` and `west`."""
    (directory / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (directory / "__main__.py").write_text(
        "import json, pulumi, pulumi_aws as aws, pulumi_random as random\n"
        'east = pulumi.ResourceOptions(provider=aws.Provider("east", region="us-east-1"))\n'
        'west = pulumi.ResourceOptions(provider=aws.Provider("west", region="eu-west-1"))\n' + body
    )
    return deploy(directory, {}, emulator.url)


def test_whole_program_is_created(deployed: Deployed) -> None:
    """Each resource is announced once."""
    assert len(deployed.deployment.resources) > 140
    assert len({each.urn for each in deployed.announced}) == len(deployed.deployment.resources)


def test_every_call_of_a_deployment_is_checked_against_awss_models(deployed: Deployed) -> None:
    """A violation would have failed the deployment."""
    checked = deployed.clients.model_check.checked
    creating = {name for name in checked if ":Create" in name or ":Put" in name}
    assert {"rds:CreateDBCluster", "lambda:CreateFunction", "cloudwatch:PutMetricAlarm", "kms:CreateKey"} <= creating
    assert checked.total() > len(deployed.deployment.resources)


def test_value_outside_awss_model_is_an_error_with_the_resources_name(emulator: Emulator, tmp_path: Path) -> None:
    """ministack accepts the value, and botocore does not check it."""
    with pytest.raises(DeploymentError, match=r"(?s)tight.*2561 is outside 90 to 2560"):
        run(
            tmp_path,
            emulator,
            'aws.kms.Key("tight", enable_key_rotation=True, rotation_period_in_days=2561, opts=east)\n',
        )


def test_functions_roles_are_read_as_deployed(deployed: Deployed) -> None:
    """All policies of each role are read, and each listed exception is allowed by a role."""
    roles = {(one.function, one.region): one for one in roles_of_functions(deployed.clients, (PRIMARY, SECONDARY))}
    names = ("failover-controller", "health-check", "database-setup")
    assert {(f"payments-{name}-dev", region) for name in names for region in (PRIMARY, SECONDARY)} >= set(roles)
    for region in (PRIMARY, SECONDARY):
        controller, probe = (roles[f"payments-{name}-dev", region] for name in names[:2])
        assert (f"payments-failover-controller-{region}-dev", True) == (controller.role, FAILOVER in controller.actions)
        assert {"rds-db:connect", "ec2:CreateNetworkInterface", "logs:PutLogEvents"} <= probe.actions
    assert set() == set(NEVER_REQUESTED_HERE) - {action for one in roles.values() for action in one.actions}


def test_program_uses_every_handler(deployed: Deployed) -> None:
    """A handler that the program does not use is not tested."""
    assert set(HANDLERS) - {each.type for each in deployed.deployment.resources} == set()


def test_regions_have_the_same_resource_types(deployed: Deployed) -> None:
    """The exceptions are resources that exist once, in the primary region."""
    counts = deployed.deployment.counts()
    only_primary = {
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        "aws:rds/globalCluster:GlobalCluster",
        "aws:secretsmanager/secret:Secret",
        "aws:secretsmanager/secretVersion:SecretVersion",
        INVOCATION,
    }
    assert set(counts[PRIMARY]) - only_primary <= set(counts[SECONDARY])
    assert set(counts) == {PRIMARY, SECONDARY, "global"}


def test_global_cluster_has_a_member_in_each_region(deployed: Deployed) -> None:
    """The primary cluster is the writer."""
    exports = deployed.deployment.exports
    described = deployed.clients("rds", SECONDARY).describe_global_clusters(
        GlobalClusterIdentifier=exports["global_cluster_id"]
    )
    members = {
        member["DBClusterArn"]: member["IsWriter"] for member in described["GlobalClusters"][0]["GlobalClusterMembers"]
    }
    assert members == {exports["primary_cluster_arn"]: True, exports["secondary_cluster_arn"]: False}


def test_secret_is_readable_in_both_regions_with_each_regions_key(deployed: Deployed) -> None:
    """The ARNs are those in the program's exports."""
    values: list[str] = []
    for role, region in (("primary", PRIMARY), ("secondary", SECONDARY)):
        client = deployed.clients("secretsmanager", region)
        arn = deployed.deployment.exports[f"{role}_secret_arn"]
        values.append(client.get_secret_value(SecretId=arn)["SecretString"])
        assert client.describe_secret(SecretId=arn)["KmsKeyId"] == deployed.deployment.exports[f"{role}_key_arn"]
    assert values[0] == values[1]


def test_password_is_in_neither_resources_nor_exports(deployed: Deployed) -> None:
    """A deployment's result has no secret in its text."""
    arn = deployed.deployment.exports["primary_secret_arn"]
    secret = deployed.clients("secretsmanager", PRIMARY).get_secret_value(SecretId=arn)["SecretString"]
    password = json.loads(secret)["password"]
    assert len(password) == 32
    assert password not in repr(deployed.deployment)
    assert password not in repr(deployed.announced)


def test_zone_is_associated_with_both_vpcs(deployed: Deployed) -> None:
    """Names in the zone resolve in both regions."""
    exports = deployed.deployment.exports
    zone = deployed.clients("route53", PRIMARY).get_hosted_zone(Id=exports["hosted_zone_id"])
    attached = {(vpc["VPCId"], vpc["VPCRegion"]) for vpc in zone["VPCs"]}
    assert attached == {(exports["primary_vpc_id"], PRIMARY), (exports["secondary_vpc_id"], SECONDARY)}


def test_resources_have_the_providers_default_tags(deployed: Deployed) -> None:
    """The resource's own name tag is kept."""
    vpc_id = deployed.deployment.exports["secondary_vpc_id"]
    vpc = deployed.clients("ec2", SECONDARY).describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    tags = {tag["Key"]: tag["Value"] for tag in vpc["Tags"]}
    assert {"Environment", "Project", "Team", "CostCenter", "ManagedBy", "Name"} <= set(tags)
    assert tags["Environment"] == "dev"


def test_properties_listed_as_not_held_are_not_held(deployed: Deployed) -> None:
    """A ministack version that stores one of them must shorten the list."""
    exports = deployed.deployment.exports
    rds = deployed.clients("rds", PRIMARY)
    cluster = rds.describe_db_clusters(DBClusterIdentifier=exports["primary_cluster_id"])["DBClusters"][0]
    held = {
        "databaseInsightsMode": cluster.get("DatabaseInsightsMode"),
        "enabledCloudwatchLogsExports": cluster.get("EnabledCloudwatchLogsExports") or None,
        "performanceInsightsEnabled": cluster.get("PerformanceInsightsEnabled"),
        "performanceInsightsKmsKeyId": cluster.get("PerformanceInsightsKMSKeyId"),
        "performanceInsightsRetentionPeriod": cluster.get("PerformanceInsightsRetentionPeriod"),
        "storageType": cluster.get("StorageType"),
    }
    listed = {each.property for each in deployed.deployment.not_held if each.type == "aws:rds/cluster:Cluster"}
    assert {name: held[name] for name in listed} == dict.fromkeys(listed)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_preview_creates_no_resource(emulator: Emulator, stack: str) -> None:
    """Every type and property of both stacks is supported."""
    deployment = deploy(ROOT, stack_config(ROOT, stack), emulator.url, stack=stack, preview=True)
    assert deployment.resources == ()


def test_invalid_settings_are_reported_with_the_programs_messages(emulator: Emulator) -> None:
    """No resource is created."""
    config = stack_config(ROOT, "dev", {"primary": {"vpc_cidr": "10.20.0.0/16"}, "colour": "blue"})
    with pytest.raises(DeploymentError) as raised:
        deploy(ROOT, config, emulator.url)
    assert raised.value.errors == ()
    assert "vpc_cidr" in str(raised.value)
    assert "colour" in str(raised.value)


CLUSTER_OF_ITS_OWN = """
key = aws.kms.Key("k", description="k", enable_key_rotation=True, rotation_period_in_days=200, opts=east)
database = aws.rds.Cluster("c", cluster_identifier="unusual", engine="aurora-mysql",
    engine_version="8.0.mysql_aurora.3.08.0", database_name="shop", master_username="owner",
    master_password="not-a-real-one", port=3399, kms_key_id=key.arn, storage_encrypted=True,
    backup_retention_period=9, preferred_backup_window="01:10-01:40",
    preferred_maintenance_window="tue:02:10-tue:02:40", iam_database_authentication_enabled=True,
    copy_tags_to_snapshot=True, deletion_protection=True, backtrack_window=3600, opts=east)
aws.rds.ClusterInstance("i", identifier="unusual-1", cluster_identifier=database.id, engine="aurora-mysql",
    instance_class="db.r7g.2xlarge", availability_zone="us-east-1c", promotion_tier=7, publicly_accessible=True,
    auto_minor_version_upgrade=False, monitoring_interval=15, monitoring_role_arn="arn:aws:iam::123456789012:role/m",
    copy_tags_to_snapshot=True, opts=east)
aws.cloudwatch.MetricAlarm("a", name="unusual", namespace="N", metric_name="M", dimensions={"B": "2", "A": "1"},
    statistic="Minimum", period=300, evaluation_periods=7, threshold=0.25,
    comparison_operator="LessThanThreshold", treat_missing_data="notBreaching",
    alarm_description="d", opts=west)
aws.dynamodb.Table("t", name="unusual", billing_mode="PAY_PER_REQUEST", hash_key="h", range_key="r",
    attributes=[{"name": "h", "type": "S"}, {"name": "r", "type": "N"}], ttl={"attributeName": "e", "enabled": True},
    point_in_time_recovery={"enabled": True}, deletion_protection_enabled=True, opts=west)
"""


def test_unusual_values_read_back_as_sent(emulator: Emulator, tmp_path: Path) -> None:
    """The values differ from ministack's defaults."""
    deployment = run(tmp_path, emulator, CLUSTER_OF_ITS_OWN)
    assert [each.property for each in deployment.not_held] == ["backtrackWindow"]


FUNCTION = """
role = aws.iam.Role("r", name="{name}", assume_role_policy=json.dumps({{"Version": "2012-10-17", "Statement": [
    {{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {{"Service": "lambda.amazonaws.com"}}}}]}}), opts=east)
code = pulumi.AssetArchive({{"main.py": pulumi.StringAsset({source!r})}})
function = aws.lambda_.Function("f", name="{name}", role=role.arn, runtime="python3.13", handler="main.handler",
    code=code, timeout=5, memory_size=192, reserved_concurrent_executions=2,
    environment={{"variables": {{"GREETING": "hello"}}}}, opts=east)
permission = aws.lambda_.Permission("p", statement_id="events", action="lambda:InvokeFunction", function=function.name,
    principal="events.amazonaws.com", opts=east)
password = random.RandomPassword("p", length=20, override_special="!")
called = aws.lambda_.Invocation("i", function_name=function.name, triggers={{"v": "1"}},
    input=pulumi.Output.json_dumps({{"who": "me", "password": password.result}}), opts=east)
pulumi.export("result", called.result)
pulumi.export("password", password.result)
"""


def test_invocation_runs_the_function_with_its_environment(emulator: Emulator, tmp_path: Path) -> None:
    """The function's result is an output."""
    source = (
        "import os\n"
        "def handler(event, context):\n"
        "    return [os.environ['GREETING'], event['who'], len(event['password'])]\n"
    )
    deployment = run(tmp_path, emulator, FUNCTION.format(name="greeter", source=source))
    assert json.loads(deployment.exports["result"]) == ["hello", "me", 20]
    assert deployment.secret_exports == {"password"}


def test_failing_function_fails_the_deployment_without_showing_its_input(emulator: Emulator, tmp_path: Path) -> None:
    """The error has the function's message and log, with the password masked."""
    source = (
        "def handler(event, context):\n"
        "    print('connecting with', event['password'])\n"
        "    raise RuntimeError('denied: ' + event['password'])\n"
    )
    with pytest.raises(DeploymentError) as raised:
        run(tmp_path, emulator, FUNCTION.format(name="failing", source=source))
    ((error),) = raised.value.errors
    assert (error.type, "denied: [secret]" in error.message) == (INVOCATION, True)
    assert "connecting with [secret]" in error.message


READER = """
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:GetItem",
    "Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/allowed"}]}
rights = aws.iam.RolePolicy("rights", name="rights", role=role.name, policy=json.dumps(policy), opts=east)
for name in ("allowed", "forbidden"):
    aws.dynamodb.Table(name, name=name, billing_mode="PAY_PER_REQUEST", hash_key="h",
        attributes=[{"name": "h", "type": "S"}], opts=east)
"""


def test_function_may_do_only_what_its_role_allows(emulator: Emulator, tmp_path: Path) -> None:
    """ministack rejects another table and another action."""
    source = (
        "import boto3\n"
        "from botocore.exceptions import ClientError\n"
        "def attempt(call, **arguments):\n"
        "    try:\n"
        "        call(**arguments)\n"
        "        return 'done'\n"
        "    except ClientError as error:\n"
        "        return error.response['Error']['Code']\n"
        "def handler(event, context):\n"
        "    table, key = boto3.client('dynamodb'), {'h': {'S': 'x'}}\n"
        "    return [\n"
        "        attempt(table.get_item, TableName='allowed', Key=key),\n"
        "        attempt(table.get_item, TableName='forbidden', Key=key),\n"
        "        attempt(table.put_item, TableName='allowed', Item=key),\n"
        "    ]\n"
    )
    run(tmp_path, emulator, FUNCTION.format(name="reader", source=source) + READER)
    clients = BotoClients(emulator.url)
    response = clients("lambda", PRIMARY).invoke(FunctionName="reader")
    clients.close()
    assert json.loads(response["Payload"].read()) == ["done", "AccessDeniedException", "AccessDeniedException"]
    logged = {(c.action, c.resource.rpartition("/")[2]): c.is_allowed for c in emulator.permission_checks()}
    assert (True, False, False) == (
        logged["dynamodb:GetItem", "allowed"],
        logged["dynamodb:GetItem", "forbidden"],
        logged["dynamodb:PutItem", "allowed"],
    )


def arguments(**changed: Any) -> str:
    """Return the arguments of a rule for the database port, with changes."""
    rule = {"cidr_ipv4": "10.0.0.0/16", "ip_protocol": "tcp", "from_port": 3306, "to_port": 3306, **changed}
    return ", ".join(f"{name}={value!r}" for name, value in rule.items())


def test_security_group_starts_without_rules(emulator: Emulator, tmp_path: Path) -> None:
    """The provider removes the egress rule that AWS adds."""
    body = (
        'vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", opts=east)\n'
        'group = aws.ec2.SecurityGroup("g", name="g", description="g", vpc_id=vpc.id, opts=east)\n'
        f'aws.vpc.SecurityGroupEgressRule("out", security_group_id=group.id, {arguments()}, opts=east)\n'
        'pulumi.export("group", group.id)\n'
    )
    deployment = run(tmp_path, emulator, body)
    clients = BotoClients(emulator.url)
    (group,) = clients("ec2", PRIMARY).describe_security_groups(GroupIds=[deployment.exports["group"]])[
        "SecurityGroups"
    ]
    clients.close()
    assert (group["IpPermissions"], len(group["IpPermissionsEgress"])) == ([], 1)


def test_aws_error_names_the_resource(emulator: Emulator, tmp_path: Path) -> None:
    """The error has the URN and the service's message."""
    with pytest.raises(DeploymentError) as raised:
        run(tmp_path, emulator, 'aws.kms.Alias("a", name="alias/x", target_key_id="no-such-key", opts=west)')
    ((error),) = raised.value.errors
    assert error.urn == "urn:pulumi:dev::tiny::aws:kms/alias:Alias::a"
    assert "NotFoundException" in error.message


def test_recover_finds_every_resource_by_its_inputs(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption only the inputs are known; the id that is found must be the one in the state."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    clients = Clients()
    wrong: dict[str, tuple[str, list[str]]] = {}
    for resource in deployed.announced:
        lookup = LOOKUPS[resource.type]
        if isinstance(lookup, Lookup):
            api = AwsReadApi(clients, PRIMARY if resource.region == GLOBAL else resource.region)
            tags = resource.inputs.get("tagsAll") or resource.inputs.get("tags", {})
            found = find(lookup, api, resource.inputs, tags)
            if [each.id for each in found] != [resource.id] or not all(
                each.tags is None or has_tags(each, tags) for each in found
            ):
                wrong[resource.urn] = (resource.id, [str(each) for each in found])
    assert wrong == {}


def test_second_deployment_reports_all_existing_names(deployed: Deployed) -> None:
    """AWS rejects names that are in use. The last test of `deployed`: what needs no unique name exists twice now."""
    with pytest.raises(DeploymentError) as raised:
        deploy(ROOT, CONFIG, deployed.url, handlers=handlers_without_proxy())
    taken = {error.type for error in raised.value.errors}
    assert {"aws:kms/alias:Alias", "aws:secretsmanager/secret:Secret", "aws:rds/globalCluster:GlobalCluster"} <= taken
