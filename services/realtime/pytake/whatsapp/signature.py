"""Whether a delivery was signed with one of our app secrets.

Computed over the bytes as they came: Meta signs the escaped form that is on the wire, and
decoding and encoding again would not give the same bytes.
"""

import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "sha256="


def sign(body: bytes, secret: bytes) -> str:
    """Return the value of `X-Hub-Signature-256` for a body."""
    return PREFIX + hmac.new(secret, body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, header: str | None, secrets: Sequence[bytes]) -> bool:
    """Whether the header fits the body under any of the secrets, compared in constant time."""
    if header is None or not header.startswith(PREFIX) or not header.isascii():
        return False
    # No early exit: the time must not tell which secret fits.
    fits = [hmac.compare_digest(sign(body, secret), header) for secret in secrets]
    return any(fits)
