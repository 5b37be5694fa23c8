"""Rules on the global database, its clusters, instances and parameter groups."""

from collections.abc import Iterator

from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation, as_list

LIMITATIONS = "Limitations of Amazon Aurora global databases, Aurora User Guide"
CREATE_CLUSTER = "CreateDBCluster, Amazon RDS API Reference"
CLUSTER, INSTANCE, GLOBAL_CLUSTER = (
    "rds/cluster:Cluster",
    "rds/clusterInstance:ClusterInstance",
    "rds/globalCluster:GlobalCluster",
)


@rule("Encrypting Amazon Aurora resources: global databases need a key in each region, Aurora User Guide")
def clusters_use_regional_kms_keys(stack: Stack) -> Iterator[Violation]:
    """Every cluster is encrypted with a customer-managed key of its own region."""
    for r in stack.of_type(CLUSTER):
        if r.get("storageEncrypted") is not True:
            yield violation(r, "storageEncrypted", "Encryption is off. Set it to true.")
        keys = stack.references(r, "kmsKeyId", "kms/key:Key")
        if not r.is_set("kmsKeyId") or (keys and {key.region for key in keys} != {r.region}):
            yield violation(
                r, "kmsKeyId", "The cluster has no key of its own region. Use the regional customer-managed key."
            )


@rule(LIMITATIONS, level="advisory")
def global_databases_disable_backtrack(stack: Stack) -> Iterator[Violation]:
    """No member of a global database has a backtrack window, because AWS does not support backtrack there."""
    for r in stack.of_type(CLUSTER):
        if r.get("backtrackWindow") and r.is_set("globalClusterIdentifier"):
            yield violation(r, "backtrackWindow", "Global databases do not support backtrack. Set it to 0.")


@rule(CREATE_CLUSTER)
def backup_retention_is_sufficient(stack: Stack) -> Iterator[Violation]:
    """Automated backups are retained for 7 to 35 days."""
    for r in stack.of_type(CLUSTER):
        days = r.get("backupRetentionPeriod")
        if not isinstance(days, int) or not 7 <= days <= 35:
            yield violation(r, "backupRetentionPeriod", f"{days} days is out of range. Use 7 to 35 days.")


@rule("The decision of private networks only, components/network.py")
def instances_are_private(stack: Stack) -> Iterator[Violation]:
    """No instance has a public IP address."""
    for r in stack.of_type(INSTANCE):
        if r.get("publiclyAccessible") is not False:
            yield violation(r, "publiclyAccessible", "The instance may get a public address. Set it to false.")


@rule("Security with Amazon Aurora MySQL: require_secure_transport, Aurora User Guide; docs/decisions.md")
def required_parameters_are_set(stack: Stack) -> Iterator[Violation]:
    """Cluster parameters require TLS, enable events and audit logs and disable the binary log; IAM authentication is on."""
    needed = {
        "require_secure_transport": "ON",
        "event_scheduler": "ON",
        "server_audit_logging": "1",
        "binlog_format": "OFF",
    }
    for r in stack.of_type("rds/clusterParameterGroup:ClusterParameterGroup"):
        given = {p["name"]: p.get("value") for p in as_list(r.get("parameters"))}
        for name, value in needed.items():
            if given.get(name) != value:
                yield violation(r, f"parameters.{name}", f"The value is {given.get(name)!r}. Set it to {value}.")
    for r in stack.of_type(CLUSTER):
        if not r.is_set("dbClusterParameterGroupName"):
            yield violation(
                r,
                "dbClusterParameterGroupName",
                "The default parameter group does not require TLS. Use the stack's parameter group.",
            )
        if r.get("iamDatabaseAuthenticationEnabled") is not True:
            yield violation(r, "iamDatabaseAuthenticationEnabled", "The health check logs in with IAM. Set it to true.")
