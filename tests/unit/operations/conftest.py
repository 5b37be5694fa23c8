"""A environment of two regions for every test."""

import pytest

from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import FakeEnvironment


@pytest.fixture
def aws() -> FakeAws:
    """What AWS says of a healthy stack, in the same environment."""
    return FakeAws()


@pytest.fixture
def environment(aws: FakeAws) -> FakeEnvironment:
    """Two healthy regions: us-east-1 is the writer's, eu-west-1 the standby's."""
    environment = FakeEnvironment()
    environment.read_api_for = aws
    return environment
