"""Storing what became of messages."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pytake.application.ports import Committed, StatusReport
from pytake.domain.errors import Conflict
from pytake.domain.events import ConversationEvent
from pytake.domain.message import Message
from pytake.domain.status import MessageStatus, StatusTimes, advance
from pytake.domain.window import WINDOW
from pytake.store import fast_status
from pytake.store.engine import is_duplicate
from pytake.store.log import append, status_draft
from pytake.store.rows import message_of, times_json, to_json
from pytake.store.tables import messages
from pytake.store.writing import ConversationWriter, message_by_id, message_by_whatsapp_id


class StatusWriter(ConversationWriter):
    """The part of `ConversationStore` that takes reports."""

    async def report_status(self, report: StatusReport) -> Committed | None:
        """Move a message's status up by `domain.status.advance`.

        Raises:
            Conflict: The provider's id belongs to another message.
        """
        await self._epoch()
        try:
            if self._database.is_postgres and not report.window_was_closed:
                return await self._report_fast(report)
            return await self._report_under_lock(report)
        except Exception as error:
            if is_duplicate(error):
                raise Conflict(detail="The provider's id belongs to another message.") from None
            raise

    async def _report_fast(self, report: StatusReport) -> Committed | None:
        async with self._database.hot() as connection:
            before = await fast_status.find(
                connection,
                report.organization_id,
                report.message_id,
                report.whatsapp_message_id,
            )
        if before is None:
            return None
        after = _after_report(before, report)
        async with (
            self._turns.turn(before.conversation_id),
            self._database.hot() as connection,
        ):
            stored = await fast_status.store(connection, report, before, after, self._clock())
            if stored is not None:
                conversation, told = stored
                last_id = conversation["last_message_id"]
                is_last = last_id == after.id
                last = after if is_last else await fast_status.message(connection, last_id)
        if stored is None:
            return await self._report_under_lock(report)
        return self._committed(
            conversation,
            last,
            events=told,
            message=after,
            is_new=bool(told),
            previous_assignee=conversation["assigned_to"],
        )

    async def _report_under_lock(self, report: StatusReport) -> Committed | None:
        async with self._database.read() as connection:
            known = await _reported_message(connection, report)
        if known is None:
            return None
        async with self._locked(report.organization_id, known.conversation_id) as (
            connection,
            conversation,
        ):
            message = await message_by_id(connection, known.id)
            if message is None:
                return None
            after = _after_report(message, report)
            drafts = []
            if (after.status, after.error) != (message.status, message.error):
                drafts.append(status_draft(after, report.reported_at))
            if after != message:
                await _store_report(connection, after)
            stored: tuple[ConversationEvent, ...] = ()
            if drafts:
                if report.window_was_closed:
                    conversation["window_expires_at"] = _without_window(conversation, message)
                stored = await append(
                    connection,
                    conversation,
                    drafts,
                    now=self._clock(),
                    traceparent=report.traceparent,
                )
            last = await message_by_id(connection, conversation["last_message_id"])
        return self._committed(
            conversation,
            last,
            events=stored,
            message=after,
            is_new=bool(stored),
            previous_assignee=conversation["assigned_to"],
        )


def _without_window(conversation: Mapping[str, Any], message: Message) -> datetime | None:
    """Believe WhatsApp that there is no window, unless the customer has written since."""
    expires: datetime | None = conversation["window_expires_at"]
    if expires is not None and expires - WINDOW > message.created_at:
        return expires
    return None


async def _reported_message(connection: AsyncConnection, report: StatusReport) -> Message | None:
    if report.message_id is not None:
        query = select(messages).where(
            messages.c.id == report.message_id,
            messages.c.organization_id == report.organization_id,
        )
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is not None:
            return message_of(row)
    if report.whatsapp_message_id is None:
        return None
    return await message_by_whatsapp_id(
        connection, report.organization_id, report.whatsapp_message_id
    )


def _after_report(message: Message, report: StatusReport) -> Message:
    status = advance(message.status, report.status)
    error = message.error
    if status is not message.status or (report.error is not None and report.status is status):
        error = report.error
    times = (message.status_times or StatusTimes()).reported(report.status, report.reported_at)
    return replace(
        message,
        status=status,
        error=error,
        sent_at=times.at.get(MessageStatus.SENT) or message.sent_at,
        status_times=times if times.at else None,
        whatsapp_message_id=message.whatsapp_message_id or report.whatsapp_message_id,
    )


async def _store_report(connection: AsyncConnection, message: Message) -> None:
    await connection.execute(
        update(messages)
        .where(messages.c.id == message.id)
        .values(
            status=message.status.value,
            error=None if message.error is None else to_json(dict(message.error)),
            sent_at=message.sent_at,
            status_times=times_json(message.status_times),
            whatsapp_message_id=message.whatsapp_message_id,
        )
    )
