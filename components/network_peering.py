"""The VPC peering of the two regions, with name resolution and routes in both directions."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.foundation import Foundation


@dataclass(frozen=True, kw_only=True)
class NetworkPeeringArgs:
    """The two ends of the peering."""

    requester: Foundation
    accepter: Foundation


class NetworkPeering(pulumi.ComponentResource):
    """A cross-region VPC peering; with the setting `existing_peering`, its id only."""

    connection_id: pulumi.Output[str]
    """The peering connection's id, known once the connection is accepted."""
    routes: list[pulumi.Resource]
    """The routes between the regions."""

    def __init__(self, name: str, args: NetworkPeeringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:network_peering:NetworkPeering", name, None, opts)
        requester, accepter = args.requester, args.accepter
        if existing := requester.region.stack.existing_peering:
            # Two VPCs have one peering: its owner also owns its options and the routes. `preflight` checks both.
            self.connection_id, self.routes = pulumi.Output.from_input(existing), []
            self.register_outputs({"connection_id": self.connection_id})
            return
        connection = aws.ec2.VpcPeeringConnection(
            f"{name}-connection",
            vpc_id=requester.network.vpc_id,
            peer_vpc_id=accepter.network.vpc_id,
            peer_region=accepter.region.code,
            auto_accept=False,  # AWS accepts automatically only within one region.
            tags=requester.region.tags("peering"),
            opts=pulumi.ResourceOptions(parent=self, provider=requester.region.provider),
        )
        acceptance = aws.ec2.VpcPeeringConnectionAccepter(
            f"{name}-acceptance",
            vpc_peering_connection_id=connection.id,
            auto_accept=True,
            tags=accepter.region.tags("peering"),
            opts=pulumi.ResourceOptions(parent=self, provider=accepter.region.provider),
        )
        # The same id as the connection's, but known only when the peering is active, as options and routes require.
        self.connection_id = acceptance.id
        # Each side lets the other resolve its names to private addresses, with a call in its own region.
        aws.ec2.PeeringConnectionOptions(
            f"{name}-requester-dns",
            vpc_peering_connection_id=self.connection_id,
            requester=aws.ec2.PeeringConnectionOptionsRequesterArgs(allow_remote_vpc_dns_resolution=True),
            opts=pulumi.ResourceOptions(parent=self, provider=requester.region.provider),
        )
        aws.ec2.PeeringConnectionOptions(
            f"{name}-accepter-dns",
            vpc_peering_connection_id=self.connection_id,
            accepter=aws.ec2.PeeringConnectionOptionsAccepterArgs(allow_remote_vpc_dns_resolution=True),
            opts=pulumi.ResourceOptions(parent=self, provider=accepter.region.provider),
        )
        self.routes = [
            *self._routes(f"{name}-from-requester", requester, accepter),
            *self._routes(f"{name}-from-accepter", accepter, requester),
        ]
        self.register_outputs({"connection_id": self.connection_id})

    def _routes(self, name: str, source: Foundation, target: Foundation) -> list[pulumi.Resource]:
        tables = source.network.route_tables
        return [
            aws.ec2.Route(
                f"{name}{suffix}",
                route_table_id=route_table_id,
                destination_cidr_block=target.region.settings.vpc_cidr,
                vpc_peering_connection_id=self.connection_id,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    provider=source.region.provider,
                    # The route of a main route table that was looked up, before the settings named it.
                    aliases=[pulumi.Alias(name=name)] if suffix and len(tables) == 1 else [],
                ),
            )
            for suffix, route_table_id in tables.items()
        ]
