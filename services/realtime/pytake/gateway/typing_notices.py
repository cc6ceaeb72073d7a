"""Who is typing: told to everybody else in the conversation, and always ended.

A client may vanish, sleep or forget: the server ends a notice 6 s after the last start,
when the user's message goes out, when he leaves and when the connection ends.
"""

import asyncio

import orjson

from pytake.application.show_customer import ShowTyping, show_nothing
from pytake.contract.rooms import conversation_room
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import ConversationId
from pytake.gateway.cluster_rooms import ClusterRooms
from pytake.gateway.connection import Connection
from pytake.gateway.rooms import Room
from pytake.gateway.tasks import Tasks

TYPING_SECONDS = 6.0


class TypingNotices:
    """The notices that connections of this pod have started and not ended."""

    def __init__(
        self, rooms: ClusterRooms, tasks: Tasks, show_customer: ShowTyping = show_nothing
    ) -> None:
        self._show_customer = show_customer
        self._rooms = rooms
        self._tasks = tasks
        # By connection: when thousands go at once, none looks through the notices of all.
        self._ends: dict[str, dict[ConversationId, asyncio.TimerHandle]] = {}
        self._by_room: dict[ConversationId, dict[str, Connection]] = {}

    def is_typing(self, sid: str) -> bool:
        """Whether others are told that the connection's user types, anywhere."""
        return sid in self._ends

    async def start(self, connection: Connection, conversation_id: ConversationId) -> None:
        """Say that the user types, for 6 s from now."""
        ends = self._ends.setdefault(connection.sid, {})
        if (timer := ends.pop(conversation_id, None)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        ends[conversation_id] = loop.call_later(
            TYPING_SECONDS, self.end_later, connection, conversation_id
        )
        self._by_room.setdefault(conversation_id, {})[connection.sid] = connection
        await self._tell(connection, conversation_id, typing=True)
        # Nobody waits for what the customer sees.
        self._tasks.start(self._show_customer(conversation_id), "show typing")

    async def stop(self, connection: Connection, conversation_id: ConversationId) -> None:
        """Say that the user no longer types, if anybody was told that he does."""
        if self._forget(connection, conversation_id):
            await self._tell(connection, conversation_id, typing=False)

    def end_later(self, connection: Connection, conversation_id: ConversationId) -> None:
        """End a notice from where nothing can be awaited."""
        if self._forget(connection, conversation_id):
            self._tasks.start(
                self._tell(connection, conversation_id, typing=False), "end typing notice"
            )

    def end_all(self, connection: Connection) -> None:
        """End every notice of a connection that is gone."""
        for conversation_id in list(self._ends.get(connection.sid, ())):
            self.end_later(connection, conversation_id)

    def on_message(self, room: Room, event: ConversationEvent) -> None:
        """End the notices of a message's author."""
        typists = self._by_room.get(room.conversation_id)
        if not typists:
            return
        author = orjson.loads(event.data).get("sender_id")
        for connection in list(typists.values()):
            if connection.principal.user_id == author:
                self.end_later(connection, room.conversation_id)

    def _forget(self, connection: Connection, conversation_id: ConversationId) -> bool:
        ends = self._ends.get(connection.sid, {})
        timer = ends.pop(conversation_id, None)
        if timer is None:
            return False
        timer.cancel()
        if not ends:
            del self._ends[connection.sid]
        typists = self._by_room.get(conversation_id, {})
        typists.pop(connection.sid, None)
        if not typists:
            self._by_room.pop(conversation_id, None)
        return True

    async def _tell(
        self, connection: Connection, conversation_id: ConversationId, *, typing: bool
    ) -> None:
        data = {
            "conversation_id": conversation_id,
            "user_id": connection.principal.user_id,
            "typing": typing,
        }
        room = conversation_room(conversation_id)
        await self._rooms([room], "user_typing", data, skip_sid=connection.sid)
