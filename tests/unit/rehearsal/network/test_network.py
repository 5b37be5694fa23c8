"""Who reaches which database, and how a Lambda worker learns of it."""

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
from rehearsal.network.network import LAMBDA_SITE, Network, UnknownHost, write_atomically
from rehearsal.network.resolver import NameServer
from tests.support.waiting import WAIT_SECONDS

EAST, WEST = "us-east-1", "eu-west-1"
EAST_WRITER = "east.cluster-c1.us-east-1.rds.amazonaws.com"
EVERYWHERE = "payments.global-c3.global.rds.amazonaws.com"


class FakeListener:
    """A port that notes its faults."""

    ports = itertools.count(40001)

    def __init__(self) -> None:
        self.port = next(self.ports)
        self.faults: list[Fault] = []
        self.closed = False

    def set_fault(self, fault: Fault) -> None:
        """Note the fault."""
        self.faults.append(fault)

    def close(self) -> None:
        """Note the end."""
        self.closed = True


class FakeListeners:
    """Starts such ports; the `fails_at`-th one can't be started."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.started: list[FakeListener] = []
        self.fails_at = fails_at

    def __call__(self, cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> FakeListener:
        """Start one."""
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
    """The ports."""
    return FakeListeners()


@pytest.fixture
def network(tmp_path: Path, clusters: tuple[Cluster, Cluster], listeners: FakeListeners) -> Iterator[Network]:
    """Both clusters with an instance each, and a name."""
    with Network(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=listeners) as running:
        for cluster in clusters:
            running.add_cluster(cluster, host_names=[EAST_WRITER])
            running.open(cluster.id)
        running.publish(EAST_WRITER, clusters[0])
        yield running


def faults(network: Network) -> dict[str, Fault]:
    """What each path meets: "<from> -> <cluster>"."""
    return {
        f"{region[3:7]} -> {cluster}": network.fault_of(cluster, from_region=region)
        for region in (EAST, WEST)
        for cluster in ("east", "west")
    }


def only(fault: Fault, *paths: str) -> dict[str, Fault]:
    """Those paths broken, all others whole."""
    every = ("east -> east", "east -> west", "west -> east", "west -> west")
    return {path: fault if path in paths else Fault.NONE for path in every}


def test_each_region_has_its_own_port_to_a_name(network: Network) -> None:
    """So that a path can break for one region and hold for the other; the names file says the same."""
    addresses = {region: network.address(EAST_WRITER, from_region=region) for region in (EAST, WEST)}

    assert len(set(addresses.values())) == 2
    written = json.loads(network.names_file.read_text())
    assert addresses == {region: tuple(written[region][EAST_WRITER]) for region in (EAST, WEST)}


def test_a_name_that_is_not_published_does_not_exist(network: Network) -> None:
    """Clients see it as any resolver's failure."""
    with pytest.raises(UnknownHost) as caught:
        network.address("gone.cluster-c1.us-east-1.rds.amazonaws.com", from_region=EAST)
    assert isinstance(caught.value, socket.gaierror)
    assert caught.value.errno == socket.EAI_NONAME


def test_the_global_name_moves_with_the_role(network: Network, clusters: tuple[Cluster, Cluster]) -> None:
    """Publishing a name again lets it lead elsewhere; the old port is still there for the other names."""
    east, west = clusters
    network.publish(EVERYWHERE, east)
    network.publish(EVERYWHERE, west)

    assert network.cluster_of(EVERYWHERE) is west
    assert network.cluster_of(EAST_WRITER) is east
    network.withdraw(EVERYWHERE)
    with pytest.raises(UnknownHost):
        network.cluster_of(EVERYWHERE)


def test_a_cluster_without_an_instance_refuses(network: Network) -> None:
    """Before the first instance and after the last."""
    network.close("west")

    assert only(Fault.REFUSE, "east -> west", "west -> west") == faults(network)
    network.open("west")
    assert only(Fault.NONE) == faults(network)


def test_a_cut_peering_hangs_across_regions_only(network: Network) -> None:
    """Each side still reaches its own database."""
    network.cut_peering()

    assert only(Fault.HANG, "east -> west", "west -> east") == faults(network)
    network.restore_peering()
    assert only(Fault.NONE) == faults(network)


def test_a_dark_region_hangs_both_ways(network: Network) -> None:
    """What is inside it reaches nothing either, not even what stands beside it."""
    network.fail(EAST)

    assert only(Fault.HANG, "east -> east", "east -> west", "west -> east") == faults(network)
    assert frozenset({EAST}) == network.dark_regions
    network.restore(EAST)
    assert only(Fault.NONE) == faults(network)


def test_a_database_that_is_down_is_down_for_everybody(network: Network) -> None:
    """Refusing unless said otherwise; darkness hides it, and it shows again afterwards."""
    network.database_down("east")
    assert only(Fault.REFUSE, "east -> east", "west -> east") == faults(network)
    network.fail(EAST)
    assert network.fault_of("east", from_region=WEST) is Fault.HANG
    network.restore(EAST)

    assert only(Fault.REFUSE, "east -> east", "west -> east") == faults(network)
    network.database_up("east")
    assert only(Fault.NONE) == faults(network)


def test_a_single_path_breaks_alone(network: Network) -> None:
    """The own probe goes blind, everybody else sees."""
    network.port_fault("east", from_region=EAST, fault=Fault.RESET)

    assert only(Fault.RESET, "east -> east") == faults(network)
    network.clear_port_faults()
    assert only(Fault.NONE) == faults(network)


def test_listeners_hear_of_changes_only(network: Network, listeners: FakeListeners) -> None:
    """A fault that is in force already isn't set again: it would reset connections for nothing."""
    network.cut_peering()
    network.cut_peering()
    network.fail(EAST)

    expected = [Fault.REFUSE, Fault.NONE, Fault.HANG]
    assert expected == listeners.started[1].faults


class NotedLayer:
    """A layer that notes its darkness and that of the ports at that moment."""

    def __init__(self, name: str, network: Network, notes: list[tuple[str, str, Fault]]) -> None:
        self.name, self.network, self.notes = name, network, notes

    def fail(self, region: str) -> None:
        """Note."""
        self.notes.append((self.name, "dark", self.network.fault_of("east", from_region=region)))

    def restore(self, region: str) -> None:
        """Note."""
        self.notes.append((self.name, "light", self.network.fault_of("east", from_region=region)))


def test_layers_go_dark_behind_silent_ports_and_return_before_they_speak(network: Network) -> None:
    """Nobody hears a database stop, and nobody reaches one that hasn't started."""
    notes: list[tuple[str, str, Fault]] = []
    network.attach(NotedLayer("api", network, notes))
    network.attach(NotedLayer("databases", network, notes))
    network.fail(EAST)
    network.restore(EAST)

    assert [(name, what) for name, what, _fault in notes] == [
        ("api", "dark"),
        ("databases", "dark"),
        ("databases", "light"),
        ("api", "light"),
    ]
    assert {Fault.HANG} == {fault for _name, _what, fault in notes}


def test_a_region_that_does_not_exist_is_an_error(network: Network) -> None:
    """A drill with a misspelt region must not pass for one in which nothing broke."""
    with pytest.raises(ValueError, match="ap-south-1"):
        network.fail("ap-south-1")


def test_nothing_is_left_at_stop(network: Network, listeners: FakeListeners) -> None:
    """Every port is closed, the names file is gone; stopping again does nothing."""
    network.stop()
    network.stop()

    assert [listener.closed for listener in listeners.started] == [True] * 4
    assert not network.names_file.exists()


def test_a_cluster_whose_second_port_fails_leaves_no_first_one(
    tmp_path: Path, clusters: tuple[Cluster, Cluster]
) -> None:
    """Half a cluster would be reachable from one region by accident."""
    failing = FakeListeners(fails_at=1)
    network = Network(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=failing)

    with pytest.raises(OSError, match="no port left"):
        network.add_cluster(clusters[0], host_names=[EAST_WRITER])
    assert [listener.closed for listener in failing.started] == [True]


# --- The Lambda workers' side ------------------------------------------------------------------------------------------

PROBE = """
import json, os, socket, sys
answers = {"endpoint": os.environ.get("AWS_ENDPOINT_URL"), "hidden": sys.modules.get("hidden_was_here") is not None}
for name in sys.argv[1:]:
    try:
        answers[name] = socket.getaddrinfo(name, 3306, type=socket.SOCK_STREAM)[0][4]
    except socket.gaierror as error:
        answers[name] = str(error)
print(json.dumps(answers))
"""


def worker(
    names_file: Path, *names: str, path: Sequence[Path] = (), environment: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Resolve names in a Python process that is started as the emulator starts a worker."""
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


def test_a_worker_finds_aws_and_the_databases_of_its_region(network: Network) -> None:
    """By its own region's proxy, and by its own region's port."""
    found = worker(network.names_file, EAST_WRITER, EAST_WRITER.upper() + ".")

    port = network.address(EAST_WRITER, from_region=WEST)[1]
    assert {
        "endpoint": "http://127.0.0.1:2",
        "hidden": False,
        EAST_WRITER: ["127.0.0.1", port],
        EAST_WRITER.upper() + ".": ["127.0.0.1", port],
    } == found


def test_an_unknown_database_name_does_not_exist_for_a_worker(network: Network) -> None:
    """It never falls through to this machine's resolver; other names do, for functions outside the VPC."""
    found = worker(network.names_file, "gone.cluster-c1.us-east-1.rds.amazonaws.com", "127.0.0.1")

    assert "Name or service not known" in str(found["gone.cluster-c1.us-east-1.rds.amazonaws.com"])
    assert found["127.0.0.1"] == ["127.0.0.1", 3306]


def test_a_function_in_the_vpc_reaches_databases_and_nothing_else(network: Network) -> None:
    """The design's promise that nothing in the VPC calls an AWS API: not even the proxy's address can be had."""
    network.set_vpc_functions(["payments-health-check-dev"])
    found = worker(network.names_file, EAST_WRITER, "127.0.0.1", "lambda.eu-west-1.amazonaws.com")

    assert ["127.0.0.1", network.address(EAST_WRITER, from_region=WEST)[1]] == found[EAST_WRITER]
    assert "no way out of the VPC" in str(found["127.0.0.1"])
    assert "no way out of the VPC" in str(found["lambda.eu-west-1.amazonaws.com"])


def test_a_function_in_the_vpc_resolves_the_private_zone_as_route_53_answers(network: Network) -> None:
    """`writer.<zone>` is what its records say at this moment, in the asker's region; a name without a record does not exist."""
    network.set_vpc_functions(["payments-health-check-dev"])
    asked: list[tuple[str, str]] = []

    def resolve(name: str, region: str) -> str:
        asked.append((name, region))
        return EAST_WRITER if name == "writer.payments.internal" else ""

    with NameServer() as server:
        server.resolve = resolve
        names = ("writer.payments.internal", "other.payments.internal")
        found = worker(network.names_file, *names, environment=server.environment())

    assert ["127.0.0.1", network.address(EAST_WRITER, from_region=WEST)[1]] == found[names[0]]
    assert "no way out of the VPC" in str(found[names[1]])
    assert [(name, WEST) for name in names] == asked


@pytest.mark.parametrize("missing", ["AURORA_REHEARSAL_NAMES", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION"])
def test_outside_a_worker_nothing_changes(network: Network, missing: str) -> None:
    """The emulator itself, and any other Python with that path, resolves as ever."""
    found = worker(network.names_file, "127.0.0.1", environment={missing: ""})

    assert found == {"endpoint": None, "hidden": False, "127.0.0.1": ["127.0.0.1", 3306]}


def test_a_sitecustomize_that_is_hidden_still_runs(network: Network, tmp_path: Path) -> None:
    """A distribution's own one, say."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys; sys.modules['hidden_was_here'] = sys")

    assert worker(network.names_file, path=[tmp_path / "site"])["hidden"] is True


def test_a_warm_worker_follows_the_names_file(tmp_path: Path) -> None:
    """A name that moves, moves for a process that has resolved it before."""
    names_file = tmp_path / "names.json"
    write_atomically(names_file, {WEST: {EVERYWHERE: ["127.0.0.1", 1]}})
    script = (
        "import socket, sys\n"
        "for _ in sys.stdin:\n"
        f"    print(socket.getaddrinfo({EVERYWHERE!r}, 3306)[0][4][1], flush=True)\n"
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
        answers = []
        for port in (1, 2, 3):
            write_atomically(names_file, {WEST: {EVERYWHERE: ["127.0.0.1", port]}})
            process.stdin.write("\n")
            process.stdin.flush()
            answers.append(int(process.stdout.readline()))
        process.stdin.close()

    expected = [1, 2, 3]
    assert expected == answers
