"""Rules on clusters and instances that only a change of the program can break."""

from collections.abc import Iterator

from policy.rules.database import CLUSTER, GLOBAL_CLUSTER, INSTANCE, LIMITATIONS, REQUIREMENTS
from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation


@rule(LIMITATIONS)
def passwords_are_not_managed_by_rds(stack: Stack) -> Iterator[Violation]:
    """RDS does not manage the master password, because global databases do not support it."""
    for r in stack.primary_clusters:
        if r.get("manageMasterUserPassword") or r.is_set("masterUserSecretKmsKeyId"):
            yield violation(r, "manageMasterUserPassword", "not supported for global databases")


@rule(REQUIREMENTS)
def engines_are_aurora_mysql(stack: Stack) -> Iterator[Violation]:
    """The global cluster, clusters and instances use the engine aurora-mysql."""
    for r in (*stack.of_type(GLOBAL_CLUSTER), *stack.of_type(CLUSTER), *stack.of_type(INSTANCE)):
        if r.get("engine") != "aurora-mysql":
            yield violation(r, "engine", f"{r.get('engine')!r}")


@rule("Managed failovers need the same major and minor version on all members, Aurora User Guide")
def minor_upgrades_are_manual(stack: Stack) -> Iterator[Violation]:
    """Automatic minor version upgrades are off on every instance, because members with different versions block a failover."""
    for r in stack.of_type(INSTANCE):
        if r.get("autoMinorVersionUpgrade") is not False:
            yield violation(r, "autoMinorVersionUpgrade", "not false")
