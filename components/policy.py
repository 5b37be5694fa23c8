"""IAM policy documents as text, from statements that may hold outputs.

Owns: the documents' shape. Does not own: who is allowed what (each component says that itself).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.json_text import json_text
from components.site import Region

Statement = Mapping[str, Any]
"""One statement in IAM's JSON grammar; its values may be outputs."""


def document(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """Return a policy document."""
    return json_text({"Version": "2012-10-17", "Statement": list(statements)})


def trust(site: Region, service: str) -> pulumi.Output[str]:
    """Return a trust policy: the service may take the role on behalf of this account only (the confused deputy)."""
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": site.account_id}},
            }
        ]
    )
