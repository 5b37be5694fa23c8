"""The unchanged program, and small ones, deployed for real on the emulator."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.ministack import Emulator
from rehearsal.cloud.permission_log import FAILOVER, NEVER_ASKED_HERE
from rehearsal.engine.deploy import Deployment, DeploymentError, deploy, stack_config
from rehearsal.provider.resources.handler import Created, Handler, Request
from rehearsal.provider.resources.outcome import Resource
from rehearsal.provider.resources.registry import HANDLERS
from rehearsal.report.permission_review import roles_of_functions
from rehearsal.support.clients import Clients
from tests.support.waiting import processor_seconds_of

ROOT = Path(__file__).resolve().parents[2]
PRIMARY, SECONDARY = "us-east-1", "eu-west-1"
GLOBAL_CLUSTER = "aws:rds/globalCluster:GlobalCluster"
INVOCATION = "aws:lambda/invocation:Invocation"
PEERING_OPTIONS = "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions"
# With an address to write to and a person who logs in, so that the program has a subscription and a policy, too.
CONFIG = stack_config(
    ROOT,
    "dev",
    {"notifications": {"emails": ["on-call@example.com"]}, "database": {"iam_users": {"ann": "read_only"}}},
)


def without_control_plane() -> dict[str, Handler]:
    """Return the handlers, with stand-ins for what only the control plane in front of the emulator can answer."""

    def options(request: Request) -> Created:
        sent = request.parameters()
        return Created(id=sent["VpcPeeringConnectionId"], outputs={}, held=sent)

    def invocation(request: Request) -> Created:
        request.parameters()
        return Created(id="not-invoked", outputs={"result": "{}"})

    def global_cluster(request: Request) -> Created:
        created = HANDLERS[GLOBAL_CLUSTER].create(request)
        return dataclasses.replace(created, outputs={**created.outputs, "endpoint": "writer.of.the.global.cluster"})

    stand_ins: dict[str, Callable[[Request], Created]] = {
        PEERING_OPTIONS: options,
        INVOCATION: invocation,
        GLOBAL_CLUSTER: global_cluster,
    }
    replaced = {type_: dataclasses.replace(HANDLERS[type_], create=create) for type_, create in stand_ins.items()}
    return {**HANDLERS, **replaced}


@dataclasses.dataclass(kw_only=True)
class Deployed:
    """The real program on an emulator of its own."""

    deployment: Deployment
    processor_seconds: float
    announced: list[Resource]
    clients: Clients
    url: str


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """Deploy the real program once for the tests of this module."""
    announced: list[Resource] = []
    with Emulator(enforce_permissions=True) as emulator:

        def processor_seconds() -> float:
            return sum(map(processor_seconds_of, (os.getpid(), emulator.process_id)))

        before = processor_seconds()
        clients = Clients(emulator.url)
        deployment = deploy(
            ROOT, CONFIG, emulator.url, announced.append, handlers=without_control_plane(), clients=clients
        )
        taken = processor_seconds() - before
        yield Deployed(
            deployment=deployment,
            processor_seconds=taken,
            announced=announced,
            clients=clients,
            url=emulator.url,
        )
        clients.close()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Give an emulator for small programs."""
    with Emulator(enforce_permissions=True) as running:
        yield running


def run(directory: Path, emulator: Emulator, body: str) -> Deployment:
    """Run a small program with the providers `east` and `west`."""
    (directory / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (directory / "__main__.py").write_text(
        "import json, pulumi, pulumi_aws as aws, pulumi_random as random\n"
        'east = pulumi.ResourceOptions(provider=aws.Provider("east", region="us-east-1"))\n'
        'west = pulumi.ResourceOptions(provider=aws.Provider("west", region="eu-west-1"))\n' + body
    )
    return deploy(directory, {}, emulator.url)


def test_the_whole_program_is_created_well_under_twenty_seconds(deployed: Deployed) -> None:
    """Both regions, all resources: on the clock or, when others use the machine too, in processor time, the emulator's too."""
    assert min(deployed.deployment.seconds, deployed.processor_seconds) < 20
    assert len(deployed.deployment.resources) > 140
    assert len({each.urn for each in deployed.announced}) == len(deployed.deployment.resources)


def test_every_call_of_a_deployment_is_within_awss_models(deployed: Deployed) -> None:
    """Words, patterns, lengths and ranges of every parameter: one that is beyond them would have stopped the deployment."""
    checked = deployed.clients.model_check.checked
    creating = {name for name in checked if ":Create" in name or ":Put" in name}
    assert {"rds:CreateDBCluster", "lambda:CreateFunction", "cloudwatch:PutMetricAlarm", "kms:CreateKey"} <= creating
    assert checked.total() > len(deployed.deployment.resources)


def test_a_value_that_awss_model_does_not_take_is_an_error_with_the_resource_s_name(
    emulator: Emulator, tmp_path: Path
) -> None:
    """The emulator would take it, and botocore lets it pass."""
    with pytest.raises(DeploymentError, match=r"(?s)tight.*2561 is outside 90 to 2560"):
        run(
            tmp_path,
            emulator,
            'aws.kms.Key("tight", enable_key_rotation=True, rotation_period_in_days=2561, opts=east)\n',
        )


def test_what_the_functions_roles_allow_is_read_as_it_is_deployed(deployed: Deployed) -> None:
    """Each function's role in each region, the network's policy and all; and every named exception is one that some role has."""
    roles = {(one.function, one.region): one for one in roles_of_functions(deployed.clients, (PRIMARY, SECONDARY))}
    names = ("failover-controller", "health-check", "database-setup")
    assert {(f"payments-{name}-dev", region) for name in names for region in (PRIMARY, SECONDARY)} >= set(roles)
    for region in (PRIMARY, SECONDARY):
        controller, probe = (roles[f"payments-{name}-dev", region] for name in names[:2])
        assert (f"payments-failover-controller-{region}-dev", True) == (controller.role, FAILOVER in controller.actions)
        assert {"rds-db:connect", "ec2:CreateNetworkInterface", "logs:PutLogEvents"} <= probe.actions
    assert set() == set(NEVER_ASKED_HERE) - {action for one in roles.values() for action in one.actions}


def test_every_handler_is_used_by_the_program(deployed: Deployed) -> None:
    """A handler that the program does not need would be code that nothing proves."""
    assert set(HANDLERS) - {each.type for each in deployed.deployment.resources} == set()


def test_both_regions_get_the_same_kinds_of_things(deployed: Deployed) -> None:
    """What watches and fails over is the same in both; only day one's differences remain."""
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


def test_the_global_cluster_has_a_member_in_each_region_and_one_writer(deployed: Deployed) -> None:
    """The clusters are really members: the primary writes, the secondary reads."""
    exports = deployed.deployment.exports
    described = deployed.clients("rds", SECONDARY).describe_global_clusters(
        GlobalClusterIdentifier=exports["global_cluster_id"]
    )
    members = {
        member["DBClusterArn"]: member["IsWriter"] for member in described["GlobalClusters"][0]["GlobalClusterMembers"]
    }
    assert members == {exports["primary_cluster_arn"]: True, exports["secondary_cluster_arn"]: False}


def test_the_secret_can_be_read_in_both_regions_under_each_region_s_key(deployed: Deployed) -> None:
    """The replica is no promise: same value, its own region's key, and the ARN that the program exports."""
    values: list[str] = []
    for role, region in (("primary", PRIMARY), ("secondary", SECONDARY)):
        client = deployed.clients("secretsmanager", region)
        arn = deployed.deployment.exports[f"{role}_secret_arn"]
        values.append(client.get_secret_value(SecretId=arn)["SecretString"])
        assert client.describe_secret(SecretId=arn)["KmsKeyId"] == deployed.deployment.exports[f"{role}_key_arn"]
    assert values[0] == values[1]


def test_the_password_is_nowhere_in_what_a_deployment_says(deployed: Deployed) -> None:
    """Neither the resources nor the exports show it."""
    arn = deployed.deployment.exports["primary_secret_arn"]
    secret = deployed.clients("secretsmanager", PRIMARY).get_secret_value(SecretId=arn)["SecretString"]
    password = json.loads(secret)["password"]
    assert len(password) == 32
    assert password not in repr(deployed.deployment)
    assert password not in repr(deployed.announced)


def test_the_zone_is_attached_to_both_networks(deployed: Deployed) -> None:
    """Names under the zone resolve in both regions."""
    exports = deployed.deployment.exports
    zone = deployed.clients("route53", PRIMARY).get_hosted_zone(Id=exports["hosted_zone_id"])
    attached = {(vpc["VPCId"], vpc["VPCRegion"]) for vpc in zone["VPCs"]}
    assert attached == {(exports["primary_vpc_id"], PRIMARY), (exports["secondary_vpc_id"], SECONDARY)}


def test_the_provider_s_default_tags_are_on_the_resources(deployed: Deployed) -> None:
    """Environment, owner and the rest are really there, beside the resource's own name."""
    vpc_id = deployed.deployment.exports["secondary_vpc_id"]
    vpc = deployed.clients("ec2", SECONDARY).describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    tags = {tag["Key"]: tag["Value"] for tag in vpc["Tags"]}
    assert {"Environment", "Project", "Team", "CostCenter", "ManagedBy", "Name"} <= set(tags)
    assert tags["Environment"] == "dev"


def test_what_is_said_not_to_be_held_is_not_held(deployed: Deployed) -> None:
    """The list of what the emulator forgets is true: a new version that holds more must shorten it."""
    exports = deployed.deployment.exports
    rds = deployed.clients("rds", PRIMARY)
    cluster = rds.describe_db_clusters(DBClusterIdentifier=exports["primary_cluster_id"])["DBClusters"][0]
    held = {
        "databaseInsightsMode": cluster.get("DatabaseInsightsMode"),
        "enabledCloudwatchLogsExports": cluster.get("EnabledCloudwatchLogsExports") or None,
        "performanceInsightsEnabled": cluster.get("PerformanceInsightsEnabled"),
        "performanceInsightsKmsKeyId": cluster.get("PerformanceInsightsKMSKeyId"),
        "performanceInsightsRetentionPeriod": cluster.get("PerformanceInsightsRetentionPeriod"),
    }
    listed = {each.property for each in deployed.deployment.not_held if each.type == "aws:rds/cluster:Cluster"}
    assert {name: held[name] for name in listed} == dict.fromkeys(listed)


def test_a_second_deployment_meets_what_exists_and_reports_all_of_it(deployed: Deployed) -> None:
    """Names that are taken are refused as AWS refuses them, all of them in one error."""
    with pytest.raises(DeploymentError) as raised:
        deploy(ROOT, CONFIG, deployed.url, handlers=without_control_plane())
    taken = {error.type for error in raised.value.errors}
    assert {"aws:kms/alias:Alias", "aws:secretsmanager/secret:Secret", "aws:rds/globalCluster:GlobalCluster"} <= taken


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_preview_of_the_program_passes_and_creates_nothing(emulator: Emulator, stack: str) -> None:
    """Every type and property of both stacks is known, found out without creating anything."""
    deployment = deploy(ROOT, stack_config(ROOT, stack), emulator.url, stack=stack, preview=True)
    assert deployment.resources == ()


def test_settings_that_will_not_do_are_reported_in_the_program_s_words(emulator: Emulator) -> None:
    """The settings' errors reach the caller line by line, and nothing was created."""
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
    performance_insights_enabled=True, performance_insights_retention_period=31, copy_tags_to_snapshot=True,
    opts=east)
aws.cloudwatch.MetricAlarm("a", name="unusual", namespace="N", metric_name="M", dimensions={"B": "2", "A": "1"},
    statistic="Minimum", period=300, evaluation_periods=7, datapoints_to_alarm=4, threshold=0.25,
    comparison_operator="LessThanThreshold", treat_missing_data="notBreaching", actions_enabled=False,
    alarm_description="d", opts=west)
aws.dynamodb.Table("t", name="unusual", billing_mode="PAY_PER_REQUEST", hash_key="h", range_key="r",
    attributes=[{"name": "h", "type": "S"}, {"name": "r", "type": "N"}], ttl={"attributeName": "e", "enabled": True},
    point_in_time_recovery={"enabled": True}, deletion_protection_enabled=True, opts=west)
"""


def test_values_far_from_the_defaults_read_back_as_sent(emulator: Emulator, tmp_path: Path) -> None:
    """Reading back proves nothing where the emulator's default happens to be the same; these are all different."""
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
password = random.RandomPassword("p", length=20, special=False)
called = aws.lambda_.Invocation("i", function_name=function.name, triggers={{"v": "1"}},
    input=pulumi.Output.json_dumps({{"who": "me", "password": password.result}}), opts=east)
pulumi.export("result", called.result)
pulumi.export("password", password.result)
"""


def test_an_invocation_runs_the_function_with_its_environment(emulator: Emulator, tmp_path: Path) -> None:
    """The code that was uploaded runs, sees its environment and its input, and its answer is an output."""
    source = (
        "import os\n"
        "def handler(event, context):\n"
        "    return [os.environ['GREETING'], event['who'], len(event['password'])]\n"
    )
    deployment = run(tmp_path, emulator, FUNCTION.format(name="greeter", source=source))
    assert json.loads(deployment.exports["result"]) == ["hello", "me", 20]
    assert deployment.secret_exports == {"password"}


def test_a_function_that_fails_fails_the_deployment_without_showing_its_input(
    emulator: Emulator, tmp_path: Path
) -> None:
    """The error says what the function said and logged, with the password masked wherever it turns up."""
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


def test_a_function_may_do_what_its_role_allows_and_nothing_else(emulator: Emulator, tmp_path: Path) -> None:
    """With permissions enforced, a function acts under its deployed role: another table, another action is refused."""
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
    clients = Clients(emulator.url)
    answer = clients("lambda", PRIMARY).invoke(FunctionName="reader")
    clients.close()
    assert json.loads(answer["Payload"].read()) == ["done", "AccessDeniedException", "AccessDeniedException"]
    noted = {(c.action, c.resource.rpartition("/")[2]): c.is_allowed for c in emulator.permission_checks()}
    assert (True, False, False) == (
        noted["dynamodb:GetItem", "allowed"],
        noted["dynamodb:GetItem", "forbidden"],
        noted["dynamodb:PutItem", "allowed"],
    )


def arguments(**changed: Any) -> str:
    """Return the arguments of a rule that lets the database port in, some of them changed."""
    rule = {"cidr_ipv4": "10.0.0.0/16", "ip_protocol": "tcp", "from_port": 3306, "to_port": 3306, **changed}
    return ", ".join(f"{name}={value!r}" for name, value in rule.items())


def test_a_security_group_starts_without_rules(emulator: Emulator, tmp_path: Path) -> None:
    """AWS lets everything out of a new group; the provider takes that away, and so does the rehearsal."""
    body = (
        'vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", opts=east)\n'
        'group = aws.ec2.SecurityGroup("g", name="g", description="g", vpc_id=vpc.id, opts=east)\n'
        f'aws.vpc.SecurityGroupEgressRule("out", security_group_id=group.id, {arguments()}, opts=east)\n'
        'pulumi.export("group", group.id)\n'
    )
    deployment = run(tmp_path, emulator, body)
    clients = Clients(emulator.url)
    (group,) = clients("ec2", PRIMARY).describe_security_groups(GroupIds=[deployment.exports["group"]])[
        "SecurityGroups"
    ]
    clients.close()
    assert (group["IpPermissions"], len(group["IpPermissionsEgress"])) == ([], 1)


def test_what_aws_refuses_is_an_error_with_the_resource_s_name(emulator: Emulator, tmp_path: Path) -> None:
    """The service's own words, and the URN that they are about."""
    with pytest.raises(DeploymentError) as raised:
        run(tmp_path, emulator, 'aws.kms.Alias("a", name="alias/x", target_key_id="no-such-key", opts=west)')
    ((error),) = raised.value.errors
    assert error.urn == "urn:pulumi:dev::tiny::aws:kms/alias:Alias::a"
    assert "NotFoundException" in error.message
