"""Tries of the code that is mailed beside a link; the address as it was typed at registration."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link", sa.Column("code_tries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("registration", sa.Column("email", sa.String(255), nullable=False, server_default=""))
    op.execute("UPDATE registration SET email = (SELECT email FROM contact WHERE contact.id = registration.contact_id)")
