"""The network, its flow logs, the encryption key and the notification topic of one region."""

from dataclasses import dataclass

import pulumi

from components.encryption import EncryptionKey, EncryptionKeyArgs
from components.flow_logs import FlowLogs, FlowLogsArgs
from components.lambda_function import VpcAccess
from components.network import Network, NetworkArgs
from components.notifications import Notifications, NotificationsArgs
from components.region import Region


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """The region, and the addresses of its peer."""

    region: Region
    peer_cidr: str

    @classmethod
    def of(cls, region: Region, *, peer: Region) -> "FoundationArgs":
        """Return the arguments for a region whose network reaches its peer's."""
        return cls(region=region, peer_cidr=peer.settings.vpc_cidr)


class Foundation(pulumi.ComponentResource):
    """A region's network, key and topic."""

    region: Region
    """The region."""
    network: Network
    """The private network."""
    key_arn: pulumi.Output[str]
    """The key that encrypts everything in this region."""
    topic_arn: pulumi.Output[str]
    """The topic of this region's notices."""
    vpc_access: VpcAccess
    """The network access of a function that connects to both databases."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:foundation:Foundation", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.region = region = args.region
        self.network = Network(f"{name}-network", NetworkArgs(region=region, peer_cidr=args.peer_cidr), opts=child)
        self.key_arn = EncryptionKey(f"{name}-encryption", EncryptionKeyArgs(region=region), opts=child).key_arn
        if region.stack.has_flow_logs(region.settings):
            arguments = FlowLogsArgs(region=region, vpc_id=self.network.vpc_id, key_arn=self.key_arn)
            FlowLogs(f"{name}-flow-logs", arguments, opts=child)
        self.topic_arn = Notifications(
            f"{name}-notifications", NotificationsArgs(region=region, key_arn=self.key_arn), opts=child
        ).topic_arn
        self.vpc_access = VpcAccess(
            vpc_id=self.network.vpc_id,
            subnet_ids=self.network.subnet_ids,
            database_cidrs={"own": region.settings.vpc_cidr, "peer": args.peer_cidr},
            database_port=region.stack.database.port,
        )
        self.register_outputs({"key_arn": self.key_arn, "topic_arn": self.topic_arn})
