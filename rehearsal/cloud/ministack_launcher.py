"""Runs ministack as the rehearsal's child process (a script, not a module: emulator.py starts it by its path).

Owns: that the child and its Lambda workers die with their parent, the one condition key that ministack's IAM lacks, the
one call that its Secrets Manager lacks, that the control plane may publish RDS's events and ask IAM, and the notes of what
roles are asked for.
Does not own: the child's environment (emulator.py). It imports nothing of this project.
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

QUESTION_HEADER = "x-rehearsal-may-i"
"""As upstream.py sends it."""
CHECK = ("role", "action", "resource", "by_role", "is_allowed")
"""As permissions.py reads them."""


def die_with_parent() -> None:
    """Kill the whole process group when standard input ends: it is a pipe whose other end only the parent holds.

    Unlike PR_SET_PDEATHSIG this works on every POSIX system, reaches the grandchildren, and does not fire when merely the
    starting thread ends.
    """

    def watch() -> None:
        while os.read(0, 4096):
            continue
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def know_metric_namespaces() -> None:
    """Give ministack's policy evaluation the key `cloudwatch:namespace`, without which it denies what AWS allows.

    Source: "Using condition keys to limit access to CloudWatch namespaces", CloudWatch user guide.
    """
    from ministack.core import iam_actions

    without: Callable[..., dict[str, Any]] = iam_actions.request_tag_context

    def with_namespace(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context = without(service, iam_action, body, params)
        if iam_action == "cloudwatch:PutMetricData" and body[:1] == b"{":
            context = {**context, "cloudwatch:namespace": json.loads(body).get("Namespace")}
        return context

    iam_actions.request_tag_context = with_namespace


def let_rds_publish() -> None:
    """Take events of the source `aws.rds`: the control plane in front is RDS here. From a customer, AWS takes no `aws.` source.

    Source: "PutEvents", EventBridge API reference: NotAuthorizedForSourceException.
    """
    from ministack.services import eventbridge

    put_events: Callable[..., Any] = eventbridge._put_events

    def with_rds(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        sources = {entry.get("Source") for entry in data.get("Entries", [])}
        return put_events(data, allow_aws_source or sources == {"aws.rds"})

    eventbridge._put_events = with_rds


def know_removal_of_replicas() -> None:
    """Answer RemoveRegionsFromReplication, without which a secret with a replica can't be deleted as on AWS.

    Source: "RemoveRegionsFromReplication", AWS Secrets Manager API Reference.
    """
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import secretsmanager

    handle_request: Callable[..., Any] = secretsmanager.handle_request

    async def with_removal(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        if headers.get("x-amz-target", "") != "secretsmanager.RemoveRegionsFromReplication":
            return await handle_request(method, path, headers, body, query_params)
        asked = json.loads(body)
        _key, secret = secretsmanager._resolve(asked["SecretId"])
        if not secret:
            return error_response_json(
                "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 400
            )
        leaving = set(asked["RemoveReplicaRegions"])
        statuses = secret.get("ReplicationStatus", [])
        # Ministack removes the replicas of whatever statuses a secret has.
        secretsmanager._delete_replicas(
            {**secret, "ReplicationStatus": [s for s in statuses if s["Region"] in leaving]}
        )
        secret["ReplicationStatus"] = [status for status in statuses if status["Region"] not in leaving]
        return json_response({"ARN": secret["ARN"], "ReplicationStatus": secret["ReplicationStatus"]})

    secretsmanager.handle_request = with_removal


def let_the_control_plane_ask_iam() -> None:
    """Answer whether a call's signer may do it to a resource, and do nothing: the control plane does what it asks about.

    The question is the signer's own request with the resource's ARN in a header more; IAM judges it like any other.
    """
    from ministack.core import iam_actions
    from ministack.services import rds

    resource_of: Callable[..., str] = iam_actions.extract_resource_arn
    handle_request: Callable[..., Any] = rds.handle_request

    def with_question(service: str, method: str, path: str, headers: Any, *others: Any) -> str:
        return headers.get(QUESTION_HEADER) or resource_of(service, method, path, headers, *others)

    async def without_deed(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        if headers.get(QUESTION_HEADER):
            return 200, {}, b""
        return await handle_request(method, path, headers, body, query_params)

    iam_actions.extract_resource_arn = with_question
    rds.handle_request = without_deed


def note_what_roles_are_asked_for(file: str) -> None:
    """Write down each role's checks, once a role, action, resource and answer: a JSON object a line (permissions.py).

    `enforce` has the last word, in which a resource's own policy has its part; the first evaluation in it is that of the
    role's policies, and knows who asks. Who can't be identified is no role.
    """
    from ministack.core import iam_evaluator

    enforce: Callable[..., Any] = iam_evaluator.enforce
    evaluate: Callable[..., Any] = iam_evaluator.evaluate
    first: ContextVar[list[tuple[Any, Any]] | None] = ContextVar("first", default=None)
    noted: set[tuple[str, str, str, bool, bool]] = set()
    lock = threading.Lock()

    def with_memory(context: Any, *others: Any, **named: Any) -> Any:
        result = evaluate(context, *others, **named)
        memory = first.get()
        if memory is not None and not memory:
            memory.append((context, result))
        return result

    def noting(*arguments: Any, **named: Any) -> Any:
        memory: list[tuple[Any, Any]] = []
        token = first.set(memory)
        try:
            refusal = enforce(*arguments, **named)
        finally:
            first.reset(token)
        for asked, by_role in memory:
            if ":assumed-role/" in asked.principal_arn:
                role = asked.principal_arn.split("/")[1]
                note((role, asked.action, asked.resource_arn, by_role.decision == "Allow", refusal is None))
        return refusal

    def note(check: tuple[str, str, str, bool, bool]) -> None:
        with lock:
            if check not in noted:
                noted.add(check)
                line = json.dumps(dict(zip(CHECK, check, strict=True)))
                with open(file, "a", encoding="utf-8") as notes:
                    notes.write(f"{line}\n")

    iam_evaluator.evaluate = with_memory
    iam_evaluator.enforce = noting


if __name__ == "__main__":
    die_with_parent()
    note_what_roles_are_asked_for(os.environ["PERMISSION_NOTES"])
    let_the_control_plane_ask_iam()
    know_metric_namespaces()
    know_removal_of_replicas()
    let_rds_publish()
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
