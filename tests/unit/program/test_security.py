"""What auditors ask for: flow logs, retention, keys, failed events, the secret's policy and the network ACL."""

import ipaddress
import json

import pytest

from settings import load_settings
from settings.types import PRIVATE_RANGES
from tests.support.program.harness import Run, run_program

GROUP, FLOW_LOG = "cloudwatch/logGroup:LogGroup", "ec2/flowLog:FlowLog"
REGIONS = ("us-east-1", "eu-west-1")


def retention_days(run: Run) -> dict[str, int]:
    """Return the retention of each log group by the end of its name, the same in both regions."""
    groups = {region: run.of(GROUP, region) for region in REGIONS}
    found = [{r.inputs["name"].split("/")[-1]: r.inputs["retentionInDays"] for r in of} for of in groups.values()]
    return {**found[0], **found[1]}


def test_production_records_the_flows_of_both_vpcs(prod: Run) -> None:
    """Accepted connections as well; the role writes to the flow log's own group only."""
    for region in REGIONS:
        (flow_log,) = prod.of(FLOW_LOG, region)
        assert (flow_log.inputs["trafficType"], flow_log.inputs["logDestinationType"]) == ("ALL", "cloud-watch-logs")
        (group,) = [r for r in prod.of(GROUP, region) if r.inputs["name"] == "/aws/vpc/payments-flow-logs-prod"]
        assert group.inputs["kmsKeyId"] == next(iter(prod.of("lambda/function:Function", region))).inputs["kmsKeyArn"]
        (key,) = prod.of("kms/key:Key", region)
        assert "log-group:/aws/vpc/payments-flow-logs-prod" in key.inputs["policy"]


def test_flow_logs_are_a_setting(dev: Run) -> None:
    """They are off by default outside production, where they would cost more than they show."""
    assert dev.of(FLOW_LOG) == []
    assert len(run_program({"logs": {"flow_logs": True}}).of(FLOW_LOG)) == 2


def test_existing_vpc_gets_no_flow_logs() -> None:
    """Its owner decides about them."""
    existing = {"vpc_id": "vpc-0a1b2c3d", "subnet_ids": [f"subnet-0a1b2c3{n}" for n in range(3)]}
    region = {"region": "us-east-1", "vpc_cidr": "10.30.0.0/16", "existing_vpc": existing}
    settings = load_settings({"logs": {"flow_logs": True}, "primary": region})
    assert [settings.has_flow_logs(each) for each in (settings.primary, settings.secondary)] == [False, True]


def test_production_keeps_the_audit_trail_for_a_year(prod: Run, dev: Run) -> None:
    """The other logs contain statements, and with them customers' data: they are kept for the shorter time."""
    days = retention_days(prod)
    audit = {"audit", "iam-db-auth-error", "payments-flow-logs-prod"}
    assert {name: days[name] for name in audit} == dict.fromkeys(audit, 365)
    assert {days[name] for name in set(days) - audit} == {30}
    assert set(retention_days(dev).values()) == {30}


def test_audit_retention_is_a_setting() -> None:
    """It applies to the audit trail only."""
    days = retention_days(run_program({"logs": {"audit_retention_days": 731}}))
    assert (days["audit"], days["error"]) == (731, 30)


def test_functions_encrypt_their_environment_with_the_regional_key(any_deployment: Run) -> None:
    """Each role may decrypt its own function's environment, and no other."""
    for region in any_deployment.exports["regions"].values():
        for function in any_deployment.of("lambda/function:Function", region["region"]):
            assert function.inputs["kmsKeyArn"] == region["key_arn"]
    for policy in any_deployment.of("iam/rolePolicy:RolePolicy"):
        statements = {each["Sid"]: each for each in json.loads(policy.inputs["policy"])["Statement"]}
        if "OwnEnvironment" in statements:
            (condition,) = statements["OwnEnvironment"]["Condition"]["StringEquals"].items()
            assert condition[0] == "kms:EncryptionContext:aws:lambda:FunctionArn"
            assert condition[1].endswith(f":function:{policy.inputs['name']}")


def test_failed_events_of_the_controller_are_kept(any_deployment: Run) -> None:
    """Only the controller is invoked asynchronously: an RDS event that it fails to record stays readable for 14 days."""
    queues = any_deployment.of("sqs/queue:Queue")
    assert [r.inputs["messageRetentionSeconds"] for r in queues] == [14 * 24 * 3600] * 2
    for function in any_deployment.of("lambda/function:Function"):
        has_queue = "deadLetterConfig" in function.inputs
        assert has_queue is ("failover-controller" in function.inputs["name"]), function.name


def test_secret_is_closed_to_other_accounts(any_deployment: Run) -> None:
    """AWS copies the policy to the replica, so no statement names a region."""
    (secret,) = any_deployment.of("secretsmanager/secret:Secret")
    statement = json.loads(secret.inputs["policy"])["Statement"][0]
    assert (statement["Effect"], statement["Principal"], statement["Resource"]) == ("Deny", "*", "*")
    assert statement["Condition"]["StringNotEquals"] == {"aws:PrincipalAccount": "123456789012"}


def test_only_named_roles_read_the_master_password() -> None:
    """Without the setting, the account's own policies decide."""
    role = "arn:aws:iam::123456789012:role/break-glass"
    (secret,) = run_program({"database": {"master_password_readers": [role]}}).of("secretsmanager/secret:Secret")
    statement = json.loads(secret.inputs["policy"])["Statement"][1]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "secretsmanager:GetSecretValue")
    assert statement["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": [role]}}


@pytest.mark.parametrize(("clients", "public"), [([], []), (["10.99.0.0/24", "203.0.113.0/24"], ["203.0.113.0/24"])])
def test_default_network_acl_admits_private_addresses_and_clients(clients: list[str], public: list[str]) -> None:
    """In both directions, because an ACL has no memory; both VPCs' addresses are private."""
    run = run_program({"primary": {"client_cidrs": clients}})
    (acl,) = run.of("ec2/defaultNetworkAcl:DefaultNetworkAcl", "us-east-1")
    for direction in ("ingress", "egress"):
        rules = acl.inputs[direction]
        assert [each["cidrBlock"] for each in rules] == [*PRIVATE_RANGES, *public]
        assert len({each["ruleNo"] for each in rules}) == len(rules)
        assert {(each["action"], each["protocol"]) for each in rules} == {("allow", "-1")}
    assert acl.inputs["defaultNetworkAclId"] == "primary-network-vpc-default-acl"
    assert acl.ignore_changes == ("subnetIds",)
    for label in ("primary", "secondary"):
        vpc = ipaddress.IPv4Network(run.exports[f"{label}_vpc_cidr"])
        assert any(vpc.subnet_of(ipaddress.IPv4Network(each)) for each in PRIVATE_RANGES)


# --- What the embedded AWS does not return, so that Prowler cannot see it: audit/catalogue.toml names these tests ---------------------

CLUSTER, INSTANCE = "rds/cluster:Cluster", "rds/clusterInstance:ClusterInstance"


def test_clusters_export_the_audit_log(any_run: Run) -> None:
    """The exports are inputs of both clusters."""
    assert all("audit" in cluster.inputs["enabledCloudwatchLogsExports"] for cluster in any_run.of(CLUSTER))


def test_clusters_are_encrypted_and_have_iam_authentication(any_run: Run) -> None:
    """Instances inherit both from their cluster."""
    names = ("storageEncrypted", "iamDatabaseAuthenticationEnabled")
    assert [[cluster.inputs[name] for name in names] for cluster in any_run.of(CLUSTER)] == [[True, True]] * 2


def test_cluster_uses_the_database_security_group(dev: Run) -> None:
    """The group that admits both networks to the database's port."""
    for cluster in dev.of(CLUSTER):
        (group,) = [
            r for r in dev.of("ec2/securityGroup:SecurityGroup", cluster.region) if r.name.endswith("-network-database")
        ]
        assert group.urn in cluster.property_dependencies["vpcSecurityGroupIds"]


def test_instances_are_in_different_zones(prod: Run) -> None:
    """AWS counts a cluster as Multi-AZ if its instances are in more than one zone."""
    for region in REGIONS:
        zones = [instance.inputs["availabilityZone"] for instance in prod.of(INSTANCE, region)]
        assert len(set(zones)) == len(zones) == 3


def test_instances_have_enhanced_monitoring(any_run: Run) -> None:
    """Each has an interval and the role that writes the metrics."""
    for instance in any_run.of(INSTANCE):
        assert instance.inputs["monitoringInterval"] >= 1
        assert any("monitoring" in urn for urn in instance.property_dependencies["monitoringRoleArn"])


def test_instances_have_a_certificate_authority(any_run: Run) -> None:
    """RDS renews the certificates of an authority that the setting names."""
    assert all(instance.inputs["caCertIdentifier"].startswith("rds-ca-") for instance in any_run.of(INSTANCE))


def test_only_managed_policy_is_that_of_enhanced_monitoring(any_run: Run) -> None:
    """AWS's own allows writing to one log group; all other permissions are in the program's policies."""
    attached = any_run.of("iam/rolePolicyAttachment:RolePolicyAttachment")
    assert {r.name.partition("-database-")[2] for r in attached} == {"monitoring"}
