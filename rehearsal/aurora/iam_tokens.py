"""RDS's check of an IAM database authentication token: form, endpoint, user, region, age and signature.

The caller's rds-db:connect permission is not checked here.
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
_CLOCK_SKEW_SECONDS = 300  # AWS accepts a client clock that is ahead by this much


@dataclass(frozen=True, kw_only=True)
class TokenAudience:
    """The endpoint names, port and region that a token must be signed for."""

    host_names: frozenset[str]
    port: int
    region: str

    @classmethod
    def of(cls, host_names: Iterable[str], port: int, region: str) -> "TokenAudience":
        """Return the audience of a listener. Names are case-insensitive."""
        return cls(host_names=frozenset(name.lower() for name in host_names), port=port, region=region)


def token_refusal(
    token: str,
    *,
    user: str,
    audience: TokenAudience,
    now: float,
    secret_key_of: Callable[[str], str | None] | None = None,
) -> str | None:
    """Return the reason to refuse a token, or None if it is valid. `now` is in seconds since the epoch.

    The signature is checked only with `secret_key_of`, which returns the secret key of an access key, or None.
    """
    parts = urlsplit(f"https://{token}")
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    try:
        endpoint = ((parts.hostname or "").lower(), parts.port)
    except ValueError:
        return "not an IAM token"
    if fields.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" or fields.get("Action") != "connect":
        return "not an IAM token"
    if endpoint[0] not in audience.host_names or endpoint[1] != audience.port:
        return f"signed for the endpoint {endpoint[0]}:{endpoint[1]}, not for this one"
    if fields.get("DBUser") != user:
        return f"signed for the user {fields.get('DBUser')}"
    scope = fields.get("X-Amz-Credential", "").split("/")
    if len(scope) != 5 or scope[3:] != ["rds-db", "aws4_request"]:
        return "the credential scope is not rds-db"
    if scope[2] != audience.region:
        return f"signed for the region {scope[2]}; the cluster is in {audience.region}"
    refusal = _age_refusal(fields, scope[1], now)
    if refusal:
        return refusal
    signature = fields.get("X-Amz-Signature", "")
    if not re.fullmatch(r"[0-9a-f]{64}", signature):
        return "no valid signature"
    if secret_key_of is None:
        return None
    secret = secret_key_of(scope[0])
    if secret is None:
        return f"unknown access key {scope[0]}"
    expected = _signature(fields, host=parts.netloc, scope=scope[1:], secret=secret)
    return None if hmac.compare_digest(expected, signature) else "wrong signature"


def _age_refusal(fields: dict[str, str], day: str, now: float) -> str | None:
    try:
        signed_at = datetime.strptime(fields.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lifetime = int(fields.get("X-Amz-Expires", ""))
    except ValueError:
        return "invalid date or lifetime"
    if signed_at.strftime("%Y%m%d") != day:
        return "the date differs from the credential scope"
    if not 0 < lifetime <= MAX_AGE_SECONDS:
        return f"lifetime of {lifetime} s is outside 1 to {MAX_AGE_SECONDS} s"
    age = now - signed_at.timestamp()
    if age > lifetime:
        return f"expired {age - lifetime:.0f} s ago"
    return f"signed {-age:.0f} s in the future" if age < -_CLOCK_SKEW_SECONDS else None


def _signature(fields: dict[str, str], *, host: str, scope: list[str], secret: str) -> str:
    """Return the Signature Version 4 of the presigned request GET https://host/?fields without a payload."""
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
