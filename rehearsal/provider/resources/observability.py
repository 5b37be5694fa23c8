"""CloudWatch log groups, alarms and dashboards; EventBridge rules and their targets."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.provider.resources.convert import tag_list
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    Handler,
    HandlerError,
    Request,
    delete_by_id,
    first_found,
    own,
    read_by_id,
    sent,
    unchanged,
)
from rehearsal.provider.resources.tags import retag


def _create_log_group(request: Request) -> Created:
    logs = request.client("logs")
    name = request.inputs["name"]
    logs.create_log_group(**request.parameters())
    retention_days = request.take("retentionInDays")
    if retention_days:
        logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)
    return _describe_log_group(request, name)


def _describe_log_group(request: Request, name: str) -> Created:
    logs = request.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    held = first_found(dict(group) for group in groups if group["logGroupName"] == name)
    arn = held["arn"].removesuffix(":*")
    held["tags"] = logs.list_tags_for_resource(resourceArn=arn)["tags"]
    return Created(id=name, outputs={"arn": arn}, held=held)


def _update_log_group(request: Request) -> Created:
    """Set the retention; name and class can't be changed."""
    logs = request.client("logs")
    name = request.id
    if "retentionInDays" in request.changed:
        retention_days = request.take("retentionInDays")
        if retention_days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)
        else:
            logs.delete_retention_policy(logGroupName=name)
    return _describe_log_group(request, name)


def _create_alarm(request: Request) -> Created:
    cloudwatch = request.client("cloudwatch")
    name = request.inputs["name"]
    cloudwatch.put_metric_alarm(**request.parameters())
    return _describe_alarm(request, name)


def _describe_alarm(request: Request, name: str) -> Created:
    cloudwatch = request.client("cloudwatch")
    held = dict(first_found(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]))
    held["Tags"] = cloudwatch.list_tags_for_resource(ResourceARN=held["AlarmArn"])["Tags"]
    return Created(id=name, outputs={"arn": held["AlarmArn"]}, held=held)


def _update_alarm(request: Request) -> Created:
    """Overwrite the alarm. PutMetricAlarm does not change the tags of an existing alarm.

    Source: PutMetricAlarm, CloudWatch API reference.
    """
    cloudwatch = request.client("cloudwatch")
    cloudwatch.put_metric_alarm(**{name: value for name, value in request.parameters().items() if name != "Tags"})
    return _describe_alarm(request, request.id)


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
    return _describe_dashboard(request, name)


def _describe_dashboard(request: Request, name: str) -> Created:
    held = request.client("cloudwatch").get_dashboard(DashboardName=name)
    return Created(id=name, outputs={"dashboardArn": held["DashboardArn"]}, held=held)


def _create_event_rule(request: Request) -> Created:
    events = request.client("events")
    name = request.inputs["name"]
    events.put_rule(**request.parameters())
    return _describe_event_rule(request, name)


def _describe_event_rule(request: Request, name: str) -> Created:
    events = request.client("events")
    held = dict(events.describe_rule(Name=name))
    arn = held["Arn"]
    held["Tags"] = events.list_tags_for_resource(ResourceARN=arn)["Tags"]
    return Created(id=name, outputs={"arn": arn}, held=held)


def _create_event_target(request: Request) -> Created:
    events = request.client("events")
    rule, target_id = request.take("rule"), request.take("targetId")
    target = {"Id": target_id, "Arn": request.take("arn")}
    response = events.put_targets(Rule=rule, Targets=[target])
    if response["FailedEntryCount"]:
        raise HandlerError(f"EventBridge rejected these entries: {response['FailedEntries']}")
    return _describe_event_target(request, rule, target_id)


def _read_event_target(request: Request) -> Created:
    return _describe_event_target(request, request.inputs["rule"], request.inputs["targetId"])


def _describe_event_target(request: Request, rule: str, target_id: str) -> Created:
    targets = request.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    held = first_found(each for each in targets if each["Id"] == target_id)
    return Created(id=f"{rule}-{target_id}", outputs={}, held={**held, "Rule": rule})


def _delete_event_target(request: DeleteRequest) -> None:
    response = request.client("events").remove_targets(Rule=request.inputs["rule"], Ids=[request.inputs["targetId"]])
    if response["FailedEntryCount"]:
        raise HandlerError(f"EventBridge rejected these entries: {response['FailedEntries']}")


HANDLERS = {
    "aws:cloudwatch/logGroup:LogGroup": Handler(
        create=_create_log_group,
        read=read_by_id(_describe_log_group),
        update=_update_log_group,
        delete=delete_by_id("logs", "delete_log_group", "logGroupName"),
        retag=retag("logs", "resourceArn", tags="tags", keys="tagKeys", convert=unchanged),
        properties={
            "name": sent("logGroupName"),
            "kmsKeyId": sent("kmsKeyId"),
            "retentionInDays": own(held="retentionInDays"),
            "tags": sent("tags"),
        },
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Handler(
        create=_create_alarm,
        read=read_by_id(_describe_alarm),
        update=_update_alarm,
        delete=delete_by_id("cloudwatch", "delete_alarms", "AlarmNames", in_list=True),
        retag=retag("cloudwatch", "ResourceARN"),
        properties={
            "name": sent("AlarmName"),
            "alarmDescription": sent("AlarmDescription"),
            "namespace": sent("Namespace"),
            "metricName": sent("MetricName"),
            "dimensions": sent("Dimensions", convert=_dimensions),
            "statistic": sent("Statistic"),
            "period": sent("Period"),
            "evaluationPeriods": sent("EvaluationPeriods"),
            "threshold": sent("Threshold"),
            "comparisonOperator": sent("ComparisonOperator"),
            "treatMissingData": sent("TreatMissingData"),
            "alarmActions": sent("AlarmActions"),
            "okActions": sent("OKActions"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:cloudwatch/dashboard:Dashboard": Handler(
        create=_create_dashboard,
        read=read_by_id(_describe_dashboard),
        update=_create_dashboard,
        delete=delete_by_id("cloudwatch", "delete_dashboards", "DashboardNames", in_list=True),
        properties={"dashboardName": sent("DashboardName"), "dashboardBody": sent("DashboardBody")},
    ),
    "aws:cloudwatch/eventRule:EventRule": Handler(
        create=_create_event_rule,
        read=read_by_id(_describe_event_rule),
        delete=delete_by_id("events", "delete_rule", "Name"),
        retag=retag("events", "ResourceARN"),
        properties={
            "name": sent("Name"),
            "description": sent("Description"),
            "eventPattern": sent("EventPattern"),
            "state": sent("State"),
            "tags": sent("Tags", convert=tag_list),
        },
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Handler(
        create=_create_event_target,
        read=_read_event_target,
        update=_create_event_target,
        delete=_delete_event_target,
        properties={
            "rule": own(held="Rule"),
            "targetId": own(held="Id"),
            "arn": own(held="Arn"),
        },
    ),
}
