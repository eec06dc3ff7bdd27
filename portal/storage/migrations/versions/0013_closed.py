"""When a customer who has closed their account is erased."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact", sa.Column("erase_at", sa.DateTime(timezone=True), nullable=True))
