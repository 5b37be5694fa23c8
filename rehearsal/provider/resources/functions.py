"""Lambda functions, their invocation at deploy time, and EventBridge schedules."""

from __future__ import annotations

import base64
import hashlib
import json

from rehearsal.provider.resources.archives import zip_archive
from rehearsal.provider.resources.convert import pascal, renamed
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
    unchanged,
    wait_for,
)
from rehearsal.provider.resources.tags import retag

LOG_TAIL_LINES = 15


def _create_function(request: Request) -> Created:
    client = request.client("lambda")
    name = request.inputs["name"]
    package = zip_archive(request.take("code"), base=request.program_directory)
    request.take("sourceCodeHash")
    client.create_function(Code={"ZipFile": package}, **request.parameters())
    wait_for(client, "function_active_v2", FunctionName=name)
    return _set_concurrency_and_describe(request, package)


def _update_function(request: Request) -> Created:
    """Update the configuration, then the code. Lambda accepts one update at a time.

    Source: "Lambda function states".
    """
    client = request.client("lambda")
    package = zip_archive(request.take("code"), base=request.program_directory)
    request.take("sourceCodeHash")
    fixed = {"Architectures", "Tags"}
    parameters = {name: value for name, value in request.parameters().items() if name not in fixed}
    client.update_function_configuration(**parameters)
    wait_for(client, "function_updated_v2", FunctionName=request.id)
    if {"code", "sourceCodeHash", "architectures"} & request.changed:
        architectures = {"Architectures": request.inputs["architectures"]} if "architectures" in request.inputs else {}
        client.update_function_code(FunctionName=request.id, ZipFile=package, **architectures)
        wait_for(client, "function_updated_v2", FunctionName=request.id)
    if "reservedConcurrentExecutions" in request.changed and request.take("reservedConcurrentExecutions") is None:
        client.delete_function_concurrency(FunctionName=request.id)
    return _set_concurrency_and_describe(request, package)


def _set_concurrency_and_describe(request: Request, package: bytes) -> Created:
    """Set the reserved concurrency, and read the function back."""
    client = request.client("lambda")
    name = request.inputs["name"]
    reserved = request.take("reservedConcurrentExecutions")
    if reserved is not None:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
    read = _describe_function(request, name)
    stored = read.held["CodeSha256"]
    if stored != digest:
        raise HandlerError(
            f"expected a package with hash {digest}, but the embedded AWS stores {stored}", property="code"
        )
    return read


def _describe_function(request: Request, name: str) -> Created:
    client = request.client("lambda")
    held = dict(client.get_function_configuration(FunctionName=name))
    concurrency = client.get_function_concurrency(FunctionName=name)
    held["ReservedConcurrentExecutions"] = concurrency.get("ReservedConcurrentExecutions")
    arn = held["FunctionArn"]
    held["Tags"] = client.list_tags(Resource=arn)["Tags"]
    outputs = {
        "arn": arn,
        "invokeArn": f"arn:aws:apigateway:{request.region}:lambda:path/2015-03-31/functions/{arn}/invocations",
        "codeSha256": held["CodeSha256"],
        "sourceCodeSize": held["CodeSize"],
        "version": held["Version"],
        "lastModified": held["LastModified"],
    }
    return Created(id=name, outputs=outputs, held=held)


def _invoke(request: Request) -> Created:
    """Invoke a function; a FunctionError fails the deployment.

    The provider does so on create and, for changed triggers, by a replacement, which deletes nothing.
    No error message quotes the input, which holds the master password.
    """
    client = request.client("lambda")
    request.take("triggers")
    parameters = request.parameters()
    name = parameters["FunctionName"]
    response = client.invoke(InvocationType="RequestResponse", LogType="Tail", **parameters)
    payload = response["Payload"].read().decode()
    if response.get("FunctionError"):
        log = base64.b64decode(response.get("LogResult", "")).decode(errors="replace")
        tail = "\n".join(log.splitlines()[-LOG_TAIL_LINES:])
        raise HandlerError(f"{name} failed ({response['FunctionError']}): {_error_of(payload)}\n{tail}".rstrip())
    digest = hashlib.md5(json.dumps(request.inputs["input"]).encode(), usedforsecurity=False).hexdigest()
    return Created(id=f"{name}_$LATEST_{digest}", outputs={"result": payload})


def _error_of(payload: str) -> str:
    try:
        parsed = json.loads(payload)
        return f"{parsed.get('errorType', 'error')}: {parsed['errorMessage']}"
    except (ValueError, KeyError, AttributeError):
        return payload[:500]


def _create_event_invoke_config(request: Request) -> Created:
    client = request.client("lambda")
    client.put_function_event_invoke_config(**request.parameters())
    return _describe_event_invoke_config(request, request.inputs["functionName"])


def _describe_event_invoke_config(request: Request, name: str) -> Created:
    client = request.client("lambda")
    held = dict(client.get_function_event_invoke_config(FunctionName=name))
    held["FunctionName"] = name if f":function:{name}" in held["FunctionArn"] or name == held["FunctionArn"] else None
    return Created(id=name, outputs={}, held=held)


def _create_permission(request: Request) -> Created:
    client = request.client("lambda")
    client.add_permission(**request.parameters())
    return _describe_permission(request, request.inputs["statementId"])


def _describe_permission(request: Request, statement_id: str) -> Created:
    response = request.client("lambda").get_policy(FunctionName=request.inputs["function"])
    statements = json.loads(response["Policy"])["Statement"]
    first_found(each for each in statements if each["Sid"] == statement_id)
    return Created(id=statement_id, outputs={})


def _create_schedule(request: Request) -> Created:
    client = request.client("scheduler")
    name = request.inputs["name"]
    client.create_schedule(**request.parameters())
    return _describe_schedule(request, f"default/{name}")


def _describe_schedule(request: Request, id: str) -> Created:
    group, _, name = id.partition("/")
    held = request.client("scheduler").get_schedule(GroupName=group, Name=name)
    return Created(id=id, outputs={"arn": held["Arn"]}, held=held)


def _delete_permission(request: DeleteRequest) -> None:
    request.client("lambda").remove_permission(FunctionName=request.inputs["function"], StatementId=request.id)


def _delete_invocation(request: DeleteRequest) -> None:
    """Do nothing: with the scope CREATE_ONLY the provider does not invoke the function on destroy."""
    if request.inputs.get("lifecycleScope", "CREATE_ONLY") != "CREATE_ONLY":
        raise HandlerError("the rehearsal invokes no function on destroy. Use CREATE_ONLY", property="lifecycleScope")


def _delete_schedule(request: DeleteRequest) -> None:
    group, _, name = request.id.partition("/")
    request.client("scheduler").delete_schedule(GroupName=group, Name=name)


HANDLERS = {
    "aws:lambda/function:Function": Handler(
        create=_create_function,
        read=read_by_id(_describe_function),
        update=_update_function,
        delete=delete_by_id("lambda", "delete_function", "FunctionName"),
        retag=retag("lambda", "Resource", convert=unchanged),
        properties={
            "name": sent("FunctionName"),
            "description": sent("Description"),
            "role": sent("Role"),
            "runtime": sent("Runtime"),
            "architectures": sent("Architectures"),
            "handler": sent("Handler"),
            "code": own(),
            "timeout": sent("Timeout"),
            "memorySize": sent("MemorySize"),
            "environment": sent("Environment", convert=renamed(variables="Variables")),
            "vpcConfig": sent("VpcConfig", convert=pascal),
            "loggingConfig": sent("LoggingConfig", convert=pascal),
            "tracingConfig": sent("TracingConfig", convert=pascal),
            "kmsKeyArn": sent("KMSKeyArn"),
            "deadLetterConfig": sent("DeadLetterConfig", convert=pascal),
            "reservedConcurrentExecutions": own(held="ReservedConcurrentExecutions"),
            "sourceCodeHash": own(held="CodeSha256"),
            "tags": sent("Tags"),
        },
    ),
    "aws:lambda/invocation:Invocation": Handler(
        create=_invoke,
        update=_invoke,
        delete=_delete_invocation,
        properties={
            "functionName": sent("FunctionName", held=""),
            "input": sent("Payload", held=""),
            "triggers": own(),
            "lifecycleScope": provider_only("it controls whether an update or a destroy invokes the function"),
        },
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": Handler(
        create=_create_event_invoke_config,
        read=read_by_id(_describe_event_invoke_config),
        update=_create_event_invoke_config,
        delete=delete_by_id("lambda", "delete_function_event_invoke_config", "FunctionName"),
        properties={
            "functionName": sent("FunctionName"),
            "maximumRetryAttempts": sent("MaximumRetryAttempts"),
            "maximumEventAgeInSeconds": sent("MaximumEventAgeInSeconds"),
        },
    ),
    "aws:lambda/permission:Permission": Handler(
        create=_create_permission,
        read=read_by_id(_describe_permission),
        delete=_delete_permission,
        properties={
            "function": sent("FunctionName", held=""),
            "statementId": sent("StatementId", held=""),
            "action": sent("Action", held=""),
            "principal": sent("Principal", held=""),
            "sourceArn": sent("SourceArn", held=""),
        },
    ),
    "aws:scheduler/schedule:Schedule": Handler(
        create=_create_schedule,
        read=read_by_id(_describe_schedule),
        delete=_delete_schedule,
        properties={
            "name": sent("Name"),
            "description": sent("Description"),
            "scheduleExpression": sent("ScheduleExpression"),
            "flexibleTimeWindow": sent("FlexibleTimeWindow", convert=pascal),
            "state": sent("State"),
            "kmsKeyArn": sent("KmsKeyArn"),
            "target": sent("Target", convert=pascal),
        },
    ),
}
