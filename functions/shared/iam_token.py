"""IAM database authentication tokens, signed locally without a call to AWS.

Source: Connecting to your DB cluster using IAM authentication, Amazon Aurora User Guide.
"""

from collections.abc import Callable
from urllib.parse import urlencode

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, EnvProvider

LIFETIME_SECONDS = 900


class NoCredentialsError(RuntimeError):
    """The environment holds no AWS credentials."""


def credentials_from_environment() -> Credentials:
    """Return the function's own credentials from the variables that Lambda sets.

    botocore's default provider chain ends with network requests, which get no answer in this VPC.

    Raises:
        NoCredentialsError: a variable is missing.
    """
    credentials = EnvProvider().load()
    if credentials is None:
        raise NoCredentialsError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: are missing. Lambda sets them.")
    return credentials


def sign_token(
    *,
    host: str,
    port: int,
    region: str,
    user: str,
    credentials: Callable[[], Credentials] = credentials_from_environment,
) -> str:
    """Return a token for one endpoint, region and database user (about 0.2 ms).

    Raises:
        NoCredentialsError: there are no credentials.
    """
    query = urlencode({"Action": "connect", "DBUser": user})
    request = AWSRequest(method="GET", url=f"https://{host}:{port}/?{query}")
    SigV4QueryAuth(credentials(), "rds-db", region, expires=LIFETIME_SECONDS).add_auth(request)
    return str(request.url).removeprefix("https://")
