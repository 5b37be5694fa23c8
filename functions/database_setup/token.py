"""The token with which the function logs in as its own user, signed here, without a call to AWS.

Owns: the token's form (health_check has its own: the packages ship alone). Does not own: the right to use it (rds-db:connect
of the function's role).
Invariant: a token is for one host, port, user and region, and nothing is asked of the network for it.

Source: "Connecting to your DB cluster using IAM authentication" (Amazon Aurora user guide).
"""

from urllib.parse import urlencode

from .model import Endpoint

LIFETIME_SECONDS = 900


class NoCredentialsError(RuntimeError):
    """Lambda has put no credentials into the environment."""


def signed_token(endpoint: Endpoint, user: str) -> str:
    """Return a token for that user, signed with the function's own credentials, from where Lambda puts them.

    Raises:
        NoCredentialsError: there are none.
    """
    # Only when it is needed: a start without it takes half the time.
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import EnvProvider

    credentials = EnvProvider().load()
    if credentials is None:
        raise NoCredentialsError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are missing")
    query = urlencode({"Action": "connect", "DBUser": user})
    request = AWSRequest(method="GET", url=f"https://{endpoint.host}:{endpoint.port}/?{query}")
    SigV4QueryAuth(credentials, "rds-db", endpoint.region, expires=LIFETIME_SECONDS).add_auth(request)
    return str(request.url).removeprefix("https://")
