"""CloudWatch log groups, alarms and dashboards; EventBridge rules and their targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.provider.resources.convert import pascal, renamed, tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    HandlerError,
    Request,
    delete_by_id,
    own,
    provider_only,
    sent,
)


def _create_log_group(request: Request) -> Created:
    logs = request.client("logs")
    name = request.inputs["name"]
    logs.create_log_group(**request.parameters())
    retention_days = request.take("retentionInDays")
    if retention_days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)
    return _read_log_group(logs, name)


def _read_log_group(logs: Any, name: str) -> Created:
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    held = next(dict(group) for group in groups if group["logGroupName"] == name)
    arn = held["arn"].removesuffix(":*")
    held["tags"] = logs.list_tags_for_resource(resourceArn=arn)["tags"]
    return Created(id=name, outputs={"arn": arn}, held=held)


def _update_log_group(request: Request) -> Created:
    """Set the retention and the tags; name and class can't be changed."""
    logs = request.client("logs")
    name = request.id
    if "retentionInDays" in request.changed:
        retention_days = request.take("retentionInDays")
        if retention_days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)
        else:
            logs.delete_retention_policy(logGroupName=name)
    if "tags" in request.changed:
        logs.tag_resource(resourceArn=request.outputs["arn"], tags=request.take("tags", {}))
    return _read_log_group(logs, name)


def _create_alarm(request: Request) -> Created:
    cloudwatch = request.client("cloudwatch")
    name = request.inputs["name"]
    cloudwatch.put_metric_alarm(**request.parameters())
    return _read_alarm(cloudwatch, name)


def _read_alarm(cloudwatch: Any, name: str) -> Created:
    held = dict(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0])
    held["Tags"] = cloudwatch.list_tags_for_resource(ResourceARN=held["AlarmArn"])["Tags"]
    return Created(id=name, outputs={"arn": held["AlarmArn"]}, held=held)


def _update_alarm(request: Request) -> Created:
    """Overwrite the alarm. PutMetricAlarm does not change the tags of an existing alarm.

    Source: PutMetricAlarm, CloudWatch API reference.
    """
    cloudwatch = request.client("cloudwatch")
    cloudwatch.put_metric_alarm(**{name: value for name, value in request.parameters().items() if name != "Tags"})
    if "tags" in request.changed:
        cloudwatch.tag_resource(ResourceARN=request.outputs["arn"], Tags=tag_list(request.take("tags", {})))
    return _read_alarm(cloudwatch, request.id)


def _dimensions(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]


def _create_dashboard(request: Request) -> Created:
    cloudwatch = request.client("cloudwatch")
    name = request.inputs["dashboardName"]
    response = cloudwatch.put_dashboard(**request.parameters())
    if response.get("DashboardValidationMessages"):
        raise HandlerError(
            f"CloudWatch rejected the dashboard: {response['DashboardValidationMessages']}", property="dashboardBody"
        )
    held = cloudwatch.get_dashboard(DashboardName=name)
    return Created(id=name, outputs={"dashboardArn": held["DashboardArn"]}, held=held)


def _create_event_rule(request: Request) -> Created:
    events = request.client("events")
    name = request.inputs["name"]
    arn = events.put_rule(**request.parameters())["RuleArn"]
    held = dict(events.describe_rule(Name=name))
    held["Tags"] = events.list_tags_for_resource(ResourceARN=arn)["Tags"]
    return Created(id=name, outputs={"arn": arn}, held=held)


def _create_event_target(request: Request) -> Created:
    events = request.client("events")
    rule, target_id = request.take("rule"), request.take("targetId")
    target = {"Id": target_id, "Arn": request.take("arn")}
    for name, parameter in (("input", "Input"), ("roleArn", "RoleArn")):
        if request.take(name) is not None:
            target[parameter] = request.take(name)
    if request.take("inputTransformer"):
        target["InputTransformer"] = _input_transformer(request.take("inputTransformer"))
    if request.take("retryPolicy"):
        target["RetryPolicy"] = pascal(request.take("retryPolicy"))
    response = events.put_targets(Rule=rule, Targets=[target])
    if response["FailedEntryCount"]:
        raise HandlerError(f"EventBridge rejected these entries: {response['FailedEntries']}")
    held = next(each for each in events.list_targets_by_rule(Rule=rule)["Targets"] if each["Id"] == target_id)
    return Created(id=f"{rule}-{target_id}", outputs={}, held={**held, "Rule": rule})


_input_transformer = renamed(inputPaths="InputPathsMap", inputTemplate="InputTemplate")


def _delete_log_group(request: DeleteRequest) -> None:
    if not request.inputs.get("skipDestroy"):
        request.client("logs").delete_log_group(logGroupName=request.id)


def _delete_event_target(request: DeleteRequest) -> None:
    response = request.client("events").remove_targets(Rule=request.inputs["rule"], Ids=[request.inputs["targetId"]])
    if response["FailedEntryCount"]:
        raise HandlerError(f"EventBridge rejected these entries: {response['FailedEntries']}")


HANDLERS = {
    "aws:cloudwatch/logGroup:LogGroup": Handler(
        create=_create_log_group,
        update=_update_log_group,
        delete=_delete_log_group,
        properties={
            "name": sent("logGroupName"),
            "kmsKeyId": sent("kmsKeyId"),
            "logGroupClass": sent("logGroupClass"),
            "retentionInDays": own(held="retentionInDays"),
            "skipDestroy": provider_only("with it the provider keeps the group on destroy"),
            "tags": sent("tags"),
        },
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Handler(
        create=_create_alarm,
        update=_update_alarm,
        delete=delete_by_id("cloudwatch", "delete_alarms", "AlarmNames", in_list=True),
        properties={
            "name": sent("AlarmName"),
            "alarmDescription": sent("AlarmDescription"),
            "namespace": sent("Namespace"),
            "metricName": sent("MetricName"),
            "dimensions": sent("Dimensions", convert=_dimensions),
            "statistic": sent("Statistic"),
            "extendedStatistic": sent("ExtendedStatistic"),
            "unit": sent("Unit"),
            "period": sent("Period"),
            "evaluationPeriods": sent("EvaluationPeriods"),
            "datapointsToAlarm": sent("DatapointsToAlarm"),
            "threshold": sent("Threshold"),
            "comparisonOperator": sent("ComparisonOperator"),
            "treatMissingData": sent("TreatMissingData"),
            "actionsEnabled": sent("ActionsEnabled"),
            "alarmActions": sent("AlarmActions"),
            "okActions": sent("OKActions"),
            "insufficientDataActions": sent("InsufficientDataActions"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:cloudwatch/dashboard:Dashboard": Handler(
        create=_create_dashboard,
        update=_create_dashboard,
        delete=delete_by_id("cloudwatch", "delete_dashboards", "DashboardNames", in_list=True),
        properties={"dashboardName": sent("DashboardName"), "dashboardBody": sent("DashboardBody")},
    ),
    "aws:cloudwatch/eventRule:EventRule": Handler(
        create=_create_event_rule,
        delete=delete_by_id("events", "delete_rule", "Name"),
        properties={
            "name": sent("Name"),
            "description": sent("Description"),
            "eventPattern": sent("EventPattern"),
            "scheduleExpression": sent("ScheduleExpression"),
            "state": sent("State"),
            "roleArn": sent("RoleArn"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Handler(
        create=_create_event_target,
        update=_create_event_target,
        delete=_delete_event_target,
        properties={
            "rule": own(held="Rule"),
            "targetId": own(held="Id"),
            "arn": own(held="Arn"),
            "input": own(held="Input"),
            "roleArn": own(held="RoleArn"),
            "inputTransformer": own(held="InputTransformer", expected=_input_transformer),
            "retryPolicy": own(held="RetryPolicy", expected=pascal),
        },
    ),
}
