"""health_check's handler, request, settings, tokens and words."""

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from botocore.credentials import Credentials

from functions.health_check.attempt import Attempt
from functions.health_check.config import EnvironmentProblemError, load
from functions.health_check.failure import classify, describe
from functions.health_check.handler import cold_start, handler
from functions.health_check.model import LONGEST_DEADLINE_MS, ProbeFailure, RequestError, Target, parse_request
from functions.health_check.token import NoCredentialsError, credentials_from_environment, token_signer
from rehearsal.aurora.iam_tokens import TokenAudience, token_refusal
from tests.support.import_cost import import_ratio

TARGET = {"cluster": "a", "region": "us-east-1", "host": "a.example", "port": 3306}
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Let each test start the function cold."""
    cold_start.cache_clear()
    yield
    cold_start.cache_clear()


class TestHandler:
    """The function as Lambda calls it."""

    def test_answer_has_the_agreed_form(self, world: Any, lambda_environment: None) -> None:
        """The answer is JSON with the function's region and a probe for each target, with every agreed field."""
        world.prepare_heartbeat()
        event = {
            "targets": [world.target(world.writer), world.target(world.reader)],
            "deadline_ms": LONGEST_DEADLINE_MS,
        }
        answer = json.loads(json.dumps(handler(event, None)))
        assert answer["region"] == "eu-west-1"
        assert [probe["cluster"] for probe in answer["probes"]] == [world.writer.id, world.reader.id]
        assert [probe["failure"] for probe in answer["probes"]] == [None, None]
        assert set(answer["probes"][0]) == {
            "cluster",
            "reachable",
            "failure",
            "connect_ms",
            "read_only",
            "heartbeat_write_ms",
            "heartbeat_at",
            "heartbeat_age_ms",
            "replication_lag_ms",
            "rpo_lag_ms",
        }

    def test_names_are_resolved_and_no_database_is_met(
        self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a name leads to, with the port, and why another leads nowhere; each beside the other."""

        def resolver(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            if host != "writer.payments.internal":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(2, 1, 6, "", (address, port)) for address in ("10.0.0.9", "10.0.0.10", "10.0.0.9")]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        event = {"names": ["writer.payments.internal", "gone.internal"], "port": 3307}
        found, gone = json.loads(json.dumps(handler(event, None)))["names"]
        assert {
            "name": "writer.payments.internal",
            "addresses": ["10.0.0.10:3307", "10.0.0.9:3307"],
            "failure": None,
        } == found
        assert (gone["addresses"], "not known" in gone["failure"]) == ([], True)

    def test_a_resolver_that_hangs_costs_the_deadline_once(
        self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other name's answer is there, and the late one is said to be late."""
        ended = threading.Event()

        def resolver(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            if host == "slow.internal":
                ended.wait(30)
            return [(2, 1, 6, "", ("10.0.0.9", port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        slow, quick = handler({"names": ["slow.internal", "quick.internal"], "deadline_ms": 200}, None)["names"]  # pyright: ignore[reportGeneralTypeIssues]
        ended.set()
        assert ("no answer within the deadline", None) == (slow["failure"], quick["failure"])

    def test_who_wrote_heartbeats_is_said_when_asked_for(self, world: Any, lambda_environment: None) -> None:
        """Each writer's newest: only so can the database's own be told from a probe's."""
        world.prepare_heartbeat()
        world.writer.execute(
            "INSERT INTO failover.heartbeat (source_region, written_at) VALUES ('database', '2020-02-29 12:00:00')"
        )
        answer = handler({"targets": [{**world.target(world.writer), "sources": True}]}, None)
        [probe] = json.loads(json.dumps(answer))["probes"]
        assert probe["heartbeat_sources"]["database"] == "2020-02-29T12:00:00+00:00"
        assert probe["heartbeat_sources"]["eu-west-1"] == probe["heartbeat_at"]

    def test_malformed_request_meets_no_database(self, lambda_environment: None) -> None:
        """A malformed request is refused, naming the field."""
        with pytest.raises(RequestError, match=r"targets\[0\].port: must be a port"):
            handler({"targets": [{**TARGET, "port": "3306"}]}, None)

    def test_misconfigured_function_names_the_variable(
        self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A missing variable stops the function with an error that names it."""
        monkeypatch.delenv("DATABASE_USER")
        with pytest.raises(EnvironmentProblemError, match="DATABASE_USER: is missing"):
            handler({"targets": [TARGET]}, None)


class TestRequest:
    """What is accepted."""

    @pytest.mark.parametrize(
        ("event", "field"),
        [
            (None, "the request"),
            ({}, "targets"),
            ({"targets": []}, "targets"),
            ({"targets": [TARGET] * 11}, "targets"),
            ({"targets": ["a"]}, r"targets\[0\]"),
            ({"targets": [{**TARGET, "host": ""}]}, r"targets\[0\].host"),
            ({"targets": [{**TARGET, "cluster": 1}]}, r"targets\[0\].cluster"),
            ({"targets": [{**TARGET, "port": 0}]}, r"targets\[0\].port"),
            ({"targets": [{**TARGET, "port": True}]}, r"targets\[0\].port"),
            ({"targets": [{**TARGET, "sources": 1}]}, r"targets\[0\].sources"),
            ({"names": []}, "names"),
            ({"names": "a"}, "names"),
            ({"names": ["a"] * 11}, "names"),
            ({"names": ["a", ""]}, "names"),
            ({"names": ["a"], "port": 0}, "port"),
            ({"names": ["a"], "deadline_ms": 0}, "deadline_ms"),
            ({"targets": [TARGET], "deadline_ms": "1"}, "deadline_ms"),
            ({"targets": [TARGET], "deadline_ms": 0}, "deadline_ms"),
            ({"targets": [TARGET], "deadline_ms": float("nan")}, "deadline_ms"),
            ({"targets": [TARGET], "deadline_ms": True}, "deadline_ms"),
        ],
    )
    def test_malformed(self, event: object, field: str) -> None:
        """Each malformed request is refused with the name of its field."""
        with pytest.raises(RequestError, match=f"^{field}"):
            parse_request(event)

    def test_deadline_never_exceeds_the_functions_limit(self) -> None:
        """A deadline above the limit is cut to it."""
        assert parse_request({"targets": [TARGET], "deadline_ms": 60_000}).deadline_ms == LONGEST_DEADLINE_MS


class TestEnvironment:
    """The settings."""

    def test_every_problem_is_listed(self, tmp_path: Path) -> None:
        """One error lists every variable that is missing or malformed, a line each."""
        environ = {"AWS_REGION": "Mars", "HEARTBEAT_DATABASE": "a`b", "CA_BUNDLE": str(tmp_path / "none.pem")}
        with pytest.raises(EnvironmentProblemError) as caught:
            load(environ)
        names = [line.split(":")[0] for line in str(caught.value).splitlines()]
        assert names == ["CA_BUNDLE", "AWS_REGION", "DATABASE_USER", "HEARTBEAT_DATABASE"]

    def test_defaults(self) -> None:
        """The packaged certificates and the database `failover` need no variable."""
        settings = load({"AWS_REGION": "us-east-1", "DATABASE_USER": "health_check"})
        assert (settings.heartbeat_database, settings.ca_bundle.name) == ("failover", "rds-global-bundle.pem")


class TestToken:
    """IAM tokens."""

    AUDIENCE = TokenAudience.of(["a.example"], 3306, "us-east-1")

    def test_what_is_signed_is_accepted(self) -> None:
        """A token passes every check of RDS, its signature too, with temporary credentials as Lambda has them."""
        sign = token_signer("health_check", lambda: Credentials("AKID", "se/cret", "to/ken+="))
        token = sign(Target(cluster="a", region="us-east-1", host="a.example", port=3306))
        refusal = token_refusal(
            token, user="health_check", audience=self.AUDIENCE, now=time.time(), secret_key_of={"AKID": "se/cret"}.get
        )
        assert refusal is None

    def test_same_as_boto3(self) -> None:
        """A token has the same fields as boto3's own, for the same second."""
        import boto3

        client = boto3.client("rds", region_name="us-east-1", aws_access_key_id="AKID", aws_secret_access_key="secret")
        sign = token_signer("health_check", lambda: Credentials("AKID", "secret"))
        target = Target(cluster="a", region="us-east-1", host="a.example", port=3306)
        for _ in range(20):  # the second may change between the two
            theirs = client.generate_db_auth_token("a.example", 3306, "health_check")
            if sign(target) == theirs:
                return
        pytest.fail("the tokens differ")

    def test_without_credentials(self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without credentials in the environment the error says so; nothing asks the network for them."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(NoCredentialsError, match="AWS_ACCESS_KEY_ID"):
            credentials_from_environment()


class TestAttempt:
    """A probe that is ended from outside."""

    def attempt(self, seconds: float = 10.0) -> Attempt:
        """Make one with that much time."""
        now = time.monotonic()
        target = Target(cluster="a", region="us-east-1", host="a.example", port=3306)
        return Attempt(target, started_at=now, deadline=now + seconds)

    def test_notes_end_with_it(self) -> None:
        """What a probe notes after it was abandoned doesn't change its report."""
        attempt = self.attempt()
        attempt.note(read_only=True)
        report = attempt.abandon()
        attempt.note(read_only=False, failure=None)
        assert attempt.report().read_only is True
        assert (report.read_only, report.failure is not None) == (True, True)

    def test_opens_nothing_afterwards(self) -> None:
        """A probe that was abandoned can't begin another connection."""
        attempt = self.attempt()
        attempt.abandon()
        with socket.socket() as sock, pytest.raises(TimeoutError):
            attempt.watch(sock)

    def test_failure_that_was_noted_is_kept(self) -> None:
        """A probe that had failed before its end keeps its own reason."""
        attempt = self.attempt()
        attempt.note(failure="refused: connect: no")
        assert attempt.abandon().failure == "refused: connect: no"

    def test_complete_is_no_failure(self) -> None:
        """A probe that knows all that matters when its time ends has not failed."""
        attempt = self.attempt()
        attempt.complete()
        assert attempt.abandon().failure is None

    def test_no_time_left(self) -> None:
        """A probe whose time is over before it starts doesn't start."""
        with pytest.raises(TimeoutError):
            self.attempt(seconds=-1.0).remaining_seconds()


class TestWords:
    """From exceptions to words."""

    @pytest.mark.parametrize(
        ("error", "logged_in", "expected"),
        [
            (TimeoutError(), False, ProbeFailure.TIMEOUT),
            (ConnectionRefusedError(), False, ProbeFailure.REFUSED),
            (ConnectionResetError(), True, ProbeFailure.RESET),
            (BrokenPipeError(), True, ProbeFailure.RESET),
            (socket.gaierror(-2, "no"), False, ProbeFailure.NAME_RESOLUTION),
            (OSError(113, "No route to host"), False, ProbeFailure.UNREACHABLE),
            (ssl.SSLError("bad"), False, ProbeFailure.TLS),
            (ssl.SSLEOFError("eof"), False, ProbeFailure.RESET),
            (pymysql.OperationalError(2013, "Lost connection"), False, ProbeFailure.RESET),
            (pymysql.OperationalError(2026, "SSL is required"), False, ProbeFailure.TLS),
            (pymysql.OperationalError(1045, "Access denied"), False, ProbeFailure.ACCESS_DENIED),
            (pymysql.OperationalError(1142, "denied"), True, ProbeFailure.ACCESS_DENIED),
            (pymysql.OperationalError(1205, "Lock wait timeout"), True, ProbeFailure.QUERY_FAILED),
            (pymysql.ProgrammingError(1146, "no table"), True, ProbeFailure.QUERY_FAILED),
            (pymysql.OperationalError(1290, "read-only"), True, ProbeFailure.READ_ONLY_HEARTBEAT),
            (pymysql.InternalError("Packet sequence number wrong"), True, ProbeFailure.PROTOCOL),
            (IndexError(), False, ProbeFailure.PROTOCOL),
        ],
    )
    def test_classify(self, error: Exception, logged_in: bool, expected: ProbeFailure) -> None:
        """Each error has its word."""
        assert classify(error, logged_in=logged_in) == expected

    def test_the_cause_counts(self) -> None:
        """PyMySQL's wrapping of a network error doesn't hide it."""
        wrapped = pymysql.OperationalError(2003, "Can't connect")
        wrapped.original_exception = TimeoutError()  # type: ignore[attr-defined]
        assert classify(wrapped, logged_in=False) == ProbeFailure.TIMEOUT

    def test_description_is_one_short_line(self) -> None:
        """The description names the word, the stage and the detail, on one line of bounded length."""
        text = describe(OSError("a\n b" * 200), "log-in", logged_in=False)
        assert text.startswith("unreachable: log-in: a b")
        assert len(text) < 240 and "\n" not in text


def test_cold_import_costs_little_more_than_boto3() -> None:
    """Importing the handler cold takes at most 1.3 times what `import boto3` takes."""
    assert import_ratio("health_check.handler", enough=1.3) <= 1.3


def test_package_works_where_lambda_puts_it(tmp_path: Path) -> None:
    """The package imports by its own name alone, as it does at the root of its archive."""
    (tmp_path / "health_check").symlink_to(ROOT / "functions" / "health_check")
    code = "from health_check.handler import handler; print(handler.__module__)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "health_check.handler"
