"""What RDS checks of an IAM database authentication token.

Owns: the token's form, its endpoint, user, region, age and, when the secret key is known, its signature.
Does not own: whether the caller's role has rds-db:connect (the emulator's IAM is asked elsewhere).

Source: "Connecting to your DB cluster using IAM authentication" (Amazon Aurora user guide): a token is a presigned request
without its scheme, for one host, port and user, valid for 15 minutes.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

MAX_AGE_SECONDS = 900
_CLOCK_SKEW_SECONDS = 300  # what AWS's signatures allow a client's clock to be ahead


@dataclass(frozen=True, kw_only=True)
class TokenAudience:
    """Whom a token must be for: one of the endpoints' names, their port, and the cluster's region."""

    host_names: frozenset[str]
    port: int
    region: str

    @classmethod
    def of(cls, host_names: Iterable[str], port: int, region: str) -> "TokenAudience":
        """Make the audience of a listener; names compare without case."""
        return cls(host_names=frozenset(name.lower() for name in host_names), port=port, region=region)


def token_refusal(
    token: str,
    *,
    user: str,
    audience: TokenAudience,
    now: float,
    secret_key_of: Callable[[str], str | None] | None = None,
) -> str | None:
    """Return why a token is refused, or None when it is good. `now` is in seconds since the epoch."""
    parts = urlsplit(f"https://{token}")
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    try:
        endpoint = ((parts.hostname or "").lower(), parts.port)
    except ValueError:
        return "it isn't a token"
    if fields.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or fields.get("Action") != "connect":
        return "it isn't a token"
    if endpoint[0] not in audience.host_names or endpoint[1] != audience.port:
        return f"it is for {endpoint[0]}:{endpoint[1]}, not for this endpoint"
    if fields.get("DBUser") != user:
        return f"it is for the user {fields.get('DBUser')}"
    scope = fields.get("X-Amz-Credential", "").split("/")
    if len(scope) != 5 or scope[3:] != ["rds-db", "aws4_request"]:
        return "its credential scope isn't rds-db"
    if scope[2] != audience.region:
        return f"it is signed for {scope[2]}, and the cluster is in {audience.region}"
    refusal = _age_refusal(fields, scope[1], now)
    if refusal:
        return refusal
    signature = fields.get("X-Amz-Signature", "")
    if not re.fullmatch(r"[0-9a-f]{64}", signature):
        return "it has no signature"
    if secret_key_of is None:
        return None
    secret = secret_key_of(scope[0])
    if secret is None:
        return f"nobody knows the access key {scope[0]}"
    expected = _signature(fields, host=parts.netloc, scope=scope[1:], secret=secret)
    return None if hmac.compare_digest(expected, signature) else "its signature is wrong"


def _age_refusal(fields: dict[str, str], day: str, now: float) -> str | None:
    try:
        signed_at = datetime.strptime(fields.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lifetime = int(fields.get("X-Amz-Expires", ""))
    except ValueError:
        return "its date can't be read"
    if signed_at.strftime("%Y%m%d") != day:
        return "its date isn't the one of its credential scope"
    if not 0 < lifetime <= MAX_AGE_SECONDS:
        return f"it claims to live for {lifetime} s"
    age = now - signed_at.timestamp()
    if age > lifetime:
        return f"it expired {age - lifetime:.0f} s ago"
    return f"it is from the future, by {-age:.0f} s" if age < -_CLOCK_SKEW_SECONDS else None


def _signature(fields: dict[str, str], *, host: str, scope: list[str], secret: str) -> str:
    """Return the Signature Version 4 of the presigned request GET https://host/?fields, with no payload."""
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in fields.items() if k != "X-Amz-Signature")
    query = "&".join(f"{key}={value}" for key, value in pairs)
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\nhost:{host}\n\nhost\n{empty}"
    to_sign = "\n".join(
        ("AWS4-HMAC-SHA256", fields["X-Amz-Date"], "/".join(scope), hashlib.sha256(request.encode()).hexdigest())
    )
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()
