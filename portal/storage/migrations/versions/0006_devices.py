"""Known devices, limits on codes, addresses for hand-over codes, and what a registration for a known address needs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # All with defaults: an instance of the version before may still write rows while this one is rolled out.
    op.create_table(
        "device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("failed_passwords", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_device_contact_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("digest", "contact_id", name=op.f("uq_device_digest_contact_id")),
    )
    op.create_index(op.f("ix_device_contact_id"), "device", ["contact_id"])
    op.add_column("organisation", sa.Column("handover_urls", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("registration", sa.Column("is_decoy", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("registration", sa.Column("failed_passwords", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("contact", sa.Column("failed_codes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("contact", sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True))
    # As far back as events are kept. Who proved the mailbox before that counts as not having done so yet: their next
    # proof ends their other sessions once more, which is safe.
    op.execute(
        """UPDATE contact SET proven_at = (
            SELECT min(event.occurred_at) FROM event
            WHERE event.contact_id = contact.id AND event.refusal IS NULL
                AND event.kind IN ('confirm', 'sign_in_by_mail', 'reset')
        )"""
    )
