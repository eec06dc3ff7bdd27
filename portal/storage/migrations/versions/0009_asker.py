"""Whose request led to a mail, so that the mail can say from which device and from where it came."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("ip", sa.String(45), nullable=True))
    op.add_column("outbox", sa.Column("user_agent", sa.String(255), nullable=True))
