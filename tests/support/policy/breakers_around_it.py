"""What breaks each rule on networks, names, alarms, functions, policies and what is kept: one change of a real stack a rule."""

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
    hurried,
    inputs,
    options,
    statement,
    unlinked,
    within,
    without,
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
TOPIC, PUBLISHERS, LOG = "sns/topic:Topic", "sns/topicPolicy:TopicPolicy", "cloudwatch/logGroup:LogGroup"
PERMISSION = "lambda/permission:Permission"
CONTROLLER = "primary-watch-controller"


def _first_line(metric: str) -> Any:
    def edit(body: Any) -> None:
        body["widgets"][0]["properties"]["metrics"][0][1] = metric

    return edit


def _threshold(votes: int) -> Callable[[Stack], Stack]:
    def change(stack: Stack) -> Stack:
        name = next(r.name for r in stack.of(CHECK) if r.get("type") == "CALCULATED")
        (alone,) = (r for r in stack.of(CHECK) if r.name == name)
        return Stack(
            tuple(
                replace(r, inputs={**r.inputs, "childHealthThreshold": votes}) if r is alone else r
                for r in stack.resources
            )
        )

    return change


BREAKERS: Mapping[str, Breaker] = {
    "networks-do-not-overlap": Breaker(
        change=another(
            VPC, "primary", region="eu-west-1", inputs={"cidrBlock": "10.10.128.0/17"}, property_dependencies={}
        ),
        also=frozenset({"the-default-group-is-empty"}),
    ),
    "networks-are-of-a-size-that-aws-takes": Breaker(
        change=inputs(SUBNET, "primary-network-private-3", cidrBlock="10.10.128.0/29"),
    ),
    "subnets-share-out-their-network": Breaker(
        change=inputs(SUBNET, "primary-network-private-2", cidrBlock="10.10.0.0/20")
    ),
    "networks-resolve-names": Breaker(change=inputs(VPC, enableDnsHostnames=GONE)),
    "nothing-leads-to-the-internet": Breaker(change=inputs(SUBNET, mapPublicIpOnLaunch=True)),
    "no-group-is-referenced-across-regions": Breaker(
        change=both(
            inputs(INGRESS, "primary", cidrIpv4=GONE, referencedSecurityGroupId="sg-1"),
            unlinked(INGRESS, "primary", "referencedSecurityGroupId", GROUP, "secondary"),
        ),
        also=frozenset({"inputs-come-from-the-same-region"}),
    ),
    "security-rules-name-one-peer-and-its-ports": Breaker(change=inputs(INGRESS, cidrIpv4="0.0.0.0/0")),
    "the-database-lets-in-its-port-alone": Breaker(change=inputs(INGRESS, fromPort=22, toPort=22)),
    "groups-have-their-rules-in-one-place": Breaker(change=inputs(GROUP, ingress=[{"fromPort": 3306}])),
    "descriptions-are-such-as-ec2-takes": Breaker(
        change=inputs(GROUP, description="MySQL — nothing else"), also=frozenset({"inputs-are-within-awss-schemas"})
    ),
    "the-peering-is-accepted-where-it-leads": Breaker(change=inputs(PEERING, autoAccept=True)),
    "packets-find-their-way-and-back": Breaker(change=inputs("ec2/route:Route", destinationCidrBlock="10.99.0.0/16")),
    "names-resolve-across-the-peering": Breaker(
        change=inputs("ec2/peeringConnectionOptions:PeeringConnectionOptions", "accepter", accepter={})
    ),
    "the-default-group-is-empty": Breaker(
        change=without("ec2/defaultSecurityGroup:DefaultSecurityGroup", "secondary"),
    ),
    "followed-alarms-are-such-as-route-53-can-follow": Breaker(
        change=inputs(ALARM, "secondary-watch-monitoring-writer-role", datapointsToAlarm=2)
    ),
    "checks-follow-an-alarm-of-the-region-that-they-name": Breaker(
        change=inputs(CHECK, "home-is-writer", cloudwatchAlarmRegion="eu-west-1")
    ),
    "checks-say-what-missing-data-means": Breaker(
        change=inputs(CHECK, "home-is-writer", insufficientDataHealthStatus=GONE),
    ),
    "no-check-needs-a-way-to-the-database": Breaker(change=inputs(CHECK, "home-is-writer", type="TCP")),
    "calculated-checks-are-flat": Breaker(change=_threshold(4)),
    "checks-are-written-anew-with-their-alarm": Breaker(change=inputs(CHECK, "home-is-writer", triggers=GONE)),
    "failover-records-come-in-pairs": Breaker(change=inputs(RECORD, "writer-secondary", healthCheckId="check")),
    "names-that-move-are-not-remembered-for-long": Breaker(change=inputs(RECORD, "writer-primary", ttl=300)),
    "alternatives-have-an-id-each": Breaker(change=inputs(RECORD, "reader-eu-west-1", setIdentifier="us-east-1")),
    "records-are-in-their-zone": Breaker(
        change=both(
            inputs(RECORD, "writer-primary", name="writer.elsewhere.internal"),
            inputs(RECORD, "writer-secondary", name="writer.elsewhere.internal"),
        )
    ),
    "zones-are-private-and-free-to-use": Breaker(change=inputs(ZONE, vpcs=GONE)),
    "alarms-call-people-in-their-own-region": Breaker(
        change=inputs(ALARM, "primary-watch", alarmActions=["arn:aws:sns:eu-west-1:123456789012:topic"])
    ),
    "alarms-say-what-missing-data-means": Breaker(change=inputs(ALARM, treatMissingData=GONE)),
    "alarms-have-one-metric-statistic-and-comparison": Breaker(change=inputs(ALARM, "cpu", extendedStatistic="p99")),
    "alarms-look-back-a-day-at-most": Breaker(change=inputs(ALARM, "cpu", evaluationPeriods=1441)),
    "alarms-watch-metrics-that-are-published": Breaker(change=inputs(ALARM, "cpu", metricName="CpuUtilization")),
    "alarms-on-health-checks-stand-where-the-metrics-are": Breaker(
        change=both(
            options(ALARM, "dns-writer", region="eu-west-1"), inputs(ALARM, "dns-writer", alarmActions=[], okActions=[])
        ),
        also=frozenset({"inputs-come-from-the-same-region", "alarms-call-people-in-their-own-region"}),
    ),
    "alarms-watch-what-is-in-their-region": Breaker(
        change=inputs(
            ALARM, "primary-watch-monitoring-cpu", dimensions={"DBClusterIdentifier": "payments-eu-west-1-dev"}
        )
    ),
    "alarms-say-when-it-is-over": Breaker(change=inputs(ALARM, "cpu", okActions=GONE)),
    "dashboards-fill-their-grid": Breaker(
        change=within(DASHBOARD, "", "dashboardBody", lambda body: body["widgets"][1].update(x=0))
    ),
    "dashboards-draw-metrics-that-are-published": Breaker(
        change=within(DASHBOARD, "", "dashboardBody", _first_line("WriterRoll"))
    ),
    "dashboards-look-at-their-own-region": Breaker(
        change=within(
            DASHBOARD, "", "dashboardBody", lambda b: b["widgets"][0]["properties"].update(region="eu-west-1")
        )
    ),
    "functions-run-on-python-3-13-and-arm64": Breaker(change=inputs(FUNCTION, runtime="python3.12")),
    "functions-are-within-time-and-memory": Breaker(change=inputs(FUNCTION, timeout=901)),
    "environments-are-such-as-lambda-takes": Breaker(
        change=within(FUNCTION, "controller", "environment", lambda e: e["variables"].update(NOTE="x" * 4096))
    ),
    "what-a-schedule-starts-has-two-places": Breaker(
        change=inputs(FUNCTION, CONTROLLER, reservedConcurrentExecutions=0)
    ),
    "packages-hold-their-handler-and-no-more-than-lambda-unpacks": Breaker(
        change=inputs(FUNCTION, CONTROLLER, handler="failover_controller.main.handler")
    ),
    "packages-hold-nothing-that-changes-by-itself": Breaker(
        change=inputs(
            FUNCTION,
            CONTROLLER,
            code=pulumi.AssetArchive(
                {
                    "failover_controller/handler.py": pulumi.StringAsset(""),
                    "boto3/__init__.py": pulumi.StringAsset(""),
                }
            ),
        )
    ),
    "functions-in-a-network-have-zones-to-choose-from": Breaker(
        change=within(FUNCTION, "primary-health", "vpcConfig", lambda network: network.update(subnetIds=["subnet-1"]))
    ),
    "functions-log-to-a-group-of-ours": Breaker(change=unlinked(FUNCTION, CONTROLLER, "loggingConfig")),
    "asynchronous-events-live-within-limits": Breaker(
        change=inputs("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", maximumRetryAttempts=3),
        also=frozenset({"inputs-are-within-awss-schemas"}),
    ),
    "schedules-start-every-minute": Breaker(change=inputs(SCHEDULE, scheduleExpression="rate(5 minutes)")),
    "schedules-have-a-role-that-the-scheduler-may-take": Breaker(
        change=statement(ROLE, f"{CONTROLLER}-schedule", 0, Principal={"Service": "events.amazonaws.com"})
    ),
    "who-may-start-a-function-is-named": Breaker(change=inputs(PERMISSION, sourceArn=GONE)),
    "the-event-rule-hears-every-event-of-a-failover": Breaker(
        change=within(EVENTS, "", "eventPattern", lambda pattern: pattern["detail"]["EventID"].remove("RDS-EVENT-0239"))
    ),
    "event-rules-are-on-and-well-formed": Breaker(
        change=within(
            EVENTS, "", "eventPattern", lambda pattern: pattern.update({"detail-type": "RDS DB Cluster Event"})
        )
    ),
    "functions-behind-an-event-rule-may-be-started-by-it": Breaker(change=hurried(TARGET, "record")),
    "policies-are-valid": Breaker(change=statement(POLICY, f"{CONTROLLER}-permissions", 0, Resource=GONE)),
    "policies-name-actions-that-exist": Breaker(
        change=statement(POLICY, f"{CONTROLLER}-permissions", 0, Action="logs:PutLogEvent")
    ),
    "no-role-may-do-everything": Breaker(change=statement(POLICY, f"{CONTROLLER}-permissions", 0, Action="logs:*")),
    "every-resource-is-allowed-only-where-it-must-be": Breaker(
        change=statement(POLICY, f"{CONTROLLER}-permissions", 5, Resource="*")
    ),
    "roles-trust-a-service-for-this-account-alone": Breaker(
        change=statement(ROLE, f"{CONTROLLER}-role", 0, Condition=GONE)
    ),
    "nobody-is-everybody": Breaker(
        change=statement(PUBLISHERS, "", 1, Principal="*"), also=frozenset({"events-reach-their-topic"})
    ),
    "who-fails-over-may-do-so-on-all-three": Breaker(
        change=within(
            POLICY, f"{CONTROLLER}-permissions", "policy", lambda policy: policy["Statement"][3]["Resource"].pop()
        )
    ),
    "managed-policies-are-the-ones-that-are-known": Breaker(
        change=inputs(
            "iam/rolePolicyAttachment:RolePolicyAttachment", policyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        )
    ),
    "keys-rotate-and-can-be-called-back": Breaker(change=inputs(KEY, enableKeyRotation=False)),
    "keys-obey-their-account": Breaker(change=statement(KEY, "", 0, Action="kms:DescribeKey")),
    "keys-let-their-log-groups-encrypt": Breaker(change=inputs(LOG, "database-setup", name="/elsewhere/setup-dev")),
    "keys-let-publishers-of-their-topics-encrypt": Breaker(
        change=statement(KEY, "", 2, Principal={"Service": ["cloudwatch.amazonaws.com"]})
    ),
    "what-is-kept-is-encrypted-by-our-key": Breaker(change=unlinked(TOPIC, "", "kmsMasterKeyId")),
    "secrets-are-kept-in-the-other-region-too": Breaker(change=inputs(SECRET, replicas=GONE)),
    "secrets-can-be-called-back-for-a-time-that-aws-has": Breaker(
        change=inputs(SECRET, recoveryWindowInDays=3), also=frozenset({"other-stacks-can-be-destroyed-and-made-again"})
    ),
    "secrets-stay-secret": Breaker(
        change=options("secretsmanager/secretVersion:SecretVersion", secret_inputs=frozenset()),
    ),
    "tables-declare-their-keys-and-nothing-else": Breaker(
        change=inputs(TABLE, attributes=[{"name": "item", "type": "S"}]),
    ),
    "the-audit-trail-can-be-restored": Breaker(change=inputs(TABLE, pointInTimeRecovery=GONE)),
    "logs-are-kept-for-a-time-that-aws-has": Breaker(change=inputs(LOG, retentionInDays=GONE)),
    "events-reach-their-topic": Breaker(
        change=statement(PUBLISHERS, "", 1, Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}})
    ),
    "alarms-reach-their-topic": Breaker(change=statement(PUBLISHERS, "", 0, Condition=GONE)),
    "subscribers-can-be-reached": Breaker(
        change=another(
            TOPIC,
            type="aws:sns/topicSubscription:TopicSubscription",
            inputs={"protocol": "email", "endpoint": "nobody"},
        ),
    ),
}
