"""Runs ministack as the rehearsal's child process (a script, not a module: emulator.py starts it by its path).

Owns: that the child and its Lambda workers die with their parent, the one condition key that ministack's IAM lacks, the
one call that its Secrets Manager lacks, that the control plane may publish RDS's events, and the notes of what roles are
asked for.
Does not own: the child's environment (emulator.py). It imports nothing of this project.
"""

import json
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any


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


def note_what_roles_are_asked_for(file: str) -> None:
    """Write down each role's checks, once a role, action, resource and answer: a JSON object a line (permissions.py)."""
    from ministack.core import iam_evaluator

    without: Callable[..., Any] = iam_evaluator.evaluate
    noted: set[tuple[str, str, str, bool]] = set()
    lock = threading.Lock()

    def noting(ctx: Any, *others: Any, **named: Any) -> Any:
        result = without(ctx, *others, **named)
        if ":assumed-role/" in ctx.principal_arn:
            role = ctx.principal_arn.split("/")[1]
            check = (role, ctx.action, ctx.resource_arn, result.decision == "Allow")
            with lock:
                if check not in noted:
                    noted.add(check)
                    line = json.dumps(dict(zip(("role", "action", "resource", "is_allowed"), check, strict=True)))
                    with open(file, "a", encoding="utf-8") as notes:
                        notes.write(f"{line}\n")
        return result

    iam_evaluator.evaluate = noting


if __name__ == "__main__":
    die_with_parent()
    note_what_roles_are_asked_for(os.environ["PERMISSION_NOTES"])
    know_metric_namespaces()
    know_removal_of_replicas()
    let_rds_publish()
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
