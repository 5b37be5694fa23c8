"""The command `preflight`: check before `pulumi up` that the account has what the stack needs. Changes nothing."""

from operations.aws.read_ports import ReadApiFactory
from operations.checks.existing_vpc import existing_vpc_checks
from operations.checks.finding import CheckResult, Verdict, check_result
from operations.checks.idle_function import idle_function_checks
from operations.checks.lookups import read_lookups
from operations.checks.names import name_checks
from operations.checks.offerings import offer_checks
from operations.checks.permissions import permission_checks
from operations.checks.quotas import quota_checks
from operations.checks.runner import run_checks, show_results
from operations.stack.settings import names_of, read_settings, settings_to_add
from operations.support.deadlines import call_with_deadline
from operations.support.errors import ExitCode, NotThereError, OperationError
from operations.support.screen import Screen
from settings import Settings

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
        *existing_vpc_checks(settings, read_api_for),
        *idle_function_checks(settings, read_api_for),
        *permission_checks(settings, read_api_for, deploying_principal(settings, arn), account),
    ]
    findings = [
        check_credentials(settings, arn, account),
        stack_finding,
        *run_checks(checks, screen, "Checking the account", seconds=PREFLIGHT_SECONDS, at_once=MAX_PARALLEL_CHECKS),
    ]
    lines = settings_to_add(settings, account, read_lookups(settings, read_api_for))
    title = f"Stack {stack} in account {account}, {primary} and {settings.secondary.region}"
    more = {"stack": stack, "account": account, "caller": arn, "is_up": is_up, "settings_to_add": lines}
    heading = f"Add to Pulumi.{stack}.yaml, each line to its section; then it can be deployed while a region is lost:"
    return show_results(screen, title, findings, more, appendix=(heading, lines) if lines else None)


def deploying_principal(settings: Settings, caller_arn: str) -> str:
    """Return the ARN of the principal that deploys: the role that the deployment assumes, or the caller."""
    return settings.aws.assume_role_arn or caller_arn


def check_credentials(settings: Settings, caller_arn: str, account: str) -> CheckResult:
    """Check that the caller's account is the one of `aws.account_id`: `pulumi up` refuses any other."""
    wanted = settings.aws.account_id
    wrong = (
        [f"{caller_arn} is in account {account}, but aws.account_id is {wanted}"]
        if wanted not in (None, account)
        else []
    )
    profile, role = settings.aws.profile, settings.aws.assume_role_arn
    named = [f"AWS_PROFILE={profile}"] if profile else []
    named += [f"a profile with the role {role}"] if role else []
    hint = f"Use credentials of account {wanted}{f', such as {named[-1]}' if named else ''}."
    return check_result(
        "credentials", "global", problems=wrong, evidence=f"{caller_arn} in account {account}", hint=hint
    )


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
