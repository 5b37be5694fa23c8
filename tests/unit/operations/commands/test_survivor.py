"""Survivor: the command line that deploys one region while the other one is lost."""

import copy
import itertools
import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

import pytest

from operations.commands.survivor import exclude_patterns
from operations.stack.exported_state import read_export
from operations.support.errors import ExitCode, TimedOutError
from tests.support.operations.fakes import EAST, WEST, FakeEnvironment
from tests.support.program.harness import ACCOUNT, Run, run_program, stack_file

pytestmark = pytest.mark.slow


def exported(run: Run, stack: str) -> dict[str, Any]:
    """Return the state of a stack as `pulumi stack export` prints it."""
    resources = [
        {
            "urn": each.urn,
            "type": each.type,
            "id": "an-id",
            "custom": not each.is_component,
            "inputs": each.inputs,
            "outputs": {**each.inputs, "arn": f"arn:aws:x:{each.region}:{ACCOUNT}:{each.name}"},
            **({"provider": f"{each.provider}::an-id"} if each.provider else {}),
        }
        for each in run.resources
    ]
    # As the engine does: the providers, then what needs them.
    resources.sort(key=lambda each: each["type"] != "pulumi:providers:aws")
    text = json.dumps(
        {"version": 3, "deployment": {"resources": resources}}, default=lambda value: type(value).__name__
    )
    return json.loads(text.replace("urn:pulumi:test::", f"urn:pulumi:{stack}::"))


@pytest.fixture(scope="session")
def prod_state() -> dict[str, Any]:
    """The state of the production stack."""
    return exported(run_program(stack_file("prod")), "prod")


@pytest.fixture(scope="session")
def dev_state() -> dict[str, Any]:
    """The state of a stack whose settings have neither account nor zones."""
    zones = {f"REGION{letter}": f"id-{letter}" for letter in "abc"}
    return exported(run_program(stack_file("dev"), zones=zones), "dev")


@pytest.fixture
def operator(environment: FakeEnvironment, prod_state: dict[str, Any]) -> FakeEnvironment:
    """An operator of the production stack."""
    environment.exported, environment.config = copy.deepcopy(prod_state), stack_file("prod")
    return environment


def patterns(command: list[str]) -> list[str]:
    """Return the patterns of a command."""
    return [value for option, value in itertools.pairwise(command) if option == "--exclude"]


def matches(pattern: str, urn: str) -> bool:
    """Return whether the engine's glob matches, as UrnTargets.getMatcher compiles it."""
    parts = ["[^:]*".join(map(re.escape, part.split("*"))) for part in pattern.split("**")]
    return bool(re.fullmatch(".*".join(parts), urn))


@pytest.mark.parametrize(("lost", "surviving"), [(EAST, WEST), (WEST, EAST)])
def test_exactly_the_lost_regions_resources_are_excluded(operator: FakeEnvironment, lost: str, surviving: str) -> None:
    """The global resources of its provider are among them; no resource of the other provider is."""
    result = operator.run("survivor", "--lost", lost, "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["stack"], found["lost"], found["surviving"]) == (0, "prod", lost, surviving)
    state = read_export(operator.exported)
    hit = {
        each.urn
        for each in state.resources
        if any(matches(pattern, each.urn) for pattern in patterns(found["command"]))
    }
    assert {each.urn for each in state.in_region(lost)} == set(found["excluded"]) <= hit
    assert hit & {each.urn for each in state.in_region(surviving)} == set()
    assert len(found["excluded"]) > 70


def test_resources_that_the_state_does_not_have_yet_are_excluded(operator: FakeEnvironment) -> None:
    """A further instance of the lost region is not created; one of the other region is."""
    found = json.loads(operator.run("survivor", "--lost", EAST, "--json").stdout)
    prefix = "urn:pulumi:prod::aurora-global-database::aurora:regional_cluster:RegionalCluster$aws:rds/clusterInstance:"
    new = {label: f"{prefix}ClusterInstance::{label}-database-instance-9" for label in ("primary", "secondary")}
    hit = {label for label, urn in new.items() if any(matches(each, urn) for each in patterns(found["command"]))}
    assert hit == {"primary"}


def test_command_reads_nothing_and_skips_the_validation_of_credentials(operator: FakeEnvironment) -> None:
    """Both would wait for the lost region. The stack of the state is named."""
    heading, *lines = operator.run("survivor", "--lost", EAST).stdout.splitlines()
    assert re.fullmatch(r"\d+ resources of us-east-1 are excluded, \d+ of eu-west-1 are not\. Run:", heading)
    first, *rest = [line.strip().removesuffix(" \\") for line in lines]
    assert first == "AWS_SKIP_CREDENTIALS_VALIDATION=true pulumi up --stack prod --refresh=false --policy-pack policy"
    assert all(line.startswith("--exclude 'urn:pulumi:prod::") for line in rest)


def test_printed_lines_are_one_command_of_a_shell(operator: FakeEnvironment) -> None:
    """They can be copied with their line ends."""
    _, *lines = operator.run("survivor", "--lost", EAST).stdout.splitlines()
    found = json.loads(operator.run("survivor", "--lost", EAST, "--json").stdout)
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == [
        "AWS_SKIP_CREDENTIALS_VALIDATION=true",
        *found["command"],
    ]


def test_printed_command_is_the_one_that_runs(operator: FakeEnvironment) -> None:
    """`--run` starts it in this terminal, where Pulumi asks."""
    found = json.loads(operator.run("survivor", "--lost", WEST, "--json", "--stack", "acme/aurora/prod").stdout)
    result = operator.run("survivor", "--lost", WEST, "--run", "--stack", "acme/aurora/prod")
    assert (result.exit_code, operator.pulumi_runs) == (0, [(found["command"], found["environment"])])
    assert found["command"][:4] == ["pulumi", "up", "--stack", "acme/aurora/prod"]


def test_failure_of_pulumi_is_the_commands(operator: FakeEnvironment) -> None:
    """The exit code says failed, and the hint what to do."""
    operator.pulumi_exit_code = 255
    result = operator.run("survivor", "--lost", WEST, "--run")
    assert result.exit_code == ExitCode.FAILED
    assert "`pulumi up` ended with exit code 255" in result.stderr


def test_unreadable_state_may_be_in_the_lost_region(environment: FakeEnvironment) -> None:
    """Pulumi's backend does not respond; the runbook says what is left."""

    def hang(arguments: Sequence[str], timeout_seconds: float) -> str:
        raise TimedOutError(f"{' '.join(arguments)}: {timeout_seconds:g} s", hint="")

    environment.run_pulumi = hang
    result = environment.run("survivor", "--lost", EAST)
    assert result.exit_code == ExitCode.USAGE
    assert "If the state is stored in the lost region: docs/runbook/deploy-during-outage.md." in result.stderr


def test_settings_that_ask_the_lost_region_are_refused(environment: FakeEnvironment, dev_state: dict[str, Any]) -> None:
    """The hint has the lines to add, from the state: no region is asked."""
    environment.exported, environment.config = dev_state, stack_file("dev")
    result = environment.run("survivor", "--lost", EAST)
    assert result.exit_code == ExitCode.REFUSED
    missing = "primary.availability_zones, secondary.availability_zones, aws.account_id"
    assert f"the program would ask the lost region for {missing}" in result.stderr
    assert result.stderr.splitlines()[-7:] == [
        "Hint: Add to Pulumi.dev.yaml, each line to its section:",
        "  aurora-global-database:aws:",
        f'    account_id: "{ACCOUNT}"',
        "  aurora-global-database:primary:",
        "    availability_zones: [us-east-1a, us-east-1b, us-east-1c]",
        "  aurora-global-database:secondary:",
        "    availability_zones: [eu-west-1a, eu-west-1b, eu-west-1c]",
    ]


def test_invalid_settings_are_named(operator: FakeEnvironment) -> None:
    """The program would stop at them as well."""
    operator.config = {**operator.config, "failover": {"mode": "sometimes"}}
    result = operator.run("survivor", "--lost", EAST)
    assert (result.exit_code, "failover.mode: 'sometimes'" in result.stderr) == (ExitCode.USAGE, True)


def test_help_names_options_and_exit_codes(environment: FakeEnvironment) -> None:
    """It reads Pulumi's state, so saved outputs are of no use."""
    text = " ".join(environment.run("survivor", "--help").stdout.split())
    options = ("--lost", "--run", "--stack", "--json", "Exit codes: 0 done", "--outputs")
    assert [option in text for option in options] == [True] * 5 + [False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--lost", "ap-south-1"), "--lost: this stack is not in 'ap-south-1'"),
        (("--lost", EAST, "--run", "--json"), "--run and --json: both were given"),
        ((), "Missing option '--lost'"),
    ],
)
def test_wrong_options_are_usage_errors(operator: FakeEnvironment, arguments: tuple[str, ...], said: str) -> None:
    """Nothing runs."""
    result = operator.run("survivor", *arguments)
    assert (result.exit_code, operator.pulumi_runs) == (ExitCode.USAGE, [])
    assert said in result.output


STACK_ONLY = {"urn": "urn:pulumi:dev::aurora::pulumi:pulumi:Stack::aurora-dev", "type": "pulumi:pulumi:Stack"}


@pytest.mark.parametrize("deployment", [{}, {"resources": None}, {"resources": []}, {"resources": [STACK_ONLY]}])
def test_stack_that_is_not_deployed_has_no_survivor(environment: FakeEnvironment, deployment: object) -> None:
    """Its state has no provider."""
    environment.exported = {"version": 3, "deployment": deployment}
    result = environment.run("survivor", "--lost", EAST)
    assert (result.exit_code, "the stack is not deployed" in result.stderr) == (ExitCode.USAGE, True)


def test_no_aws_api_is_called(operator: FakeEnvironment) -> None:
    """In an outage each call may hang."""
    operator.run("survivor", "--lost", EAST)
    assert operator.calls == []


def test_name_that_two_regions_share_is_excluded_one_by_one(prod_state: dict[str, Any]) -> None:
    """Both providers have resources of the peering."""
    state = read_export(prod_state)
    found = exclude_patterns(state.in_region(WEST), state.in_region(EAST))
    exact = [each for each in found if "*" not in each]
    assert {each.rpartition("::")[2].partition("-")[0] for each in exact} == {"peering"}
    assert [each for each in found if "*" in each] == ["urn:pulumi:prod::aurora-global-database::**::secondary-*"]
