"""The first schema.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The version of an organization's rights, read so that a change of rights which was
# answered before this transaction commits is always seen: the shared lock is held to the
# commit, the change takes it alone, and a volatile function sees what was committed
# after its caller's statement began.
_ORGANIZATION_VERSION = """
CREATE FUNCTION pytake_organization_version(wanted text) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1886614625, hashtext(wanted));
    RETURN (SELECT acl_version FROM organizations WHERE id = wanted);
END
$$
"""


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _row_number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _utc() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", _row_number(), autoincrement=True, nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("at", _utc(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", _id(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_audit_log_organization_id_id"),
        "audit_log",
        ["organization_id", "id"],
        unique=False,
    )
    op.create_table(
        "canned_replies",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("shortcut", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_replies")),
        sa.UniqueConstraint(
            "organization_id", "shortcut", name=op.f("uq_canned_replies_organization_id_shortcut")
        ),
    )
    op.create_table(
        "channels",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone_number_id", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("stopped_because", sa.Text(), nullable=True),
        sa.Column("created_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("phone_number_id", name=op.f("uq_channels_phone_number_id")),
    )
    op.create_index(
        op.f("ix_channels_organization_id"), "channels", ["organization_id"], unique=False
    )
    op.create_table(
        "contact_identifiers",
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("contact_id", _id(), nullable=False),
        sa.PrimaryKeyConstraint(
            "organization_id", "kind", "value", name=op.f("pk_contact_identifiers")
        ),
    )
    op.create_index(
        op.f("ix_contact_identifiers_contact_id"),
        "contact_identifiers",
        ["contact_id"],
        unique=False,
    )
    op.create_table(
        "contacts",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("reply_kind", sa.Text(), nullable=True),
        sa.Column("reply_value", sa.Text(), nullable=True),
        sa.Column("created_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index(
        op.f("ix_contacts_organization_id"), "contacts", ["organization_id"], unique=False
    )
    op.create_table(
        "conversations",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("contact_id", _id(), nullable=False),
        sa.Column("channel_id", _id(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("assigned_to", _id(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("inbound_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_message_id", _id(), nullable=True),
        sa.Column("last_author", sa.Text(), nullable=True),
        sa.Column("last_author_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("other_author_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("acl_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("window_expires_at", _utc(), nullable=True),
        sa.Column("created_at", _utc(), nullable=False),
        sa.Column("updated_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(
        "ix_conversations_activity",
        "conversations",
        ["organization_id", "updated_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_conversations_assignee",
        "conversations",
        ["organization_id", "assigned_to", "updated_at", "id"],
        unique=False,
    )
    op.create_table(
        "events",
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at", _utc(), nullable=False),
        sa.Column("acl_version", sa.BigInteger(), nullable=False),
        sa.Column("organization_acl_version", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name=op.f("pk_events")),
    )
    op.create_index(
        op.f("ix_events_created_at"),
        "events",
        ["created_at"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_table(
        "labels",
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "name", name=op.f("pk_labels")),
    )
    op.create_index(op.f("ix_labels_organization_id"), "labels", ["organization_id"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "media",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("channel_id", _id(), nullable=True),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("provider_expires_at", _utc(), nullable=True),
        sa.Column("conversation_id", _id(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", _utc(), nullable=False),
        sa.Column("created_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
    )
    op.create_index(op.f("ix_media_conversation_id"), "media", ["conversation_id"], unique=False)
    op.create_index(
        "ix_media_to_fetch",
        "media",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("storage_key IS NULL AND failure IS NULL"),
        sqlite_where=sa.text("storage_key IS NULL AND failure IS NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("sender_type", sa.Text(), nullable=False),
        sa.Column("sender_id", _id(), nullable=True),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("whatsapp_message_id", sa.Text(), nullable=True),
        sa.Column("client_message_id", sa.Text(), nullable=True),
        sa.Column("retry_of", _id(), nullable=True),
        sa.Column("inbound_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _utc(), nullable=False),
        sa.Column("sent_at", _utc(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "conversation_id",
            "sender_id",
            "client_message_id",
            name=op.f("uq_messages_conversation_id_sender_id_client_message_id"),
        ),
        sa.UniqueConstraint("conversation_id", "seq", name=op.f("uq_messages_conversation_id_seq")),
        sa.UniqueConstraint(
            "organization_id",
            "whatsapp_message_id",
            name=op.f("uq_messages_organization_id_whatsapp_message_id"),
        ),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "notes",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("author_id", _id(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index(
        op.f("ix_notes_conversation_id_created_at"),
        "notes",
        ["conversation_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "organizations",
        sa.Column("id", _id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("acl_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
    )
    op.create_table(
        "orphan_statuses",
        sa.Column("id", _row_number(), autoincrement=True, nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("whatsapp_message_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("reported_at", _utc(), nullable=False),
        sa.Column("kept_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orphan_statuses")),
    )
    op.create_index(
        op.f("ix_orphan_statuses_kept_at"), "orphan_statuses", ["kept_at"], unique=False
    )
    op.create_index(
        op.f("ix_orphan_statuses_organization_id_whatsapp_message_id"),
        "orphan_statuses",
        ["organization_id", "whatsapp_message_id"],
        unique=False,
    )
    op.create_table(
        "outbox",
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pending_since", _utc(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", _utc(), nullable=True),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["pending_since"],
        unique=False,
        postgresql_where=sa.text("published_seq < last_seq"),
        sqlite_where=sa.text("published_seq < last_seq"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", _id(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("received_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_index(
        op.f("ix_quarantine_organization_id_received_at_id"),
        "quarantine",
        ["organization_id", "received_at", "id"],
        unique=False,
    )
    op.create_table(
        "read_positions",
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("inbound_read", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_read_positions")),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("family_id", _id(), nullable=False),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("expires_at", _utc(), nullable=False),
        sa.Column("used_at", _utc(), nullable=True),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    op.create_index(
        op.f("ix_refresh_tokens_expires_at"), "refresh_tokens", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("ix_refresh_tokens_family_id"), "refresh_tokens", ["family_id"], unique=False
    )
    op.create_index(op.f("ix_refresh_tokens_user_id"), "refresh_tokens", ["user_id"], unique=False)
    op.create_table(
        "rights_changes",
        sa.Column("id", _row_number(), autoincrement=True, nullable=False),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("changed_at", _utc(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("token_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_rights_changes_changed_at"), "rights_changes", ["changed_at"], unique=False
    )
    op.create_table(
        "send_queue",
        sa.Column("message_id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("channel_id", _id(), nullable=False),
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", _utc(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unconfirmed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_send_queue")),
        sa.UniqueConstraint(
            "conversation_id", "seq", name=op.f("uq_send_queue_conversation_id_seq")
        ),
    )
    op.create_index(
        op.f("ix_send_queue_channel_id_next_attempt_at"),
        "send_queue",
        ["channel_id", "next_attempt_at"],
        unique=False,
    )
    op.create_table(
        "templates",
        sa.Column("channel_id", _id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "name", "language", name=op.f("pk_templates")),
    )
    op.create_index(
        op.f("ix_templates_organization_id"), "templates", ["organization_id"], unique=False
    )
    op.create_table(
        "users",
        sa.Column("id", _id(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_index(op.f("ix_users_organization_id"), "users", ["organization_id"], unique=False)
    op.create_table(
        "webhook_inbox",
        sa.Column("id", _row_number(), autoincrement=True, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", _utc(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_inbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_conversations_contact_channel",
        "conversations",
        ["contact_id", sa.text("coalesce(channel_id, '')")],
        unique=True,
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(_ORGANIZATION_VERSION)
