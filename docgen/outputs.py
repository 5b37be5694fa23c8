"""docs/reference/outputs.md: every output of a stack, and what it is for.

Owns: the page's words, and which attribute an output of the whole stack comes from. Does not own: the outputs
(`__main__.py`) or what they mean (the docstrings of the components' attributes). Invariant: an output that the program
exports and nobody explains stops the making of the page, and so does an explanation of one that is gone.
"""

from collections.abc import Iterable, Mapping

from components.database_setup import DatabaseSetup
from components.database_users import DatabaseUsers
from components.failover_dns import FailoverDns
from components.global_cluster import GlobalCluster
from components.region import RegionOutputs
from docgen.docstrings import attribute_docstrings
from docgen.graph import drawn_graph
from docgen.markdown import table

PLACES = ("primary", "secondary")
SINGLE: Mapping[str, tuple[type, str]] = {
    "global_cluster_id": (GlobalCluster, "global_cluster_id"),
    "global_cluster_arn": (GlobalCluster, "global_cluster_arn"),
    "global_writer_endpoint": (GlobalCluster, "writer_endpoint"),
    "writer_dns_name": (FailoverDns, "writer_name"),
    "reader_dns_name": (FailoverDns, "reader_name"),
    "hosted_zone_id": (FailoverDns, "zone_id"),
    "health_check_ids": (FailoverDns, "health_check_ids"),
    "dns_alarm_arns": (FailoverDns, "alarm_arns"),
    "database_setup_function_name": (DatabaseSetup, "function_name"),
    "database_setup_function_arn": (DatabaseSetup, "function_arn"),
    "iam_user_policy_arns": (DatabaseUsers, "policy_arns"),
}
"""Outputs of the whole stack -> the attribute that each is."""
SETTINGS: Mapping[str, str] = {
    "database_name": "The database that was created with the primary cluster (the setting `database.name`).",
    "rewind_method": "How the writer's data goes back: `point-in-time` or `backtrack` (the setting `rewind.method`).",
    "backtrack_window": "How many seconds a backtrack may go back; 0 where the method is another.",
    "environment": "The end of every physical name (the setting `environment`).",
}
"""Outputs of the whole stack that are settings -> what they are."""

HEAD = """\
# Outputs

Made by `python -m docgen` (`make docs`) from the program and its components; do not edit.
`pulumi stack output --json` shows them all, `pulumi stack output NAME` one; none is a secret, and none holds a password.
The operator's commands read them, from the stack or from a saved file (`--outputs`).

## Of the whole stack

"""
REGIONS = """
## Of each region

Grouped by region in the output `regions`, and flat with the region's place before the name: `regions.primary.vpc_id` is `primary_vpc_id`.
Primary and secondary are the configured regions, not the roles: after a failover the writer is in the secondary region.

"""
USE = """
## In another stack

```python
database = pulumi.StackReference("organization/aurora-global-database/prod")
writer = database.require_output("writer_dns_name")
here = database.require_output("regions").apply(lambda regions: regions["primary"])
```
"""


def outputs_page() -> str:
    """Return the page.

    Raises:
        ValueError: an output has no explanation, or an explanation has no output.
    """
    single = {name: attribute_docstrings(kind)[attribute] for name, (kind, attribute) in SINGLE.items()}
    single |= SETTINGS
    of_a_region = attribute_docstrings(RegionOutputs)
    _check({**single, **{f"{place}_{name}": text for place in PLACES for name, text in of_a_region.items()}})
    parts = (
        HEAD,
        table(["output", "what it is"], _rows(single)),
        REGIONS,
        table(["output", "primary", "secondary", "what it is"], _regional(of_a_region)),
        USE,
    )
    return "".join(parts)


def _rows(meanings: Mapping[str, str]) -> Iterable[list[str]]:
    return ([f"`{name}`", text] for name, text in meanings.items())


def _regional(meanings: Mapping[str, str]) -> Iterable[list[str]]:
    return ([f"`{name}`", *(f"`{place}_{name}`" for place in PLACES), text] for name, text in meanings.items())


def _check(explained: Mapping[str, str]) -> None:
    exported = set(drawn_graph().outputs) - {"regions"}
    mute = sorted(name for name in exported if not explained.get(name))
    gone = sorted(set(explained) - exported)
    if mute or gone:
        raise ValueError(
            f"outputs without an explanation: {', '.join(mute) or 'none'}; not exported: {', '.join(gone) or 'none'}"
        )
