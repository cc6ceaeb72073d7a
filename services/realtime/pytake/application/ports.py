"""What the use cases need of the world, by role.

An implementation is named by technology and role (`SqlConversationStore`,
`RedisEventPublisher`, `MemoryEventFeed`). Every port has one conformance suite
in tests/conformance that all its implementations pass.

Errors: a method raises `pytake.domain.errors.Unavailable` when its neighbour cannot
be reached or is too slow; nothing is stored then, or the caller's own id finds
what was.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from pytake.domain.conversation import Access, Conversation, ConversationStatus
from pytake.domain.events import ConversationEvent
from pytake.domain.ids import (
    ChannelId,
    ConversationId,
    MessageId,
    OrganizationId,
    UserId,
)
from pytake.domain.message import Message, MessageType, NewMessage
from pytake.domain.principal import Principal, Role
from pytake.domain.status import MessageStatus

T = TypeVar("T")


# --- writing conversations ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction stored, ready to be announced.

    `conversation` is the state after the commit, its `unread_count` that of shared
    rooms (inbound messages that nobody has read). `events` are in `seq` order and
    empty where nothing changed. `is_new` is False when a retry found what was there.
    `previous_assignee` differs from the present one only after a reassignment.
    """

    conversation: Conversation
    events: tuple[ConversationEvent, ...]
    previous_assignee: UserId | None
    message: Message | None = None
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A customer's message as an adapter understood it, before we know who wrote it.

    `identifiers` are all names of the sender, as (kind, value) with the kinds `phone`
    (digits only) and `bsuid`; the first one is the address to reply to. `sent_at` is the
    provider's time. `is_echo`: the business wrote it with the phone app, it is stored as an
    outbound message that was sent. Only what `opens_window` moves the 24-hour window.
    `is_history`: it is old, and was read and answered long ago with the phone app.
    """

    organization_id: OrganizationId
    channel_id: ChannelId
    identifiers: tuple[tuple[str, str], ...]
    profile_name: str
    whatsapp_message_id: str
    message_type: MessageType
    content: Mapping[str, Any]
    sent_at: datetime
    is_echo: bool = False
    is_history: bool = False
    opens_window: bool = True
    traceparent: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a provider (or our own sender) says of an outbound message.

    Found by `message_id` (ours, echoed by the provider) or else by `whatsapp_message_id`.
    `whatsapp_message_id` is stored when it was not known yet. `window_was_closed`: the
    provider says that the 24 hours are over, so ours ends too unless the customer wrote since.
    """

    organization_id: OrganizationId
    status: MessageStatus
    reported_at: datetime
    message_id: MessageId | None = None
    whatsapp_message_id: str | None = None
    error: Mapping[str, Any] | None = None
    window_was_closed: bool = False
    traceparent: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ConversationChange:
    """What a PATCH asks for. `assigned_to` counts only if `reassign` is set.

    Labels are added and removed by name, so that two who do it at once both succeed.
    """

    reassign: bool = False
    assigned_to: UserId | None = None
    status: ConversationStatus | None = None
    add_labels: tuple[str, ...] = ()
    remove_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """How far one user has read. `moved` is False when an older position was given."""

    seq: int
    unread_count: int
    moved: bool


class ConversationStore(Protocol):
    """Stores what happens in conversations, each time number and event together."""

    async def open_conversation(
        self,
        organization_id: OrganizationId,
        *,
        contact_name: str,
        phone: str,
        channel_id: ChannelId | None,
        window_expires_at: datetime | None,
        now: datetime,
        visible_to: Principal | None = None,
    ) -> Committed:
        """Create a contact (or find it by phone) and its conversation.

        One conversation a contact and channel: opening it again returns it with
        `is_new` False, reopened if it was closed.

        Raises:
            NotFound: There is one that `visible_to` may not see; nothing was changed.
        """
        ...

    async def append_message(
        self, organization_id: OrganizationId, message: NewMessage
    ) -> Committed:
        """Store an outbound message with the next `seq` and its `message:new`.

        Safe to repeat: the same `client_message_id` of the same sender returns the
        stored message with `is_new` False and no events.

        Raises:
            NotFound: No such conversation in this organization.
            Conflict: The id was used before with other content.
            StaleView: `based_on_seq` is older than a message that somebody else wrote.
            Unavailable: Nothing was stored (lock or connection not had within 2 s).
        """
        ...

    async def receive_message(self, message: InboundMessage) -> Committed:
        """Store a customer's message; makes contact and conversation where needed.

        A message that is already there (`whatsapp_message_id`, per organization)
        returns it with `is_new` False. Extends the 24-hour window by the provider's
        time and reopens a closed conversation (one event more).

        History takes the next `seq` like any other message, and its own time as
        `created_at`; it is nobody's unread message, reopens nothing, and is the last message
        of the list only where nothing is newer.
        """
        ...

    async def report_status(self, report: StatusReport) -> Committed | None:
        """Move a message's status up by `domain.status.advance`.

        Returns None when no such message is known; no events when nothing moved. An
        error is stored and shown although the status stays.
        """
        ...

    async def change_conversation(
        self,
        organization_id: OrganizationId,
        conversation_id: ConversationId,
        change: ConversationChange,
        *,
        expected_assignee: UserId | None,
        now: datetime,
    ) -> Committed:
        """Assign, close, reopen or label; `acl_version` grows when the assignee changes.

        Raises:
            InvalidPayload: A label is none, or there would be too many.
            Conflict: The assignee is no longer `expected_assignee` (and a reassignment
                was asked for): somebody else was faster.
            NotFound: No such conversation, or the assignee is no user of the organization.
        """
        ...

    async def mark_read(
        self,
        organization_id: OrganizationId,
        user_id: UserId,
        conversation_id: ConversationId,
        seq: int,
    ) -> ReadPosition:
        """Move the user's read position up to `seq` (at most the head); never back."""
        ...


# --- reading conversations ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; `next_cursor` is None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationQuery:
    """What the list shows. `assigned_to` may be a user id, "me" or "none"."""

    cursor: str | None = None
    limit: int = 50
    status: ConversationStatus | None = None
    assigned_to: str | None = None
    text: str | None = None
    label: str | None = None


class ConversationReader(Protocol):
    """Answers the questions of the REST API. Every query names the organization."""

    async def conversation(
        self, principal: Principal, conversation_id: ConversationId
    ) -> Conversation | None:
        """Return the conversation with the principal's unread count, whoever may see it."""
        ...

    async def conversations(
        self, principal: Principal, query: ConversationQuery
    ) -> Page[Conversation]:
        """Return what the principal may see, newest activity first.

        Raises:
            InvalidPayload: The cursor is not one that we gave.
        """
        ...

    async def messages(
        self, conversation_id: ConversationId, *, before_seq: int | None, limit: int
    ) -> Page[Message]:
        """Return the newest page below `before_seq`, in `seq` order."""
        ...

    async def message(
        self, organization_id: OrganizationId, message_id: MessageId
    ) -> Message | None: ...

    async def shared(self, conversation_ids: Sequence[ConversationId]) -> Sequence[Conversation]:
        """Return those that exist as shared rooms see them, in one query."""
        ...

    async def was_sent(
        self, conversation_id: ConversationId, sender_id: str, client_message_id: str
    ) -> bool:
        """Whether this sender has stored a message of this id in the conversation."""
        ...


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    conversation_id: ConversationId
    after_seq: int
    limit: int


class EventLog(Protocol):
    """The log as gateways read it: few, batched queries, always on the primary."""

    async def access(
        self, conversation_ids: Sequence[ConversationId]
    ) -> Mapping[ConversationId, Access]:
        """Return owner, assignee, versions and head of those that exist, in one query."""
        ...

    async def heads(
        self, conversation_ids: Sequence[ConversationId]
    ) -> Mapping[ConversationId, int]:
        """Return the newest `seq` of those that exist, in one query per 1,000."""
        ...

    async def replay(
        self, requests: Sequence[ReplayRequest]
    ) -> Mapping[ConversationId, Sequence[ConversationEvent]]:
        """Return the events after each cursor in `seq` order, in one query for all."""
        ...

    async def oldest_kept(
        self, conversation_ids: Sequence[ConversationId]
    ) -> Mapping[ConversationId, int]:
        """Return the lowest `seq` still in the log (head + 1 where nothing is kept)."""
        ...

    async def epoch(self) -> str:
        """Return the name of this life of the database."""
        ...


# --- the outbox --------------------------------------------------------------------------


class ClaimedOutbox(Protocol):
    """Conversations that this relay alone may publish while it holds the claim."""

    events: Sequence[ConversationEvent]
    """What was left behind: ordered by `seq` within each conversation."""

    async def published(self, events: Sequence[ConversationEvent]) -> None:
        """Record that these have been published."""
        ...


class Outbox(Protocol):
    """How far each conversation has been published."""

    async def advance(
        self, published: Mapping[ConversationId, Sequence[int]]
    ) -> Collection[ConversationId]:
        """Record the `seq` of what was published, many conversations in one statement.

        Never moves back; a lost call only means that the relay publishes again. Messages that
        another process has not published yet are passed over: readers find the hole. A change
        of rights is not, since lists would never hear of it.

        Returns:
            The conversations that stay where they are, because a change of rights before what
            was published here is unpublished. Try again, or leave them to the relay.
        """
        ...

    def claim(
        self, *, older_than_seconds: float, limit: int
    ) -> AbstractAsyncContextManager[ClaimedOutbox]:
        """Claim conversations with events left behind; other relays skip them meanwhile."""
        ...

    async def depth(self) -> tuple[int, float]:
        """Return (conversations with unpublished events, age of the oldest in seconds)."""
        ...

    async def wake(self) -> None:
        """Tell relays that something was left behind: after a failed publish, best effort."""
        ...

    def wake_ups(self) -> AsyncIterator[None]:
        """Yield when there may be something to claim: on NOTIFY where it can be had.

        Never ends by itself; without a way to be told it waits for ever.
        """
        ...


# --- between processes -------------------------------------------------------------------


class EventPublisher(Protocol):
    """Hands durable events to the pods that have readers. Order of calls is kept."""

    async def publish(self, events: Sequence[ConversationEvent]) -> None:
        """Publish in order over one connection.

        Raises:
            Unavailable: The broker did not take them within its deadline; the relay
                will publish them later.
        """
        ...


class RoomNotifier(Protocol):
    """Emits events without `seq` to rooms of the whole cluster, best effort."""

    async def emit(self, rooms: Sequence[str], event: str, data: Mapping[str, Any]) -> None:
        """Send to every connection in at least one of the rooms; never raises for a lost broker.

        Rows of a list replace each other: who is in two of the rooms may hear it twice.
        """
        ...


FeedListener = Callable[[ConversationEvent], None]


class EventFeed(Protocol):
    """What a pod hears of the conversations that its connections have joined."""

    def listen(self, on_event: FeedListener, on_interrupted: Callable[[], Awaitable[None]]) -> None:
        """Name who receives events, and who is told that some may have been lost."""
        ...

    async def subscribe(self, conversation_id: ConversationId, *, timeout: float = 0.5) -> bool:
        """Hear of a conversation. True once confirmed; False when that took too long,
        in which case the subscription goes on being tried in the background."""
        ...

    async def unsubscribe(self, conversation_id: ConversationId) -> None:
        """Stop hearing of it, after a linger that spares quick returns the round trip."""
        ...

    @property
    def is_healthy(self) -> bool:
        """Whether events published now are expected to arrive here."""
        ...


# --- people, tokens and channels ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class User:
    id: UserId
    organization_id: OrganizationId
    role: Role
    name: str
    email: str | None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class RightsChange:
    """A change of what a user may do, that every pod must hear of.

    `role` None: revoked (of one token where `token_id` is set). Tokens issued before
    `changed_at` are judged by it; later ones are not.
    """

    id: int
    user_id: UserId
    organization_id: OrganizationId
    changed_at: datetime
    role: Role | None = None
    token_id: str | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A WhatsApp number. The access token never leaves the store and the sender.

    `account_id` is the business account that it belongs to, as deliveries and WhatsApp itself
    tell; the four after it are WhatsApp's own words. `sends_read_marks` and `sends_typing` let
    the customer see that an agent has read, and types.
    """

    id: ChannelId
    organization_id: OrganizationId
    name: str
    phone_number_id: str
    is_active: bool = True
    stopped_because: str | None = None
    account_id: str | None = None
    display_phone_number: str | None = None
    verified_name: str | None = None
    quality_rating: str | None = None
    messaging_limit: str | None = None
    sends_read_marks: bool = False
    sends_typing: bool = False


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What an admin changes of a number; None leaves it as it is.

    A new token also starts a number that was stopped.
    """

    name: str | None = None
    access_token: str | None = None
    sends_read_marks: bool | None = None
    sends_typing: bool | None = None


class UserDirectory(Protocol):
    """Users and organizations."""

    async def ensure_principal(self, principal: Principal) -> None:
        """Create user and organization of a valid token at their first use."""
        ...

    async def user(self, organization_id: OrganizationId, user_id: UserId) -> User | None: ...

    async def users(self, organization_id: OrganizationId) -> Sequence[User]: ...

    async def create_organization(self, name: str) -> OrganizationId: ...

    async def create_user(
        self,
        organization_id: OrganizationId,
        *,
        email: str | None,
        name: str,
        role: Role,
        password_hash: str | None,
    ) -> User:
        """Raises Conflict when the e-mail address is taken."""
        ...

    async def change_user(
        self,
        organization_id: OrganizationId,
        user_id: UserId,
        *,
        name: str | None,
        role: Role | None,
        is_active: bool | None,
    ) -> User:
        """A new role or a deactivation writes a `RightsChange` in the same transaction."""
        ...

    async def credentials(self, email: str) -> tuple[User, str] | None:
        """Return the user and the password hash of an e-mail address."""
        ...

    async def organizations(self) -> Sequence[tuple[OrganizationId, str]]: ...


class RightsLog(Protocol):
    """Revocations and role changes as rows: the store tells, Redis only makes it faster."""

    async def revoke(
        self, organization_id: OrganizationId, user_id: UserId, token_id: str | None
    ) -> RightsChange: ...

    async def changes_since(self, moment: datetime) -> Sequence[RightsChange]:
        """Return the changes recorded at or after the moment, oldest first."""
        ...


class RefreshTokens(Protocol):
    """Refresh tokens by their hash; each is good for one use."""

    async def store(self, token_hash: str, user_id: UserId, expires_at: datetime) -> None: ...

    async def rotate(
        self, old_hash: str, new_hash: str, *, expires_at: datetime, now: datetime
    ) -> User | None:
        """Use up the old one. None if unknown or expired; a *used* one ends its whole family.

        One that was used within the last ten seconds, and whose successor was not used yet, is
        taken once more (a page was reloaded before it had kept the successor): the new one
        takes the place of the successor, which counts as used from then on.
        """
        ...

    async def end_family(self, token_hash: str) -> None: ...

    async def end_all_of(self, user_id: UserId) -> None:
        """End every family of a user: it was revoked, or its password was changed."""
        ...


class ChannelDirectory(Protocol):
    """WhatsApp numbers of organizations."""

    async def channel_by_phone_number_id(self, phone_number_id: str) -> Channel | None: ...

    async def channels(self, organization_id: OrganizationId) -> Sequence[Channel]: ...

    async def create_channel(
        self,
        organization_id: OrganizationId,
        *,
        name: str,
        phone_number_id: str,
        access_token: str,
        sends_read_marks: bool = False,
        sends_typing: bool = False,
    ) -> Channel: ...

    async def change_channel(
        self, organization_id: OrganizationId, channel_id: ChannelId, change: ChannelChange
    ) -> Channel | None:
        """Change a number and return it; None if the organization has no such one."""
        ...


class Clock(Protocol):
    """The time, so that a test can hold it."""

    def __call__(self) -> datetime:
        """Return the present moment, in UTC."""
        ...
