"""Reachability of the databases and name resolution of Lambda workers."""

import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from rehearsal.aurora.global_database import Cluster, GlobalDatabase
from rehearsal.aurora.server import Fault
from rehearsal.network.network import LAMBDA_SITE, EmulatedNetwork, UnknownHost, write_atomically
from rehearsal.network.resolver import NameServer
from tests.support.waiting import WAIT_SECONDS

EAST, WEST = "us-east-1", "eu-west-1"
EAST_WRITER = "east.cluster-c1.us-east-1.rds.amazonaws.com"
GLOBAL_WRITER = "payments.global-c3.global.rds.amazonaws.com"


class FakeListener:
    """A listener that records its faults."""

    ports = itertools.count(40001)

    def __init__(self) -> None:
        self.port = next(self.ports)
        self.faults: list[Fault] = []
        self.closed = False

    def set_fault(self, fault: Fault) -> None:
        """Record the fault."""
        self.faults.append(fault)

    def close(self) -> None:
        """Record the close."""
        self.closed = True


class FakeListeners:
    """Starts fake listeners; number `fails_at` fails."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.started: list[FakeListener] = []
        self.fails_at = fails_at

    def __call__(self, cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> FakeListener:
        """Start a listener."""
        if len(self.started) == self.fails_at:
            raise OSError("no port left")
        self.started.append(FakeListener())
        return self.started[-1]


@pytest.fixture
def clusters() -> Iterator[tuple[Cluster, Cluster]]:
    """A writer in us-east-1 and a reader in eu-west-1."""
    database = GlobalDatabase(clock=lambda: 0.0)
    yield (database.add_cluster("east", EAST, writer=True), database.add_cluster("west", WEST, writer=False))
    database.close()


@pytest.fixture
def listeners() -> FakeListeners:
    """The fake listeners."""
    return FakeListeners()


@pytest.fixture
def network(tmp_path: Path, clusters: tuple[Cluster, Cluster], listeners: FakeListeners) -> Iterator[EmulatedNetwork]:
    """A network with both clusters open and one published name."""
    with EmulatedNetwork(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=listeners) as running:
        for cluster in clusters:
            running.add_cluster(cluster, host_names=[EAST_WRITER])
            running.open(cluster.id)
        running.publish(EAST_WRITER, clusters[0])
        yield running


def faults(network: EmulatedNetwork) -> dict[str, Fault]:
    """Return the fault of each path "<region> -> <cluster>"."""
    return {
        f"{region[3:7]} -> {cluster}": network.fault_of(cluster, from_region=region)
        for region in (EAST, WEST)
        for cluster in ("east", "west")
    }


def only(fault: Fault, *paths: str) -> dict[str, Fault]:
    """Return the faults with `fault` on these paths only."""
    every = ("east -> east", "east -> west", "west -> east", "west -> west")
    return {path: fault if path in paths else Fault.NONE for path in every}


def test_each_region_has_its_own_port_for_a_name(network: EmulatedNetwork) -> None:
    """The names file has the same addresses."""
    addresses = {region: network.address(EAST_WRITER, from_region=region) for region in (EAST, WEST)}

    assert len(set(addresses.values())) == 2
    written = json.loads(network.names_file.read_text())
    assert addresses == {region: tuple(written[region][EAST_WRITER]) for region in (EAST, WEST)}


def test_changed_port_replaces_the_listeners_and_keeps_names_and_faults(
    network: EmulatedNetwork, clusters: tuple[Cluster, Cluster], listeners: FakeListeners
) -> None:
    """The old connections close, as in a restart."""
    network.port_fault("east", from_region=WEST, fault=Fault.HANG)
    before, faults_before = listeners.started[:2], faults(network)

    network.change_port(clusters[0], host_names=[EAST_WRITER], endpoint_port=3307)

    after = listeners.started[-2:]
    assert ([True, True], [False, False]) == ([each.closed for each in before], [each.closed for each in after])
    assert faults(network) == faults_before
    assert [each.faults[-1] for each in after] == [Fault.NONE, Fault.HANG]
    assert [network.address(EAST_WRITER, from_region=region)[1] for region in (EAST, WEST)] == [
        each.port for each in after
    ]
    written = json.loads(network.names_file.read_text())
    assert tuple(written[WEST][EAST_WRITER]) == network.address(EAST_WRITER, from_region=WEST)


def test_unpublished_name_is_unknown(network: EmulatedNetwork) -> None:
    """The error is a resolver's EAI_NONAME."""
    with pytest.raises(UnknownHost) as caught:
        network.address("gone.cluster-c1.us-east-1.rds.amazonaws.com", from_region=EAST)
    assert isinstance(caught.value, socket.gaierror)
    assert caught.value.errno == socket.EAI_NONAME


def test_publish_again_moves_a_name(network: EmulatedNetwork, clusters: tuple[Cluster, Cluster]) -> None:
    """Other names keep their cluster."""
    east, west = clusters
    network.publish(GLOBAL_WRITER, east)
    network.publish(GLOBAL_WRITER, west)

    assert network.cluster_of(GLOBAL_WRITER) is west
    assert network.cluster_of(EAST_WRITER) is east
    network.withdraw(GLOBAL_WRITER)
    with pytest.raises(UnknownHost):
        network.cluster_of(GLOBAL_WRITER)


def test_cluster_without_instance_refuses_connections(network: EmulatedNetwork) -> None:
    """A closed cluster refuses connections from every region."""
    network.close("west")

    assert only(Fault.REFUSE, "east -> west", "west -> west") == faults(network)
    network.open("west")
    assert only(Fault.NONE) == faults(network)


def test_cut_peering_hangs_cross_region_paths_only(network: EmulatedNetwork) -> None:
    """Each region still reaches its own database."""
    network.cut_peering()

    assert only(Fault.HANG, "east -> west", "west -> east") == faults(network)
    network.restore_peering()
    assert only(Fault.NONE) == faults(network)


def test_failed_region_hangs_in_both_directions(network: EmulatedNetwork) -> None:
    """Clients inside the region reach no database either."""
    network.fail(EAST)

    assert only(Fault.HANG, "east -> east", "east -> west", "west -> east") == faults(network)
    assert frozenset({EAST}) == network.failed_regions
    network.restore(EAST)
    assert only(Fault.NONE) == faults(network)


def test_database_down_affects_every_region(network: EmulatedNetwork) -> None:
    """A stopped database refuses connections. A failed region overrides that fault until the region is restored."""
    network.database_down("east")
    assert only(Fault.REFUSE, "east -> east", "west -> east") == faults(network)
    network.fail(EAST)
    assert network.fault_of("east", from_region=WEST) is Fault.HANG
    network.restore(EAST)

    assert only(Fault.REFUSE, "east -> east", "west -> east") == faults(network)
    network.database_up("east")
    assert only(Fault.NONE) == faults(network)


def test_port_fault_affects_one_path(network: EmulatedNetwork) -> None:
    """A port fault affects only clients of the given region."""
    network.port_fault("east", from_region=EAST, fault=Fault.RESET)

    assert only(Fault.RESET, "east -> east") == faults(network)
    network.clear_port_faults()
    assert only(Fault.NONE) == faults(network)


def test_listener_gets_changed_faults_only(network: EmulatedNetwork, listeners: FakeListeners) -> None:
    """An active fault is not set again, because that would reset connections."""
    network.cut_peering()
    network.cut_peering()
    network.fail(EAST)

    expected = [Fault.REFUSE, Fault.NONE, Fault.HANG]
    assert expected == listeners.started[1].faults


class RecordingLayer:
    """A layer that records its calls and the ports' fault at that time."""

    def __init__(self, name: str, network: EmulatedNetwork, calls: list[tuple[str, str, Fault]]) -> None:
        self.name, self.network, self.calls = name, network, calls

    def fail(self, region: str) -> None:
        """Record the call."""
        self.calls.append((self.name, "fail", self.network.fault_of("east", from_region=region)))

    def restore(self, region: str) -> None:
        """Record the call."""
        self.calls.append((self.name, "restore", self.network.fault_of("east", from_region=region)))


def test_layers_fail_after_the_ports_and_recover_before_them(network: EmulatedNetwork) -> None:
    """Clients never see a database stop, and never reach one that has not started."""
    calls: list[tuple[str, str, Fault]] = []
    network.attach(RecordingLayer("api", network, calls))
    network.attach(RecordingLayer("databases", network, calls))
    network.fail(EAST)
    network.restore(EAST)

    assert [(name, call) for name, call, _fault in calls] == [
        ("api", "fail"),
        ("databases", "fail"),
        ("databases", "restore"),
        ("api", "restore"),
    ]
    assert {Fault.HANG} == {fault for _name, _call, fault in calls}


def test_unknown_region_is_an_error(network: EmulatedNetwork) -> None:
    """A misspelt region in a drill must not pass silently."""
    with pytest.raises(ValueError, match="ap-south-1"):
        network.fail("ap-south-1")


def test_stop_closes_listeners_and_removes_the_names_file(network: EmulatedNetwork, listeners: FakeListeners) -> None:
    """A second stop has no effect."""
    network.stop()
    network.stop()

    assert [listener.closed for listener in listeners.started] == [True] * 4
    assert not network.names_file.exists()


def test_failed_listener_closes_the_other_listeners(tmp_path: Path, clusters: tuple[Cluster, Cluster]) -> None:
    """No cluster is reachable from one region only."""
    failing = FakeListeners(fails_at=1)
    network = EmulatedNetwork(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=failing)

    with pytest.raises(OSError, match="no port left"):
        network.add_cluster(clusters[0], host_names=[EAST_WRITER])
    assert [listener.closed for listener in failing.started] == [True]


# Lambda workers

PROBE = """
import json, os, socket, sys
results = {"endpoint": os.environ.get("AWS_ENDPOINT_URL"), "hidden": sys.modules.get("hidden_sitecustomize_ran") is not None}
for name in sys.argv[1:]:
    try:
        results[name] = socket.getaddrinfo(name, 3306, type=socket.SOCK_STREAM)[0][4]
    except socket.gaierror as error:
        results[name] = str(error)
print(json.dumps(results))
"""


def worker(
    names_file: Path, *names: str, path: Sequence[Path] = (), environment: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Resolve names in a Python process like the Lambda workers of the embedded AWS."""
    started = subprocess.run(
        [sys.executable, "-c", PROBE, *names],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(str(entry) for entry in (LAMBDA_SITE, *path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AURORA_REHEARSAL_NAMES": str(names_file),
            "AURORA_REHEARSAL_ENDPOINTS": json.dumps({WEST: "http://127.0.0.1:2", EAST: "http://127.0.0.1:1"}),
            "AWS_REGION": WEST,
            "AWS_LAMBDA_FUNCTION_NAME": "payments-health-check-dev",
            **(environment or {}),
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )
    assert not started.stderr
    return json.loads(started.stdout)


def test_worker_uses_its_regions_endpoint_and_ports(network: EmulatedNetwork) -> None:
    """AWS_ENDPOINT_URL and the database ports belong to the worker's region."""
    found = worker(network.names_file, EAST_WRITER, EAST_WRITER.upper() + ".")

    port = network.address(EAST_WRITER, from_region=WEST)[1]
    assert {
        "endpoint": "http://127.0.0.1:2",
        "hidden": False,
        EAST_WRITER: ["127.0.0.1", port],
        EAST_WRITER.upper() + ".": ["127.0.0.1", port],
    } == found


def test_worker_does_not_resolve_unknown_database_names(network: EmulatedNetwork) -> None:
    """Names that are not database names use the system resolver, for functions outside the VPC."""
    found = worker(network.names_file, "gone.cluster-c1.us-east-1.rds.amazonaws.com", "127.0.0.1")

    assert "Name or service not known" in str(found["gone.cluster-c1.us-east-1.rds.amazonaws.com"])
    assert found["127.0.0.1"] == ["127.0.0.1", 3306]


def test_vpc_function_resolves_database_names_only(network: EmulatedNetwork) -> None:
    """A function in the VPC calls no AWS API, so it can't resolve the proxy's address."""
    network.set_vpc_functions(["payments-health-check-dev"])
    found = worker(network.names_file, EAST_WRITER, "127.0.0.1", "lambda.eu-west-1.amazonaws.com")

    assert ["127.0.0.1", network.address(EAST_WRITER, from_region=WEST)[1]] == found[EAST_WRITER]
    assert "no route out of the VPC" in str(found["127.0.0.1"])
    assert "no route out of the VPC" in str(found["lambda.eu-west-1.amazonaws.com"])


def test_vpc_function_resolves_the_private_zone(network: EmulatedNetwork) -> None:
    """`writer.<zone>` resolves by the current records for the function's region; a name without a record is unknown."""
    network.set_vpc_functions(["payments-health-check-dev"])
    queries: list[tuple[str, str]] = []

    def resolve(name: str, region: str) -> str:
        queries.append((name, region))
        return EAST_WRITER if name == "writer.payments.internal" else ""

    with NameServer() as server:
        server.resolve = resolve
        names = ("writer.payments.internal", "other.payments.internal")
        found = worker(network.names_file, *names, environment=server.environment())

    assert ["127.0.0.1", network.address(EAST_WRITER, from_region=WEST)[1]] == found[names[0]]
    assert "no route out of the VPC" in str(found[names[1]])
    assert [(name, WEST) for name in names] == queries


@pytest.mark.parametrize("missing", ["AURORA_REHEARSAL_NAMES", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION"])
def test_other_processes_resolve_as_usual(network: EmulatedNetwork, missing: str) -> None:
    """A Python process without a worker's environment variables is not changed."""
    found = worker(network.names_file, "127.0.0.1", environment={missing: ""})

    assert found == {"endpoint": None, "hidden": False, "127.0.0.1": ["127.0.0.1", 3306]}


def test_hidden_sitecustomize_runs(network: EmulatedNetwork, tmp_path: Path) -> None:
    """A sitecustomize that the rehearsal's one hides, such as the Linux distribution's, still runs."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys; sys.modules['hidden_sitecustomize_ran'] = sys")

    assert worker(network.names_file, path=[tmp_path / "site"])["hidden"] is True


def test_warm_worker_reads_the_changed_names_file(tmp_path: Path) -> None:
    """A process that has resolved a name before sees its new address."""
    names_file = tmp_path / "names.json"
    write_atomically(names_file, {WEST: {GLOBAL_WRITER: ["127.0.0.1", 1]}})
    script = (
        "import socket, sys\n"
        "for _ in sys.stdin:\n"
        f"    print(socket.getaddrinfo({GLOBAL_WRITER!r}, 3306)[0][4][1], flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(LAMBDA_SITE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AURORA_REHEARSAL_NAMES": str(names_file),
            "AWS_REGION": WEST,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        ports = []
        for port in (1, 2, 3):
            write_atomically(names_file, {WEST: {GLOBAL_WRITER: ["127.0.0.1", port]}})
            process.stdin.write("\n")
            process.stdin.flush()
            ports.append(int(process.stdout.readline()))
        process.stdin.close()

    expected = [1, 2, 3]
    assert expected == ports
