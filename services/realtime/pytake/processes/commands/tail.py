"""`pytake tail`: what should reach one user, live, without a word of what people wrote.

Listens to the broker beside the pods and takes no place under the user's cap: what is
printed here and not seen by the user was lost between a pod and the browser; what is not
printed was never published, or is not the user's to see.
"""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from pytake.application.ports import EventLog, User, UserDirectory
from pytake.broker.envelope import CHANNEL_PREFIX, BadEnvelope, decode
from pytake.domain.conversation import Access, may_see
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId, UserId
from pytake.domain.principal import Principal
from pytake.limits.online import pods_of

KNOWN_CONVERSATIONS = 10_000


class UnknownUser(Exception):
    """No organization has a user of this id or address."""


async def principal_of(users: UserDirectory, name: str) -> Principal:
    """Return the user of an id or an e-mail address as pods see it.

    Raises:
        UnknownUser: There is none.
    """
    user: User | None = None
    if "@" in name:
        found = await users.credentials(name)
        user = found[0] if found is not None else None
    else:
        for organization_id, _ in await users.organizations():
            user = user or await users.user(organization_id, UserId(name))
    if user is None:
        raise UnknownUser(name)
    return Principal(user.id, user.organization_id, user.role, datetime.now(UTC), user.name)


async def whereabouts(principal: Principal, redis: Any) -> str:
    """Return who it is, and the pod of each connection: the first thing to know of one who gets
    nothing."""
    pods = await pods_of(redis, principal.user_id)
    connected = f"connected on {', '.join(pods)}" if pods else "not connected"
    return (
        f"{principal.user_id}, {principal.role.value} of {principal.organization_id}: {connected}"
    )


async def follow(principal: Principal, event_log: EventLog, redis: Any) -> AsyncIterator[str]:
    """Yield a line for each durable event that the user may see, until closed.

    Args:
        principal: Whose events.
        event_log: Says who may see a conversation.
        redis: A client of the broker.
    """
    known: dict[ConversationId, tuple[int, Access | None]] = {}
    async with redis.pubsub() as listening:
        await listening.psubscribe(f"{CHANNEL_PREFIX}*")
        async for message in listening.listen():
            if message["type"] == "psubscribe":
                yield "listening"
                continue
            try:
                event = decode(message["data"])
            except BadEnvelope:
                continue
            if event.organization_id != principal.organization_id:
                continue
            checked = known.get(event.conversation_id)
            if checked is None or checked[0] < event.acl_version:
                if len(known) >= KNOWN_CONVERSATIONS:
                    known.clear()
                found = await event_log.access([event.conversation_id])
                checked = (event.acl_version, found.get(event.conversation_id))
                known[event.conversation_id] = checked
            access = checked[1]
            if access and may_see(principal, access.organization_id, access.assigned_to):
                yield _line(event)


def _line(event: ConversationEvent) -> str:
    age = max(0.0, time.time() - event.created_at.timestamp())
    moment = event.created_at.strftime("%H:%M:%S.%f")[:-3]
    trace = f"  trace {event.traceparent[3:35]}" if event.traceparent else ""
    return (
        f"{moment}  {event.name:<22} {event.conversation_id}  seq {event.seq:<6} "
        f"{len(event.data)} bytes  {age * 1000:.0f} ms after commit{trace}"
    )
