"""The link between two regions' networks.

Owns: the peering connection, its acceptance, name resolution and routes, both ways.
Does not own: the networks. Invariant: whoever depends on this component can send packets both ways.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.network import Network
from components.site import Region


@dataclass(frozen=True, kw_only=True)
class PeeredNetwork:
    """One end of the peering."""

    site: Region
    network: Network
    vpc_cidr: str
    provider: aws.Provider


@dataclass(frozen=True, kw_only=True)
class NetworkPeeringArgs:
    """The two ends; AWS has one of them ask and the other accept."""

    requester: PeeredNetwork
    accepter: PeeredNetwork


class NetworkPeering(pulumi.ComponentResource):
    """A cross-region VPC peering with routes and DNS both ways."""

    connection_id: pulumi.Output[str]
    """The peering connection's id, known once it has been accepted."""
    routes: list[pulumi.Resource]
    """The routes without which the regions don't hear each other."""

    def __init__(self, name: str, args: NetworkPeeringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:network_peering:NetworkPeering", name, None, opts)
        asks, accepts = args.requester, args.accepter
        connection = aws.ec2.VpcPeeringConnection(
            f"{name}-connection",
            vpc_id=asks.network.vpc_id,
            peer_vpc_id=accepts.network.vpc_id,
            peer_region=accepts.site.region,
            auto_accept=False,  # Only a peering within one region accepts itself.
            tags=asks.site.tags("peering"),
            opts=pulumi.ResourceOptions(parent=self, provider=asks.provider),
        )
        acceptance = aws.ec2.VpcPeeringConnectionAccepter(
            f"{name}-acceptance",
            vpc_peering_connection_id=connection.id,
            auto_accept=True,
            tags=accepts.site.tags("peering"),
            opts=pulumi.ResourceOptions(parent=self, provider=accepts.provider),
        )
        # The acceptance's id is the connection's, and it exists only once the peering is active: options and routes
        # need that.
        self.connection_id = acceptance.id
        for side, end in (("requester", asks), ("accepter", accepts)):
            self._resolve_names(f"{name}-{side}-dns", side, end)
        self.routes = [
            *self._routes(f"{name}-from-requester", asks, accepts),
            *self._routes(f"{name}-from-accepter", accepts, asks),
        ]
        self.register_outputs({"connection_id": self.connection_id})

    def _resolve_names(self, name: str, side: str, end: PeeredNetwork) -> None:
        """Let one side resolve the other's names to private addresses; each side is set in its own region."""
        options = {
            "requester": aws.ec2.PeeringConnectionOptionsRequesterArgs(allow_remote_vpc_dns_resolution=True),
            "accepter": aws.ec2.PeeringConnectionOptionsAccepterArgs(allow_remote_vpc_dns_resolution=True),
        }
        aws.ec2.PeeringConnectionOptions(
            name,
            vpc_peering_connection_id=self.connection_id,
            requester=options["requester"] if side == "requester" else None,  # type: ignore[arg-type]
            accepter=options["accepter"] if side == "accepter" else None,  # type: ignore[arg-type]
            opts=pulumi.ResourceOptions(parent=self, provider=end.provider),
        )

    def _routes(self, name: str, source: PeeredNetwork, target: PeeredNetwork) -> list[pulumi.Resource]:
        return [
            aws.ec2.Route(
                f"{name}{suffix}",
                route_table_id=route_table_id,
                destination_cidr_block=target.vpc_cidr,
                vpc_peering_connection_id=self.connection_id,
                opts=pulumi.ResourceOptions(parent=self, provider=source.provider),
            )
            for suffix, route_table_id in source.network.route_tables.items()
        ]
