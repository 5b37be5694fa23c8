"""The command `preflight`: check before `pulumi up` that the account has what the stack needs. Changes nothing."""

from operations.aws.read_ports import ReadApiFactory
from operations.checks.finding import CheckResult, Verdict, check_result
from operations.checks.names import name_checks
from operations.checks.offerings import offer_checks
from operations.checks.permissions import permission_checks
from operations.checks.quotas import quota_checks
from operations.checks.runner import run_checks, show_results
from operations.stack.settings import names_of, read_settings
from operations.support.deadlines import call_with_deadline
from operations.support.errors import ExitCode, NotThereError, OperationError
from operations.support.screen import Screen

PREFLIGHT_SECONDS = 60.0
"""Enough for about a hundred requests, some of them paged, on a slow connection."""
MAX_PARALLEL_CHECKS = 16
"""With more, IAM and RDS throttle."""


def preflight(screen: Screen, read_api_for: ReadApiFactory, stack: str) -> ExitCode:
    """Check the account against the settings of a stack.

    Raises:
        UsageProblemError: the stack's settings are invalid.
        AwsError: the caller's identity is unknown, so no check can run.
    """
    settings = read_settings(stack)
    primary = settings.primary.region
    identity = call_with_deadline(lambda: read_api_for(primary).read("sts", "get_caller_identity"))
    account, arn = str(identity["Account"]), str(identity["Arn"])
    is_up, stack_finding = _is_up(read_api_for, primary, names_of(settings).of("global"))
    checks = [
        *offer_checks(settings, read_api_for),
        *quota_checks(settings, read_api_for, is_up=is_up),
        *name_checks(settings, read_api_for, account),
        *permission_checks(settings, read_api_for, arn, account),
    ]
    credentials = check_result("credentials", "global", problems=[], evidence=f"{arn} in account {account}", hint="")
    findings = [
        credentials,
        stack_finding,
        *run_checks(checks, screen, "Checking the account", seconds=PREFLIGHT_SECONDS, at_once=MAX_PARALLEL_CHECKS),
    ]
    title = f"Stack {stack} in account {account}, {primary} and {settings.secondary.region}"
    return show_results(screen, title, findings, {"stack": stack, "account": account, "caller": arn, "is_up": is_up})


def _is_up(read_api_for: ReadApiFactory, region: str, global_cluster_id: str) -> tuple[bool, CheckResult]:
    """Return whether the stack is deployed already: an update needs no quota for existing resources."""
    try:
        found = call_with_deadline(
            lambda: read_api_for(region).read_all(
                "rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=global_cluster_id
            )
        )
    except NotThereError:
        found = []
    except OperationError as error:
        evidence = f"{error.message}; quotas are checked as for a first deployment"
        return False, CheckResult(
            check="stack", where="both", verdict=Verdict.UNKNOWN, evidence=evidence, hint=error.hint
        )
    evidence = f"{global_cluster_id} {'exists: an update' if found else 'does not exist: a first deployment'}"
    return bool(found), check_result("stack", "both", problems=[], evidence=evidence, hint="")
