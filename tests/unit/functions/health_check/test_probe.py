"""health_check against working databases and against unresponsive or unrelated servers."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from functions.health_check.deadline import ProbeRunner
from functions.health_check.model import ProbeReport, Target
from functions.health_check.probe import Prober
from functions.shared.iam_token import sign_token
from functions.shared.tls import PACKAGED_BUNDLE, tls_context
from rehearsal.aurora.server import Fault
from rehearsal.network.certificates import CertificateAuthority
from tests.support.ports import reserve_port
from tests.support.waiting import WAIT_SECONDS, on_the_clock, wait_until

SHORT_MS = 400.0
"""Deadline for targets that never answer."""
LONG_MS = 1000 * WAIT_SECONDS
"""Deadline for targets that answer, long enough for a busy machine."""
GROWING_MS = (SHORT_MS, 4 * SHORT_MS, 16 * SHORT_MS, 64 * SHORT_MS)
"""Deadlines for targets that answer at first and then hang."""


def runner(bundle: Path, user: str = "health_check") -> ProbeRunner:
    """Return the function's probe runner with credentials that the emulated databases accept."""
    credentials = Credentials("AKIDEXAMPLE", "a/secret+key", "a/session+token==")
    prober = Prober(
        region="eu-west-1",
        user=user,
        heartbeat_database="failover",
        tls=tls_context(bundle),
        token=lambda target: sign_token(
            host=target.host, port=target.port, region=target.region, user=user, credentials=lambda: credentials
        ),
    )
    return ProbeRunner(prober.probe)


def target(port: int, cluster: str = "other", host: str = "localhost") -> Target:
    """Return a target on loopback."""
    return Target(cluster=cluster, region="us-east-1", host=host, port=port)


def run(under_test: ProbeRunner, *targets: Target, deadline_ms: float = LONG_MS) -> list[ProbeReport]:
    """Run probes and check that the answer comes by the deadline."""
    started_at = time.monotonic()
    reports = under_test.run(targets, started_at=started_at, deadline_ms=deadline_ms)
    assert time.monotonic() - started_at < deadline_ms / 1000 + WAIT_SECONDS
    return reports


def run_until(
    is_far_enough: Callable[[list[ProbeReport]], bool], under_test: ProbeRunner, *targets: Target
) -> list[ProbeReport]:
    """Run probes with growing deadlines until the reports are far enough; return the last reports."""
    reports: list[ProbeReport] = []
    for deadline_ms in GROWING_MS:
        reports = run(under_test, *targets, deadline_ms=deadline_ms)
        if is_far_enough(reports):
            break
    return reports


def is_connected(reports: list[ProbeReport]) -> bool:
    """Return whether the only probe connected before its deadline."""
    return not str(reports[0].failure).startswith(("timeout: name resolution", "timeout: connect"))


def failure_of(report: ProbeReport) -> str:
    """Return the ProbeFailure value of a report."""
    assert report.failure is not None
    return report.failure.split(":")[0]


@pytest.fixture(autouse=True)
def no_probe_left() -> Iterator[None]:
    """Check that no probe thread outlives its test."""
    yield
    assert wait_until(lambda: not any(thread.name.startswith("probe-") for thread in threading.enumerate()))


def hang(sock: socket.socket) -> None:
    """Send nothing until the peer closes the connection."""
    while sock.recv(4096):
        pass
    raise ConnectionError("gone")


class TestWorking:
    """Databases that answer."""

    def test_writer_receives_a_heartbeat(self, world: Any, bundle: Path) -> None:
        """The report holds the role, the duration of the commit and the heartbeat just written."""
        world.prepare_heartbeat()
        before = datetime.now(UTC)
        [report] = run(runner(bundle), Target(**world.target(world.writer)))
        assert (report.failure, report.reachable, report.read_only) == (None, True, False)
        assert report.connect_ms is not None and report.connect_ms > 0
        assert report.heartbeat_write_ms is not None and report.heartbeat_write_ms > 0
        assert report.heartbeat_at is not None and report.heartbeat_age_ms is not None
        assert before - timedelta(seconds=1) < datetime.fromisoformat(report.heartbeat_at) < datetime.now(UTC)
        rows = world.writer.execute("SELECT source_region FROM failover.heartbeat")
        assert rows == [("eu-west-1",)]

    def test_reader_reports_age_and_lag(self, world: Any, bundle: Path) -> None:
        """The report holds the newest replicated heartbeat, its age and the lag of the reader's region."""
        world.prepare_heartbeat()
        under_test = runner(bundle)
        run(under_test, Target(**world.target(world.writer)))
        world.global_database.replication_lag_seconds = 0.25
        [report] = run(under_test, Target(**world.target(world.reader)))
        assert (report.failure, report.read_only, report.heartbeat_write_ms) == (None, True, None)
        assert report.heartbeat_age_ms is not None and 0 <= report.heartbeat_age_ms < LONG_MS
        assert (report.replication_lag_ms, report.rpo_lag_ms) == (250.0, 0.0)

    def test_role_is_read_from_the_database(self, world: Any, bundle: Path) -> None:
        """After a switchover the same two targets report swapped roles, and only the new writer is written to."""
        world.prepare_heartbeat()
        world.global_database.switchover(world.reader.id)
        targets = [Target(**world.target(cluster)) for cluster in (world.writer, world.reader)]
        reports = run(runner(bundle), *targets)
        assert [report.read_only for report in reports] == [True, False]
        assert [report.heartbeat_write_ms is None for report in reports] == [True, False]

    def test_missing_heartbeat_is_no_failure(self, world: Any, bundle: Path) -> None:
        """The heartbeat's age is unknown."""
        world.prepare_heartbeat()
        [report] = run(runner(bundle), Target(**world.target(world.reader)))
        assert (report.failure, report.heartbeat_at, report.heartbeat_age_ms) == (None, None, None)

    def test_heartbeat_from_the_future_is_ignored(self, world: Any, bundle: Path) -> None:
        """It would hide all others until its time has come; a few seconds are a difference of two clocks."""
        world.prepare_heartbeat()
        under_test, writer = runner(bundle), Target(**world.target(world.writer))
        for source, ahead in (("ahead", "4 SECOND"), ("future", "1 HOUR")):
            world.writer.execute(
                "INSERT INTO failover.heartbeat (source_region, written_at) "
                f"VALUES ('{source}', UTC_TIMESTAMP(6) + INTERVAL {ahead})"
            )
        [report] = run(under_test, writer)
        assert report.heartbeat_at is not None
        assert (
            datetime.now(UTC) < datetime.fromisoformat(report.heartbeat_at) < datetime.now(UTC) + timedelta(minutes=1)
        )

    def test_heartbeats_of_a_fast_clock_count(self, world: Any, bundle: Path) -> None:
        """All are from the future, and still show by their changes that the writer works."""
        world.prepare_heartbeat()
        world.writer.clock_skew_seconds = 3600.0
        [report] = run(runner(bundle), Target(**world.target(world.writer)))
        first = report.heartbeat_at
        world.writer.clock_skew_seconds = 0.0
        world.writer.execute("UPDATE failover.heartbeat SET written_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR")
        world.writer.execute(
            "INSERT INTO failover.heartbeat (source_region, written_at) "
            "VALUES ('database', UTC_TIMESTAMP(6) + INTERVAL 2 HOUR)"
        )
        [reader] = run(runner(bundle), Target(**world.target(world.reader)))
        assert first is not None and reader.heartbeat_at is not None
        assert datetime.fromisoformat(reader.heartbeat_at) > datetime.now(UTC) + timedelta(minutes=90)

    def test_connection_is_closed_with_com_quit(
        self, raw_server: Any, wire: Any, authority: CertificateAuthority, bundle: Path
    ) -> None:
        """Otherwise the server counts the connection as aborted."""
        script = wire.scripted(
            tls=authority.server_context(["localhost"]), answers={"innodb_read_only": wire.one_value("1")}
        )
        server = raw_server(script)
        run(runner(bundle), target(server.port))
        assert server.peer_is_gone.wait(WAIT_SECONDS)
        assert script.commands[-1] == b"\x01"

    def test_unavailable_lag_is_no_failure(
        self, raw_server: Any, wire: Any, authority: CertificateAuthority, bundle: Path
    ) -> None:
        """A reader that refuses or delays the lag query is reported without a failure and without a lag."""
        denied = wire.packet(b"\xff" + struct.pack("<H", 1227) + b"#42000you need PROCESS", 1)
        for answer in (denied, hang):
            script = wire.scripted(
                tls=authority.server_context(["localhost"]),
                answers={
                    "innodb_read_only": wire.one_value("1"),
                    "TIMESTAMPDIFF": two_nulls(wire),
                    "aurora_global_db_status": answer,
                },
            )
            [report] = run_until(
                lambda reports: reports[0].failure is None, runner(bundle), target(raw_server(script).port)
            )
            assert (report.failure, report.read_only, report.replication_lag_ms) == (None, True, None)


def two_nulls(wire: Any) -> bytes:
    """Return the answer of an empty heartbeat table."""
    column = b"\x03def\x00\x00\x00\x01x\x00\x0c" + struct.pack("<HIBHBxx", 63, 20, 0x0C, 0, 0)
    end = b"\xfe\x00\x00\x02\x00"
    parts = (b"\x02", column, column, end, b"\xfb\xfb", end)
    return b"".join(wire.packet(part, number) for number, part in enumerate(parts, start=1))


class TestBroken:
    """Unresponsive, misconfigured and unrelated servers."""

    def test_never_accepted(self, raw_server: Any, bundle: Path) -> None:
        """A connection that is never accepted is a timeout."""
        [report] = run(runner(bundle), target(raw_server(None).port), deadline_ms=SHORT_MS)
        assert (failure_of(report), report.reachable) == ("timeout", False)

    def test_hangs_after_accept(self, raw_server: Any, bundle: Path) -> None:
        """A server that accepts and sends nothing is a timeout, and the connection is closed."""
        server = raw_server(hang)
        [report] = run_until(is_connected, runner(bundle), target(server.port))
        assert failure_of(report) == "timeout"
        assert server.peer_is_gone.wait(WAIT_SECONDS)

    def test_hangs_in_the_greeting(self, raw_server: Any, wire: Any, bundle: Path) -> None:
        """A server that stops in the middle of its greeting is a timeout."""

        def behave(sock: socket.socket) -> None:
            sock.sendall(wire.packet(wire.greeting, 0)[:20])
            hang(sock)

        [report] = run_until(is_connected, runner(bundle), target(raw_server(behave).port))
        assert failure_of(report) == "timeout"

    def test_hangs_in_tls(self, raw_server: Any, wire: Any, bundle: Path) -> None:
        """A server that stops in the middle of the TLS handshake is a timeout, and its connection is closed."""

        def behave(sock: socket.socket) -> None:
            sock.sendall(wire.packet(wire.greeting, 0))
            hang(sock)

        server = raw_server(behave)
        [report] = run_until(is_connected, runner(bundle), target(server.port))
        assert failure_of(report) == "timeout"
        assert server.peer_is_gone.wait(WAIT_SECONDS)

    def test_single_bytes_do_not_extend_the_deadline(self, raw_server: Any, wire: Any, bundle: Path) -> None:
        """A server that sends single bytes never reaches the socket's time-out, and is a timeout."""

        def behave(sock: socket.socket) -> None:
            for byte in wire.packet(wire.greeting * 200, 0):
                sock.sendall(bytes([byte]))
                time.sleep(0.02)

        server = raw_server(behave)
        [report] = run_until(is_connected, runner(bundle), target(server.port))
        assert failure_of(report) == "timeout"
        assert server.peer_is_gone.wait(WAIT_SECONDS)

    def test_refuses(self, bundle: Path) -> None:
        """A closed port is refused."""
        with reserve_port() as reserved:
            [report] = run(runner(bundle), target(reserved.getsockname()[1]))
        assert failure_of(report) == "refused"

    def test_resets(self, raw_server: Any, bundle: Path) -> None:
        """A connection that is reset is a reset."""

        def behave(sock: socket.socket) -> None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        [report] = run(runner(bundle), target(raw_server(behave).port))
        assert failure_of(report) == "reset"

    def test_hangs_up(self, raw_server: Any, bundle: Path) -> None:
        """A connection that is closed without data is a reset."""
        [report] = run(runner(bundle), target(raw_server(lambda sock: None).port))
        assert failure_of(report) == "reset"

    @pytest.mark.parametrize(
        "data",
        [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20, b"SSH-2.0-OpenSSH_9.6\r\n", bytes(64), b"\xff" * 64],
        ids=["http", "ssh", "zeros", "ones"],
    )
    def test_other_protocol(self, raw_server: Any, bundle: Path, data: bytes) -> None:
        """Another protocol is reported, or times out waiting for the packet length that its first bytes announce."""

        def behave(sock: socket.socket) -> None:
            sock.sendall(data)
            hang(sock)

        [report] = run_until(is_connected, runner(bundle), target(raw_server(behave).port))
        assert failure_of(report) in ("protocol", "timeout")
        assert not report.reachable

    def test_tls_garbage(self, raw_server: Any, wire: Any, bundle: Path) -> None:
        """A server that answers the TLS handshake with other data is a TLS failure."""

        def behave(sock: socket.socket) -> None:
            sock.sendall(wire.packet(wire.greeting, 0))
            wire.read_packet(sock)
            sock.sendall(b"this is not TLS at all, at all" * 4)
            hang(sock)

        [report] = run(runner(bundle), target(raw_server(behave).port))
        assert failure_of(report) == "tls"

    def test_no_tls_offered(self, raw_server: Any, wire: Any, bundle: Path) -> None:
        """A server without TLS is a TLS failure and never receives the token."""
        received: list[bytes] = []
        plain = wire.greeting.replace(struct.pack("<H", 0xFFFF), struct.pack("<H", 0xF7FF), 1)

        def behave(sock: socket.socket) -> None:
            sock.sendall(wire.packet(plain, 0))
            received.append(sock.recv(4096))

        server = raw_server(behave)
        [report] = run(runner(bundle), target(server.port))
        assert failure_of(report) == "tls"
        server.threads[-1].join(WAIT_SECONDS)
        assert received == [b""]

    def test_untrusted_certificate(self, world: Any, tmp_path: Path) -> None:
        """A certificate of another CA is a TLS failure."""
        other = CertificateAuthority.create(tmp_path)
        [report] = run(runner(other.bundle), Target(**world.target(world.writer)))
        assert failure_of(report) == "tls"

    def test_certificate_for_another_name(
        self, raw_server: Any, wire: Any, authority: CertificateAuthority, bundle: Path
    ) -> None:
        """A certificate for another name is a TLS failure."""
        script = wire.scripted(tls=authority.server_context(["elsewhere.example"]), answers={})
        [report] = run(runner(bundle), target(raw_server(script).port))
        assert failure_of(report) == "tls"

    def test_access_denied(self, world: Any, bundle: Path) -> None:
        """A refused log-in is reported as access-denied and not as unreachable."""
        [report] = run(runner(bundle), Target(**world.target(world.writer)))
        assert (failure_of(report), report.reachable) == ("access-denied", False)

    def test_privilege_denied(self, world: Any, bundle: Path) -> None:
        """A missing grant is reported, and the role read before is kept."""
        world.prepare_heartbeat()
        world.writer.execute("REVOKE INSERT ON failover.heartbeat FROM 'health_check'@'%'")
        [report] = run(runner(bundle), Target(**world.target(world.writer)))
        assert (failure_of(report), report.reachable, report.read_only) == ("access-denied", True, False)

    @pytest.mark.parametrize(
        ("number", "expected"),
        [(1040, "too-many-connections"), (1129, "host-blocked"), (1130, "access-denied")],
    )
    def test_error_instead_of_a_greeting(
        self, raw_server: Any, wire: Any, bundle: Path, number: int, expected: str
    ) -> None:
        """An error in the greeting is reported with its own failure value."""

        def behave(sock: socket.socket) -> None:
            sock.sendall(wire.packet(b"\xff" + struct.pack("<H", number) + b"no", 0))

        [report] = run(runner(bundle), target(raw_server(behave).port))
        assert failure_of(report) == expected

    def test_slow_query_keeps_earlier_values(
        self, raw_server: Any, wire: Any, authority: CertificateAuthority, bundle: Path
    ) -> None:
        """A hanging commit is a timeout that names its stage; role and connect time are kept."""
        script = wire.scripted(
            tls=authority.server_context(["localhost"]),
            answers={"innodb_read_only": wire.one_value("0"), "INSERT": hang},
        )
        [report] = run_until(
            lambda reports: "heartbeat write" in str(reports[0].failure),
            runner(bundle),
            target(raw_server(script).port),
        )
        assert report.failure is not None and report.failure.startswith("timeout: heartbeat write")
        assert (report.reachable, report.read_only, report.heartbeat_write_ms) == (True, False, None)
        assert report.connect_ms is not None

    def test_slow_log_in(self, world: Any, bundle: Path) -> None:
        """A database with a high latency for every statement is a timeout."""
        world.prepare_heartbeat()
        world.writer_listener.latency_seconds = 0.3
        [report] = run(runner(bundle), Target(**world.target(world.writer)), deadline_ms=SHORT_MS)
        assert failure_of(report) == "timeout"

    def test_connection_lost_between_queries(
        self, raw_server: Any, wire: Any, authority: CertificateAuthority, bundle: Path
    ) -> None:
        """A connection lost after the role was read is a reset, and the role is kept."""
        script = wire.scripted(
            tls=authority.server_context(["localhost"]),
            answers={"innodb_read_only": wire.one_value("0"), "INSERT": lambda sock: sock.close()},
        )
        [report] = run(runner(bundle), target(raw_server(script).port))
        assert (failure_of(report), report.reachable, report.read_only) == ("reset", True, False)

    def test_demoted_between_queries(
        self, raw_server: Any, wire: Any, authority: CertificateAuthority, bundle: Path
    ) -> None:
        """A writer that becomes a reader before the heartbeat write has its own failure value."""
        read_only = b"\xff" + struct.pack("<H", 1290) + b"#HY000running with the --read-only option"
        script = wire.scripted(
            tls=authority.server_context(["localhost"]),
            answers={"innodb_read_only": wire.one_value("0"), "INSERT": wire.packet(read_only, 1)},
        )
        [report] = run(runner(bundle), target(raw_server(script).port))
        assert failure_of(report) == "read-only-heartbeat"

    def test_missing_table(self, world: Any, bundle: Path) -> None:
        """A database without the heartbeat table is a failed query or a missing privilege."""
        world.prepare_heartbeat()
        world.writer.execute("DROP TABLE failover.heartbeat")
        [report] = run(runner(bundle), Target(**world.target(world.writer)))
        assert failure_of(report) in ("query-failed", "access-denied")

    def test_name_without_address(self, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name that does not resolve is a failure of name resolution."""

        def nowhere(*args: object, **kwargs: object) -> list[object]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", nowhere)
        [report] = run(runner(bundle), target(3306, host="nowhere.internal"))
        assert failure_of(report) == "name-resolution"

    @pytest.mark.parametrize(("fault", "expected"), [(Fault.REFUSE, "refused"), (Fault.RESET, "reset")])
    def test_rehearsal_faults_are_reported_like_real_ones(
        self, world: Any, bundle: Path, fault: Fault, expected: str
    ) -> None:
        """An emulated refusal and reset have the same failure values as real ones."""
        world.prepare_heartbeat()
        world.writer_listener.set_fault(fault)
        [report] = run(runner(bundle), Target(**world.target(world.writer)))
        assert failure_of(report) == expected


class TestParallelProbes:
    """Several targets and several invocations."""

    def test_hanging_target_does_not_affect_others(self, world: Any, raw_server: Any, bundle: Path) -> None:
        """A working target between two hanging ones is reported in full."""
        world.prepare_heartbeat()
        good = Target(**world.target(world.writer))
        targets = (target(raw_server(None).port), good, target(raw_server(hang).port))
        reports = run_until(lambda reports: reports[1].failure is None, runner(bundle), *targets)
        assert [report.failure is None for report in reports] == [False, True, False]
        assert reports[1].heartbeat_write_ms is not None

    def test_reports_keep_the_order_of_the_targets(self, world: Any, bundle: Path) -> None:
        """The first report is of the first target."""
        world.prepare_heartbeat()
        targets = [Target(**world.target(cluster)) for cluster in (world.reader, world.writer)]
        reports = run(runner(bundle), *targets)
        assert [report.cluster for report in reports] == [world.reader.id, world.writer.id]

    def test_abandoned_probes_are_limited(self, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An unresponsive name server occupies at most two threads; the third probe fails without one."""
        release = threading.Event()

        def unanswered(*args: object, **kwargs: object) -> list[object]:
            release.wait(WAIT_SECONDS)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", unanswered)
        under_test = runner(bundle)
        for _ in range(4):
            [report] = run(under_test, target(3306, host="slow.internal"), deadline_ms=50)
            assert failure_of(report) == "timeout"
        assert under_test.abandoned() == 2
        release.set()
        assert wait_until(lambda: under_test.abandoned() == 0)

    def test_hanging_probes_leave_no_descriptor(self, raw_server: Any, bundle: Path) -> None:
        """No thread and no socket is left after a hundred abandoned probes."""
        server = raw_server(hang)
        under_test = runner(bundle)
        for _ in range(10):
            under_test.run([target(server.port)] * 10, started_at=time.monotonic(), deadline_ms=20)
            assert wait_until(lambda: under_test.abandoned() == 0)

    def test_repeated_runs_succeed(self, world: Any, bundle: Path) -> None:
        """A warm execution environment probes both databases again and again."""
        world.prepare_heartbeat()
        under_test = runner(bundle)
        targets = [Target(**world.target(cluster)) for cluster in (world.writer, world.reader)]
        failures = [[each.failure for each in run(under_test, *targets)] for _ in range(3)]
        assert failures == [[None, None]] * 3

    def test_answer_comes_at_the_deadline(self, raw_server: Any, bundle: Path) -> None:
        """Two hanging targets are waited for until the deadline."""
        under_test = runner(bundle)
        targets = [target(raw_server(hang).port), target(raw_server(None).port)]
        reports: list[ProbeReport] = []
        seconds = on_the_clock(lambda: reports.extend(run(under_test, *targets, deadline_ms=100)))
        assert seconds >= 0.1
        assert [failure_of(report) for report in reports] == ["timeout", "timeout"]


def test_packaged_bundle_is_loaded() -> None:
    """The packaged bundle holds the current root CAs of both default regions and no expired certificate."""
    context = tls_context(PACKAGED_BUNDLE)
    names = str([ca["subject"] for ca in context.get_ca_certs()])
    for region in ("us-east-1", "eu-west-1"):
        for kind in ("RSA2048", "RSA4096", "ECC384"):
            assert f"Amazon RDS {region} Root CA {kind} G1" in names
    now = time.time()
    assert all(ssl.cert_time_to_seconds(str(ca["notAfter"])) > now for ca in context.get_ca_certs())
    assert PACKAGED_BUNDLE.read_text(encoding="ascii").count("BEGIN CERTIFICATE") == len(context.get_ca_certs())
    assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED
