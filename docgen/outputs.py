"""docs/reference/outputs.md: every output of a stack and its meaning, from the docstrings in `outputs.py`."""

from collections.abc import Iterable, Mapping

from docgen.docstrings import attribute_docstrings
from docgen.graph import drawn_graph
from docgen.markdown import table
from outputs import RegionOutputs, StackOutputs

LABELS = ("primary", "secondary")

HEAD = """\
# Outputs

Generated from `outputs.py` by `python -m docgen` (`make docs`); do not edit.
`pulumi stack output --json` shows all of them, `pulumi stack output NAME` one. None is a secret, and none contains a password.
The operator's commands read them from the stack or from a saved file (`--outputs`).

## The whole stack

"""
REGIONS = """
## Each region

The output `regions` groups them by region; each also exists with the label as a prefix: `regions.primary.vpc_id` is `primary_vpc_id`.
Primary and secondary are the configured regions, not the roles: after a failover the writer is in the secondary region.

"""
USE = """
## In another stack

```python
database = pulumi.StackReference("organization/aurora-global-database/prod")
writer = database.require_output("writer_dns_name")
primary = database.require_output("regions").apply(lambda regions: regions["primary"])
```
"""


def outputs_page() -> str:
    """Return the page.

    Raises:
        ValueError: an output has no docstring, or a documented output is not exported.
    """
    stack, region = attribute_docstrings(StackOutputs), attribute_docstrings(RegionOutputs)
    _check({**stack, **{f"{label}_{name}": text for label in LABELS for name, text in region.items()}})
    return "".join(
        (
            HEAD,
            table(["output", "meaning"], ([f"`{name}`", text] for name, text in stack.items())),
            REGIONS,
            table(["output", "primary", "secondary", "meaning"], _region_rows(region)),
            USE,
        )
    )


def _region_rows(meanings: Mapping[str, str]) -> Iterable[list[str]]:
    return ([f"`{name}`", *(f"`{label}_{name}`" for label in LABELS), text] for name, text in meanings.items())


def _check(documented: Mapping[str, str]) -> None:
    exported = set(drawn_graph().outputs) - {"regions"}
    undocumented = sorted(name for name in exported if not documented.get(name))
    missing = sorted(set(documented) - exported)
    if undocumented or missing:
        raise ValueError(
            f"outputs without a docstring: {', '.join(undocumented) or 'none'}; "
            f"not exported: {', '.join(missing) or 'none'}"
        )
