"""Deploy an Aurora MySQL Global Database in two regions, with automated failover between them."""

import gc

gc.disable()  # Short-lived process: the garbage collector costs about 1 s and frees nothing.

import pulumi

from components.credentials import Credentials, CredentialsArgs
from components.database_setup import DatabaseSetup, DatabaseSetupArgs
from components.database_users import DatabaseUsers, DatabaseUsersArgs
from components.failover_dns import FailoverDns, FailoverDnsArgs
from components.failover_watch import FailoverWatch, FailoverWatchArgs, GlobalMember
from components.foundation import Foundation, FoundationArgs
from components.global_cluster import GlobalCluster, GlobalClusterArgs
from components.health_check import HealthCheck, HealthCheckArgs
from components.network_peering import NetworkPeering, NetworkPeeringArgs
from components.region import Region
from components.regional_cluster import MasterUser, RegionalCluster, RegionalClusterArgs
from outputs import export_outputs
from settings import SettingsError, load_stack_settings, warnings

try:
    settings = load_stack_settings()
except SettingsError as error:
    raise pulumi.RunError(str(error)) from error
for warning in warnings(settings):
    pulumi.log.warn(warning)

# The regions, each with its own provider.
primary = Region.of("primary", settings.primary, settings)
secondary = Region.of("secondary", settings.secondary, settings)

# Network, encryption key and notification topic of each region, and the peering of the networks.
primary_foundation = Foundation("primary", FoundationArgs.of(primary, peer=secondary), opts=primary.opts)
secondary_foundation = Foundation("secondary", FoundationArgs.of(secondary, peer=primary), opts=secondary.opts)
peering = NetworkPeering(
    "peering",
    NetworkPeeringArgs(requester=primary_foundation, accepter=secondary_foundation),
    opts=primary.opts,
)

# The master user's password, stored in both regions.
credentials = Credentials(
    "credentials", CredentialsArgs.of(primary_foundation, peer=secondary_foundation), opts=primary.opts
)
master = MasterUser.of(settings.database, credentials.password)

# The database: the global cluster, then the primary cluster, then the secondary cluster.
global_cluster = GlobalCluster("global", GlobalClusterArgs(region=primary), opts=primary.opts)
primary_database = RegionalCluster(
    "primary-database",
    RegionalClusterArgs.of(primary_foundation, global_cluster, master=master),
    opts=primary.opts,
)
secondary_database = RegionalCluster(
    "secondary-database",
    RegionalClusterArgs.of(secondary_foundation, global_cluster, source=primary_database),
    opts=secondary.opts,
)
databases = [primary_database, secondary_database]

# The database users: those of the functions, and the people who log in with IAM tokens.
setup = DatabaseSetup("database-setup", DatabaseSetupArgs.of(primary_foundation, databases, master), opts=primary.opts)
users = DatabaseUsers("people", DatabaseUsersArgs(region=primary, clusters=databases), opts=primary.opts)

# Each region probes both databases.
primary_health_check = HealthCheck(
    "primary-health-check", HealthCheckArgs.of(primary_foundation, databases), opts=primary.opts
)
secondary_health_check = HealthCheck(
    "secondary-health-check", HealthCheckArgs.of(secondary_foundation, databases), opts=secondary.opts
)
primary_member = GlobalMember(
    foundation=primary_foundation, cluster=primary_database, health_check=primary_health_check
)
secondary_member = GlobalMember(
    foundation=secondary_foundation, cluster=secondary_database, health_check=secondary_health_check
)

# Each region watches the other and takes over when the writer's region is lost.
started_after = [setup.invocation, *secondary_database.instances, *peering.routes]
primary_watch = FailoverWatch(
    "primary-watch",
    FailoverWatchArgs(
        own=primary_member, peer=secondary_member, global_cluster=global_cluster, started_after=started_after
    ),
    opts=primary.opts,
)
secondary_watch = FailoverWatch(
    "secondary-watch",
    FailoverWatchArgs(
        own=secondary_member, peer=primary_member, global_cluster=global_cluster, started_after=started_after
    ),
    opts=secondary.opts,
)

# The names that clients connect to follow the writer.
dns = FailoverDns("dns", FailoverDnsArgs.of(primary_watch, secondary_watch), opts=primary.opts)

export_outputs(
    global_cluster=global_cluster,
    primary=primary_watch,
    secondary=secondary_watch,
    credentials=credentials,
    dns=dns,
    setup=setup,
    users=users,
)
