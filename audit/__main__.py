"""Deploy production in the sandbox, run Prowler against it, and compare: `python -m audit --prowler FILE`.

Exit codes: 0 no finding is new; 1 a finding is new, or a fix was not seen; 2 usage; 3 the sandbox or Prowler failed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from audit.catalogue import read_catalogue
from audit.compare import compare, report_lines
from audit.prowler import ProwlerError, run_prowler
from rehearsal.cloud.ministack import ACCOUNT_ID, SECRET_ACCESS_KEY
from rehearsal.sandbox.client import SandboxClient, SandboxError, find

STACK = "prod"
"""The stack with every protection."""
START_SECONDS, STOP_SECONDS, DEPLOY_SECONDS = 60, 30, 600
NEW, FAILED = 1, 3


def main() -> int:
    """Run the audit; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m audit", description=__doc__)
    parser.add_argument(
        "--prowler", type=Path, required=True, metavar="FILE", help="Prowler's program, which `make audit` installs."
    )
    program = parser.parse_args().prowler.resolve()
    answers = read_catalogue().prowler
    with tempfile.TemporaryDirectory(prefix="audit-") as directory:
        try:
            with _sandbox(Path(directory)) as client:
                status = client.status()
                results = run_prowler(program, status["regions"], _environment(status["operator_url"]), Path(directory))
        except (OSError, ProwlerError, SandboxError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"error: {error}\n")
            return FAILED
    comparison = compare(results, answers)
    sys.stdout.write("\n".join(report_lines(comparison)) + "\n")
    return 0 if comparison.is_clean else NEW


@contextmanager
def _sandbox(directory: Path) -> Iterator[SandboxClient]:
    """Start a sandbox, deploy the stack, and stop it again.

    Raises: SandboxError if it does not start; subprocess.SubprocessError if the deployment fails.
    """
    # A slow interval: nothing here depends on the controllers, and Prowler needs the processor.
    options = ["--stack", STACK, "--directory", str(directory)]
    server = subprocess.Popen(
        [sys.executable, "-m", "rehearsal.sandbox", "start", *options, "--interval", "10"], stdout=subprocess.DEVNULL
    )
    try:
        client = _wait_for(server, directory)
        subprocess.run(
            [sys.executable, "-m", "rehearsal.sandbox", "up", *options],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=DEPLOY_SECONDS,
        )
        yield client
    finally:
        server.terminate()
        server.wait(STOP_SECONDS)


def _wait_for(server: subprocess.Popen[bytes], directory: Path) -> SandboxClient:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client = find(directory)
            client.status()
        except SandboxError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return client


def _environment(endpoint: str) -> Mapping[str, str]:
    """Return an environment with the sandbox's endpoint and credentials, and without those of a real account."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **others,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


if __name__ == "__main__":
    sys.exit(main())
