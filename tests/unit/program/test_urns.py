"""A renamed resource or component type needs an alias."""

from pathlib import Path

from rehearsal.engine.plan import PlannedChange
from rehearsal.engine.state import KeptResource, StackState
from tests.support.rehearsal.accept_all_aws import run

LIST = Path(__file__).with_name("urns.txt")
HOW_TO = f"""
{LIST.name} lists the deployed URNs. Pulumi identifies a resource by its URN: under another URN it creates a second resource and
deletes the first one with its data.
Lost: add aliases=[pulumi.Alias(name="...", type_="...")] to the ResourceOptions of the resource (or of the component whose name
or type changed), and add the new URNs to the list. Remove a URN only if the resource is to be deleted.
New: add these lines to the list, sorted.
"""


def test_every_listed_urn_is_still_registered() -> None:
    """By its URN or an alias; new URNs must be in the list."""
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
