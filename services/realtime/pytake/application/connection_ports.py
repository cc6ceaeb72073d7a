"""What pods share about connections: places under the cap, rates, viewers, signals.

The same rules as in `ports`, with one difference: a lost broker never keeps users out.
Implementations over Redis fall back to what this pod knows by itself, and say so in
`is_shared`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytake.domain.errors import ErrorCode
from pytake.domain.ids import ConnectionId, ConversationId, OrganizationId, UserId

PodId = str


@dataclass(frozen=True, slots=True)
class Place:
    """Where one connection of a user lives."""

    connection_id: ConnectionId
    pod_id: PodId


@dataclass(frozen=True, slots=True)
class Seating:
    """What one step decided.

    `must_go` are the connections that gave way, `others` the further pods on which the
    user has connections now.
    """

    must_go: tuple[Place, ...] = ()
    others: frozenset[PodId] = frozenset()


class ConnectionPlaces(Protocol):
    """At most so many connections of a user in the whole cluster, decided atomically."""

    async def take(
        self,
        user_id: UserId,
        connection_id: ConnectionId,
        *,
        instead_of: ConnectionId | None = None,
    ) -> Seating:
        """Enter a connection; who gives way is never the new one.

        First goes the connection that it takes the place of, then those of pods that
        are late with their heartbeat, then the oldest.
        """
        ...

    async def release(self, user_id: UserId, connection_id: ConnectionId) -> None:
        """Give a place back; giving it back twice changes nothing."""
        ...

    async def assert_all(
        self, mine: Mapping[UserId, Mapping[ConnectionId, float]]
    ) -> Sequence[tuple[UserId, Place]]:
        """Enter again whatever is connected here, with the seconds since each was opened;
        return what must go under the cap, here or on another pod.

        The order is that of `take`. Who lost his place and is entered again is as old as he
        was: he may be the one who must go.
        """
        ...


class EventRates(Protocol):
    """One budget of weighted events per user for the whole cluster."""

    async def take(self, user_id: UserId) -> float:
        """Take one event from the budget; 0.0 if it was there, else seconds to wait."""
        ...

    def shared_with(self, user_id: UserId, pods: frozenset[PodId]) -> None:
        """Learn that the user is connected to these further pods, too."""
        ...

    def forget(self, user_id: UserId) -> None:
        """The user has no connection here any more."""
        ...


@dataclass(frozen=True, slots=True)
class CloseOrder:
    """Asks the pod that has a connection to end it, for the reason that the code names.

    `has_joined` tells that the successor of a superseded connection has joined its
    conversations: a pod that drains lets the old one go on until then, or for 5 s. Only a
    connection of the same organization is superseded; None where that makes no difference.
    """

    connection_id: ConnectionId
    user_id: UserId
    code: ErrorCode
    has_joined: bool = False
    organization_id: OrganizationId | None = None


class PodSignals(Protocol):
    """Short messages from pod to pod, best effort."""

    def listen(
        self,
        on_close: Callable[[CloseOrder], None],
        on_share: Callable[[UserId, PodId], None],
    ) -> None:
        """Name who ends connections, and who hears that a user is on another pod, too."""
        ...

    async def share(self, pod_id: PodId, user_id: UserId) -> None:
        """Tell a pod that its user is connected here, too: limits are shared from now on."""
        ...

    async def close(self, pod_id: PodId, order: CloseOrder) -> None:
        """Ask a pod to end a connection; never raises for a lost broker."""
        ...


@dataclass(frozen=True, slots=True)
class Viewer:
    user_id: UserId
    name: str


ViewersChanged = Callable[[ConversationId, PodId, Sequence[Viewer]], None]


class ViewerBoard(Protocol):
    """Who has which conversation open on the other pods, best effort."""

    def listen(self, on_change: ViewersChanged) -> None:
        """Name who hears of other pods' viewers of conversations that are open here."""
        ...

    async def show(self, conversation_id: ConversationId, mine: Sequence[Viewer]) -> None:
        """Tell the other pods who has the conversation open here."""
        ...

    async def others(
        self, conversation_id: ConversationId
    ) -> Mapping[PodId, Sequence[Viewer]] | None:
        """Return what the other pods have shown lately, None if that cannot be known now."""
        ...


RightsChanged = Callable[[UserId], Awaitable[None]]
