"""Changes of email addresses, which the former address can undo for some days."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.Integer(), nullable=True),
        sa.Column("link_id", sa.Integer(), nullable=False),
        sa.Column("undo_link_id", sa.Integer(), nullable=True),
        sa.Column("old_email", sa.String(255), nullable=False),
        sa.Column("old_email_key", sa.String(255), nullable=False),
        sa.Column("new_email", sa.String(255), nullable=False),
        sa.Column("new_email_key", sa.String(255), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_address_change_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identity.id"], name=op.f("fk_address_change_identity_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name=op.f("fk_address_change_link_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["undo_link_id"], ["link.id"], name=op.f("fk_address_change_undo_link_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_change")),
        sa.UniqueConstraint("link_id", name=op.f("uq_address_change_link_id")),
        sa.UniqueConstraint("undo_link_id", name=op.f("uq_address_change_undo_link_id")),
    )
    for column in ("contact_id", "identity_id", "old_email_key", "new_email_key"):
        op.create_index(op.f(f"ix_address_change_{column}"), "address_change", [column])
