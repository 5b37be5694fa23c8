"""What a share of an instance's memory or connections comes to."""

from typing import Any

import pytest

from components.alarms import AlarmThresholds, default_max_connections
from settings import load_settings


@pytest.mark.parametrize(
    ("memory_gib", "connections"),
    [(16, 1000), (32, 2000), (64, 3000), (128, 4000), (256, 5000), (512, 6000), (768, 6584)],
)
def test_connections_by_memory_are_those_that_aws_publishes(memory_gib: float, connections: int) -> None:
    """db.r5.large to db.r5.16xlarge; AWS's table rounds the 24xlarge, which lies between two of them, up to 7000."""
    assert default_max_connections(memory_gib) == connections


def of(**config: Any) -> AlarmThresholds:
    """Return the primary's thresholds."""
    settings = load_settings(config)
    return AlarmThresholds.of(settings, settings.primary)


def test_a_parameter_of_the_stack_wins_over_the_class() -> None:
    """An instance's before the cluster's, as in Aurora; a formula is left to it."""
    instance, cluster = {"max_connections": 300}, {"max_connections": 200}
    assert of(database={"instance_parameters": instance}).connections == 240
    assert of(database={"cluster_parameters": cluster}).connections == 160
    formula = {"max_connections": "{DBInstanceClassMemory/12582880}"}
    assert of(database={"instance_parameters": formula}).connections == 800


@pytest.mark.parametrize(
    ("place", "memory_gib"),
    [
        ({"instance_class": "db.r6g.large"}, 16),
        ({"instance_class": "db.r8g.xlarge"}, 32),
        ({"instance_class": "db.r7g.16xlarge"}, 512),
        ({"instance_class": "db.x2g.large"}, 32),
        ({"serverless": {"min_acu": 8, "max_acu": 64.5}}, 129),
    ],
)
def test_memory_is_that_of_the_class_or_of_the_greatest_capacity(place: dict[str, object], memory_gib: float) -> None:
    """8 GiB a vCPU, 16 in the x families; 2 GiB an ACU."""
    assert of(primary=place).memory_gib == memory_gib
