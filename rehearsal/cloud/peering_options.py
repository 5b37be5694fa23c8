"""ModifyVpcPeeringConnectionOptions, which ministack lacks: whether the peer VPC's DNS names resolve."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from uuid import uuid4

from rehearsal.cloud.query_xml import document

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
OPTION = "AllowDnsResolutionFromRemoteVpc"
_SIDES = {"Accepter": "accepterVpcInfo", "Requester": "requesterVpcInfo"}


class Ec2Refusal(Exception):
    """An error response of EC2."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    def to_xml(self) -> bytes:
        """Return the error in EC2's format, which differs from RDS's."""
        error = {"Code": self.code, "Message": self.message}
        return document("Response", {"Errors": {"Error": error}, "RequestID": uuid4()}, namespace="")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


class PeeringOptions:
    """The DNS options of every peering, by (peering id, side)."""

    def __init__(self) -> None:
        self._options: dict[tuple[str, str], bool] = {}

    def modify(self, parameters: Mapping[str, str], *, region: str, described: bytes) -> bytes:
        """Set the options in a call; return EC2's response. `described` is the response of DescribeVpcPeeringConnections.

        Raises:
            Ec2Refusal: the peering does not exist or is not active, or the side belongs to another region.
        Source: "ModifyVpcPeeringConnectionOptions": across regions, each side is set in its own region.
        """
        peering_id = parameters.get("VpcPeeringConnectionId", "")
        item = _find(described, peering_id)
        if item is None:
            raise Ec2Refusal(
                "InvalidVpcPeeringConnectionID.NotFound", f"The vpcPeeringConnection ID '{peering_id}' does not exist"
            )
        if item.findtext(f"{_tag('status')}/{_tag('code')}") != "active":
            raise Ec2Refusal(
                "OperationNotPermitted",
                f"Peering {peering_id} is not active. Peering options can be added only to active peerings.",
            )
        requested = {
            side: value
            for side in _SIDES
            if (value := parameters.get(f"{side}PeeringConnectionOptions.{OPTION}")) is not None
        }
        for side in requested:
            if item.findtext(f"{_tag(_SIDES[side])}/{_tag('region')}", region) != region:
                raise Ec2Refusal(
                    "OperationNotPermitted", f"The {side.lower()} options of {peering_id} can't be modified in {region}"
                )
        content: dict[str, object] = {"requestId": uuid4()}
        for side, value in requested.items():
            self._options[peering_id, side] = value.lower() == "true"
            content[f"{side.lower()}PeeringConnectionOptions"] = {"allowDnsResolutionFromRemoteVpc": value.lower()}
        return document("ModifyVpcPeeringConnectionOptionsResponse", content, namespace=NAMESPACE)

    def describe(self, xml: bytes) -> bytes:
        """Return ministack's response to DescribeVpcPeeringConnections with the options added."""
        root = ElementTree.fromstring(xml)
        for item in root.iter(_tag("item")):
            peering_id = item.findtext(_tag("vpcPeeringConnectionId"), "")
            for side, info_name in _SIDES.items():
                info = item.find(_tag(info_name))
                if info is not None and (peering_id, side) in self._options:
                    options = ElementTree.SubElement(info, _tag("peeringOptions"))
                    allowed = ElementTree.SubElement(options, _tag("allowDnsResolutionFromRemoteVpc"))
                    allowed.text = str(self._options[peering_id, side]).lower()
        return ElementTree.tostring(root, encoding="utf-8", default_namespace=NAMESPACE)


def _find(described: bytes, peering_id: str) -> ElementTree.Element | None:
    for item in ElementTree.fromstring(described).iter(_tag("item")):
        if item.findtext(_tag("vpcPeeringConnectionId")) == peering_id:
            return item
    return None
