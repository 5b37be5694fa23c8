"""One rehearsal from deployment to report."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pymysql
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.ministack import EmulatorError
from rehearsal.console.console import Console
from rehearsal.drills import Drill, select_drills
from rehearsal.drills.baseline import clear_faults, restore_baseline
from rehearsal.drills.catalogue import SHORT_COOLDOWN
from rehearsal.drills.context import DidNotHappenError, DrillContext
from rehearsal.drills.destroy import NAME, TITLE, DestroyDrill
from rehearsal.drills.recorder import RecordedEvent, Recorder
from rehearsal.engine.deploy import DeployedStack, DeploymentError, stack_config
from rehearsal.engine.inventory import take_inventory
from rehearsal.environment import (
    DEPLOYED_INTERVAL_SECONDS,
    OPERATION_SECONDS,
    PROGRAM_DIRECTORY,
    Environment,
    RegionFacts,
)
from rehearsal.machine import MachineSpeed, Ticker, describe_stall, longer_interval
from rehearsal.report import provenance
from rehearsal.report.dashboard_data import DashboardReader
from rehearsal.report.dashboards import Dashboard
from rehearsal.report.model import Assertion, DrillResult, Report, Shortened, TimeScale, UnverifiedProperty
from rehearsal.report.permission_review import NAME as NAME_OF_REVIEW
from rehearsal.report.permission_review import TITLE as TITLE_OF_REVIEW
from rehearsal.report.permission_review import review, roles_of_functions
from rehearsal.workload import WriteWorkload
from settings import parse_stack_config

FIRST_CYCLES = 2
FIRST_CYCLES_SECONDS = 60.0
MEASURED_CYCLES = 5
"""Cycles after the deployment in which the machine is measured."""
FAILURES = (DidNotHappenError, EmulatorError, ClientError, BotoCoreError, pymysql.Error, OSError)
"""Errors that end a drill early; its report keeps what was recorded until then."""
ALARM_PERIOD_SECONDS = 60.0
"""The deployed period of every alarm and dashboard metric."""


@dataclass(kw_only=True)
class Rehearsal:
    """Runs drills in an environment and collects the report."""

    environment: Environment
    drills: Sequence[Drill]
    console: Console
    destroys: bool = False
    """Whether the stack is destroyed at the end."""
    chooses_interval: bool = False
    """Whether the interval is changed to one that leaves the machine room."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    results: list[DrillResult] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _deployment: DeployedStack | None = None
    _shortened: tuple[Shortened, ...] = ()
    _saved_dashboards: tuple[Dashboard, ...] | None = None
    _current: DrillContext | None = None
    _interval_note: str = ""

    def run(self) -> Report:
        """Deploy, run the drills and destroy; failures are part of the report."""
        started = time.monotonic()
        try:
            self._deploy()
            if self.drills:
                try:
                    self._play()
                except DidNotHappenError:
                    # A missing permission may be the cause.
                    self._review_permissions()
                    raise
                self._review_permissions()
            if self.destroys and all(result.error is None for result in self._counted):
                # Read the dashboards before they are destroyed.
                self._saved_dashboards = self._dashboards()
                self._destroy()
        except (DeploymentError, *FAILURES) as error:
            self.errors.append(_describe_error(error))
            self.console.error(_describe_error(error))
        return self._report(self._deployment, seconds=time.monotonic() - started)

    def _deploy(self) -> None:
        self.console.deployment_started(None)
        self._deployment = deployment = self.environment.deploy(self.console.resource_created)
        self.console.deployment_finished(len(deployment.resources), deployment.seconds)
        self._shortened = self._periods()
        for warning in deployment.warnings:
            self.console.note(warning)

    def _play(self) -> None:
        recorder = Recorder(
            self.environment,
            on_event=self._show_event,
            on_role=self.console.show_cluster_role,
            on_dns=self.console.dns_answer,
        )
        workload = self.environment.new_workload()
        with Ticker() as ticker:
            try:
                self.environment.start_controllers()
                self._wait_for_cycles(recorder, FIRST_CYCLES)
                recorder.start()
                workload.start()
                self._measure_machine(recorder, ticker)
                for drill in self.drills:
                    if not self._play_until_it_counts(drill, recorder, workload, ticker):
                        break
            finally:
                workload.stop()
                recorder.stop()

    def _measure_machine(self, recorder: Recorder, ticker: Ticker) -> None:
        """Measure a few cycles, and change the interval to one that leaves the machine room if there is a choice."""
        since = time.time()
        self._wait_for_cycles(recorder, MEASURED_CYCLES)
        cycles_ms = [
            each
            for region in self.environment.regions
            for each in recorder.values(region, "CycleDuration", "Maximum", since=since)
        ]
        # The longest one is left out: a single delay says nothing about the machine.
        speed = MachineSpeed(
            longest_cycle_seconds=sorted(cycles_ms)[-2] / 1000, latest_tick_seconds=ticker.latest(since, time.time())
        )
        interval_seconds = speed.choose_interval() if self.chooses_interval else self.environment.interval_seconds
        self._interval_note = speed.describe(interval_seconds)
        self.console.note(self._interval_note)
        if interval_seconds != self.environment.interval_seconds:
            self._change_interval(interval_seconds, recorder)

    def _change_interval(
        self, seconds: float, recorder: Recorder, overrides: Mapping[str, object] | None = None
    ) -> None:
        self.environment.change_interval(seconds, overrides)
        self._shortened = self._periods()
        self._wait_for_cycles(recorder, FIRST_CYCLES)

    def _play_until_it_counts(self, drill: Drill, recorder: Recorder, workload: WriteWorkload, ticker: Ticker) -> bool:
        """Play a drill, and once more with a longer interval if a stall of the machine explains its failure.

        Return whether the rehearsal can go on.
        """
        result = self._play_one(drill, recorder, workload, ticker)
        self._add(result)
        if not result.repeated:
            return result.error is None
        context = self._context(recorder, workload, on_assertion=lambda _assertion: None)
        clear_faults(context)
        # The failed attempt may have changed the roles: a drill cannot wait for the deployed cooldown.
        self._change_interval(
            longer_interval(result.interval_seconds) or result.interval_seconds, recorder, SHORT_COOLDOWN
        )
        restore_baseline(context)
        chain = select_drills((drill.name,))
        names = {each.name for each in chain}
        self.results[:] = [
            replace(one, repeated=one.repeated or f"played again before {drill.name}") if one.name in names else one
            for one in self.results
        ]
        for each in chain:
            again = replace(self._play_one(each, recorder, workload, ticker), repeated="")
            self._add(again)
            if again.error is not None:
                return False
        return True

    def _add(self, result: DrillResult) -> None:
        self.results.append(result)
        self.console.drill_finished(result)

    @property
    def _counted(self) -> list[DrillResult]:
        return [result for result in self.results if not result.repeated]

    def _context(
        self, recorder: Recorder, workload: WriteWorkload, *, on_assertion: Callable[[Assertion], None]
    ) -> DrillContext:
        return DrillContext(
            environment=self.environment, recorder=recorder, workload=workload, on_assertion=on_assertion
        )

    def _review_permissions(self) -> None:
        """Compare the permissions of the functions' roles with the calls made."""
        started = time.monotonic()
        self.console.drill_started(NAME_OF_REVIEW, TITLE_OF_REVIEW)
        reviewed = review(
            roles=roles_of_functions(self.environment.clients, [region.name for region in self.environment.regions]),
            checks=self.environment.emulator.permission_checks(),
            ran_to_the_end=all(result.error is None for result in self._counted),
        )
        result = replace(reviewed, seconds=round(time.monotonic() - started, 3))
        for event in result.timeline:
            self.console.event(event.seconds, event.event, event.kind, event.region)
        for assertion in result.assertions:
            self.console.assertion(assertion)
        self.results.append(result)
        self.console.drill_finished(result)

    def _wait_for_cycles(self, recorder: Recorder, count: int) -> None:
        """Wait for cycles of both controllers from now on; the first ones include cold starts."""
        since = time.time()
        deadline = since + FIRST_CYCLES_SECONDS + count * self.environment.interval_seconds
        while any(recorder.cycles(region, since=since) < count for region in self.environment.regions):
            self.environment.emulator.check_alive()
            if time.time() > deadline:
                raise DidNotHappenError(f"{count} cycles in both regions did not happen after the deployment")
            time.sleep(self.environment.interval_seconds / 4)

    def _play_one(self, drill: Drill, recorder: Recorder, workload: WriteWorkload, ticker: Ticker) -> DrillResult:
        self.console.drill_started(drill.name, drill.title)
        context = self._context(recorder, workload, on_assertion=self.console.assertion)
        self._current, survivor = context, self.environment.standby
        error, ended_late = None, False
        try:
            drill.play(context)
            self.environment.emulator.check_alive()
        except FAILURES as failure:
            ended_late = isinstance(failure, DidNotHappenError)
            error = _describe_error(failure)
            self.console.error(error)
        recorder.flush()
        result = context.result(
            name=drill.name,
            title=drill.title,
            description=drill.description,
            key_measurements=drill.key_measurements,
            error=error,
        )
        rehearsal_start = self.started_at.timestamp()
        stall = self._stall(context, survivor, ticker)
        return replace(
            result,
            repeated=reason_to_repeat(result, ended_late=ended_late, stall=stall),
            started_seconds=round(context.started_at - rehearsal_start, 3),
            zero_seconds=round(context.zero - rehearsal_start, 3),
        )

    def _stall(self, context: DrillContext, survivor: RegionFacts, ticker: Ticker) -> str:
        recorder, since, until = context.recorder, context.started_at, time.time()
        return describe_stall(
            latest_tick_seconds=ticker.latest(since, until),
            cycle_starts=[
                recorder.cycle_starts(region, since=since, until=until)
                for region in self.environment.regions
                if region.name not in self.environment.network.failed_regions
            ],
            unanswered_probes=recorder.unanswered_probes(survivor, since=since),
            interval_seconds=self.environment.interval_seconds,
        )

    def _destroy(self) -> None:
        self.console.drill_started(NAME, TITLE)
        regions = [region.name for region in self.environment.regions]
        destroy_drill = DestroyDrill(
            destroy_stack=self.environment.destroy,
            count=self.environment.resource_count,
            list_resources=lambda: take_inventory(self.environment.clients, regions),
            regions=regions,
            is_production=self.environment.is_production,
            on_assertion=self.console.assertion,
            on_event=self.console.event,
        )
        self.results.append(destroy_drill.play())
        self.console.drill_finished(self.results[-1])

    def _show_event(self, event: RecordedEvent) -> None:
        zero = event.at if self._current is None else self._current.zero
        self.console.event(event.at - zero, event.text, event.kind, event.region)

    def _report(self, deployment: DeployedStack | None, *, seconds: float) -> Report:
        dashboards = self._saved_dashboards
        if dashboards is None:
            dashboards = self._dashboards() if deployment else ()
        return Report(
            started_at=self.started_at,
            seconds=round(seconds, 3),
            subject=self.environment.global_cluster_id if deployment else "",
            time_scale=TimeScale(
                interval_seconds=self.environment.interval_seconds, deployed_interval_seconds=DEPLOYED_INTERVAL_SECONDS
            ),
            commit=provenance.commit_of(PROGRAM_DIRECTORY),
            machine=provenance.machine(),
            versions=provenance.versions(self.environment.engine),
            settings=parse_stack_config(self.environment.config).model_dump(mode="json"),
            shortened=self._shortened,
            resources=deployment.counts() if deployment else {},
            deployment_seconds=round(deployment.seconds, 3) if deployment else 0.0,
            drills=tuple(self.results),
            dashboards=dashboards,
            notes=self._notes(),
            not_held=tuple(
                UnverifiedProperty(type=one.type, property=one.property, reason=one.reason)
                for one in (deployment.not_held if deployment else ())
            ),
            errors=tuple(self.errors),
        )

    def _periods(self) -> tuple[Shortened, ...]:
        """Return the periods that are shorter than deployed."""
        environment = self.environment
        ttl_seconds = environment.resolve_dns(environment.writer_name, from_region=environment.primary.name).ttl_seconds
        return provenance.shortened(
            deployed=parse_stack_config(stack_config(PROGRAM_DIRECTORY, environment.stack)).failover,
            here=environment.policy,
            periods={
                "period of alarms, dashboards and Route 53's alarm health checks": (
                    ALARM_PERIOD_SECONDS,
                    ALARM_PERIOD_SECONDS / environment.time_scale,
                ),
                f"TTL of {environment.writer_name}": (
                    float(ttl_seconds),
                    ttl_seconds / environment.time_scale,
                ),
            },
        )

    def _dashboards(self) -> tuple[Dashboard, ...]:
        """Return the deployed dashboards with their data; an error is part of the report."""
        reader = DashboardReader(
            clients=self.environment.clients,
            time_scale=self.environment.time_scale,
            start=self.started_at.timestamp(),
            end=time.time(),
        )
        try:
            return tuple(one for region in self.environment.regions for one in reader.dashboards(region.name))
        except (ClientError, BotoCoreError) as error:
            self.errors.append(f"the dashboards could not be read: {_describe_error(error)}")
            return ()

    def _notes(self) -> tuple[str, ...]:
        notes = [self._interval_note] if self._interval_note else []
        notes.append(
            f"A failover or switchover takes {OPERATION_SECONDS:g} s in the embedded AWS. This is an assumption: AWS takes "
            "minutes and documents no number. Times after the call describe this program, not AWS."
        )
        memory = self.environment.emulator.resident_bytes()
        if memory is not None:
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            notes.append(
                f"Memory at the end: embedded AWS and functions {memory / 1e6:.0f} MB, rehearsal process {own / 1e6:.0f} MB."
            )
        return tuple(notes)


def reason_to_repeat(result: DrillResult, *, ended_late: bool, stall: str) -> str:
    """Return why a drill is played again with a longer interval, or an empty text if its result counts.

    A drill is played again only if it failed, the machine stalled (`stall` describes how), and every failure is a matter of
    time: a timed assertion, or an early end because something did not happen in time (`ended_late`).
    """
    only_late = all(failed.timed for failed in result.failures) and (result.error is None or ended_late)
    if result.passed or not only_late or not stall or longer_interval(result.interval_seconds) is None:
        return ""
    return f"played again with a longer interval: {stall}"


def _describe_error(error: Exception) -> str:
    """Return an error's message, with its class for errors of libraries."""
    known = isinstance(error, DeploymentError | DidNotHappenError | EmulatorError)
    return str(error) if known else f"{type(error).__name__}: {error}"
