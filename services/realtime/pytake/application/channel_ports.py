"""What the WhatsApp channel needs of the store, by role.

The same rules as in `ports`: a method raises `Unavailable` when the store cannot be
reached or is too slow, and every port has one conformance suite for all implementations.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pytake.application.ports import Channel, Page, StatusReport
from pytake.domain.ids import ChannelId, ContactId, ConversationId, MessageId, OrganizationId
from pytake.domain.message import MessageType
from pytake.domain.status import MessageStatus


class Leases(Protocol):
    """Who does what only one process may do at a time.

    A lease is a row that runs out: a holder that dies or sleeps loses it, and what it
    guarded must bear that two work for a moment.
    """

    async def acquire(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take the lease if it is free or ours, for so long from now (the store's time)."""
        ...

    async def release(self, name: str, holder: str) -> None:
        """Give it back, if it is still ours."""
        ...


# --- webhooks in -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawDelivery:
    """One body as the provider signed it."""

    id: int
    body: bytes
    received_at: datetime
    traceparent: str | None = None


class WebhookInbox(Protocol):
    """Deliveries between the 200 and the work. Store attribute: `webhooks`."""

    async def append(
        self, deliveries: Sequence[tuple[bytes, str | None]], received_at: datetime
    ) -> None:
        """Store (body, traceparent) pairs durably, in one insert and in this order."""
        ...

    async def pending(self, *, limit: int, max_bytes: int) -> Sequence[RawDelivery]:
        """Return the oldest deliveries that are not done; at least one if there is any."""
        ...

    async def done(self, ids: Sequence[int]) -> None:
        """Delete what was worked off: raw bodies hold personal data."""
        ...

    async def depth(self) -> tuple[int, float]:
        """Return (deliveries waiting, age of the oldest in seconds)."""
        ...

    def wake_ups(self) -> AsyncIterator[None]:
        """Yield when there may be something pending: on NOTIFY where it can be had."""
        ...


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """Something of a signed delivery that could not be worked, and why.

    `organization_id` is None where the item names no number of ours; such items are
    shown to nobody but counted.
    """

    id: str
    organization_id: OrganizationId | None
    reason: str
    item: Mapping[str, Any] | str
    received_at: datetime


class Quarantine(Protocol):
    """Poison items, kept for an admin to look at. Store attribute: `quarantine`."""

    async def put(self, items: Sequence[QuarantinedItem]) -> None:
        """Keep them; the same id again changes nothing."""
        ...

    async def items(
        self, organization_id: OrganizationId, *, cursor: str | None, limit: int
    ) -> Page[QuarantinedItem]:
        """Return the organization's items, newest first."""
        ...


class OrphanStatuses(Protocol):
    """Statuses of messages that we do not know (yet). Store attribute: `orphans`."""

    async def put(self, report: StatusReport) -> None:
        """Keep a report whose message may still become known by `whatsapp_message_id`."""
        ...

    async def waiting(
        self, organization_id: OrganizationId, whatsapp_message_id: str
    ) -> Sequence[StatusReport]:
        """Return what waits for this message, oldest first."""
        ...

    async def forget(self, organization_id: OrganizationId, whatsapp_message_id: str) -> None:
        """Remove what waited for this message, once it has been told."""
        ...

    async def drop_before(self, moment: datetime) -> int:
        """Forget reports kept before the moment; return how many."""
        ...


# --- messages out ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """The oldest unsent message of one conversation.

    `recipient` is the (kind, value) to reply to. `attempts` counts attempts begun,
    `unconfirmed` those whose answer never came: the message may or may not have gone out.
    """

    message_id: MessageId
    organization_id: OrganizationId
    channel_id: ChannelId
    conversation_id: ConversationId
    contact_id: ContactId
    recipient: tuple[str, str]
    message_type: MessageType
    content: Mapping[str, Any]
    status: MessageStatus
    whatsapp_message_id: str | None
    created_at: datetime
    window_expires_at: datetime | None
    attempts: int
    unconfirmed: int
    traceparent: str | None = None
    wants_no_marketing: bool = False


class SendQueue(Protocol):
    """Outbound messages of conversations on a channel. Store attribute: `send_queue`.

    `ConversationStore.append_message` puts an outbound message of a conversation that has a
    channel into the queue in its own transaction.
    """

    async def due(
        self, channel_id: ChannelId, *, now: datetime, limit: int
    ) -> Sequence[QueuedMessage]:
        """Return the head of each conversation whose time has come, oldest first.

        Only the oldest message of a conversation is ever due: order is kept by waiting.
        """
        ...

    async def begin(self, message_ids: Sequence[MessageId], *, due_again: datetime) -> None:
        """Record before the request that an attempt begins, many in one statement.

        `attempts` and `unconfirmed` grow by one: whoever comes after a crash sees an attempt
        without an answer, due again at that time.
        """
        ...

    async def postpone(
        self, message_id: MessageId, *, until: datetime, is_unconfirmed: bool = False
    ) -> None:
        """Try again at that time. An answered attempt takes its `unconfirmed` back."""
        ...

    async def finish(self, message_ids: Sequence[MessageId]) -> None:
        """Take messages off the queue: accepted, failed for good, or given up."""
        ...

    async def depth(self) -> tuple[int, float]:
        """Return (messages waiting, age of the oldest in seconds)."""
        ...

    def wake_ups(self) -> AsyncIterator[None]:
        """Yield when there may be something due: on NOTIFY where it can be had."""
        ...


class SendingChannels(Protocol):
    """Numbers as the sender sees them. Store attribute: `channels` (with ChannelDirectory)."""

    async def active_channels(self) -> Sequence[Channel]:
        """Return the numbers of all organizations that may send."""
        ...

    async def access_token(self, channel_id: ChannelId) -> str | None: ...

    async def ensure_channel(
        self,
        organization_id: OrganizationId,
        *,
        name: str,
        phone_number_id: str,
        access_token: str,
    ) -> Channel:
        """Create the channel of the settings, or bring its token up to date."""
        ...

    async def stop_channel(self, channel_id: ChannelId, reason: str) -> bool:
        """Stop sending over a number; True if it was running. The queue is kept."""
        ...

    async def note_facts(self, channel_id: ChannelId, facts: Mapping[str, str]) -> None:
        """Keep what WhatsApp says of a number: `account_id`, `display_phone_number`,
        `verified_name`, `quality_rating`, `messaging_limit`. What is not named stays."""
        ...

    async def channel_of_account(
        self, account_id: str, display_phone_number: str | None = None
    ) -> Channel | None:
        """Return the number of a business account that is shown so, or else its first one."""
        ...


@dataclass(frozen=True, slots=True)
class NewsItem:
    """Something that WhatsApp told of a number, a template or the account.

    `kind` is its word for it (`phone_number_quality_update` …), or `number_stopped` where
    it refused a number. `details` is what came with it.
    """

    id: str
    organization_id: OrganizationId
    channel_id: ChannelId | None
    kind: str
    details: Mapping[str, Any]
    received_at: datetime


class ChannelNews(Protocol):
    """What admins must know of their numbers. Store attribute: `news`."""

    async def put(self, item: NewsItem) -> None:
        """Keep it; the same id again changes nothing."""
        ...

    async def items(
        self, organization_id: OrganizationId, *, cursor: str | None, limit: int
    ) -> Page[NewsItem]:
        """Return the organization's news, newest first."""
        ...

    async def drop_before(self, moment: datetime) -> int:
        """Forget what came before the moment; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class CustomerSign:
    """What the customer shall see of an agent: that a message was read, or that one types."""

    conversation_id: ConversationId
    whatsapp_message_id: str
    seq: int
    is_typing: bool
    asked_at: datetime


class CustomerSigns(Protocol):
    """Signs that wait to be given, one a conversation: a newer one replaces it. Attribute: `signs`.

    They are kept only for numbers that want them; a sign that is lost is no harm.
    """

    async def ask(
        self, conversation_id: ConversationId, seq: int, *, is_typing: bool, now: datetime
    ) -> None:
        """Show the customer that everything up to `seq` was read, and (for 25 s) that one types."""
        ...

    async def take(self, channel_id: ChannelId, *, limit: int) -> Sequence[CustomerSign]:
        """Return what waits for a number, and count it as given."""
        ...


class ContactBook(Protocol):
    """Contacts and their identifiers. Store attribute: `contacts`."""

    async def learn_identifier(
        self,
        organization_id: OrganizationId,
        contact_id: ContactId,
        kind: str,
        value: str,
        *,
        is_reply_address: bool = True,
    ) -> None:
        """Add a name of the contact, and make it the address to reply to.

        A name that belongs to another contact stays there.
        """
        ...

    async def contact_named(
        self, organization_id: OrganizationId, identifiers: Sequence[tuple[str, str]]
    ) -> ContactId | None:
        """Return the contact that has one of the names, the first ones counting most."""
        ...

    async def choose_marketing(
        self,
        organization_id: OrganizationId,
        contact_id: ContactId,
        *,
        is_wanted: bool,
        chosen_at: datetime,
    ) -> Sequence[ConversationId]:
        """Keep that a customer does (not) want marketing; a choice that is older than the known
        one changes nothing.

        Returns:
            The conversations of a contact that has changed.
        """
        ...

    async def export(
        self, organization_id: OrganizationId, contact_id: ContactId
    ) -> Mapping[str, Any] | None:
        """Return everything kept about a contact, as JSON; None if there is no such one."""
        ...

    async def erase(
        self, organization_id: OrganizationId, contact_id: ContactId
    ) -> Sequence[str] | None:
        """Remove texts, names and identifiers; `seq` stays, as tombstones in the log.

        Returns:
            The storage keys of the media that must now be deleted, or None if there is
            no such contact.
        """
        ...


# --- media and templates -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MediaRecord:
    """One file of an organization.

    `storage_key` is None until the bytes are here; `failure` says why they never will be.
    `provider_id` is WhatsApp's name for it, good until `provider_expires_at`.
    """

    id: str
    organization_id: OrganizationId
    channel_id: ChannelId | None
    mime_type: str
    filename: str | None = None
    size: int | None = None
    sha256: str | None = None
    storage_key: str | None = None
    provider_id: str | None = None
    provider_expires_at: datetime | None = None
    conversation_id: ConversationId | None = None
    failure: str | None = None
    attempts: int = 0


class MediaLibrary(Protocol):
    """What is known about files; the bytes lie under `PYTAKE_MEDIA_URL`. Attribute: `media`."""

    async def add(self, record: MediaRecord, *, now: datetime) -> None:
        """Keep a record; the same id again changes nothing."""
        ...

    async def media(self, media_id: str) -> MediaRecord | None: ...

    async def change(self, record: MediaRecord) -> None:
        """Store the record's present state."""
        ...

    async def to_fetch(self, *, now: datetime, limit: int) -> Sequence[MediaRecord]:
        """Return inbound files whose bytes are not here yet and whose time has come."""
        ...

    async def postpone(self, media_id: str, *, until: datetime) -> None:
        """Count a failed fetch; the next one not before the time."""
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """An approved text, the only thing that may be sent outside the window."""

    organization_id: OrganizationId
    channel_id: ChannelId
    name: str
    language: str
    status: str
    category: str
    components: Sequence[Mapping[str, Any]]


class Templates(Protocol):
    """Templates as WhatsApp knows them. Store attribute: `templates`."""

    async def templates(self, organization_id: OrganizationId) -> Sequence[Template]: ...

    async def template(
        self, organization_id: OrganizationId, name: str, language: str
    ) -> Template | None: ...

    async def replace(self, channel_id: ChannelId, templates: Sequence[Template]) -> None:
        """Store the full list of a channel; what is not in it is gone."""
        ...

    async def change_status(
        self, organization_id: OrganizationId, name: str, language: str, status: str
    ) -> None:
        """What a webhook reports: APPROVED, PAUSED, DISABLED, REJECTED …"""
        ...


class FileMissing(Exception):
    """There are no bytes under this key."""


class MediaFiles(Protocol):
    """The bytes of files, by a key that we choose."""

    async def put(self, key: str, data: bytes) -> None:
        """Keep the bytes; the same key again replaces them."""
        ...

    async def get(self, key: str) -> bytes:
        """Return the bytes.

        Raises:
            FileMissing: There are none.
            Unavailable: The storage is away.
        """
        ...

    async def size(self, key: str) -> int:
        """Return how many bytes there are; raises as `get`."""
        ...

    def stream(self, key: str, first: int, last: int) -> AsyncIterator[bytes]:
        """Yield the bytes from the first to the last, in parts: a reader may be slow, and what
        it has not taken must not wait in memory. Raises as `get`."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete what is there; keys that are not count as deleted."""
        ...
