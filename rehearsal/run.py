"""One rehearsal from start to report: the world, the deployment, the drills in order, the end of everything.

Owns: the sequence, and that whatever goes wrong ends in the report. Does not own: the command line (__main__.py) or the drills.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pymysql
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.ministack import EmulatorError
from rehearsal.console.console import Console
from rehearsal.drills import Drill
from rehearsal.drills.context import DidNotHappenError, DrillContext
from rehearsal.drills.destroy import NAME, TITLE, Teardown
from rehearsal.drills.recorder import Recorder, Seen
from rehearsal.engine.deploy import DeploymentError, DeployResult, stack_config
from rehearsal.engine.inventory import take_inventory
from rehearsal.environment import DEPLOYED_INTERVAL_SECONDS, PROGRAM_DIRECTORY, Environment
from rehearsal.report import provenance
from rehearsal.report.dashboard_data import DashboardReader
from rehearsal.report.dashboards import Dashboard
from rehearsal.report.model import DrillResult, Report, Role, Shortened, TimeScale, Unproven
from rehearsal.report.permission_review import NAME as NAME_OF_REVIEW
from rehearsal.report.permission_review import TITLE as TITLE_OF_REVIEW
from rehearsal.report.permission_review import review, roles_of_functions
from rehearsal.workload import WriteWorkload
from settings import parse_stack_config

OPERATION_SECONDS = 2.0
"""How long the control plane takes for a failover or switchover: an assumption. AWS says minutes, and promises no number."""
FIRST_CYCLES = 2
FIRST_CYCLES_SECONDS = 60.0
FAILURES = (DidNotHappenError, EmulatorError, ClientError, BotoCoreError, pymysql.Error, OSError)
"""What may end a drill early: the report says so, and what was seen until then."""
ALARM_PERIOD_SECONDS = 60.0
"""The period of every alarm and dashboard line that is deployed."""


@dataclass(kw_only=True)
class Rehearsal:
    """Plays drills in a world and gathers the report."""

    world: Environment
    drills: Sequence[Drill]
    console: Console
    destroys: bool = False
    """Whether everything is deleted in the end."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    results: list[DrillResult] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _deployment: DeployResult | None = None
    _shortened: tuple[Shortened, ...] = ()
    _drawn: tuple[Dashboard, ...] | None = None
    _current: DrillContext | None = None

    def run(self) -> Report:
        """Deploy and play; what fails is in the report, and only what is no failure of the rehearsed system is raised."""
        started = time.monotonic()
        try:
            self._deploy()
            if self.drills:
                try:
                    self._play()
                except DidNotHappenError:
                    # What a role lacks may be why nothing cycles.
                    self._review_permissions()
                    raise
                self._review_permissions()
            if self.destroys and all(result.error is None for result in self.results):
                # The dashboards go with everything else: what they show is read before.
                self._drawn = self._dashboards()
                self._destroy()
        except (DeploymentError, *FAILURES) as error:
            self.errors.append(_words(error))
            self.console.error(_words(error))
        return self._report(self._deployment, seconds=time.monotonic() - started)

    def _deploy(self) -> None:
        self.console.deployment_started(None)
        self._deployment = deployment = self.world.deploy(self.console.resource_created)
        self.console.deployment_finished(len(deployment.resources), deployment.seconds)
        self._shortened = self._periods()
        for warning in deployment.warnings:
            self.console.note(warning)

    def _play(self) -> None:
        watch = Recorder(self.world, self)
        ledger = self.world.new_ledger()
        try:
            self._start_beating(watch)
            watch.start()
            ledger.start()
            for drill in self.drills:
                result = self._play_one(drill, watch, ledger)
                self.results.append(result)
                self.console.drill_finished(result)
                if result.error is not None:
                    break
        finally:
            ledger.stop()
            watch.stop()

    def _review_permissions(self) -> None:
        """Hold what the functions' roles allow against what they were asked for: neither too little nor too much."""
        started = time.monotonic()
        self.console.drill_started(NAME_OF_REVIEW, TITLE_OF_REVIEW)
        found = review(
            roles=roles_of_functions(self.world.clients, [region.name for region in self.world.regions]),
            checks=self.world.emulator.permission_checks(),
            ran_to_the_end=all(result.error is None for result in self.results),
        )
        result = replace(found, seconds=round(time.monotonic() - started, 3))
        for event in result.timeline:
            self.console.event(event.seconds, event.event, event.kind, event.region)
        for assertion in result.assertions:
            self.console.assertion(assertion)
        self.results.append(result)
        self.console.drill_finished(result)

    def _start_beating(self, watch: Recorder) -> None:
        """Start the controllers and wait for their first cycles, in which functions start cold and alarms leave `no data`."""
        since = time.time()
        self.world.start_controllers()
        deadline = since + FIRST_CYCLES_SECONDS + FIRST_CYCLES * self.world.interval_seconds
        while any(watch.cycles(region, since=since) < FIRST_CYCLES for region in self.world.regions):
            self.world.emulator.check_alive()
            if time.time() > deadline:
                raise DidNotHappenError(f"{FIRST_CYCLES} cycles in both regions: did not happen after the deployment")
            time.sleep(self.world.interval_seconds / 4)

    def _play_one(self, drill: Drill, watch: Recorder, ledger: WriteWorkload) -> DrillResult:
        self.console.drill_started(drill.name, drill.title)
        stage = DrillContext(world=self.world, watch=watch, ledger=ledger, on_assertion=self.console.assertion)
        self._current = stage
        error = None
        try:
            drill.play(stage)
            self.world.emulator.check_alive()
        except FAILURES as failure:
            error = _words(failure)
            self.console.error(error)
        result = stage.result(
            name=drill.name,
            title=drill.title,
            description=drill.description,
            key_measurements=drill.key_measurements,
            error=error,
        )
        began = self.started_at.timestamp()
        return replace(
            result, started_seconds=round(stage.started_at - began, 3), zero_seconds=round(stage.zero - began, 3)
        )

    def _destroy(self) -> None:
        self.console.drill_started(NAME, TITLE)
        regions = [region.name for region in self.world.regions]
        teardown = Teardown(
            state=self.world.deployment.state,
            clients=self.world.clients,
            look=lambda: take_inventory(self.world.clients, regions),
            regions=regions,
            is_production=self.world.is_production,
            on_assertion=self.console.assertion,
            on_event=self.console.event,
        )
        self.results.append(teardown.play())
        self.console.drill_finished(self.results[-1])

    def saw(self, seen: Seen) -> None:
        """Show live what the watch saw, in seconds of the drill that is played."""
        stage = self._current
        zero = seen.at if stage is None else stage.zero
        self.console.event(seen.at - zero, seen.text, seen.kind, seen.region)

    def role(self, cluster_id: str, region: str, role: Role) -> None:
        """Show a cluster's role."""
        self.console.cluster_role(cluster_id, region, role)

    def dns(self, name: str, region: str | None) -> None:
        """Show what the writer's name answers."""
        self.console.dns_answer(name, region)

    def _report(self, deployment: DeployResult | None, *, seconds: float) -> Report:
        deployed = deployment is not None
        return Report(
            started_at=self.started_at,
            seconds=round(seconds, 3),
            subject=self.world.global_cluster_id if deployed else "",
            time_scale=TimeScale(
                interval_seconds=self.world.interval_seconds, deployed_interval_seconds=DEPLOYED_INTERVAL_SECONDS
            ),
            commit=provenance.commit_of(PROGRAM_DIRECTORY),
            machine=provenance.machine(),
            versions=provenance.versions(),
            settings=parse_stack_config(self.world.config).model_dump(mode="json"),
            shortened=self._shortened,
            resources=deployment.counts() if deployed else {},
            deployment_seconds=round(deployment.seconds, 3) if deployed else 0.0,
            drills=tuple(self.results),
            dashboards=self._drawn if self._drawn is not None else self._dashboards() if deployed else (),
            notes=self._notes(),
            not_held=tuple(
                Unproven(type=one.type, property=one.property, reason=one.reason) for one in deployment.not_held
            )
            if deployed
            else (),
            errors=tuple(self.errors),
        )

    def _periods(self) -> tuple[Shortened, ...]:
        """What is shorter than the stack's own settings and AWS's clocks, by the time scale or for a drill."""
        world = self.world
        ttl_seconds = world.ask_dns(world.writer_name, from_region=world.primary.name).ttl_seconds
        return provenance.shortened(
            deployed=parse_stack_config(stack_config(PROGRAM_DIRECTORY, world.stack)).failover,
            here=world.policy,
            periods={
                "period of alarms, dashboards and Route 53's checks of alarms": (
                    ALARM_PERIOD_SECONDS,
                    ALARM_PERIOD_SECONDS / world.time_scale,
                ),
                f"how long a client keeps the answer for {world.writer_name}": (
                    float(ttl_seconds),
                    ttl_seconds / world.time_scale,
                ),
            },
        )

    def _dashboards(self) -> tuple[Dashboard, ...]:
        """The dashboards that were deployed, with what was published; the emulator may be gone, then the report says so."""
        reader = DashboardReader(
            clients=self.world.clients,
            time_scale=self.world.time_scale,
            start=self.started_at.timestamp(),
            end=time.time(),
        )
        try:
            return tuple(one for region in self.world.regions for one in reader.dashboards(region.name))
        except (ClientError, BotoCoreError) as error:
            self.errors.append(f"the dashboards could not be read: {_words(error)}")
            return ()

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"A failover or switchover takes {OPERATION_SECONDS:g} s in the emulated control plane. That is an assumption: "
            "AWS takes minutes and promises no number, so the times from the call on say how our part behaves, not AWS.",
        ]
        memory = self.world.emulator.resident_bytes()
        if memory is not None:
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            notes.append(
                f"Memory at the end: emulator and functions {memory / 1e6:.0f} MB, the rehearsal itself {own / 1e6:.0f} MB."
            )
        return tuple(notes)


def _words(error: Exception) -> str:
    """An error for people; one of a library says its kind too, or nobody understands it."""
    known = isinstance(error, DeploymentError | DidNotHappenError | EmulatorError)
    return str(error) if known else f"{type(error).__name__}: {error}"
