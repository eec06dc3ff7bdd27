"""Emails that a customer waits for are sent before the others."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default: an instance of the version before may still queue mails while this one is rolled out.
    op.add_column("outbox", sa.Column("is_urgent", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute("UPDATE outbox SET is_urgent = false WHERE notice = 'password_changed'")
    op.drop_index("ix_outbox_due", "outbox")
    op.create_index("ix_outbox_due", "outbox", ["state", "is_urgent", "due_at", "id"])
