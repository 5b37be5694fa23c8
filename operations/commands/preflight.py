"""The command before `pulumi up`: is everything there that AWS will ask for? Changes nothing.

Owns the order: who we are first, for all else depends on it; then everything side by side. Does not own any judgement
(`preflight_*.py`). Invariant: what could not be looked at is unknown, with the reason, and never passed.
"""

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
"""A hundred questions, some of them paged, on a slow line."""
AT_ONCE = 16
"""More at a time, and IAM and RDS begin to throttle."""


def preflight(screen: Screen, read_api_for: ReadApiFactory, stack: str) -> ExitCode:
    """Check the account against the settings of a stack, and show what was found.

    Raises:
        UsageProblemError: the stack's settings can't be used.
        AwsError: nobody knows who we are, so nothing can be asked.
    """
    settings = read_settings(stack)
    home = settings.primary.region
    me = call_with_deadline(lambda: read_api_for(home).read("sts", "get_caller_identity"))
    account, arn = str(me["Account"]), str(me["Arn"])
    is_up, stack_finding = _is_up(read_api_for, home, names_of(settings).of("global"))
    checks = [
        *offer_checks(settings, read_api_for),
        *quota_checks(settings, read_api_for, is_up=is_up),
        *name_checks(settings, read_api_for, account),
        *permission_checks(settings, read_api_for, arn, account),
    ]
    who = CheckResult(
        check="credentials", where="global", verdict=Verdict.PASSED, evidence=f"{arn} in account {account}"
    )
    findings = [
        who,
        stack_finding,
        *run_checks(checks, screen, "Checking the account", seconds=PREFLIGHT_SECONDS, at_once=AT_ONCE),
    ]
    regions = f"{home} and {settings.secondary.region}"
    title = f"Stack {stack} in account {account}, {regions}"
    return show_results(screen, title, findings, {"stack": stack, "account": account, "caller": arn, "is_up": is_up})


def _is_up(read_api_for: ReadApiFactory, region: str, global_cluster_id: str) -> tuple[bool, CheckResult]:
    """Tell whether this is a first deployment or an update: what is there already needs no quota."""
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
    evidence = f"{global_cluster_id} is {'there: an update' if found else 'not there: a first deployment'}"
    return bool(found), check_result("stack", "both", problems=[], evidence=evidence, hint="")
