"""Labels in the row of a conversation, and notes among its messages.

Only adds: programs of the first schema run on. Nothing wrote notes before, so no note is
without its number.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

expands = True


def upgrade() -> None:
    op.add_column(
        "conversations", sa.Column("labels", sa.Text(), server_default="[]", nullable=False)
    )
    op.add_column("notes", sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        op.f("ix_notes_conversation_id_seq"), "notes", ["conversation_id", "seq"], unique=False
    )
