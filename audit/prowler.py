"""Runs Prowler against the embedded AWS, and reads its results.

Prowler has an environment of its own (requirements-audit.txt), because it pins other versions of boto3 and pydantic.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.compare import CheckedResource

SERVICES = (
    *("awslambda", "cloudwatch", "dynamodb", "ec2", "eventbridge", "iam", "kms", "rds", "route53", "secretsmanager"),
    *("sns", "sqs", "vpc"),
)
"""Prowler's names of the services in which the program has resources. Prowler has no check of EventBridge Scheduler."""
FINDINGS, NAME = 3, "findings"
"""Prowler's exit code when a check fails, and the name of its output files."""
TIMEOUT_SECONDS = 1800


class ProwlerError(Exception):
    """Prowler did not run to its end; the text has the last lines of its output."""


def run_prowler(
    program: Path, regions: Sequence[str], environment: Mapping[str, str], directory: Path
) -> list[CheckedResource]:
    """Run every check of the program's services, and return the results of all resources.

    `environment` has the endpoint and the credentials; `directory` takes Prowler's files.

    Raises:
        ProwlerError: Prowler did not run to its end.
    """
    command = [str(program), "aws", "--filter-region", *regions, "--services", *SERVICES, "--scan-unused-services"]
    command += ["--output-formats", "json-ocsf", "--output-directory", str(directory), "--output-filename", NAME]
    command += ["--no-banner", "--no-color"]
    done = subprocess.run(
        command, env=dict(environment), cwd=directory, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    file = directory / f"{NAME}.ocsf.json"
    if done.returncode not in (0, FINDINGS) or not file.exists():
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise ProwlerError(f"{program} ended with {done.returncode}:\n{tail}")
    return list(read_results(json.loads(file.read_text(encoding="utf-8"))))


def read_results(events: Iterable[Mapping[str, Any]]) -> Iterable[CheckedResource]:
    """Yield the result of each event in the OCSF format; a check that someone has to make by hand has none."""
    for event in events:
        if event["status_code"] in ("PASS", "FAIL"):
            resource = event["resources"][0]
            yield CheckedResource(
                check=event["metadata"]["event_code"],
                resource=resource["uid"],
                region=resource["region"],
                passed=event["status_code"] == "PASS",
                detail=event["status_detail"],
            )
