"""The command `preflight --destroy`: check what blocks a destroy, and show the commands to run. Changes nothing.

Invariant: `pulumi destroy` is shown only after the commands that must precede it.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from operations.aws.ports import RdsRoles
from operations.aws.read_ports import Answer, ReadApiFactory
from operations.aws.roles import Roles, reconcile, roles_from_rds
from operations.checks.finding import Check, CheckResult, Verdict, check_result, unknown
from operations.checks.runner import run_checks, show_results
from operations.commands.context import CommandContext
from operations.stack.resources import RegionResources, StackResources, read_resources
from operations.support.deadlines import call_concurrently
from operations.support.errors import ExitCode, OperationError

FAILOVER_SNAPSHOT = "rds:unplanned-global-failover-"
"""Prefix of the snapshot with the writes that a failover lost. Source: Recovering from an unplanned outage, Aurora."""


def preflight_destroy(context: CommandContext) -> ExitCode:
    """Check what would block a destroy, and show the commands to run."""
    resources, read_api_for = read_resources(context.outputs), context.read_api_for
    roles = _read_roles(context)
    checks = [
        Check(
            names=("deletion protection", "other users", "snapshots"),
            where=here.region,
            run=partial(_database_findings, resources, here, read_api_for),
        )
        for here in resources.regions
    ]
    checks += [
        Check(names=("table protection",), where=here.region, run=partial(_table_findings, here, read_api_for))
        for here in resources.regions
    ]
    run = partial(_global_findings, resources, read_api_for)
    checks.append(Check(names=("global protection",), where="both", run=run))
    from_aws = [check_writer(resources, roles), check_operation(roles)]
    from_aws += run_checks(checks, context.screen, "Checking what blocks a destroy")
    findings = [*from_aws[:2], check_pulumi(resources), *from_aws[2:]]
    commands = [context.with_stack_options(command) for command in next_commands(resources, findings)]
    findings = [replace(each, hint=context.with_stack_options(each.hint)) for each in findings]
    more = {"global_cluster": resources.global_cluster_id, "writer": _writer(roles), "commands": commands}
    title = f"Before `pulumi destroy` of {resources.global_cluster_id}"
    # Without an answer from AWS the command has checked nothing.
    code = show_results(context.screen, title, findings, more, decisive=from_aws)
    context.screen.table("Run next, in this order", ("Command",), ([command] for command in commands))
    return code


def _read_roles(context: CommandContext) -> Roles:
    answers = call_concurrently([context.connect(region).read_roles for region in context.deployment.regions])
    known = [roles_from_rds(context.deployment, each) for each in answers if isinstance(each, RdsRoles)]
    roles = reconcile(known)
    failures = "; ".join(each.message for each in answers if isinstance(each, OperationError))
    operation = next((each.operation for each in known if each.operation), None)
    return replace(roles, operation=operation, source=roles.source if known else failures)


def _writer(roles: Roles) -> str | None:
    return None if roles.writer is None else roles.writer.name


def check_writer(resources: StackResources, roles: Roles) -> CheckResult:
    """Check that the writer is in the primary region.

    The program deletes the secondary's cluster first, and AWS refuses to remove the writer while another member exists.
    Source: Removing a cluster from an Aurora global database.
    """
    name, writer, primary = "writer in primary region", _writer(roles), resources.primary.region
    if writer is None:
        return unknown(name, "both", why=f"the writer is unknown: {roles.source}", hint="Check `status`.")
    problems = [] if writer == primary else [f"the writer is in {writer}, not in {primary}: AWS would refuse"]
    hint = "Switch back to the primary region first: `python -m operations switchover`."
    return check_result(name, "both", problems=problems, evidence=f"the writer is in {primary}", hint=hint)


def check_operation(roles: Roles) -> CheckResult:
    """Check that no switchover or failover is in progress."""
    if roles.writer is None and roles.operation is None:
        return unknown("no operation", "both", why=f"no region responds: {roles.source}", hint="Check `status`.")
    problems = [f"in progress: {roles.operation}"] if roles.operation else []
    hint = "Wait for its end: `python -m operations status --watch`."
    return check_result("no operation", "both", problems=problems, evidence="none in progress", hint=hint)


def check_pulumi(resources: StackResources) -> CheckResult:
    """Report what Pulumi protects in this environment; the command cannot read Pulumi's state."""
    if resources.is_production:
        why = "the program protects data resources in production; only Pulumi's state shows whether they still are"
        return unknown(
            "pulumi's protection", "both", why=why, hint="If the data may be deleted: `pulumi state unprotect --all`."
        )
    evidence = f"the program protects nothing in `{resources.environment}`; protection set by hand is not visible here"
    return check_result("pulumi's protection", "both", problems=[], evidence=evidence, hint="")


def _database_findings(
    resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory
) -> list[CheckResult]:
    read_api = read_api_for(here.region)
    clusters = read_api.read_all("rds", "describe_db_clusters", "DBClusters")
    snapshots = read_api.read_all(
        "rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", DBClusterIdentifier=here.cluster_id
    )
    own = next((each for each in clusters if each.get("DBClusterIdentifier") == here.cluster_id), None)
    return [
        _check_protection("deletion protection", here.region, here.cluster_id, own, _unprotect_cluster(here)),
        check_other_users(here, clusters),
        check_snapshots(resources, here, snapshots),
    ]


def _global_findings(resources: StackResources, read_api_for: ReadApiFactory) -> list[CheckResult]:
    name = resources.global_cluster_id
    found = read_api_for(resources.primary.region).read_all(
        "rds", "describe_global_clusters", "GlobalClusters", GlobalClusterIdentifier=name
    )
    info = found[0] if found else None
    return [_check_protection("global protection", "both", name, info, _unprotect_global(resources))]


def _table_findings(here: RegionResources, read_api_for: ReadApiFactory) -> list[CheckResult]:
    table = read_api_for(here.region).read("dynamodb", "describe_table", TableName=here.table_name)["Table"]
    info = {"DeletionProtection": table.get("DeletionProtectionEnabled")}
    return [_check_protection("table protection", here.region, here.table_name, info, _unprotect_table(here))]


def _check_protection(check: str, where: str, name: str, info: Answer | None, command: str) -> CheckResult:
    problems = [f"{name} is protected from deletion"] if info and info.get("DeletionProtection") else []
    evidence = "off" if info else f"{name} no longer exists"
    return check_result(
        check, where, problems=problems, evidence=evidence, hint=f"If the data may be deleted: `{command}`."
    )


def check_other_users(here: RegionResources, clusters: Sequence[Answer]) -> CheckResult:
    """Check that no other cluster, such as a rewind's copy, uses this stack's subnet group or key.

    A subnet group in use can't be deleted, and a cluster whose key is deleted is lost.
    """
    groups = {str(each.get("DBSubnetGroup")) for each in clusters if each.get("DBClusterIdentifier") == here.cluster_id}
    others = [
        str(each["DBClusterIdentifier"])
        for each in clusters
        if each.get("DBClusterIdentifier") != here.cluster_id
        and (each.get("DBSubnetGroup") in groups or each.get("KmsKeyId") == here.key_arn)
    ]
    problems = [f"{name} uses this stack's network or key" for name in others]
    hint = "Drop a rewind's copy, or restore it elsewhere: without the key its data is lost."
    return check_result("other users", here.region, problems=problems, evidence="no other cluster uses them", hint=hint)


def check_snapshots(resources: StackResources, here: RegionResources, snapshots: Sequence[Answer]) -> CheckResult:
    """Check that the final snapshot can be taken and that no snapshot with lost writes is deleted.

    Manual snapshots remain, but can't be restored once their key is deleted. Source: Deleting AWS KMS keys.
    """
    manual = [str(each["DBClusterSnapshotIdentifier"]) for each in snapshots if each.get("SnapshotType") == "manual"]
    lost_writes = [
        str(each["DBClusterSnapshotIdentifier"])
        for each in snapshots
        if str(each["DBClusterSnapshotIdentifier"]).startswith(FAILOVER_SNAPSHOT)
    ]
    project = here.cluster_id.removesuffix(f"-{here.region}-{resources.environment}")
    final = f"{project}-{here.region}-final-{resources.environment}"
    problems = [f"{final} exists already: the final snapshot of this destroy would fail"] if final in manual else []
    problems += [
        f"{name} holds writes that a failover lost, and is deleted with the cluster: copy it first"
        for name in lost_writes
    ]
    evidence = (
        f"remain, but can't be restored once the key is deleted: {', '.join(manual)}" if manual else "none remains"
    )
    hint = "Copy the snapshots to keep under a key of your own (`aws rds copy-db-cluster-snapshot`), then delete them."
    return check_result("snapshots", here.region, problems=problems, evidence=evidence, hint=hint)


def next_commands(resources: StackResources, findings: Sequence[CheckResult]) -> list[str]:
    """Return the commands to run, in order; `pulumi destroy` only if no finding needs a decision first."""
    failed = {(each.check, each.where) for each in findings if each.verdict is Verdict.FAILED}
    if ("no operation", "both") in failed:
        return ["python -m operations status --watch", "python -m operations preflight --destroy"]
    commands = []
    if ("writer in primary region", "both") in failed:
        commands.append(f"python -m operations switchover --confirm {resources.global_cluster_id}")
    needs_decision = any(check in ("other users", "snapshots") for check, _ in failed)
    if needs_decision or any(
        each.verdict is Verdict.UNKNOWN and each.check != "pulumi's protection" for each in findings
    ):
        return [*commands, "python -m operations preflight --destroy"]
    # Otherwise the controller could mistake the deletion of a region for its loss.
    commands.append(f'python -m operations disarm --reason "destroy" --confirm {resources.global_cluster_id}')
    if ("global protection", "both") in failed:
        commands.append(_unprotect_global(resources))
    for here in resources.regions:
        if ("deletion protection", here.region) in failed:
            commands.append(_unprotect_cluster(here))
        if ("table protection", here.region) in failed:
            commands.append(_unprotect_table(here))
    if resources.is_production:
        commands.append(f"pulumi state unprotect --all --stack {resources.stack_name}")
    return [*commands, f"pulumi destroy --stack {resources.stack_name}"]


def _unprotect_global(resources: StackResources) -> str:
    return (
        f"aws rds modify-global-cluster --region {resources.primary.region} "
        f"--global-cluster-identifier {resources.global_cluster_id} --no-deletion-protection"
    )


def _unprotect_cluster(here: RegionResources) -> str:
    return (
        f"aws rds modify-db-cluster --region {here.region} --db-cluster-identifier {here.cluster_id} "
        "--no-deletion-protection --apply-immediately"
    )


def _unprotect_table(here: RegionResources) -> str:
    return (
        f"aws dynamodb update-table --region {here.region} --table-name {here.table_name} "
        "--no-deletion-protection-enabled"
    )
