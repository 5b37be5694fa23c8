"""Tests of the monitor: unsupported features, error collection, and the values that handlers receive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
east = aws.Provider("east", region="us-east-1", default_tags={"tags": {"Team": "platform", "Name": "default"}})
there = pulumi.ResourceOptions(provider=east)
"""


def no_client(service: str, region: str) -> Any:
    """Return no boto3 client: these handlers do not call AWS."""
    raise AssertionError(f"{service} in {region} was called")


class Programs:
    """Small programs, run against handlers that record their requests."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.requests: list[Request] = []
        self.handlers: dict[str, Handler] = {
            TOPIC: Handler(
                create=self.record,
                properties={
                    "name": sent("Name", held=""),
                    "displayName": sent("DisplayName", held=""),
                    "deliveryPolicy": not_held("DeliveryPolicy", "the emulator forgets it"),
                    "kmsMasterKeyId": provider_only("not sent"),
                    "tags": sent("Tags", held=""),
                },
            ),
            QUEUE: Handler(
                create=self.record,
                properties={"name": sent("Name", held=""), "delaySeconds": sent("DelaySeconds", held="")},
            ),
            PASSWORD: Handler(create=self.password, properties={"length": own()}, is_global=True),
        }
        (directory / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")

    def record(self, request: Request) -> Created:
        """Create a resource without calling AWS."""
        request.parameters()
        self.requests.append(request)
        return Created(id=f"id-of-{request.name}", outputs={"arn": f"arn:of:{request.name}"})

    def password(self, request: Request) -> Created:
        """Create a known password."""
        request.take("length")
        return Created(id="none", outputs={"result": "correct horse"}, secret_outputs=frozenset({"result"}))

    def run(self, body: str, *, preview: bool = False, **options: Any) -> DeployResult:
        """Run PRELUDE, which defines the provider `east` and the resource options `there` that select it, and then the program."""
        return self.run_exactly(PRELUDE + body, preview=preview, **options)

    def run_exactly(self, source: str, **options: Any) -> DeployResult:
        """Run a program with exactly this source."""
        (self.directory / "__main__.py").write_text(source)
        return deploy(self.directory, {}, "http://127.0.0.1:1", clients=no_client, handlers=self.handlers, **options)

    def errors(self, body: str) -> list[tuple[str, str, str]]:
        """Run a program that must fail; return (last part of the URN, property, message) of each resource's error."""
        with pytest.raises(DeploymentError) as raised:
            self.run(body)
        return [(error.urn.split("::")[-1], error.property, error.message) for error in raised.value.errors]

    def replace(self, type_: str, create: Callable[[Request], Created], **properties: Any) -> None:
        """Replace the create function of a type."""
        self.handlers[type_] = Handler(create=create, properties=properties or self.handlers[type_].properties)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Return a runner of small programs."""
    return Programs(tmp_path)


def test_resources_are_created_and_exports_returned(programs: Programs) -> None:
    """A resource's outputs reach the program, and its exports the caller."""
    deployment = programs.run('t = aws.sns.Topic("t", name="news", opts=there)\npulumi.export("arn", t.arn)')
    assert deployment.exports == {"arn": "arn:of:t"}
    assert [(each.type, each.name, each.region, each.id) for each in deployment.resources] == [
        (TOPIC, "t", "us-east-1", "id-of-t")
    ]


def test_unknown_type_is_an_error_with_urn_and_type(programs: Programs) -> None:
    """A type without handler fails the deployment."""
    with pytest.raises(DeploymentError) as raised:
        programs.run('aws.sfn.Activity("b", opts=there)')
    (error,) = raised.value.errors
    assert (error.urn, error.type) == (
        "urn:pulumi:dev::tiny::aws:sfn/activity:Activity::b",
        "aws:sfn/activity:Activity",
    )
    assert "the rehearsal can't create this type" in str(raised.value)


def test_every_unsupported_property_is_named(programs: Programs) -> None:
    """The resource is not created."""
    errors = programs.errors('aws.sns.Topic("t", fifo_topic=True, signature_version=2, opts=there)')
    assert errors == [
        ("t", "fifoTopic", "the rehearsal does not support this property"),
        ("t", "signatureVersion", "the rehearsal does not support this property"),
    ]
    assert programs.requests == []


def test_all_errors_are_reported_and_other_resources_created(programs: Programs) -> None:
    """A failure stops only the resources that depend on it."""
    errors = programs.errors(
        'bad = aws.sfn.Activity("bad", opts=there)\n'
        'aws.sns.Topic("worse", fifo_topic=True, opts=there)\n'
        'aws.sns.Topic("dependent", name=bad.name, opts=there)\n'
        'aws.sns.Topic("after", opts=pulumi.ResourceOptions(provider=east, depends_on=[bad]))\n'
        'aws.sns.Topic("good", opts=there)\n'
    )
    assert sorted(name for name, _, _ in errors) == ["bad", "worse"]
    assert [request.name for request in programs.requests] == ["good"]


def test_error_counts_the_resources_that_were_not_tried(programs: Programs) -> None:
    """Indirect dependents count too."""
    with pytest.raises(DeploymentError, match="not tried: 2 resources"):
        programs.run(
            'bad = aws.sfn.Activity("bad", opts=there)\n'
            'first = aws.sns.Topic("first", name=bad.name, opts=there)\n'
            'aws.sns.Topic("second", display_name=first.arn, opts=there)\n'
        )


def test_default_provider_is_rejected(programs: Programs) -> None:
    """The default provider would use the region of the machine's configuration."""
    errors = programs.errors('aws.sns.Topic("t")')
    assert errors == [
        (
            "t",
            "",
            "the resource or function has no explicit provider, and the default provider is not allowed. Pass a provider",
        )
    ]


def test_function_call_without_provider_is_rejected(programs: Programs) -> None:
    """A function call needs a region."""
    with pytest.raises(DeploymentError, match=r"getRegion: the resource or function has no explicit provider"):
        programs.run("aws.get_region()")


def test_unknown_function_is_an_error(programs: Programs) -> None:
    """The function is named, and the program ends."""
    with pytest.raises(DeploymentError, match=r"getQueue: the rehearsal does not support this function"):
        programs.run("aws.sqs.get_queue(name='q', opts=pulumi.InvokeOptions(provider=east))")


def test_unknown_argument_of_a_function_is_an_error(programs: Programs) -> None:
    """No argument is dropped silently."""
    with pytest.raises(
        DeploymentError, match=r"getRegion, property endpoint: the rehearsal does not support this argument"
    ):
        programs.run("aws.get_region(endpoint='x', opts=pulumi.InvokeOptions(provider=east))")


def test_unknown_provider_setting_is_an_error(programs: Programs) -> None:
    """Resources of the provider are not tried."""
    errors = programs.errors(
        'other = aws.Provider("other", region="eu-west-1", retry_mode="adaptive")\n'
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(provider=other))\n'
    )
    assert errors == [("other", "retryMode", "the rehearsal's provider does not support this setting")]


def test_provider_without_region_is_an_error(programs: Programs) -> None:
    """A provider without a region would use the region of the machine's configuration."""
    errors = programs.errors('aws.Provider("other")')
    assert errors == [("other", "region", "an explicit provider needs a region")]


def test_duplicate_urn_is_an_error(programs: Programs) -> None:
    """Pulumi's engine rejects a duplicate URN too."""
    errors = programs.errors('aws.sns.Topic("t", opts=there)\naws.sns.Topic("t", opts=there)')
    assert errors == [("t", "", "another resource has the same URN. Use different names")]


def test_urn_has_the_types_of_all_parents(programs: Programs) -> None:
    """The same name under two components has two URNs."""
    deployment = programs.run(
        'outer = pulumi.ComponentResource("a:b:Outer", "outer")\n'
        'inner = pulumi.ComponentResource("a:b:Inner", "inner", None, pulumi.ResourceOptions(parent=outer))\n'
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(parent=inner, provider=east))\n'
    )
    assert [each.urn for each in deployment.resources] == [
        "urn:pulumi:dev::tiny::a:b:Outer$a:b:Inner$aws:sns/topic:Topic::t"
    ]


def test_provider_refuses_another_account(programs: Programs) -> None:
    """As the real provider does before its first call, with the account that the credentials have."""
    with pytest.raises(DeploymentError, match="AWS account ID not allowed: 123456789012"):
        programs.run('aws.Provider("p", region="us-east-1", allowed_account_ids=["111122223333"])')
    programs.run('aws.Provider("p", region="us-east-1", allowed_account_ids=["111122223333", "123456789012"])')


def test_default_tags_are_merged_under_the_resources_tags(programs: Programs) -> None:
    """A tag of the resource overrides a default tag."""
    deployment = programs.run(
        't = aws.sns.Topic("t", tags={"Name": "news"}, opts=there)\n'
        'pulumi.export("all", t.tags_all)\npulumi.export("own", t.tags)\n'
    )
    assert programs.requests[0].inputs["tags"] == {"Team": "platform", "Name": "news"}
    assert deployment.exports == {"all": {"Team": "platform", "Name": "news"}, "own": {"Name": "news"}}


def test_state_has_own_and_all_tags_apart(programs: Programs) -> None:
    """As the real engine's state, plan and results do: the provider's check adds `tagsAll` to the inputs."""
    body = 't = aws.sns.Topic("t", tags={{"Name": "{}"}}, opts=there)\npulumi.export("all", t.tags_all)\n'
    done = programs.run(body.format("news"))
    (kept,) = done.state.resources.values()
    tags = {"tags": {"Name": "news"}, "tagsAll": {"Team": "platform", "Name": "news"}}
    assert (kept.inputs, done.resources[0].inputs) == (tags, tags)
    planned = programs.run(body.format("more"), preview=True, state=done.state)
    assert planned.steps[0].properties == ("tags", "tagsAll")
    assert planned.exports == {"all": {"Team": "platform", "Name": "more"}}


def test_goals_have_components_and_providers(programs: Programs) -> None:
    """Each with its own inputs; a resource names its provider without the id, which is another one in each run."""
    done = programs.run(
        'c = pulumi.ComponentResource("my:Own:Kind", "c", opts=pulumi.ResourceOptions(protect=True))\n'
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(parent=c, provider=east, ignore_changes=["name"]))\n'
    )
    goals = {goal.type: goal for goal in done.goals}
    component, topic, provider = (goals.pop(type_) for type_ in ("my:Own:Kind", TOPIC, "pulumi:providers:aws"))
    assert goals == {}
    assert (component.protect, topic.protect, topic.ignore_changes) == (True, True, ("name",))
    assert (topic.provider, provider.inputs["region"]) == (provider.urn, "us-east-1")


def test_default_tags_apply_to_types_with_tags(programs: Programs) -> None:
    """A type without tags gets none."""
    programs.run('aws.sns.Topic("t", opts=there)\naws.sqs.Queue("q", opts=there)')
    inputs = {request.name: request.inputs for request in programs.requests}
    assert inputs == {"t": {"tags": {"Team": "platform", "Name": "default"}}, "q": {}}


def test_handler_receives_whole_numbers_as_ints(programs: Programs) -> None:
    """Protobuf has only floats, and AWS expects 3306 instead of 3306.0."""
    programs.run('aws.sqs.Queue("q", delay_seconds=5, opts=there)')
    assert repr(programs.requests[0].inputs["delaySeconds"]) == "5"


def test_secret_is_plain_for_the_handler_and_masked_elsewhere(programs: Programs) -> None:
    """The resources' inputs are masked, and the export stays a secret."""
    deployment = programs.run(
        'p = random.RandomPassword("p", length=13)\n'
        't = aws.sns.Topic("t", display_name=p.result, opts=there)\n'
        'pulumi.export("shown", t.display_name)\n'
    )
    assert programs.requests[0].inputs["displayName"] == "correct horse"
    assert "correct horse" not in repr(deployment.resources)
    assert (deployment.exports["shown"], deployment.secret_exports) == ("correct horse", {"shown"})


def test_error_message_masks_secrets(programs: Programs) -> None:
    """A secret in a message of AWS or of a function is masked."""

    def refuse(request: Request) -> Created:
        raise HandlerError(f"refused: {request.inputs['displayName']}", property="displayName")

    programs.replace(TOPIC, refuse)
    errors = programs.errors(
        'p = random.RandomPassword("p", length=13)\naws.sns.Topic("t", display_name=p.result, opts=there)'
    )
    assert errors == [("t", "displayName", "refused: [secret]")]


def test_error_message_masks_only_passwords_in_secret_json(programs: Programs) -> None:
    """The message may still name the host."""

    def refuse(request: Request) -> Created:
        raise HandlerError(f"refused: {request.inputs['displayName']}")

    programs.replace(TOPIC, refuse)
    errors = programs.errors(
        "import json\n"
        "request = json.dumps({'host': 'database.internal', 'password': 'battery staple'})\n"
        'aws.sns.Topic("t", display_name=pulumi.Output.secret(request), opts=there)'
    )
    assert errors == [("t", "", 'refused: {"host": "database.internal", "password": "[secret]"}')]


def test_output_formatted_into_a_string_is_an_error(programs: Programs) -> None:
    """Pulumi only puts a warning into the string."""
    (error,) = programs.errors(
        't = aws.sns.Topic("t", opts=there)\naws.sqs.Queue("q", name=f"for-{t.arn}", opts=there)'
    )
    assert error[:2] == ("q", "name")


def test_use_of_a_missing_output_is_an_error(programs: Programs) -> None:
    """A missing output is an error instead of None as an input or export."""
    errors = programs.errors('t = aws.sns.Topic("t", opts=there)\naws.sqs.Queue("q", name=t.owner, opts=there)')
    assert errors == [("q", "name", "the property uses an output that the rehearsal's handler does not set")]
    errors = programs.errors('t = aws.sns.Topic("t", opts=there)\npulumi.export("owner", t.owner)')
    assert errors == [("tiny-dev", "owner", "this export has an unknown value")]


def test_handler_that_does_not_use_a_property_fails(programs: Programs) -> None:
    """A handler must use each property; the property's table entry alone is not enough."""
    programs.replace(TOPIC, lambda request: Created(id="x", outputs={}), name=sent("Name"), tags=provider_only("-"))
    errors = programs.errors('aws.sns.Topic("t", name="news", opts=there)')
    assert errors == [("t", "name", "the rehearsal's handler does not use the property")]


def test_property_that_reads_back_differently_is_an_error(programs: Programs) -> None:
    """Each differing property is reported."""

    def forgetful(request: Request) -> Created:
        request.parameters()
        return Created(id="x", outputs={}, held={"Name": "other", "Tags": {}})

    programs.replace(TOPIC, forgetful, name=sent("Name"), displayName=sent("DisplayName"), tags=sent("Tags", held=""))
    errors = programs.errors('aws.sns.Topic("t", name="news", display_name="News", opts=there)')
    assert sorted(errors) == [
        ("t", "displayName", "sent 'News', but DisplayName reads back as None"),
        ("t", "name", "sent 'news', but Name reads back as 'other'"),
    ]


def test_dropped_property_is_reported_with_its_reason(programs: Programs) -> None:
    """The deployment lists properties that the embedded AWS drops."""
    deployment = programs.run('aws.sns.Topic("t", delivery_policy="{}", opts=there)')
    assert [str(each) for each in deployment.not_held] == [f"{TOPIC}, deliveryPolicy: the emulator forgets it"]


def test_exception_in_a_handler_names_its_resource(programs: Programs) -> None:
    """Pulumi would report only the exception."""
    programs.replace(TOPIC, lambda request: Created(id=request.inputs["missing"], outputs={}))
    assert programs.errors('aws.sns.Topic("t", opts=there)') == [("t", "", "KeyError: 'missing'")]


@pytest.mark.parametrize(
    "body",
    [
        'aws.sns.Topic.get("t", "arn:x", opts=there)',
        'aws.sns.Topic("t", opts=pulumi.ResourceOptions(provider=east, import_="x"))',
    ],
)
def test_read_and_import_are_errors(programs: Programs, body: str) -> None:
    """A fresh account has no resources."""
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
def test_transforms_and_hooks_are_rejected(programs: Programs, body: str) -> None:
    """The monitor does not run transforms and hooks, so it rejects them."""
    with pytest.raises(DeploymentError, match="does not support"):
        programs.run(body)


def test_each_resource_is_announced_once_with_its_region(programs: Programs) -> None:
    """The region is the provider's, or `global`."""
    seen: list[tuple[str, str]] = []
    programs.run(
        'west = aws.Provider("west", region="eu-west-1")\n'
        'aws.sns.Topic("t", opts=there)\n'
        'aws.sns.Topic("u", opts=pulumi.ResourceOptions(provider=west))\n'
        'random.RandomPassword("p", length=13)\n',
        on_resource=lambda resource: seen.append((resource.name, resource.region)),
    )
    assert sorted(seen) == [("p", "global"), ("t", "us-east-1"), ("u", "eu-west-1")]


def test_preview_creates_no_resource_and_has_no_outputs(programs: Programs) -> None:
    """No handler is called."""
    deployment = programs.run(
        't = aws.sns.Topic("t", name="news", opts=there)\n'
        't.arn.apply(lambda arn: exec("raise SystemExit(3)"))\n'
        'aws.sqs.Queue("q", name=t.arn, opts=there)\n',
        preview=True,
    )
    assert (deployment.resources, programs.requests) == ((), [])


def test_preview_of_a_changed_input_that_is_an_output_too(programs: Programs) -> None:
    """As with the real engine, the resources that use it get the new value."""

    def create(request: Request) -> Created:
        return replace(programs.record(request), outputs={"displayName": request.inputs.get("displayName")})

    programs.handlers[TOPIC] = replace(programs.handlers[TOPIC], create=create)
    body = 'aws.sqs.Queue("q", name=aws.sns.Topic("t", display_name="{}", opts=there).display_name, opts=there)'
    done = programs.run(body.format("old"))
    planned = programs.run(body.format("new"), preview=True, state=done.state)
    assert {("t", ("displayName",)), ("q", ("name",))} == {(step.name, step.properties) for step in planned.steps}


def test_preview_rejects_unsupported_properties(programs: Programs) -> None:
    """The deployment would reject them too."""
    with pytest.raises(DeploymentError, match="property fifoTopic: the rehearsal does not support this property"):
        programs.run('aws.sns.Topic("t", fifo_topic=True, opts=there)', preview=True)


def test_run_error_is_passed_on_unchanged(programs: Programs) -> None:
    """Settings errors are the program's own text."""
    with pytest.raises(DeploymentError) as raised:
        programs.run('raise pulumi.RunError("primary.vpc_cidr: overlaps; use another")')
    assert str(raised.value) == "primary.vpc_cidr: overlaps; use another"


def test_builtin_exception_is_reported_with_its_class(programs: Programs) -> None:
    """The text of a KeyError alone is not clear."""
    with pytest.raises(DeploymentError, match=r"^KeyError: 'missing'$"):
        programs.run('{}["missing"]')


def test_exception_in_an_apply_fails_the_deployment(programs: Programs) -> None:
    """The exception occurs after the resource was created."""
    with pytest.raises(DeploymentError, match="ZeroDivisionError"):
        programs.run('t = aws.sns.Topic("t", opts=there)\npulumi.export("x", t.arn.apply(lambda arn: 1 / 0))')


def test_logged_error_fails_the_deployment_and_warning_is_kept(programs: Programs) -> None:
    """The CLI does the same with `pulumi.log.error`."""
    assert programs.run('pulumi.warn("backtrack: AWS refuses it")').warnings == ("backtrack: AWS refuses it",)
    with pytest.raises(DeploymentError, match="no good"):
        programs.run('pulumi.error("no good")')


def test_two_runs_in_one_process_are_independent(programs: Programs) -> None:
    """A failed run leaves no stack, output, configuration or working directory behind."""
    before = Path.cwd()
    with pytest.raises(DeploymentError):
        programs.run('aws.sfn.Activity("b", opts=there)\nraise RuntimeError("first run")')
    for _ in range(2):
        deployment = programs.run('t = aws.sns.Topic("t", opts=there)\npulumi.export("arn", t.arn)')
        assert (len(deployment.resources), deployment.exports) == (1, {"arn": "arn:of:t"})
    assert Path.cwd() == before


def test_program_reads_its_configuration(programs: Programs, tmp_path: Path) -> None:
    """The format is the CLI's: strings, and objects as JSON."""
    source = 'import pulumi\nc = pulumi.Config()\npulumi.export("it", [c.get("a"), c.require_object("o")])'
    (tmp_path / "__main__.py").write_text(source)
    config = {"tiny:a": "1", "tiny:o": '{"x": 2}'}
    deployment = deploy(tmp_path, config, "http://127.0.0.1:1", clients=no_client, handlers=programs.handlers)
    assert deployment.exports == {"it": ["1", {"x": 2}]}
