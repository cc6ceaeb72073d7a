"""Sends what waits for one number: in the order of each conversation, at a lawful pace.

Only the process that holds the number's lease runs this. Before each request the attempt
is recorded, so that after a crash an unanswered attempt is known for what it is.

    accepted       WhatsApp's id is stored, the message leaves the queue (its status is
                   still `pending`: "sent" comes by webhook)
    rejected       the error table decides: again later, slower, upload again, never, or stop
                   the number
    no answer      *unconfirmed*: shown to the agent; after 30 s without a status (and none that
                   waits in our own inbox) sent once more;
                   after another 30 s given up as it is. The provider has no idempotency key
    unreachable    the request never left (its file could not be read, the provider was not
                   found): again, later and later
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import structlog

from pytake.application.channel_ports import (
    ContactBook,
    OrphanStatuses,
    QueuedMessage,
    SendingChannels,
    SendQueue,
    Template,
    Templates,
)
from pytake.application.ports import (
    Channel,
    Clock,
    Committed,
    ConversationStore,
    StatusReport,
)
from pytake.contract.failures import CHANNEL_STOPPED, NOT_SENDABLE
from pytake.domain.errors import Unavailable
from pytake.domain.ids import MessageId
from pytake.domain.message import MessageType
from pytake.domain.status import MessageStatus
from pytake.domain.window import is_open
from pytake.whatsapp.graph import (
    Accepted,
    GraphClient,
    GraphError,
    Number,
    Rejected,
    SendResult,
    Unknown,
    Unreachable,
)
from pytake.whatsapp.opt_outs import OptOuts
from pytake.whatsapp.outbound import NotSendable, is_file, request_body
from pytake.whatsapp.pacing import Pacing
from pytake.whatsapp.provider_errors import (
    OPTED_OUT_CODE,
    TEMPLATE_STATES,
    UNCONFIRMED,
    WINDOW_CODE,
    Action,
    Bucket,
    Meaning,
    ProviderError,
    says_window_closed,
    shown_failure,
)
from pytake.whatsapp.stop_number import StopNumber

log = structlog.get_logger()

UNCONFIRMED_WAIT = timedelta(seconds=30)
MAX_UNCONFIRMED = 2
INBOX_LAG_SECONDS = 1.0
GIVE_UP_AFTER = timedelta(hours=24)
FIRST_BACK_OFF_SECONDS = 1.0
MAX_BACK_OFF_SECONDS = 300.0
MAX_IN_FLIGHT = 48
POLL_SECONDS = 0.5
PERSIST_AGAIN_SECONDS = 0.5
GRACE_SECONDS = 5.0
"""How long requests that are on their way may take when the process ends."""

Announce = Callable[[Committed], Awaitable[None]]
Observe = Callable[[str, float], None]


class Uploads(Protocol):
    """Gives files to the provider (`whatsapp.media.MediaUploads`)."""

    async def provider_id(self, number: Number, content: Any) -> str:
        """Return the provider's id of the file that the content names, uploading it if needed.

        Raises:
            NotSendable: There is no such file.
            GraphError: The upload failed.
            Unavailable: The file cannot be read now; nothing was asked of the provider.
        """
        ...

    async def forget(self, content: Any) -> None:
        """Have the file that the content names uploaded anew next time."""
        ...


@dataclass(frozen=True, slots=True)
class SenderPorts:
    """What every sender of this process shares."""

    queue: SendQueue
    conversations: ConversationStore
    contacts: ContactBook
    orphans: OrphanStatuses
    channels: SendingChannels
    uploads: Uploads
    templates: Templates
    stop_number: StopNumber
    opt_outs: OptOuts
    graph: GraphClient
    announce: Announce
    clock: Clock
    inbox_age: Callable[[], Awaitable[float]]
    """Seconds that the oldest delivery has waited to be worked off."""
    observe: Observe = lambda outcome, seconds: None


class ChannelSender:
    """Sends for one number until it is cancelled or the number is stopped."""

    def __init__(
        self,
        channel: Channel,
        ports: SenderPorts,
        pacing: Pacing,
        *,
        unconfirmed_wait: timedelta = UNCONFIRMED_WAIT,
    ) -> None:
        self._channel = channel
        self._ports = ports
        self._pacing = pacing
        self._unconfirmed_wait = unconfirmed_wait
        self._requests: dict[MessageId, asyncio.Task[None]] = {}
        self._uploaded_again: set[MessageId] = set()
        self._answered = asyncio.Event()
        self._is_stopped = False

    async def run(self, wait: Callable[[float], Awaitable[None]]) -> None:
        """Send until cancelled, or until the provider has refused the number itself.

        Requests on their way are given 5 s to be answered: an answer that nobody hears
        makes a message unconfirmed.

        Args:
            wait: Returns after so many seconds, or at once when something was queued.
        """
        try:
            while not self._is_stopped:
                pause = await self._turn()
                await self._wait(wait, pause)
        finally:
            if self._requests:
                await asyncio.wait(list(self._requests.values()), timeout=GRACE_SECONDS)
            for request in list(self._requests.values()):
                request.cancel()

    async def _wait(self, wait: Callable[[float], Awaitable[None]], pause: float) -> None:
        """Until something is queued, something was answered, or the time is over."""
        waits = [asyncio.ensure_future(wait(pause)), asyncio.ensure_future(self._answered.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            self._answered.clear()

    async def _turn(self) -> float:
        """Begin what is due; return how long nothing more can be."""
        room = MAX_IN_FLIGHT - len(self._requests)
        if room <= 0:
            return POLL_SECONDS
        try:
            token = await self._ports.channels.access_token(self._channel.id)
            if token is None:
                self._is_stopped = True
                return 0
            now = self._ports.clock()
            due = await self._ports.queue.due(self._channel.id, now=now, limit=MAX_IN_FLIGHT)
            ready, pause = self._choose(due, room)
            ready = [message for message in ready if await self._may_go(message)]
            await self._begin(ready)
        except Unavailable:
            return POLL_SECONDS
        number = Number(self._channel.phone_number_id, token)
        for message in ready:
            request = asyncio.create_task(self._attempt(number, message))
            self._requests[message.message_id] = request
        return pause

    async def _begin(self, messages: Sequence[QueuedMessage]) -> None:
        if messages:
            await self._ports.queue.begin(
                [message.message_id for message in messages],
                due_again=self._ports.clock() + self._unconfirmed_wait,
            )

    def _choose(self, due: Sequence[QueuedMessage], room: int) -> tuple[list[QueuedMessage], float]:
        """Take what the pace allows now; else say how long to wait."""
        ready: list[QueuedMessage] = []
        pause = POLL_SECONDS
        now = time.monotonic()
        for message in due:
            if message.message_id in self._requests or len(ready) == room:
                continue
            if (seconds := self._pacing.wait_for_number(now)) > 0:
                return ready, min(pause, seconds)
            if (seconds := self._pacing.wait_for_pair(message.contact_id, now)) > 0:
                pause = min(pause, seconds)
                continue
            self._pacing.take(message.contact_id, now)
            ready.append(message)
        return ready, pause

    async def _may_go(self, message: QueuedMessage) -> bool:
        """Whether a request is needed; what is not to be sent leaves the queue here."""
        if message.unconfirmed and (
            message.status is not MessageStatus.PENDING or message.whatsapp_message_id is not None
        ):
            if message.whatsapp_message_id is not None:
                await self._tell_orphans(message, message.whatsapp_message_id)
            await self._finish(message)  # an answer or a status proved that it went out
            return False
        if message.unconfirmed and await self._ports.inbox_age() > INBOX_LAG_SECONDS:
            # The status that would tell may lie in our own inbox.
            until = self._ports.clock() + self._unconfirmed_wait / 4
            await self._ports.queue.postpone(message.message_id, until=until, is_unconfirmed=True)
            return False
        if message.unconfirmed >= MAX_UNCONFIRMED:
            await self._report(message, MessageStatus.PENDING, error=UNCONFIRMED)
            await self._finish(message)
            return False
        now = self._ports.clock()
        is_template = message.message_type is MessageType.TEMPLATE
        if not is_template and not is_open(message.window_expires_at, now):
            await self._fail(message, ProviderError(WINDOW_CODE).shown())
            return False
        if is_template and message.wants_no_marketing and await self._is_marketing(message):
            # WhatsApp would refuse it, too, and count it against the number.
            await self._fail(message, ProviderError(OPTED_OUT_CODE).shown())
            return False
        return True

    async def _is_marketing(self, message: QueuedMessage) -> bool:
        template = await self._template(message)
        return template is not None and template.category == "MARKETING"

    async def _template(self, message: QueuedMessage) -> Template | None:
        name, language = message.content.get("name"), message.content.get("language")
        return await self._ports.templates.template(
            message.organization_id, str(name), str(language)
        )

    async def _attempt(self, number: Number, message: QueuedMessage) -> None:
        began = time.monotonic()
        try:
            try:
                result = await self._send(number, message)
            except NotSendable as reason:
                error = shown_failure(NOT_SENDABLE, str(reason))
                await self._persist(lambda: self._fail(message, error))
                return
            self._ports.observe(type(result).__name__.lower(), time.monotonic() - began)
            await self._persist(lambda: self._settle(message, result))
        except Exception:
            log.exception("send_failed", message_id=message.message_id)
        finally:
            self._requests.pop(message.message_id, None)
            self._answered.set()

    async def _persist(self, store: Callable[[], Awaitable[None]]) -> None:
        """Store what is known, however long the store is away.

        An answer that is forgotten makes a message unconfirmed, and then it goes out twice.
        """
        while True:
            try:
                await store()
            except Unavailable:
                await asyncio.sleep(PERSIST_AGAIN_SECONDS)
            else:
                return

    async def _send(self, number: Number, message: QueuedMessage) -> SendResult:
        media_id = None
        if is_file(message.message_type) and "link" not in message.content:
            try:
                media_id = await self._ports.uploads.provider_id(number, message.content)
            except Unavailable as problem:
                return Unreachable(str(problem))
            except GraphError as problem:
                if problem.error is None:
                    return Unreachable(str(problem))
                return Rejected(problem.error)
        return await self._ports.graph.send(number, request_body(message, media_id))

    async def _settle(self, message: QueuedMessage, result: SendResult) -> None:
        if isinstance(result, Accepted):
            await self._accepted(message, result)
        elif isinstance(result, Unknown):
            await self._unconfirmed(message)
        elif isinstance(result, Unreachable):
            await self._again(message, ProviderError(None, 503, details=result.reason))
        else:
            await self._rejected(message, result.error)

    async def _accepted(self, message: QueuedMessage, result: Accepted) -> None:
        self._pacing.accepted(message.contact_id)
        await self._report(
            message, MessageStatus.PENDING, whatsapp_message_id=result.whatsapp_message_id
        )
        await self._tell_orphans(message, result.whatsapp_message_id)
        await self._finish(message)
        kind, address = message.recipient
        if result.wa_id and kind == "phone" and result.wa_id != address:
            await self._ports.contacts.learn_identifier(
                message.organization_id, message.contact_id, "phone", result.wa_id
            )

    async def _tell_orphans(self, message: QueuedMessage, whatsapp_message_id: str) -> None:
        """Tell the statuses that were faster than the answer and did not carry our own id.

        One that comes between these steps is told by who brings it, since the id is known now.
        """
        waiting = await self._ports.orphans.waiting(message.organization_id, whatsapp_message_id)
        for orphan in waiting:
            await self._tell(orphan)
        if waiting:
            await self._ports.orphans.forget(message.organization_id, whatsapp_message_id)

    async def _unconfirmed(self, message: QueuedMessage) -> None:
        await self._report(message, MessageStatus.PENDING, error=UNCONFIRMED)
        until = self._ports.clock() + self._unconfirmed_wait
        await self._ports.queue.postpone(message.message_id, until=until, is_unconfirmed=True)

    async def _rejected(self, message: QueuedMessage, error: ProviderError) -> None:
        meaning = error.meaning
        if meaning.action is Action.STOP:
            await self._stop(message, error)
        elif meaning.action is Action.RETRY:
            await self._again(message, error)
        elif meaning.action is Action.SLOW_DOWN:
            await self._slow_down(message, meaning, error)
        elif (
            meaning.action is Action.UPLOAD_AGAIN and message.message_id not in self._uploaded_again
        ):
            await self._ports.uploads.forget(message.content)
            await self._ports.queue.postpone(message.message_id, until=self._ports.clock())
            self._uploaded_again.add(message.message_id)
        else:
            await self._note_template_state(message, error)
            await self._fail(message, error.shown())

    async def _note_template_state(self, message: QueuedMessage, error: ProviderError) -> None:
        """What was refused for its template's sake need not be offered to the next agent."""
        state = TEMPLATE_STATES.get(error.code or 0)
        template = await self._template(message) if state is not None else None
        if state is not None and template is not None:
            await self._ports.templates.change_status(
                message.organization_id, template.name, template.language, state
            )

    async def _again(self, message: QueuedMessage, error: ProviderError) -> None:
        now = self._ports.clock()
        if now - message.created_at > GIVE_UP_AFTER:
            await self._fail(message, error.shown())
            return
        ceiling = min(MAX_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2 ** min(message.attempts, 12))
        pause = ceiling * random.uniform(0.5, 1.0)  # noqa: S311
        await self._ports.queue.postpone(message.message_id, until=now + timedelta(seconds=pause))

    async def _slow_down(
        self, message: QueuedMessage, meaning: Meaning, error: ProviderError
    ) -> None:
        now = self._ports.clock()
        if now - message.created_at > GIVE_UP_AFTER:
            await self._fail(message, error.shown())
            return
        if meaning.bucket is Bucket.PAIR:
            pause = self._pacing.slow_pair(message.contact_id, time.monotonic())
        else:
            pause = self._pacing.slow_number(time.monotonic())
        await self._ports.queue.postpone(message.message_id, until=now + timedelta(seconds=pause))

    async def _stop(self, message: QueuedMessage, error: ProviderError) -> None:
        shown = error.shown()
        # `cause` tells clients which sentence is the right one: signed out, unpaid, reported …
        shown |= {"code": CHANNEL_STOPPED, "cause": shown["code"]}
        await self._report(message, MessageStatus.PENDING, error=shown)
        # Nobody sends for a stopped number; once it runs again the message is due.
        await self._ports.queue.postpone(message.message_id, until=self._ports.clock())
        await self._ports.stop_number(self._channel, error)
        self._is_stopped = True

    async def _fail(self, message: QueuedMessage, error: dict[str, Any]) -> None:
        await self._report(message, MessageStatus.FAILED, error=error)
        await self._finish(message)

    async def _finish(self, message: QueuedMessage) -> None:
        await self._ports.queue.finish([message.message_id])
        self._uploaded_again.discard(message.message_id)

    async def _report(
        self,
        message: QueuedMessage,
        status: MessageStatus,
        *,
        error: dict[str, Any] | None = None,
        whatsapp_message_id: str | None = None,
    ) -> None:
        await self._tell(
            StatusReport(
                organization_id=message.organization_id,
                status=status,
                reported_at=self._ports.clock(),
                message_id=message.message_id,
                whatsapp_message_id=whatsapp_message_id,
                error=error,
                window_was_closed=says_window_closed(error),
                traceparent=message.traceparent,
            )
        )

    async def _tell(self, report: StatusReport) -> None:
        committed = await self._ports.conversations.report_status(report)
        if committed is not None:
            await self._ports.announce(committed)
            conversation = committed.conversation
            await self._ports.opt_outs.after_error(
                conversation.organization_id,
                conversation.contact.id,
                report.error,
                report.reported_at,
            )
