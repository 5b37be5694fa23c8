"""The command before `pulumi destroy`: who writes, what protects what, what is in the way, what stays. Changes nothing.

Owns these checks and the commands to run next. Does not run any of them. Invariant: the last command is given only with
those that must come before it; what can't be seen from here (Pulumi's own protection) is said, not assumed.
"""

from collections.abc import Sequence
from functools import partial

from operations.aws.ports import RdsRoles
from operations.aws.read_ports import Answer, ReadApiFactory, ReadOnlyApi
from operations.aws.roles import Roles, reconcile, roles_from_rds
from operations.checks.finding import Check, CheckResult, Verdict, check_result, unknown
from operations.checks.runner import run_checks, show_results
from operations.commands.session import Session
from operations.stack.resources import RegionResources, StackResources, read_resources
from operations.support.deadlines import call_concurrently
from operations.support.errors import ExitCode, OperationError

LAST_WRITES = "rds:unplanned-global-failover-"
"""How AWS names the snapshot that holds what a failover lost. Source: Recovering from an unplanned outage, Aurora."""


def preflight_destroy(session: Session) -> ExitCode:
    """Check what would stop a destroy, and show the commands that lead to its end."""
    resources = read_resources(session.outputs)
    seats = _seats(session)
    findings = [check_home(resources, seats), check_operation(seats), check_pulumi(resources)]
    checks = [
        Check(
            names=("deletion protection", "other users", "snapshots"),
            where=here.region,
            run=partial(_look_at_database, resources, here, session.read_api_for),
        )
        for here in resources.regions
    ]
    checks += [
        Check(names=("table protection",), where=here.region, run=partial(_look_at_table, here, session.read_api_for))
        for here in resources.regions
    ]
    world = partial(_look_at_global, resources, session.read_api_for)
    checks.append(Check(names=("global protection",), where="both", run=world))
    findings += run_checks(checks, session.screen, "Checking what is in the way")
    commands = next_commands(resources, findings)
    more = {"global_cluster": resources.global_cluster_id, "writer": _region_of(seats), "commands": commands}
    code = show_results(session.screen, f"Before `pulumi destroy` of {resources.global_cluster_id}", findings, more)
    session.screen.table("Run next, in this order", ("Command",), ([command] for command in commands))
    return code


def _seats(session: Session) -> Roles:
    regions = session.deployment.regions
    answers = call_concurrently([session.connect(region).read_roles for region in regions])
    known = [roles_from_rds(session.deployment, each) for each in answers if isinstance(each, RdsRoles)]
    seats = reconcile(known)
    operations = [each.operation for each in known if each.operation]
    return Roles(
        writer=seats.writer,
        standby=seats.standby,
        operation=operations[0] if operations else None,
        source=seats.source if known else _why(answers),
    )


def _why(answers: Sequence[object]) -> str:
    return "; ".join(each.message for each in answers if isinstance(each, OperationError))


def _region_of(seats: Roles) -> str | None:
    return None if seats.writer is None else seats.writer.name


def check_home(resources: StackResources, seats: Roles) -> CheckResult:
    """Return whether the writer is home: AWS refuses to remove the present writer while the other member exists.

    The program removes the secondary's cluster first. Source: Removing a cluster from an Aurora global database.
    """
    writer, home = _region_of(seats), resources.primary.region
    hint = "Switch home first: `python -m operations switchover`."
    if writer is None:
        return unknown("writer at home", "both", why=f"the writer is unknown: {seats.source}", hint="Look at `status`.")
    problems = [] if writer == home else [f"the writer is in {writer}, not in {home}: AWS would refuse"]
    return check_result("writer at home", "both", problems=problems, evidence=f"the writer is in {home}", hint=hint)


def check_operation(seats: Roles) -> CheckResult:
    """Return whether nothing is under way."""
    if seats.writer is None and seats.operation is None:
        return unknown("no operation", "both", why=f"nobody says: {seats.source}", hint="Look at `status`.")
    problems = [f"under way: {seats.operation}"] if seats.operation else []
    hint = "Wait for its end: `python -m operations status --watch`."
    return check_result("no operation", "both", problems=problems, evidence="none under way", hint=hint)


def check_pulumi(resources: StackResources) -> CheckResult:
    """Return what Pulumi itself protects, as far as the environment tells: its state can't be seen from here."""
    if resources.is_production:
        why = "the program protects what holds data in production; whether it still is, only Pulumi's state knows"
        return unknown("pulumi's protection", "both", why=why, hint="`pulumi state unprotect --all`, deliberately.")
    evidence = f"the program protects nothing in `{resources.environment}`; what people protected by hand can't be seen"
    return check_result("pulumi's protection", "both", problems=[], evidence=evidence, hint="")


def _look_at_database(
    resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory
) -> list[CheckResult]:
    ask = read_api_for(here.region)
    clusters = ask.read_all("rds", "describe_db_clusters", "DBClusters")
    own = [each for each in clusters if each.get("DBClusterIdentifier") == here.cluster_id]
    return [
        check_protection(here, own),
        check_other_users(here, clusters),
        check_snapshots(resources, here, _snapshots(ask, here)),
    ]


def _look_at_global(resources: StackResources, read_api_for: ReadApiFactory) -> list[CheckResult]:
    found = read_api_for(resources.primary.region).read_all(
        "rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=resources.global_cluster_id
    )
    return [check_global_protection(resources, found)]


def check_global_protection(resources: StackResources, found: Sequence[Answer]) -> CheckResult:
    """Return whether the global cluster can be deleted."""
    name = resources.global_cluster_id
    problems = [f"{name} is protected from deletion"] if found and found[0].get("DeletionProtection") else []
    hint = f"{_unprotect_global(resources)}, deliberately."
    evidence = "off" if found else "the global cluster is gone already"
    return check_result("global protection", "both", problems=problems, evidence=evidence, hint=hint)


def _snapshots(ask: ReadOnlyApi, here: RegionResources) -> list[Answer]:
    return ask.read_all(
        "rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", DBClusterIdentifier=here.cluster_id
    )


def check_protection(here: RegionResources, own: Sequence[Answer]) -> CheckResult:
    """Return whether the cluster can be deleted."""
    problems = [f"{here.cluster_id} is protected from deletion"] if own and own[0].get("DeletionProtection") else []
    hint = f"{_unprotect_cluster(here)}, deliberately."
    evidence = "off" if own else "the cluster is gone already"
    return check_result("deletion protection", here.region, problems=problems, evidence=evidence, hint=hint)


def check_other_users(here: RegionResources, clusters: Sequence[Answer]) -> CheckResult:
    """Return whether no other cluster stands on this stack's network or key: a rewind's, for instance.

    A subnet group that is in use can't be deleted, and a key that is scheduled for deletion takes its cluster along.
    """
    groups = {str(each.get("DBSubnetGroup")) for each in clusters if each.get("DBClusterIdentifier") == here.cluster_id}
    others = [
        str(each["DBClusterIdentifier"])
        for each in clusters
        if each.get("DBClusterIdentifier") != here.cluster_id
        and (each.get("DBSubnetGroup") in groups or each.get("KmsKeyId") == here.key_arn)
    ]
    problems = [f"{name} stands on this stack's network or key" for name in others]
    hint = "Drop what a rewind left, or restore it elsewhere: without the key its data is lost."
    return check_result("other users", here.region, problems=problems, evidence="no other cluster uses them", hint=hint)


def check_snapshots(resources: StackResources, here: RegionResources, snapshots: Sequence[Answer]) -> CheckResult:
    """Return whether the final snapshot can be taken, and which snapshots stay, on a key that is about to go.

    A snapshot under a key that is deleted can't be restored any more. Source: Deleting AWS KMS keys.
    """
    manual = [str(each["DBClusterSnapshotIdentifier"]) for each in snapshots if each.get("SnapshotType") == "manual"]
    lost = [
        str(each["DBClusterSnapshotIdentifier"])
        for each in snapshots
        if str(each["DBClusterSnapshotIdentifier"]).startswith(LAST_WRITES)
    ]
    project = here.cluster_id.removesuffix(f"-{here.region}-{resources.environment}")
    final = f"{project}-{here.region}-final-{resources.environment}"
    problems = [f"{final} is there already: the final snapshot of this destroy would fail"] if final in manual else []
    problems += [f"{name} holds what a failover lost, and goes with the cluster: copy it first" for name in lost]
    stays = f"stay, and can't be restored once the key is deleted: {', '.join(manual)}" if manual else "none stays"
    hint = (
        "Copy what is to outlive the stack under a key of yours (`aws rds copy-db-cluster-snapshot`), then delete it."
    )
    return check_result("snapshots", here.region, problems=problems, evidence=stays, hint=hint)


def _look_at_table(here: RegionResources, read_api_for: ReadApiFactory) -> list[CheckResult]:
    table = read_api_for(here.region).read("dynamodb", "describe_table", TableName=here.table_name)["Table"]
    return [check_table(here, table)]


def check_table(here: RegionResources, table: Answer) -> CheckResult:
    """Return whether the table can be deleted."""
    problems = [f"{here.table_name} is protected from deletion"] if table.get("DeletionProtectionEnabled") else []
    hint = f"{_unprotect_table(here)}, deliberately."
    return check_result("table protection", here.region, problems=problems, evidence="off", hint=hint)


def next_commands(resources: StackResources, findings: Sequence[CheckResult]) -> list[str]:
    """Return what to run, in order; `pulumi destroy` only when nothing that is in the way needs a decision."""
    failed = {(each.check, each.where) for each in findings if each.verdict is Verdict.FAILED}
    if ("no operation", "both") in failed:
        return ["python -m operations status --watch", "python -m operations preflight --destroy"]
    commands = []
    if ("writer at home", "both") in failed:
        commands.append(f"python -m operations switchover --confirm {resources.global_cluster_id}")
    undecided = [
        each for each in findings if each.check in ("other users", "snapshots") and each.verdict is Verdict.FAILED
    ]
    unseen = [each for each in findings if each.verdict is Verdict.UNKNOWN and each.check != "pulumi's protection"]
    if undecided or unseen:
        return [*commands, "python -m operations preflight --destroy"]
    # The controller must not take a region that is being removed for one that is lost.
    commands.append(
        f'python -m operations disarm --reason "destroy" --confirm {resources.global_cluster_id}',
    )
    if ("global protection", "both") in failed:
        commands.append(_unprotect_global(resources).strip("`"))
    for here in resources.regions:
        if ("deletion protection", here.region) in failed:
            commands.append(_unprotect_cluster(here).strip("`"))
        if ("table protection", here.region) in failed:
            commands.append(_unprotect_table(here).strip("`"))
    if resources.is_production:
        commands.append(f"pulumi state unprotect --all --stack {resources.environment}")
    return [*commands, f"pulumi destroy --stack {resources.environment}"]


def _unprotect_global(resources: StackResources) -> str:
    return (
        f"`aws rds modify-global-cluster --region {resources.primary.region} "
        f"--global-cluster-identifier {resources.global_cluster_id} --no-deletion-protection`"
    )


def _unprotect_cluster(here: RegionResources) -> str:
    return (
        f"`aws rds modify-db-cluster --region {here.region} --db-cluster-identifier {here.cluster_id} "
        "--no-deletion-protection --apply-immediately`"
    )


def _unprotect_table(here: RegionResources) -> str:
    return (
        f"`aws dynamodb update-table --region {here.region} --table-name {here.table_name} "
        "--no-deletion-protection-enabled`"
    )
