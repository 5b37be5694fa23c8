"""IAM policy documents as JSON, from statements that may contain outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.region import Region

Statement = Mapping[str, Any]
"""One statement in IAM's JSON grammar; its values may be outputs."""


def document(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """Return a policy document."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(region: Region, service: str) -> pulumi.Output[str]:
    """Return a trust policy that lets a service assume the role for this account only (the confused deputy)."""
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": region.account_id}},
            }
        ]
    )
