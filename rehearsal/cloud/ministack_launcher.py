"""Runs ministack with patches for the rehearsal. A script that ministack.py starts by its path.

The patches add a condition key that its IAM lacks, an operation that its Secrets Manager lacks, RDS as a source of events,
permission checks for the API proxy, a log of permission checks, a shorter wait for an invocation's log, and a description of log
groups that functions may write to meanwhile. Ministack listens on the socket that ministack.py has bound. The script imports no
module of this project.
"""

import json
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

CHECK_HEADER = "x-rehearsal-check-permission"
"""The header that upstream.py sends."""
CHECK_FIELDS = ("role", "action", "resource", "by_role", "is_allowed")
"""The fields that permission_log.py reads."""


def die_with_parent() -> None:
    """Kill the process group when standard input closes. Only the parent holds the other end of this pipe.

    Unlike PR_SET_PDEATHSIG, this works on every POSIX system, also for grandchildren, and not already when the starting
    thread ends.
    """

    def watch() -> None:
        while os.read(0, 4096):
            continue
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def add_metric_namespace_key() -> None:
    """Add the condition key `cloudwatch:namespace`, without which ministack denies what AWS allows.

    Source: "Using condition keys to limit access to CloudWatch namespaces", CloudWatch user guide.
    """
    from ministack.core import iam_actions

    original: Callable[..., dict[str, Any]] = iam_actions.request_tag_context

    def with_namespace(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context = original(service, iam_action, body, params)
        if iam_action == "cloudwatch:PutMetricData" and body[:1] == b"{":
            context = {**context, "cloudwatch:namespace": json.loads(body).get("Namespace")}
        return context

    iam_actions.request_tag_context = with_namespace


def allow_rds_events() -> None:
    """Accept events of the source `aws.rds` from the API proxy. AWS rejects `aws.` sources of customers.

    Source: "PutEvents", EventBridge API reference: NotAuthorizedForSourceException.
    """
    from ministack.services import eventbridge

    put_events: Callable[..., Any] = eventbridge._put_events

    def with_rds(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        sources = {entry.get("Source") for entry in data.get("Entries", [])}
        return put_events(data, allow_aws_source or sources == {"aws.rds"})

    eventbridge._put_events = with_rds


def add_remove_regions_from_replication() -> None:
    """Add RemoveRegionsFromReplication, which AWS requires before a secret with replicas is deleted.

    Source: "RemoveRegionsFromReplication", AWS Secrets Manager API Reference.
    """
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import secretsmanager

    handle_request: Callable[..., Any] = secretsmanager.handle_request

    async def with_removal(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        if headers.get("x-amz-target", "") != "secretsmanager.RemoveRegionsFromReplication":
            return await handle_request(method, path, headers, body, query_params)
        request = json.loads(body)
        _key, secret = secretsmanager._resolve(request["SecretId"])
        if not secret:
            return error_response_json(
                "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 400
            )
        removed = set(request["RemoveReplicaRegions"])
        statuses = secret.get("ReplicationStatus", [])
        # Ministack deletes the replicas in the secret's statuses.
        secretsmanager._delete_replicas(
            {**secret, "ReplicationStatus": [s for s in statuses if s["Region"] in removed]}
        )
        secret["ReplicationStatus"] = [status for status in statuses if status["Region"] not in removed]
        return json_response({"ARN": secret["ARN"], "ReplicationStatus": secret["ReplicationStatus"]})

    secretsmanager.handle_request = with_removal


def add_permission_check() -> None:
    """Authorize a request with the check header for the resource in the header, without executing it.

    The API proxy sends the caller's signed request with this header before it executes the action itself.
    """
    from ministack.core import iam_actions
    from ministack.services import rds

    resource_of: Callable[..., str] = iam_actions.extract_resource_arn
    handle_request: Callable[..., Any] = rds.handle_request

    def resource_to_check(service: str, method: str, path: str, headers: Any, *others: Any) -> str:
        return headers.get(CHECK_HEADER) or resource_of(service, method, path, headers, *others)

    async def handle_unless_check(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        if headers.get(CHECK_HEADER):
            return 200, {}, b""
        return await handle_request(method, path, headers, body, query_params)

    iam_actions.extract_resource_arn = resource_to_check
    rds.handle_request = handle_unless_check


def shorten_wait_for_logs() -> None:
    """Wait 5 ms instead of 50 ms for the log of an invocation that logged nothing.

    An invocation from another function has 105 ms beside its probes at an interval of 1 s, and ministack polls each ms of its wait.
    A line that comes later belongs to the next invocation's log.
    """
    from ministack.core import lambda_runtime

    worker_class: Any = lambda_runtime.Worker
    drain: Callable[..., str] = worker_class._drain_stderr_bounded

    def drain_soon(worker: Any, first_line_wait: float = 0.005, **others: float) -> str:
        return drain(worker, first_line_wait=first_line_wait, **others)

    worker_class._drain_stderr_bounded = drain_soon


def describe_log_groups_again() -> None:
    """Repeat a description of the log groups that failed because a function added a log stream meanwhile.

    ministack 1.5.33 iterates over the streams in one thread, and each function's thread adds its own.
    """
    from ministack.services import cloudwatch_logs

    describe: Callable[..., Any] = cloudwatch_logs._describe_log_groups

    def describe_at_rest(data: dict[str, Any]) -> Any:
        while True:
            try:
                return describe(data)
            except RuntimeError as error:
                if "changed size during iteration" not in str(error):
                    raise

    cloudwatch_logs._describe_log_groups = describe_at_rest


def listen_on(bound_fd: str) -> None:
    """Listen on an inherited, bound socket instead of binding another one to `GATEWAY_PORT`."""
    from hypercorn.config import Config

    config_class: Any = Config
    config_class.bind = property(lambda _config: [f"fd://{bound_fd}"], lambda _config, _binds: None)


def log_permission_checks(file: str) -> None:
    """Log each distinct permission check of a role as a JSON object a line.

    `enforce` returns the final result, in which the resource's policy has a part. The first evaluation in it is that of the
    role's own policies, and its context has the principal.
    """
    from ministack.core import iam_evaluator

    enforce: Callable[..., Any] = iam_evaluator.enforce
    evaluate: Callable[..., Any] = iam_evaluator.evaluate
    evaluations: ContextVar[list[tuple[Any, Any]] | None] = ContextVar("evaluations", default=None)
    logged: set[tuple[str, str, str, bool, bool]] = set()
    lock = threading.Lock()

    def evaluate_and_record(context: Any, *others: Any, **named: Any) -> Any:
        result = evaluate(context, *others, **named)
        first = evaluations.get()
        if first is not None and not first:
            first.append((context, result))
        return result

    def enforce_and_log(*arguments: Any, **named: Any) -> Any:
        first: list[tuple[Any, Any]] = []
        token = evaluations.set(first)
        try:
            refusal = enforce(*arguments, **named)
        finally:
            evaluations.reset(token)
        for context, by_role in first:
            if ":assumed-role/" in context.principal_arn:
                role = context.principal_arn.split("/")[1]
                log((role, context.action, context.resource_arn, by_role.decision == "Allow", refusal is None))
        return refusal

    def log(check: tuple[str, str, str, bool, bool]) -> None:
        with lock:
            if check not in logged:
                logged.add(check)
                line = json.dumps(dict(zip(CHECK_FIELDS, check, strict=True)))
                with open(file, "a", encoding="utf-8") as stream:
                    stream.write(f"{line}\n")

    iam_evaluator.evaluate = evaluate_and_record
    iam_evaluator.enforce = enforce_and_log


if __name__ == "__main__":
    die_with_parent()
    log_permission_checks(os.environ["PERMISSION_LOG"])
    add_permission_check()
    add_metric_namespace_key()
    add_remove_regions_from_replication()
    allow_rds_events()
    shorten_wait_for_logs()
    describe_log_groups_again()
    listen_on(sys.argv[1])
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
