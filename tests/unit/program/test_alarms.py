"""Alarm thresholds that depend on an instance's memory or connections."""

from typing import Any

import pytest

from components.alarms import default_max_connections, region_alarms
from settings import load_settings


@pytest.mark.parametrize(
    ("memory_gib", "connections"),
    [(16, 1000), (32, 2000), (64, 3000), (128, 4000), (256, 5000), (512, 6000), (768, 6584)],
)
def test_default_connections_match_the_table_of_aws(memory_gib: float, connections: int) -> None:
    """db.r5.large to db.r5.24xlarge; AWS's table rounds the last one up to 7000."""
    assert default_max_connections(memory_gib) == connections


def connections_threshold(**config: Any) -> float:
    """Return the threshold of the primary's connections alarm."""
    settings = load_settings(config)
    (alarm,) = [alarm for alarm in region_alarms(settings, settings.primary) if alarm.name == "connections"]
    return alarm.threshold


def test_max_connections_parameter_overrides_the_class_default() -> None:
    """The instance parameter wins over the cluster parameter, as in Aurora; a formula falls back to the default."""
    instance, cluster = {"max_connections": 300}, {"max_connections": 200}
    assert connections_threshold(database={"instance_parameters": instance}) == 240
    assert connections_threshold(database={"cluster_parameters": cluster}) == 160
    formula = {"max_connections": "{DBInstanceClassMemory/12582880}"}
    assert connections_threshold(database={"instance_parameters": formula}) == 800


@pytest.mark.parametrize(
    ("region", "memory_gib"),
    [
        ({"instance_class": "db.r6g.large"}, 16),
        ({"instance_class": "db.r8g.xlarge"}, 32),
        ({"instance_class": "db.r7g.16xlarge"}, 512),
        ({"instance_class": "db.x2g.large"}, 32),
        ({"serverless": {"min_acu": 8, "max_acu": 64.5}}, 129),
    ],
)
def test_memory_follows_the_class_or_the_maximum_capacity(region: dict[str, object], memory_gib: float) -> None:
    """8 GiB per vCPU, 16 in the x families; 2 GiB per ACU."""
    assert load_settings({"primary": region}).primary.memory_gib == memory_gib
