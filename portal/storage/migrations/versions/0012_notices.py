"""When a ban ends by itself, and what an email tells beside its kind."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact", sa.Column("banned_until", sa.DateTime(timezone=True), nullable=True))
    # With a default: an instance of the version before may still queue emails while this one is rolled out.
    op.add_column("outbox", sa.Column("details", sa.JSON(), nullable=False, server_default="{}"))
