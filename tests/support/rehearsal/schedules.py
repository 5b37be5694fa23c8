"""The schedules that start the deployed controllers."""

from __future__ import annotations

from rehearsal.environment import Environment


def disable_schedules(environment: Environment) -> None:
    """Keep the controllers from starting: ministack runs a schedule a minute after its creation, in the middle of slow tests."""
    for region in (environment.primary, environment.secondary):
        client = environment.clients("scheduler", region.name)
        for summary in client.list_schedules()["Schedules"]:
            schedule = client.get_schedule(Name=summary["Name"])
            names = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
            client.update_schedule(**{name: schedule[name] for name in names}, State="DISABLED")
