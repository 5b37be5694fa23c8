"""A world of two regions for every test."""

import pytest

from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import World


@pytest.fixture
def aws() -> FakeAws:
    """What AWS says of a healthy stack, in the same world."""
    return FakeAws()


@pytest.fixture
def world(aws: FakeAws) -> World:
    """Two healthy regions: us-east-1 is the writer's, eu-west-1 the standby's."""
    world = World()
    world.read_api_for = aws
    return world
