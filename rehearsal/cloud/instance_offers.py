"""Which instance classes RDS offers: the emulator lists ten of its own, none of them one that the program asks for.

Owns the answer to DescribeOrderableDBInstanceOptions for one class. Pure: parameters in, XML out.
Does not own: what AWS really offers where, which only AWS knows: here every memory-optimised class is offered, in three zones.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from uuid import uuid4

from rehearsal.cloud.rds_xml import NAMESPACE

ACTION = "DescribeOrderableDBInstanceOptions"
ZONES = ("a", "b", "c")
# Source: DB instance class requirements of Aurora global databases: db.r5 or newer.
_OFFERED = re.compile(r"db\.(r([5-9]|\d{2,})|x\d)[a-z]*\.(large|\d*xlarge)")


def offers_answer(parameters: Mapping[str, str], *, region: str) -> bytes:
    """Return the answer to a question about one class; without a class, or with another, there is no offer."""
    asked = parameters.get("DBInstanceClass", "")
    root = ElementTree.Element(f"{ACTION}Response", {"xmlns": NAMESPACE})
    options = ElementTree.SubElement(ElementTree.SubElement(root, f"{ACTION}Result"), "OrderableDBInstanceOptions")
    if _OFFERED.fullmatch(asked):
        option = ElementTree.SubElement(options, "OrderableDBInstanceOption")
        for name, text in (
            ("Engine", parameters.get("Engine", "")),
            ("EngineVersion", parameters.get("EngineVersion", "")),
            ("DBInstanceClass", asked),
            ("SupportsGlobalDatabases", "true"),
        ):
            ElementTree.SubElement(option, name).text = text
        zones = ElementTree.SubElement(option, "AvailabilityZones")
        for zone in ZONES:
            ElementTree.SubElement(ElementTree.SubElement(zones, "AvailabilityZone"), "Name").text = f"{region}{zone}"
    ElementTree.SubElement(ElementTree.SubElement(root, "ResponseMetadata"), "RequestId").text = str(uuid4())
    return ElementTree.tostring(root, encoding="utf-8")
