"""The command before `pulumi up`: is everything there that AWS will ask for? Changes nothing.

Owns the order: who we are first, for all else depends on it; then everything side by side. Does not own any judgement
(`preflight_*.py`). Invariant: what could not be looked at is unknown, with the reason, and never passed.
"""

from operations.aws.read_ports import ReadApiFactory
from operations.checks.finding import Finding, Verdict, judged
from operations.checks.names import name_checks
from operations.checks.offerings import offer_checks
from operations.checks.permissions import permission_checks
from operations.checks.quotas import quota_checks
from operations.checks.runner import run_checks, show_findings
from operations.stack.settings import names_of, read_settings
from operations.support.deadlines import bounded
from operations.support.errors import ExitCode, NotThereError, OperationError
from operations.support.screen import Screen

PREFLIGHT_SECONDS = 60.0
"""A hundred questions, some of them paged, on a slow line."""
AT_ONCE = 16
"""More at a time, and IAM and RDS begin to throttle."""


def preflight(screen: Screen, ask_in: ReadApiFactory, stack: str) -> ExitCode:
    """Check the account against the settings of a stack, and show what was found.

    Raises:
        UsageProblemError: the stack's settings can't be used.
        AwsError: nobody knows who we are, so nothing can be asked.
    """
    settings = read_settings(stack)
    home = settings.primary.region
    me = bounded(lambda: ask_in(home).ask("sts", "get_caller_identity"))
    account, arn = str(me["Account"]), str(me["Arn"])
    is_up, stack_finding = _is_up(ask_in, home, names_of(settings).of("global"))
    checks = [
        *offer_checks(settings, ask_in),
        *quota_checks(settings, ask_in, is_up=is_up),
        *name_checks(settings, ask_in, account),
        *permission_checks(settings, ask_in, arn, account),
    ]
    who = Finding(check="credentials", where="global", verdict=Verdict.PASSED, evidence=f"{arn} in account {account}")
    findings = [
        who,
        stack_finding,
        *run_checks(checks, screen, "Checking the account", seconds=PREFLIGHT_SECONDS, at_once=AT_ONCE),
    ]
    regions = f"{home} and {settings.secondary.region}"
    title = f"Stack {stack} in account {account}, {regions}"
    return show_findings(screen, title, findings, {"stack": stack, "account": account, "caller": arn, "is_up": is_up})


def _is_up(ask_in: ReadApiFactory, region: str, global_cluster_id: str) -> tuple[bool, Finding]:
    """Tell whether this is a first deployment or an update: what is there already needs no quota."""
    try:
        found = bounded(
            lambda: ask_in(region).ask_all(
                "rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=global_cluster_id
            )
        )
    except NotThereError:
        found = []
    except OperationError as error:
        evidence = f"{error.what}; quotas are checked as for a first deployment"
        return False, Finding(check="stack", where="both", verdict=Verdict.UNKNOWN, evidence=evidence, hint=error.hint)
    evidence = f"{global_cluster_id} is {'there: an update' if found else 'not there: a first deployment'}"
    return bool(found), judged("stack", "both", problems=[], evidence=evidence, hint="")
