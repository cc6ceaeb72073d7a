"""What WhatsApp tells beside messages: times of each status, opt-outs, news of numbers, and signs
of life for the customer.

Only adds, so that programs of the schema before go on working on it.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

expands = True


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _utc() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("messages", sa.Column("status_times", sa.Text(), nullable=True))
    for name in ("marketing_opt_out_at", "marketing_choice_at"):
        op.add_column("contacts", sa.Column(name, _utc(), nullable=True))
    for name in (
        "account_id",
        "display_phone_number",
        "verified_name",
        "quality_rating",
        "messaging_limit",
    ):
        op.add_column("channels", sa.Column(name, sa.Text(), nullable=True))
    for name in ("sends_read_marks", "sends_typing"):
        op.add_column(
            "channels",
            sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()),
        )
    op.create_table(
        "customer_signs",
        sa.Column("conversation_id", _id(), nullable=False),
        sa.Column("channel_id", _id(), nullable=False),
        sa.Column("whatsapp_message_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("is_typing", sa.Boolean(), nullable=False),
        sa.Column("asked_at", _utc(), nullable=False),
        sa.Column("is_pending", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("pk_customer_signs")),
    )
    op.create_index(
        "ix_customer_signs_pending",
        "customer_signs",
        ["channel_id"],
        postgresql_where=sa.text("is_pending"),
        sqlite_where=sa.text("is_pending"),
    )
    op.create_table(
        "channel_news",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", _id(), nullable=False),
        sa.Column("channel_id", _id(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("received_at", _utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_news")),
    )
    op.create_index(
        op.f("ix_channel_news_organization_id_received_at_id"),
        "channel_news",
        ["organization_id", "received_at", "id"],
        unique=False,
    )
