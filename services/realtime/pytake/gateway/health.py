"""Whether this pod hears what is published, and whether it should get new clients."""

from pytake.application.ports import EventFeed
from pytake.gateway.rooms import Rooms


class Health:
    """Answers for `/readyz`."""

    def __init__(self, feed: EventFeed, rooms: Rooms) -> None:
        self._feed = feed
        self._rooms = rooms

    def degraded(self) -> str | None:
        """Return what works less well, or None. Never takes the pod out of service."""
        if not self._feed.is_healthy:
            return "the broker is away: events come through the store"
        return None
