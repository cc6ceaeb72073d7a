"""Decides before anything is spent on a handshake whether this pod takes it.

Refused here are handshakes that are worth repeating, elsewhere or later: HTTP 503 with
`Retry-After`. Final refusals (a bad token) come later, as CONNECT_ERROR.
"""

import asyncio
import random
from collections import OrderedDict, deque
from dataclasses import dataclass

from pytake.domain.errors import ErrorCode

BURST_SECONDS = 1.0
RETRY_SECONDS = 1.0
FAILED_HANDSHAKES = 30
FAILED_SECONDS = 60.0
MAX_ADDRESSES = 50_000
AFFINITY_COOKIE = "pt_affinity"
"""The proxy's cookie: k8s/nginx and the chart's ingress name it alike."""

Refused = tuple[int, list[tuple[bytes, bytes]], bytes]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a handshake is not taken, and when to come back."""

    code: ErrorCode
    retry_after_seconds: int


class Admission:
    """The door of one pod.

    Args:
        handshake_rate: Handshakes a second; a second's worth may come at once.
        max_connections: What the pod holds.
    """

    def __init__(self, handshake_rate: float, max_connections: int) -> None:
        self._rate = handshake_rate
        self._burst = max(1.0, handshake_rate * BURST_SECONDS)
        self._tokens = self._burst
        self._filled_at: float | None = None
        self._max_connections = max_connections
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()
        self.is_draining = False

    def refuse(self, connections: int) -> Refused | None:
        """Return the HTTP answer to a new handshake that is not taken, or None."""
        refusal = self.refusal(connections)
        if refusal is None:
            return None
        headers = [
            (b"retry-after", str(refusal.retry_after_seconds).encode()),
            (b"content-type", b"text/plain; charset=utf-8"),
        ]
        if refusal.code is ErrorCode.DRAINING:
            # The proxy must not send this client here again.
            headers.append(
                (b"set-cookie", f"{AFFINITY_COOKIE}=; Path=/socket.io/; Max-Age=0".encode())
            )
        return 503, headers, refusal.code.value.encode()

    def refusal(self, connections: int) -> Refusal | None:
        """Return why a new handshake is refused, or None and count it."""
        if self.is_draining:
            return Refusal(ErrorCode.DRAINING, 1)
        if connections >= self._max_connections or not self._take_token():
            return Refusal(ErrorCode.OVERLOADED, random.randint(1, 3))  # noqa: S311
        return None

    def _take_token(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._filled_at is not None:
            gained = (now - self._filled_at) * self._rate
            self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def failed(self, address: str) -> float:
        """Count a handshake that did not authenticate; return the seconds to stay away.

        Only failures count, and only failures are refused by it: an office behind one
        address is not shut out by one broken client.
        """
        now = asyncio.get_running_loop().time()
        times = self._failed.setdefault(address, deque(maxlen=FAILED_HANDSHAKES))
        self._failed.move_to_end(address)
        if len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)
        while times and now - times[0] >= FAILED_SECONDS:
            times.popleft()
        wait = FAILED_SECONDS - (now - times[0]) if len(times) == FAILED_HANDSHAKES else 0.0
        times.append(now)
        return wait
