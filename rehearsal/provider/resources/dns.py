"""Route 53: private hosted zones, records, health checks."""

from __future__ import annotations

import re
import uuid
from typing import Any

from rehearsal.network.route53_routing import RefusedHealthCheck, Route53HealthCheck, require_supported_children
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
    provider_only,
    read_by_id,
    sent,
)
from rehearsal.provider.resources.tags import retag_route53


def _create_zone(request: Request) -> Created:
    """Create a private zone with its first VPC, then associate the other VPCs, as the provider does."""
    client = request.client("route53")
    vpcs = [_vpc(vpc, request.region) for vpc in request.take("vpcs", [])]
    config = {"Comment": request.take("comment", "Managed by Pulumi"), "PrivateZone": bool(vpcs)}
    first = {"VPC": vpcs[0]} if vpcs else {}
    created = client.create_hosted_zone(
        CallerReference=str(uuid.uuid4()), HostedZoneConfig=config, **first, **request.parameters()
    )
    zone_id = created["HostedZone"]["Id"].removeprefix("/hostedzone/")
    for vpc in vpcs[1:]:
        client.associate_vpc_with_hosted_zone(HostedZoneId=zone_id, VPC=vpc)
    tags = request.take("tags")
    if tags:
        client.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id, AddTags=tag_list(tags))
    created = _describe_zone(request, zone_id)
    if {vpc["VPCId"] for vpc in vpcs} != {vpc["VPCId"] for vpc in created.held["VPCs"]}:
        raise HandlerError(
            f"expected the VPCs {vpcs}, but the zone is associated with {created.held['VPCs']}", property="vpcs"
        )
    return created


def _describe_zone(request: Request, zone_id: str) -> Created:
    client = request.client("route53")
    response = client.get_hosted_zone(Id=zone_id)
    held = {
        **response["HostedZone"],
        "Name": response["HostedZone"]["Name"].removesuffix("."),
        "VPCs": response.get("VPCs", []),
        "AssociatedVpcs": sorted(
            ({"vpcId": each["VPCId"], "vpcRegion": each["VPCRegion"]} for each in response.get("VPCs", [])),
            key=lambda vpc: (vpc["vpcRegion"], vpc["vpcId"]),
        ),
        "Tags": _tags(client, "hostedzone", zone_id),
    }
    outputs = {
        "zoneId": zone_id,
        "arn": f"arn:aws:route53:::hostedzone/{zone_id}",
        "nameServers": response.get("DelegationSet", {}).get("NameServers", []),
    }
    return Created(id=zone_id, outputs=outputs, held=held)


def _vpc(vpc: dict[str, Any], default_region: str) -> dict[str, str]:
    unknown = set(vpc) - {"vpcId", "vpcRegion"}
    if unknown:
        raise HandlerError(
            f"the VPC has unknown properties: {', '.join(sorted(unknown))}. Use vpcId and vpcRegion", property="vpcs"
        )
    return {"VPCId": vpc["vpcId"], "VPCRegion": vpc.get("vpcRegion") or default_region}


def _tags(client: Any, resource_type: str, resource_id: str) -> Any:
    response = client.list_tags_for_resource(ResourceType=resource_type, ResourceId=resource_id)
    return response["ResourceTagSet"]["Tags"]


def _create_zone_association(request: Request) -> Created:
    client = request.client("route53")
    zone_id, vpc_id = request.take("zoneId"), request.take("vpcId")
    vpc_region = request.take("vpcRegion", request.region)
    client.associate_vpc_with_hosted_zone(HostedZoneId=zone_id, VPC={"VPCId": vpc_id, "VPCRegion": vpc_region})
    return _describe_zone_association(request, f"{zone_id}:{vpc_id}:{vpc_region}")


def _describe_zone_association(request: Request, id: str) -> Created:
    zone_id, vpc_id, _ = id.split(":")
    attached = request.client("route53").get_hosted_zone(Id=zone_id)["VPCs"]
    held = first_found(dict(vpc) for vpc in attached if vpc["VPCId"] == vpc_id)
    return Created(id=id, outputs={}, held={**held, "ZoneId": zone_id})


_CHECK_PARAMETERS = {
    "type": "Type",
    "insufficientDataHealthStatus": "InsufficientDataHealthStatus",
    "childHealthchecks": "ChildHealthChecks",
    "childHealthThreshold": "HealthThreshold",
}


_CHILD = re.compile(rb"<ChildHealthCheck>([^<]+)</ChildHealthCheck>")


def _nest_children(params: dict[str, Any], **_event: Any) -> None:
    """Nest each child id one element deeper, where the embedded AWS expects the id."""
    params["body"] = _CHILD.sub(
        rb"<ChildHealthCheck><ChildHealthCheck>\1</ChildHealthCheck></ChildHealthCheck>", params["body"]
    )


def _check_children(client: Any, config: dict[str, Any]) -> None:
    """Reject a calculated check without threshold, or whose children don't exist or are calculated, as Route 53 does."""
    if config["Type"] != "CALCULATED":
        return
    if "HealthThreshold" not in config:
        raise HandlerError("a calculated health check needs a threshold", property="childHealthThreshold")
    ids = config.get("ChildHealthChecks", [])
    children = [client.get_health_check(HealthCheckId=child_id)["HealthCheck"] for child_id in ids]
    try:
        require_supported_children(
            Route53HealthCheck.from_description({"Id": "(new)", "HealthCheckConfig": config}),
            [Route53HealthCheck.from_description(child) for child in children],
        )
    except RefusedHealthCheck as refusal:
        raise HandlerError(str(refusal), property="childHealthchecks") from refusal


def _create_health_check(request: Request) -> Created:
    client = request.client("route53")
    client.meta.events.register("before-call.route53.CreateHealthCheck", _nest_children, unique_id="nest-children")
    config = {
        parameter: request.take(name) for name, parameter in _CHECK_PARAMETERS.items() if request.take(name) is not None
    }
    if request.take("cloudwatchAlarmName"):
        config["AlarmIdentifier"] = {
            "Name": request.take("cloudwatchAlarmName"),
            "Region": request.take("cloudwatchAlarmRegion"),
        }
    _check_children(client, config)
    check_id = client.create_health_check(CallerReference=str(uuid.uuid4()), HealthCheckConfig=config)["HealthCheck"][
        "Id"
    ]
    tags = request.take("tags")
    if tags:
        client.change_tags_for_resource(ResourceType="healthcheck", ResourceId=check_id, AddTags=tag_list(tags))
    return _describe_health_check(request, check_id)


def _describe_health_check(request: Request, check_id: str) -> Created:
    client = request.client("route53")
    check = client.get_health_check(HealthCheckId=check_id)["HealthCheck"]
    held = {
        **check["HealthCheckConfig"],
        "Tags": _tags(client, "healthcheck", check_id),
    }
    return Created(id=check_id, outputs={"arn": f"arn:aws:route53:::healthcheck/{check_id}"}, held=held)


def _write_record(request: Request) -> Created:
    """Create the record, or overwrite it. Source: ChangeResourceRecordSets, Amazon Route 53 API Reference."""
    action = "UPSERT" if request.id else "CREATE"
    client = request.client("route53")
    zone_id = request.take("zoneId")
    zone_name = client.get_hosted_zone(Id=zone_id)["HostedZone"]["Name"].removesuffix(".")
    name = _full_name(request.take("name"), zone_name)
    record: dict[str, Any] = {
        "Name": name,
        "ResourceRecords": [{"Value": value} for value in request.take("records", [])],
        **request.parameters(),
    }
    if request.take("failoverRoutingPolicies"):
        record["Failover"] = request.take("failoverRoutingPolicies")[0]["type"]
    if request.take("latencyRoutingPolicies"):
        record["Region"] = request.take("latencyRoutingPolicies")[0]["region"]
    client.change_resource_record_sets(
        HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    )
    return _describe_record(request, zone_id, record)


def _read_record(request: Request) -> Created:
    """Describe the record by its id: zone, name, type and, if it has one, set identifier, joined by underscores."""
    zone_id, name, type_, *identifier = request.id.split("_", 3)
    record = {"Name": name, "Type": type_, **({"SetIdentifier": identifier[0]} if identifier else {})}
    return _describe_record(request, zone_id, record)


def _describe_record(request: Request, zone_id: str, record: dict[str, Any]) -> Created:
    name = record["Name"]
    found = _find_record(request.client("route53"), zone_id, name, record["Type"], record.get("SetIdentifier"))
    held = {
        **found,
        "ZoneId": zone_id,
        # The state has the name as the program gave it.
        "GivenName": request.inputs.get("name", name),
        "Records": [value["Value"] for value in found.get("ResourceRecords", [])],
        "FailoverPolicies": [{"type": found.get("Failover")}],
        "LatencyPolicies": [{"region": found.get("Region")}],
    }
    identifier = "_".join(filter(None, (zone_id, name, record["Type"], record.get("SetIdentifier"))))
    return Created(id=identifier, outputs={"fqdn": name}, held=held)


def _full_name(name: str, zone_name: str) -> str:
    bare = name.removesuffix(".")
    return bare if bare == zone_name or bare.endswith(f".{zone_name}") else f"{bare}.{zone_name}"


def _find_record(client: Any, zone_id: str, name: str, type_: str, set_identifier: str | None) -> dict[str, Any]:
    """Return a record set as Route 53 lists it. Raises GoneError if the zone does not have it."""
    wanted = (name, type_, set_identifier)
    pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    return first_found(
        each
        for page in pages
        for each in page["ResourceRecordSets"]
        if (each["Name"].removesuffix("."), each["Type"], each.get("SetIdentifier")) == wanted
    )


def _delete_zone(request: DeleteRequest) -> None:
    """Delete the zone. With `forceDestroy` the provider first deletes the records, as Route 53 requires."""
    client = request.client("route53")
    if request.inputs.get("forceDestroy"):
        pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=request.id)
        for record in [each for page in pages for each in page["ResourceRecordSets"]]:
            if record["Type"] not in ("NS", "SOA"):
                _delete_record_set(client, request.id, record)
    client.delete_hosted_zone(Id=request.id)


def _delete_record_set(client: Any, zone_id: str, record: dict[str, Any]) -> None:
    changes = [{"Action": "DELETE", "ResourceRecordSet": record}]
    client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})


def _delete_zone_association(request: DeleteRequest) -> None:
    zone_id, vpc_id, vpc_region = request.id.split(":")
    vpc = {"VPCId": vpc_id, "VPCRegion": vpc_region}
    request.client("route53").disassociate_vpc_from_hosted_zone(HostedZoneId=zone_id, VPC=vpc)


def _delete_record(request: DeleteRequest) -> None:
    """Delete a record as the zone lists it: Route 53 requires all its values. Raises GoneError if it is gone."""
    client = request.client("route53")
    inputs = request.inputs
    zone_id = inputs["zoneId"]
    record = _find_record(client, zone_id, request.outputs["fqdn"], inputs["type"], inputs.get("setIdentifier"))
    _delete_record_set(client, zone_id, record)


HANDLERS = {
    "aws:route53/zone:Zone": Handler(
        create=_create_zone,
        read=read_by_id(_describe_zone),
        delete=_delete_zone,
        is_global=True,
        retag=retag_route53("hostedzone"),
        properties={
            "name": sent("Name"),
            "comment": own(held="Config.Comment"),
            "vpcs": own(held="AssociatedVpcs"),
            "forceDestroy": provider_only("with it the provider deletes the zone's records on destroy"),
            "tags": own(held="Tags", expected=tag_list),
        },
    ),
    "aws:route53/zoneAssociation:ZoneAssociation": Handler(
        create=_create_zone_association,
        read=read_by_id(_describe_zone_association),
        delete=_delete_zone_association,
        is_global=True,
        properties={
            "zoneId": own(held="ZoneId"),
            "vpcId": own(held="VPCId"),
            "vpcRegion": own(held="VPCRegion"),
        },
    ),
    "aws:route53/healthCheck:HealthCheck": Handler(
        create=_create_health_check,
        read=read_by_id(_describe_health_check),
        delete=delete_by_id("route53", "delete_health_check", "HealthCheckId"),
        is_global=True,
        retag=retag_route53("healthcheck"),
        properties={
            **{name: own(held=parameter) for name, parameter in _CHECK_PARAMETERS.items()},
            "cloudwatchAlarmName": own(held="AlarmIdentifier.Name"),
            "cloudwatchAlarmRegion": own(held="AlarmIdentifier.Region"),
            "triggers": provider_only("a change of them makes the provider reread the alarm's configuration"),
            "tags": own(held="Tags", expected=tag_list),
        },
    ),
    "aws:route53/record:Record": Handler(
        create=_write_record,
        update=_write_record,
        read=_read_record,
        delete=_delete_record,
        is_global=True,
        properties={
            "zoneId": own(held="ZoneId"),
            "name": own(held="GivenName"),
            "type": sent("Type"),
            "ttl": sent("TTL"),
            "records": own(held="Records"),
            "setIdentifier": sent("SetIdentifier"),
            "healthCheckId": sent("HealthCheckId"),
            "failoverRoutingPolicies": own(held="FailoverPolicies"),
            "latencyRoutingPolicies": own(held="LatencyPolicies"),
        },
    ),
}
