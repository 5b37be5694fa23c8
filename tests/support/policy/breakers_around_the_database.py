"""A change of a stack that violates each rule on networks, DNS, alarms, functions, policies and data protection."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pulumi

from policy.rules.stack_model import Stack
from tests.support.policy.breaking import (
    GONE,
    Breaker,
    another,
    both,
    inputs,
    options,
    statement,
    unlinked,
    within,
    without,
    without_dependencies,
)

VPC, SUBNET, GROUP = "ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/securityGroup:SecurityGroup"
INGRESS = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
PEERING = "ec2/vpcPeeringConnection:VpcPeeringConnection"
CHECK, RECORD, ZONE = "route53/healthCheck:HealthCheck", "route53/record:Record", "route53/zone:Zone"
ALARM, DASHBOARD = "cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/dashboard:Dashboard"
FUNCTION, SCHEDULE = "lambda/function:Function", "scheduler/schedule:Schedule"
EVENTS, TARGET = "cloudwatch/eventRule:EventRule", "cloudwatch/eventTarget:EventTarget"
ROLE, POLICY = "iam/role:Role", "iam/rolePolicy:RolePolicy"
KEY, SECRET, TABLE = "kms/key:Key", "secretsmanager/secret:Secret", "dynamodb/table:Table"
TOPIC, TOPIC_POLICY, LOG = "sns/topic:Topic", "sns/topicPolicy:TopicPolicy", "cloudwatch/logGroup:LogGroup"
PERMISSION = "lambda/permission:Permission"
CONTROLLER = "primary-watch-controller"


def _first_metric(metric: str) -> Any:
    def edit(body: Any) -> None:
        body["widgets"][0]["properties"]["metrics"][0][1] = metric

    return edit


def _threshold(value: int) -> Callable[[Stack], Stack]:
    def change(stack: Stack) -> Stack:
        name = next(r.name for r in stack.of_type(CHECK) if r.get("type") == "CALCULATED")
        (check,) = (r for r in stack.of_type(CHECK) if r.name == name)
        return Stack(
            tuple(
                replace(r, inputs={**r.inputs, "childHealthThreshold": value}) if r is check else r
                for r in stack.resources
            )
        )

    return change


BREAKERS: Mapping[str, Breaker] = {
    "vpc-cidrs-are-disjoint": Breaker(
        change=another(
            VPC, "primary", region="eu-west-1", inputs={"cidrBlock": "10.10.128.0/17"}, property_dependencies={}
        ),
        also=frozenset({"default-security-groups-are-empty", "default-network-acls-are-limited"}),
    ),
    "cidr-sizes-are-valid": Breaker(
        change=inputs(SUBNET, "primary-network-private-3", cidrBlock="10.10.128.0/29"),
    ),
    "subnet-cidrs-fit-vpc": Breaker(change=inputs(SUBNET, "primary-network-private-2", cidrBlock="10.10.0.0/20")),
    "vpcs-enable-dns": Breaker(change=inputs(VPC, enableDnsHostnames=GONE)),
    "networks-have-no-internet-access": Breaker(change=inputs(SUBNET, mapPublicIpOnLaunch=True)),
    "security-group-references-are-regional": Breaker(
        change=both(
            inputs(INGRESS, "primary", cidrIpv4=GONE, referencedSecurityGroupId="sg-1"),
            unlinked(INGRESS, "primary", "referencedSecurityGroupId", GROUP, "secondary"),
        ),
        also=frozenset({"inputs-come-from-same-region"}),
    ),
    "security-group-rules-are-specific": Breaker(change=inputs(INGRESS, cidrIpv4="0.0.0.0/0")),
    "database-ingress-uses-cluster-port": Breaker(change=inputs(INGRESS, fromPort=22, toPort=22)),
    "security-group-rules-are-standalone": Breaker(change=inputs(GROUP, ingress=[{"fromPort": 3306}])),
    "descriptions-match-ec2-constraints": Breaker(
        change=inputs(GROUP, description="MySQL — nothing else"), also=frozenset({"inputs-match-aws-schemas"})
    ),
    "peering-is-accepted-by-peer": Breaker(change=inputs(PEERING, autoAccept=True)),
    "routes-are-bidirectional": Breaker(change=inputs("ec2/route:Route", destinationCidrBlock="10.99.0.0/16")),
    "peering-resolves-private-dns": Breaker(
        change=inputs("ec2/peeringConnectionOptions:PeeringConnectionOptions", "accepter", accepter={})
    ),
    "default-security-groups-are-empty": Breaker(
        change=without("ec2/defaultSecurityGroup:DefaultSecurityGroup", "secondary"),
    ),
    "default-network-acls-are-limited": Breaker(
        change=without("ec2/defaultNetworkAcl:DefaultNetworkAcl", "secondary"),
    ),
    "health-check-alarms-are-supported": Breaker(
        change=inputs(ALARM, "secondary-watch-monitoring-writer-role", datapointsToAlarm=2)
    ),
    "health-check-alarms-exist": Breaker(change=inputs(CHECK, "home-is-writer", cloudwatchAlarmRegion="eu-west-1")),
    "health-checks-define-missing-data": Breaker(
        change=inputs(CHECK, "home-is-writer", insufficientDataHealthStatus=GONE),
    ),
    "health-checks-use-metrics": Breaker(change=inputs(CHECK, "home-is-writer", type="TCP")),
    "calculated-health-checks-are-flat": Breaker(change=_threshold(4)),
    "health-checks-track-alarm-changes": Breaker(change=inputs(CHECK, "home-is-writer", triggers=GONE)),
    "failover-records-are-paired": Breaker(change=inputs(RECORD, "writer-secondary", healthCheckId="check")),
    "failover-record-ttls-are-short": Breaker(change=inputs(RECORD, "writer-primary", ttl=300)),
    "record-identifiers-are-unique": Breaker(change=inputs(RECORD, "reader-eu-west-1", setIdentifier="us-east-1")),
    "record-names-match-zone": Breaker(
        change=both(
            inputs(RECORD, "writer-primary", name="writer.elsewhere.internal"),
            inputs(RECORD, "writer-secondary", name="writer.elsewhere.internal"),
        )
    ),
    "hosted-zones-are-private": Breaker(change=inputs(ZONE, vpcs=GONE)),
    "alarm-actions-are-regional": Breaker(
        change=inputs(ALARM, "primary-watch", alarmActions=["arn:aws:sns:eu-west-1:123456789012:topic"])
    ),
    "alarms-define-missing-data": Breaker(change=inputs(ALARM, treatMissingData=GONE)),
    "alarm-definitions-are-complete": Breaker(change=inputs(ALARM, "cpu", extendedStatistic="p99")),
    "alarm-periods-are-bounded": Breaker(change=inputs(ALARM, "cpu", evaluationPeriods=1441)),
    "alarms-use-published-metrics": Breaker(change=inputs(ALARM, "cpu", metricName="CpuUtilization")),
    "route53-alarms-are-in-us-east-1": Breaker(
        change=both(
            options(ALARM, "dns-writer", region="eu-west-1"), inputs(ALARM, "dns-writer", alarmActions=[], okActions=[])
        ),
        also=frozenset({"inputs-come-from-same-region", "alarm-actions-are-regional"}),
    ),
    "alarm-dimensions-are-regional": Breaker(
        change=inputs(
            ALARM, "primary-watch-monitoring-cpu", dimensions={"DBClusterIdentifier": "payments-eu-west-1-dev"}
        )
    ),
    "alarms-notify-recovery": Breaker(change=inputs(ALARM, "cpu", okActions=GONE)),
    "dashboard-widgets-fit-grid": Breaker(
        change=within(DASHBOARD, "", "dashboardBody", lambda body: body["widgets"][1].update(x=0))
    ),
    "dashboards-use-published-metrics": Breaker(
        change=within(DASHBOARD, "", "dashboardBody", _first_metric("WriterRoll"))
    ),
    "dashboards-read-own-region": Breaker(
        change=within(
            DASHBOARD, "", "dashboardBody", lambda b: b["widgets"][0]["properties"].update(region="eu-west-1")
        )
    ),
    "function-runtimes-are-supported": Breaker(change=inputs(FUNCTION, runtime="python3.12")),
    "function-limits-are-valid": Breaker(change=inputs(FUNCTION, timeout=901)),
    "function-environments-are-valid": Breaker(
        change=within(FUNCTION, "controller", "environment", lambda e: e["variables"].update(NOTE="x" * 4096))
    ),
    "scheduled-functions-allow-overlap": Breaker(change=inputs(FUNCTION, CONTROLLER, reservedConcurrentExecutions=0)),
    "packages-contain-handlers": Breaker(
        change=inputs(FUNCTION, CONTROLLER, handler="functions.failover_controller.main.handler")
    ),
    "packages-are-deterministic": Breaker(
        change=inputs(
            FUNCTION,
            CONTROLLER,
            code=pulumi.AssetArchive(
                {
                    "functions/failover_controller/handler.py": pulumi.StringAsset(""),
                    "boto3/__init__.py": pulumi.StringAsset(""),
                }
            ),
        )
    ),
    "vpc-functions-span-zones": Breaker(
        change=within(FUNCTION, "primary-health", "vpcConfig", lambda network: network.update(subnetIds=["subnet-1"]))
    ),
    "functions-use-managed-log-groups": Breaker(change=unlinked(FUNCTION, CONTROLLER, "loggingConfig")),
    "async-invocations-are-bounded": Breaker(
        change=inputs("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", maximumRetryAttempts=3),
        also=frozenset({"inputs-match-aws-schemas"}),
    ),
    "schedules-run-every-minute": Breaker(change=inputs(SCHEDULE, scheduleExpression="rate(5 minutes)")),
    "schedules-have-execution-roles": Breaker(
        change=statement(ROLE, f"{CONTROLLER}-schedule", 0, Principal={"Service": "events.amazonaws.com"})
    ),
    "lambda-permissions-name-source": Breaker(change=inputs(PERMISSION, sourceArn=GONE)),
    "event-rules-cover-failover-events": Breaker(
        change=within(EVENTS, "", "eventPattern", lambda pattern: pattern["detail"]["EventID"].remove("RDS-EVENT-0239"))
    ),
    "event-rules-are-valid": Breaker(
        change=within(
            EVENTS, "", "eventPattern", lambda pattern: pattern.update({"detail-type": "RDS DB Cluster Event"})
        )
    ),
    "event-targets-have-invoke-permissions": Breaker(change=without_dependencies(TARGET, "record")),
    "iam-policies-are-valid": Breaker(change=statement(POLICY, f"{CONTROLLER}-permissions", 0, Resource=GONE)),
    "iam-actions-exist": Breaker(change=statement(POLICY, f"{CONTROLLER}-permissions", 0, Action="logs:PutLogEvent")),
    "iam-actions-are-explicit": Breaker(change=statement(POLICY, f"{CONTROLLER}-permissions", 0, Action="logs:*")),
    "wildcard-resources-are-justified": Breaker(change=statement(POLICY, f"{CONTROLLER}-permissions", 5, Resource="*")),
    "role-trust-is-scoped": Breaker(change=statement(ROLE, f"{CONTROLLER}-role", 0, Condition=GONE)),
    "policy-principals-are-specific": Breaker(
        change=statement(TOPIC_POLICY, "", 1, Principal="*"), also=frozenset({"event-topics-allow-eventbridge"})
    ),
    "failover-permissions-cover-all-clusters": Breaker(
        change=within(
            POLICY, f"{CONTROLLER}-permissions", "policy", lambda policy: policy["Statement"][3]["Resource"].pop()
        )
    ),
    "managed-policies-are-approved": Breaker(
        change=inputs(
            "iam/rolePolicyAttachment:RolePolicyAttachment", policyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        )
    ),
    "kms-keys-rotate-and-are-recoverable": Breaker(change=inputs(KEY, enableKeyRotation=False)),
    "kms-policies-retain-account-control": Breaker(change=statement(KEY, "", 0, Action="kms:DescribeKey")),
    "kms-policies-allow-log-groups": Breaker(change=inputs(LOG, "database-setup", name="/elsewhere/setup-dev")),
    "kms-policies-allow-topic-publishers": Breaker(
        change=statement(KEY, "", 2, Principal={"Service": ["cloudwatch.amazonaws.com"]})
    ),
    "stored-data-uses-managed-keys": Breaker(change=unlinked(TOPIC, "", "kmsMasterKeyId")),
    "secrets-are-replicated": Breaker(change=inputs(SECRET, replicas=GONE)),
    "secret-recovery-windows-are-valid": Breaker(
        change=inputs(SECRET, recoveryWindowInDays=3), also=frozenset({"nonproduction-stacks-are-destroyable"})
    ),
    "secrets-are-not-plain-text": Breaker(
        change=options("secretsmanager/secretVersion:SecretVersion", secret_inputs=frozenset()),
    ),
    "table-attributes-match-keys": Breaker(
        change=inputs(TABLE, attributes=[{"name": "item", "type": "S"}]),
    ),
    "audit-table-is-recoverable": Breaker(change=inputs(TABLE, pointInTimeRecovery=GONE)),
    "log-retention-is-valid": Breaker(change=inputs(LOG, retentionInDays=GONE)),
    "event-topics-allow-eventbridge": Breaker(
        change=statement(TOPIC_POLICY, "", 1, Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}})
    ),
    "alarm-topics-allow-cloudwatch": Breaker(change=statement(TOPIC_POLICY, "", 0, Condition=GONE)),
    "email-subscriptions-are-valid": Breaker(
        change=another(
            TOPIC,
            type="aws:sns/topicSubscription:TopicSubscription",
            inputs={"protocol": "email", "endpoint": "oncall"},
        ),
    ),
}
