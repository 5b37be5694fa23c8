"""DescribeOrderableDBInstanceOptions: every memory-optimised class is offered, in three zones.

Ministack offers ten classes, but none that the program uses.
"""

import re
from collections.abc import Mapping
from uuid import uuid4

from rehearsal.cloud.query_xml import document
from rehearsal.cloud.rds_xml import NAMESPACE

ACTION = "DescribeOrderableDBInstanceOptions"
ZONES = ("a", "b", "c")
# Source: DB instance class requirements of Aurora global databases: db.r5 or newer.
_OFFERED = re.compile(r"db\.(r([5-9]|\d{2,})|x\d)[a-z]*\.(large|\d*xlarge)")


def offers_response(parameters: Mapping[str, str], *, region: str) -> bytes:
    """Return the response for one class. It contains no offer if the class is missing or not memory-optimised."""
    offer = {
        "Engine": parameters.get("Engine", ""),
        "EngineVersion": parameters.get("EngineVersion", ""),
        "DBInstanceClass": parameters.get("DBInstanceClass", ""),
        "SupportsGlobalDatabases": "true",
        "AvailabilityZones": {"AvailabilityZone": [{"Name": f"{region}{zone}"} for zone in ZONES]},
    }
    offers = [offer] if _OFFERED.fullmatch(offer["DBInstanceClass"]) else []
    content = {
        f"{ACTION}Result": {"OrderableDBInstanceOptions": {"OrderableDBInstanceOption": offers}},
        "ResponseMetadata": {"RequestId": uuid4()},
    }
    return document(f"{ACTION}Response", content, namespace=NAMESPACE)
