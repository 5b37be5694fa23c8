"""Validation of API parameters against AWS's service models."""

import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import OperationModel, Shape

from rehearsal.support.clients import BotoClients
from rehearsal.support.parameter_validation import compile_pattern, model_violations

SERVICES = (
    *("cloudwatch", "dynamodb", "ec2", "events", "iam", "kms", "lambda", "logs", "rds", "route53", "scheduler"),
    *("secretsmanager", "sns", "sts"),
)


def operation(service: str, name: str) -> OperationModel:
    """Return botocore's model of an operation."""
    return botocore.session.get_session().get_service_model(service).operation_model(name)


@pytest.mark.parametrize(
    ("service", "name", "params", "message"),
    [
        ("kms", "EnableKeyRotation", {"KeyId": "k", "RotationPeriodInDays": 2561}, "2561 is outside 90 to 2560"),
        ("logs", "CreateLogGroup", {"logGroupName": "a group"}, "doesn't match [\\.\\-_/#A-Za-z0-9]+"),
        # SNS's model has no length limit; program_rules/placement.py checks it.
        ("sns", "CreateTopic", {"Name": "x" * 300}, None),
        ("dynamodb", "CreateTable", {"BillingMode": "FREE"}, "'FREE' is not one of PROVISIONED, PAY_PER_REQUEST"),
        ("lambda", "CreateFunction", {"Runtime": "python9"}, "'python9' is not one of "),
        ("lambda", "CreateFunction", {"MemorySize": 99999}, "99999 is outside 128 to "),
        ("iam", "CreateRole", {"RoleName": "r" * 65}, "65 characters is outside 1 to 64"),
        ("cloudwatch", "PutMetricAlarm", {"AlarmActions": ["arn"] * 6}, "6 entries is outside None to 5"),
        ("cloudwatch", "PutMetricAlarm", {"Dimensions": [{"Name": "n" * 256}]}, "Dimensions[0].Name: 256 characters"),
    ],
)
def test_violations_are_reported(service: str, name: str, params: dict[str, Any], message: str | None) -> None:
    """Violated enums, patterns, lengths and ranges are reported at any depth; botocore does not check them."""
    found = model_violations(operation(service, name), params)
    assert (len(found) == 1 and message in found[0]) if message else found == []


def test_valid_call_has_no_violations() -> None:
    """Valid parameters are accepted."""
    params = {"KeyId": "alias/a", "RotationPeriodInDays": 90}
    assert [] == model_violations(operation("kms", "EnableKeyRotation"), params)


def test_clients_refuse_invalid_parameters_before_the_call() -> None:
    """The error needs no server."""
    clients = BotoClients("http://127.0.0.1:9")
    try:
        with pytest.raises(Exception, match="outside 90 to 2560") as raised:
            clients("kms", "eu-west-1").enable_key_rotation(KeyId="k", RotationPeriodInDays=2561)
    finally:
        clients.close()
    assert "ParamValidationError" == type(raised.value).__name__
    assert {"kms:EnableKeyRotation": 1} == clients.model_check.checked


@pytest.mark.parametrize("service", SERVICES)
def test_all_patterns_of_the_used_services_compile(service: str) -> None:
    """A pattern that Python can't compile would fail a valid deployment."""
    model: Any = botocore.session.get_session().get_service_model(service)
    patterns = {
        pattern
        for name in model.operation_names
        if (shape := model.operation_model(name).input_shape) is not None
        for pattern in _patterns(shape, set())
    }
    for pattern in patterns:
        assert isinstance(compile_pattern(pattern), re.Pattern)


def _patterns(shape: Any, seen: set[str]) -> Iterator[str]:
    if shape.name in seen:
        return
    seen.add(shape.name)
    if "pattern" in shape.metadata:
        yield shape.metadata["pattern"]
    members = list(getattr(shape, "members", {}).values())
    inner = [
        getattr(shape, name) for name in ("member", "key", "value") if isinstance(getattr(shape, name, None), Shape)
    ]
    for each in [*members, *inner]:
        yield from _patterns(each, seen)
