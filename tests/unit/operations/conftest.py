"""A world of two regions for every test."""

import pytest

from tests.unit.operations.fakes import World


@pytest.fixture
def world() -> World:
    """Two healthy regions: us-east-1 is the writer's, eu-west-1 the standby's."""
    return World()
