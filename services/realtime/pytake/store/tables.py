"""The one schema, for SQLite and PostgreSQL alike.

Ids are text as everywhere else; JSON is text that is parsed by who needs it; times are
UTC. Nothing here refers to organizations by a foreign key: every stored message would
lock the organization's row.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Bytewise order: ids are compared for equality alone, and this compares fastest.
Id = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows by itself only where the column is an INTEGER.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")


class Utc(TypeDecorator[datetime]):
    """A moment in UTC; SQLite, which knows no zones, gets and gives it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        moment: datetime = value
        return moment.replace(tzinfo=UTC)


meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts about the database itself: its `epoch`, and the `programs` it serves (`schema`)."""

organizations = Table(
    "organizations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("acl_version", BigInteger, nullable=False, server_default="1"),
    Column("created_at", Utc, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("email", Text, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
    Index(None, "organization_id"),
)

rights_changes = Table(
    "rights_changes",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("user_id", Id, nullable=False),
    Column("organization_id", Id, nullable=False),
    Column("changed_at", Utc, nullable=False, index=True),
    Column("role", Text),
    Column("token_id", Text),
    sqlite_autoincrement=True,
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("family_id", Id, nullable=False, index=True),
    Column("user_id", Id, nullable=False, index=True),
    Column("expires_at", Utc, nullable=False, index=True),
    Column("used_at", Utc),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("phone_number_id", Text, nullable=False, unique=True),
    Column("access_token", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("stopped_because", Text),
    Column("created_at", Utc, nullable=False),
    Column("account_id", Text),
    Column("display_phone_number", Text),
    Column("verified_name", Text),
    Column("quality_rating", Text),
    Column("messaging_limit", Text),
    Column("sends_read_marks", Boolean, nullable=False, server_default=false()),
    Column("sends_typing", Boolean, nullable=False, server_default=false()),
)
"""Name, quality and limit are WhatsApp's; what a customer sees of agents is opt-in."""

channel_news = Table(
    "channel_news",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("channel_id", Id),
    Column("kind", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("received_at", Utc, nullable=False),
    Index(None, "organization_id", "received_at", "id"),
)
"""What WhatsApp told of numbers, templates and the account, as it was told."""

customer_signs = Table(
    "customer_signs",
    metadata,
    Column("conversation_id", Id, primary_key=True),
    Column("channel_id", Id, nullable=False),
    Column("whatsapp_message_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("is_typing", Boolean, nullable=False),
    Column("asked_at", Utc, nullable=False),
    Column("is_pending", Boolean, nullable=False),
)
"""How far the customer shall see that a conversation was read, and that an agent types."""

Index(
    "ix_customer_signs_pending",
    customer_signs.c.channel_id,
    postgresql_where=customer_signs.c.is_pending,
    sqlite_where=customer_signs.c.is_pending,
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("phone", Text),
    Column("search_text", Text, nullable=False),
    Column("reply_kind", Text),
    Column("reply_value", Text),
    Column("created_at", Utc, nullable=False),
    Column("marketing_opt_out_at", Utc),
    Column("marketing_choice_at", Utc),
)
"""`reply_kind` and `reply_value` are the address that WhatsApp last gave us for this person;
`marketing_choice_at` is when the last choice was made, so that an older one changes nothing."""

contact_identifiers = Table(
    "contact_identifiers",
    metadata,
    Column("organization_id", Id, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("contact_id", Id, nullable=False, index=True),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("contact_id", Id, nullable=False),
    Column("channel_id", Id),
    Column("status", Text, nullable=False),
    Column("assigned_to", Id),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    Column("inbound_count", BigInteger, nullable=False, server_default="0"),
    Column("last_message_id", Id),
    Column("last_author", Text),
    Column("last_author_seq", BigInteger, nullable=False, server_default="0"),
    Column("other_author_seq", BigInteger, nullable=False, server_default="0"),
    Column("acl_version", BigInteger, nullable=False, server_default="1"),
    Column("window_expires_at", Utc),
    Column("labels", Text, nullable=False, server_default="[]"),
    Column("created_at", Utc, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Index("ix_conversations_activity", "organization_id", "updated_at", "id"),
    Index("ix_conversations_assignee", "organization_id", "assigned_to", "updated_at", "id"),
)
"""`last_seq` is the head of the log. `last_author` wrote the newest message, at
`last_author_seq`; the newest message of anybody else is `other_author_seq`: together they
say in one comparison whether a view is stale. `labels` is a JSON list, here because every
news of the row shows it; the table `labels` has the same words to search by."""

Index(
    "uq_conversations_contact_channel",
    conversations.c.contact_id,
    func.coalesce(conversations.c.channel_id, ""),
    unique=True,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("conversation_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    Column("sender_type", Text, nullable=False),
    Column("sender_id", Id),
    Column("message_type", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("search_text", Text),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("whatsapp_message_id", Text),
    Column("client_message_id", Text),
    Column("retry_of", Id),
    Column("inbound_count", BigInteger, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("sent_at", Utc),
    Column("status_times", Text),
    UniqueConstraint("conversation_id", "seq"),
    UniqueConstraint("organization_id", "whatsapp_message_id"),
    UniqueConstraint("conversation_id", "sender_id", "client_message_id"),
)
"""`inbound_count` is how many messages the customer had written up to this one, so that
what a read position leaves unread is one subtraction."""

events = Table(
    "events",
    metadata,
    Column("conversation_id", Id, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("organization_id", Id, nullable=False),
    Column("name", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("acl_version", BigInteger, nullable=False),
    Column("organization_acl_version", BigInteger, nullable=False),
    Column("traceparent", Text),
    # Rows come in the order of time, so a few pages of summary serve retention.
    Index(None, "created_at", postgresql_using="brin"),
)
"""`data` is the event's JSON object without its `seq`, which is spliced in on reading."""

outbox = Table(
    "outbox",
    metadata,
    Column("conversation_id", Id, primary_key=True),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    Column("published_seq", BigInteger, nullable=False, server_default="0"),
    Column("pending_since", Utc, nullable=False),
    Column("claimed_by", Text),
    Column("claimed_until", Utc),
)

Index(
    "ix_outbox_pending",
    outbox.c.pending_since,
    postgresql_where=outbox.c.published_seq < outbox.c.last_seq,
    sqlite_where=outbox.c.published_seq < outbox.c.last_seq,
)

read_positions = Table(
    "read_positions",
    metadata,
    Column("conversation_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("inbound_read", BigInteger, nullable=False),
)

webhook_inbox = Table(
    "webhook_inbox",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("traceparent", Text),
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Id),
    Column("reason", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("received_at", Utc, nullable=False),
    Index(None, "organization_id", "received_at", "id"),
)

orphan_statuses = Table(
    "orphan_statuses",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("organization_id", Id, nullable=False),
    Column("whatsapp_message_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("traceparent", Text),
    Column("reported_at", Utc, nullable=False),
    Column("kept_at", Utc, nullable=False, index=True),
    Index(None, "organization_id", "whatsapp_message_id"),
)

send_queue = Table(
    "send_queue",
    metadata,
    Column("message_id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("channel_id", Id, nullable=False),
    Column("conversation_id", Id, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("next_attempt_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("unconfirmed", Integer, nullable=False, server_default="0"),
    Column("traceparent", Text),
    UniqueConstraint("conversation_id", "seq"),
    Index(None, "channel_id", "next_attempt_at"),
    Index(None, "channel_id", "conversation_id", "seq"),
)

media = Table(
    "media",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("channel_id", Id),
    Column("mime_type", Text, nullable=False),
    Column("filename", Text),
    Column("size", BigInteger),
    Column("sha256", Text),
    Column("storage_key", Text),
    Column("provider_id", Text),
    Column("provider_expires_at", Utc),
    Column("conversation_id", Id, index=True),
    Column("failure", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", Utc, nullable=False),
    Column("created_at", Utc, nullable=False),
)

Index(
    "ix_media_to_fetch",
    media.c.next_attempt_at,
    postgresql_where=media.c.storage_key.is_(None) & media.c.failure.is_(None),
    sqlite_where=media.c.storage_key.is_(None) & media.c.failure.is_(None),
)

templates = Table(
    "templates",
    metadata,
    Column("channel_id", Id, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("language", Text, primary_key=True),
    Column("organization_id", Id, nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("components", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Utc, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("organization_id", Id, nullable=False),
    Column("at", Utc, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Id),
    Column("subject", Text),
    Column("details", Text, nullable=False),
    Index(None, "organization_id", "id"),
    sqlite_autoincrement=True,
)

labels = Table(
    "labels",
    metadata,
    Column("conversation_id", Id, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("organization_id", Id, nullable=False, index=True),
)

notes = Table(
    "notes",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("conversation_id", Id, nullable=False),
    Column("author_id", Id, nullable=False),
    Column("text", Text, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Utc, nullable=False),
    Index(None, "conversation_id", "created_at"),
    Index(None, "conversation_id", "seq"),
)

canned_replies = Table(
    "canned_replies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("shortcut", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("organization_id", "shortcut"),
)
