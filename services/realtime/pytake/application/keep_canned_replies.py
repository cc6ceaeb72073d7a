"""The team keeps texts that it needs again and again; who has the page open sees them change."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from pytake.application.ports import Clock, RoomNotifier
from pytake.application.team_ports import CannedReplies
from pytake.contract.present import canned_reply_body
from pytake.contract.rooms import organization_room
from pytake.domain.canned_reply import CannedReply
from pytake.domain.errors import InvalidPayload, NotFound
from pytake.domain.ids import CannedReplyId
from pytake.domain.principal import Principal

MAX_REPLIES = 500
EVENT = "canned_replies:changed"


class KeepCannedReplies:
    """Lists, writes, changes and removes the canned replies of an organization."""

    def __init__(self, replies: CannedReplies, notifier: RoomNotifier, clock: Clock) -> None:
        self._replies = replies
        self._notifier = notifier
        self._clock = clock

    async def all(self, principal: Principal) -> Sequence[CannedReply]:
        """Return those of the principal's organization, by shortcut."""
        return await self._replies.canned_replies(principal.organization_id)

    async def add(self, principal: Principal, shortcut: str, text: str) -> CannedReply:
        """Write a new one.

        Raises:
            Conflict: There is one with this shortcut.
            InvalidPayload: There are too many.
        """
        if len(await self.all(principal)) >= MAX_REPLIES:
            raise InvalidPayload(detail=f"An organization has at most {MAX_REPLIES} replies.")
        reply = CannedReply(
            CannedReplyId(str(uuid4())), principal.organization_id, shortcut.lower(), text
        )
        await self._keep(reply)
        return reply

    async def change(
        self,
        principal: Principal,
        reply_id: CannedReplyId,
        *,
        shortcut: str | None,
        text: str | None,
    ) -> CannedReply:
        """Change shortcut or text.

        Raises:
            NotFound: There is no such reply in the organization.
            Conflict: Another one has the shortcut.
        """
        known = next((each for each in await self.all(principal) if each.id == reply_id), None)
        if known is None:
            raise NotFound
        reply = replace(
            known,
            shortcut=known.shortcut if shortcut is None else shortcut.lower(),
            text=known.text if text is None else text,
        )
        await self._keep(reply)
        return reply

    async def remove(self, principal: Principal, reply_id: CannedReplyId) -> None:
        """Remove one.

        Raises:
            NotFound: There is no such reply in the organization.
        """
        if not await self._replies.remove(principal.organization_id, reply_id):
            raise NotFound
        room = organization_room(principal.organization_id)
        await self._notifier.emit([room], EVENT, {"reply": None, "removed_id": reply_id})

    async def _keep(self, reply: CannedReply) -> None:
        await self._replies.put(reply, now=self._clock())
        data = {"reply": canned_reply_body(reply), "removed_id": None}
        await self._notifier.emit([organization_room(reply.organization_id)], EVENT, data)
