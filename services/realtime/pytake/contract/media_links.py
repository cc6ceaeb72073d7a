"""Links to files that a browser can follow without a token: signed, and good for a while.

`GET /api/v1/media/{id}?expires=…&signature=…`. All pods share one key, which lies in the
database. Whoever has the link may read the file until it expires, and nothing else.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

MEDIA_PATH = "/api/v1/media"
LIFETIME = timedelta(hours=24)
STEP_SECONDS = 3600
"""Links made within an hour are the same, so that browsers need not load a file twice."""


Link = Callable[[str], str]
"""From the id of a file to a signed address."""


def with_link(content: dict[str, Any], link: Link) -> dict[str, Any]:
    """Return the content of a message; one with a file says where it can be read."""
    media_id = content.get("media_id")
    return content | {"media_url": link(media_id)} if isinstance(media_id, str) else content


def with_links(message: bytes, link: Link) -> bytes:
    """Return a stored `Message` as clients get it.

    Links expire, so that none is in the log; whoever sends a message adds one. Messages
    without a file, nearly all of them, are not parsed for it.
    """
    if b'"media_id"' not in message:
        return message
    document = json.loads(message)
    document["content"] = with_link(document["content"], link)
    # ASCII: half of a surrogate pair in a text has no other form in bytes.
    return json.dumps(document, separators=(",", ":")).encode()


class MediaLinks:
    """Makes and checks links.

    Args:
        key: The same on all pods.
        clock: Seconds since 1970.
    """

    def __init__(
        self, key: bytes, clock: Callable[[], float], lifetime: timedelta = LIFETIME
    ) -> None:
        self._key = key
        self._clock = clock
        self._lifetime_seconds = int(lifetime.total_seconds())

    def __call__(self, media_id: str) -> str:
        """Return a link that is good for the lifetime, and up to an hour more."""
        steps = int(self._clock() + self._lifetime_seconds) // STEP_SECONDS + 1
        expires = steps * STEP_SECONDS
        return (
            f"{MEDIA_PATH}/{media_id}?expires={expires}&signature={self._sign(media_id, expires)}"
        )

    def is_good(self, media_id: str, expires: str, signature: str) -> bool:
        """Whether we made this link and it has not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16):
            return False
        expected = self._sign(media_id, int(expires))
        is_ours = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
        return is_ours and self._clock() < int(expires)

    def _sign(self, media_id: str, expires: int) -> str:
        text = f"{media_id}\n{expires}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:32]
