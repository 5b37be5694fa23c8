"""A resource that is deployed is never forgotten: who renames one, or the type of what it stands in, gives it an alias."""

from pathlib import Path

from rehearsal.engine.plan import PlannedChange
from rehearsal.engine.state import KeptResource, StackState
from tests.support.rehearsal.imagined import run

LIST = Path(__file__).with_name("urns.txt")
HOW_TO = f"""
{LIST.name} lists the URNs that are deployed somewhere. The engine knows a resource by its URN alone: under another one it
makes a second resource and deletes the first, with what is in it.
Lost: give the resource (or the component whose name or type changed) aliases=[pulumi.Alias(name="...", type_="...")] in its
ResourceOptions, and add the new URNs to the list beside the old ones. Only what shall really be deleted leaves the list.
New: add these lines to the list, sorted.
"""


def test_every_deployed_resource_is_found_again() -> None:
    """Under its URN or by an alias; what is new stands in the list, so that it can't be lost later."""
    state = StackState()
    for urn in LIST.read_text().splitlines():
        type_ = urn.split("::")[2].rpartition("$")[2]
        region = "eu-west-1" if "secondary" in urn else "us-east-1"
        state.keep(
            KeptResource(urn=urn, type=type_, name=urn.split("::")[3], region=region, id="there", inputs={}, outputs={})
        )
    steps = run("dev", state=state, preview=True).steps
    lost = [step.urn for step in steps if step.change is PlannedChange.DELETE]
    new = [step.urn for step in steps if step.change is PlannedChange.CREATE]
    assert ([], []) == (lost, new), HOW_TO + "\n".join(["Lost:", *lost, "New:", *new])
