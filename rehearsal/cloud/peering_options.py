"""ModifyVpcPeeringConnectionOptions, which the emulator lacks: whether the other VPC's DNS names resolve.

Owns: the options of each peering, what EC2 refuses, and EC2's XML for both.
Does not own: the peerings themselves (the emulator's). Pure but for the options that it keeps.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from uuid import uuid4
from xml.sax.saxutils import escape

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
OPTION = "AllowDnsResolutionFromRemoteVpc"
_SIDES = {"Accepter": "accepterVpcInfo", "Requester": "requesterVpcInfo"}


class Ec2Refusal(Exception):
    """An error that EC2 answers."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    def to_xml(self) -> bytes:
        """Return it in EC2's own wire format, which differs from RDS's."""
        return (
            f"<Response><Errors><Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error></Errors>"
            f"<RequestID>{uuid4()}</RequestID></Response>"
        ).encode()


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


class PeeringOptions:
    """The DNS options of every peering, by (peering id, side)."""

    def __init__(self) -> None:
        self._options: dict[tuple[str, str], bool] = {}

    def modify(self, parameters: Mapping[str, str], *, region: str, described: bytes) -> bytes:
        """Set the options that a call names; return EC2's answer. `described` is the peering's own description.

        Raises:
            Ec2Refusal: no such peering, one that isn't active, or a side that isn't this region's.
        Source: "ModifyVpcPeeringConnectionOptions": across regions each side is set in its own region.
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
        asked = {side: parameters.get(f"{side}PeeringConnectionOptions.{OPTION}") for side in _SIDES}
        for side, value in asked.items():
            if value is not None and item.findtext(f"{_tag(_SIDES[side])}/{_tag('region')}", region) != region:
                raise Ec2Refusal(
                    "OperationNotPermitted", f"The {side.lower()} options of {peering_id} are not modified in {region}"
                )
        answers = []
        for side, value in asked.items():
            if value is not None:
                self._options[peering_id, side] = value.lower() == "true"
                answers.append(
                    f"<{side.lower()}PeeringConnectionOptions><allowDnsResolutionFromRemoteVpc>{value.lower()}"
                    f"</allowDnsResolutionFromRemoteVpc></{side.lower()}PeeringConnectionOptions>"
                )
        return (
            f'<ModifyVpcPeeringConnectionOptionsResponse xmlns="{NAMESPACE}"><requestId>{uuid4()}</requestId>'
            f"{''.join(answers)}</ModifyVpcPeeringConnectionOptionsResponse>"
        ).encode()

    def describe(self, xml: bytes) -> bytes:
        """Return the emulator's answer to DescribeVpcPeeringConnections with the options in it."""
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
