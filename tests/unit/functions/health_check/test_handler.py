"""health_check's handler, requests, configuration, attempts and failures, and IAM tokens."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pymysql
import pytest
from botocore.credentials import Credentials

from functions.health_check.attempt import ConnectionAttempt
from functions.health_check.config import load
from functions.health_check.failure import classify, describe
from functions.health_check.handler import cold_start, handler
from functions.health_check.model import (
    LONGEST_DEADLINE_MS,
    InvalidProbeRequestError,
    ProbeFailure,
    Target,
    parse_request,
)
from functions.shared.environment import EnvironmentProblemError
from functions.shared.iam_token import NoCredentialsError, credentials_from_environment, sign_token
from rehearsal.aurora.iam_tokens import TokenAudience, token_refusal

TARGET = {"cluster": "a", "region": "us-east-1", "host": "a.example", "port": 3306}


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Let each test start the function cold."""
    cold_start.cache_clear()
    yield
    cold_start.cache_clear()


class TestHandler:
    """The function's answers and errors."""

    def test_answer_has_the_agreed_form(self, world: Any, lambda_environment: None) -> None:
        """JSON with the function's region and a probe for each target, with every field."""
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

    def test_names_are_resolved_without_a_database_connection(
        self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A known name resolves to sorted addresses with the port; an unknown name is reported with the reason."""

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

    def test_hanging_name_resolution_does_not_delay_other_names(
        self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The answer comes at the deadline, with the late name reported as late."""
        ended = threading.Event()

        def resolver(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            if host == "slow.internal":
                ended.wait(30)
            return [(2, 1, 6, "", ("10.0.0.9", port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        slow, quick = handler({"names": ["slow.internal", "quick.internal"], "deadline_ms": 200}, None)["names"]  # pyright: ignore[reportGeneralTypeIssues]
        ended.set()
        assert ("no answer within the deadline", None) == (slow["failure"], quick["failure"])

    def test_heartbeat_sources_are_reported_on_request(self, world: Any, lambda_environment: None) -> None:
        """The newest heartbeat of each source distinguishes the database's event from probes."""
        world.prepare_heartbeat()
        world.writer.execute(
            "INSERT INTO failover.heartbeat (source_region, written_at) VALUES ('database', '2020-02-29 12:00:00')"
        )
        answer = handler({"targets": [{**world.target(world.writer), "sources": True}]}, None)
        [probe] = json.loads(json.dumps(answer))["probes"]
        assert probe["heartbeat_sources"]["database"] == "2020-02-29T12:00:00+00:00"
        assert probe["heartbeat_sources"]["eu-west-1"] == probe["heartbeat_at"]

    def test_malformed_request_is_refused_before_a_connection(self, lambda_environment: None) -> None:
        """The error names the field."""
        with pytest.raises(InvalidProbeRequestError, match=r"targets\[0\].port: must be from 1 to 65535"):
            handler({"targets": [{**TARGET, "port": "3306"}]}, None)

    def test_misconfigured_function_names_the_variable(
        self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names the missing variable."""
        monkeypatch.delenv("DATABASE_USER")
        with pytest.raises(EnvironmentProblemError, match="DATABASE_USER: is missing"):
            handler({"targets": [TARGET]}, None)


class TestRequest:
    """Validation of requests."""

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
        """The error names the field."""
        with pytest.raises(InvalidProbeRequestError, match=f"^{field}"):
            parse_request(event)

    def test_deadline_never_exceeds_the_functions_limit(self) -> None:
        """A longer deadline is reduced to the limit."""
        assert parse_request({"targets": [TARGET], "deadline_ms": 60_000}).deadline_ms == LONGEST_DEADLINE_MS


class TestEnvironment:
    """The configuration from environment variables."""

    def test_every_problem_is_listed(self, tmp_path: Path) -> None:
        """One error lists every missing or malformed variable."""
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

    ENDPOINT: ClassVar[Any] = {"host": "a.example", "port": 3306, "region": "us-east-1", "user": "health_check"}
    AUDIENCE = TokenAudience.of(["a.example"], 3306, "us-east-1")

    def test_signed_token_is_accepted(self) -> None:
        """A token signed with temporary credentials passes every check of the emulated RDS."""
        token = sign_token(**self.ENDPOINT, credentials=lambda: Credentials("AKID", "se/cret", "to/ken+="))
        refusal = token_refusal(
            token, user="health_check", audience=self.AUDIENCE, now=time.time(), secret_key_of={"AKID": "se/cret"}.get
        )
        assert refusal is None

    def test_token_equals_boto3s(self) -> None:
        """The signer and boto3 return the same token within the same second."""
        import boto3

        client = boto3.client("rds", region_name="us-east-1", aws_access_key_id="AKID", aws_secret_access_key="secret")
        for _ in range(20):  # the second may change between the two
            theirs = client.generate_db_auth_token("a.example", 3306, "health_check")
            if sign_token(**self.ENDPOINT, credentials=lambda: Credentials("AKID", "secret")) == theirs:
                return
        pytest.fail("the tokens differ")

    def test_without_credentials(self, lambda_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names the variables, and no request is sent."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(NoCredentialsError, match="AWS_ACCESS_KEY_ID"):
            credentials_from_environment()


class TestAttempt:
    """A probe that another thread ends."""

    def attempt(self, seconds: float = 10.0) -> ConnectionAttempt:
        """Return an attempt with a deadline in `seconds`."""
        now = time.monotonic()
        target = Target(cluster="a", region="us-east-1", host="a.example", port=3306)
        return ConnectionAttempt(target, started_at=now, deadline=now + seconds)

    def test_note_after_abandon_is_ignored(self) -> None:
        """The report stays as it was at the deadline."""
        attempt = self.attempt()
        attempt.note(read_only=True)
        report = attempt.abandon()
        attempt.note(read_only=False, failure=None)
        assert attempt.report().read_only is True
        assert (report.read_only, report.failure is not None) == (True, True)

    def test_abandoned_attempt_opens_no_connection(self) -> None:
        """`watch` raises after `abandon`."""
        attempt = self.attempt()
        attempt.abandon()
        with socket.socket() as sock, pytest.raises(TimeoutError):
            attempt.watch(sock)

    def test_noted_failure_is_kept_on_abandon(self) -> None:
        """The time-out does not replace an earlier failure."""
        attempt = self.attempt()
        attempt.note(failure="refused: connect: no")
        assert attempt.abandon().failure == "refused: connect: no"

    def test_complete_attempt_does_not_fail_on_abandon(self) -> None:
        """All required values are known."""
        attempt = self.attempt()
        attempt.complete()
        assert attempt.abandon().failure is None

    def test_no_time_remains_after_the_deadline(self) -> None:
        """`remaining_seconds` raises after the deadline."""
        with pytest.raises(TimeoutError):
            self.attempt(seconds=-1.0).remaining_seconds()


class TestFailures:
    """Classification of exceptions."""

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
            (pymysql.OperationalError(3032, "The server is in offline mode"), False, ProbeFailure.OFFLINE),
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
        """Each error has its failure value."""
        assert classify(error, logged_in=logged_in) == expected

    def test_wrapped_network_error_is_classified_by_its_cause(self) -> None:
        """PyMySQL wraps network errors."""
        wrapped = pymysql.OperationalError(2003, "Can't connect")
        wrapped.original_exception = TimeoutError()  # type: ignore[attr-defined]
        assert classify(wrapped, logged_in=False) == ProbeFailure.TIMEOUT

    def test_description_is_one_short_line(self) -> None:
        """Failure, stage and detail on one line of bounded length."""
        text = describe(OSError("a\n b" * 200), "log-in", logged_in=False)
        assert text.startswith("unreachable: log-in: a b")
        assert len(text) < 240 and "\n" not in text
