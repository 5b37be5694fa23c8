"""The monitor refuses what it does not know, collects every error, and hands the handlers what the program meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.deploy import DeploymentError, DeployResult, deploy
from rehearsal.provider.resources.handler import (
    Created,
    Handler,
    HandlerError,
    Request,
    not_held,
    own,
    provider_only,
    sent,
)

TOPIC = "aws:sns/topic:Topic"
QUEUE = "aws:sqs/queue:Queue"
PASSWORD = "random:index/randomPassword:RandomPassword"
PRELUDE = """
import pulumi, pulumi_aws as aws, pulumi_random as random
east = aws.Provider("east", region="us-east-1", default_tags={"tags": {"Team": "platform", "Name": "nobody"}})
there = pulumi.ResourceOptions(provider=east)
"""


def no_client(service: str, region: str) -> Any:
    """Stand for boto3: the handlers of these tests call no AWS."""
    raise AssertionError(f"{service} in {region} was called")


class Programs:
    """Runs small programs against handlers that only remember what they were given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.requests: list[Request] = []
        self.handlers: dict[str, Handler] = {
            TOPIC: Handler(
                create=self.remember,
                properties={
                    "name": sent("Name", held=""),
                    "displayName": sent("DisplayName", held=""),
                    "deliveryPolicy": not_held("DeliveryPolicy", "the emulator forgets it"),
                    "kmsMasterKeyId": provider_only("nobody sends it"),
                    "tags": sent("Tags", held=""),
                },
            ),
            QUEUE: Handler(
                create=self.remember,
                properties={"name": sent("Name", held=""), "delaySeconds": sent("DelaySeconds", held="")},
            ),
            PASSWORD: Handler(create=self.password, properties={"length": own()}, is_global=True),
        }
        (directory / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")

    def remember(self, request: Request) -> Created:
        """Create a resource that says yes to everything."""
        request.parameters()
        self.requests.append(request)
        return Created(id=f"id-of-{request.name}", outputs={"arn": f"arn:of:{request.name}"})

    def password(self, request: Request) -> Created:
        """Create a password that the tests know."""
        request.take("length")
        return Created(id="none", outputs={"result": "correct horse"}, secret_outputs=frozenset({"result"}))

    def run(self, body: str, *, preview: bool = False, **options: Any) -> DeployResult:
        """Run a program that has an explicit provider `east` and its options `there`."""
        return self.run_exactly(PRELUDE + body, preview=preview, **options)

    def run_exactly(self, source: str, **options: Any) -> DeployResult:
        """Run a program of exactly this text."""
        (self.directory / "__main__.py").write_text(source)
        return deploy(self.directory, {}, "http://127.0.0.1:1", clients=no_client, handlers=self.handlers, **options)

    def errors(self, body: str) -> list[tuple[str, str, str]]:
        """Run a program that must fail; return (last part of the URN, property, message) of every resource's error."""
        with pytest.raises(DeploymentError) as raised:
            self.run(body)
        return [(error.urn.split("::")[-1], error.property, error.message) for error in raised.value.errors]

    def replace(self, type_: str, create: Callable[[Request], Created], **properties: Any) -> None:
        """Let another function create the resources of a type."""
        self.handlers[type_] = Handler(create=create, properties=properties or self.handlers[type_].properties)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Give a place to run programs in."""
    return Programs(tmp_path)


def test_creates_what_the_program_registers_and_returns_its_exports(programs: Programs) -> None:
    """A resource's outputs reach the program, and the program's exports the caller."""
    deployment = programs.run('t = aws.sns.Topic("t", name="news", opts=there)\npulumi.export("arn", t.arn)')
    assert deployment.exports == {"arn": "arn:of:t"}
    assert [(each.type, each.name, each.region, each.id) for each in deployment.resources] == [
        (TOPIC, "t", "us-east-1", "id-of-t")
    ]


def test_an_unknown_type_is_an_error_that_names_urn_and_type(programs: Programs) -> None:
    """What the rehearsal can't create fails the deployment, by name."""
    with pytest.raises(DeploymentError) as raised:
        programs.run('aws.sfn.Activity("b", opts=there)')
    (error,) = raised.value.errors
    assert (error.urn, error.type) == (
        "urn:pulumi:dev::tiny::aws:sfn/activity:Activity::b",
        "aws:sfn/activity:Activity",
    )
    assert "the rehearsal can't create this type" in str(raised.value)


def test_every_property_that_would_be_dropped_is_named(programs: Programs) -> None:
    """A property that the handler does not account for is an error, and nothing of the resource is created."""
    errors = programs.errors('aws.sns.Topic("t", fifo_topic=True, signature_version=2, opts=there)')
    assert errors == [
        ("t", "fifoTopic", "the rehearsal does not support this property"),
        ("t", "signatureVersion", "the rehearsal does not support this property"),
    ]
    assert programs.requests == []


def test_all_errors_are_reported_together_and_the_rest_is_created(programs: Programs) -> None:
    """One failure does not hide another, nor stop what does not depend on it."""
    errors = programs.errors(
        'bad = aws.sfn.Activity("bad", opts=there)\n'
        'aws.sns.Topic("worse", fifo_topic=True, opts=there)\n'
        'aws.sns.Topic("dependent", name=bad.name, opts=there)\n'
        'aws.sns.Topic("after", opts=pulumi.ResourceOptions(provider=east, depends_on=[bad]))\n'
        'aws.sns.Topic("good", opts=there)\n'
    )
    assert sorted(name for name, _, _ in errors) == ["bad", "worse"]
    assert [request.name for request in programs.requests] == ["good"]


def test_the_error_says_how_many_resources_were_not_tried(programs: Programs) -> None:
    """What depends on a failed resource is counted, also through another one that was not tried."""
    with pytest.raises(DeploymentError, match="not tried: 2 resources"):
        programs.run(
            'bad = aws.sfn.Activity("bad", opts=there)\n'
            'first = aws.sns.Topic("first", name=bad.name, opts=there)\n'
            'aws.sns.Topic("second", display_name=first.arn, opts=there)\n'
        )


def test_the_default_provider_is_forbidden(programs: Programs) -> None:
    """A resource whose provider was forgotten fails, instead of landing in some region."""
    errors = programs.errors('aws.sns.Topic("t")')
    assert errors == [("t", "", "it has no explicit provider, and the default provider is not allowed")]


def test_a_function_call_without_provider_is_forbidden(programs: Programs) -> None:
    """What asks AWS says which region it asks."""
    with pytest.raises(DeploymentError, match=r"getRegion: it has no explicit provider"):
        programs.run("aws.get_region()")


def test_an_unknown_function_call_is_an_error(programs: Programs) -> None:
    """A lookup that the rehearsal can't answer is named, and ends the program."""
    with pytest.raises(DeploymentError, match=r"getQueue: the rehearsal does not support this function"):
        programs.run("aws.sqs.get_queue(name='q', opts=pulumi.InvokeOptions(provider=east))")


def test_an_unknown_argument_of_a_function_call_is_an_error(programs: Programs) -> None:
    """An argument that would change the answer is not dropped either."""
    with pytest.raises(
        DeploymentError, match=r"getRegion, property endpoint: the rehearsal does not support this argument"
    ):
        programs.run("aws.get_region(endpoint='x', opts=pulumi.InvokeOptions(provider=east))")


def test_an_unknown_setting_of_a_provider_is_an_error(programs: Programs) -> None:
    """A provider that would act for another account is refused, and what uses it is not tried."""
    errors = programs.errors(
        'other = aws.Provider("other", region="eu-west-1", allowed_account_ids=["1"])\n'
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(provider=other))\n'
    )
    assert errors == [("other", "allowedAccountIds", "the rehearsal's provider does not support this setting")]


def test_a_provider_names_its_region(programs: Programs) -> None:
    """A provider without a region would take whatever the machine says."""
    errors = programs.errors('aws.Provider("other")')
    assert errors == [("other", "region", "an explicit provider needs a region")]


def test_two_resources_with_one_urn_are_refused(programs: Programs) -> None:
    """Mocks take the second for the first; the real engine refuses it, and so does the rehearsal."""
    errors = programs.errors('aws.sns.Topic("t", opts=there)\naws.sns.Topic("t", opts=there)')
    assert errors == [("t", "", "another resource has the same URN. Use different names")]


def test_a_urn_holds_the_types_of_all_parents(programs: Programs) -> None:
    """The same name under two components gives two URNs, as in the real engine."""
    deployment = programs.run(
        'outer = pulumi.ComponentResource("a:b:Outer", "outer")\n'
        'inner = pulumi.ComponentResource("a:b:Inner", "inner", None, pulumi.ResourceOptions(parent=outer))\n'
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(parent=inner, provider=east))\n'
    )
    assert [each.urn for each in deployment.resources] == [
        "urn:pulumi:dev::tiny::a:b:Outer$a:b:Inner$aws:sns/topic:Topic::t"
    ]


def test_the_provider_s_default_tags_lie_under_the_resource_s_own(programs: Programs) -> None:
    """Default tags are merged, and a tag of the resource's own wins."""
    deployment = programs.run(
        't = aws.sns.Topic("t", tags={"Name": "news"}, opts=there)\n'
        'pulumi.export("all", t.tags_all)\npulumi.export("own", t.tags)\n'
    )
    assert programs.requests[0].inputs["tags"] == {"Team": "platform", "Name": "news"}
    assert deployment.exports == {"all": {"Team": "platform", "Name": "news"}, "own": {"Name": "news"}}


def test_default_tags_reach_a_resource_without_tags_of_its_own(programs: Programs) -> None:
    """A resource type that has tags gets the default ones; one that has none, nothing."""
    programs.run('aws.sns.Topic("t", opts=there)\naws.sqs.Queue("q", opts=there)')
    inputs = {request.name: request.inputs for request in programs.requests}
    assert inputs == {"t": {"tags": {"Team": "platform", "Name": "nobody"}}, "q": {}}


def test_whole_numbers_reach_the_handler_as_ints(programs: Programs) -> None:
    """Protobuf makes a float of every number; AWS wants 3306, not 3306.0."""
    programs.run('aws.sqs.Queue("q", delay_seconds=5, opts=there)')
    assert repr(programs.requests[0].inputs["delaySeconds"]) == "5"


def test_a_secret_is_plain_for_the_handler_and_masked_for_everybody_else(programs: Programs) -> None:
    """The handler sends the value; the list of resources doesn't show it; the export stays marked as secret."""
    deployment = programs.run(
        'p = random.RandomPassword("p", length=13)\n'
        't = aws.sns.Topic("t", display_name=p.result, opts=there)\n'
        'pulumi.export("shown", t.display_name)\n'
    )
    assert programs.requests[0].inputs["displayName"] == "correct horse"
    assert "correct horse" not in repr(deployment.resources)
    assert (deployment.exports["shown"], deployment.secret_exports) == ("correct horse", {"shown"})


def test_an_error_never_shows_a_secret(programs: Programs) -> None:
    """Whatever AWS or a function says back, a secret in it is masked."""

    def refuse(request: Request) -> Created:
        raise HandlerError(f"refused: {request.inputs['displayName']}", property="displayName")

    programs.replace(TOPIC, refuse)
    errors = programs.errors(
        'p = random.RandomPassword("p", length=13)\naws.sns.Topic("t", display_name=p.result, opts=there)'
    )
    assert errors == [("t", "displayName", "refused: [secret]")]


def test_a_password_inside_a_secret_json_text_is_never_shown(programs: Programs) -> None:
    """Of a secret request only the password is masked: an error must still say which host it is about."""

    def refuse(request: Request) -> Created:
        raise HandlerError(f"refused: {request.inputs['displayName']}")

    programs.replace(TOPIC, refuse)
    errors = programs.errors(
        "import json\n"
        "request = json.dumps({'host': 'database.internal', 'password': 'battery staple'})\n"
        'aws.sns.Topic("t", display_name=pulumi.Output.secret(request), opts=there)'
    )
    assert errors == [("t", "", 'refused: {"host": "database.internal", "password": "[secret]"}')]


def test_an_output_in_a_text_is_an_error(programs: Programs) -> None:
    """Pulumi only warns in the text itself; AWS would take the warning for a name."""
    (error,) = programs.errors(
        't = aws.sns.Topic("t", opts=there)\naws.sqs.Queue("q", name=f"for-{t.arn}", opts=there)'
    )
    assert error[:2] == ("q", "name")


def test_an_output_that_the_handler_does_not_give_is_an_error_where_it_is_used(programs: Programs) -> None:
    """A forgotten output would silently be None; here its use fails, as input and as export."""
    errors = programs.errors('t = aws.sns.Topic("t", opts=there)\naws.sqs.Queue("q", name=t.owner, opts=there)')
    assert errors == [("q", "name", "its value is an output that the rehearsal's handler does not set")]
    errors = programs.errors('t = aws.sns.Topic("t", opts=there)\npulumi.export("owner", t.owner)')
    assert errors == [("tiny-dev", "owner", "this export has an unknown value")]


def test_a_handler_that_forgets_a_property_fails(programs: Programs) -> None:
    """Being in the table is not enough: the handler must have sent or taken the property."""
    programs.replace(TOPIC, lambda request: Created(id="x", outputs={}), name=sent("Name"), tags=provider_only("-"))
    errors = programs.errors('aws.sns.Topic("t", name="news", opts=there)')
    assert errors == [("t", "name", "the rehearsal's handler does not use it")]


def test_every_property_that_reads_back_otherwise_is_an_error(programs: Programs) -> None:
    """What the emulator accepts and then forgets or changes does not count as created."""

    def forgetful(request: Request) -> Created:
        request.parameters()
        return Created(id="x", outputs={}, held={"Name": "other", "Tags": {}})

    programs.replace(TOPIC, forgetful, name=sent("Name"), displayName=sent("DisplayName"), tags=sent("Tags", held=""))
    errors = programs.errors('aws.sns.Topic("t", name="news", display_name="News", opts=there)')
    assert sorted(errors) == [
        ("t", "displayName", "sent 'News', but DisplayName reads back as None"),
        ("t", "name", "sent 'news', but Name reads back as 'other'"),
    ]


def test_what_the_emulator_is_known_to_forget_is_reported(programs: Programs) -> None:
    """A property that is sent and not held appears in the deployment's list, with the reason."""
    deployment = programs.run('aws.sns.Topic("t", delivery_policy="{}", opts=there)')
    assert [str(each) for each in deployment.not_held] == [f"{TOPIC}, deliveryPolicy: the emulator forgets it"]


def test_a_mistake_in_a_handler_keeps_the_name_of_its_resource(programs: Programs) -> None:
    """Pulumi would report a bare KeyError; here it says which resource it was."""
    programs.replace(TOPIC, lambda request: Created(id=request.inputs["missing"], outputs={}))
    assert programs.errors('aws.sns.Topic("t", opts=there)') == [("t", "", "KeyError: 'missing'")]


@pytest.mark.parametrize(
    "body",
    [
        'aws.sns.Topic.get("t", "arn:x", opts=there)',
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(provider=east, import_="x"))',
    ],
)
def test_nothing_exists_before_the_program(programs: Programs, body: str) -> None:
    """A program that reads or imports something would need what is not there on a fresh account."""
    ((name, _, message),) = programs.errors(body)
    assert (name, message.endswith("does not exist on a fresh account")) == ("t", True)


@pytest.mark.parametrize(
    "body",
    [
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(provider=east, transforms=[lambda arguments: None]))',
        "pulumi.runtime.register_resource_transform(lambda arguments: None)",
        'hook = pulumi.ResourceHook("h", lambda arguments: None)\n'
        "hooks = pulumi.ResourceHookBinding(after_create=[hook])\n"
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(provider=east, hooks=hooks))',
    ],
)
def test_transforms_and_hooks_are_refused(programs: Programs, body: str) -> None:
    """The monitor can't run them, and a program whose transforms don't run is another program."""
    with pytest.raises(DeploymentError, match="does not support"):
        programs.run(body)


def test_every_resource_is_announced_once_with_its_region(programs: Programs) -> None:
    """Progress is told per resource, with the provider's region, or `global`."""
    seen: list[tuple[str, str]] = []
    programs.run(
        'west = aws.Provider("west", region="eu-west-1")\n'
        'aws.sns.Topic("t", opts=there)\n'
        'aws.sns.Topic("u", opts=pulumi.ResourceOptions(provider=west))\n'
        'random.RandomPassword("p", length=13)\n',
        on_resource=lambda resource: seen.append((resource.name, resource.region)),
    )
    assert sorted(seen) == [("p", "global"), ("t", "us-east-1"), ("u", "eu-west-1")]


def test_a_preview_creates_nothing_and_knows_no_output(programs: Programs) -> None:
    """In a preview outputs are unknown, and no handler is called."""
    deployment = programs.run(
        't = aws.sns.Topic("t", name="news", opts=there)\n'
        't.arn.apply(lambda arn: exec("raise SystemExit(3)"))\n'
        'aws.sqs.Queue("q", name=t.arn, opts=there)\n',
        preview=True,
    )
    assert (deployment.resources, programs.requests) == ((), [])


def test_a_preview_refuses_what_the_deployment_would_refuse(programs: Programs) -> None:
    """Unknown types and properties are found without creating anything."""
    with pytest.raises(DeploymentError, match="property fifoTopic: the rehearsal does not support this property"):
        programs.run('aws.sns.Topic("t", fifo_topic=True, opts=there)', preview=True)


def test_the_program_s_own_error_reaches_the_caller_word_for_word(programs: Programs) -> None:
    """Settings that won't do are reported in the program's own words."""
    with pytest.raises(DeploymentError) as raised:
        programs.run('raise pulumi.RunError("primary.vpc_cidr: overlaps; use another")')
    assert str(raised.value) == "primary.vpc_cidr: overlaps; use another"


def test_a_bare_error_of_python_says_its_kind(programs: Programs) -> None:
    """The text of a KeyError alone would tell nobody anything."""
    with pytest.raises(DeploymentError, match=r"^KeyError: 'missing'$"):
        programs.run('{}["missing"]')


def test_an_error_inside_an_apply_fails_the_deployment(programs: Programs) -> None:
    """What goes wrong after a resource exists is not lost."""
    with pytest.raises(DeploymentError, match="ZeroDivisionError"):
        programs.run('t = aws.sns.Topic("t", opts=there)\npulumi.export("x", t.arn.apply(lambda arn: 1 / 0))')


def test_a_logged_error_fails_the_deployment_and_a_warning_is_kept(programs: Programs) -> None:
    """`pulumi.log.error` makes the CLI's update fail; a warning is shown."""
    assert programs.run('pulumi.warn("backtrack: AWS refuses it")').warnings == ("backtrack: AWS refuses it",)
    with pytest.raises(DeploymentError, match="no good"):
        programs.run('pulumi.error("no good")')


def test_two_runs_in_one_process_do_not_know_of_each_other(programs: Programs) -> None:
    """A failed run leaves nothing behind: not its stack, its outputs, its configuration, nor its working directory."""
    before = Path.cwd()
    with pytest.raises(DeploymentError):
        programs.run('aws.sfn.Activity("b", opts=there)\nraise RuntimeError("first run")')
    for _ in range(2):
        deployment = programs.run('t = aws.sns.Topic("t", opts=there)\npulumi.export("arn", t.arn)')
        assert (len(deployment.resources), deployment.exports) == (1, {"arn": "arn:of:t"})
    assert Path.cwd() == before


def test_the_program_sees_its_configuration(programs: Programs, tmp_path: Path) -> None:
    """The stack's configuration arrives as the CLI would hand it over: text, and objects as JSON."""
    source = 'import pulumi\nc = pulumi.Config()\npulumi.export("it", [c.get("a"), c.require_object("o")])'
    (tmp_path / "__main__.py").write_text(source)
    config = {"tiny:a": "1", "tiny:o": '{"x": 2}'}
    deployment = deploy(tmp_path, config, "http://127.0.0.1:1", clients=no_client, handlers=programs.handlers)
    assert deployment.exports == {"it": ["1", {"x": 2}]}
