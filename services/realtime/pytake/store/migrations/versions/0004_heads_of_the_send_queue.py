"""The first waiting message of each conversation is found without reading all that wait.

Only adds an index.

Revision: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

expands = True


def upgrade() -> None:
    op.create_index(
        op.f("ix_send_queue_channel_id_conversation_id_seq"),
        "send_queue",
        ["channel_id", "conversation_id", "seq"],
        unique=False,
    )
