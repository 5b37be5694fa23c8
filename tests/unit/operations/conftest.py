"""Fakes of two regions for every test."""

import pytest

from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import FakeEnvironment


@pytest.fixture
def aws() -> FakeAws:
    """AWS answers for a healthy stack."""
    return FakeAws()


@pytest.fixture
def environment(aws: FakeAws) -> FakeEnvironment:
    """Two healthy regions with the writer in us-east-1."""
    environment = FakeEnvironment()
    environment.read_api_for = aws
    return environment
