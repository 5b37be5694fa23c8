"""The whole system: settings -> two providers -> components -> exports.

Only this file and `settings` know that there are two regions, and which is first: all else has its own, and a peer.
"""

import gc
from typing import Any

gc.disable()  # The program ends in seconds and frees next to nothing: to search its heap would take half of its time.

import pulumi
import pulumi_aws as aws

from components.account import availability_zones, region_in
from components.alarms import AlarmThresholds
from components.cluster_options import ClusterOptions
from components.credentials import Credentials, CredentialsArgs
from components.database_setup import DatabaseSetup, DatabaseSetupArgs
from components.database_users import DatabaseUsers, DatabaseUsersArgs, IamCluster
from components.existing_vpc import existing_vpc
from components.failover_controller import FailoverPolicy
from components.failover_dns import DnsMember, FailoverDns, FailoverDnsArgs
from components.global_cluster import GlobalCluster, GlobalClusterArgs
from components.health_check import HealthCheck, HealthCheckArgs
from components.network import DatabaseClients
from components.network_peering import NetworkPeering, NetworkPeeringArgs
from components.region import Foundation, FoundationArgs, Member, RegionOutputs, Watch, WatchArgs
from components.regional_cluster import InstanceArgs, MasterUser, RegionalCluster, RegionalClusterArgs
from settings import SettingsError, load_stack_settings, warnings

try:
    settings = load_stack_settings()
except SettingsError as error:
    raise pulumi.RunError(str(error)) from error
for warning in warnings(settings):
    pulumi.log.warn(warning)
database, kept_days = settings.database, settings.logs.retention_days
places = {"primary": settings.primary, "secondary": settings.secondary}
peers = {"primary": "secondary", "secondary": "primary"}

# A provider for each region: nothing is left to a default one.
tags = aws.ProviderDefaultTagsArgs(tags=settings.default_tags)
providers = {name: aws.Provider(name, region=place.region, default_tags=tags) for name, place in places.items()}
inside = {name: pulumi.ResourceOptions(provider=provider) for name, provider in providers.items()}
sites = {name: region_in(place.region, providers[name], **settings.stack_names) for name, place in places.items()}

# What the databases stand on: networks, keys and topics; the peering; the password, kept in both regions.
bases = {name: Foundation(name, FoundationArgs(
    site=sites[name], vpc_cidr=place.vpc_cidr, peer_cidr=places[peers[name]].vpc_cidr, database_port=database.port,
    availability_zones=availability_zones(place, providers[name]), existing_vpc=existing_vpc(name, place, providers[name]),
    clients=DatabaseClients.of(place), emails=settings.notifications.emails,
), opts=inside[name]) for name, place in places.items()}  # fmt: skip
ends = {name: base.as_peer(providers[name]) for name, base in bases.items()}
peered = NetworkPeeringArgs(requester=ends["primary"], accepter=ends["secondary"])
peering = NetworkPeering("peering", peered, opts=inside["primary"])
credentials = Credentials("credentials", CredentialsArgs(
    site=sites["primary"], key_arn=bases["primary"].key_arn, username=database.master_username,
    peer_region=settings.secondary.region, peer_key_arn=bases["secondary"].key_arn,
), opts=inside["primary"])  # fmt: skip

# The database: the global cluster, then the primary with its instances, then the secondary with its own.
world = GlobalCluster("global", GlobalClusterArgs(
    site=sites["primary"], engine_version=database.engine_version), opts=inside["primary"])  # fmt: skip
master = MasterUser(username=database.master_username, password=credentials.password, database_name=database.name)


def member_cluster(name: str, **only_here: Any) -> RegionalCluster:
    """Return one region's member of the global database."""
    base, place = bases[name], places[name]
    return RegionalCluster(f"{name}-database", RegionalClusterArgs(
        site=sites[name], global_cluster_id=world.global_cluster_id, engine_version=database.engine_version,
        subnet_ids=base.network.subnet_ids, security_group_id=base.network.database_security_group_id,
        key_arn=base.key_arn, port=database.port, backup_retention_days=database.backup_retention_days,
        instances=InstanceArgs.of(database, place, base.network.zones), log_retention_days=kept_days,
        options=ClusterOptions.of(database, place, settings.logs.exports),
        performance_insights_retention_days=database.insights_days, **only_here,
    ), opts=inside[name])  # fmt: skip


primary = member_cluster("primary", master=master, backtrack_window_seconds=settings.backtrack_seconds)
secondary = member_cluster("secondary", source_region=settings.primary.region, created_after=primary.instances)
clusters = {"primary": primary, "secondary": secondary}

# What watches it, the same in both regions, the user that it logs in as, and the names that follow the writer.
logins = [IamCluster(region=place.region, resource_id=clusters[name].resource_id) for name, place in places.items()]
checks = {name: HealthCheck(f"{name}-health-check", HealthCheckArgs(
    site=sites[name], vpc=base.vpc_access, clusters=logins, key_arn=base.key_arn, log_retention_days=kept_days,
    reserved_concurrency=settings.failover.health_check_concurrency,
), opts=inside[name]) for name, base in bases.items()}  # fmt: skip
setup = DatabaseSetup("database-setup", DatabaseSetupArgs(
    site=sites["primary"], vpc=bases["primary"].vpc_access, key_arn=bases["primary"].key_arn, master=master,
    clusters={places[name].region: cluster for name, cluster in clusters.items()}, iam_users=database.iam_users,
    log_retention_days=kept_days, created_after=[*primary.instances, *bases["primary"].network.database_rules],
), opts=inside["primary"])  # fmt: skip
people = DatabaseUsers("people", DatabaseUsersArgs(
    site=sites["primary"], clusters=logins, iam_users=database.iam_users), opts=inside["primary"])  # fmt: skip
members = {name: Member(site=sites[name], foundation=bases[name], cluster=clusters[name], health_check=check)
           for name, check in checks.items()}  # fmt: skip
watches = {name: Watch(f"{name}-watch", WatchArgs(
    own=member, peer=members[peers[name]], global_cluster=world, database_port=database.port,
    policy=FailoverPolicy(**settings.failover.policy), thresholds=AlarmThresholds.of(settings, places[name]),
    reserved_concurrency=settings.failover.reserved_concurrency, log_retention_days=kept_days,
    started_after=[setup.invocation, *secondary.instances, *peering.routes],
), opts=inside[name]) for name, member in members.items()}  # fmt: skip
dns_ends = {name: DnsMember.of(members[name], watch.monitoring, providers[name]) for name, watch in watches.items()}
dns = FailoverDns("dns", FailoverDnsArgs(
    zone_name=settings.zone_name, record_ttl_seconds=settings.dns.record_ttl_seconds,
    primary=dns_ends["primary"], secondary=dns_ends["secondary"]), opts=inside["primary"])  # fmt: skip

# For other stacks: grouped by region, and flat where people expect a single value.
secrets = {"primary": credentials.secret_arn, "secondary": credentials.peer_secret_arn}
regions = {name: RegionOutputs.of(members[name], watches[name], secrets[name]).values() for name in places}
single = {
    "global_cluster_id": world.global_cluster_id, "global_cluster_arn": world.global_cluster_arn,
    "global_writer_endpoint": world.writer_endpoint, "writer_dns_name": dns.writer_name,
    "reader_dns_name": dns.reader_name, "hosted_zone_id": dns.zone_id, "health_check_ids": dns.health_check_ids,
    "dns_alarm_arns": dns.alarm_arns, "database_name": primary.database_name, "environment": settings.environment,
    "rewind_method": settings.rewind.method, "backtrack_window": settings.backtrack_seconds or 0,
    "database_setup_function_name": setup.function_name, "database_setup_function_arn": setup.function_arn,
    "iam_user_policy_arns": people.policy_arns,
}  # fmt: skip
flat = {f"{name}_{output}": value for name, outputs in regions.items() for output, value in outputs.items()}
for export, value in {"regions": regions, **flat, **single}.items():
    pulumi.export(export, value)
