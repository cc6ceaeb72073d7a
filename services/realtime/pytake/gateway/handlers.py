"""What each client event does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from pytake.application.ports import ReadPosition
from pytake.contract import client_events as wire
from pytake.contract.error_codes import error_object
from pytake.contract.times import wire_time
from pytake.domain.errors import ErrorCode, NotAuthenticated, PytakeError, Refused
from pytake.domain.ids import ConversationId
from pytake.domain.principal import Principal
from pytake.gateway.audience import Audience
from pytake.gateway.connection import Connection
from pytake.gateway.conversations import Conversations, Joining
from pytake.gateway.typing_notices import TypingNotices
from pytake.gateway.viewers import Viewers

log = structlog.get_logger()

Reply = Callable[[dict[str, Any]], None]
Handler = Callable[[Connection, Any, Reply], Awaitable[None]]
MarkRead = Callable[[Principal, ConversationId, int], Awaitable[ReadPosition]]
Refresh = Callable[[Connection, str], Awaitable[Principal]]
Refuse = Callable[[Connection, PytakeError, str], None]


class Handlers:
    """One method for each event of the contract; each answers once by `reply`."""

    def __init__(
        self,
        *,
        conversations: Conversations,
        audience: Audience,
        typing: TypingNotices,
        viewers: Viewers,
        mark_read: MarkRead,
        refresh: Refresh,
        refuse: Refuse,
        on_receipt: Callable[[Connection, wire.MessageReceipt], None],
        on_joined: Callable[[Connection], None],
    ) -> None:
        self._conversations = conversations
        self._audience = audience
        self._typing = typing
        self._viewers = viewers
        self._mark_read = mark_read
        self._refresh = refresh
        self._refuse = refuse
        self._on_receipt = on_receipt
        self._on_joined = on_joined
        self.by_event: dict[str, Handler] = {
            "join_conversation": self.join_conversation,
            "join_conversations": self.join_conversations,
            "leave_conversation": self.leave_conversation,
            "typing_start": self.typing_start,
            "typing_stop": self.typing_stop,
            "mark_read": self.mark_read,
            "message:receipt": self.message_receipt,
            "auth:refresh": self.auth_refresh,
            "ping": self.ping,
        }

    async def join_conversation(
        self, connection: Connection, payload: wire.JoinConversation, reply: Reply
    ) -> None:
        joining = await self._conversations.join(connection, payload)
        self._tell_joined(connection, joining)
        reply(joining.answer)
        self._begin(connection, joining)

    async def join_conversations(
        self, connection: Connection, payload: wire.JoinConversations, reply: Reply
    ) -> None:
        outcomes = await _all(
            [self._conversations.join(connection, each) for each in payload.conversations]
        )
        answers: list[dict[str, Any]] = []
        refusals = [each for each in outcomes if not isinstance(each, Joining)]
        if refusals:
            # One event, one refusal: who comes back after a long time has lost many rooms.
            self._refuse(connection, refusals[0], "join_conversations")
        for asked, outcome in zip(payload.conversations, outcomes, strict=True):
            if isinstance(outcome, Joining):
                self._tell_joined(connection, outcome)
                answers.append({"ok": True} | outcome.answer)
            else:
                error = error_object(outcome, event="join_conversations")
                refused = {"ok": False, "conversation_id": asked.conversation_id}
                answers.append(refused | {"error": error})
        reply({"conversations": answers})
        for outcome in outcomes:
            if isinstance(outcome, Joining):
                self._begin(connection, outcome)

    def _tell_joined(self, connection: Connection, joining: Joining) -> None:
        message = {"message": "You have joined the conversation."}
        self._audience.send(connection, "joined_conversation", joining.answer | message)

    def _begin(self, connection: Connection, joining: Joining) -> None:
        if self._conversations.begin(connection, joining):
            self._viewers.joined(connection, joining.membership.room)
            self._on_joined(connection)

    async def leave_conversation(
        self, connection: Connection, payload: wire.LeaveConversation, reply: Reply
    ) -> None:
        conversation_id = ConversationId(payload.conversation_id)
        await self._typing.stop(connection, conversation_id)
        self._conversations.leave(connection, conversation_id)
        self._viewers.left(connection, conversation_id)
        answer = {"conversation_id": conversation_id}
        self._audience.send(connection, "left_conversation", dict(answer))
        reply(dict(answer))

    async def typing_start(
        self, connection: Connection, payload: wire.TypingStart, reply: Reply
    ) -> None:
        conversation_id = _joined(connection, payload.conversation_id)
        await self._typing.start(connection, conversation_id)
        reply({})

    async def typing_stop(
        self, connection: Connection, payload: wire.TypingStop, reply: Reply
    ) -> None:
        conversation_id = _joined(connection, payload.conversation_id)
        await self._typing.stop(connection, conversation_id)
        reply({})

    async def mark_read(self, connection: Connection, payload: wire.MarkRead, reply: Reply) -> None:
        conversation_id = ConversationId(payload.conversation_id)
        position = await self._mark_read(connection.principal, conversation_id, payload.seq)
        reply(
            {
                "conversation_id": conversation_id,
                "seq": position.seq,
                "unread_count": position.unread_count,
            }
        )

    async def message_receipt(
        self, connection: Connection, payload: wire.MessageReceipt, reply: Reply
    ) -> None:
        self._on_receipt(connection, payload)
        reply({})

    async def auth_refresh(
        self, connection: Connection, payload: wire.AuthRefresh, reply: Reply
    ) -> None:
        principal = await self._refresh(connection, payload.token)
        reply({"expires_at": wire_time(principal.expires_at)})

    async def ping(self, connection: Connection, payload: wire.Ping, reply: Reply) -> None:
        answer: dict[str, Any] = {"timestamp": wire_time(datetime.now(UTC))}
        if payload.t is not None:
            answer["t"] = payload.t
        self._audience.send(connection, "pong", dict(answer))
        reply(answer)


def _joined(connection: Connection, conversation_id: str) -> ConversationId:
    known = ConversationId(conversation_id)
    if known not in connection.joined:
        raise Refused(ErrorCode.NOT_JOINED)
    return known


def same_user(principal: Principal, other: Principal) -> None:
    """Refuse a token of somebody else.

    Raises:
        NotAuthenticated: `invalid_token`; the connection goes on with its present token.
    """
    if (principal.user_id, principal.organization_id) != (other.user_id, other.organization_id):
        raise NotAuthenticated(detail="The token is another user's.")


async def _all(joins: list[Awaitable[Joining]]) -> list[Joining | PytakeError]:
    """Await all joins, so that their questions share queries; refusals are outcomes."""
    outcomes = await asyncio.gather(*joins, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, PytakeError):
            raise outcome
    return [each for each in outcomes if isinstance(each, Joining | PytakeError)]
